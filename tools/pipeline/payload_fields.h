// The fields of the messages that the pipeline and the runtime write into journals, by name.
#ifndef BITACTOR_TOOLS_PIPELINE_PAYLOAD_FIELDS_H_
#define BITACTOR_TOOLS_PIPELINE_PAYLOAD_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitactor::pipeline {

// Text is as it lies in the payload: it may hold any byte.
using FieldValue = std::variant<uint64_t, int64_t, std::string>;

struct PayloadField {
  std::string_view name;  // as in the type's definition; a member's member as "top.sequence"
  FieldValue value;
};

// In the order of the type's definition. Nullopt when the type is none of those that TypeNameOf()
// knows as messages, or the payload is not as long as it.
std::optional<std::vector<PayloadField>> FieldsOf(uint32_t type,
                                                  std::span<const std::byte> payload);

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_PAYLOAD_FIELDS_H_
