#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/engine.h"

namespace bitactor {
namespace {

double Percent(uint64_t part, uint64_t whole) {
  return whole != 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// "3 unchanged, 1 sampled": the causes that there were.
std::string Causes(const BypassCounts& bypassed) {
  std::string causes;
  for (size_t i = 0; i < kBypassCauses; ++i) {
    const auto cause = static_cast<Bypass>(i);
    if (bypassed[cause] == 0) continue;
    absl::StrAppend(&causes, causes.empty() ? "" : ", ", bypassed[cause], " ", BypassName(cause));
  }
  return causes;
}

std::string KindLine(SignalKind kind, const DispatchTable::Entry& entry,
                     const DispatchMeter& meter) {
  if (entry.route.Get() == DispatchTable::Route::kBypass) {
    return absl::StrFormat("  kind %d: %d %s\n", kind, entry.bypassed[entry.always],
                           BypassName(entry.always));
  }
  const std::string causes = Causes(entry.bypassed);
  return absl::StrFormat(
      "  kind %d: %d dispatched%s%s; %.2f ticks a dispatch, worst %d; %d overruns, %d "
      "exonerated, %d suspected, %d faults\n",
      kind, entry.stats.dispatches, causes.empty() ? "" : ", ", causes,
      meter.MeanTicks(entry.stats), entry.stats.worst_ticks, entry.stats.overruns, entry.exonerated,
      entry.stats.suspected, entry.faults);
}

}  // namespace

EngineCounters Engine::counters() const {
  EngineCounters sum;
  sum.refused_full = queue_.refused();
  sum.refused_bad_size = queue_.refused_bad_size();
  // Relaxed: a statistic.
  sum.refused_unknown_kind = refused_unknown_kind_.load(std::memory_order_relaxed);
  sum.refused_registrations = refused_registrations_;
  for (size_t kind = 0; kind < table_.kinds(); ++kind) {
    const DispatchTable::Entry& entry = table_.At(static_cast<SignalKind>(kind));
    sum.dispatched += entry.stats.dispatches;
    sum.overruns += entry.stats.overruns;
    sum.bypassed += entry.bypassed;
    sum.faults += entry.faults;
    sum.exonerated += entry.exonerated;
    sum.unregistered += entry.unregistered;
  }
  sum.suspicions = meter_.suspicions();
  sum.pushed = queue_.pushed();
  sum.set_aside = set_aside_.size();
  sum.queued = queue_.pushed() - queue_.head() + sum.set_aside;
  for (size_t i = 0; inlet_ != nullptr && i < kSignalPriorities; ++i) {
    const MpscSignalQueue& queue = inlet_->At(static_cast<SignalPriority>(i));
    sum.pushed += queue.pushed();
    sum.queued += queue.pushed() - queue.head();
    sum.refused_full += queue.refused();
    sum.refused_bad_size += queue.refused_bad_size();
  }
  // Relaxed: a statistic. These were resolved at the door.
  sum.bypassed[Bypass::kUnhandled] = bypassed_unhandled_.load(std::memory_order_relaxed);
  sum.pushed += sum.bypassed[Bypass::kUnhandled];
  return sum;
}

std::string Engine::Report() const {
  const EngineCounters sum = counters();
  const uint64_t bypassed = sum.bypassed.total();
  const std::string causes = Causes(sum.bypassed);
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
      "%d signals pushed: %d dispatched, %d bypassed (%.1f %%%s%s), %d queued\n"
      "refused: %d full, %d of unknown kind, %d of bad size\n"
      "%.2f ticks a signal, budget %d ticks: %d overruns, %d exonerated, %d batches suspected, %d "
      "faults\n",
      sum.pushed, sum.dispatched, bypassed, Percent(bypassed, resolved), causes.empty() ? "" : ": ",
      causes, sum.queued, sum.refused_full, sum.refused_unknown_kind, sum.refused_bad_size,
      resolved != 0 ? ticks / static_cast<double>(resolved) : 0.0, meter().budget().count(),
      sum.overruns, sum.exonerated, sum.suspicions, sum.faults);
  if (sum.refused_registrations != 0) {
    absl::StrAppend(&report, sum.refused_registrations,
                    " registrations refused: look at the results of On() and Ignore()\n");
  }
  return report + kinds;
}

}  // namespace bitactor
