// Header fields for the tests of trace context.
#ifndef BITACTOR_TESTS_TRACING_TRACE_HEADERS_H_
#define BITACTOR_TESTS_TRACING_TRACE_HEADERS_H_

#include <string>
#include <utility>
#include <vector>

#include "bitactor/tracing/trace_context.h"

namespace bitactor::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

// The trace and parent of the W3C's own suite.
inline const std::string kTrace = "12345678901234567890123456789012";
inline const std::string kParent = "1234567890123456";
inline const std::string kValid = "00-" + kTrace + "-" + kParent + "-01";

inline ParsedTraceContext Parse(const Fields& fields) {
  std::vector<HeaderField> headers;
  for (const auto& [name, value] : fields) headers.push_back({name, value});
  return ParseTraceContext(headers);
}
inline ParsedTraceContext ParseTracestate(const std::vector<std::string>& values) {
  Fields fields = {{"traceparent", kValid}};
  for (const std::string& value : values) fields.push_back({"tracestate", value});
  return Parse(fields);
}
inline std::string Members(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    text += (i > 1 ? ",bar" : "bar") + std::to_string(i) + "=" + std::to_string(i);
  }
  return text;
}
}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TRACING_TRACE_HEADERS_H_
