#include "bitactor/tracing_export/otlp_exporter.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gzip.h"
#include "otlp_answer.h"

namespace bitactor {
namespace {

using internal::OtlpVerdict;

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr size_t kMaxBatchSpans = 65536;
constexpr size_t kMaxQueueSpans = size_t{1} << 24;
constexpr uint64_t kMaxTimeoutNs = uint64_t{3600} * 1'000'000'000;
constexpr uint64_t kMaxWaitNs = 24 * kMaxTimeoutNs;  // so that sums of times never wrap around

absl::Status OutOfRange(const char* what, uint64_t value, const std::string& allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("OtlpExporterOptions::", what, " is ", value, "; allowed is ", allowed));
}

absl::Status Check(const OtlpExporterOptions& options) {
  if (!absl::StartsWithIgnoreCase(options.endpoint, "http://") &&
      !absl::StartsWithIgnoreCase(options.endpoint, "https://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("the collector's endpoint is \"", options.endpoint,
                     "\"; it begins with http:// or https://, as http://127.0.0.1:4318 does"));
  }
  for (const auto& [name, value] : options.headers) {
    if (name.empty() || name.find_first_of(": \t\r\n") != std::string::npos ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name, ": ", value,
                       "\" is no header: a name without space and colon, and one line"));
    }
  }
  if (options.batch_spans < 1 || options.batch_spans > kMaxBatchSpans) {
    return OutOfRange("batch_spans", options.batch_spans, absl::StrCat("1 to ", kMaxBatchSpans));
  }
  if (options.queue_spans < options.batch_spans || options.queue_spans > kMaxQueueSpans) {
    return OutOfRange("queue_spans", options.queue_spans,
                      absl::StrCat("batch_spans (", options.batch_spans, ") to ", kMaxQueueSpans));
  }
  if (options.timeout_ns < kNsPerMs || options.timeout_ns > kMaxTimeoutNs) {
    return OutOfRange("timeout_ns", options.timeout_ns,
                      absl::StrCat(kNsPerMs, " to ", kMaxTimeoutNs));
  }
  if (options.interval_ns > kMaxTimeoutNs) {
    return OutOfRange("interval_ns", options.interval_ns, absl::StrCat("0 to ", kMaxTimeoutNs));
  }
  const OtlpRetryPolicy& retry = options.retry;
  if (retry.first_wait_ns > kMaxWaitNs || retry.longest_wait_ns > kMaxWaitNs) {
    return OutOfRange("retry.first_wait_ns or longest_wait_ns",
                      std::max(retry.first_wait_ns, retry.longest_wait_ns),
                      absl::StrCat("0 to ", kMaxWaitNs));
  }
  if (!(retry.growth >= 1 && retry.growth <= 10) || !(retry.jitter >= 0 && retry.jitter <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("OtlpRetryPolicy: growth is ", retry.growth,
                                                   ", allowed is 1 to 10; jitter is ", retry.jitter,
                                                   ", allowed is 0 to 1"));
  }
  return absl::OkStatus();
}

}  // namespace

ExportTime SystemExportTime() {
  const auto ns = [](auto time) {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
  };
  return {ns(std::chrono::steady_clock::now()), ns(std::chrono::system_clock::now())};
}

absl::StatusOr<std::unique_ptr<OtlpExporter>> OtlpExporter::Make(OtlpExporterOptions options,
                                                                 SpanNames names,
                                                                 HttpTransport& transport) {
  if (absl::Status s = Check(options); !s.ok()) return s;
  return std::unique_ptr<OtlpExporter>(
      new OtlpExporter(std::move(options), std::move(names), transport));
}

OtlpExporter::OtlpExporter(OtlpExporterOptions options, SpanNames names, HttpTransport& transport)
    : options_(std::move(options)),
      transport_(transport),
      encoder_(options_.origin, std::move(names)),
      headers_(options_.headers),
      random_(options_.seed != 0 ? options_.seed : std::random_device{}()),
      batch_limit_(options_.batch_spans) {
  const absl::string_view base = absl::StripSuffix(options_.endpoint, "/");
  spans_lane_.url = absl::StrCat(base, "/v1/traces");
  metrics_lane_.url = absl::StrCat(base, "/v1/metrics");
  headers_.emplace_back("Content-Type", "application/json");
  if (options_.gzip) headers_.emplace_back("Content-Encoding", "gzip");
}

