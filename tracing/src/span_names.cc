#include "bitactor/tracing/span_names.h"

namespace bitactor {
namespace {

std::string Find(const std::map<uint32_t, std::string>& table, uint32_t id) {
  const auto found = table.find(id);
  return found != table.end() ? found->second : std::string();
}

}  // namespace

SpanNames SpanNameTable::Lookup() const {
  return SpanNames{.actor = [this](uint32_t id) { return Find(actors, id); },
                   .type = [this](uint32_t type) { return Find(types, type); },
                   .shard = nullptr,
                   .trace = [this](uint64_t trace) { return TraceIdOf(trace); }};
}

TraceId SpanNameTable::TraceIdOf(uint64_t trace) const {
  const auto found = traces.find(trace);
  return found != traces.end() ? found->second.trace_id : TraceId{0, trace};
}

}  // namespace bitactor
