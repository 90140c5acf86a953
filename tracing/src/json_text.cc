#include "bitactor/tracing/json_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "utf8.h"

namespace bitactor::internal {

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t size_bytes = Utf8CharacterBytes(text);
    const char c = text[0];
    if (size_bytes == 0) {
      out += kReplacementCharacter;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (size_bytes == 1 && (static_cast<uint8_t>(c) < 0x20 || c == 0x7F)) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out += text.substr(0, size_bytes);
    }
    text.remove_prefix(size_bytes == 0 ? 1 : size_bytes);
  }
  out += '"';
}

}  // namespace bitactor::internal
