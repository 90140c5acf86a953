// What became of a send, and what its caller does next.
#ifndef BITACTOR_L2_MAILBOX_SEND_RESULT_H_
#define BITACTOR_L2_MAILBOX_SEND_RESULT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitactor {

// Of Port::Send and Sender::Send. Only kOk was sent; every other value is counted by the port under
// its name.
enum class SendResult : uint8_t {
  kOk = 0,    // accepted: it will be delivered, dead-lettered with a cause, or is still queued
  kFull = 1,  // the lane has no room: retry when the owner has read some
  kJournalFull = 2,   // the owner's journal took no more (Fabric::Health says why): end the run,
                      // make space, go on
  kAlreadyTaken = 3,  // a named port sent this before a restart and its target journalled it: go on
                      // with the next
  kClosed = 4,        // this port belongs to no fabric (any more): give up
  kCutOff = 5,  // more of this port's frames were corrupted than FabricOptions::corruption_limit
                // allows: give up, and look at Fabric::Quarantined()
  kMailboxFull = 6,  // the target's handler cannot run and too many messages wait for it: wait
  kNoBlock = 7,      // too much of FabricOptions::block_bytes is in use: wait until receivers have
                     // let go of some
  kTooLong = 8,      // over 16 MiB, over all of block_bytes, or over 128 bytes to an outside port:
                     // give up, or split it
};
inline constexpr size_t kSendResults = 9;

const char* SendResultName(SendResult result);

// What to do with a message that a send did not accept.
enum class SendAdvice : uint8_t {
  kGoOn,    // nothing: it is sent, or was before
  kRetry,   // send it again soon: its shard reads its lanes all the time
  kWait,    // send it again later: somebody else has to act before there is room
  kGiveUp,  // it will not be accepted in this run
};
constexpr SendAdvice RetryAdvice(SendResult result) {
  switch (result) {
    case SendResult::kOk:
    case SendResult::kAlreadyTaken:
      return SendAdvice::kGoOn;
    case SendResult::kFull:
      return SendAdvice::kRetry;
    case SendResult::kMailboxFull:
    case SendResult::kNoBlock:
      return SendAdvice::kWait;
    case SendResult::kJournalFull:
    case SendResult::kClosed:
    case SendResult::kCutOff:
    case SendResult::kTooLong:
      break;
  }
  return SendAdvice::kGiveUp;
}
constexpr bool HasRoomLater(SendResult result) {
  return RetryAdvice(result) == SendAdvice::kRetry || RetryAdvice(result) == SendAdvice::kWait;
}

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_SEND_RESULT_H_
