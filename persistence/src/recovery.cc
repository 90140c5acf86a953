#include "recovery.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "retired.h"

namespace bitactor::internal {
namespace {

// Copies bytes [unit, end) of the segment to lost+found, onto the disk; returns the copy's path.
absl::StatusOr<std::string> KeepTornBytes(FileSystem& files, const std::string& dir,
                                          const SegmentView& view, uint64_t unit, uint64_t end) {
  const std::string lost = JoinPath(dir, kLostAndFoundName);
  if (absl::Status status = files.CreateDir(lost); !status.ok()) return status;
  for (int copy = 0;; ++copy) {
    const std::string path =
        JoinPath(lost, absl::StrFormat("position-%d-%d.torn", view.begin + unit, copy));
    absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kCreateNew);
    if (absl::IsAlreadyExists(file.status())) continue;
    if (!file.ok()) return file.status();
    absl::Status status =
        (*file)->WriteAt(0, {view.data + unit * kFrameUnitBytes, (end - unit) * kFrameUnitBytes});
    if (status.ok()) status = (*file)->Sync();
    if (status.ok()) status = files.SyncDirectory(lost);
    if (!status.ok()) return status;
    return path;
  }
}

// Why a journal whose scan ended at `unit`, before the end of its bytes, cannot be opened; OK if
// that is a torn tail.
absl::Status CheckTornTail(const std::string& dir, const Segment& segment, const SegmentScan& scan,
                           uint64_t end) {
  const SegmentView view = segment.view();
  const std::string path = SegmentPath(dir, segment.header.segment_index);
  if (scan.bad_seal_unit != 0) {
    const Seal found = DecodeSeal(view.FrameAt(scan.bad_seal_unit));
    return DamageError(
        dir, absl::StrFormat("%s: the seal here does not agree with the records before it: it "
                             "covers %d records with chain %08x, found %d with %08x",
                             Place(path, view, scan.bad_seal_unit), found.records, found.chain,
                             scan.sums.records, scan.sums.chain));
  }
  const uint64_t valid = view.FindValid(scan.end_unit + 1);
  if (scan.end_unit >= end || valid >= end) return absl::OkStatus();
  const bool written = view.CommitWordAt(scan.end_unit) != 0;
  return DamageError(
      dir, absl::StrCat(Place(path, view, scan.end_unit), ": ",
                        written ? "no valid record here" : "nothing written here",
                        ", but the record behind it at offset ", valid * kFrameUnitBytes,
                        " (position ", view.begin + valid, ") is whole: this is no torn tail"));
}

absl::StatusOr<RecoveredJournal> StartJournal(const SegmentMaker& maker) {
  absl::StatusOr<Segment> segment = maker.Make(0);
  if (!segment.ok()) return segment.status();
  RecoveredJournal fresh;
  fresh.segment = *std::move(segment);
  fresh.tail = fresh.segment.view().begin + 1;
  fresh.sums = SumsAtBegin(fresh.segment.view(), Seal{});
  fresh.report.closed_clean = true;
  fresh.report.tail = Position(fresh.tail);
  return fresh;
}

}  // namespace

Seal SumsAtBegin(const SegmentView& view, const Seal& previous) {
  return {.records = 0,
          .first_record = view.begin,
          .last_record = view.begin,
          .last_stamp_ns = previous.last_stamp_ns,
          .chain = previous.chain,
          .known = previous.known};
}

SegmentScan ScanSegment(const SegmentView& view, const Seal& before) {
  SegmentScan scan;
  scan.sums = SumsAtBegin(view, before);
  while (scan.end_unit < view.units) {
    const Slot slot = view.ReadSlot(scan.end_unit);
    if (slot.kind == SlotKind::kSeal) {
      const Seal seal = DecodeSeal(view.FrameAt(scan.end_unit));
      if (scan.sums.known && seal != scan.sums) {
        scan.bad_seal_unit = scan.end_unit;
        return scan;
      }
      scan.sums = seal;
      scan.sealed = true;
    } else if (slot.kind == SlotKind::kRecord) {
      scan.sealed = false;
      scan.sums.Add(view.begin + scan.end_unit, view.FrameAt(scan.end_unit).stamp_ns,
                    slot.commit_word);
    } else if (slot.kind == SlotKind::kBlock) {
      scan.sealed = false;
    } else if (slot.kind == SlotKind::kGap) {
      scan.sealed = false;
      scan.sums.known = false;
    } else {
      break;
    }
    scan.end_unit += slot.units;
  }
  return scan;
}

std::optional<Seal> EndSeal(const SegmentView& view) {
  const uint64_t last = view.units - 1;
  const SlotKind kind = view.ReadSlot(last).kind;
  if (kind == SlotKind::kSeal) return DecodeSeal(view.FrameAt(last));
  if (kind != SlotKind::kGap) return std::nullopt;
  const Gap gap = DecodeGap(view.FrameAt(last));
  return Seal{.records = gap.records,
              .first_record = view.begin,
              .last_record = view.begin,
              .last_stamp_ns = gap.last_stamp_ns,
              .chain = 0,
              .known = false};
}

