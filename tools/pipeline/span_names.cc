#include "pipeline/span_names.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "bitactor/tracing/chrome_export.h"
#include "pipeline/chain.h"

namespace bitactor::pipeline {
namespace {

absl::Status NotWritable(const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": cannot be written: ", std::strerror(errno),
                   "; name a file in a folder that exists and may be written"));
}

}  // namespace

SpanNameTable NamesOf(System& system, const std::vector<SpanRecord>& spans) {
  SpanNameTable names;
  const auto add_actor = [&](uint32_t id) {
    if (names.actors.contains(id)) return;
    if (IsPort(ActorId{id})) {
      const uint32_t port = id & ~kPortIdBit;
      names.actors[id] = port < system.fabric().shards() ? absl::StrCat("shard ", port, " itself")
                                                         : absl::StrCat("port ", port);
    } else if (const std::string name = system.fabric().NameOf(ActorId{id}); !name.empty()) {
      names.actors[id] = name;
    }
  };
  for (const SpanRecord& span : spans) {
    add_actor(span.source);
    add_actor(span.target);
    if (!names.traces.contains(span.trace)) {
      const std::optional<TraceRoot> root = system.fabric().trace_roots().Find(span.trace);
      if (root.has_value()) names.traces[span.trace] = root->context;
    }
    if (!names.types.contains(span.type)) {
      if (const std::string name = TypeNameOf(span.type); !name.empty())
        names.types[span.type] = name;
    }
  }
  return names;
}

absl::Status CheckWritable(const std::string& path) {
  std::ofstream out(path, std::ios::app);
  return out ? absl::OkStatus() : NotWritable(path);
}

absl::Status WriteChromeTraceFile(const std::string& path, const std::vector<SpanRecord>& spans,
                                  const SpanNameTable& names) {
  std::ofstream out(path, std::ios::trunc);
  if (!out) return NotWritable(path);
  if (absl::Status status = WriteChromeTrace(spans, names.Lookup(), out); !status.ok())
    return status;
  out.close();
  return out ? absl::OkStatus() : NotWritable(path);
}

}  // namespace bitactor::pipeline
