// Ticks, budgets, and the meter that charges a dispatch to its handler.
#ifndef BITACTOR_L1_CORE_TICKS_H_
#define BITACTOR_L1_CORE_TICKS_H_

#include <algorithm>
#include <compare>
#include <cstdint>

#include "bitactor/l1_core/tick_clock.h"

namespace bitactor {

// A number of ticks, the unit of handler time.
class Ticks {
 public:
  constexpr Ticks() = default;
  constexpr explicit Ticks(uint64_t count) : count_(count) {}
  constexpr uint64_t count() const { return count_; }
  friend constexpr auto operator<=>(const Ticks&, const Ticks&) = default;

 private:
  uint64_t count_ = 0;
};

struct TickConfig {
  uint64_t tick_ns = 100;  // length of a tick, 1 to 1,000,000,000
};

// What the dispatches of one handler have cost. Written by BatchMeter on the handler's thread,
// which alone may read it. Dispatches that were metered together count with their mean.
struct HandlerStats {
  uint64_t dispatches = 0;
  uint64_t cycles = 0;       // of the clock, all dispatches together; DispatchMeter reads them
  uint64_t overruns = 0;     // dispatches over budget
  uint64_t suspected = 0;    // dispatches in a batch over budget, whose culprit is unknown
  uint64_t worst_ticks = 0;  // of one dispatch, started ticks included; of no suspected one
  // A dispatch of more cycles is either the worst so far or over budget: all others skip both
  // questions.
  uint64_t notable_cycles = 0;
};

// Charges cycles to a handler and compares them with the budget of a dispatch.
//
// Threads: one.
// Errors: none.
// Cost: a subtraction, two additions and one predicted branch, about 1 ns.
class DispatchMeter {
 public:
  // Keeps the calibration of `clock`, not the clock. REQUIRES: ticks.tick_ns in its range,
  // budget of 1 to 1,000,000,000 ticks.
  DispatchMeter(const TickClock& clock, TickConfig ticks, Ticks budget);

  Ticks budget() const { return budget_; }
  uint64_t budget_cycles() const { return budget_cycles_; }

  bool IsOver(uint64_t used_cycles) const { return used_cycles > budget_cycles_; }

  // Dispatches that used so many cycles each. Returns whether that is more than the budget.
  bool Charge(HandlerStats& stats, uint64_t dispatches, uint64_t used_cycles) const {
    stats.dispatches += dispatches;
    stats.cycles += dispatches * used_cycles;
    if (used_cycles <= stats.notable_cycles) [[likely]]
      return false;
    return ChargeNotable(stats, dispatches, used_cycles);
  }
  // Dispatches that shared a batch over budget, where the batch's mean was so many cycles.
  void ChargeSuspected(HandlerStats& stats, uint64_t dispatches, uint64_t mean_cycles) const {
    stats.dispatches += dispatches;
    stats.suspected += dispatches;
    stats.cycles += dispatches * mean_cycles;
  }

  // Ticks begun in so many cycles; more than the budget exactly when the cycles are.
  Ticks TicksBegun(uint64_t cycles) const;
  // The mean over all dispatches; 0 without any.
  double MeanTicks(const HandlerStats& stats) const;
  // Fractional ticks in so many cycles.
  double TicksIn(uint64_t cycles) const { return static_cast<double>(cycles) * ticks_per_cycle_; }

 private:
  bool ChargeNotable(HandlerStats& stats, uint64_t dispatches, uint64_t used_cycles) const;

  Ticks budget_;
  uint64_t budget_cycles_;
  double ticks_per_cycle_;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_TICKS_H_
