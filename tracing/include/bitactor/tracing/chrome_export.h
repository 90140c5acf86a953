// Spans as a picture: Chrome's JSON trace format, which ui.perfetto.dev opens.
#ifndef BITACTOR_TRACING_CHROME_EXPORT_H_
#define BITACTOR_TRACING_CHROME_EXPORT_H_

#include <ostream>
#include <span>

#include "absl/status/status.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"

namespace bitactor {

// Writes one JSON object. Process 1 has a thread per shard with a slice per dispatch; process 2 has
// a thread per sender of root messages (an outside port, as a rule) with a slice "send" per
// message. An arrow leads from the slice in which a message was sent to the one that handled it; it
// is left out where the sender's span is not among `spans`. Times are relative to the earliest,
// which is in otherData.begin_unix_ns, in microseconds with three digits: exact to the nanosecond.
//
// Slices of one thread never overlap, as the format demands: one that reaches into the next is cut
// there, and each lasts at least 1 ns, if need be at its successor's expense.
//
// Order: the same spans and names give the same bytes.
// Threads: any; no state.
// Errors: kDataLoss when `out` fails; what was written is then not a valid file.
// Cost: about 2 us and 500 bytes a span.
absl::Status WriteChromeTrace(std::span<const SpanRecord> spans, const SpanNames& names,
                              std::ostream& out);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_CHROME_EXPORT_H_
