#include "record_cursor.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/persistence/history.h"
#include "block_format.h"
#include "retired.h"

namespace bitactor::internal {

const Record* RecordCursor::Next() {
  while (!done_) {
    if ((position_ == 0 && !MapFirst()) || position_ >= end_ || !MapSegmentOf(position_)) {
      done_ = true;
      break;
    }
    const uint64_t unit = position_ - view_.begin;
    if (unit == 0) {  // the segment's header
      ++position_;
      continue;
    }
    const Slot slot = view_.PeekSlot(unit);
    switch (slot.kind) {
      case SlotKind::kRecord:
        if (Take(unit, slot)) return &record_;
        done_ = true;
        break;
      case SlotKind::kGap:
        done_ = !PassGap(unit, slot);
        break;
      case SlotKind::kBlock:  // read and checked with its record
      case SlotKind::kSeal:
        position_ += slot.units;
        break;
      case SlotKind::kUnwritten:
        EndAtUnwritten(unit);
        done_ = true;
        break;
      case SlotKind::kBad:
        Damage(unit, "no valid record here");
        done_ = true;
        break;
    }
  }
  return nullptr;
}

// Begin() is the first position that is available.
bool RecordCursor::MapFirst() {
  for (;;) {
    const absl::StatusOr<Retired> retired = ReadRetired(files_, dir_);
    if (!retired.ok()) {
      status_ = retired.status();
      return false;
    }
    position_ = retired->first_segment * units_;
    if (MapSegmentOf(position_)) return true;
    // Retired since.
    if (!absl::IsOutOfRange(status_)) return false;
    status_ = absl::OkStatus();
  }
}

bool RecordCursor::MapSegmentOf(uint64_t position) {
  if (position / units_ > kMaxSegmentIndex) return false;
  const auto index = static_cast<uint32_t>(position / units_);
  if (segment_.has_value() && segment_->header.segment_index == index) return true;
  segment_.reset();
  absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
  if (segment.ok() && segment->header.segment_bytes != units_ * kFrameUnitBytes) {
    status_ = DamageError(dir_, absl::StrCat(SegmentPath(dir_, index), ": segment size ",
                                             segment->header.segment_bytes,
                                             ", but this journal's is ", units_ * kFrameUnitBytes));
    return false;
  }
  if (!segment.ok()) {
    status_ = absl::IsNotFound(segment.status()) ? CheckAvailable(files_, dir_, position, units_)
                                                 : segment.status();
    if (status_.ok() && end_kind_ == End::kCommitted) {
      status_ =
          DamageError(dir_, absl::StrCat(SegmentPath(dir_, index), ": this segment is missing"));
    }
    return false;
  }
  segment_ = *std::move(segment);
  view_ = segment_->view();
  return true;
}

bool RecordCursor::Take(uint64_t unit, const Slot& slot) {
  if (view_.HasBlock(slot)) {
    // Whoever kept a copy of the record before keeps its bytes.
    if (record_.block_ == nullptr || record_.block_.use_count() > 1) {
      record_.block_ = std::make_shared<std::vector<std::byte>>();
    }
    status_ = ReadBlock(files_, dir_, view_, position_, *record_.block_);
    if (!status_.ok()) return false;
  } else if (record_.block_ != nullptr) {
    record_.block_ = nullptr;
  }
  std::memcpy(&record_.frame_, view_.data + unit * kFrameUnitBytes, slot.units * kFrameUnitBytes);
  record_.frame_.header.crc32c =
      static_cast<uint32_t>(slot.commit_word) ^ PlaceMask(view_.salt, position_);
  record_.position_ = Position(position_);
  position_ += slot.units;
  return true;
}

bool RecordCursor::PassGap(uint64_t unit, const Slot& slot) {
  if (!skip_gaps_) {
    const std::string path = SegmentPath(dir_, segment_->header.segment_index);
    status_ = absl::DataLossError(absl::StrCat(
        Place(path, view_, unit), ": a gap: the ", slot.units * kFrameUnitBytes,
        " bytes up to position ", position_ + slot.units,
        " are lost, a copy of them is in lost+found; replay with skip_gaps to go on behind them"));
    return false;
  }
  ++gaps_skipped_;
  position_ += slot.units;
  return true;
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
    lost = !has_writer && (view_.FindValid(unit + 1) < view_.units || NextSegmentInUse());
  }
  // A writer may have come along since the first look; then this is the end as it was.
  if (lost && view_.CommitWordAt(unit) == 0) {
    Damage(unit, "nothing written here, but there are records behind it");
  }
}

// Then this one ended with a seal.
bool RecordCursor::NextSegmentInUse() const {
  const uint32_t next = segment_->header.segment_index + 1;
  const absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, next, File::Access::kRead);
  return segment.ok() && segment->view().CommitWordAt(1) != 0;
}

void RecordCursor::Damage(uint64_t unit, const char* what) {
  const std::string path = SegmentPath(dir_, segment_->header.segment_index);
  status_ = DamageError(dir_, absl::StrCat(Place(path, view_, unit), ": ", what));
}

}  // namespace bitactor::internal

namespace bitactor {

History::History(std::unique_ptr<internal::RecordCursor> cursor) : cursor_(std::move(cursor)) {}
History::~History() = default;
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;

const Record* History::Next() { return cursor_->Next(); }
void History::Seek(Position position) { cursor_->Seek(position); }
const absl::Status& History::status() const { return cursor_->status(); }
uint64_t History::gaps_skipped() const { return cursor_->gaps_skipped(); }
Position History::next_position() const { return cursor_->position(); }

}  // namespace bitactor
