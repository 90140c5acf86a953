#include "bitactor/tracing/span_names.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor {
namespace {

std::string Find(const std::map<uint32_t, std::string>& table, uint32_t id) {
  const auto found = table.find(id);
  return found != table.end() ? found->second : std::string();
}

}  // namespace

std::string SpanNames::ActorText(uint32_t id) const {
  std::string name = actor ? actor(id) : "";
  return !name.empty() ? name : absl::StrCat("actor ", id);
}

std::string SpanNames::TypeText(uint32_t type_id) const {
  std::string name = type ? type(type_id) : "";
  return !name.empty() ? name : absl::StrFormat("type 0x%08x", type_id);
}

const char* SpanKindName(uint8_t kind) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kNone:
      break;
    case FrameKind::kCast:
      return "cast";
    case FrameKind::kCall:
      return "call";
    case FrameKind::kReply:
      return "reply";
    case FrameKind::kTimer:
      return "timer";
    case FrameKind::kSystem:
      return "system";
    case FrameKind::kBlock:
      return "block";
    case FrameKind::kRecord:
      return "record";
    case FrameKind::kFooter:
      return "footer";
    case FrameKind::kGap:
      return "gap";
  }
  return "unknown";
}

SpanNames SpanNameTable::Lookup() const {
  return SpanNames{.actor = [this](uint32_t id) { return Find(actors, id); },
                   .type = [this](uint32_t type) { return Find(types, type); },
                   .shard = nullptr,
                   .trace =
                       [this](uint64_t trace) {
                         const auto found = traces.find(trace);
                         return found != traces.end() ? found->second.trace_id : TraceId{};
                       }};
}

TraceId SpanNameTable::TraceIdOf(uint64_t trace) const {
  const auto found = traces.find(trace);
  return found != traces.end() ? found->second.trace_id : TraceId{0, trace};
}

bool SpanNameTable::IsRoot(uint64_t trace, uint64_t parent_span) const {
  if (parent_span == 0) return true;
  const auto found = traces.find(trace);
  return found != traces.end() && found->second.parent_id == parent_span;
}

}  // namespace bitactor
