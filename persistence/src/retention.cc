// Journal::Retain: removes whole segments from the front.
#include "bitactor/persistence/retention.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/persistence/journal.h"
#include "block_format.h"
#include "recovery.h"
#include "retired.h"

namespace bitactor {
namespace internal {
namespace {

// Whether a record at the segment's front, or one that may yet be written there, has its beginning
// in the segment before.
bool BeginsInsideBlock(const SegmentView& view) {
  const Slot slot = view.PeekSlot(1);
  if (slot.kind == SlotKind::kUnwritten) return true;
  if (slot.kind == SlotKind::kBlock) return DecodeBlockPart(view.FrameAt(1)).offset > 0;
  if (slot.kind != SlotKind::kRecord || !view.HasBlock(slot)) return false;
  const std::optional<BlockSummary> summary = DecodeBlockSummary(view.FrameAt(1));
  return summary.has_value() && summary->first_part < view.begin;
}

// Decides over the sealed segments of a journal, first to last.
class Retention {
 public:
  Retention(FileSystem& files, const std::string& dir, const RetentionOptions& options,
            uint64_t segment_bytes, uint64_t now_ns)
      : files_(files),
        dir_(dir),
        options_(options),
        segment_bytes_(segment_bytes),
        units_(segment_bytes / kFrameUnitBytes),
        now_ns_(now_ns) {}

  // The mark after the retention; in `report` what it removes. REQUIRES: the segments from the
  // first one to before `current` are sealed.
  absl::StatusOr<Retired> Decide(const Retired& before, uint32_t current, RetentionReport& report) {
    std::vector<Retired> marks = {before};  // after each segment that may go
    uint32_t asked = 0;
    for (uint32_t index = before.first_segment; index < current; ++index) {
      // Only its age needs the seal: one that nobody asks for may be damaged.
      const bool asked_by_place = AskedByPlace(index, current);
      if (!asked_by_place && options_.max_age_ns == ~uint64_t{0}) break;
      absl::StatusOr<Seal> seal = SealOf(index);
      if (!seal.ok()) return seal.status();
      if (!asked_by_place && !IsOld(*seal)) break;
      ++asked;
      if ((uint64_t{index} + 1) * units_ > options_.keep_from.value()) continue;
      Retired next = marks.back();
      next.first_segment = index + 1;
      next.records += seal->records;
      next.bytes += segment_bytes_;
      next.last = *seal;
      marks.push_back(next);
    }
    while (marks.size() > 1) {
      absl::StatusOr<Segment> kept =
          OpenSegment(files_, dir_, marks.back().first_segment, File::Access::kRead);
      if (!kept.ok()) return kept.status();
      if (!BeginsInsideBlock(kept->view())) break;
      marks.pop_back();
    }
    const Retired& after = marks.back();
    report.segments = after.first_segment - before.first_segment;
    report.records = after.records - before.records;
    report.bytes = after.bytes - before.bytes;
    report.segments_held = asked - report.segments;
    report.first = Position(after.first_segment * units_);
    return after;
  }

 private:
  absl::StatusOr<Seal> SealOf(uint32_t index) const {
    absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
    if (!segment.ok()) return segment.status();
    if (const std::optional<Seal> seal = EndSeal(segment->view())) return *seal;
    return DamageError(dir_, absl::StrCat(SegmentPath(dir_, index),
                                          ": the segment does not end with a seal, so it is not "
                                          "retired"));
  }

  bool AskedByPlace(uint32_t index, uint32_t current) const {
    const uint64_t bytes = (uint64_t{current} + 1 - index) * segment_bytes_;
    return bytes > options_.max_bytes || (uint64_t{index} + 1) * units_ <= options_.before.value();
  }
  bool IsOld(const Seal& seal) const {
    return now_ns_ > seal.last_stamp_ns && now_ns_ - seal.last_stamp_ns > options_.max_age_ns;
  }

  FileSystem& files_;
  const std::string& dir_;
  const RetentionOptions& options_;
  const uint64_t segment_bytes_;
  const uint64_t units_;
  const uint64_t now_ns_;
};

// The segment that becomes the first one has to be on the disk before those in front of it go: or
// else a power loss could leave nothing at all.
absl::Status SyncSegment(FileSystem& files, const std::string& dir, uint32_t index) {
  absl::StatusOr<std::unique_ptr<File>> file =
      files.Open(SegmentPath(dir, index), FileSystem::OpenMode::kReadWrite);
  return file.ok() ? (*file)->Sync() : file.status();
}

}  // namespace
}  // namespace internal

absl::Status SyncSegments(const std::string& dir, FileSystem& files) {
  absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(files, dir);
  if (!segments.ok()) return segments.status();
  for (const uint32_t index : *segments) {
    absl::Status status = internal::SyncSegment(files, dir, index);
    // One that was retired just now, or made ahead and removed.
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return files.SyncDirectory(dir);
}

absl::StatusOr<RetentionReport> Journal::Retain(const RetentionOptions& options) {
  if (writer_->closed()) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir(), ": the journal was closed; open it again to retire segments"));
  }
  FileSystem& files = *writer_->options().files;
  absl::StatusOr<internal::Retired> before = internal::ReadRetired(files, dir());
  if (!before.ok()) return before.status();
  const uint64_t units = writer_->segment_bytes() / kFrameUnitBytes;
  const auto current = static_cast<uint32_t>((tail().value() - 1) / units);
  RetentionReport report;
  internal::Retention retention(files, dir(), options, writer_->segment_bytes(),
                                writer_->options().now_ns());
  absl::StatusOr<internal::Retired> after = retention.Decide(*before, current, report);
  if (!after.ok()) return after.status();
  if (report.segments > 0) {
    absl::Status status = WaitDurable(Position(report.first.value() + 1));
    if (status.ok()) status = internal::SyncSegment(files, dir(), after->first_segment);
    if (status.ok()) status = internal::WriteRetired(files, dir(), *after);
    if (!status.ok()) return status;
  }
  // Also what an earlier retention could not remove.
  absl::Status status = internal::RemoveRetired(files, dir(), *after);
  if (!status.ok()) return status;
  return report;
}

}  // namespace bitactor
