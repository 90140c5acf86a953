// Where the records of a time begin, without reading those before.
#ifndef BITACTOR_PERSISTENCE_STAMP_SEARCH_H_
#define BITACTOR_PERSISTENCE_STAMP_SEARCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"

namespace bitactor::internal {

// A place at or after `from` with no record in between that is stamped `stamp_ns` or later, when no
// record is stamped more than `disorder_ns` earlier than one before it. Looks at the last stamps in
// the seals of log2(segments) segments; one that is damaged or not sealed is not passed.
absl::StatusOr<Position> SkipEarlierSegments(FileSystem& files, const std::string& dir,
                                             uint64_t segment_units, Position from,
                                             uint64_t stamp_ns, uint64_t disorder_ns);

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_STAMP_SEARCH_H_
