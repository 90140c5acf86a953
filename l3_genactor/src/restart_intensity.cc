#include "bitactor/l3_genactor/restart_intensity.h"

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"

namespace bitactor {

absl::Status RestartIntensity::Validate(uint32_t max_restarts, absl::Duration period) {
  if (max_restarts > kMaxRestartsLimit) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_restarts is ", max_restarts, "; give 0 (give up at once) to ", kMaxRestartsLimit));
  }
  if (period < absl::Nanoseconds(1) || period > absl::Hours(24 * 3650)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the restart period is ", absl::FormatDuration(period), "; give 1ns to 87600h (10 years)"));
  }
  return absl::OkStatus();
}

RestartIntensity::RestartIntensity(uint32_t max_restarts, absl::Duration period)
    : period_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(period))) {
  BITACTOR_CHECK(Validate(max_restarts, period).ok());
  times_ns_.resize(max_restarts);
}

bool RestartIntensity::Allow(uint64_t now_ns) {
  if (times_ns_.empty()) return false;
  // Only the oldest of the last max_restarts matters: were it within the period, all are, and this
  // one is one too many.
  if (count_ == times_ns_.size() && now_ns - times_ns_[next_] <= period_ns_) return false;
  times_ns_[next_] = now_ns;
  if (++next_ == times_ns_.size()) next_ = 0;
  if (count_ < times_ns_.size()) ++count_;
  return true;
}

}  // namespace bitactor
