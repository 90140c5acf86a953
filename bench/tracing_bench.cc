// tracing/*: recording and exporting spans.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing/metrics.h"
#include "bitactor/tracing/span_ring.h"
#include "bitactor/tracing_export/otlp_exporter.h"
#include "bitactor/tracing_export/prometheus_text.h"

namespace bitactor::bench {
namespace {

constexpr uint64_t kBeginNs = 1'700'000'000'000'000'000;

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

// Takes every request at once.
class OpenDoor : public HttpTransport {
 public:
  absl::StatusOr<HttpAnswer> Post(const HttpRequest& request) override {
    DoNotOptimize(request.body.data());
    return HttpAnswer{.status = 200, .body = "{}"};
  }
  void Cancel() override {}
};

// All that a span costs in the exporter: copied in, encoded, packed.
absl::StatusOr<Body> ExportOtlp(const Context& context, bool gzip) {
  auto door = std::make_shared<OpenDoor>();
  OtlpExporterOptions options;
  options.gzip = gzip;
  SpanNames names = {.actor = [](uint32_t id) { return absl::StrCat("book/", id); },
                     .type = [](uint32_t) { return "market::Quote/1"; }};
  absl::StatusOr<std::unique_ptr<OtlpExporter>> made =
      OtlpExporter::Make(options, std::move(names), *door);
  if (!made.ok()) return made.status();
  std::shared_ptr<OtlpExporter> exporter = *std::move(made);
  auto spans = std::make_shared<std::vector<SpanRecord>>(options.batch_spans);
  for (uint64_t i = 0; i < spans->size(); ++i) {
    SpanAt(i, (*spans)[i]);
    (*spans)[i].sent_ns += kBeginNs;
    (*spans)[i].start_ns += kBeginNs;
  }
  return [&clock = context.clock, door, exporter,
          spans](uint64_t operations) -> absl::StatusOr<Sample> {
    const uint64_t start = clock.Now();
    for (uint64_t left = operations; left > 0;) {
      const size_t count = std::min<uint64_t>(left, spans->size());
      exporter->AddSpans(std::span(*spans).first(count));
      exporter->PollFlush(OtlpExporter::kNever);
      left -= count;
    }
    const uint64_t end = clock.Now();
    if (!exporter->idle()) return absl::InternalError("spans were left in the exporter");
    return NsPerOperation(clock.NanosIn(end - start), operations);
  };
}
absl::StatusOr<Body> ExportPlain(const Context& context) { return ExportOtlp(context, false); }
absl::StatusOr<Body> ExportGzip(const Context& context) { return ExportOtlp(context, true); }

absl::StatusOr<Body> ExportChrome(const Context& context) {
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
  registry.Add({.name = "tracing/export",
                .note = "one span to a collector that takes all: 250 ns are a quarter of a core at "
                        "a million a second"},
               &ExportPlain);
  registry.Add({.name = "tracing/export_gzip", .note = "the same, compressed"}, &ExportGzip);
  registry.Add({.name = "tracing/export_chrome",
                .operations_max = 100'000,
                .note = "one span as Chrome JSON"},
               &ExportChrome);
  registry.Add({.name = "tracing/scrape",
                .operations_max = 100,
                .note = "10,000 lines of metrics collected and written as OpenMetrics"},
               &Scrape);
}

}  // namespace bitactor::bench
