// Saved spans to a collector.
#ifndef BITACTOR_TOOLS_CLI_TRACE_SEND_H_
#define BITACTOR_TOOLS_CLI_TRACE_SEND_H_

#include "bitactor/tracing/span_file.h"
#include "bitactor/tracing_export/otlp_exporter.h"

namespace bitactor::cli {

// One file's spans have the same trace ids each time they are exported, and other files' have
// others: who sends a file twice has it once.
OtlpOrigin OriginOf(const SpanFile& file);

// Sends all, or says what became of them, until Ctrl-C. Returns the exit code.
int SendSpans(const SpanFile& file, OtlpExporterOptions options);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_SEND_H_
