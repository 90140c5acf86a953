#include "segment_format.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "block_format.h"

namespace bitactor::internal {

uint32_t HeaderChecksum(const SegmentHeader& header) {
  return Crc32c(0, &header, offsetof(SegmentHeader, crc32c));
}

absl::Status CheckHeader(const SegmentHeader& header, const std::string& path,
                         uint32_t segment_index) {
  if (header.magic != kJournalMagic) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 0: not a journal segment: it begins with %016x, a segment with %016x; is this "
        "the right directory?",
        path, header.magic, kJournalMagic));
  }
  // Before the checksum, which another version may keep elsewhere.
  if (header.version < kOldestJournalVersion || header.version > kJournalVersion) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: offset 8: journal format version %d; this program reads versions %d "
                        "to %d: use the program that wrote this journal",
                        path, header.version, kOldestJournalVersion, kJournalVersion));
  }
  if (const uint32_t expected = HeaderChecksum(header); header.crc32c != expected) {
    return absl::DataLossError(
        absl::StrFormat("%s: offset 60: the segment header is damaged: checksum %08x, computed "
                        "%08x",
                        path, header.crc32c, expected));
  }
  if (header.segment_index != segment_index) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 48: this is segment %d under the name of segment %d: the file was moved", path,
        header.segment_index, segment_index));
  }
  if (header.segment_bytes < kMinSegmentBytes || header.segment_bytes > kMaxSegmentBytes ||
      header.segment_bytes % kSegmentAlignBytes != 0) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 24: segment size %d; multiples of %d from %d to %d are possible", path,
        header.segment_bytes, kSegmentAlignBytes, kMinSegmentBytes, kMaxSegmentBytes));
  }
  return absl::OkStatus();
}

FrameHeader EncodeSeal(const Seal& seal, uint32_t segment_index) {
  FrameHeader header{};
  header.kind = FrameKind::kFooter;
  header.message_id = seal.records;
  header.correlation_id = seal.first_record;
  header.stamp_ns = seal.last_stamp_ns;
  header.trace = seal.last_record;
  header.type = seal.chain;
  header.target = segment_index;
  header.crc32c = FrameChecksum(header);
  return header;
}

Seal DecodeSeal(const FrameHeader& header) {
  return {.records = header.message_id,
          .first_record = header.correlation_id,
          .last_record = header.trace,
          .last_stamp_ns = header.stamp_ns,
          .chain = header.type};
}

FrameHeader EncodeGap(const Gap& gap, uint32_t segment_index) {
  FrameHeader header{};
  header.kind = FrameKind::kGap;
  header.message_id = gap.records;
  header.correlation_id = gap.first_lost;
  header.stamp_ns = gap.last_stamp_ns;
  header.trace = gap.units;
  header.target = segment_index;
  header.crc32c = FrameChecksum(header);
  return header;
}

Gap DecodeGap(const FrameHeader& header) {
  return {.first_lost = header.correlation_id,
          .units = header.trace,
          .records = header.message_id,
          .last_stamp_ns = header.stamp_ns};
}

Slot SegmentView::OwnSlot(uint64_t unit, FrameKind kind, uint64_t word) const {
  const Slot bad{SlotKind::kBad, 0, word};
  if (kind == FrameKind::kFooter) return {SlotKind::kSeal, 1, word};
  // A copy: what is checked is what is used, even when the bytes change meanwhile.
  const FrameHeader header = FrameAt(unit);
  const uint64_t room = units - unit;
  if (kind == FrameKind::kGap) {
    const Gap gap = DecodeGap(header);
    if (gap.first_lost != begin + unit || gap.units == 0 || (gap.units > 1 && gap.units >= room)) {
      return bad;
    }
    return {SlotKind::kGap, static_cast<uint32_t>(gap.units), word};
  }
  const BlockPart part = DecodeBlockPart(header);
  if (part.total_bytes > kMaxBlockBytes || part.offset > part.total_bytes || part.bytes == 0 ||
      part.bytes > part.total_bytes - part.offset || BlockSlotUnits(part.bytes) >= room) {
    return bad;
  }
  return {SlotKind::kBlock, static_cast<uint32_t>(BlockSlotUnits(part.bytes)), word};
}

bool SegmentView::BlockBodyIsSound(uint64_t unit) const {
  const BlockPart part = DecodeBlockPart(FrameAt(unit));
  // Once more: whoever damages a file meanwhile must not lead outside the segment.
  if (part.bytes == 0 || part.bytes > kMaxBlockBytes ||
      BlockSlotUnits(part.bytes) >= units - unit) {
    return false;
  }
  return Crc32c(0, data + (unit + 1) * kFrameUnitBytes, part.bytes) == part.crc32c;
}

uint64_t SegmentView::FindValid(uint64_t unit) const {
  for (; unit < units; ++unit) {
    const SlotKind kind = ReadSlot(unit).kind;
    if (kind != SlotKind::kUnwritten && kind != SlotKind::kBad) return unit;
  }
  return units;
}

uint64_t SegmentView::EndOfBytes(uint64_t unit) const {
  uint64_t end = units;
  for (; end > unit; --end) {
    const std::byte* at = data + (end - 1) * kFrameUnitBytes;
    if (std::any_of(at, at + kFrameUnitBytes, [](std::byte b) { return b != std::byte{0}; })) break;
  }
  return end;
}

}  // namespace bitactor::internal
