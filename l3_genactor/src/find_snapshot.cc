// Which snapshot fits the journals.
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l3_genactor/snapshotter.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/snapshot_store.h"
#include "snapshot_dir.h"

namespace bitactor::internal {
namespace {

// The journal has the mark where the snapshot knows it, so all before that is what the snapshot knows.
absl::Status CheckMark(FileSystem& files, const std::string& set_dir, const FrameRef& at,
                       uint64_t number) {
  const std::string dir = ShardJournalDir(set_dir, at.journal);
  absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files);
  if (!reader.ok()) return reader.status();
  History history = reader->Replay({.from = at.position});
  const Record* record = history.Next();
  if (record != nullptr && record->frame().header.kind == FrameKind::kSystem &&
      record->frame().header.type == TypeId<SnapshotMark>()) {
    SnapshotMark mark;
    std::memcpy(&mark, record->frame().payload, sizeof(mark));
    if (mark.number == number && mark.boot == at.boot) return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(dir, ": the mark of snapshot ", number,
                                          " is not at position ", at.position.ToString(),
                                          ": the snapshot is of another journal"));
}

absl::Status CheckFits(FileSystem& files, const std::string& set_dir,
                       const SystemSnapshot& snapshot) {
  for (const auto& [journal, at] : snapshot.marks) {
    if (absl::Status fits = CheckMark(files, set_dir, at, snapshot.number); !fits.ok()) return fits;
  }
  for (const auto& [journal, from] : snapshot.need_from) {
    const std::string dir = ShardJournalDir(set_dir, journal);
    absl::StatusOr<JournalStat> stat = StatJournal(dir, files);
    if (!stat.ok()) return stat.status();
    if (stat->first <= from.position) continue;
    return absl::DataLossError(absl::StrCat(dir, ": snapshot ", snapshot.number,
                                            " needs the records from position ",
                                            from.position.ToString(), " on, but those before ",
                                            stat->first.ToString(), " were removed"));
  }
  return absl::OkStatus();
}

bool IsBefore(const SystemSnapshot& snapshot, const std::map<uint32_t, Cut::End>& ends) {
  for (const auto& [journal, at] : snapshot.marks) {
    const auto end = ends.find(journal);
    if (end == ends.end() || at.position >= end->second.position) return false;
  }
  return true;
}

}  // namespace

std::string ActorSnapshotDir(const std::string& set_dir) { return set_dir + "/actors"; }

FoundSnapshot FindSnapshot(FileSystem& files, const std::string& set_dir,
                           const std::map<uint32_t, Cut::End>* ends) {
  FoundSnapshot found;
  absl::StatusOr<SnapshotStore> store =
      SnapshotStore::Open(ActorSnapshotDir(set_dir), {.read_only = true, .files = &files});
  if (absl::IsNotFound(store.status())) return found;
  if (!store.ok()) {
    found.not_used = store.status();
    return found;
  }
  for (Position last = Position::None();;) {
    const absl::StatusOr<Snapshot> file = store->LatestBefore(kActorSnapshotKey, last);
    if (absl::IsNotFound(file.status())) return found;
    if (!file.ok()) {
      found.not_used.Update(file.status());
      return found;
    }
    for (const absl::Status& damaged : file->passed_over) found.not_used.Update(damaged);
    absl::StatusOr<SystemSnapshot> snapshot = SystemSnapshot::FromBytes(file->state);
    absl::Status fits = snapshot.status();
    if (fits.ok()) fits = CheckFits(files, set_dir, *snapshot);
    if (!fits.ok()) {
      found.not_used.Update(fits);
    } else if (ends == nullptr || IsBefore(*snapshot, *ends)) {
      found.snapshot = *std::move(snapshot);
      found.place = file->position;
      return found;
    }
    if (file->position.value() == 0) return found;
    last = Position(file->position.value() - 1);
  }
}

}  // namespace bitactor::internal
