// Walks the records of a journal, segment by segment.
#ifndef BITACTOR_PERSISTENCE_RECORD_CURSOR_H_
#define BITACTOR_PERSISTENCE_RECORD_CURSOR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"
#include "bitactor/persistence/record.h"
#include "segment_store.h"

namespace bitactor::internal {

class RecordCursor {
 public:
  enum class End : uint8_t {
    kCommitted,  // everything before the end was appended: if it is not there, it is lost
    kOpen,       // whoever writes may not have come that far
  };

  RecordCursor(FileSystem& files, std::string dir, uint64_t segment_bytes, Position from,
               Position end, End end_kind, bool skip_gaps = false)
      : files_(files),
        dir_(std::move(dir)),
        units_(segment_bytes / kFrameUnitBytes),
        end_(end.value()),
        end_kind_(end_kind),
        skip_gaps_(skip_gaps),
        position_(from.value()) {}

  const Record* Next();
  // Goes on at `position`. Damage that was met stays the end.
  void Seek(Position position) {
    if (!status_.ok()) return;
    position_ = position.value();
    done_ = false;
  }
  const absl::Status& status() const { return status_; }
  Position position() const { return Position(position_); }
  uint64_t gaps_skipped() const { return gaps_skipped_; }

 private:
  bool MapFirst();
  bool MapSegmentOf(uint64_t position);
  bool Take(uint64_t unit, const Slot& slot);
  bool PassGap(uint64_t unit, const Slot& slot);
  bool NextSegmentInUse() const;
  void EndAtUnwritten(uint64_t unit);
  void Damage(uint64_t unit, const char* what);

  FileSystem& files_;
  const std::string dir_;
  const uint64_t units_;  // of a segment
  const uint64_t end_;
  const End end_kind_;
  const bool skip_gaps_;
  uint64_t position_;
  uint64_t gaps_skipped_ = 0;
  bool done_ = false;
  absl::Status status_;
  std::optional<Segment> segment_;
  SegmentView view_{};
  Record record_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_RECORD_CURSOR_H_
