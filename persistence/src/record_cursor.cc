#include "record_cursor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "block_format.h"
#include "retired.h"
#include "stamp_search.h"

namespace bitactor::internal {
namespace {

constexpr uint64_t kProgressEveryUnits = (uint64_t{4} << 20) / kFrameUnitBytes;
constexpr uint64_t kNever = ~uint64_t{0};

}  // namespace

RecordCursor::RecordCursor(FileSystem& files, std::string dir, uint64_t segment_bytes,
                           const ReplayOptions& options, Position end, End end_kind)
    : files_(files),
      dir_(std::move(dir)),
      units_(segment_bytes / kFrameUnitBytes),
      begin_(options.from.value()),
      end_(end.value()),
      end_kind_(end_kind),
      skip_gaps_(options.skip_gaps),
      first_stamp_ns_(options.from_stamp_ns),
      last_stamp_ns_(options.until_stamp_ns == kNever ? kNever : options.until_stamp_ns - 1),
      stamp_disorder_ns_(options.stamp_disorder_ns),
      progress_(options.progress),
      progress_at_(progress_ ? 0 : kNever),
      position_(options.from.value()) {
  if (options.until_stamp_ns <= options.from_stamp_ns) {  // no time at all
    first_stamp_ns_ = 1;
    last_stamp_ns_ = 0;
    later_stamp_ns_ = 0;
    return;
  }
  if (options.until_stamp_ns < kNever - stamp_disorder_ns_) {
    later_stamp_ns_ = options.until_stamp_ns + stamp_disorder_ns_;
  }
}

void RecordCursor::Seek(Position position) {
  if (!status_.ok()) return;
  stopped_ = Stopped::kNo;
  started_ = true;  // whoever names the place wants it, whatever its stamp
  if (position.value() == position_) return;
  position_ = position.value();
  batch_.Clear();
  given_ = 0;
  ahead_ = 1;
  window_.Begin(position_ % units_ * kFrameUnitBytes);
}

// Makes the next batch; false at the end of the range, for whatever reason.
bool RecordCursor::Refill() {
  if (!started_) {
    if (absl::Status status = Start(); !status.ok()) Fail(std::move(status));
  }
  batch_.Clear();
  given_ = 0;
  while (stopped_ == Stopped::kNo) {
    if (position_ >= end_) {
      stopped_ = Stopped::kForGood;
      break;
    }
    if ((position_ == 0 && !MapFirst()) || !MapSegmentOf(position_)) break;
    const uint64_t unit = position_ - view_.begin;
    if (unit == 0) {  // the segment's header
      ++position_;
      continue;
    }
    window_.MoveTo(*segment_->mapping, unit * kFrameUnitBytes);
    batch_.Fill(view_, unit, ahead_);
    ahead_ = std::min(ahead_ * 4, SlotBatch::kSlotsMax);
    const Slot slot = batch_.size() > 0 ? Slot{SlotKind::kRecord, 0, 0} : view_.PeekSlot(unit);
    if (segment_->mapping->broken()) {
      CutShort();
      break;
    }
    switch (slot.kind) {
      case SlotKind::kRecord:  // if not in the batch, then it was written just now, or has a block
        if (batch_.size() == 0 && !TakeBlock(unit, slot)) break;
        if (position_ >= progress_at_) NoteProgress(/*at_end=*/false);
        return true;
      case SlotKind::kGap:
        PassGap(unit, slot);
        break;
      case SlotKind::kBlock:  // read and checked with its record
      case SlotKind::kSeal:
        position_ += slot.units;
        break;
      case SlotKind::kUnwritten:
        EndAtUnwritten(unit);
        break;
      case SlotKind::kBad:
        Damage(unit, "no valid record here");
        break;
    }
  }
  NoteProgress(/*at_end=*/true);
  return false;
}

absl::Status RecordCursor::Start() {
  started_ = true;
  if (first_stamp_ns_ > 0) {
    absl::StatusOr<Position> start = SkipEarlierSegments(files_, dir_, units_, Position(position_),
                                                         first_stamp_ns_, stamp_disorder_ns_);
    if (!start.ok()) return start.status();
    position_ = start->value();
  }
  progress_end_ = end_;
  if (progress_ && end_ == kNever) {
    absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files_, dir_);
    if (!segments.ok()) return segments.status();
    progress_end_ = segments->empty() ? 0 : (uint64_t{segments->back()} + 1) * units_;
  }
  return absl::OkStatus();
}

// How far it came, in bytes from the beginning; at the end, that is all there was to do.
void RecordCursor::NoteProgress(bool at_end) {
  if (!progress_ || (at_end && end_said_at_ == position_)) return;
  if (at_end) end_said_at_ = position_;
  progress_at_ = position_ + kProgressEveryUnits;
  const uint64_t done = (position_ - std::min(begin_, position_)) * kFrameUnitBytes;
  const uint64_t end = std::max(progress_end_, begin_) - begin_;
  progress_(done, at_end ? done : std::max(done, end * kFrameUnitBytes));
}

// Begin() is the first position that is available.
bool RecordCursor::MapFirst() {
  for (;;) {
    const absl::StatusOr<Retired> retired = ReadRetired(files_, dir_);
    if (!retired.ok()) {
      Fail(retired.status());
      return false;
    }
    position_ = retired->first_segment * units_;
    if (MapSegmentOf(position_)) return true;
    // Retired since.
    if (!absl::IsOutOfRange(status_)) return false;
    status_ = absl::OkStatus();
    stopped_ = Stopped::kNo;
  }
}

