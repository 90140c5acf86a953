// Sends spans and metrics to an OpenTelemetry collector: batches, retries, nothing lost uncounted.
#ifndef BITACTOR_TRACING_EXPORT_OTLP_EXPORTER_H_
#define BITACTOR_TRACING_EXPORT_OTLP_EXPORTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/tracing/metrics_snapshot.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"
#include "bitactor/tracing_export/http_transport.h"
#include "bitactor/tracing_export/otlp_json.h"

namespace bitactor {

// Two clocks: the first for waits, which nobody sets; the second is ns since 1970.
struct ExportTime {
  uint64_t steady_ns = 0;
  uint64_t unix_ns = 0;
};
ExportTime SystemExportTime();

struct OtlpRetryPolicy {
  uint64_t first_wait_ns = 1'000'000'000;  // this and the next: at most a day
  uint64_t longest_wait_ns = 30'000'000'000;
  double growth = 2;    // 1 to 10: each wait to the one before
  double jitter = 0.2;  // 0 to 1: the part of a wait that is drawn at random, below and above
  // After the first attempt. What would have to wait for longer is dropped.
  uint64_t give_up_after_ns = 300'000'000'000;
};

struct OtlpExporterOptions {
  std::string endpoint = "http://127.0.0.1:4318";  // /v1/traces and /v1/metrics are put behind it
  HttpHeaders headers = {};                        // of every request, an API key for one
  OtlpOrigin origin = {};
  size_t batch_spans = 4096;             // 1 to 65536: spans of one request
  size_t queue_spans = 65536;            // batch_spans to 2^24: what waits; more is dropped
  uint64_t interval_ns = 1'000'000'000;  // 0 to 1 h: how long spans wait for their batch
  uint64_t timeout_ns = 10'000'000'000;  // 1 ms to 1 h: of one request
  bool gzip = false;                     // a tenth of the bytes for several times the work
  OtlpRetryPolicy retry = {};
  uint64_t seed = 0;  // of the jitter; 0: another one each time
  std::function<ExportTime()> clock = &SystemExportTime;
};

// What became of spans. At any time
//   added == sent + rejected + refused + given_up + queue_full + unsent + queued.
struct OtlpSpanCounters {
  uint64_t added = 0;
  uint64_t sent = 0;
  uint64_t queued = 0;       // still here
  uint64_t rejected = 0;     // the collector said which part of a request it did not take
  uint64_t refused = 0;      // it answered what no repetition changes (400, 401, a redirect, ...)
  uint64_t given_up = 0;     // not taken for the time of the retry policy
  uint64_t queue_full = 0;   // came when there was no room
  uint64_t unsent = 0;       // still there at the end
  uint64_t overwritten = 0;  // never came: their ring was faster. Not in `added`.
};

struct OtlpCounters {
  OtlpSpanCounters spans;
  uint64_t snapshots_added = 0;    // of metrics
  uint64_t snapshots_sent = 0;     // some of whose points may have been rejected
  uint64_t snapshots_dropped = 0;  // refused, given up, unsent, or overtaken by the next one
  uint64_t points_rejected = 0;
  uint64_t requests = 0;
  uint64_t retries = 0;      // requests that were repetitions
  uint64_t halved = 0;       // requests that were too large (413)
  uint64_t bytes = 0;        // of all bodies, as sent
  std::string last_trouble;  // the last thing that went wrong; empty: nothing so far
};

// Order: spans are sent in the order in which they were added, one request at a time.
// Threads: one at a time; OtlpPump has a thread of its own and does all this.
// Bounds: queue_spans spans, one snapshot of metrics, and one request's body of each kind. When the
//   queue is full, new spans are dropped: what waits is older and belongs together.
// Errors: of the network: counted, told in last_trouble, retried where that may help. 429, 502,
//   503, 504 and no answer at all are retried, after Retry-After where that is given; after 413 the
//   batch is halved; anything else but success is final.
// Cost: AddSpans() copies. Poll() takes as long as the collector does, at most timeout_ns.
class OtlpExporter {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // kInvalidArgument for options outside of their ranges. `transport` outlives the exporter.
  static absl::StatusOr<std::unique_ptr<OtlpExporter>> Make(OtlpExporterOptions options,
                                                            SpanNames names,
                                                            HttpTransport& transport);

  // `overwritten`: lost before these, counted alone.
  void AddSpans(std::span<const SpanRecord> spans, uint64_t overwritten = 0);
  // A snapshot that waits is overtaken by this one.
  void AddMetrics(const MetricsSnapshot& snapshot);

  // Makes the request that is due, if one is. Returns the steady time of the next one: a past one
  // for "at once", kNever when nothing waits.
  uint64_t Poll() { return Step(kNever, /*flush=*/false); }
  // The same, where spans need not wait for their batch to fill, and no request lasts longer than
  // until `deadline_ns`, steady time.
  uint64_t PollFlush(uint64_t deadline_ns) { return Step(deadline_ns, /*flush=*/true); }
  // Drops what waits, counted as unsent.
  void Abandon();

  // Nothing waits.
  bool idle() const { return queued() == 0 && MetricsDue() == kNever; }
  const OtlpCounters& counters() const { return counters_; }

 private:
  // A request that is made until it is answered for good.
  struct Parcel {
    std::string body;  // as sent; empty: none is packed
    uint64_t items = 0;
    uint64_t first_attempt_ns = 0;
    uint64_t attempts = 0;

    void Clear() {
      body.clear();
      items = first_attempt_ns = attempts = 0;
    }
  };
  // One of the two endpoints.
  struct Lane {
    std::string url;
    Parcel parcel = {};
    uint64_t not_before_ns = 0;  // the collector's wish, or ours after a failure
  };

  OtlpExporter(OtlpExporterOptions options, SpanNames names, HttpTransport& transport);

  uint64_t Step(uint64_t deadline_ns, bool flush);
  uint64_t SpansDue(uint64_t now_ns, bool flush) const;
  uint64_t MetricsDue() const;
  void SendSpans(uint64_t deadline_ns);
  void SendMetrics(uint64_t deadline_ns);
  enum class Attempt : uint8_t { kAccepted, kAgain, kTooLarge, kRefused, kGivenUp };
  Attempt TryToSend(Lane& lane, uint64_t deadline_ns, uint64_t& rejected);
  uint64_t WaitAfter(uint64_t attempts);
  void Pack(std::string& text, uint64_t items, Parcel& parcel);
  void DropFront(size_t count);
  size_t queued() const { return spans_.size() - front_; }

  const OtlpExporterOptions options_;
  HttpTransport& transport_;
  OtlpSpanEncoder encoder_;
  HttpHeaders headers_;
  std::mt19937_64 random_;

  std::vector<SpanRecord> spans_;  // those before front_ are done with
  size_t front_ = 0;
  uint64_t oldest_ns_ = 0;  // since when those that wait do so for their batch to fill
  size_t batch_limit_;      // batch_spans, or less after a 413
  Lane spans_lane_;
  Lane metrics_lane_;
  std::string waiting_metrics_;  // the body of the next snapshot; empty: none
  std::string text_;             // reused
  OtlpCounters counters_;
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_OTLP_EXPORTER_H_
