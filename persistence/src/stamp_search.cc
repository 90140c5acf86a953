#include "stamp_search.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "recovery.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

// Whether all records up to the end of the segment are stamped before `bound_ns`: the last one is,
// and none before it is stamped later than that by more than the disorder, which the bound has
// taken off already.
bool EndsBefore(FileSystem& files, const std::string& dir, uint32_t index, uint64_t bound_ns) {
  const absl::StatusOr<Segment> segment = OpenSegment(files, dir, index, File::Access::kRead);
  if (!segment.ok()) return false;
  const std::optional<Seal> seal = EndSeal(segment->view());
  return seal.has_value() && !segment->mapping->broken() && seal->last_stamp_ns < bound_ns;
}

}  // namespace

absl::StatusOr<Position> SkipEarlierSegments(FileSystem& files, const std::string& dir,
                                             uint64_t segment_units, Position from,
                                             uint64_t stamp_ns, uint64_t disorder_ns) {
  if (stamp_ns <= disorder_ns) return from;
  const uint64_t bound_ns = stamp_ns - disorder_ns;
  absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files, dir);
  if (!segments.ok()) return segments.status();
  const auto first =
      std::lower_bound(segments->begin(), segments->end(), from.value() / segment_units);
  // Whatever segment is found to end before the bound, all before it do; so nothing depends on the
  // stamps rising from seal to seal.
  const auto end = std::partition_point(first, segments->end(), [&](uint32_t index) {
    return EndsBefore(files, dir, index, bound_ns);
  });
  if (end == first) return from;
  return std::max(from, Position((uint64_t{*(end - 1)} + 1) * segment_units));
}

}  // namespace bitactor::internal
