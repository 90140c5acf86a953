// Walks the records of a journal, segment by segment.
#ifndef BITACTOR_PERSISTENCE_RECORD_CURSOR_H_
#define BITACTOR_PERSISTENCE_RECORD_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"
#include "bitactor/persistence/record.h"
#include "bitactor/persistence/replay_options.h"
#include "read_window.h"
#include "segment_store.h"
#include "slot_batch.h"

namespace bitactor::internal {

class RecordCursor {
 public:
  enum class End : uint8_t {
    kCommitted,  // everything before the end was appended: if it is not there, it is lost
    kOpen,       // whoever writes may not have come that far
  };

  // Of the options, those that say when are for others.
  RecordCursor(FileSystem& files, std::string dir, uint64_t segment_bytes,
               const ReplayOptions& options, Position end, End end_kind);

  const Record* Next() {
    do {
      while (given_ < batch_.size()) {
        if (position_ >= end_) break;
        const Record& record = batch_.record(given_);
        position_ += batch_.units(given_++);
        const uint64_t stamp_ns = record.frame().header.stamp_ns;
        if (stamp_ns >= first_stamp_ns_ && stamp_ns <= last_stamp_ns_) return &record;
        if (stamp_ns >= later_stamp_ns_) {
          stopped_ = Stopped::kForGood;
          batch_.Clear();
        }
      }
    } while (Refill());
    return nullptr;
  }
  // Goes on at `position`. Damage that was met stays the end.
  void Seek(Position position);
  // After Next() gave null: whether there may be more when more was appended, and looks for it.
  bool may_go_on() const { return stopped_ == Stopped::kForNow; }
  void GoOn() {
    if (may_go_on()) stopped_ = Stopped::kNo;
  }
  // Ends the range.
  void Fail(absl::Status status) {
    status_ = std::move(status);
    stopped_ = Stopped::kForGood;
  }
  const absl::Status& status() const { return status_; }
  uint64_t gaps_skipped() const { return gaps_skipped_; }
  // Behind the last record that was given.
  Position position() const { return Position(position_); }

 private:
  enum class Stopped : uint8_t { kNo, kForNow, kForGood };

  bool Refill();
  absl::Status Start();
  bool MapFirst();
  bool MapSegmentOf(uint64_t position);
  bool TakeBlock(uint64_t unit, const Slot& slot);
  void PassGap(uint64_t unit, const Slot& slot);
  bool NextSegmentInUse() const;
  void EndAtUnwritten(uint64_t unit);
  void Damage(uint64_t unit, const char* what);
  void CutShort();
  void NoteProgress(bool at_end);

  FileSystem& files_;
  const std::string dir_;
  const uint64_t units_;  // of a segment
  const uint64_t begin_;
  const uint64_t end_;
  const End end_kind_;
  const bool skip_gaps_;
  // Records stamped from the first to the last are given; from the later one on nothing that is
  // wanted can come any more.
  uint64_t first_stamp_ns_;
  uint64_t last_stamp_ns_;
  uint64_t later_stamp_ns_ = ~uint64_t{0};
  const uint64_t stamp_disorder_ns_;
  const std::function<void(uint64_t, uint64_t)> progress_;
  uint64_t progress_at_;  // the position at which it is said again
  uint64_t progress_end_ = 0;
  uint64_t end_said_at_ = ~uint64_t{0};

  bool started_ = false;
  uint64_t gaps_skipped_ = 0;
  uint64_t position_;
  Stopped stopped_ = Stopped::kNo;
  absl::Status status_;
  uint64_t searched_behind_ = ~uint64_t{0};  // the position behind which there is no record
  std::optional<Segment> segment_;
  SegmentView view_{};
  ReadWindow window_;
  SlotBatch batch_;
  size_t given_ = 0;  // of the batch
  size_t ahead_ = 1;  // records of the next batch: few behind a jump, many when it goes straight on
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_RECORD_CURSOR_H_
