// When a failed call is tried again: backoff with jitter, within the deadline and within a budget
// that keeps retries from becoming a storm.
#ifndef BITACTOR_L3_GENACTOR_RETRY_H_
#define BITACTOR_L3_GENACTOR_RETRY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace bitactor {

struct Retry {
  uint32_t attempts = 4;                         // the first one included; 1 to 100
  absl::Duration base = absl::Microseconds(50);  // shortest delay; 1 ns to `cap`
  absl::Duration cap = absl::Milliseconds(100);  // longest delay; at most 1 h
  double budget = 0.1;                           // retries per first call in the long run; 0 to 1
};

// InvalidArgument names the member, its value and the allowed range.
absl::Status Validate(const Retry& options);

// Whether the same call may succeed later: kUnavailable (nobody there, a breaker is open, the actor
// restarts), kAborted (it lost against another one) and kResourceExhausted (a lane or a queue is
// full). Not kDeadlineExceeded: the callee goes on with the request, and a second one would take
// effect twice. All other codes would only fail again.
bool IsRetryable(absl::StatusCode code);

enum class RetryVerdict : uint8_t {
  kRetry,         // wait delay_ns, then call again
  kNotRetryable,  // give up: this error does not go away
  kAttemptsUsed,  // give up: it was tried often enough
  kPastDeadline,  // give up: the deadline comes before the next attempt
  kNoBudget,      // give up: too many calls of this policy are being retried
};

struct RetryDecision {
  RetryVerdict verdict;
  uint64_t delay_ns;  // of kRetry
};

// One policy and its budget, shared by all calls to a target. A call's delays are decorrelated:
// uniform between `base` and three times the one before, at most `cap`.
//
// Threads: one at a time.
// Ownership: a plain value. The same seed and the same calls give the same decisions on every
//   machine (integers only).
class RetryPolicy {
 public:
  // The budget starts full and never holds more: an idle policy does not save up for a storm.
  static constexpr uint32_t kBudgetCapRetries = 10;

  // What the policy keeps for one call.
  struct Call {
    uint32_t attempts = 1;  // made so far
    uint64_t previous_delay_ns = 0;
  };

  // REQUIRES: Validate(options).ok().
  RetryPolicy(const Retry& options, uint64_t seed);

  // A first attempt; pays into the budget.
  Call Begin();
  // An attempt of `call` failed with `code`. `deadline_ns` is on the timeline of `now_ns`; 0 =
  // none. kRetry takes one retry from the budget and counts as made.
  RetryDecision Next(Call& call, absl::StatusCode code, uint64_t now_ns, uint64_t deadline_ns);

  // Retries that the budget allows right now.
  uint32_t budget_retries() const { return budget_millionths_ / kMillion; }

 private:
  static constexpr uint32_t kMillion = 1'000'000;

  uint64_t DrawDelay(uint64_t previous_ns);

  uint32_t attempts_;
  uint32_t deposit_millionths_ = 0;
  uint32_t budget_millionths_ = kBudgetCapRetries * kMillion;
  uint64_t base_ns_;
  uint64_t cap_ns_;
  uint64_t random_;
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_RETRY_H_
