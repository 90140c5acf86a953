// W3C Baggage at the edges: a user's own key-value pairs that travel with a trace.
#ifndef BITACTOR_TRACING_BAGGAGE_H_
#define BITACTOR_TRACING_BAGGAGE_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitactor/tracing/trace_context.h"

namespace bitactor {

// As it is on the wire, without optional space: `value` is percent-encoded, `properties` is what
// stands after the first ';', or "". A key may come more than once.
struct BaggageMember {
  std::string key;
  std::string value;
  std::string properties;

  friend bool operator==(const BaggageMember&, const BaggageMember&) = default;
};

struct ParsedBaggage {
  std::vector<BaggageMember> members;
  size_t dropped_members = 0;  // against the rules
  std::string reason;          // the first of these: its number, what is wrong, what is allowed
};

// Reads the fields named baggage, all together, in order, as one list; no others. A key is a token
// of RFC 7230, a value printable ASCII without space, '"', ',', ';' and '\', also empty.
//
// Threads: any; no state.
// Bounds: any bytes; the result is at most as large as they are.
// Errors: in the result. A member against the rules is dropped alone.
// Cost: one pass; allocates the result alone.
ParsedBaggage ParseBaggage(std::span<const HeaderField> headers);

// What the W3C asks everybody to carry, and what we carry at most.
inline constexpr size_t kMaxBaggageMembers = 64;
inline constexpr size_t kMaxBaggageBytes = 8192;

struct EmittedBaggage {
  std::string baggage;     // "": send no field
  size_t cut_members = 0;  // what did not fit
};

// In the same order. From the first member that does not fit all are cut.
// Threads: any; no state.
// Errors: none. REQUIRES: members are from ParseBaggage, or keep to its rules.
EmittedBaggage EmitBaggage(std::span<const BaggageMember> members);

bool IsBaggageKey(std::string_view key);

// Any text as a value and back. What is no percent sign with two digits stays as it is; bytes that
// are no UTF-8 become U+FFFD.
std::string EncodeBaggageValue(std::string_view text);
std::string DecodeBaggageValue(std::string_view value);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_BAGGAGE_H_
