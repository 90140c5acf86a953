#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/tracing_export/otlp_json.h"
#include "json_numbers.h"
#include "otlp_parts.h"

namespace bitactor {
namespace {

using internal::AppendAttribute;
using internal::AppendAttributes;
using internal::AppendQuoted;
using internal::AppendSpanId;
using internal::AppendTextField;
using internal::AppendTraceId;
using internal::PutDecimal;
using internal::PutHex;
using internal::PutText;

// A name may have a megabyte in a file; here it is in every span.
constexpr size_t kMaxNameBytes = 1000;

std::string Cut(std::string name) {
  if (name.size() > kMaxNameBytes) name.resize(kMaxNameBytes);
  return name;
}

// Of OTLP's flags: sampled; and known whether the parent is of another process: it is not.
constexpr std::string_view kRootFlags = "\",\"flags\":1,";
constexpr std::string_view kChildFlags = "\",\"flags\":257,";

void AppendCount(std::string& out, const char* name, uint32_t count) {
  if (count != 0) absl::StrAppend(&out, ",\"", name, "\":", count);
}

void AppendEvent(std::string& out, const OtlpSpan::Event& event) {
  out += "{\"timeUnixNano\":";
  AppendQuoted(out, event.time_unix_ns);
  out += ',';
  AppendTextField(out, "name", event.name);
  AppendAttributes(out, event.attributes);
  AppendCount(out, "droppedAttributesCount", event.dropped_attributes);
  out += '}';
}

void AppendLink(std::string& out, const OtlpSpan::Link& link) {
  out += "{\"traceId\":";
  AppendTraceId(out, link.trace_id);
  out += ",\"spanId\":";
  AppendSpanId(out, link.span_id);
  if (!link.tracestate.empty()) {
    out += ',';
    AppendTextField(out, "traceState", link.tracestate);
  }
  AppendAttributes(out, link.attributes);
  AppendCount(out, "droppedAttributesCount", link.dropped_attributes);
  AppendCount(out, "flags", link.flags);
  out += '}';
}

template <typename T>
void AppendList(std::string& out, const char* name, const std::vector<T>& list,
                void (*append)(std::string&, const T&)) {
  if (list.empty()) return;
  absl::StrAppend(&out, ",\"", name, "\":");
  char before = '[';
  for (const T& item : list) {
    out += before;
    append(out, item);
    before = ',';
  }
  out += ']';
}

void AppendSpan(std::string& out, const OtlpSpan& span) {
  out += "{\"traceId\":";
  AppendTraceId(out, span.trace_id);
  out += ",\"spanId\":";
  AppendSpanId(out, span.span_id);
  if (!span.tracestate.empty()) {
    out += ',';
    AppendTextField(out, "traceState", span.tracestate);
  }
  if (span.parent_id != 0) {
    out += ",\"parentSpanId\":";
    AppendSpanId(out, span.parent_id);
  }
  AppendCount(out, "flags", span.flags);
  out += ',';
  AppendTextField(out, "name", span.name);
  absl::StrAppend(&out, ",\"kind\":", static_cast<int>(span.kind), ",\"startTimeUnixNano\":");
  AppendQuoted(out, span.start_unix_ns);
  out += ",\"endTimeUnixNano\":";
  AppendQuoted(out, span.end_unix_ns);
  AppendAttributes(out, span.attributes);
  AppendCount(out, "droppedAttributesCount", span.dropped_attributes);
  AppendList(out, "events", span.events, &AppendEvent);
  AppendCount(out, "droppedEventsCount", span.dropped_events);
  AppendList(out, "links", span.links, &AppendLink);
  AppendCount(out, "droppedLinksCount", span.dropped_links);
  if (span.status != OtlpSpan::Status::kUnset) {
    absl::StrAppend(&out, ",\"status\":{\"code\":", static_cast<int>(span.status));
    if (!span.status_message.empty()) {
      out += ',';
      AppendTextField(out, "message", span.status_message);
    }
    out += '}';
  }
  out += '}';
}

}  // namespace

class OtlpSpanEncoder::State {
 public:
  State(OtlpOrigin origin, SpanNames names)
      : origin_(std::move(origin)),
        names_(std::move(names)),
        begin_(internal::BodyBegin(origin_, "Spans", "spans")) {}

  const OtlpOrigin& origin() const { return origin_; }

  void Encode(std::span<const SpanRecord> spans, std::string& body) {
    body = begin_;
    for (size_t i = 0; i < spans.size(); ++i) {
      if (i != 0) body += ',';
      Append(spans[i], body);
    }
    body += internal::kBodyEnd;
  }

 private:
  // What spans between the same two actors share.
  struct Route {
    uint32_t source;
    uint32_t target;
    uint32_t type;
    uint16_t shard;
    uint8_t kind;

    friend bool operator==(const Route&, const Route&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Route& r) {
      return H::combine(std::move(h), (uint64_t{r.source} << 32) | r.target,
                        (uint64_t{r.type} << 32) | (uint64_t{r.shard} << 8) | r.kind);
    }
  };
  static constexpr size_t kRememberedBytes = size_t{16} << 20;

