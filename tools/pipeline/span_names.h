// Traces of the pipeline: names for the numbers in spans, and the files they go to.
#ifndef BITACTOR_TOOLS_PIPELINE_SPAN_NAMES_H_
#define BITACTOR_TOOLS_PIPELINE_SPAN_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/l3_genactor/system.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"

namespace bitactor::pipeline {

// Within a journal directory: the spans of the last run that ended by itself.
inline constexpr char kSpanFileName[] = "spans.bin";

// Names of the actors, ports and types that these spans mention.
SpanNameTable NamesOf(System& system, const std::vector<SpanRecord>& spans);

// An error that says what is wrong with the path when no file can be written there.
absl::Status CheckWritable(const std::string& path);
absl::Status WriteChromeTraceFile(const std::string& path, const std::vector<SpanRecord>& spans,
                                  const SpanNameTable& names);

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_SPAN_NAMES_H_
