// W3C Trace Context (level 2) at the edges: traceparent and tracestate in and out.
#ifndef BITACTOR_TRACING_TRACE_CONTEXT_H_
#define BITACTOR_TRACING_TRACE_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitactor {

// One header field as it came; `name` in any case, `value` with whatever space surrounds it.
struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// 128 bits; all zero is no trace.
struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  bool is_zero() const { return (high | low) == 0; }
  std::string ToHex() const;  // 32 lower-case digits
  friend bool operator==(const TraceId&, const TraceId&) = default;
};

// 16 lower-case digits.
std::string SpanIdToHex(uint64_t span_id);

// One system's place in the trace. Key: 1 to 256 of a-z 0-9 _ - * / @, the first a letter or digit.
// Value: 1 to 256 printable ASCII characters without ',' and '=', the last no space.
struct TracestateMember {
  std::string key;
  std::string value;

  friend bool operator==(const TracestateMember&, const TracestateMember&) = default;
};
bool IsTracestateKey(std::string_view key);
bool IsTracestateValue(std::string_view value);

struct TraceContext {
  TraceId trace_id;
  uint64_t parent_id = 0;  // the caller's span; 0: we are the root
  bool sampled = false;    // the caller may have recorded its part
  // The trace id was chosen at random. Who starts a trace says so; all others send on what came.
  bool random_trace_id = false;
  std::vector<TracestateMember> tracestate;  // the latest to be written first

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

struct ParsedTraceContext {
  bool valid = false;             // false: start a new trace; `context` is then empty
  std::string reason;             // why not: header, place, value, what is allowed
  std::string tracestate_reason;  // why the tracestate of a valid context was dropped, if it was
  TraceContext context;
};

// Reads the fields named traceparent and tracestate, and no others.
//
// traceparent: exactly one. Version 00 has 55 characters; of a higher one the first 55 are used if
// nothing or a '-' follows. Upper case, version ff and an id of zeros are invalid. Flags but for
// sampled (01) and random trace id (02) are not looked at.
// tracestate: all fields together, in order, as one list; empty members are skipped and not counted
// (RFC 7230 section 7). A member against the rules, a 33rd one or a key that comes twice drops the
// whole list and leaves traceparent valid. Without a valid traceparent it is not looked at.
//
// Threads: any; no state.
// Bounds: any bytes, at most 32 members in the result.
// Errors: in the result.
// Cost: one pass; allocates the result alone.
ParsedTraceContext ParseTraceContext(std::span<const HeaderField> headers);

inline constexpr std::string_view kOwnTracestateKey = "bitactor";
inline constexpr size_t kMaxTracestateMembers = 32;
inline constexpr size_t kMaxTracestateChars = 512;
// Longer members ("key=value") are cut first.
inline constexpr size_t kLongTracestateMemberChars = 128;

struct EmittedTraceContext {
  std::string traceparent;
  std::string tracestate;
  size_t cut_members = 0;  // what did not fit
};

// What to send from the span `span_id` on: version 00, the trace and flags of `context`, and our
// own member, whose value is the span id, left of all others. Those keep their order; an older
// member of ours goes. Over 32 members the last ones are cut. Over 512 characters whole members are
// cut: those of more than 128 characters first, the last of them first, and then the last ones.
// Ours is never cut.
//
// Threads: any; no state.
// Errors: none. REQUIRES: neither id is zero, every member keeps to the rules.
// Cost: allocates the result alone.
EmittedTraceContext EmitTraceContext(const TraceContext& context, uint64_t span_id);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_TRACE_CONTEXT_H_
