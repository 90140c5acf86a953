// What a journal gives back: one frame and its place.
#ifndef BITACTOR_PERSISTENCE_RECORD_H_
#define BITACTOR_PERSISTENCE_RECORD_H_

#include <cstddef>
#include <span>

#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

namespace internal {
class SlotBatch;
}  // namespace internal

// A checked copy: its checksum matched when it was read, and it stays what it is when the journal
// goes on or closes.
class Record {
 public:
  Record() = default;

  Position position() const { return position_; }
  // As it was appended, checksum included.
  const Frame& frame() const { return frame_; }
  // The payload in use: for a record made by Journal::Append, the bytes given to it.
  std::span<const std::byte> bytes() const { return {frame_.payload, frame_.header.size_bytes}; }

 private:
  friend class internal::SlotBatch;

  Frame frame_{};
  Position position_;
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_RECORD_H_
