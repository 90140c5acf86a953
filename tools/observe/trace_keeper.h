// The slowest traces of the last minute, out of looks at the spans of the last moments.
#ifndef BITACTOR_TOOLS_OBSERVE_TRACE_KEEPER_H_
#define BITACTOR_TOOLS_OBSERVE_TRACE_KEEPER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitactor/tracing/span.h"

namespace bitactor::observe {

struct KeptTrace {
  uint64_t trace = 0;
  uint64_t begin_ns = 0;          // the first message's stamp
  uint64_t end_ns = 0;            // of the last dispatch
  std::vector<SpanRecord> spans;  // by the start of their dispatch, at most kMaxTraceSpans
  std::vector<uint32_t> depths;   // of each; 0: its parent is not there

  uint64_t total_ns() const { return end_ns - begin_ns; }
};

// Threads: one at a time.
// Bounds: kKept traces of at most kMaxTraceSpans spans, the first ones.
class TraceKeeper {
 public:
  static constexpr size_t kKept = 12;
  static constexpr size_t kMaxTraceSpans = 64;
  static constexpr uint64_t kKeptNs = 60'000'000'000;

  // A trace that is in several calls counts as it was in the one that knew most of it.
  void Add(std::span<const SpanRecord> spans, uint64_t now_ns);
  // Slowest first.
  const std::vector<KeptTrace>& traces() const { return traces_; }

 private:
  std::vector<KeptTrace> traces_;
};

}  // namespace bitactor::observe

#endif  // BITACTOR_TOOLS_OBSERVE_TRACE_KEEPER_H_