// False when there is no such segment, for now or for good.
bool RecordCursor::MapSegmentOf(uint64_t position) {
  if (position / units_ > kMaxSegmentIndex) {
    stopped_ = Stopped::kForGood;
    return false;
  }
  const auto index = static_cast<uint32_t>(position / units_);
  if (segment_.has_value() && segment_->header.segment_index == index) return true;
  segment_.reset();
  absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
  if (!segment.ok()) {
    absl::Status status = segment.status();
    bool is_missing = end_kind_ == End::kCommitted;
    if (absl::IsNotFound(status)) {
      // A segment is never made before the one in front of it.
      const absl::StatusOr<std::vector<uint32_t>> there = ListAllSegments(files_, dir_);
      is_missing = is_missing || (there.ok() && !there->empty() && there->back() > index &&
                                  !std::binary_search(there->begin(), there->end(), index));
      status = CheckAvailable(files_, dir_, position, units_);
    }
    if (!status.ok()) {
      Fail(std::move(status));
    } else if (is_missing) {
      Fail(DamageError(dir_, absl::StrCat(SegmentPath(dir_, index), ": this segment is missing")));
    } else {
      stopped_ = Stopped::kForNow;
    }
    return false;
  }
  if (segment->header.segment_bytes != units_ * kFrameUnitBytes) {
    Fail(DamageError(dir_, absl::StrCat(SegmentPath(dir_, index), ": segment size ",
                                        segment->header.segment_bytes, ", but this journal's is ",
                                        units_ * kFrameUnitBytes)));
    return false;
  }
  segment_ = *std::move(segment);
  view_ = segment_->view();
  window_.Begin(position % units_ * kFrameUnitBytes);
  return true;
}

// Whether it is a record with a block, which is then the batch.
bool RecordCursor::TakeBlock(uint64_t unit, const Slot& slot) {
  if (!view_.HasBlock(slot)) return false;
  std::vector<std::byte>& block = batch_.FillWithBlock(view_, unit, slot);
  if (absl::Status status = ReadBlock(files_, dir_, view_, position_, block); !status.ok()) {
    batch_.Clear();
    Fail(std::move(status));
    return false;
  }
  if (!segment_->mapping->broken()) return true;
  CutShort();
  return false;
}

void RecordCursor::PassGap(uint64_t unit, const Slot& slot) {
  if (!skip_gaps_) {
    const std::string path = SegmentPath(dir_, segment_->header.segment_index);
    Fail(absl::DataLossError(absl::StrCat(
        Place(path, view_, unit), ": a gap: the ", slot.units * kFrameUnitBytes,
        " bytes up to position ", position_ + slot.units,
        " are lost, a copy of them is in lost+found; replay with skip_gaps to go on behind them")));
    return;
  }
  ++gaps_skipped_;
  position_ += slot.units;
}

// Nothing is written here: that is the end of the journal, unless something behind it shows that
// records are lost.
void RecordCursor::EndAtUnwritten(uint64_t unit) {
  if (end_kind_ == End::kCommitted) {
    Damage(unit, "nothing written here, but records were appended behind it");
    return;
  }
  bool lost = view_.CommitWordAt(view_.units - 1) != 0;
  if (!lost) {
    // A writer that has the journal open made sure that there is no hole, and looking through the
    // segment at every end would be expensive for whoever follows it.
    absl::StatusOr<std::optional<LockOwner>> owner = files_.LockedBy(JoinPath(dir_, kLockName));
    const bool has_writer = owner.ok() && owner->has_value();
    if (!has_writer && searched_behind_ != position_) {
      lost = view_.FindValid(unit + 1) < view_.units || NextSegmentInUse();
      searched_behind_ = position_;
    }
  }
  // What is missing from the last page reads as zeros without a fault.
  const absl::StatusOr<uint64_t> size_bytes = segment_->file->SizeBytes();
  if (segment_->mapping->broken() ||
      (size_bytes.ok() && *size_bytes < segment_->header.segment_bytes)) {
    CutShort();
    return;
  }
  // A writer may have come along since the first look; then this is the end as it was.
  if (lost && view_.CommitWordAt(unit) == 0) {
    Damage(unit, "nothing written here, but there are records behind it");
    return;
  }
  stopped_ = Stopped::kForNow;
}

// Then this one ended with a seal.
bool RecordCursor::NextSegmentInUse() const {
  const uint32_t next = segment_->header.segment_index + 1;
  const absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, next, File::Access::kRead);
  return segment.ok() && segment->view().CommitWordAt(1) != 0;
}

void RecordCursor::Damage(uint64_t unit, const char* what) {
  const std::string path = SegmentPath(dir_, segment_->header.segment_index);
  Fail(DamageError(dir_, absl::StrCat(Place(path, view_, unit), ": ", what)));
}

void RecordCursor::CutShort() {
  batch_.Clear();
  const std::string path = SegmentPath(dir_, segment_->header.segment_index);
  const absl::StatusOr<uint64_t> size_bytes = segment_->file->SizeBytes();
  Fail(DamageError(
      dir_, absl::StrCat(Place(path, view_, position_ - view_.begin),
                         ": the file was cut short while it was read: it had ",
                         segment_->header.segment_bytes, " bytes and has ",
                         size_bytes.ok() ? absl::StrCat(*size_bytes) : "an unknown number of")));
}

}  // namespace bitactor::internal
