#include "otlp_parts.h"

#include "absl/strings/str_cat.h"
#include "bitactor/tracing/json_text.h"
#include "json_numbers.h"

namespace bitactor::internal {

void AppendTextField(std::string& out, std::string_view name, std::string_view value) {
  out += '"';
  out += name;
  out += "\":";
  AppendJsonString(out, value);
}

void AppendAttribute(std::string& out, const OtlpAttribute& attribute) {
  out += '{';
  AppendTextField(out, "key", attribute.key);
  out += ",\"value\":{";
  if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    AppendTextField(out, "stringValue", *text);
  } else if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    out += "\"intValue\":";
    AppendQuoted(out, *integer);
  } else if (const auto* number = std::get_if<double>(&attribute.value)) {
    out += "\"doubleValue\":";
    AppendDouble(out, *number);
  } else {
    out += std::get<bool>(attribute.value) ? "\"boolValue\":true" : "\"boolValue\":false";
  }
  out += "}}";
}

void AppendAttributes(std::string& out, std::span<const OtlpAttribute> attributes) {
  if (attributes.empty()) return;
  out += ",\"attributes\":";
  char before = '[';
  for (const OtlpAttribute& attribute : attributes) {
    out += before;
    AppendAttribute(out, attribute);
    before = ',';
  }
  out += ']';
}

std::string BodyBegin(const OtlpOrigin& origin, const char* what, const char* list) {
  std::string out = absl::StrCat("{\"resource", what, "\":[{\"resource\":{\"attributes\":[");
  AppendAttribute(out, {"service.name", origin.service_name});
  for (const OtlpAttribute& attribute : origin.resource_attributes) {
    out += ',';
    AppendAttribute(out, attribute);
  }
  absl::StrAppend(&out, "]},\"scope", what, "\":[{\"scope\":{");
  AppendTextField(out, "name", origin.scope_name);
  if (!origin.scope_version.empty()) {
    out += ',';
    AppendTextField(out, "version", origin.scope_version);
  }
  AppendAttributes(out, origin.scope_attributes);
  absl::StrAppend(&out, "},\"", list, "\":[");
  return out;
}

TraceId TraceIdOf(const OtlpOrigin& origin, uint64_t trace) {
  const TraceId outside = origin.trace_id ? origin.trace_id(trace) : TraceId{};
  return outside.high != 0 ? outside : TraceId{origin.trace_high, trace};
}

}  // namespace bitactor::internal
