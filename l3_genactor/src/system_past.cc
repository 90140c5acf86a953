// What a system knows of its past: snapshots, retention, and the journals that a replay reads.
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/system.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"

namespace bitactor {

absl::Status System::ReadPast(const ReplaySpec& spec,
                              std::map<uint32_t, internal::NameRecord>& names) {
  std::optional<internal::Cut> cut;
  std::map<uint32_t, internal::Cut::End> ends;
  if (spec.until.has_value()) {
    absl::StatusOr<internal::Cut> at =
        internal::Cut::At(*spec.files, spec.journal_dir, *spec.until);
    if (!at.ok()) return at.status();
    cut = *at;
    absl::StatusOr<std::map<uint32_t, internal::Cut::End>> found =
        cut->Ends(*spec.files, spec.journal_dir);
    if (!found.ok()) return found.status();
    ends = *std::move(found);
  }
  if (spec.from_snapshots) {
    found_ =
        internal::FindSnapshot(*spec.files, spec.journal_dir, cut.has_value() ? &ends : nullptr);
  }
  std::map<uint32_t, JournalPlace> from;
  if (found_.snapshot.has_value()) {
    recovery_.BeginWith(std::exchange(found_.snapshot->actors, {}));
    for (const internal::NameRecord& name : found_.snapshot->names) names[name.id] = name;
    from = found_.snapshot->need_from;
  }
  const auto visit = [&](const RecoveredFrame& recovered) {
    if (cut.has_value() && !cut->Contains(recovered)) return false;
    ++recovered_frames_;
    recovery_.Note(recovered);
    const FrameHeader& header = recovered.frame.header;
    if (header.kind == FrameKind::kSystem && header.type == TypeId<internal::NameRecord>()) {
      const auto name = Message(recovered.frame).As<internal::NameRecord>();
      names[name.id] = name;
    }
    return true;
  };
  absl::StatusOr<std::vector<uint32_t>> journals = ListShardJournals(*spec.files, spec.journal_dir);
  if (!journals.ok()) return journals.status();
  if (journals->empty()) return internal::NoJournalsError(spec.journal_dir);
  for (const uint32_t journal : *journals) {
    const std::string dir = ShardJournalDir(spec.journal_dir, journal);
    absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, *spec.files);
    if (!reader.ok()) return reader.status();
    const auto place = from.find(journal);
    if (place == from.end()) {
      absl::StatusOr<JournalStat> stat = StatJournal(dir, *spec.files);
      if (!stat.ok()) return stat.status();
      if (stat->first > Position::Begin()) {
        return absl::DataLossError(absl::StrCat(dir, ": the records before position ",
                                                stat->first.ToString(),
                                                " were removed, and no snapshot tells what they "
                                                "did up to the place asked for; ask for a "
                                                "later one"));
      }
    }
    const JournalPlace begin = place != from.end() ? place->second : JournalPlace{};
    const absl::Status scanned =
        internal::ScanJournal(*reader, journal, begin.position, begin.boot, visit);
    if (!scanned.ok()) return scanned;
  }
  return absl::OkStatus();
}

absl::Status System::CheckSnapshots() const {
  if (snapshotter_ != nullptr && !fabric_->stopped()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      replaying_                ? "a replay takes no snapshots and removes nothing"
      : snapshotter_ != nullptr ? "the system has stopped: snapshots are of a running one"
                                : "nothing is journalled: name a folder in SystemOptions::durable");
}

absl::StatusOr<SnapshotReport> System::Snapshot() {
  if (absl::Status status = CheckSnapshots(); !status.ok()) return status;
  return snapshotter_->Take();
}

absl::StatusOr<std::vector<RetentionReport>> System::Retain(const RetentionOptions& options) {
  if (absl::Status status = CheckSnapshots(); !status.ok()) return status;
  return snapshotter_->Retain(options);
}

absl::Status System::SnapshotStatus() const {
  return snapshotter_ != nullptr ? snapshotter_->last_status() : found_.not_used;
}

void System::AskForSnapshot() { snapshotter_->Ask(); }

}  // namespace bitactor
