#include "cli/trace_journal.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "bitactor/l2_mailbox/replay.h"
#include "pipeline/chain.h"

namespace bitactor::cli {
namespace {

Hop HopOf(const ReplayedMessage& message) {
  const FrameHeader& header = message.frame().header;
  Hop hop;
  hop.span.trace = header.trace;
  hop.span.span = message.span();
  hop.span.parent_span = header.parent_span;
  hop.span.sent_ns = header.stamp_ns;
  hop.span.source = header.source;
  hop.span.target = header.target;
  hop.span.type = header.type;
  hop.span.shard = static_cast<uint16_t>(message.place().shard);
  hop.span.kind = static_cast<uint8_t>(header.kind);
  hop.timed = false;
  hop.place = message.place();
  return hop;
}

void AddNames(const FabricReplay& replay, const SpanRecord& span, SpanNameTable& names) {
  for (const uint32_t id : {span.source, span.target}) {
    const std::string_view name = replay.NameOf(ActorId{id});
    if (!name.empty()) names.actors.try_emplace(id, name);
  }
  std::string type = pipeline::TypeNameOf(span.type);
  if (!type.empty()) names.types.try_emplace(span.type, std::move(type));
}

}  // namespace

absl::StatusOr<std::vector<Hop>> JournalledTraces(const std::string& dir, const MessageQuery& query,
                                                  SpanNameTable& names, FileSystem& files) {
  absl::flat_hash_set<uint64_t> traces;
  absl::flat_hash_set<uint64_t> alone;  // spans
  for (const bool collecting : {false, true}) {
    absl::StatusOr<FabricReplay> replay = FabricReplay::Open(dir, {.skip_gaps = true}, files);
    if (!replay.ok()) return replay.status();
    std::vector<Hop> hops;
    for (const ReplayedMessage& message : *replay) {
      const uint64_t trace = message.trace();
      if (collecting) {
        if (!traces.contains(trace) && !alone.contains(message.span())) continue;
        hops.push_back(HopOf(message));
        AddNames(*replay, hops.back().span, names);
      } else if (query.Matches(static_cast<uint32_t>(message.source()), message.span())) {
        trace != 0 ? traces.insert(trace) : alone.insert(message.span());
      }
    }
    if (!replay->status().ok()) return replay->status();
    if (collecting) return hops;
  }
  return std::vector<Hop>();
}

std::vector<Hop> Joined(const std::vector<SpanRecord>& spans, const std::vector<Hop>& journalled) {
  std::vector<Hop> hops;
  hops.reserve(spans.size());
  absl::flat_hash_map<uint64_t, size_t> by_span;
  for (const SpanRecord& span : spans) {
    by_span.try_emplace(span.span, hops.size());
    hops.push_back({.span = span, .timed = true, .place = std::nullopt});
  }
  for (const Hop& hop : journalled) {
    const auto found = by_span.find(hop.span.span);
    if (found == by_span.end()) {
      hops.push_back(hop);
    } else {
      hops[found->second].place = hop.place;
    }
  }
  return hops;
}

}  // namespace bitactor::cli
