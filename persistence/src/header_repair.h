// Finds out what a damaged segment header said.
#ifndef BITACTOR_PERSISTENCE_HEADER_REPAIR_H_
#define BITACTOR_PERSISTENCE_HEADER_REPAIR_H_

#include <cstdint>
#include <optional>

#include "segment_format.h"

namespace bitactor::internal {

// The header, if one flipped bit makes it one of segment `index`. Sound headers differ from each other in at least six
// bits, so up to four flipped bits never look like one.
std::optional<SegmentHeader> UndoFlippedBit(SegmentHeader damaged, uint32_t index);

// A header in place of `damaged`, with its salt and, of all that can be known, `known` (that of
// another segment), if the salt is right: something in the segment reads as valid with it.
// `data` has known.segment_bytes bytes.
std::optional<SegmentHeader> RebuildHeader(const SegmentHeader& damaged, const SegmentHeader& known,
                                           uint32_t index, const std::byte* data);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_HEADER_REPAIR_H_
