// Spans as a log with vector clocks, which ShiViz (bestchai.bitbucket.io/shiviz) draws.
#ifndef BITACTOR_TRACING_EXPORT_SHIVIZ_EXPORT_H_
#define BITACTOR_TRACING_EXPORT_SHIVIZ_EXPORT_H_

#include <cstddef>
#include <ostream>
#include <span>

#include "absl/status/status.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"

namespace bitactor {

// Every actor and every outside sender is a host. Each event has two lines, the text and then host
// and clock, which ShiViz reads without being told how:
//   Quote from feed, call, waited 200 ns, worked 1300 ns, ok
//   book {"book":7, "feed":31}
// A dispatch is an event of its actor, a root message's sending one of its sender. The clocks are
// rebuilt: an event knows what its host knew before, and what the event knew in which its message
// was sent. Where that one is not among `spans` (overwritten), nothing is known of it.
// A host is named after its actor; letters that ShiViz cannot have in a name become '_', and who
// would then share a name gets its number behind it.
//
// Order: causes before effects, else by time. The same spans and names give the same bytes.
// Threads: any; no state.
// Bounds: clocks name every host that was heard of, so lines grow with their number.
// Errors: kOutOfRange for more than kMaxShivizSpans, more than a browser can draw; kDataLoss when
//   `out` fails, or when spans contradict each other: each of some would be a cause of itself.
absl::Status WriteShivizLog(std::span<const SpanRecord> spans, const SpanNames& names,
                            std::ostream& out);
inline constexpr size_t kMaxShivizSpans = 20'000;

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_SHIVIZ_EXPORT_H_
