#include "metric_table.h"

#include <numeric>
#include <type_traits>

#include "utf8.h"

namespace bitactor {

std::vector<double> LatencyBounds() {
  return {1e-7,   2.5e-7, 5e-7, 1e-6,   2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3,
          2.5e-3, 5e-3,   1e-2, 2.5e-2, 5e-2,   0.1,  0.25, 0.5,    1,    2.5,  5,      10};
}

HistogramValue ToHistogramValue(const LatencyHistogram& histogram, std::span<const double> bounds,
                                double scale) {
  HistogramCell::Reading reading;
  std::copy(histogram.counts().begin(), histogram.counts().end(), reading.counts.begin());
  reading.count = histogram.count();
  reading.min = histogram.min_ns();
  reading.max = histogram.max_ns();
  for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    if (reading.counts[i] == 0) continue;
    const auto low = static_cast<double>(i == 0 ? 0 : LatencyHistogram::UpperEndOf(i - 1) + 1);
    const auto high = static_cast<double>(LatencyHistogram::UpperEndOf(i));
    reading.sum += static_cast<double>(reading.counts[i]) * (low + high) / 2;
  }
  return internal::ShownHistogram(reading, bounds, scale);
}

namespace internal {

HistogramValue ShownHistogram(const HistogramCell::Reading& reading, std::span<const double> bounds,
                              double scale) {
  HistogramValue shown;
  shown.count = reading.count;
  shown.sum = reading.sum * scale;
  shown.min = static_cast<double>(reading.min) * scale;
  shown.max = static_cast<double>(reading.max) * scale;
  shown.bounds.assign(bounds.begin(), bounds.end());
  shown.counts.assign(bounds.size() + 1, 0);
  size_t bound = 0;
  for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    if (reading.counts[i] == 0) continue;
    const uint64_t end =
        std::min(LatencyHistogram::UpperEndOf(i), std::max(reading.max, reading.min));
    // 1e-12: a value that equals a bound is in its bucket, whatever the product was rounded to.
    const double value = static_cast<double>(end) * scale * (1 - 1e-12);
    while (bound < bounds.size() && value > bounds[bound]) ++bound;
    shown.counts[bound] += reading.counts[i];
  }
  return shown;
}

void AddTo(MetricPoint& point, const MetricPoint& more) {
  std::visit(
      [&](auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, HistogramValue>) {
          const auto& other = std::get<HistogramValue>(more.value);
          if (other.count == 0) return;
          value.min = value.count == 0 ? other.min : std::min(value.min, other.min);
          value.max = value.count == 0 ? other.max : std::max(value.max, other.max);
          value.count += other.count;
          value.sum += other.sum;
          for (size_t i = 0; i < value.counts.size(); ++i) value.counts[i] += other.counts[i];
        } else if (const auto* whole = std::get_if<int64_t>(&more.value)) {
          value += static_cast<Value>(*whole);
        } else {
          value += static_cast<Value>(std::get<double>(more.value));
        }
      },
      point.value);
  point.exemplars.insert(point.exemplars.end(), more.exemplars.begin(), more.exemplars.end());
}

MetricTable::MetricTable(MetricKind kind, MetricOptions options, std::atomic<uint64_t>* refused)
    : kind_(kind),
      options_(std::move(options)),
      by_name_(options_.labels.size()),
      refused_(refused) {
  std::iota(by_name_.begin(), by_name_.end(), size_t{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [this](size_t a, size_t b) { return options_.labels[a] < options_.labels[b]; });
}

std::vector<std::pair<std::string, std::string>> MetricTable::Labels(
    const LabelValues& values) const {
  std::vector<std::pair<std::string, std::string>> labels;
  labels.reserve(values.size());
  for (const size_t i : by_name_) labels.emplace_back(options_.labels[i], values[i]);
  return labels;
}

LabelValues ToLabelValues(std::initializer_list<std::string_view> values) {
  LabelValues texts;
  texts.reserve(values.size());
  for (const std::string_view value : values) {
    std::string& text = texts.emplace_back();
    for (size_t i = 0; i < value.size() && text.size() < kMaxLabelValueBytes;) {
      const size_t bytes = Utf8CharacterBytes(value.substr(i));
      text += bytes != 0 ? value.substr(i, bytes) : kReplacementCharacter;
      i += std::max<size_t>(bytes, 1);
    }
  }
  return texts;
}

template <typename Cell>
std::vector<MetricPoint> CellTable<Cell>::Points() {
  MutexLock lock(&mutex_);
  std::vector<MetricPoint> points;
  points.reserve(series_.size());
  for (const auto& [values, writers] : series_) {
    MetricPoint& point = points.emplace_back();
    point.labels = Labels(values);
    if constexpr (std::is_same_v<Cell, HistogramCell>) {
      HistogramCell::Reading reading;
      for (const auto& [writer, cell] : writers) {
        cell->AddTo(reading);
        cell->AppendExemplars(point.exemplars);
      }
      for (MetricExemplar& exemplar : point.exemplars) exemplar.value *= options().scale;
      point.value = ShownHistogram(reading, options().bounds, options().scale);
    } else if constexpr (std::is_same_v<Cell, CounterCell>) {
      uint64_t sum = 0;
      for (const auto& [writer, cell] : writers) sum += cell->Read();
      point.value = static_cast<int64_t>(sum);
    } else {
      double sum = 0;
      for (const auto& [writer, cell] : writers) sum += cell->Read();
      point.value = sum;
    }
  }
  return points;
}

template class CellTable<CounterCell>;
template class CellTable<GaugeCell>;
template class CellTable<HistogramCell>;

void ProvidedTable::Put(std::initializer_list<std::string_view> values, MetricPoint point) {
  const LabelValues key = Admit(ToLabelValues(values), series_);
  point.labels = Labels(key);
  const auto [place, is_new] = series_.try_emplace(key);
  if (is_new) {
    place->second = std::move(point);
  } else if (!key.empty() && key == Common()) {
    AddTo(place->second, point);
  } else {
    Refuse();  // it was there before
  }
}

std::vector<MetricPoint> ProvidedTable::Points() {
  std::vector<MetricPoint> points;
  points.reserve(series_.size());
  for (auto& [values, point] : series_) points.push_back(std::move(point));
  series_.clear();
  return points;
}

}  // namespace internal
}  // namespace bitactor
