#include "recovery.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lost_and_found.h"
#include "retired.h"

namespace bitactor::internal {
namespace {

absl::StatusOr<RecoveredJournal> StartJournal(const SegmentMaker& maker) {
  // With its header on the disk: whatever is lost later, it is known whose journal this is, and since
  // when.
  SegmentMaker first = maker;
  first.syncs = true;
  absl::StatusOr<Segment> segment = first.Make(0);
  if (!segment.ok()) return segment.status();
  RecoveredJournal fresh;
  fresh.segment = *std::move(segment);
  fresh.tail = fresh.segment.view().begin + 1;
  fresh.sums = SumsAtBegin(fresh.segment.view(), Seal{});
  fresh.report.closed_clean = true;
  fresh.report.tail = Position(fresh.tail);
  return fresh;
}

// Whole records from `unit` on, whatever is between them.
uint64_t CountRecords(const SegmentView& view, uint64_t unit) {
  uint64_t records = 0;
  while (unit < view.units) {
    const Slot slot = view.ReadSlot(unit);
    if (slot.kind == SlotKind::kRecord) ++records;
    unit += std::max<uint64_t>(slot.units, 1);
  }
  return records;
}

// Moves the segments behind `kept` to lost+found, the last one first; those that were only made ahead
// are removed.
absl::Status MoveSegmentsBehind(FileSystem& files, const std::string& dir,
                                const std::vector<uint32_t>& segments, uint32_t kept,
                                RecoveryReport& report) {
  const std::string lost = JoinPath(dir, kLostAndFoundName);
  bool changed = false;
  for (auto index = segments.rbegin(); index != segments.rend() && *index > kept; ++index) {
    changed = true;
    const std::string path = SegmentPath(dir, *index);
    const absl::StatusOr<Segment> segment = OpenSegment(files, dir, *index, File::Access::kRead);
    if (segment.ok() && segment->view().EndOfBytes(1) == 1) {
      if (absl::Status status = files.Remove(path); !status.ok()) return status;
      continue;
    }
    if (absl::Status status = files.CreateDir(lost); !status.ok()) return status;
    std::string to;
    for (int copy = 0;; ++copy) {
      to = JoinPath(lost, absl::StrFormat("%08d-%d.seg", *index, copy));
      absl::StatusOr<bool> exists = files.Exists(to);
      if (!exists.ok()) return exists.status();
      if (!*exists) break;
    }
    if (segment.ok()) {
      const SegmentView view = segment->view();
      report.torn_bytes += (view.EndOfBytes(1) - 1) * kFrameUnitBytes;
      report.dropped_records += CountRecords(view, 1);
    }
    ++report.lost_segments;
    if (absl::Status status = files.Rename(path, to); !status.ok()) return status;
  }
  if (!changed) return absl::OkStatus();
  // Before anything new has one of their names, they must not come back under it.
  absl::Status status = report.lost_segments > 0 ? files.SyncDirectory(lost) : absl::OkStatus();
  if (status.ok()) status = files.SyncDirectory(dir);
  return status;
}

// Copies what is behind the end to lost+found and zeroes it.
absl::Status CutBehind(FileSystem& files, const std::string& dir, const Segment& segment,
                       uint64_t end_unit, RecoveryReport& report) {
  const SegmentView view = segment.view();
  const uint64_t end = view.EndOfBytes(end_unit);
  if (end == end_unit) return absl::OkStatus();
  absl::StatusOr<std::string> copy =
      KeepCopy(files, dir, *segment.file, end_unit * kFrameUnitBytes,
               (end - end_unit) * kFrameUnitBytes, view.begin + end_unit, "torn");
  if (!copy.ok()) return copy.status();
  report.torn_copy = *copy;
  report.torn_bytes += (end - end_unit) * kFrameUnitBytes;
  report.dropped_records += CountRecords(view, end_unit);
  std::memset(segment.mapping->data() + end_unit * kFrameUnitBytes, 0,
              (end - end_unit) * kFrameUnitBytes);
  // Or a power loss could bring it back behind what is appended from here on.
  return segment.file->Sync();
}

// Whether nobody wrote the journal since the machine was started: then what is in the files came from
// the disk. Every opening for writing leaves the boot id in the cut or in a segment.
bool MachineRestarted(FileSystem& files, const std::string& dir,
                      const std::vector<uint32_t>& segments, const CutEntry* cut) {
  const uint64_t now = files.BootId();
  if (cut != nullptr && cut->boot_id == now) return false;
  for (auto index = segments.rbegin(); index != segments.rend(); ++index) {
    const absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(files, dir, *index);
    if (header.ok()) return header->boot_id != now;
  }
  return false;  // not known: the first segment's header was on the disk before it had a name
}

absl::Status CheckOwner(const SegmentMaker& maker, const std::vector<uint32_t>& segments) {
  for (const uint32_t index : segments) {
    const absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(*maker.files, maker.dir, index);
    if (!header.ok() || header->owner_number == maker.owner_number) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        maker.dir, ": this journal belongs to owner number ", header->owner_number, ", not to ",
        maker.owner_number, ": give that number, or name another directory"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Ending> FindEnding(FileSystem& files, const std::string& dir,
                                  const std::vector<uint32_t>& segments, const CutEntry* cut,
                                  bool machine_restarted) {
  const uint64_t acknowledged = cut != nullptr ? cut->tail : 0;
  if (!machine_restarted) return FindEnd(files, dir, segments.back(), acknowledged);
  if (cut != nullptr && cut->level != kLevelProcess) {
    return FindEndAtCut(files, dir, segments, std::max(acknowledged, kFirstPosition));
  }
  return FindEndOfSoundBeginning(files, dir, segments, acknowledged);
}

}  // namespace

absl::StatusOr<RecoveredJournal> RecoverJournal(const SegmentMaker& maker, const CutEntry* cut) {
  FileSystem& files = *maker.files;
  const std::string& dir = maker.dir;
  absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files, dir);
  if (!segments.ok()) return segments.status();
  if (absl::Status status = CheckNoneMissing(files, dir, *segments); !status.ok()) return status;
  if (segments->empty()) {
    if (cut == nullptr || cut->tail <= kFirstPosition) return StartJournal(maker);
    return DamageError(dir, absl::StrCat(SegmentPath(dir, 0),
                                         ": this segment is missing, but all "
                                         "before position ",
                                         cut->tail, " was acknowledged as durable"));
  }
  const std::string unfinished = JoinPath(dir, kUnfinishedName);
  absl::StatusOr<bool> has_unfinished = files.Exists(unfinished);
  if (!has_unfinished.ok()) return has_unfinished.status();
  if (absl::Status status = CheckOwner(maker, *segments); !status.ok()) return status;
  absl::StatusOr<Retired> retired = ReadRetired(files, dir);
  if (!retired.ok()) return retired.status();
  const bool machine_restarted = MachineRestarted(files, dir, *segments, cut);
  absl::StatusOr<Ending> ending = FindEnding(files, dir, *segments, cut, machine_restarted);
  if (!ending.ok()) return ending.status();

  // From here on the journal is sound, and the disk is changed.
  RecoveryReport report;
  report.existed = true;
  report.machine_restarted = machine_restarted;
  if (cut != nullptr) report.acknowledged = Position(cut->tail);
  const uint32_t kept = ending->segment.header.segment_index;
  report.segments = kept + 1;
  if (absl::Status status = MoveSegmentsBehind(files, dir, *segments, kept, report); !status.ok()) {
    return status;
  }
  if (absl::Status status = RemoveRetired(files, dir, *retired); !status.ok()) return status;
  if (*has_unfinished) {
    if (absl::Status status = files.Remove(unfinished); !status.ok()) return status;
  }
  absl::StatusOr<Segment> segment = OpenSegment(files, dir, kept, File::Access::kReadWrite);
  if (!segment.ok()) return segment.status();
  const SegmentScan& scan = ending->scan;
  if (absl::Status status = CutBehind(files, dir, *segment, scan.end_unit, report); !status.ok()) {
    return status;
  }
  RecoveredJournal recovered;
  recovered.segment = *segment;
  recovered.tail = segment->view().begin + scan.end_unit;
  recovered.sealed = scan.sealed || (scan.end_unit == 1 && kept > 0);
  recovered.sums = scan.sums;
  recovered.synced = machine_restarted ? recovered.tail : cut != nullptr ? cut->tail : 0;
  // Before the first segment there is nothing to sync; its header was synced before those went.
  if (retired->first_segment > 0) {
    recovered.synced =
        std::max(recovered.synced, retired->first_segment * segment->view().units + kFirstPosition);
  }
  report.closed_clean = recovered.sealed && report.torn_bytes == 0 && report.lost_segments == 0;
  report.records_scanned = scan.sums.records;
  report.tail = Position(recovered.tail);
  recovered.report = std::move(report);
  return recovered;
}

}  // namespace bitactor::internal

namespace bitactor {

std::string RecoveryReport::ToString() const {
  if (!existed) return "new journal";
  std::string text =
      absl::StrCat(closed_clean ? "closed cleanly" : "not closed", ", tail at ", tail.ToString());
  if (machine_restarted) absl::StrAppend(&text, ", the machine was restarted since");
  if (!torn_copy.empty()) {
    absl::StrAppend(&text, ", a torn tail of ", torn_bytes, " bytes was cut and kept in ",
                    torn_copy);
  }
  if (lost_segments != 0) {
    absl::StrAppend(&text, ", ", lost_segments, " segments behind it were moved to lost+found");
  }
  if (dropped_records != 0) {
    absl::StrAppend(&text, ", with ", dropped_records, " records that were not acknowledged");
  }
  return text;
}

}  // namespace bitactor
