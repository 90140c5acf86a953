// How a counter is compared with a reference clock, and what follows for the time it shows.
#ifndef BITACTOR_L1_CORE_CLOCK_CALIBRATION_H_
#define BITACTOR_L1_CORE_CLOCK_CALIBRATION_H_

#include <cstdint>

#include "bitactor/l1_core/clock_lines.h"

namespace bitactor {

// How a clock and its reference have agreed so far. Positive: the clock is ahead.
struct ClockDrift {
  uint64_t rechecks = 0;
  int64_t off_ns = 0;          // at the last recheck
  uint64_t worst_off_ns = 0;   // at any, ahead or behind
  double ppm = 0;              // how wrong the rate was between the last two
  uint64_t baseline_ns = 0;    // time over which the present rate was measured
  uint64_t unsure = 0;         // rechecks given up: the two could not be read close together
  uint64_t steps = 0;          // the counter or the reference jumped (a machine suspended or moved)
  uint64_t steps_forward = 0;  // times that the clock was behind by so much that it was set forward
  bool fell_back = false;      // the counter ran backwards: the reference is read in its place
};

}  // namespace bitactor

namespace bitactor::internal {

// Both clocks at one moment.
struct ClockReading {
  uint64_t cycles = 0;
  uint64_t ns = 0;
};

// The arithmetic of TickClock::Recheck(): takes readings, yields the line to be published.
//
//   C1  A line starts kLeadNs after the reading it follows from, at the time that the line before
//       it shows there, or later: time never steps back.
//   C2  Ahead or a little behind: the next line's rate is off the measured one by as much as brings
//       the two together until the next reading, if that comes after as long as this one did; by at
//       most kSlewPpmMax, which is also the most that is lost when no reading comes any more.
//   C3  Behind by more than kForwardNs: the next line starts at the reference.
//   C4  A rate is measured over a baseline that grows up to twice kBaselineNs and begins anew after
//       a step: a difference that no honest rate explains.
//
// Threads: one at a time.
// Errors: a counter that ran backwards is kBackwards, and nothing else has changed.
class ClockCalibration {
 public:
  enum class Outcome : uint8_t {
    kLine,       // publish the line
    kBackwards,  // stop reading this counter
  };

  static constexpr uint64_t kLeadNs = 10'000'000;
  static constexpr double kSlewPpmMax = 100;
  static constexpr int64_t kForwardNs = 1'000'000;
  static constexpr uint64_t kBaselineNs = uint64_t{1} << 39;  // nine minutes
  // A counter that is less than this before an earlier reading was read on another core.
  static constexpr uint64_t kSkewNs = 100'000;

  ClockCalibration() = default;
  ClockCalibration(const ClockReading& first, double ns_per_cycle)
      : base_(first), middle_(first), last_(first), ns_per_cycle_(ns_per_cycle) {}

  double ns_per_cycle() const { return ns_per_cycle_; }
  const ClockReading& last() const { return last_; }
  const ClockDrift& drift() const { return drift_; }

  // The line that starts the clock.
  ClockLine FirstLine() const;
  // Whether `cycles` is before the last reading by more than what two cores may differ.
  bool RanBackwards(uint64_t cycles) const;

  // Compares; `lines` says what the clock shows.
  Outcome Take(const ClockReading& now, const ClockLines& lines, ClockLine* next);
  // The counter is not read any more: from now on cycles are made from the reference, at the rate
  // measured last, going on where the counter would be. Returns the line for them; their start is
  // last().
  ClockLine FallBack(uint64_t reference_ns, const ClockLines& lines);

  void NoteUnsure() { ++drift_.unsure; }

 private:
  void MeasureRate(const ClockReading& now);
  ClockLine LineFrom(const ClockReading& start, int64_t off_ns, uint64_t shown_ns, double slew_ppm);

  ClockReading base_;    // the baseline begins here
  ClockReading middle_;  // and here, once it is twice kBaselineNs long
  ClockReading last_;
  double ns_per_cycle_ = 1;
  double suspect_rate_ = 0;  // of the last interval, when no honest rate explained it
  ClockDrift drift_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_CLOCK_CALIBRATION_H_
