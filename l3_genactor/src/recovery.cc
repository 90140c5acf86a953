#include "bitactor/l3_genactor/recovery.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor {

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

void Recovery::Note(const RecoveredFrame& recovered) {
  const FrameHeader& header = recovered.frame.header;
  if (header.target == 0 || IsPort(ActorId{header.target})) return;
  std::unique_ptr<ActorHistory>& history = histories_[header.target];
  if (history == nullptr) history = std::make_unique<ActorHistory>();
  history->frames.push_back({recovered.boot, recovered.journal, recovered.position});
  if (header.kind == FrameKind::kSystem && header.type == TypeId<CrashRecord>()) {
    CrashRecord record;
    std::memcpy(&record, recovered.frame.payload, sizeof(record));
    if (record.message_id != 0) {
      history->crashes[{record.source, record.message_id}] = record.next_sequence;
    }
  }
}

void Recovery::Finish() {
  for (auto& [id, history] : histories_) {
    std::stable_sort(history->frames.begin(), history->frames.end(),
                     [](const FrameRef& a, const FrameRef& b) {
                       return std::tuple(a.boot, a.journal, a.position) <
                              std::tuple(b.boot, b.journal, b.position);
                     });
  }
}

ActorHistory* Recovery::HistoryOf(ActorId id) {
  const auto found = histories_.find(static_cast<uint32_t>(id));
  return found != histories_.end() ? found->second.get() : nullptr;
}

absl::StatusOr<Frame> Recovery::Reader::Read(const FrameRef& ref) {
  std::unique_ptr<History>& history = histories_[ref.journal];
  if (history == nullptr) {
    absl::StatusOr<JournalReader> reader =
        JournalReader::Open(ShardJournalDir(set_dir_, ref.journal), *files_);
    if (!reader.ok()) return reader.status();
    history = std::make_unique<History>(reader->Replay({.from = ref.position}));
  } else {
    history->Seek(ref.position);
  }
  const Record* record = history->Next();
  if (record != nullptr && record->position() == ref.position) return record->frame();
  if (!history->status().ok()) return history->status();
  return absl::DataLossError(absl::StrCat(ShardJournalDir(set_dir_, ref.journal), ": position ",
                                          ref.position.ToString(),
                                          " no longer reads as it did at the start; run `bitactor "
                                          "journal verify ",
                                          set_dir_, "`"));
}

}  // namespace internal
}  // namespace bitactor
