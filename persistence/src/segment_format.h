// The bytes of a segment: header, slots, seals, gaps. docs/journal_format.md is the contract.
#ifndef BITACTOR_PERSISTENCE_SEGMENT_FORMAT_H_
#define BITACTOR_PERSISTENCE_SEGMENT_FORMAT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/journal_writer.h"

namespace bitactor::internal {

inline constexpr uint64_t kJournalMagic = 0x0A6C'6E72'4A41'4942;  // "BIAJrnl\n"
inline constexpr uint32_t kJournalVersion = 2;                    // what is written
inline constexpr uint32_t kOldestJournalVersion = 1;              // what is read: from this one on
inline constexpr uint32_t kFirstVersionWithBlocks = 2;
inline constexpr uint64_t kMinSegmentBytes = uint64_t{64} << 10;
inline constexpr uint64_t kMaxSegmentBytes = uint64_t{4} << 30;
inline constexpr uint64_t kSegmentAlignBytes = 4096;

struct SegmentHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t owner_number;
  uint64_t salt;
  uint64_t segment_bytes;
  uint64_t boot_id;
  uint64_t created_ns;
  uint32_t segment_index;
  uint32_t reserved[2];
  uint32_t crc32c;  // over the 60 bytes before
};
static_assert(sizeof(SegmentHeader) == kFrameUnitBytes);
static_assert(offsetof(SegmentHeader, crc32c) == 60);

// What is written of a value to a file.
template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  static_assert(std::has_unique_object_representations_v<T>, "what is stored has no padding");
  return std::as_bytes(std::span<const T>(&value, 1));
}

uint32_t HeaderChecksum(const SegmentHeader& header);
// kFailedPrecondition for another version, kDataLoss for bytes that are no header or that of
// another segment. `path` is for the message.
absl::Status CheckHeader(const SegmentHeader& header, const std::string& path,
                         uint32_t segment_index);

// A seal is a frame of kind kFooter without payload; its fields say what it covers.
struct Seal {
  uint64_t records;       // in this segment, before it
  uint64_t first_record;  // position; the segment's own if there is none
  uint64_t last_record;
  uint64_t last_stamp_ns;
  uint32_t chain;  // CRC-32C over the stored commit words of all records of the journal before it
  bool known = true;  // not stored; false behind a gap, until the next seal says what it is

  void Add(uint64_t position, uint64_t stamp_ns, uint64_t commit_word) {
    if (records++ == 0) first_record = position;
    last_record = position;
    last_stamp_ns = stamp_ns;
    chain = Crc32c(chain, &commit_word, sizeof(commit_word));
  }
  bool operator==(const Seal&) const = default;
};
FrameHeader EncodeSeal(const Seal& seal, uint32_t segment_index);
Seal DecodeSeal(const FrameHeader& header);

// What repair leaves where bytes could not be read: a frame of kind kGap without payload.
struct Gap {
  uint64_t first_lost;     // position: its own
  uint64_t units;          // that it stands for, its own included
  uint64_t records;        // in this segment, before it, that can be read
  uint64_t last_stamp_ns;  // of the last record of the journal before it that can be read
};
FrameHeader EncodeGap(const Gap& gap, uint32_t segment_index);
Gap DecodeGap(const FrameHeader& header);

enum class SlotKind : uint8_t {
  kUnwritten,  // the commit word is 0
  kRecord,
  kSeal,
  kBlock,  // a part of the block of a record behind it
  kGap,
  kBad,  // none of these, or one of another place
};

struct Slot {
  SlotKind kind;
  uint32_t units;  // of what is neither unwritten nor bad
  uint64_t commit_word;
};

// A mapped segment as a sequence of slots.
struct SegmentView {
  const std::byte* data;
  uint64_t units;  // of the segment
  uint64_t begin;  // position of unit 0
  uint64_t salt;
  uint32_t version = kJournalVersion;

  const FrameHeader& FrameAt(uint64_t unit) const {
    return *reinterpret_cast<const FrameHeader*>(data + unit * kFrameUnitBytes);
  }
  uint64_t CommitWordAt(uint64_t unit) const {
    auto* word = reinterpret_cast<uint64_t*>(
        const_cast<std::byte*>(data + unit * kFrameUnitBytes));  // atomic_ref<const T> is C++26
    // SYNC(journal-commit): pairs with JournalWriter::Store().
    return std::atomic_ref<uint64_t>(*word).load(std::memory_order_acquire);
  }
  // Checked whole. Nothing longer than a unit reaches into the last one, which is kept for a seal.
  // REQUIRES: 0 < unit < units.
  Slot ReadSlot(uint64_t unit) const {
    const Slot slot = PeekSlot(unit);
    if (slot.kind == SlotKind::kBlock && !BlockBodyIsSound(unit)) [[unlikely]] {
      return {SlotKind::kBad, 0, slot.commit_word};
    }
    return slot;
  }
  // The same, but of a block's part the header alone, for who passes over it.
  Slot PeekSlot(uint64_t unit) const {
    const uint64_t word = CommitWordAt(unit);
    if (word == 0) return {SlotKind::kUnwritten, 0, word};
    // Size and kind come from the word that was loaded once, so that bytes that change meanwhile
    // cannot lead outside the segment.
    const auto size_bytes = static_cast<uint8_t>(word >> 32);
    const auto kind = static_cast<FrameKind>(static_cast<uint8_t>(word >> 40));
    const auto slot_units = static_cast<uint32_t>(StoredBytes(size_bytes) / kFrameUnitBytes);
    const bool is_record = IsRecord(kind);
    if (size_bytes > kMaxPayloadBytes || kind == FrameKind::kNone || kind > kLastFrameKind ||
        (is_record ? slot_units >= units - unit : size_bytes != 0)) {
      return {SlotKind::kBad, 0, word};
    }
    const std::byte* at = data + unit * kFrameUnitBytes;
    const uint32_t stored = static_cast<uint32_t>(word) ^ PlaceMask(salt, begin + unit);
    if (Crc32c(0, at + sizeof(uint32_t), sizeof(FrameHeader) - sizeof(uint32_t) + size_bytes) !=
        stored) {
      return {SlotKind::kBad, 0, word};
    }
    if (is_record) return {SlotKind::kRecord, slot_units, word};
    return OwnSlot(unit, kind, word);
  }
  // Whether the payload of a record that was read is a block, see block_format.h.
  bool HasBlock(const Slot& record) const { return HasBlock(record.commit_word); }
  bool HasBlock(uint64_t commit_word) const {
    return version >= kFirstVersionWithBlocks && ((commit_word >> 50) & kFlagBlock) != 0;
  }
  // Whether a frame of this kind is a record here, and not the journal's own.
  bool IsRecord(FrameKind kind) const {
    return kind != FrameKind::kNone && kind < FrameKind::kFooter &&
           (kind != FrameKind::kBlock || version < kFirstVersionWithBlocks);
  }
  // The first unit from `unit` on that is neither unwritten nor bad; `units` if there is none.
  uint64_t FindValid(uint64_t unit) const;
  // The unit behind the last byte that is not zero, at least `unit`.
  uint64_t EndOfBytes(uint64_t unit) const;

 private:
  // A slot that the journal made for itself, whose checksum matches.
  Slot OwnSlot(uint64_t unit, FrameKind kind, uint64_t word) const;
  bool BlockBodyIsSound(uint64_t unit) const;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SEGMENT_FORMAT_H_
