#include "cli/trace_send.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>

#include "bitactor/l1_core/frame.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace bitactor::cli {
namespace {

unsigned long long Count(uint64_t count) { return count; }

int Report(const OtlpCounters& counters, uint64_t dropped_before) {
  const OtlpSpanCounters& spans = counters.spans;
  std::fprintf(stderr,
               "%llu of %llu spans sent in %llu requests (%llu repeated); %llu older ones had been "
               "overwritten\n",
               Count(spans.sent), Count(spans.added), Count(counters.requests),
               Count(counters.retries), Count(dropped_before));
  if (spans.sent != spans.added) {
    std::fprintf(
        stderr, "bitactor: not sent: %llu rejected, %llu refused, %llu given up, %llu left\n",
        Count(spans.rejected), Count(spans.refused), Count(spans.given_up), Count(spans.unsent));
  }
  if (!counters.last_trouble.empty()) {
    std::fprintf(stderr, "bitactor: last trouble: %s\n", counters.last_trouble.c_str());
  }
  return spans.sent == spans.added ? kExitOk : kExitFoundProblem;
}

}  // namespace

OtlpOrigin OriginOf(const SpanFile& file) {
  uint64_t begin_ns = std::numeric_limits<uint64_t>::max();
  for (const SpanRecord& span : file.spans) begin_ns = std::min(begin_ns, span.start_ns);
  OtlpOrigin origin;
  origin.trace_id = file.names.Lookup().trace;
  origin.trace_high = Mix64(begin_ns);
  return origin;
}

int SendSpans(const SpanFile& file, OtlpExporterOptions options) {
  const size_t batch_spans = options.batch_spans;
  const std::unique_ptr<HttpTransport> transport = MakeCurlTransport();
  options.origin = OriginOf(file);
  absl::StatusOr<std::unique_ptr<OtlpExporter>> made =
      OtlpExporter::Make(std::move(options), file.names.Lookup(), *transport);
  if (!made.ok()) return Fail(made.status());
  OtlpExporter& exporter = **made;

  const StopSignal stop;
  ByteProgress progress("sending");
  std::span<const SpanRecord> rest = file.spans;
  bool going = true;
  while (going && !rest.empty()) {
    const size_t count = std::min(rest.size(), batch_spans);
    exporter.AddSpans(rest.first(count));
    rest = rest.subspan(count);
    while (going && !exporter.idle()) {
      const uint64_t due_ns = exporter.PollFlush(OtlpExporter::kNever);
      const uint64_t now_ns = SystemExportTime().steady_ns;
      const bool wait = due_ns != OtlpExporter::kNever && due_ns > now_ns;
      going = wait ? stop.Wait(due_ns - now_ns) : !stop.stopped();
    }
    progress.Update((file.spans.size() - rest.size()) * sizeof(SpanRecord),
                    file.spans.size() * sizeof(SpanRecord));
  }
  exporter.AddSpans(rest);  // to be counted
  exporter.Abandon();
  return Report(exporter.counters(), file.dropped);
}

}  // namespace bitactor::cli
