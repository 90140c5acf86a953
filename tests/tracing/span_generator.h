// Spans as a fabric would record them, from a seed.
#ifndef BITACTOR_TESTS_TRACING_SPAN_GENERATOR_H_
#define BITACTOR_TESTS_TRACING_SPAN_GENERATOR_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/tracing/span.h"

namespace bitactor::test {

inline constexpr uint64_t kBeginNs = 1'580'342'400'000'000'000;  // 2020-01-30

// `count` dispatches on three shards: roots from two ports, and messages sent within dispatches, of
// which every tenth lost its parent to the ring. Times have ties and overlaps of a nanosecond.
inline std::vector<SpanRecord> RandomSpans(std::mt19937_64& random, size_t count) {
  std::vector<SpanRecord> spans;
  std::array<uint64_t, 3> free_at_ns;
  free_at_ns.fill(kBeginNs);
  for (uint32_t i = 0; i < count; ++i) {
    SpanRecord span;
    span.trace = 1 + random() % 5;
    span.shard = static_cast<uint16_t>(random() % 3);
    span.kind = static_cast<uint8_t>(1 + random() % 5);
    span.type = static_cast<uint32_t>(random() % 4);
    span.target = 10 + span.shard;
    span.outcome = static_cast<SpanOutcome>(random() % 4);
    uint64_t& free_ns = free_at_ns[span.shard];
    if (spans.empty() || random() % 3 == 0) {
      span.source = 0x80000001u + static_cast<uint32_t>(random() % 2);
      span.sent_ns = kBeginNs + i;
    } else {
      const SpanRecord& parent = spans[random() % spans.size()];
      span.source = parent.target;
      span.parent_span = random() % 10 == 0 ? random() | 1 : parent.span;
      span.sent_ns = parent.start_ns + random() % 40;
    }
    span.span = SpanIdOf(span.source, MakeMessageId(1, i));
    span.start_ns = std::max(free_ns, span.sent_ns + random() % 2);
    span.duration_ns = static_cast<uint32_t>(random() % 3 == 0 ? 0 : random() % 50);
    // Rounding may let the next dispatch begin up to 1 ns before this one's end.
    free_ns =
        span.start_ns + span.duration_ns - (span.duration_ns > 0 && random() % 4 == 0 ? 1 : 0);
    spans.push_back(span);
  }
  return spans;
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TRACING_SPAN_GENERATOR_H_
