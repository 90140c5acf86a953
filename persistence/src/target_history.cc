#include <utility>

#include "bitactor/persistence/journal_index.h"
#include "index_file.h"
#include "segment_store.h"

namespace bitactor {
namespace {

// A jump to a record takes as long as reading about ten that follow each other: where more than one
// of so many is wanted, reading all is quicker.
constexpr uint64_t kRecordsPerJump = 8;

}  // namespace

TargetHistory::TargetHistory(JournalReader reader, FileSystem* files, TargetFilter wanted,
                             TargetReplayOptions options)
    : reader_(std::move(reader)),
      files_(files),
      wanted_(std::move(wanted)),
      options_(options),
      segment_units_(reader_.segment_bytes() / kFrameUnitBytes),
      history_(reader_.Replay(
          {.from = options_.from, .until = options_.until, .skip_gaps = options_.skip_gaps})) {}

const Record* TargetHistory::Next() {
  if (!started_) Start();
  for (;;) {
    if (by_index_) {
      if (const Record* record = NextListed()) return record;
      if (!by_index_) continue;
      if (segment_end_ >= options_.until) return nullptr;
      Enter(segment_ + 1, segment_end_);
      continue;
    }
    const Record* record = history_.Next();
    if (record == nullptr) return nullptr;
    if (record->position() >= segment_end_) {
      const uint64_t segment = record->position().value() / segment_units_;
      if (TakeIndex(segment, record->position())) continue;
      ++segments_read_whole_;
    }
    if (wanted_(record->frame().header.target)) return record;
  }
}

void TargetHistory::Start() {
  started_ = true;
  uint64_t segment = options_.from.value() / segment_units_;
  if (options_.from == Position::Begin()) {
    absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(*files_, reader_.dir());
    if (segments.ok() && !segments->empty()) segment = segments->front();
  }
  Enter(segment, options_.from);
}

// Goes on at `from`, which is in this segment, or Begin() for the first one that is there.
void TargetHistory::Enter(uint64_t segment, Position from) {
  if (TakeIndex(segment, from)) return;
  ++segments_read_whole_;
  history_.Seek(from);
}

// Whether the segment has an index that is good, and of use; then its records from `from` on come by
// it.
bool TargetHistory::TakeIndex(uint64_t segment, Position from) {
  segment_ = segment;
  segment_end_ = Position((segment + 1) * segment_units_);
  resume_ = from;
  by_index_ = false;
  if (segment > internal::kMaxSegmentIndex) return false;
  const auto index = static_cast<uint32_t>(segment);
  const absl::StatusOr<std::optional<internal::SealedContent>> content =
      internal::ReadSealedContent(*files_, reader_.dir(), index);
  if (!content.ok() || !content->has_value() || (*content)->units != segment_units_) return false;
  const absl::StatusOr<internal::IndexFile> file =
      internal::IndexFile::Read(*files_, reader_.dir(), **content);
  if (!file.ok() || file->RecordsOf(wanted_) * kRecordsPerJump > file->records()) return false;
  absl::StatusOr<std::vector<uint32_t>> units = file->UnitsOf(wanted_);
  if (!units.ok()) return false;
  units_ = *std::move(units);
  taken_ = 0;
  by_index_ = true;
  return true;
}

// The next one of this segment; nullptr when there is none, or when the index did not say the truth:
// then by_index_ is false.
const Record* TargetHistory::NextListed() {
  while (taken_ < units_.size()) {
    const Position position(segment_ * segment_units_ + units_[taken_]);
    if (position < resume_) {
      ++taken_;
      continue;
    }
    if (position >= options_.until) {
      taken_ = units_.size();
      return nullptr;
    }
    const uint64_t gaps = gaps_skipped();
    history_.Seek(position);
    const Record* record = history_.Next();
    if (record == nullptr || record->position() != position ||
        !wanted_(record->frame().header.target)) {
      gaps_before_ = gaps;
      ReadWhole(resume_);
      return nullptr;
    }
    ++taken_;
    resume_ = history_.next_position();
    return record;
  }
  return nullptr;
}

void TargetHistory::ReadWhole(Position from) {
  by_index_ = false;
  ++segments_read_whole_;
  history_ =
      reader_.Replay({.from = from, .until = options_.until, .skip_gaps = options_.skip_gaps});
}

}  // namespace bitactor
