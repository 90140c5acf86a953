#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/engine.h"

namespace bitactor {
namespace {

double Percent(uint64_t part, uint64_t whole) {
  return whole != 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string KindLine(SignalKind kind, const DispatchTable::Entry& entry,
                     const DispatchMeter& meter) {
  if (entry.route.Get() == DispatchTable::Route::kIgnore) {
    return absl::StrFormat("  kind %d: %d ignored\n", kind, entry.bypassed_ignored);
  }
  return absl::StrFormat(
      "  kind %d: %d dispatched, %d unchanged; %.2f ticks a dispatch, worst %d; %d overruns, %d "
      "suspected, %d faults\n",
      kind, entry.stats.dispatches, entry.bypassed_unchanged, meter.MeanTicks(entry.stats),
      entry.stats.worst_ticks, entry.stats.overruns, entry.stats.suspected, entry.faults);
}

}  // namespace

EngineCounters Engine::counters() const {
  EngineCounters sum;
  sum.refused_full = queue_.refused();
  // Relaxed: a statistic.
  sum.refused_unknown_kind = refused_unknown_kind_.load(std::memory_order_relaxed);
  sum.refused_registrations = refused_registrations_;
  for (size_t kind = 0; kind < table_.kinds(); ++kind) {
    const DispatchTable::Entry& entry = table_.At(static_cast<SignalKind>(kind));
    sum.dispatched += entry.stats.dispatches;
    sum.overruns += entry.stats.overruns;
    sum.bypassed_unchanged += entry.bypassed_unchanged;
    sum.bypassed_ignored += entry.bypassed_ignored;
    sum.faults += entry.faults;
    sum.exonerated += entry.exonerated;
    sum.unregistered += entry.unregistered;
  }
  sum.suspicions = meter_.suspicions();
  sum.pushed = queue_.tail();
  sum.set_aside = set_aside_.size();
  sum.queued = sum.pushed - queue_.head() + sum.set_aside;
  return sum;
}

std::string Engine::Report() const {
  const EngineCounters sum = counters();
  const uint64_t bypassed = sum.bypassed_unchanged + sum.bypassed_ignored;
  const uint64_t resolved = sum.dispatched + bypassed;
  double ticks = 0;
  std::string kinds;
  for (size_t i = 0; i < table_.kinds(); ++i) {
    const auto kind = static_cast<SignalKind>(i);
    if (!table_.Knows(kind)) continue;
    ticks += meter().TicksIn(table_.At(kind).stats.cycles);
    kinds += KindLine(kind, table_.At(kind), meter());
  }
  std::string report = absl::StrFormat(
      "%d signals pushed: %d dispatched, %d bypassed (%.1f %%: %d unchanged, %d ignored), %d "
      "queued\n"
      "refused: %d full, %d of unknown kind\n"
      "%.2f ticks a signal, budget %d ticks: %d overruns, %d batches suspected, %d faults\n",
      sum.pushed, sum.dispatched, bypassed, Percent(bypassed, resolved), sum.bypassed_unchanged,
      sum.bypassed_ignored, sum.queued, sum.refused_full, sum.refused_unknown_kind,
      resolved != 0 ? ticks / static_cast<double>(resolved) : 0.0, meter().budget().count(),
      sum.overruns, sum.suspicions, sum.faults);
  if (sum.refused_registrations != 0) {
    absl::StrAppend(&report, sum.refused_registrations,
                    " registrations refused: look at the results of On() and Ignore()\n");
  }
  return report + kinds;
}

}  // namespace bitactor
