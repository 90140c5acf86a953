#include "journal_cut.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "journal_defaults.h"
#include "recovery.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

// Two commits of a live writer may each meet one of the two slots while they are read.
absl::StatusOr<std::optional<Cut>> ReadLiveCut(FileSystem& files, const std::string& dir) {
  absl::StatusOr<std::optional<Cut>> cut = ReadCut(files, dir);
  return absl::IsDataLoss(cut.status()) ? ReadCut(files, dir) : cut;
}

}  // namespace

absl::StatusOr<JournalCut> FindJournalCut(FileSystem& files, const std::string& dir,
                                          uint32_t owner_number) {
  JournalCut found{.dir = dir};
  absl::StatusOr<std::optional<Cut>> cut = ReadLiveCut(files, dir);
  if (!cut.ok()) return cut.status();
  if (cut->has_value() && (*cut)->moved) {
    found.dir = ParentOf(dir);
    found.of_set = true;
    cut = ReadLiveCut(files, found.dir);
    if (!cut.ok()) return cut.status();
  }
  if (cut->has_value()) {
    if (const CutEntry* entry = (*cut)->Find(owner_number)) found.entry = *entry;
  }
  if (!found.of_set || found.entry.has_value()) return found;
  return absl::DataLossError(absl::StrCat(
      dir, ": this journal belongs to a set, whose cut says what was acknowledged, but ",
      JoinPath(found.dir, kCutName), cut->has_value() ? " does not name" : " is missing, with",
      " owner number ", owner_number, ": put the journal into the directory of its set"));
}

absl::StatusOr<uint64_t> ReadableEnd(FileSystem& files, const std::string& dir,
                                     const std::vector<uint32_t>& segments, uint64_t acknowledged) {
  // What is in no segment that is there: retired, or of an older cut.
  absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(files, dir, segments.front());
  if (!header.ok()) return header.status();
  const uint64_t units = header->segment_bytes / kFrameUnitBytes;
  if (acknowledged <= segments.front() * units) return acknowledged;
  const uint64_t index = (acknowledged - 1) / units;
  if (index <= segments.back()) {
    absl::StatusOr<Segment> segment =
        OpenSegment(files, dir, static_cast<uint32_t>(index), File::Access::kRead);
    if (!segment.ok()) return segment.status();
    const SegmentView view = segment->view();
    uint64_t unit = 1;
    while (view.begin + unit < acknowledged) {
      const Slot slot = view.PeekSlot(unit);
      if (slot.units == 0) break;
      unit += slot.units;
    }
    if (view.begin + unit >= acknowledged) return view.begin + unit;
  }
  absl::StatusOr<TailSegment> last = FindTailSegment(files, dir, segments.back());
  if (!last.ok()) return last.status();
  return last->segment.view().begin + ScanSegment(last->segment.view(), last->previous).end_unit;
}

absl::Status MoveJournalCut(FileSystem& files, const JournalCut& cut, uint64_t tail,
                            uint64_t now_ns) {
  absl::StatusOr<std::unique_ptr<CutFile>> file = CutFile::Open(files, cut.dir);
  if (!file.ok()) return file.status();
  Cut next = (*file)->cut();
  next.stamp_ns = now_ns;
  CutEntry& entry = next.At(cut.entry->owner_number);
  entry.tail = tail;
  entry.boot_id = files.BootId();
  absl::Status status = (*file)->Write(next);
  return status.ok() ? (*file)->Write(std::move(next)) : status;
}

}  // namespace bitactor::internal
