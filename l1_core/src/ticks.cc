#include "bitactor/l1_core/ticks.h"

#include "bitactor/l1_core/check.h"

namespace bitactor {
namespace {

constexpr uint64_t kMaxTickNs = 1'000'000'000;
constexpr uint64_t kMaxBudgetTicks = 1'000'000'000;

}  // namespace

DispatchMeter::DispatchMeter(const TickClock& clock, TickConfig ticks, Ticks budget)
    : budget_(budget) {
  BITACTOR_CHECK_LE(uint64_t{1}, ticks.tick_ns);
  BITACTOR_CHECK_LE(ticks.tick_ns, kMaxTickNs);
  BITACTOR_CHECK_LE(uint64_t{1}, budget.count());
  BITACTOR_CHECK_LE(budget.count(), kMaxBudgetTicks);
  budget_cycles_ = clock.CyclesIn(budget.count() * ticks.tick_ns);
  ticks_per_cycle_ = 1e9 / (clock.hertz() * static_cast<double>(ticks.tick_ns));
}

Ticks DispatchMeter::TicksBegun(uint64_t cycles) const {
  const double exact = TicksIn(cycles);
  auto begun = static_cast<uint64_t>(exact);
  if (static_cast<double>(begun) < exact) ++begun;
  // Rounding must not let an overrun look as if it had kept the budget, nor the reverse.
  if (cycles > budget_cycles_) return Ticks(std::max(begun, budget_.count() + 1));
  return Ticks(std::min(begun, budget_.count()));
}

double DispatchMeter::MeanTicks(const HandlerStats& stats) const {
  if (stats.dispatches == 0) return 0;
  return TicksIn(stats.cycles) / static_cast<double>(stats.dispatches);
}

bool DispatchMeter::ChargeNotable(HandlerStats& stats, uint64_t dispatches,
                                  uint64_t used_cycles) const {
  stats.worst_ticks = std::max(stats.worst_ticks, TicksBegun(used_cycles).count());
  // Below the budget only a new worst is notable, above it every dispatch.
  stats.notable_cycles = std::min(std::max(stats.notable_cycles, used_cycles), budget_cycles_);
  if (used_cycles <= budget_cycles_) return false;
  stats.overruns += dispatches;
  return true;
}

}  // namespace bitactor
