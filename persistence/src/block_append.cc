// Appends records that are longer than a frame.
#include <algorithm>
#include <cstring>
#include <utility>

#include "bitactor/persistence/journal_writer.h"
#include "block_format.h"
#include "segment_store.h"

namespace bitactor::internal {

Position JournalWriter::AppendBlock(const FrameHeader& fields, std::span<const std::byte> bytes,
                                    std::optional<uint32_t> crc32c) {
  BITACTOR_CHECK(IsAppendable(fields.kind) && !bytes.empty() && bytes.size() <= kMaxBlockBytes);
  BlockSummary summary{
      .first_part = 0, .total_bytes = static_cast<uint32_t>(bytes.size()), .chain = 0};
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t rest = bytes.size() - done;
    if (absl::Status status = MakeRoom(BlockSlotUnits(std::min(rest, kMinBlockPartBytes)));
        !status.ok()) {
      // The parts so far stay, and belong to nobody.
      return Refuse(std::move(status));
    }
    // Relaxed: this thread wrote it.
    const uint64_t at = tail_.load(std::memory_order_relaxed);
    const uint64_t room_bytes = (end_ - 1 - at - 1) * kFrameUnitBytes;
    const auto body = bytes.subspan(done, std::min(rest, room_bytes));
    const BlockPart part{.total_bytes = bytes.size(),
                         .offset = done,
                         .bytes = body.size(),
                         .crc32c = crc32c.has_value() && body.size() == bytes.size()
                                       ? *crc32c
                                       : Crc32cLong(0, body.data(), body.size())};
    if (done == 0) summary.first_part = at;
    const uint64_t commit_word = StoreBlockPart(
        EncodeBlockPart(part, static_cast<uint32_t>(begin_ / (end_ - begin_))), body);
    summary.chain = Crc32c(summary.chain, &commit_word, sizeof(commit_word));
    done += body.size();
    NoteProgress(tail_.load(std::memory_order_relaxed));
    // Whatever comes next, this record's frame or after a refusal another one, may be the first
    // record of the segment, which only AppendSlow() notes.
    limit_ = 0;
  }
  Frame frame{};
  frame.header = fields;
  frame.header.flags |= kFlagBlock;
  frame.header.size_bytes = sizeof(summary);
  std::memcpy(frame.payload, &summary, sizeof(summary));
  bitactor::Seal(frame);
  return AppendSlow(frame.header, StoredBytes(sizeof(summary)) / kFrameUnitBytes);
}

uint64_t JournalWriter::StoreBlockPart(const FrameHeader& part, std::span<const std::byte> bytes) {
  // Relaxed: this thread wrote it.
  const uint64_t at = tail_.load(std::memory_order_relaxed);
  std::byte* to = data_ + (at - begin_) * kFrameUnitBytes;
  std::memcpy(to + kFrameUnitBytes, bytes.data(), bytes.size());
  // The body is there before the slot is. The tail moves over both at once: a tail inside of a part
  // would get into a cut.
  return Store(part, at, 1, BlockSlotUnits(bytes.size()));
}

}  // namespace bitactor::internal
