#include "bitactor/l3_genactor/circuit_breaker.h"

#include "bitactor/l1_core/check.h"
#include "option_range.h"

namespace bitactor {
namespace {

constexpr uint64_t kMillion = 1'000'000;
constexpr absl::Duration kMinOpen = absl::Microseconds(1);
constexpr absl::Duration kMaxOpen = absl::Hours(24);

}  // namespace

absl::Status Validate(const Breaker& options) {
  // Written so that a NaN is refused; a rate that rounds to 0 would open without a failure.
  if (!(options.failure_rate >= 1e-6 && options.failure_rate <= 1.0)) {
    return internal::OptionOutOfRange("Breaker", "failure_rate", options.failure_rate,
                                      "of 0.000001 to 1");
  }
  if (options.over < 1 || options.over > CircuitBreaker::kMaxWindowCalls) {
    return internal::OptionOutOfRange("Breaker", "over", options.over, "of 1 to 1024 calls");
  }
  if (options.minimum_calls > options.over) {
    return internal::OptionOutOfRange("Breaker", "minimum_calls", options.minimum_calls,
                                      "of 0 (the same as `over`) to that of `over`");
  }
  if (options.open_for < kMinOpen || options.open_for > kMaxOpen) {
    return internal::OptionOutOfRange("Breaker", "open_for", absl::FormatDuration(options.open_for),
                                      "of 1us to 24h");
  }
  if (options.probes < 1 || options.probes > CircuitBreaker::kMaxWindowCalls) {
    return internal::OptionOutOfRange("Breaker", "probes", options.probes, "of 1 to 1024 calls");
  }
  return absl::OkStatus();
}

CircuitBreaker::CircuitBreaker(const Breaker& options)
    : window_(options.over),
      minimum_calls_(options.minimum_calls != 0 ? options.minimum_calls : options.over),
      probes_(options.probes),
      open_for_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(options.open_for))) {
  BITACTOR_CHECK(Validate(options).ok());
  rate_millionths_ = static_cast<uint32_t>(options.failure_rate * kMillion + 0.5);
}

AdmissionDecision CircuitBreaker::Admit(uint64_t now_ns) {
  if (state_ == BreakerState::kClosed) [[likely]] {
    return {Admission::kAllow, epoch_, 0};
  }
  if (state_ == BreakerState::kOpen && now_ns >= open_until_ns_) {
    Enter(BreakerState::kHalfOpen);
    ++half_opened_;
  }
  if (state_ == BreakerState::kHalfOpen && probes_admitted_ < probes_) {
    ++probes_admitted_;
    return {Admission::kProbe, epoch_, 0};
  }
  ++refused_;
  return {Admission::kRefuse, epoch_, state_ == BreakerState::kOpen ? open_until_ns_ : 0};
}

void CircuitBreaker::Record(uint32_t epoch, CallOutcome outcome, uint64_t now_ns) {
  if (epoch != epoch_) {
    ++stale_outcomes_;
    return;
  }
  // No call is admitted in an open epoch.
  BITACTOR_CHECK(state_ != BreakerState::kOpen);
  if (state_ == BreakerState::kClosed) {
    if (outcome == CallOutcome::kAbandoned) return;
    RecordInWindow(outcome == CallOutcome::kFailure);
    if (RateReached()) Open(now_ns);
    return;
  }
  BITACTOR_CHECK_LT(probes_succeeded_, probes_admitted_);
  switch (outcome) {
    case CallOutcome::kAbandoned:
      --probes_admitted_;
      break;
    case CallOutcome::kFailure:
      Open(now_ns);
      break;
    case CallOutcome::kSuccess:
      if (++probes_succeeded_ == probes_) {
        Enter(BreakerState::kClosed);
        ++closed_;
      }
      break;
  }
}

void CircuitBreaker::RecordInWindow(bool failed) {
  uint64_t& word = failed_bits_[next_ / 64];
  const uint64_t bit = uint64_t{1} << (next_ % 64);
  if (calls_ < window_) {
    ++calls_;
  } else if ((word & bit) != 0) {
    --failures_;
  }
  if (failed) {
    word |= bit;
    ++failures_;
  } else {
    word &= ~bit;
  }
  if (++next_ == window_) next_ = 0;
}

bool CircuitBreaker::RateReached() const {
  return calls_ >= minimum_calls_ && failures_ * kMillion >= uint64_t{rate_millionths_} * calls_;
}

void CircuitBreaker::Enter(BreakerState state) {
  state_ = state;
  ++epoch_;
  failed_bits_.fill(0);
  calls_ = failures_ = next_ = 0;
  probes_admitted_ = probes_succeeded_ = 0;
}

void CircuitBreaker::Open(uint64_t now_ns) {
  Enter(BreakerState::kOpen);
  open_until_ns_ = now_ns + open_for_ns_;
  ++opened_;
}

}  // namespace bitactor
