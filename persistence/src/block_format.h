// Records longer than a frame: the parts of their block, and what ties these to their frame.
#ifndef BITACTOR_PERSISTENCE_BLOCK_FORMAT_H_
#define BITACTOR_PERSISTENCE_BLOCK_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/record.h"
#include "segment_store.h"

namespace bitactor::internal {

// A block is split where a segment ends, but not for less than this.
inline constexpr uint64_t kMinBlockPartBytes = 4096;

// A part of a block: a frame of kind kBlock without payload that says this, and behind it, from the
// next unit on, the bytes.
struct BlockPart {
  uint64_t total_bytes;  // of the block
  uint64_t offset;       // of the part in the block
  uint64_t bytes;        // of the part
  uint32_t crc32c;       // of the part
};
FrameHeader EncodeBlockPart(const BlockPart& part, uint32_t segment_index);
BlockPart DecodeBlockPart(const FrameHeader& header);

// The part in a slot of kind kBlock. None if it has another length than when the slot was read:
// whoever changes a file meanwhile must not lead outside it.
std::optional<BlockPart> PartIn(const SegmentView& view, uint64_t unit, const Slot& slot);

// Of the slot of such a part.
constexpr uint64_t BlockSlotUnits(uint64_t part_bytes) {
  return 1 + (part_bytes + kFrameUnitBytes - 1) / kFrameUnitBytes;
}

// What the frame of the record itself, behind all parts, has as payload.
struct BlockSummary {
  uint64_t first_part;   // position
  uint32_t total_bytes;  // of the block
  uint32_t chain;        // CRC-32C over the stored commit words of all parts, in order
  bool operator==(const BlockSummary&) const = default;
};
static_assert(sizeof(BlockSummary) == 16);
// None when the payload is too short to be one, or asks for more than a block holds.
std::optional<BlockSummary> DecodeBlockSummary(const FrameHeader& frame);

// The parts that were met since the last record, in order.
class BlockRun {
 public:
  // Takes the next part. One that does not go on from the one before begins a new run.
  void Add(uint64_t position, const BlockPart& part, uint64_t commit_word);
  void Clear() { *this = BlockRun(); }
  // How many runs Add() left without their record, since Clear().
  uint64_t abandoned() const { return abandoned_; }
  bool empty() const { return parts_ == 0; }
  // Whether these are all of the parts that the record's frame means.
  bool IsWhole(const BlockSummary& summary) const {
    return begins_ && done_bytes_ == sums_.total_bytes && summary == sums_;
  }

 private:
  BlockSummary sums_{};
  uint64_t done_bytes_ = 0;
  uint64_t parts_ = 0;
  uint64_t abandoned_ = 0;
  bool begins_ = false;  // the first part was the block's first
};

// Reads the block of the record at `position` into `into`, whose memory is used again. `view` is the
// record's segment; others are opened. kDataLoss names what is not as the summary says.
absl::Status ReadBlock(FileSystem& files, const std::string& dir, const SegmentView& view,
                       uint64_t position, std::vector<std::byte>& into);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_BLOCK_FORMAT_H_
