// The bytes of a segment: header, slots, seals. docs/journal_format.md is the contract.
#ifndef BITACTOR_PERSISTENCE_SEGMENT_FORMAT_H_
#define BITACTOR_PERSISTENCE_SEGMENT_FORMAT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/persistence/journal_writer.h"

namespace bitactor::internal {

inline constexpr uint64_t kJournalMagic = 0x0A6C'6E72'4A41'4942;  // "BIAJrnl\n"
inline constexpr uint32_t kJournalVersion = 1;
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

enum class SlotKind : uint8_t {
  kUnwritten,  // the commit word is 0
  kRecord,
  kSeal,
  kBad,  // no record, or one of another place
};

struct Slot {
  SlotKind kind;
  uint32_t units;  // of a record or a seal
  uint64_t commit_word;
};

// A mapped segment as a sequence of slots.
struct SegmentView {
  const std::byte* data;
  uint64_t units;  // of the segment
  uint64_t begin;  // position of unit 0
  uint64_t salt;

  const FrameHeader& FrameAt(uint64_t unit) const {
    return *reinterpret_cast<const FrameHeader*>(data + unit * kFrameUnitBytes);
  }
  uint64_t CommitWordAt(uint64_t unit) const {
    auto* word = reinterpret_cast<uint64_t*>(
        const_cast<std::byte*>(data + unit * kFrameUnitBytes));  // atomic_ref<const T> is C++26
    // SYNC(journal-commit): pairs with JournalWriter::Store().
    return std::atomic_ref<uint64_t>(*word).load(std::memory_order_acquire);
  }
  // No record reaches into the last unit, which is kept for a seal. REQUIRES: 0 < unit < units.
  Slot ReadSlot(uint64_t unit) const {
    const uint64_t word = CommitWordAt(unit);
    if (word == 0) return {SlotKind::kUnwritten, 0, word};
    // Size and kind come from the word that was loaded once, so that bytes that change meanwhile
    // cannot lead outside the segment.
    const auto size_bytes = static_cast<uint8_t>(word >> 32);
    const auto kind = static_cast<FrameKind>(static_cast<uint8_t>(word >> 40));
    const auto slot_units = static_cast<uint32_t>(StoredBytes(size_bytes) / kFrameUnitBytes);
    if (size_bytes > kMaxPayloadBytes || kind == FrameKind::kNone || kind > kLastFrameKind ||
        (kind == FrameKind::kFooter ? size_bytes != 0 : slot_units >= units - unit)) {
      return {SlotKind::kBad, 0, word};
    }
    const std::byte* at = data + unit * kFrameUnitBytes;
    const uint32_t stored = static_cast<uint32_t>(word) ^ PlaceMask(salt, begin + unit);
    if (Crc32c(0, at + sizeof(uint32_t), sizeof(FrameHeader) - sizeof(uint32_t) + size_bytes) !=
        stored) {
      return {SlotKind::kBad, 0, word};
    }
    return {kind == FrameKind::kFooter ? SlotKind::kSeal : SlotKind::kRecord, slot_units, word};
  }
  // The first unit from `unit` on that holds a record or a seal; `units` if there is none.
  uint64_t FindValid(uint64_t unit) const;
  // The unit behind the last byte that is not zero, at least `unit`.
  uint64_t EndOfBytes(uint64_t unit) const;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SEGMENT_FORMAT_H_
