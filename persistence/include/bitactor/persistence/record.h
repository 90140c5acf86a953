// What a journal gives back: one frame and its place.
#ifndef BITACTOR_PERSISTENCE_RECORD_H_
#define BITACTOR_PERSISTENCE_RECORD_H_

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

// What a record holds at most. Up to kMaxPayloadBytes it is one frame; what is longer is a block.
inline constexpr size_t kMaxBlockBytes = size_t{16} << 20;

namespace internal {
class SlotBatch;
}  // namespace internal

// A checked copy: its checksum matched when it was read, and it stays what it is when the journal
// goes on or closes.
class Record {
 public:
  Record() = default;

  Position position() const { return position_; }
  // As it was appended, checksum included. Of a block: the fields that were given to AppendBlock,
  // with kFlagBlock, and a payload that is the journal's own.
  const Frame& frame() const { return frame_; }
  // The payload in use: for a record made by Journal::Append or AppendBlock, the bytes given to it.
  std::span<const std::byte> bytes() const {
    if (block_ != nullptr) return *block_;
    return {frame_.payload, frame_.header.size_bytes};
  }

 private:
  friend class internal::SlotBatch;

  Frame frame_{};
  Position position_;
  std::shared_ptr<std::vector<std::byte>> block_;  // null: the payload is in the frame
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_RECORD_H_
