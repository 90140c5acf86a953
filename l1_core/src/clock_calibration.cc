#include "bitactor/l1_core/clock_calibration.h"

#include <algorithm>
#include <cmath>

namespace bitactor::internal {
namespace {

constexpr double kMillion = 1e6;

// What an interval may differ from the measured rate before it counts as a step: twice the 500 ppm
// by which the kernel disciplines CLOCK_MONOTONIC, and what an unlucky reading is off.
constexpr double kHonestPpm = 1000;
constexpr double kHonestNs = 10'000;
// A slew is planned over no less than this.
constexpr double kSlewNsMin = 100'000'000;

uint64_t Q32(double value) { return static_cast<uint64_t>(std::llround(value * 4294967296.0)); }

int64_t Difference(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b); }

bool Agree(double rate, double other) {
  return std::abs(rate - other) * kMillion <= kHonestPpm * other;
}

}  // namespace

ClockLine ClockCalibration::FirstLine() const {
  return {
      .start_cycles = base_.cycles, .start_ns = base_.ns, .ns_per_cycle_q32 = Q32(ns_per_cycle_)};
}

bool ClockCalibration::RanBackwards(uint64_t cycles) const {
  return static_cast<double>(Difference(last_.cycles, cycles)) * ns_per_cycle_ > kSkewNs;
}

ClockCalibration::Outcome ClockCalibration::Take(const ClockReading& now, const ClockLines& lines,
                                                 ClockLine* next) {
  if (RanBackwards(now.cycles)) return Outcome::kBackwards;
  ++drift_.rechecks;
  const int64_t off_ns = Difference(lines.At(now.cycles), now.ns);
  drift_.off_ns = off_ns;
  drift_.worst_off_ns =
      std::max(drift_.worst_off_ns, static_cast<uint64_t>(off_ns < 0 ? -off_ns : off_ns));

  const int64_t interval_ns = Difference(now.ns, last_.ns);
  MeasureRate(now);
  last_ = now;

  const auto lead_cycles = static_cast<uint64_t>(static_cast<double>(kLeadNs) / ns_per_cycle_);
  const ClockReading start = {.cycles = now.cycles + lead_cycles, .ns = now.ns + kLeadNs};
  const uint64_t shown_ns = lines.At(start.cycles);
  const int64_t off_at_start_ns = Difference(shown_ns, start.ns);
  const double slew_over_ns = std::max(static_cast<double>(interval_ns), kSlewNsMin);
  *next = LineFrom(start, off_at_start_ns, shown_ns,
                   static_cast<double>(-off_at_start_ns) / slew_over_ns * kMillion);
  return Outcome::kLine;
}

void ClockCalibration::MeasureRate(const ClockReading& now) {
  const auto interval_cycles = static_cast<double>(Difference(now.cycles, last_.cycles));
  const auto interval_ns = static_cast<double>(Difference(now.ns, last_.ns));
  const double surprise_ns = interval_cycles * ns_per_cycle_ - interval_ns;
  const double honest_ns = interval_ns * kHonestPpm / kMillion + kHonestNs;
  if (interval_cycles > 0 && interval_ns > 0) {
    drift_.ppm = surprise_ns / interval_ns * kMillion;
    if (std::abs(surprise_ns) <= honest_ns) {
      suspect_rate_ = 0;
      ns_per_cycle_ = static_cast<double>(Difference(now.ns, base_.ns)) /
                      static_cast<double>(Difference(now.cycles, base_.cycles));
      drift_.baseline_ns = now.ns - base_.ns;
      if (now.ns - middle_.ns >= kBaselineNs) {
        base_ = middle_;
        middle_ = now;
      }
      return;
    }
    const double rate = interval_ns / interval_cycles;
    if (Agree(rate, suspect_rate_)) {
      // Twice the same: the machine has another rate now, or had been declared with a wrong one.
      ns_per_cycle_ = rate;
      suspect_rate_ = 0;
    } else {
      suspect_rate_ = rate;
    }
  }
  ++drift_.steps;
  base_ = middle_ = now;
  drift_.baseline_ns = 0;
}

ClockLine ClockCalibration::LineFrom(const ClockReading& start, int64_t off_ns, uint64_t shown_ns,
                                     double slew_ppm) {
  const bool forward = off_ns < -kForwardNs;
  if (forward) {
    ++drift_.steps_forward;
    slew_ppm = 0;
  }
  const double slew = std::clamp(slew_ppm, -kSlewPpmMax, kSlewPpmMax) / kMillion;
  return {.start_cycles = start.cycles,
          .start_ns = forward ? start.ns : shown_ns,
          .ns_per_cycle_q32 = Q32(ns_per_cycle_ * (1 + slew))};
}

ClockLine ClockCalibration::FallBack(uint64_t reference_ns, const ClockLines& lines) {
  drift_.fell_back = true;
  const auto cycles_per_ns = 1 / ns_per_cycle_;
  const auto since_last_cycles = static_cast<uint64_t>(
      static_cast<double>(Difference(reference_ns, last_.ns)) * cycles_per_ns);
  last_ = {.cycles = last_.cycles + since_last_cycles, .ns = reference_ns};
  const auto lead_cycles = static_cast<uint64_t>(static_cast<double>(kLeadNs) * cycles_per_ns);
  const ClockReading start = {.cycles = last_.cycles + lead_cycles, .ns = last_.ns + kLeadNs};
  const uint64_t shown_ns = lines.At(start.cycles);
  return LineFrom(start, Difference(shown_ns, start.ns), shown_ns, 0);
}

}  // namespace bitactor::internal
