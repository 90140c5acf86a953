#include "segment_format.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

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
  if (header.version != kJournalVersion) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: offset 8: journal format version %d; this program reads and writes "
                        "version %d only: use the program that wrote this journal",
                        path, header.version, kJournalVersion));
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

uint64_t SegmentView::FindValid(uint64_t unit) const {
  for (; unit < units; ++unit) {
    const SlotKind kind = ReadSlot(unit).kind;
    if (kind == SlotKind::kRecord || kind == SlotKind::kSeal) return unit;
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
