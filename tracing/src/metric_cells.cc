#include "bitactor/tracing/metric_cells.h"

namespace bitactor {

void HistogramCell::Record(uint64_t value, uint64_t time_unix_ns, uint64_t trace, uint64_t span) {
  Record(value);
  Exemplar& exemplar = exemplars_[static_cast<size_t>(std::bit_width(value))];
  // Relaxed: the writer reads its own store.
  const uint64_t version = exemplar.version.load(std::memory_order_relaxed);
  // Relaxed: each word's store orders it before that word.
  exemplar.version.store(version + 1, std::memory_order_relaxed);
  const uint64_t words[] = {value, time_unix_ns, trace, span};
  for (size_t i = 0; i < exemplar.words.size(); ++i) {
    // SYNC(exemplar-words): pairs with AppendExemplars(); who reads this word sees the odd version
    // (E1).
    exemplar.words[i].store(words[i], std::memory_order_release);
  }
  // SYNC(exemplar-version): pairs with AppendExemplars(); the words are there before it.
  exemplar.version.store(version + 2, std::memory_order_release);
}

void HistogramCell::AddTo(Reading& reading) const {
  uint64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    // SYNC(histogram-count): pairs with Record().
    const uint64_t in_bucket = counts_[i].load(std::memory_order_acquire);
    reading.counts[i] += in_bucket;
    count += in_bucket;
  }
  if (count == 0) return;
  // Relaxed, here and below: statistics.
  const uint64_t min = min_.load(std::memory_order_relaxed);
  const uint64_t max = max_.load(std::memory_order_relaxed);
  if (reading.count == 0 || min < reading.min) reading.min = min;
  if (reading.count == 0 || max > reading.max) reading.max = max;
  reading.count += count;
  reading.sum += static_cast<double>(sum_.load(std::memory_order_relaxed));
}

void HistogramCell::AppendExemplars(std::vector<MetricExemplar>& exemplars) const {
  for (const Exemplar& exemplar : exemplars_) {
    // SYNC(exemplar-version): pairs with Record().
    const uint64_t version = exemplar.version.load(std::memory_order_acquire);
    if (version == 0 || version % 2 != 0) continue;
    uint64_t words[4];
    for (size_t i = 0; i < exemplar.words.size(); ++i) {
      // SYNC(exemplar-words): pairs with Record().
      words[i] = exemplar.words[i].load(std::memory_order_acquire);
    }
    // Relaxed: if a word came from a later exemplar, its acquire has made the odd version seen (E1).
    if (exemplar.version.load(std::memory_order_relaxed) != version) continue;
    exemplars.push_back({static_cast<double>(words[0]), words[1], words[2], words[3]});
  }
}

}  // namespace bitactor
