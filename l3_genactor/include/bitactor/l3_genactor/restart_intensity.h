// OTP's patience of a supervisor: how many restarts within which period are too many.
#ifndef BITACTOR_L3_GENACTOR_RESTART_INTENSITY_H_
#define BITACTOR_L3_GENACTOR_RESTART_INTENSITY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace bitactor {

// As in OTP's supervisor: a restart counts until it is older than the period (one that is exactly
// as old still counts), and more than `max_restarts` of them mean giving up. One event of
// one_for_all or rest_for_one is one restart.
//
// Threads: one at a time.
// Bounds: 8 bytes for each of max_restarts, allocated once. Time is the caller's and monotonic.
// Errors: Validate() before the constructor.
class RestartIntensity {
 public:
  static constexpr uint32_t kDefaultMaxRestarts = 1;
  static constexpr absl::Duration kDefaultPeriod = absl::Seconds(5);
  static constexpr uint32_t kMaxRestartsLimit = 10'000;

  // max_restarts 0 to 10,000 (0: the first failure is too many), period 1 ns to 10 years.
  static absl::Status Validate(uint32_t max_restarts, absl::Duration period);

  // REQUIRES: Validate(max_restarts, period).ok().
  RestartIntensity(uint32_t max_restarts, absl::Duration period);

  // A child failed at `now_ns`: true counts a restart, false tells the supervisor to give up.
  bool Allow(uint64_t now_ns);

 private:
  uint64_t period_ns_;
  std::vector<uint64_t> times_ns_;  // of the last restarts, a ring; oldest at next_ once full
  size_t next_ = 0;
  size_t count_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_RESTART_INTENSITY_H_
