#include "bitactor/tracing/chrome_export.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/tracing/json_text.h"
#include "trace_layout.h"

namespace bitactor {
namespace {

using internal::AppendJsonString;
using internal::Arrow;
using internal::Slice;
using internal::TraceLayout;
using internal::Track;

class Writer {
 public:
  Writer(std::span<const SpanRecord> spans, const SpanNames& names, std::ostream& out)
      : spans_(spans), names_(names), out_(out), layout_(internal::LayOut(spans)) {
    for (const Slice& slice : layout_.slices) {
      begin_ns_ = std::min(begin_ns_, slice.begin_ns);
    }
    if (layout_.slices.empty()) begin_ns_ = 0;
  }

  absl::Status Write() {
    absl::StrAppendFormat(&text_,
                          "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"begin_unix_ns\":\"%d\"},"
                          "\"traceEvents\":[",
                          begin_ns_);
    for (size_t i = 0; i < layout_.tracks.size(); ++i) WriteTrack(i);
    for (const Slice& slice : layout_.slices) WriteSlice(slice);
    for (const Arrow& arrow : layout_.arrows) WriteArrow(arrow);
    text_ += "\n]}\n";
    Flush();
    out_.flush();
    if (!out_) {
      return absl::DataLossError(
          "writing the trace failed: is there space, and may this place be written?");
    }
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kFlushBytes = 1u << 16;

  void Flush() {
    out_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
    text_.clear();
  }
  void BeginEvent() {
    if (text_.size() >= kFlushBytes) Flush();
    text_ += first_ ? "\n" : ",\n";
    first_ = false;
  }

  // 32 digits of one that came from outside.
  std::string TraceText(uint64_t trace) const {
    const TraceId id = names_.trace ? names_.trace(trace) : TraceId{};
    return !id.is_zero() ? id.ToHex() : SpanIdToHex(trace);
  }
  std::string ActorName(uint32_t id) const { return names_.ActorText(id); }
  std::string TypeName(uint32_t type) const { return names_.TypeText(type); }
  std::string ShardName(uint16_t shard) const {
    std::string name = names_.shard ? names_.shard(shard) : "";
    return !name.empty() ? name : absl::StrCat("shard ", shard);
  }

  // Threads are numbered from 1 in the order of the tracks: some viewers take thread 0 for none.
  void AppendPlace(size_t track) {
    absl::StrAppendFormat(&text_, "\"pid\":%d,\"tid\":%d",
                          static_cast<int>(layout_.tracks[track].kind), track + 1);
  }
  // Microseconds since the earliest slice.
  void AppendMicros(uint64_t duration_ns) {
    absl::StrAppendFormat(&text_, "%d.%03d", duration_ns / 1000, duration_ns % 1000);
  }
  void AppendText(const char* key, const std::string& value) {
    absl::StrAppend(&text_, ",\"", key, "\":");
    AppendJsonString(text_, value);
  }

  void WriteTrack(size_t index) {
    const Track& track = layout_.tracks[index];
    const bool is_shard = track.kind == Track::Kind::kShard;
    if (index == 0 || layout_.tracks[index - 1].kind != track.kind) {
      WriteMetadata("process_name", index, is_shard ? "bitactor" : "outside");
    }
    WriteMetadata(
        "thread_name", index,
        is_shard ? ShardName(static_cast<uint16_t>(track.number)) : ActorName(track.number));
    BeginEvent();
    text_ += "{\"ph\":\"M\",\"name\":\"thread_sort_index\",";
    AppendPlace(index);
    absl::StrAppend(&text_, ",\"args\":{\"sort_index\":", index, "}}");
  }
  void WriteMetadata(const char* what, size_t track, const std::string& name) {
    BeginEvent();
    absl::StrAppend(&text_, "{\"ph\":\"M\",\"name\":\"", what, "\",");
    AppendPlace(track);
    text_ += ",\"args\":{\"name\":";
    AppendJsonString(text_, name);
    text_ += "}}";
  }

  void WriteSlice(const Slice& slice) {
    const SpanRecord& span = spans_[slice.record];
    const bool is_dispatch = layout_.tracks[slice.track].kind == Track::Kind::kShard;
    const std::string type = TypeName(span.type);
    const std::string target = ActorName(span.target);
    BeginEvent();
    text_ += "{\"ph\":\"X\",";
    AppendPlace(slice.track);
    text_ += ",\"ts\":";
    AppendMicros(slice.begin_ns - begin_ns_);
    text_ += ",\"dur\":";
    AppendMicros(slice.end_ns - slice.begin_ns);
    AppendText("name", is_dispatch ? absl::StrCat(target, ": ", type) : "send");
    AppendText("cat", SpanKindName(span.kind));
    absl::StrAppendFormat(&text_,
                          ",\"args\":{\"trace\":\"%s\",\"span\":\"%016x\",\"parent\":\"%016x\"",
                          TraceText(span.trace), span.span, span.parent_span);
    AppendText("source", ActorName(span.source));
    AppendText("target", target);
    AppendText("type", type);
    if (is_dispatch) {
      absl::StrAppend(&text_, ",\"queue_wait_ns\":",
                      span.start_ns > span.sent_ns ? span.start_ns - span.sent_ns : 0);
      AppendText("outcome", SpanOutcomeName(span.outcome));
    }
    text_ += "}}";
  }

  void WriteArrow(const Arrow& arrow) {
    const Slice& to = layout_.slices[arrow.to];
    const uint64_t id = spans_[to.record].span;
    const auto write_end = [&](const char* phase, size_t track, uint64_t at_ns) {
      BeginEvent();
      absl::StrAppendFormat(&text_, "{\"ph\":\"%s\",\"bp\":\"e\",", phase);
      AppendPlace(track);
      text_ += ",\"ts\":";
      AppendMicros(at_ns - begin_ns_);
      absl::StrAppendFormat(&text_, ",\"id\":\"0x%x\",\"name\":\"message\",\"cat\":\"message\"}",
                            id);
    };
    write_end("s", layout_.slices[arrow.from].track, arrow.begin_ns);
    write_end("f", to.track, arrow.end_ns);
  }

  const std::span<const SpanRecord> spans_;
  const SpanNames& names_;
  std::ostream& out_;
  const TraceLayout layout_;
  uint64_t begin_ns_ = ~uint64_t{0};
  std::string text_;
  bool first_ = true;
};

}  // namespace

absl::Status WriteChromeTrace(std::span<const SpanRecord> spans, const SpanNames& names,
                              std::ostream& out) {
  return Writer(spans, names, out).Write();
}

}  // namespace bitactor
