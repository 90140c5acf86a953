// The metrics of a program: what it counts, by name and labels, and how exporters get all of it.
#ifndef BITACTOR_TRACING_METRICS_H_
#define BITACTOR_TRACING_METRICS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/tracing/latency_histogram.h"
#include "bitactor/tracing/metric_cells.h"
#include "bitactor/tracing/metrics_snapshot.h"

namespace bitactor {

struct MetricOptions {
  // Letters, digits, '_' and ':', no digit first; without the endings that exporters add (_total,
  // _bucket, _count, _sum, _created), and with the unit at its end if there is one.
  std::string name = {};
  std::string help = {};                 // one sentence for who reads it in five years; not empty
  std::string unit = {};                 // a word as in names: "seconds", "bytes"; empty: none
  std::vector<std::string> labels = {};  // names; letters, digits and '_', at most 16
  // Label sets that have a series of their own, 1 to 100,000. All others share one series, whose
  // labels are "_other".
  size_t max_series = 1000;
  // Of a histogram: what is shown is a recorded value times `scale`, in buckets with these upper ends
  // (finite, ascending, at most 64). Empty: LatencyBounds().
  double scale = 1;
  std::vector<double> bounds = {};
};

// 100 ns to 10 s in seconds, three a decade.
std::vector<double> LatencyBounds();

// What exporters show of a histogram, of which a value is in the bucket that its upper end is in: never
// understated, by 1/32 at most. The sum is taken from the middles of the buckets.
HistogramValue ToHistogramValue(const LatencyHistogram& histogram, std::span<const double> bounds,
                                double scale);

namespace internal {
class MetricTable;
class ProvidedTable;
template <typename Cell>
class CellTable;
}  // namespace internal

// One family's cells. A handle: copyable, refers to its registry.
template <typename Cell>
class MetricCells {
 public:
  // The cell of these label values, in the order of MetricOptions::labels, for one writer: threads
  // that write at the same time name different writers, 0 to 255; shown is the sum of all. Made at its
  // first call; takes a lock, so keep what you get: it stays for good. REQUIRES: as many values as
  // labels.
  Cell& Of(std::initializer_list<std::string_view> values, uint32_t writer = 0) const;

 private:
  friend class MetricsRegistry;
  explicit MetricCells(internal::CellTable<Cell>* table) : table_(table) {}

  internal::CellTable<Cell>* table_;
};

// What a provider tells of its families, at one collection.
class MetricsSink {
 public:
  // `family`: its number in the call of AddProvider(). `values` as in MetricCells::Of(). A point that
  // is there twice, or does not fit its family's kind or labels, is left out and counted.
  void Put(size_t family, std::initializer_list<std::string_view> values, uint64_t value);
  void Put(size_t family, std::initializer_list<std::string_view> values, double value);
  // Exemplars' values are as recorded, before `scale`.
  void Put(size_t family, std::initializer_list<std::string_view> values,
           const LatencyHistogram& histogram, std::vector<MetricExemplar> exemplars = {});

 private:
  friend class MetricsRegistry;
  explicit MetricsSink(std::span<internal::ProvidedTable* const> tables) : tables_(tables) {}
  // nullptr: such a point does not fit the family.
  internal::ProvidedTable* TableOf(size_t family, size_t values, bool histogram);

  std::span<internal::ProvidedTable* const> tables_;
};

// Threads: all methods, any; Collect() one after the other.
// Bounds: max_series + 1 series a family, and 256 cells in each; a histogram's cell has 18 KiB.
// Ownership: cells and handles live as long as it does. What a provider reads must outlive the last
//   Collect().
// Errors: kInvalidArgument names the family and the rule; kAlreadyExists: a name that somebody has.
//   What is left out or shares a series for want of room is counted in bitactor_metrics_refused.
// Cost: Collect() takes about 0.3 us a series.
class MetricsRegistry {
 public:
  // From when it counts, ns since 1970.
  explicit MetricsRegistry(uint64_t start_unix_ns);
  ~MetricsRegistry();

  absl::StatusOr<MetricCells<CounterCell>> AddCounters(MetricOptions options);
  absl::StatusOr<MetricCells<GaugeCell>> AddGauges(MetricOptions options);
  absl::StatusOr<MetricCells<HistogramCell>> AddHistograms(MetricOptions options);

  struct Declaration {
    MetricKind kind = MetricKind::kGauge;
    MetricOptions options;
  };
  // `provide` is called at every Collect(), on its thread, and tells of these families. All or none
  // of them are added.
  absl::Status AddProvider(std::vector<Declaration> families,
                           std::function<void(MetricsSink&)> provide);

  // Families by name, points by label values.
  MetricsSnapshot Collect(uint64_t now_unix_ns);

 private:
  struct Provider {
    std::vector<internal::ProvidedTable*> tables;
    std::function<void(MetricsSink&)> provide;
  };

  absl::Status Check(MetricKind kind, const MetricOptions& options) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Cell>
  absl::StatusOr<MetricCells<Cell>> Add(MetricKind kind, MetricOptions options);

  const uint64_t start_unix_ns_;
  // Relaxed: a statistic.
  std::atomic<uint64_t> refused_{0};
  Mutex collect_mutex_;  // held while providers tell; before mutex_
  mutable Mutex mutex_;
  absl::btree_map<std::string, std::unique_ptr<internal::MetricTable>> tables_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const Provider>> providers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_METRICS_H_
