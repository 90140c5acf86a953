// Texts for the numbers in a span.
#ifndef BITACTOR_TRACING_SPAN_NAMES_H_
#define BITACTOR_TRACING_SPAN_NAMES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "bitactor/tracing/trace_context.h"

namespace bitactor {

// Each may be empty, or return "" where it knows no name: then the number itself is shown. Texts
// are UTF-8; other bytes are shown as U+FFFD.
struct SpanNames {
  std::function<std::string(uint32_t id)> actor = {};  // outside ports as well
  std::function<std::string(uint32_t type)> type = {};
  std::function<std::string(uint16_t shard)> shard = {};

  // The name, or the number: "actor 7", "type 0x0000beef".
  std::string ActorText(uint32_t id) const;
  std::string TypeText(uint32_t type_id) const;
  // The id of a trace that came from outside; zero for one that began here.
  std::function<TraceId(uint64_t trace)> trace = {};
};

// Of SpanRecord::kind: "cast", "call", ...
const char* SpanKindName(uint8_t kind);

// Names as data, as a span file holds them.
struct SpanNameTable {
  std::map<uint32_t, std::string> actors;
  std::map<uint32_t, std::string> types;
  std::map<uint64_t, TraceContext> traces =
      {};  // those that came from outside, with their contexts

  friend bool operator==(const SpanNameTable&, const SpanNameTable&) = default;
  // Looks names up in this table, which must outlive the result. Shards have numbers only.
  SpanNames Lookup() const;
  // {0, trace} of one that began here.
  TraceId TraceIdOf(uint64_t trace) const;
  // Whether a span with this parent is its trace's first here: it has none, or that of the context with
  // which the trace came.
  bool IsRoot(uint64_t trace, uint64_t parent_span) const;
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_SPAN_NAMES_H_
