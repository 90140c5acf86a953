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
                   .shard = nullptr};
}

}  // namespace bitactor
