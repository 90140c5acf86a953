// Writes gaps into a segment's file.
#ifndef BITACTOR_PERSISTENCE_GAP_WRITER_H_
#define BITACTOR_PERSISTENCE_GAP_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"
#include "segment_format.h"

namespace bitactor::internal {

// What can be read before a gap.
struct BeforeGap {
  uint64_t records;        // in its segment
  uint64_t last_stamp_ns;  // of the journal
};

// Gaps over units [unit, end): one, or two where the range reaches the segment's last unit, which is
// a slot of its own. Each is there or not, wherever the writing stops.
absl::Status WriteGap(File& file, const SegmentHeader& header, uint64_t unit, uint64_t end,
                      BeforeGap before);

// The last stamp before a segment, as the end of the one before it says, or the mark of a retention
// (retired.h); 0 if that cannot be read.
uint64_t LastStampBefore(FileSystem& files, const std::string& dir, uint32_t index);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_GAP_WRITER_H_
