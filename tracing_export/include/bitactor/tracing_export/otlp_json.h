// Spans and metrics in the words of OpenTelemetry: bodies of OTLP/HTTP requests, as JSON.
#ifndef BITACTOR_TRACING_EXPORT_OTLP_JSON_H_
#define BITACTOR_TRACING_EXPORT_OTLP_JSON_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bitactor/tracing/metrics_snapshot.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"
#include "bitactor/tracing/trace_context.h"

namespace bitactor {

// Keys of one list are unique.
struct OtlpAttribute {
  std::string key;
  std::variant<std::string, int64_t, double, bool> value;
};

// Who says it: in every request.
struct OtlpOrigin {
  std::string service_name = "bitactor";
  std::vector<OtlpAttribute> resource_attributes = {};  // beside service.name
  std::string scope_name = "bitactor";
  std::string scope_version = {};
  std::vector<OtlpAttribute> scope_attributes = {};
  // The trace id that one of ours (SpanRecord::trace) came with, as TraceRoots::TraceIdOf(). If there
  // is none (empty, or an upper half of 0): `trace_high` and ours. That one is to differ between runs:
  // draw it once, at the start.
  std::function<TraceId(uint64_t trace)> trace_id = {};
  uint64_t trace_high = 0;
};

// A span of any kind, with all that OTLP knows. Times are ns since 1970.
struct OtlpSpan {
  enum class Kind : uint8_t { kInternal = 1, kServer, kClient, kProducer, kConsumer };
  enum class Status : uint8_t { kUnset = 0, kOk, kError };
  struct Event {
    uint64_t time_unix_ns = 0;
    std::string name;
    std::vector<OtlpAttribute> attributes = {};
    uint32_t dropped_attributes = 0;
  };
  struct Link {
    TraceId trace_id;
    uint64_t span_id = 0;
    std::string tracestate = {};
    std::vector<OtlpAttribute> attributes = {};
    uint32_t dropped_attributes = 0;
    uint32_t flags = 0;
  };

  TraceId trace_id;      // neither this
  uint64_t span_id = 0;  // nor this is zero
  uint64_t parent_id = 0;
  std::string tracestate = {};
  uint32_t flags = 0;  // the low 8 are those of traceparent
  std::string name;
  Kind kind = Kind::kInternal;
  uint64_t start_unix_ns = 0;
  uint64_t end_unix_ns = 0;
  std::vector<OtlpAttribute> attributes = {};
  std::vector<Event> events = {};
  std::vector<Link> links = {};
  uint32_t dropped_attributes = 0;
  uint32_t dropped_events = 0;
  uint32_t dropped_links = 0;
  Status status = Status::kUnset;
  std::string status_message = {};
};

// Spans of a fabric as request bodies.
//
// A dispatch becomes a span "target: type" of kind consumer, of a call server, with the attributes
// bitactor.source, .target, .type, .message, .shard and .queue_wait_ns. One that crashed or was
// dead-lettered has the status error; what went wrong, an overrun too, is an event at its end.
//
// Order: that of the spans. The same spans give the same bytes.
// Threads: one at a time.
// Bounds: remembers texts for pairs of actors, at most 16 MiB; names are asked for once while they
//   are remembered.
// Errors: none. Any bytes in names give valid JSON, of their first 1,000 bytes. A span without a trace is the root of its own.
// Cost: about 100 ns and 600 bytes a span.
class OtlpSpanEncoder {
 public:
  OtlpSpanEncoder(OtlpOrigin origin, SpanNames names);
  ~OtlpSpanEncoder();
  OtlpSpanEncoder(OtlpSpanEncoder&&) noexcept;
  OtlpSpanEncoder& operator=(OtlpSpanEncoder&&) noexcept;

  // Replaces `body`.
  void Encode(std::span<const SpanRecord> spans, std::string& body);

  const OtlpOrigin& origin() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

// The bodies of one request. Threads: any; no state. Numbers JSON cannot write are "NaN",
// "Infinity" and "-Infinity", as protobuf has them.
std::string EncodeOtlpSpans(const OtlpOrigin& origin, std::span<const OtlpSpan> spans);
// Counters and histograms are cumulative.
std::string EncodeOtlpMetrics(const OtlpOrigin& origin, const MetricsSnapshot& snapshot);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_OTLP_JSON_H_
