// What a set of spans adds up to.
#ifndef BITACTOR_TOOLS_CLI_TRACE_STAT_H_
#define BITACTOR_TOOLS_CLI_TRACE_STAT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include "bitactor/tracing/latency_histogram.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/span_names.h"

namespace bitactor::cli {

inline constexpr size_t kSpanOutcomes = static_cast<size_t>(kLastSpanOutcome) + 1;

// The spans of one actor, or of one type.
struct SpanStat {
  LatencyHistogram wait;  // from being sent to the beginning of the dispatch
  LatencyHistogram work;  // the dispatch
  uint64_t not_ok = 0;    // ended otherwise than `ok`

  void Add(const SpanRecord& span);
};

struct TraceStat {
  uint64_t spans = 0;
  uint64_t traces = 0;
  uint64_t roots = 0;
  uint64_t orphans = 0;   // whose parent is not here
  uint64_t first_ns = 0;  // the earliest time a message was sent
  uint64_t last_ns = 0;   // the latest end of a dispatch
  std::array<uint64_t, kSpanOutcomes> outcomes{};
  SpanStat all;
  std::map<uint32_t, SpanStat> by_type;
  std::map<uint32_t, SpanStat> by_actor;  // who handled it
};

TraceStat StatOf(std::span<const SpanRecord> spans, const SpanNameTable& names);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_STAT_H_
