// Messages that were refused, with the cause: counted for good, the last ones kept whole.
#ifndef BITACTOR_L2_MAILBOX_DEAD_LETTERS_H_
#define BITACTOR_L2_MAILBOX_DEAD_LETTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/mutex.h"

namespace bitactor {

// Why a message that was sent is not delivered. Names are stable (DeadLetterCauseName): reports and
// JSON use them.
enum class DeadLetterCause : uint8_t {
  kCorrupted = 0,    // it cannot be trusted: quarantined (LaneFault), its bytes are kept
  kNoTarget = 1,     // nobody has this id (any more)
  kStaleTarget = 2,  // the id belongs to somebody else now
  kExpired = 3,      // its deadline passed before it was handled
  kMailboxFull = 4,  // its actor cannot run and its mailbox's queue is full
  kJournalFull =
      5,  // the shard's journal has no space, and nothing is handled that is not journalled
  kUnhandled = 6,      // its target has no handler for this type
  kNoReader = 7,       // an answer to a port that is closed or does not read its answers
  kHandlerFailed = 8,  // a handler without supervision threw
  kOverflow = 9,       // a shard could neither send it nor hold it back
  kUnread = 10,        // was still queued for somebody who ended
  kNotDurable = 11,    // a commit of the journals failed: it, or what it answers, may be lost
  kShed = 12,          // it gave way to another in a full mailbox (Overload)
  kCycle = 13,         // a call that could only be handled after its own answer
};
inline constexpr size_t kDeadLetterCauses = 14;

const char* DeadLetterCauseName(DeadLetterCause cause);

struct DeadLetter {
  DeadLetterCause cause;
  uint32_t shard;
  Frame frame;  // as it was found; of a corrupted one nothing but the bytes can be trusted
};

// Threads: all methods, any thread.
// Bounds: the counts are exact, of the letters the last `kept` are held; nothing is allocated after
//   construction.
class DeadLetterLog {
 public:
  // REQUIRES: kept >= 1.
  explicit DeadLetterLog(size_t kept = 256)
      : kept_(kept), letters_(std::make_unique_for_overwrite<DeadLetter[]>(kept)) {}

  void Add(DeadLetterCause cause, uint32_t shard, const Frame& frame);

  std::array<uint64_t, kDeadLetterCauses> Counts() const;
  uint64_t Total() const;
  // The kept ones, oldest first.
  std::vector<DeadLetter> Letters() const;

 private:
  const size_t kept_;
  // Relaxed: statistics; whoever needs exact sums reads them at rest, after a Notification or a
  // join.
  std::array<std::atomic<uint64_t>, kDeadLetterCauses> counts_{};
  mutable Mutex mutex_;
  const std::unique_ptr<DeadLetter[]> letters_ ABSL_GUARDED_BY(mutex_);
  uint64_t added_ ABSL_GUARDED_BY(mutex_) = 0;  // the last is at (added_ - 1) % kept_
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_DEAD_LETTERS_H_
