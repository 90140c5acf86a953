// Chains, paths and sums of spans, for people and for programs.
#ifndef BITACTOR_TOOLS_CLI_TRACE_VIEW_H_
#define BITACTOR_TOOLS_CLI_TRACE_VIEW_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "bitactor/tracing/span_names.h"
#include "cli/trace_chain.h"
#include "cli/trace_stat.h"

namespace bitactor::cli {

std::string ChainsText(const TraceGraph& graph, std::span<const Chain> chains,
                       const SpanNameTable& names);
nlohmann::ordered_json ChainsJson(const TraceGraph& graph, std::span<const Chain> chains,
                                  const SpanNameTable& names);

// A tree: causes, the message itself marked with '*', at most so many effects.
std::string PathText(const TraceGraph& graph, const MessagePath& path, const SpanNameTable& names,
                     size_t most_effects);
nlohmann::ordered_json PathJson(const TraceGraph& graph, const MessagePath& path,
                                const SpanNameTable& names, size_t most_effects);

// The `rows` busiest types and actors.
std::string TraceStatText(const TraceStat& stat, uint64_t dropped, const SpanNameTable& names,
                          size_t rows);
nlohmann::ordered_json TraceStatJson(const TraceStat& stat, uint64_t dropped,
                                     const SpanNameTable& names);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_VIEW_H_
