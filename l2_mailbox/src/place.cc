#include "bitactor/l2_mailbox/place.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/persistence/journal_reader.h"

namespace bitactor {

absl::StatusOr<Place> Place::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  uint32_t shard = 0;
  uint64_t position = 0;
  if (colon == std::string_view::npos ||
      !absl::SimpleAtoi(absl::string_view(text.data(), colon), &shard) ||
      !absl::SimpleAtoi(absl::string_view(text.data() + colon + 1, text.size() - colon - 1),
                        &position) ||
      shard >= internal::kMaxShards) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", absl::string_view(text.data(), text.size()),
        "\" is no place in a journal set: write SHARD:POSITION, for example 0:4711; SHARD is 0 to ",
        internal::kMaxShards - 1, ", POSITION as `bitactor journal dump` shows it"));
  }
  return Place{shard, Position(position)};
}

std::string Place::ToString() const { return absl::StrCat(shard, ":", position.ToString()); }

namespace internal {

absl::StatusOr<Cut> Cut::At(FileSystem& files, const std::string& set_dir, const Place& place) {
  Cut cut;
  cut.place = place;
  uint64_t greatest_before_ns = 0;
  std::optional<uint64_t> stamp_at_place_ns;
  Position last;
  bool has_journal = false;
  const absl::Status scanned = ScanJournals(files, set_dir, [&](const RecoveredFrame& recovered) {
    if (recovered.journal != place.shard) return false;
    has_journal = true;
    last = recovered.position;
    if (recovered.position < place.position) {
      greatest_before_ns = std::max(greatest_before_ns, recovered.frame.header.stamp_ns);
      return true;
    }
    if (recovered.position == place.position) {
      stamp_at_place_ns = recovered.frame.header.stamp_ns;
    }
    return false;
  });
  if (!scanned.ok()) return scanned;
  if (!has_journal) {
    return absl::InvalidArgumentError(
        absl::StrCat(set_dir, ": shard ", place.shard, " has no journal in this set"));
  }
  if (!stamp_at_place_ns.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(set_dir, ": no frame begins at ", place.shard, ":", place.position.ToString(),
                     "; the nearest one that was looked at is at ", place.shard, ":",
                     last.ToString(), "; `bitactor journal dump` lists the positions"));
  }
  cut.bound_ns = std::max(*stamp_at_place_ns, greatest_before_ns + 1);
  return cut;
}

absl::StatusOr<std::map<uint32_t, Cut::End>> Cut::Ends(FileSystem& files,
                                                       const std::string& set_dir) const {
  absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(files, set_dir);
  if (!shards.ok()) return shards.status();
  std::map<uint32_t, End> ends;
  for (const uint32_t shard : *shards) {
    if (shard == place.shard) {
      ends[shard] = {place.position};
      continue;
    }
    absl::StatusOr<JournalReader> reader =
        JournalReader::Open(ShardJournalDir(set_dir, shard), files);
    if (!reader.ok()) return reader.status();
    History history = reader->Replay();
    const Record* record = history.Next();
    while (record != nullptr && record->frame().header.stamp_ns < bound_ns) record = history.Next();
    if (!history.status().ok()) return history.status();
    ends[shard] = record != nullptr ? End{record->position()} : End{history.next_position(), true};
  }
  return ends;
}

}  // namespace internal
}  // namespace bitactor
