// How urgent a message is: what may overtake what where messages wait.
#ifndef BITACTOR_L2_MAILBOX_PRIORITY_H_
#define BITACTOR_L2_MAILBOX_PRIORITY_H_

#include <cstddef>
#include <cstdint>

namespace bitactor {

// Where casts and calls wait for a handler, a higher one is handled first; among equals, and where
// nothing waits, the order is causal. Values are stored in journals.
enum class Priority : uint8_t { kNormal = 0, kRaised = 1, kHigh = 2, kUrgent = 3 };
inline constexpr size_t kPriorities = 4;
inline constexpr Priority kDefaultPriority = Priority::kNormal;

// Of Port::Send.
struct SendOptions {
  Priority priority = kDefaultPriority;
  // How long to wait for room in the lane or the mailbox (SendAdvice::kRetry and kWait); 0: not at
  // all.
  uint64_t timeout_ns = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_PRIORITY_H_
