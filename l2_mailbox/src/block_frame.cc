#include "bitactor/l2_mailbox/block_frame.h"

#include <cstddef>
#include <cstring>

#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/shard.h"

namespace bitactor {

SharedBlock Message::block() const {
  internal::Shard* const shard = internal::CurrentShard();
  const std::optional<internal::BlockNote> note = internal::ReadBlockNote(*frame_);
  if (block_ == nullptr || shard == nullptr || !note.has_value()) return {};
  const std::shared_ptr<internal::BlockPool>& pool = shard->state().blocks;
  // A handler may be given a message from a journal as well.
  if (!pool->Lives(note->handle) || pool->BytesOf(note->handle).data() != block_) return {};
  pool->AddReference(note->handle);
  return SharedBlock::Adopt(pool, note->handle);
}

namespace internal {
namespace {

constexpr size_t kUsedBits = (sizeof(FrameHeader) + sizeof(BlockNote)) * 8;

bool IsWholeBlockFrame(const Frame& frame) {
  return HasBlock(frame.header) && frame.header.size_bytes == sizeof(BlockNote) &&
         CheckFrame(frame.header) == FrameFault::kOk;
}

void FlipBit(Frame& frame, size_t bit) {
  reinterpret_cast<std::byte*>(&frame)[bit / 8] ^= std::byte{1} << (bit % 8);
}

}  // namespace

std::optional<BlockNote> ReadBlockNote(const Frame& frame) {
  if (!HasBlock(frame.header) || frame.header.size_bytes != sizeof(BlockNote)) return std::nullopt;
  BlockNote note;
  std::memcpy(&note, frame.payload, sizeof(note));
  return note;
}

SharedBlock TakeBlock(const std::shared_ptr<BlockPool>& pool, const Frame& frame) {
  const std::optional<BlockNote> note = ReadBlockNote(frame);
  if (!note.has_value() || !pool->Lives(note->handle)) return {};
  return SharedBlock::Adopt(pool, note->handle);
}

bool IsSound(const SharedBlock& block, const Frame& frame) {
  const std::optional<BlockNote> note = ReadBlockNote(frame);
  if (!note.has_value() || !block.ok()) return false;
  const std::span<const std::byte> bytes = block.bytes();
  return bytes.size() == note->size_bytes &&
         Crc32cLong(0, bytes.data(), bytes.size()) == note->crc32c;
}

void DropBlock(BlockPool& pool, const Frame& frame) {
  const std::optional<BlockNote> note = ReadBlockNote(frame);
  if (note.has_value()) pool.Drop(note->handle);
}

void DropBlockOfDamaged(BlockPool& pool, const Frame& frame) {
  // With fewer than all bits of "this has a block" right, one of them is the wrong one.
  const bool has_flag = HasBlock(frame.header);
  const bool has_size = frame.header.size_bytes == sizeof(BlockNote);
  if ((!has_flag && !has_size) || pool.Counters().in_use == 0) return;
  Frame tried;
  std::memcpy(static_cast<void*>(&tried), &frame, sizeof(frame));
  for (size_t bit = 0; bit < kUsedBits; ++bit) {
    FlipBit(tried, bit);
    if (IsWholeBlockFrame(tried)) {
      DropBlock(pool, tried);
      return;
    }
    FlipBit(tried, bit);
  }
  if (has_flag) pool.CountLost();
}

}  // namespace internal
}  // namespace bitactor
