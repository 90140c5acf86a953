// Messages of traces out of the journals, for when their spans are gone.
#ifndef BITACTOR_TOOLS_CLI_TRACE_JOURNAL_H_
#define BITACTOR_TOOLS_CLI_TRACE_JOURNAL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/tracing/span_names.h"
#include "cli/trace_chain.h"

namespace bitactor::cli {

// All messages of the traces that the messages asked for belong to, without times. What belongs to no
// trace is given alone. The names that the journals give are added to `names`.
// Errors: those of JournalMerge; damage is one. Gaps that a repair left are passed over.
// Cost: reads the journals twice.
absl::StatusOr<std::vector<Hop>> JournalledTraces(const std::string& dir, const MessageQuery& query,
                                                  SpanNameTable& names,
                                                  FileSystem& files = PosixFiles());

// One of each span: the times of the one, the place of the other.
std::vector<Hop> Joined(const std::vector<SpanRecord>& spans, const std::vector<Hop>& journalled);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_JOURNAL_H_
