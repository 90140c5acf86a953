#include "header_repair.h"

#include "segment_store.h"

namespace bitactor::internal {

std::optional<SegmentHeader> UndoFlippedBit(SegmentHeader damaged, uint32_t index) {
  auto* bytes = reinterpret_cast<std::byte*>(&damaged);
  for (size_t bit = 0; bit < sizeof(damaged) * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    if (CheckHeader(damaged, "", index).ok()) return damaged;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  return std::nullopt;
}

std::optional<SegmentHeader> RebuildHeader(const SegmentHeader& damaged, const SegmentHeader& known,
                                           uint32_t index, const std::byte* data) {
  SegmentHeader header = known;
  header.salt = damaged.salt;
  header.boot_id = damaged.boot_id;
  header.created_ns = damaged.created_ns;
  header.segment_index = index;
  // Nothing but blocks depends on it, and these read as valid in a version that has them only.
  header.version = damaged.version == kOldestJournalVersion ? damaged.version : kJournalVersion;
  header.crc32c = HeaderChecksum(header);
  const uint64_t units = known.segment_bytes / kFrameUnitBytes;
  const SegmentView view{.data = data,
                         .units = units,
                         .begin = index * units,
                         .salt = header.salt,
                         .version = header.version};
  if (view.FindValid(1) == units) return std::nullopt;
  return header;
}

}  // namespace bitactor::internal
