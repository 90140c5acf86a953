// tracing/*: recording and exporting spans.
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing/metrics.h"
#include "bitactor/tracing/span_ring.h"
#include "bitactor/tracing_export/prometheus_text.h"

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

// Counters, and as many in 200 histograms of 25 buckets.
constexpr size_t kScrapedSeries = 10'000;
constexpr size_t kScrapedHistograms = 200;

absl::StatusOr<Body> Scrape(const Context& context) {
  auto registry = std::make_shared<MetricsRegistry>(0);
  auto counters = registry->AddCounters(
      {.name = "counted", .help = "Counted.", .labels = {"shard", "name"}, .max_series = 10'000});
  if (!counters.ok()) return counters.status();
  auto histograms = registry->AddHistograms(
      {.name = "took_seconds", .help = "Took.", .labels = {"name"}, .scale = 1e-9});
  if (!histograms.ok()) return histograms.status();
  const size_t buckets = LatencyBounds().size() + 3;  // with those above all, sum and count
  for (size_t i = 0; i < kScrapedHistograms; ++i) {
    histograms->Of({absl::StrCat("of ", i)}).Record(1000 * i, 1, 2, 3);
  }
  for (size_t i = 0; i + kScrapedHistograms * buckets < kScrapedSeries; ++i) {
    counters->Of({absl::StrCat(i % 64), absl::StrCat("number ", i)}).Add(i);
  }
  return [&clock = context.clock, registry](uint64_t operations) -> absl::StatusOr<Sample> {
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; ++i) {
      std::string out;
      AppendMetricsText(out, registry->Collect(i), MetricsText::kOpenMetrics);
      if (out.empty()) return absl::InternalError("nothing was collected");
    }
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
  registry.Add({.name = "tracing/scrape",
                .operations_max = 100,
                .note = "10,000 lines of metrics collected and written as OpenMetrics"},
               &Scrape);
}

}  // namespace bitactor::bench