namespace {

// kNotFound: a segment that is needed is missing, or was retired since `retired` was read.
absl::StatusOr<TailSegment> FindTailBehind(FileSystem& files, const std::string& dir,
                                           const Retired& retired, uint32_t last_index) {
  absl::StatusOr<Segment> segment = OpenSegment(files, dir, last_index, File::Access::kRead);
  if (!segment.ok()) return segment.status();
  for (uint32_t index = last_index;; --index) {
    if (index <= retired.first_segment) return TailSegment{*std::move(segment), retired.last};
    absl::StatusOr<Segment> previous = OpenSegment(files, dir, index - 1, File::Access::kRead);
    if (!previous.ok()) return previous.status();
    if (const std::optional<Seal> seal = EndSeal(previous->view())) {
      return TailSegment{*std::move(segment), *seal};
    }
    const SegmentView view = segment->view();
    if (view.EndOfBytes(1) != 1) {
      // A live writer may have gone on to this segment just now; it seals first.
      if (const std::optional<Seal> seal = EndSeal(previous->view())) {
        return TailSegment{*std::move(segment), *seal};
      }
      return DamageError(
          dir, absl::StrCat(
                   Place(SegmentPath(dir, index - 1), previous->view(), previous->view().units - 1),
                   ": the segment does not end with a seal, but the next one, ",
                   SegmentPath(dir, index), ", has been written to"));
    }
    segment = std::move(previous);
  }
}

}  // namespace

absl::StatusOr<TailSegment> FindTailSegment(FileSystem& files, const std::string& dir,
                                            uint32_t last_index) {
  for (std::optional<uint32_t> first;;) {
    absl::StatusOr<Retired> retired = ReadRetired(files, dir);
    if (!retired.ok()) return retired.status();
    // More may have been retired since the segments were listed.
    last_index = std::max(last_index, retired->first_segment);
    absl::StatusOr<TailSegment> tail = FindTailBehind(files, dir, *retired, last_index);
    if (!absl::IsNotFound(tail.status()) || first == retired->first_segment) return tail;
    first = retired->first_segment;
  }
}

absl::StatusOr<RecoveredJournal> RecoverJournal(const SegmentMaker& maker) {
  FileSystem& files = *maker.files;
  const std::string& dir = maker.dir;
  absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files, dir);
  if (!segments.ok()) return segments.status();
  const std::string unfinished = JoinPath(dir, kUnfinishedName);
  absl::StatusOr<bool> has_unfinished = files.Exists(unfinished);
  if (!has_unfinished.ok()) return has_unfinished.status();
  if (absl::Status status = CheckNoneMissing(files, dir, *segments); !status.ok()) return status;
  if (segments->empty()) return StartJournal(maker);

  absl::StatusOr<Retired> retired = ReadRetired(files, dir);
  if (!retired.ok()) return retired.status();
  absl::StatusOr<TailSegment> last = FindTailSegment(files, dir, segments->back());
  if (!last.ok()) return last.status();
  const SegmentHeader& header = last->segment.header;
  if (header.owner_number != maker.owner_number) {
    return absl::FailedPreconditionError(absl::StrCat(
        dir, ": this journal belongs to owner number ", header.owner_number, ", not to ",
        maker.owner_number, ": give that number, or name another directory"));
  }
  const SegmentScan scan = ScanSegment(last->segment.view(), last->previous);
  const uint64_t end = last->segment.view().EndOfBytes(scan.end_unit);
  if (absl::Status status = CheckTornTail(dir, last->segment, scan, end); !status.ok()) {
    return status;
  }

  // From here on the journal is sound, and the disk is changed.
  absl::StatusOr<Segment> segment =
      OpenSegment(files, dir, header.segment_index, File::Access::kReadWrite);
  if (!segment.ok()) return segment.status();
  const SegmentView view = segment->view();
  RecoveredJournal recovered;
  recovered.segment = *segment;
  recovered.tail = view.begin + scan.end_unit;
  recovered.sealed = scan.sealed || (scan.end_unit == 1 && header.segment_index > 0);
  recovered.sums = scan.sums;
  RecoveryReport& report = recovered.report;
  report.existed = true;
  report.closed_clean = recovered.sealed && end == scan.end_unit;
  report.machine_restarted = header.boot_id != files.BootId();
  report.segments = header.segment_index + 1;
  report.records_scanned = scan.sums.records;
  report.tail = Position(recovered.tail);
  if (end > scan.end_unit) {
    absl::StatusOr<std::string> copy = KeepTornBytes(files, dir, view, scan.end_unit, end);
    if (!copy.ok()) return copy.status();
    report.torn_bytes = (end - scan.end_unit) * kFrameUnitBytes;
    report.torn_copy = *copy;
    std::memset(segment->mapping->data() + scan.end_unit * kFrameUnitBytes, 0, report.torn_bytes);
  }
  if (absl::Status status = RemoveRetired(files, dir, *retired); !status.ok()) return status;
  if (*has_unfinished) {
    if (absl::Status status = files.Remove(unfinished); !status.ok()) return status;
  }
  for (uint32_t ahead = segments->back(); ahead > header.segment_index; --ahead) {
    if (absl::Status status = files.Remove(SegmentPath(dir, ahead)); !status.ok()) return status;
  }
  return recovered;
}

}  // namespace bitactor::internal

namespace bitactor {

std::string RecoveryReport::ToString() const {
  if (!existed) return "new journal";
  std::string text =
      absl::StrCat(closed_clean ? "closed cleanly" : "not closed", ", tail at ", tail.ToString(),
                   " in segment ", segments - 1, ", ", records_scanned, " records scanned");
  if (machine_restarted) absl::StrAppend(&text, ", the machine was restarted since");
  if (torn_bytes != 0) {
    absl::StrAppend(&text, ", a torn tail of ", torn_bytes, " bytes was cut and kept in ",
                    torn_copy);
  }
  return text;
}

}  // namespace bitactor