  const std::string& TextOf(const SpanRecord& span) {
    const Route route = {span.source, span.target, span.type, span.shard, span.kind};
    const auto found = texts_.find(route);
    if (found != texts_.end()) return found->second;
    if (remembered_bytes_ > kRememberedBytes) {
      texts_.clear();
      remembered_bytes_ = 0;
    }
    std::string text = MakeText(span);
    remembered_bytes_ += text.size() + sizeof(Route);
    return texts_[route] = std::move(text);
  }

  TraceId IdOf(uint64_t trace) {
    if (trace == last_trace_) return last_id_;
    last_id_ = internal::TraceIdOf(origin_, trace);
    if (last_id_.is_zero()) last_id_.low = 1;  // forbidden; a file may hold anything
    last_trace_ = trace;
    return last_id_;
  }

  // "name":... to the beginning of the queue wait.
  std::string MakeText(const SpanRecord& span) const {
    const std::string target = Cut(names_.ActorText(span.target));
    const std::string type = Cut(names_.TypeText(span.type));
    const bool is_call = static_cast<FrameKind>(span.kind) == FrameKind::kCall;
    const OtlpSpan::Kind kind = is_call ? OtlpSpan::Kind::kServer : OtlpSpan::Kind::kConsumer;
    std::string text;
    AppendTextField(text, "name", absl::StrCat(target, ": ", type));
    absl::StrAppend(&text, ",\"kind\":", static_cast<int>(kind));
    const OtlpAttribute attributes[] = {{"bitactor.source", Cut(names_.ActorText(span.source))},
                                        {"bitactor.target", target},
                                        {"bitactor.type", type},
                                        {"bitactor.message", std::string(SpanKindName(span.kind))},
                                        {"bitactor.shard", int64_t{span.shard}}};
    AppendAttributes(text, attributes);
    text.pop_back();  // the list goes on
    text += ",{\"key\":\"bitactor.queue_wait_ns\",\"value\":{\"intValue\":\"";
    return text;
  }

  void Append(const SpanRecord& span, std::string& body) {
    const bool traced = span.trace != 0;
    const TraceId trace_id = IdOf(traced ? span.trace : span.span);
    const bool is_root = span.parent_span == 0 || !traced;
    char buffer[256];
    char* at = PutHex(PutHex(PutText(buffer, "{\"traceId\":\""), trace_id.high), trace_id.low);
    at = PutHex(PutText(at, "\",\"spanId\":\""), span.span != 0 ? span.span : 1);
    if (is_root) {
      at = PutText(at, kRootFlags);
    } else {
      at = PutHex(PutText(at, "\",\"parentSpanId\":\""), span.parent_span);
      at = PutText(at, kChildFlags);
    }
    body.append(buffer, at);
    body += TextOf(span);
    const uint64_t end_ns = span.start_ns + span.duration_ns;
    at = PutDecimal(buffer, span.start_ns > span.sent_ns ? span.start_ns - span.sent_ns : 0);
    at = PutDecimal(PutText(at, "\"}}],\"startTimeUnixNano\":\""), span.start_ns);
    at = PutDecimal(PutText(at, "\",\"endTimeUnixNano\":\""), end_ns);
    at = PutText(at, "\"");
    body.append(buffer, at);
    if (span.outcome != SpanOutcome::kOk) [[unlikely]]
      AppendOutcome(span.outcome, end_ns, body);
    body += '}';
  }

  static void AppendOutcome(SpanOutcome outcome, uint64_t end_ns, std::string& body) {
    const char* name = SpanOutcomeName(outcome);
    body += ",\"events\":[";
    AppendEvent(body, {.time_unix_ns = end_ns, .name = name});
    body += ']';
    if (outcome == SpanOutcome::kOverrun) return;  // handled, if late
    body += ",\"status\":{\"code\":2,";
    AppendTextField(body, "message", name);
    body += '}';
  }

  const OtlpOrigin origin_;
  const SpanNames names_;
  uint64_t last_trace_ = 0;
  TraceId last_id_ = {0, 1};
  const std::string begin_;
  absl::flat_hash_map<Route, std::string> texts_;
  size_t remembered_bytes_ = 0;
};

OtlpSpanEncoder::OtlpSpanEncoder(OtlpOrigin origin, SpanNames names)
    : state_(std::make_unique<State>(std::move(origin), std::move(names))) {}
OtlpSpanEncoder::~OtlpSpanEncoder() = default;
OtlpSpanEncoder::OtlpSpanEncoder(OtlpSpanEncoder&&) noexcept = default;
OtlpSpanEncoder& OtlpSpanEncoder::operator=(OtlpSpanEncoder&&) noexcept = default;

void OtlpSpanEncoder::Encode(std::span<const SpanRecord> spans, std::string& body) {
  state_->Encode(spans, body);
}
const OtlpOrigin& OtlpSpanEncoder::origin() const { return state_->origin(); }

std::string EncodeOtlpSpans(const OtlpOrigin& origin, std::span<const OtlpSpan> spans) {
  std::string body = internal::BodyBegin(origin, "Spans", "spans");
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i != 0) body += ',';
    AppendSpan(body, spans[i]);
  }
  body += internal::kBodyEnd;
  return body;
}

}  // namespace bitactor
