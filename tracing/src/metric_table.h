// One family inside a registry: its series, however they come.
#ifndef BITACTOR_TRACING_SRC_METRIC_TABLE_H_
#define BITACTOR_TRACING_SRC_METRIC_TABLE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/tracing/metrics.h"

namespace bitactor::internal {

inline constexpr uint32_t kMaxMetricWriters = 256;
inline constexpr size_t kMaxLabelValueBytes = 256;

HistogramValue ShownHistogram(const HistogramCell::Reading& reading, std::span<const double> bounds,
                              double scale);
// Into another series of the same family.
void AddTo(MetricPoint& point, const MetricPoint& more);

// The values of a series' labels, in the order of MetricOptions::labels.
using LabelValues = std::vector<std::string>;
// Each cut behind kMaxLabelValueBytes, and what is no UTF-8 replaced by U+FFFD: one bad byte, and a
// collector refuses all of the metrics.
LabelValues ToLabelValues(std::initializer_list<std::string_view> values);

class MetricTable {
 public:
  MetricTable(MetricKind kind, MetricOptions options, std::atomic<uint64_t>* refused);
  virtual ~MetricTable() = default;

  const MetricOptions& options() const { return options_; }
  MetricKind kind() const { return kind_; }
  virtual std::vector<MetricPoint> Points() = 0;

  // Relaxed: a statistic.
  void Refuse() { refused_->fetch_add(1, std::memory_order_relaxed); }

 protected:
  // `values` themselves if there is a series of them or room for one; else those of the common one.
  template <typename Series>
  LabelValues Admit(LabelValues values, const Series& series) {
    if (series.contains(values)) return values;
    // The common series is beyond the limit.
    const LabelValues common = Common();
    const size_t own = series.size() - (series.contains(common) ? 1 : 0);
    if (own < options_.max_series || options_.labels.empty()) return values;
    Refuse();
    return common;
  }
  LabelValues Common() const { return LabelValues(options_.labels.size(), "_other"); }
  std::vector<std::pair<std::string, std::string>> Labels(const LabelValues& values) const;

 private:
  const MetricKind kind_;
  const MetricOptions options_;
  std::vector<size_t> by_name_;  // indices of labels, by their ascending names
  std::atomic<uint64_t>* const refused_;
};

// A family that its program counts.
template <typename Cell>
class CellTable final : public MetricTable {
 public:
  using MetricTable::MetricTable;

  Cell& Of(std::initializer_list<std::string_view> values, uint32_t writer) {
    BITACTOR_CHECK_EQ(values.size(), options().labels.size());
    BITACTOR_CHECK_LT(writer, kMaxMetricWriters);
    MutexLock lock(&mutex_);
    std::unique_ptr<Cell>& cell = series_[Admit(ToLabelValues(values), series_)][writer];
    if (cell == nullptr) cell = std::make_unique<Cell>();
    return *cell;
  }
  std::vector<MetricPoint> Points() override;

 private:
  using Writers = absl::btree_map<uint32_t, std::unique_ptr<Cell>>;

  Mutex mutex_;
  absl::btree_map<LabelValues, Writers> series_ ABSL_GUARDED_BY(mutex_);
};

// A family that a provider tells of, anew at each collection. Used under the registry's collection
// lock.
class ProvidedTable final : public MetricTable {
 public:
  using MetricTable::MetricTable;

  void Put(std::initializer_list<std::string_view> values, MetricPoint point);
  // Gives away what was put.
  std::vector<MetricPoint> Points() override;

 private:
  absl::btree_map<LabelValues, MetricPoint> series_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_SRC_METRIC_TABLE_H_