void OtlpExporter::AddSpans(std::span<const SpanRecord> spans, uint64_t overwritten) {
  const size_t taken = std::min(spans.size(), options_.queue_spans - queued());
  if (queued() == 0) oldest_ns_ = options_.clock().steady_ns;
  const std::span<const SpanRecord> fits = spans.first(taken);
  spans_.insert(spans_.end(), fits.begin(), fits.end());
  counters_.spans.added += spans.size();
  counters_.spans.queued += taken;
  counters_.spans.queue_full += spans.size() - taken;
  counters_.spans.overwritten += overwritten;
}

void OtlpExporter::AddMetrics(const MetricsSnapshot& snapshot) {
  ++counters_.snapshots_added;
  if (!waiting_metrics_.empty()) ++counters_.snapshots_dropped;
  waiting_metrics_ = EncodeOtlpMetrics(options_.origin, snapshot);
}

void OtlpExporter::Abandon() {
  counters_.spans.unsent += queued();
  DropFront(queued());
  spans_lane_.parcel.Clear();
  counters_.snapshots_dropped += (waiting_metrics_.empty() ? 0 : 1) + metrics_lane_.parcel.items;
  waiting_metrics_.clear();
  metrics_lane_.parcel.Clear();
}

// Spans that are done with go when they are as many as those that wait: each is moved once.
void OtlpExporter::DropFront(size_t count) {
  front_ += count;
  counters_.spans.queued -= count;
  if (front_ < spans_.size() - front_) return;
  spans_.erase(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(front_));
  front_ = 0;
}

uint64_t OtlpExporter::SpansDue(uint64_t now_ns, bool flush) const {
  if (queued() == 0) return kNever;
  const bool full = queued() >= batch_limit_;
  const bool waits = !flush && !full && spans_lane_.parcel.body.empty();
  return std::max(spans_lane_.not_before_ns, waits ? oldest_ns_ + options_.interval_ns : now_ns);
}

uint64_t OtlpExporter::MetricsDue() const {
  const bool some = !waiting_metrics_.empty() || !metrics_lane_.parcel.body.empty();
  return some ? metrics_lane_.not_before_ns : kNever;
}

uint64_t OtlpExporter::Step(uint64_t deadline_ns, bool flush) {
  const uint64_t now_ns = options_.clock().steady_ns;
  if (now_ns >= deadline_ns) return kNever;
  const uint64_t spans_ns = SpansDue(now_ns, flush);
  const uint64_t metrics_ns = MetricsDue();
  // Metrics first: they are few, and spans may come without end.
  if (metrics_ns <= now_ns) {
    SendMetrics(deadline_ns);
  } else if (spans_ns <= now_ns) {
    SendSpans(deadline_ns);
  }
  return std::min(SpansDue(options_.clock().steady_ns, flush), MetricsDue());
}

// Of a parcel that was sent before, the time and number of attempts stay: it is the same to a
// collector that does not answer.
void OtlpExporter::Pack(std::string& text, uint64_t items, Parcel& parcel) {
  if (options_.gzip) {
    parcel.body = internal::Gzip(text);
  } else {
    std::swap(parcel.body, text);  // both keep their memory
  }
  parcel.items = items;
}

void OtlpExporter::SendSpans(uint64_t deadline_ns) {
  Parcel& parcel = spans_lane_.parcel;
  if (parcel.body.empty()) {
    const size_t packed = std::min(queued(), batch_limit_);
    encoder_.Encode(std::span(spans_).subspan(front_, packed), text_);
    Pack(text_, packed, parcel);
  }
  const size_t count = parcel.items;
  uint64_t rejected = 0;
  OtlpSpanCounters& counters = counters_.spans;
  switch (TryToSend(spans_lane_, deadline_ns, rejected)) {
    case Attempt::kAgain:
      return;  // the same parcel, later
    case Attempt::kAccepted:
      rejected = std::min<uint64_t>(rejected, count);
      counters.sent += count - rejected;
      counters.rejected += rejected;
      batch_limit_ = std::min(options_.batch_spans, batch_limit_ + batch_limit_ / 16 + 1);
      break;
    case Attempt::kTooLarge:
      parcel.Clear();
      if (count > 1) {
        batch_limit_ = count / 2;
        ++counters_.halved;
        return;
      }
      counters.refused += 1;
      break;
    case Attempt::kRefused:
      counters.refused += count;
      break;
    case Attempt::kGivenUp:
      counters.given_up += count;
      break;
  }
  parcel.Clear();
  DropFront(count);
  oldest_ns_ = options_.clock().steady_ns;
}

