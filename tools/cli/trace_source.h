// Where the trace commands get spans from.
#ifndef BITACTOR_TOOLS_CLI_TRACE_SOURCE_H_
#define BITACTOR_TOOLS_CLI_TRACE_SOURCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "bitactor/tracing/span_file.h"

namespace bitactor::cli {

// `source`: a run's journal folder, a span file or a sealed file, which is verified.
// Errors: kNotFound, saying why, for a folder without spans; those of LoadSpans() and
//   LoadSealedSpans().
absl::StatusOr<SpanFile> LoadTrace(const std::string& source);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_SOURCE_H_
