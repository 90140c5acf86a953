#include "slot_batch.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace bitactor::internal {
namespace {

// The processor's own prefetching ends at each page.
constexpr size_t kReadAheadBytes = 4096;

}  // namespace

// Copies what has the shape of a record, and returns how many. The first word, with size and kind,
// is loaded once and decides: bytes that change meanwhile cannot lead outside the segment.
size_t SlotBatch::CopyShapes(const SegmentView& view, uint64_t unit, size_t wanted) {
  size_t copied = 0;
  for (; copied < wanted && unit < view.units; ++copied) {
    const uint64_t word = view.CommitWordAt(unit);
    const auto size_bytes = static_cast<uint8_t>(word >> 32);
    const auto kind = static_cast<FrameKind>(static_cast<uint8_t>(word >> 40));
    const auto units = static_cast<uint32_t>(StoredBytes(size_bytes) / kFrameUnitBytes);
    if (size_bytes > kMaxPayloadBytes || !view.IsRecord(kind) || view.HasBlock(word) ||
        units >= view.units - unit) {
      break;
    }
    const std::byte* from = view.data + unit * kFrameUnitBytes;
    Record& record = records_[copied];
    auto* to = reinterpret_cast<std::byte*>(&record.frame_);
    const uint64_t own_word = word ^ PlaceMask(view.salt, view.begin + unit);
    std::memcpy(to, &own_word, sizeof(own_word));
    std::memcpy(to + sizeof(word), from + sizeof(word), kFrameUnitBytes - sizeof(word));
    for (uint32_t i = 1; i < units; ++i) {
      std::memcpy(to + i * kFrameUnitBytes, from + i * kFrameUnitBytes, kFrameUnitBytes);
    }
    for (uint32_t i = 0; i < units; ++i) {
      __builtin_prefetch(from + kReadAheadBytes + i * kFrameUnitBytes);
    }
    record.position_ = Position(view.begin + unit);
    if (record.block_ != nullptr) [[unlikely]]
      record.block_.reset();
    slots_[copied] = {.commit_word = word, .units = units};
    unit += units;
  }
  return copied;
}

std::vector<std::byte>& SlotBatch::FillWithBlock(const SegmentView& view, uint64_t unit,
                                                 const Slot& slot) {
  Record& record = records_[0];
  std::memcpy(&record.frame_, view.data + unit * kFrameUnitBytes, slot.units * kFrameUnitBytes);
  record.frame_.header.crc32c =
      static_cast<uint32_t>(slot.commit_word) ^ PlaceMask(view.salt, view.begin + unit);
  record.position_ = Position(view.begin + unit);
  if (record.block_ == nullptr || record.block_.use_count() > 1) {
    record.block_ = std::make_shared<std::vector<std::byte>>();
  }
  slots_[0] = {.commit_word = slot.commit_word, .units = slot.units};
  size_ = 1;
  return *record.block_;
}

void SlotBatch::Fill(const SegmentView& view, uint64_t unit, size_t wanted) {
  const size_t copied = CopyShapes(view, unit, wanted);
  for (size_ = 0; size_ < copied;) {
    const size_t together = std::min<size_t>(copied - size_, 4);
    const FrameHeader* headers[4];
    // Fewer than four are filled up with the first: it costs nothing beside a chain of its own.
    for (size_t i = 0; i < 4; ++i) {
      headers[i] = &records_[size_ + (i < together ? i : 0)].frame_.header;
    }
    uint32_t checksums[4];
    if (together == 1) {
      checksums[0] = FrameChecksum(*headers[0]);
    } else {
      FrameChecksums4(headers, checksums);
    }
    for (size_t i = 0; i < together; ++i, ++size_) {
      if (checksums[i] != headers[i]->crc32c) return;
    }
  }
}

}  // namespace bitactor::internal
