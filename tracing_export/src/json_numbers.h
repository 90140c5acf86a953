// Numbers and ids as OTLP's JSON has them, appended fast.
#ifndef BITACTOR_TRACING_EXPORT_SRC_JSON_NUMBERS_H_
#define BITACTOR_TRACING_EXPORT_SRC_JSON_NUMBERS_H_

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bitactor/tracing/trace_context.h"

namespace bitactor::internal {

// Each writes at `to` and returns the end of what it wrote.
inline char* PutText(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}
inline char* PutHex(char* to, uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *to++ = kDigits[(value >> shift) & 0xF];
  return to;
}
inline char* PutDecimal(char* to, uint64_t value) { return std::to_chars(to, to + 20, value).ptr; }

// 16 and 32 digits in quotes.
inline void AppendSpanId(std::string& out, uint64_t span_id) {
  char text[18];
  char* end = PutHex(PutText(text, "\""), span_id);
  out.append(text, PutText(end, "\""));
}
inline void AppendTraceId(std::string& out, TraceId trace_id) {
  char text[34];
  char* end = PutHex(PutHex(PutText(text, "\""), trace_id.high), trace_id.low);
  out.append(text, PutText(end, "\""));
}
// 64-bit integers stand in quotes: readers that have doubles alone would round them.
template <typename Integer>
void AppendQuoted(std::string& out, Integer value) {
  char text[24];
  out += '"';
  out.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
  out += '"';
}
inline void AppendDouble(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
  }
}

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_JSON_NUMBERS_H_
