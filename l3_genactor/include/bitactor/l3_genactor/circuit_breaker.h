// A circuit breaker: stops calls to a target that mostly fails, and tries it again carefully.
#ifndef BITACTOR_L3_GENACTOR_CIRCUIT_BREAKER_H_
#define BITACTOR_L3_GENACTOR_CIRCUIT_BREAKER_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace bitactor {

struct Breaker {
  double failure_rate = 0.5;   // opens at this share of failed calls; above 0, at most 1
  uint32_t over = 100;         // ... among the last so many; 1 to 1024
  uint32_t minimum_calls = 0;  // ... once so many were recorded; at most `over`, 0 means `over`
  absl::Duration open_for = absl::Seconds(1);  // refuses for so long; 1 us to 24 h
  uint32_t probes = 3;  // calls that must succeed before it closes; 1 to 1024
};

// InvalidArgument names the member, its value and the allowed range.
absl::Status Validate(const Breaker& options);

enum class BreakerState : uint8_t {
  kClosed,    // calls pass and are counted
  kOpen,      // calls are refused until the time is over
  kHalfOpen,  // a few probes pass, all else is refused
};

enum class Admission : uint8_t {
  kAllow,   // call, then Record() its outcome
  kProbe,   // the same; the outcome decides whether the breaker closes
  kRefuse,  // do not call and record nothing; try again at retry_at_ns
};

enum class CallOutcome : uint8_t {
  kSuccess,
  kFailure,
  kAbandoned,  // never made, or nobody knows how it ended: says nothing about the target
};

struct AdmissionDecision {
  Admission admission;
  uint32_t epoch;        // hand it to Record()
  uint64_t retry_at_ns;  // of a refusal: when it admits again; 0 while it waits for its probes
};

// Closed -> open when the failure rate is reached; open -> half-open at the first Admit() after
// open_for; half-open -> closed when `probes` calls succeeded, -> open when one failed. Every
// transition begins a new epoch, and outcomes of calls admitted in an earlier one are ignored.
//
// Threads: one at a time.
// Bounds: about 230 bytes, no allocation.
// Ownership: a plain value. Time is the caller's and monotonic, so equal calls give equal
//   decisions. Every admitted call is recorded exactly once: a probe that never is keeps its place
//   for good.
class CircuitBreaker {
 public:
  static constexpr uint32_t kMaxWindowCalls = 1024;

  // REQUIRES: Validate(options).ok().
  explicit CircuitBreaker(const Breaker& options);

  AdmissionDecision Admit(uint64_t now_ns);
  // `epoch` is that of the call's admission.
  void Record(uint32_t epoch, CallOutcome outcome, uint64_t now_ns);

  BreakerState state() const { return state_; }
  // While open: when the first probe is admitted.
  uint64_t open_until_ns() const { return open_until_ns_; }
  // Calls in the window, and the failed ones among them.
  uint32_t window_calls() const { return calls_; }
  uint32_t window_failures() const { return failures_; }

  // Since the start.
  uint64_t opened() const { return opened_; }
  uint64_t half_opened() const { return half_opened_; }
  uint64_t closed() const { return closed_; }
  uint64_t refused() const { return refused_; }
  uint64_t stale_outcomes() const { return stale_outcomes_; }

 private:
  void RecordInWindow(bool failed);
  bool RateReached() const;
  void Enter(BreakerState state);
  void Open(uint64_t now_ns);

  uint32_t rate_millionths_ = 0;
  uint32_t window_;
  uint32_t minimum_calls_;
  uint32_t probes_;
  uint64_t open_for_ns_;

  BreakerState state_ = BreakerState::kClosed;
  uint32_t epoch_ = 1;
  // Closed: the outcomes of the last calls_ calls; a set bit is a failure.
  std::array<uint64_t, kMaxWindowCalls / 64> failed_bits_{};
  uint32_t calls_ = 0;
  uint32_t failures_ = 0;
  uint32_t next_ = 0;
  // Open.
  uint64_t open_until_ns_ = 0;
  // Half-open: probes under way or succeeded, and the latter.
  uint32_t probes_admitted_ = 0;
  uint32_t probes_succeeded_ = 0;

  uint64_t opened_ = 0;
  uint64_t half_opened_ = 0;
  uint64_t closed_ = 0;
  uint64_t refused_ = 0;
  uint64_t stale_outcomes_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_CIRCUIT_BREAKER_H_