void OtlpExporter::SendMetrics(uint64_t deadline_ns) {
  Parcel& parcel = metrics_lane_.parcel;
  if (!waiting_metrics_.empty()) {
    counters_.snapshots_dropped += parcel.items;  // a newer one says all that an older one does
    Pack(waiting_metrics_, 1, parcel);
    waiting_metrics_.clear();
  }
  uint64_t rejected = 0;
  switch (TryToSend(metrics_lane_, deadline_ns, rejected)) {
    case Attempt::kAgain:
      return;
    case Attempt::kAccepted:
      ++counters_.snapshots_sent;
      counters_.points_rejected += rejected;
      break;
    case Attempt::kTooLarge:  // it cannot be cut
    case Attempt::kRefused:
    case Attempt::kGivenUp:
      ++counters_.snapshots_dropped;
      break;
  }
  metrics_lane_.parcel.Clear();
}

uint64_t OtlpExporter::WaitAfter(uint64_t attempts) {
  const OtlpRetryPolicy& retry = options_.retry;
  const double grown =
      static_cast<double>(retry.first_wait_ns) *
      std::pow(retry.growth, static_cast<double>(std::min<uint64_t>(attempts, 64)));
  const double wait = std::min(grown, static_cast<double>(retry.longest_wait_ns));
  const double drawn = std::uniform_real_distribution<double>(-1, 1)(random_);
  return static_cast<uint64_t>(wait * (1 + retry.jitter * drawn));
}

OtlpExporter::Attempt OtlpExporter::TryToSend(Lane& lane, uint64_t deadline_ns,
                                              uint64_t& rejected) {
  const uint64_t start_ns = options_.clock().steady_ns;
  Parcel& parcel = lane.parcel;
  if (parcel.attempts == 0) parcel.first_attempt_ns = start_ns;
  if (parcel.attempts != 0) ++counters_.retries;
  ++counters_.requests;
  counters_.bytes += parcel.body.size();
  const absl::StatusOr<HttpAnswer> answer = transport_.Post(
      {.url = lane.url,
       .headers = headers_,
       .body = parcel.body,
       .timeout_ns = std::min(options_.timeout_ns,
                              deadline_ns > start_ns ? deadline_ns - start_ns : uint64_t{1})});
  const ExportTime now = options_.clock();
  const OtlpVerdict verdict = internal::JudgeAnswer(answer, now.unix_ns);
  if (!verdict.trouble.empty()) {
    // Of a failure the transport has named the place.
    counters_.last_trouble =
        answer.ok() ? absl::StrCat(lane.url, ": ", verdict.trouble) : verdict.trouble;
  }
  switch (verdict.kind) {
    case OtlpVerdict::Kind::kAccepted:
      rejected = verdict.rejected;
      return Attempt::kAccepted;
    case OtlpVerdict::Kind::kTooLarge:
      return Attempt::kTooLarge;
    case OtlpVerdict::Kind::kRefused:
      return Attempt::kRefused;
    case OtlpVerdict::Kind::kRetry:
      break;
  }
  const uint64_t own_wait_ns = WaitAfter(parcel.attempts);
  ++parcel.attempts;
  lane.not_before_ns = now.steady_ns + verdict.retry_after_ns.value_or(own_wait_ns);
  const bool given_up =
      lane.not_before_ns - parcel.first_attempt_ns > options_.retry.give_up_after_ns;
  return given_up ? Attempt::kGivenUp : Attempt::kAgain;
}

}  // namespace bitactor
