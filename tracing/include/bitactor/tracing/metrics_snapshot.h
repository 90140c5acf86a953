// What all metrics were at one moment, as plain data: from a registry to the exporters.
#ifndef BITACTOR_TRACING_METRICS_SNAPSHOT_H_
#define BITACTOR_TRACING_METRICS_SNAPSHOT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bitactor {

enum class MetricKind : uint8_t {
  kCounter = 1,    // a sum since the start that never falls
  kGauge = 2,      // a value that goes up and down
  kHistogram = 3,  // counts of values by size, since the start
};

// One value that was measured, and the span it was measured in.
struct MetricExemplar {
  double value = 0;
  uint64_t time_unix_ns = 0;
  uint64_t trace = 0;  // SpanRecord::trace; 0: none
  uint64_t span = 0;   // SpanRecord::span; 0: none
};

struct HistogramValue {
  uint64_t count = 0;
  double sum = 0;
  double min = 0;  // of all values; 0 when there are none
  double max = 0;
  // Ascending and finite. counts[i] are the values in (bounds[i - 1], bounds[i]]; the last are those
  // above all bounds. Not cumulative: they add up to `count`.
  std::vector<double> bounds = {};
  std::vector<uint64_t> counts = {};  // bounds.size() + 1
};

// One series of a metric.
struct MetricPoint {
  std::vector<std::pair<std::string, std::string>> labels =
      {};  // name and value, by ascending name
  // A histogram's is a HistogramValue; others have one of the two numbers.
  std::variant<int64_t, double, HistogramValue> value = int64_t{0};
  std::vector<MetricExemplar> exemplars = {};
};

struct MetricFamily {
  std::string name = {};  // of Prometheus' rules, without the suffix _total
  std::string help = {};
  std::string unit = {};  // "ns", "bytes", "1"; empty: none
  MetricKind kind = MetricKind::kGauge;
  std::vector<MetricPoint> points = {};
};

// Times are ns since 1970.
struct MetricsSnapshot {
  uint64_t start_unix_ns = 0;               // from when counters and histograms count
  uint64_t time_unix_ns = 0;                // when it was taken
  std::vector<MetricFamily> families = {};  // by ascending name
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_METRICS_SNAPSHOT_H_
