#include "gap_writer.h"

#include <algorithm>
#include <optional>
#include <span>

#include "recovery.h"
#include "retired.h"
#include "segment_store.h"

namespace bitactor::internal {

absl::Status WriteGap(File& file, const SegmentHeader& header, uint64_t unit, uint64_t end,
                      BeforeGap before) {
  const uint64_t units = header.segment_bytes / kFrameUnitBytes;
  const uint64_t begin = header.segment_index * units;
  const auto write = [&](uint64_t first, uint64_t count) -> absl::Status {
    FrameHeader slot = EncodeGap({.first_lost = begin + first,
                                  .units = count,
                                  .records = before.records,
                                  .last_stamp_ns = before.last_stamp_ns},
                                 header.segment_index);
    slot.crc32c ^= PlaceMask(header.salt, begin + first);
    const auto bytes = BytesOf(slot);
    const uint64_t at = first * kFrameUnitBytes;
    // The commit word last.
    absl::Status status = file.WriteAt(at + 8, bytes.subspan(8));
    if (status.ok()) status = file.WriteAt(at, bytes.first(8));
    return status;
  };
  const uint64_t inner_end = std::min(end, units - 1);
  if (unit < inner_end) {
    if (absl::Status status = write(unit, inner_end - unit); !status.ok()) return status;
  }
  return end == units ? write(units - 1, 1) : absl::OkStatus();
}

uint64_t LastStampBefore(FileSystem& files, const std::string& dir, uint32_t index) {
  if (index == 0) return 0;
  const absl::StatusOr<Segment> before = OpenSegment(files, dir, index - 1, File::Access::kRead);
  if (!before.ok()) {
    const absl::StatusOr<Retired> retired = ReadRetired(files, dir);
    return retired.ok() && retired->first_segment == index ? retired->last.last_stamp_ns : 0;
  }
  const std::optional<Seal> seal = EndSeal(before->view());
  return seal.has_value() ? seal->last_stamp_ns : 0;
}

}  // namespace bitactor::internal
