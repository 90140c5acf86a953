// Text as a JSON string.
#ifndef BITACTOR_TRACING_JSON_TEXT_H_
#define BITACTOR_TRACING_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace bitactor::internal {

// Appends `text` with its quotes. Any bytes give valid JSON: what is no UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_JSON_TEXT_H_
