// Where a journal ends: the rules after a crash of the process and after one of the machine.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "recovery.h"
#include "retired.h"

namespace bitactor::internal {
namespace {

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

// What is said of bytes at `unit` that should be there.
absl::Status AcknowledgedIsDamaged(const std::string& dir, const Segment& segment, uint64_t unit,
                                   uint64_t acknowledged) {
  return DamageError(
      dir, absl::StrCat(Place(SegmentPath(dir, segment.header.segment_index), segment.view(), unit),
                        ": no valid record here, but all before position ", acknowledged,
                        " was acknowledged as durable: this is no torn tail"));
}

// The segment that holds the unit before `position`, which is where a journal with this tail ends.
uint32_t SegmentBefore(uint64_t position, uint64_t segment_units) {
  return static_cast<uint32_t>((std::max<uint64_t>(position, 1) - 1) / segment_units);
}

absl::Status AcknowledgedIsMissing(const std::string& dir, uint32_t index, uint64_t acknowledged) {
  return DamageError(dir, absl::StrCat(SegmentPath(dir, index),
                                       ": this segment is missing, but all before position ",
                                       acknowledged, " was acknowledged as durable"));
}

absl::StatusOr<uint64_t> SegmentUnits(FileSystem& files, const std::string& dir,
                                      const std::vector<uint32_t>& segments) {
  absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(files, dir, segments.front());
  if (!header.ok()) return header.status();
  return header->segment_bytes / kFrameUnitBytes;
}

// The seal that the segment `index` goes on from.
absl::StatusOr<Seal> SealBefore(FileSystem& files, const std::string& dir, uint32_t first,
                                uint32_t index) {
  if (index == first) return RetiredSeal(files, dir);
  absl::StatusOr<Segment> previous = OpenSegment(files, dir, index - 1, File::Access::kRead);
  if (!previous.ok()) return previous.status();
  if (const std::optional<Seal> seal = EndSeal(previous->view())) return *seal;
  return DamageError(
      dir,
      absl::StrCat(Place(SegmentPath(dir, index - 1), previous->view(), previous->view().units - 1),
                   ": the segment does not end with a seal, but the next one is in use"));
}

// Whether the last bytes of the journal are the seal that closing wrote. The one in the last unit of
// a segment may be its end.
bool EndsWithClosingSeal(FileSystem& files, const std::string& dir,
                         const std::vector<uint32_t>& segments) {
  for (auto index = segments.rbegin(); index != segments.rend(); ++index) {
    const absl::StatusOr<Segment> segment = OpenSegment(files, dir, *index, File::Access::kRead);
    if (!segment.ok()) return false;
    const SegmentView view = segment->view();
    const uint64_t end = view.EndOfBytes(1);
    if (end == 1) continue;  // made ahead
    return end < view.units && view.ReadSlot(end - 1).kind == SlotKind::kSeal;
  }
  return false;
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

SegmentScan ScanSegment(const SegmentView& view, const Seal& before, uint64_t stop_unit) {
  SegmentScan scan;
  scan.sums = SumsAtBegin(view, before);
  while (scan.end_unit < std::min(view.units, stop_unit)) {
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

absl::StatusOr<Ending> FindEnd(FileSystem& files, const std::string& dir, uint32_t last_index,
                               uint64_t acknowledged) {
  absl::StatusOr<TailSegment> last = FindTailSegment(files, dir, last_index);
  if (!last.ok()) return last.status();
  const SegmentView view = last->segment.view();
  const SegmentScan scan = ScanSegment(view, last->previous);
  if (absl::Status status = CheckTornTail(dir, last->segment, scan, view.EndOfBytes(scan.end_unit));
      !status.ok()) {
    return status;
  }
  if (view.begin + scan.end_unit < acknowledged) {
    return AcknowledgedIsDamaged(dir, last->segment, std::min(scan.end_unit, view.units - 1),
                                 acknowledged);
  }
  return Ending{std::move(last->segment), last->previous, scan};
}

absl::StatusOr<Ending> FindEndAtCut(FileSystem& files, const std::string& dir,
                                    const std::vector<uint32_t>& segments, uint64_t cut) {
  absl::StatusOr<uint64_t> units = SegmentUnits(files, dir, segments);
  if (!units.ok()) return units.status();
  const uint32_t index = SegmentBefore(cut, *units);
  if (index > segments.back()) return AcknowledgedIsMissing(dir, index, cut);
  // A later cut is lost: no segment goes before a cut that is behind it was written.
  if (index < segments.front()) return FindEndOfSoundBeginning(files, dir, segments, 0);
  absl::StatusOr<Segment> segment = OpenSegment(files, dir, index, File::Access::kRead);
  if (!segment.ok()) return segment.status();
  absl::StatusOr<Seal> previous = SealBefore(files, dir, segments.front(), index);
  if (!previous.ok()) return previous.status();
  const SegmentView view = segment->view();
  const SegmentScan scan = ScanSegment(view, *previous, cut - view.begin);
  if (view.begin + scan.end_unit != cut) {
    return AcknowledgedIsDamaged(dir, *segment, scan.end_unit, cut);
  }
  return Ending{*std::move(segment), *previous, scan};
}

absl::StatusOr<Ending> FindEndOfSoundBeginning(FileSystem& files, const std::string& dir,
                                               const std::vector<uint32_t>& segments,
                                               uint64_t acknowledged) {
  absl::StatusOr<uint64_t> units = SegmentUnits(files, dir, segments);
  if (!units.ok()) return units.status();
  const uint32_t begin = std::max(SegmentBefore(acknowledged, *units), segments.front());
  if (begin > segments.back()) return AcknowledgedIsMissing(dir, begin, acknowledged);
  absl::StatusOr<Seal> previous = SealBefore(files, dir, segments.front(), begin);
  if (!previous.ok()) return previous.status();
  std::optional<Ending> ending;
  for (uint32_t index = begin; index <= segments.back(); ++index) {
    absl::StatusOr<Segment> segment = OpenSegment(files, dir, index, File::Access::kRead);
    if (!segment.ok()) {
      // The first one was on the disk before it had a name, and so was one that was acknowledged.
      // Of others, header or length may not have come there.
      if (index == begin || !absl::IsDataLoss(segment.status())) return segment.status();
      break;
    }
    const SegmentView view = segment->view();
    const Seal before = ending.has_value() ? *EndSeal(ending->segment.view()) : *previous;
    ending = Ending{*std::move(segment), before, ScanSegment(view, before)};
    if (ending->scan.end_unit < view.units || !EndSeal(view).has_value()) break;
  }
  const SegmentView view = ending->segment.view();
  if (view.begin + ending->scan.end_unit < acknowledged) {
    return AcknowledgedIsDamaged(dir, ending->segment, ending->scan.end_unit, acknowledged);
  }
  const bool is_last = ending->segment.header.segment_index == segments.back();
  if ((!is_last || view.EndOfBytes(ending->scan.end_unit) > ending->scan.end_unit) &&
      EndsWithClosingSeal(files, dir, segments)) {
    return DamageError(
        dir, absl::StrCat(Place(SegmentPath(dir, ending->segment.header.segment_index), view,
                                std::min(ending->scan.end_unit, view.units - 1)),
                          ": no valid record here, but the journal was closed behind it"));
  }
  return *std::move(ending);
}

}  // namespace bitactor::internal
