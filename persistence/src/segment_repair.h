// Makes the segments of a damaged journal whole as files, so that every one can be read.
#ifndef BITACTOR_PERSISTENCE_SEGMENT_REPAIR_H_
#define BITACTOR_PERSISTENCE_SEGMENT_REPAIR_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "repair_log.h"
#include "segment_format.h"

namespace bitactor::internal {

// A header that is sound, or can be made so, and has the size that most segments have: it says size
// and owner of all.
absl::StatusOr<SegmentHeader> FindKnownHeader(RepairLog& log,
                                              const std::vector<uint32_t>& segments);

// Sees to it that segment `index` is there, as long as `known` says and with a sound header.
absl::Status MakeSegmentWhole(RepairLog& log, const SegmentHeader& known, uint32_t index,
                              uint32_t last_index);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SEGMENT_REPAIR_H_
