// Where each span is drawn: tracks, slices that do not overlap, arrows between them.
#ifndef BITACTOR_TRACING_SRC_TRACE_LAYOUT_H_
#define BITACTOR_TRACING_SRC_TRACE_LAYOUT_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitactor/tracing/span.h"

namespace bitactor::internal {

// One line of the picture.
struct Track {
  enum class Kind : uint8_t { kShard = 1, kSender = 2 };  // the process number in the file

  Kind kind;
  uint32_t number;  // shard, or actor id of the sender

  friend auto operator<=>(const Track&, const Track&) = default;
};

struct Slice {
  size_t track;   // index in TraceLayout::tracks
  size_t record;  // index in the spans given
  uint64_t begin_ns;
  uint64_t end_ns;  // > begin_ns
};

// From the sender's slice to the receiver's: begin_ns lies in the one, end_ns in the other, and
// begin_ns <= end_ns.
struct Arrow {
  size_t from;  // indices in TraceLayout::slices
  size_t to;
  uint64_t begin_ns;
  uint64_t end_ns;
};

struct TraceLayout {
  std::vector<Track> tracks;  // ascending
  std::vector<Slice> slices;  // by track, then by time; disjoint on each track
  std::vector<Arrow> arrows;  // by receiver's slice; at most one for each span id
};

TraceLayout LayOut(std::span<const SpanRecord> spans);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_SRC_TRACE_LAYOUT_H_
