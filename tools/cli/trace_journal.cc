#include "cli/trace_journal.h"

#include <cstring>
#include <functional>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "cli/journal_merge.h"

namespace bitactor::cli {
namespace {

Hop HopOf(const PlacedRecord& placed) {
  const FrameHeader& header = placed.record->frame().header;
  Hop hop;
  hop.span.trace = header.trace;
  hop.span.span = SpanIdOf(header.source, header.message_id);
  hop.span.parent_span = header.parent_span;
  hop.span.sent_ns = header.stamp_ns;
  hop.span.source = header.source;
  hop.span.target = header.target;
  hop.span.type = header.type;
  hop.span.shard = static_cast<uint16_t>(placed.shard);
  hop.span.kind = static_cast<uint8_t>(header.kind);
  hop.timed = false;
  hop.place = Place{placed.shard, placed.record->position()};
  return hop;
}

// Calls `visit` for every record.
absl::Status VisitAll(const std::string& dir, FileSystem& files,
                      const std::function<void(const PlacedRecord&)>& visit) {
  absl::StatusOr<JournalMerge> merge = JournalMerge::Open(files, dir, RecordFilter{});
  if (!merge.ok()) return merge.status();
  while (const std::optional<PlacedRecord> placed = merge->Next()) visit(*placed);
  return merge->status();
}

void NoteName(const Record& record, SpanNameTable& names) {
  internal::NameRecord given;
  if (record.frame().header.type != TypeId<internal::NameRecord>() ||
      record.bytes().size() != sizeof(given)) {
    return;
  }
  std::memcpy(&given, record.bytes().data(), sizeof(given));
  names.actors.try_emplace(given.id, given.name_view());
}

}  // namespace

absl::StatusOr<std::vector<Hop>> JournalledTraces(const std::string& dir, const MessageQuery& query,
                                                  SpanNameTable& names, FileSystem& files) {
  absl::flat_hash_set<uint64_t> traces;
  absl::flat_hash_set<uint64_t> alone;  // spans
  absl::Status status = VisitAll(dir, files, [&](const PlacedRecord& placed) {
    const FrameHeader& header = placed.record->frame().header;
    NoteName(*placed.record, names);
    const uint64_t span = SpanIdOf(header.source, header.message_id);
    if (!query.Matches(header.source, span)) return;
    header.trace != 0 ? traces.insert(header.trace) : alone.insert(span);
  });
  if (!status.ok()) return status;
  std::vector<Hop> hops;
  if (traces.empty() && alone.empty()) return hops;
  status = VisitAll(dir, files, [&](const PlacedRecord& placed) {
    const FrameHeader& header = placed.record->frame().header;
    if (traces.contains(header.trace) ||
        (!alone.empty() && alone.contains(SpanIdOf(header.source, header.message_id)))) {
      hops.push_back(HopOf(placed));
    }
  });
  if (!status.ok()) return status;
  return hops;
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
