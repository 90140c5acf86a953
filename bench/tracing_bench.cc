// tracing/*: recording and exporting spans.
#include <cstdint>
#include <memory>
#include <sstream>
#include <vector>

#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing/span_ring.h"

namespace bitactor::bench {
namespace {

void SpanAt(uint64_t i, SpanRecord& span) {
  span.trace = i / 4 + 1;
  span.span = i + 1;
  span.parent_span = i % 4 == 0 ? 0 : i;
  span.sent_ns = 1'000 * i;
  span.start_ns = 1'000 * i + 500;
  span.duration_ns = 300;
  span.source = static_cast<uint32_t>(i % 16);
  span.target = static_cast<uint32_t>(i % 16 + 1);
  span.type = 1;
  span.shard = 0;
  span.kind = 1;
  span.outcome = SpanOutcome::kOk;
  span.reserved = 0;
}

absl::StatusOr<Body> RecordSpans(const Context& context) {
  auto ring = std::make_shared<SpanRing>();
  return [&clock = context.clock, ring](uint64_t operations) -> absl::StatusOr<Sample> {
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; ++i) {
      SpanAt(i, ring->Next());
      ClobberMemory();
    }
    return NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
  };
}

absl::StatusOr<Body> Export(const Context& context) {
  return [&clock = context.clock](uint64_t operations) -> absl::StatusOr<Sample> {
    std::vector<SpanRecord> spans(operations);
    for (uint64_t i = 0; i < operations; ++i) SpanAt(i, spans[i]);
    std::ostringstream out;
    const uint64_t start = clock.Now();
    if (absl::Status status = WriteChromeTrace(spans, SpanNames{}, out); !status.ok())
      return status;
    return NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
  };
}

}  // namespace

void RegisterTracingRows(Registry& registry) {
  registry.Add(
      {.name = "tracing/span", .note = "one record into the ring, clock readings not counted"},
      &RecordSpans);
  registry.Add(
      {.name = "tracing/export", .operations_max = 100'000, .note = "one span as Chrome JSON"},
      &Export);
}

}  // namespace bitactor::bench
