// Where a program counts: cells with one writer each, read while they are written.
#ifndef BITACTOR_TRACING_METRIC_CELLS_H_
#define BITACTOR_TRACING_METRIC_CELLS_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitactor/tracing/latency_histogram.h"
#include "bitactor/tracing/metrics_snapshot.h"

namespace bitactor {

// Threads: one writer at a time, any number of readers, of all three cells.
// Progress: wait-free for the writer.
// Cost: a load and a store of the writer's own cache line.
class CounterCell {
 public:
  void Add(uint64_t n = 1) {
    // Relaxed: a statistic; the writer reads its own store.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Relaxed: as Add().
  uint64_t Read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class GaugeCell {
 public:
  // Relaxed: a statistic.
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  // Relaxed: as Set().
  double Read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// A LatencyHistogram that others read meanwhile, with the last exemplar of each power of two.
//
// Bounds: 18 KiB inside the object, no allocation.
// Cost: Record() is a bit scan, four loads and at most four stores; an exemplar six more stores.
//
//   E1  An exemplar's version is odd while its words are written; who reads a word of a later
//       exemplar sees its version when it looks again, and discards what it read.
class HistogramCell {
 public:
  void Record(uint64_t value);
  // `time_unix_ns`, `trace` and `span` say where the value was measured.
  void Record(uint64_t value, uint64_t time_unix_ns, uint64_t trace, uint64_t span);

  struct Reading {
    std::array<uint64_t, LatencyHistogram::kBuckets> counts{};
    uint64_t count = 0;
    double sum = 0;
    uint64_t min = 0;  // of count > 0
    uint64_t max = 0;
  };
  // Adds what was recorded. The count is that of the buckets; sum, minimum and maximum may know of a
  // value that is being recorded.
  void AddTo(Reading& reading) const;
  // Each whole, values as recorded.
  void AppendExemplars(std::vector<MetricExemplar>& exemplars) const;

 private:
  struct Exemplar {
    std::atomic<uint64_t> version{0};              // SYNC(exemplar-version)
    std::array<std::atomic<uint64_t>, 4> words{};  // value, time, trace, span; SYNC(exemplar-words)
  };

  std::array<std::atomic<uint64_t>, LatencyHistogram::kBuckets> counts_{};  // SYNC(histogram-count)
  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> min_{~uint64_t{0}};
  std::atomic<uint64_t> max_{0};
  std::array<Exemplar, 65> exemplars_{};  // by std::bit_width of the value
};

inline void HistogramCell::Record(uint64_t value) {
  // Relaxed, but for the last: a statistic; the writer reads its own stores.
  if (value < min_.load(std::memory_order_relaxed)) min_.store(value, std::memory_order_relaxed);
  if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  std::atomic<uint64_t>& count = counts_[LatencyHistogram::BucketOf(value)];
  // SYNC(histogram-count): pairs with AddTo(); sum, minimum and maximum know of what is counted.
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace bitactor

#endif  // BITACTOR_TRACING_METRIC_CELLS_H_
