// The last spans of one thread.
#ifndef BITACTOR_TRACING_SPAN_RING_H_
#define BITACTOR_TRACING_SPAN_RING_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/tracing/span.h"

namespace bitactor {

// Order: recording order.
// Threads: one, its owner; another one may read it once the owner has stopped (joined), or on a
//   task that the owner runs.
// Progress: wait-free.
// Bounds: the last `capacity` spans; older ones are overwritten and counted as dropped.
// Ownership: records are copied in and out.
// Errors: none.
// Cost: Record() is one 64-byte store, 2 to 4 ns; all memory is there and touched from the start.
class SpanRing {
 public:
  static constexpr size_t kDefaultCapacity = 65536;

  // REQUIRES: capacity is a power of two.
  explicit SpanRing(size_t capacity = kDefaultCapacity)
      : mask_(capacity - 1), records_(std::make_unique<SpanRecord[]>(capacity)) {
    BITACTOR_CHECK(std::has_single_bit(capacity));
  }

  // The place of the next span, to be filled in now, every field: it may hold an older span. Filled
  // in place and not copied: wide loads from fields that were just stored one by one would wait for
  // the stores.
  SpanRecord& Next() { return records_[recorded_++ & mask_]; }
  void Record(const SpanRecord& record) { Next() = record; }
  // The `nth` latest span, 1 the last, for what is known only later. REQUIRES: 1 <= nth <=
  // recorded().
  SpanRecord& Latest(uint64_t nth) { return records_[(recorded_ - nth) & mask_]; }

  size_t capacity() const { return mask_ + 1; }
  // Spans recorded since the start.
  uint64_t recorded() const { return recorded_; }
  // Those of them that were overwritten.
  uint64_t dropped() const { return recorded_ > capacity() ? recorded_ - capacity() : 0; }

  // For readers that come again: copies spans from `position` on (0: the first ever recorded), oldest
  // first, at most out.size(), moves `position` behind them and returns how many they are. What lay
  // between and is overwritten is added to `overwritten`, so that over all reads
  //   position == copied + overwritten.
  // REQUIRES: position <= recorded().
  size_t ReadFrom(uint64_t& position, std::span<SpanRecord> out, uint64_t& overwritten) const {
    BITACTOR_CHECK(position <= recorded_);
    if (position < dropped()) {
      overwritten += dropped() - position;
      position = dropped();
    }
    const size_t count = std::min<uint64_t>(recorded_ - position, out.size());
    for (size_t i = 0; i < count; ++i) out[i] = records_[(position + i) & mask_];
    position += count;
    return count;
  }

  // What is there, oldest first. Allocates.
  std::vector<SpanRecord> Snapshot() const {
    std::vector<SpanRecord> spans;
    spans.reserve(std::min<uint64_t>(recorded_, capacity()));
    for (uint64_t i = dropped(); i < recorded_; ++i) spans.push_back(records_[i & mask_]);
    return spans;
  }

 private:
  const size_t mask_;
  const std::unique_ptr<SpanRecord[]> records_;
  uint64_t recorded_ = 0;
};

// How far a reader of several rings has come.
struct SpanCursor {
  std::vector<uint64_t> positions;  // by ring; rings that are not here begin at 0
  uint64_t overwritten = 0;         // spans that were gone before they could be read
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_SPAN_RING_H_
