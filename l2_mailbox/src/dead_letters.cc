#include "bitactor/l2_mailbox/dead_letters.h"

#include <algorithm>

#include "bitactor/l2_mailbox/send_result.h"

namespace bitactor {

const char* DeadLetterCauseName(DeadLetterCause cause) {
  switch (cause) {
    case DeadLetterCause::kCorrupted:
      return "corrupted";
    case DeadLetterCause::kNoTarget:
      return "no_target";
    case DeadLetterCause::kStaleTarget:
      return "stale_target";
    case DeadLetterCause::kExpired:
      return "expired";
    case DeadLetterCause::kMailboxFull:
      return "mailbox_full";
    case DeadLetterCause::kJournalFull:
      return "journal_full";
    case DeadLetterCause::kUnhandled:
      return "unhandled";
    case DeadLetterCause::kNoReader:
      return "no_reader";
    case DeadLetterCause::kHandlerFailed:
      return "handler_failed";
    case DeadLetterCause::kOverflow:
      return "overflow";
    case DeadLetterCause::kUnread:
      return "unread";
    case DeadLetterCause::kNotDurable:
      return "not_durable";
    case DeadLetterCause::kShed:
      return "shed";
    case DeadLetterCause::kCycle:
      return "cycle";
  }
  return "unknown";
}

const char* SendResultName(SendResult result) {
  switch (result) {
    case SendResult::kOk:
      return "ok";
    case SendResult::kFull:
      return "full";
    case SendResult::kJournalFull:
      return "journal_full";
    case SendResult::kAlreadyTaken:
      return "already_taken";
    case SendResult::kClosed:
      return "closed";
    case SendResult::kCutOff:
      return "cut_off";
    case SendResult::kMailboxFull:
      return "mailbox_full";
    case SendResult::kNoBlock:
      return "no_block";
    case SendResult::kTooLong:
      return "too_long";
  }
  return "unknown";
}

void DeadLetterLog::Add(DeadLetterCause cause, uint32_t shard, const Frame& frame) {
  counts_[static_cast<size_t>(cause)].fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  letters_[added_++ % kept_] = {cause, shard, frame};
}

std::array<uint64_t, kDeadLetterCauses> DeadLetterLog::Counts() const {
  std::array<uint64_t, kDeadLetterCauses> counts{};
  for (size_t i = 0; i < kDeadLetterCauses; ++i) {
    counts[i] = counts_[i].load(std::memory_order_relaxed);
  }
  return counts;
}

uint64_t DeadLetterLog::Total() const {
  uint64_t total = 0;
  for (const uint64_t count : Counts()) total += count;
  return total;
}

std::vector<DeadLetter> DeadLetterLog::Letters() const {
  MutexLock lock(&mutex_);
  std::vector<DeadLetter> letters;
  const uint64_t count = std::min<uint64_t>(added_, kept_);
  letters.reserve(count);
  for (uint64_t i = added_ - count; i < added_; ++i) letters.push_back(letters_[i % kept_]);
  return letters;
}

}  // namespace bitactor
