// Counts of latencies in fixed memory, to 3.2 % of each value.
#ifndef BITACTOR_TRACING_LATENCY_HISTOGRAM_H_
#define BITACTOR_TRACING_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace bitactor {

// Log-linear: values below 32 ns have a bucket each; above, every power of two is cut into 32.
//
// Threads: one at a time.
// Bounds: 15 KiB inside the object, no allocation; any 64-bit value has its bucket.
// Errors: none.
// Cost: Record() is a bit scan, a shift and four stores; Percentile() a walk.
class LatencyHistogram {
 public:
  static constexpr unsigned kPartBits = 5;
  static constexpr size_t kParts = size_t{1} << kPartBits;
  static constexpr size_t kBuckets = (64 - kPartBits + 1) * kParts;

  static constexpr size_t BucketOf(uint64_t value) {
    if (value < kParts) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - (kPartBits + 1);
    return shift * kParts + (value >> shift);
  }
  // The largest value of the bucket.
  static constexpr uint64_t UpperEndOf(size_t bucket) {
    if (bucket < 2 * kParts) return bucket;
    const size_t shift = bucket / kParts - 1;
    const uint64_t low = uint64_t{bucket % kParts + kParts} << shift;
    return low + ((uint64_t{1} << shift) - 1);
  }

  void Record(uint64_t value_ns) {
    ++counts_[BucketOf(value_ns)];
    ++count_;
    min_ns_ = std::min(min_ns_, value_ns);
    max_ns_ = std::max(max_ns_, value_ns);
  }

  void Merge(const LatencyHistogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    min_ns_ = std::min(min_ns_, other.min_ns_);
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  uint64_t count() const { return count_; }
  // Exact; 0 when nothing was recorded.
  uint64_t min_ns() const { return count_ != 0 ? min_ns_ : 0; }
  uint64_t max_ns() const { return max_ns_; }

  // The smallest latency that at least `percent` (0 to 100) of all values do not exceed, never
  // understated: the upper end of its bucket, at most the maximum. 0 when nothing was recorded.
  uint64_t Percentile(double percent) const {
    if (count_ == 0) return 0;
    const double wanted = percent / 100.0 * static_cast<double>(count_);
    uint64_t rank = wanted >= static_cast<double>(count_) ? count_
                    : wanted > 0                          ? static_cast<uint64_t>(wanted)
                                                          : 0;
    if (static_cast<double>(rank) < wanted) ++rank;
    if (rank <= 1) return min_ns_;
    uint64_t seen = 0;
    size_t bucket = 0;
    while ((seen += counts_[bucket]) < rank) ++bucket;
    return std::min(UpperEndOf(bucket), max_ns_);
  }

  // By bucket.
  std::span<const uint64_t, kBuckets> counts() const { return counts_; }

 private:
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t min_ns_ = std::numeric_limits<uint64_t>::max();
  uint64_t max_ns_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_LATENCY_HISTOGRAM_H_
