#include "bitactor/l3_genactor/retry.h"

#include <algorithm>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/frame.h"
#include "option_range.h"

namespace bitactor {

absl::Status Validate(const Retry& options) {
  if (options.attempts < 1 || options.attempts > 100) {
    return internal::OptionOutOfRange("Retry", "attempts", options.attempts,
                                      "of 1 (no retry) to 100");
  }
  if (options.cap < absl::Nanoseconds(1) || options.cap > absl::Hours(1)) {
    return internal::OptionOutOfRange("Retry", "cap", absl::FormatDuration(options.cap),
                                      "of 1ns to 1h");
  }
  if (options.base < absl::Nanoseconds(1) || options.base > options.cap) {
    return internal::OptionOutOfRange("Retry", "base", absl::FormatDuration(options.base),
                                      "of 1ns to that of `cap`");
  }
  // Written so that a NaN is refused.
  if (!(options.budget >= 0.0 && options.budget <= 1.0)) {
    return internal::OptionOutOfRange("Retry", "budget", options.budget,
                                      "of 0 to 1 retries per call");
  }
  return absl::OkStatus();
}

bool IsRetryable(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kAborted ||
         code == absl::StatusCode::kResourceExhausted;
}

RetryPolicy::RetryPolicy(const Retry& options, uint64_t seed)
    : attempts_(options.attempts),
      base_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.base))),
      cap_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.cap))),
      random_(seed) {
  BITACTOR_CHECK(Validate(options).ok());
  deposit_millionths_ = static_cast<uint32_t>(options.budget * kMillion + 0.5);
}

RetryPolicy::Call RetryPolicy::Begin() {
  budget_millionths_ =
      std::min(budget_millionths_ + deposit_millionths_, kBudgetCapRetries * kMillion);
  return Call{};
}

RetryDecision RetryPolicy::Next(Call& call, absl::StatusCode code, uint64_t now_ns,
                                uint64_t deadline_ns) {
  if (!IsRetryable(code)) return {RetryVerdict::kNotRetryable, 0};
  if (call.attempts >= attempts_) return {RetryVerdict::kAttemptsUsed, 0};
  const uint64_t delay_ns = DrawDelay(std::max(call.previous_delay_ns, base_ns_));
  // An attempt that starts at the deadline has no time left to succeed.
  if (deadline_ns != 0 && (now_ns >= deadline_ns || delay_ns >= deadline_ns - now_ns)) {
    return {RetryVerdict::kPastDeadline, 0};
  }
  if (budget_millionths_ < kMillion) return {RetryVerdict::kNoBudget, 0};
  budget_millionths_ -= kMillion;
  ++call.attempts;
  call.previous_delay_ns = delay_ns;
  return {RetryVerdict::kRetry, delay_ns};
}

uint64_t RetryPolicy::DrawDelay(uint64_t previous_ns) {
  random_ += 0x9E3779B97F4A7C15ull;  // splitmix64
  const uint64_t width = 3 * previous_ns - base_ns_ + 1;
  const auto offset =
      static_cast<uint64_t>((static_cast<unsigned __int128>(Mix64(random_)) * width) >> 64);
  return std::min(cap_ns_, base_ns_ + offset);
}

}  // namespace bitactor
