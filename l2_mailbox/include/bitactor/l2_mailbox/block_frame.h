// How a frame names the block that is its payload.
#ifndef BITACTOR_L2_MAILBOX_BLOCK_FRAME_H_
#define BITACTOR_L2_MAILBOX_BLOCK_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/block.h"

namespace bitactor::internal {

// The payload of a frame with kFlagBlock, in this process. In a journal the frame has the journal's
// own payload in its place.
//
// A frame that was accepted has one reference to its block (B1). It ends where the frame ends:
// Shard::End(), Shard::DispatchBlock(), and FabricState::Quarantine() for what is damaged; of an
// answer to an outside port, where the port takes it or PortCore finds nobody to take it. Copies of
// the frame that are kept to be looked at, dead letters and quarantined ones, have none.
struct BlockNote {
  BlockHandle handle;
  uint32_t size_bytes = 0;  // where Message looks for it
  uint32_t crc32c = 0;
  uint32_t from_port = 0;  // who sent it
  uint32_t reserved = 0;

  friend bool operator==(const BlockNote&, const BlockNote&) = default;
};
static_assert(sizeof(BlockNote) == 24 && offsetof(BlockNote, size_bytes) == 8);

inline bool HasBlock(const FrameHeader& header) { return (header.flags & kFlagBlock) != 0; }

// None when the frame has no block. REQUIRES: a frame whose checksum holds.
std::optional<BlockNote> ReadBlockNote(const Frame& frame);
// Takes over the frame's reference. Not ok() when it has none, or a wrong one.
SharedBlock TakeBlock(const std::shared_ptr<BlockPool>& pool, const Frame& frame);
// Whether the bytes are those that the frame was sent with.
bool IsSound(const SharedBlock& block, const Frame& frame);

// Ends the reference of a frame that ends, if it has one.
void DropBlock(BlockPool& pool, const Frame& frame);
// The same for a frame whose checksum does not hold. A single wrong bit is found, and put right, by
// trying; with more of them nobody knows whose reference this was, and that is counted.
void DropBlockOfDamaged(BlockPool& pool, const Frame& frame);

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_BLOCK_FRAME_H_
