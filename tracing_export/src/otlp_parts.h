// What requests for spans and for metrics have in common.
#ifndef BITACTOR_TRACING_EXPORT_SRC_OTLP_PARTS_H_
#define BITACTOR_TRACING_EXPORT_SRC_OTLP_PARTS_H_

#include <span>
#include <string>
#include <string_view>

#include "bitactor/tracing_export/otlp_json.h"

namespace bitactor::internal {

// "name":"value", the value escaped.
void AppendTextField(std::string& out, std::string_view name, std::string_view value);
// {"key":...,"value":{...}}
void AppendAttribute(std::string& out, const OtlpAttribute& attribute);
// ,"attributes":[...], or nothing for none.
void AppendAttributes(std::string& out, std::span<const OtlpAttribute> attributes);

// {"resourceSpans":[{"resource":{...},"scopeSpans":[{"scope":{...},"spans":[ for "Spans", "spans",
// and what closes it.
std::string BodyBegin(const OtlpOrigin& origin, const char* what, const char* list);
inline constexpr std::string_view kBodyEnd = "]}]}]}";

TraceId TraceIdOf(const OtlpOrigin& origin, uint64_t trace);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_OTLP_PARTS_H_
