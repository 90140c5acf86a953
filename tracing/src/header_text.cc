#include "header_text.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace bitactor::internal {

bool NameIs(std::string_view name, std::string_view lower_case) {
  // Not tolower(): that depends on the process's locale.
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(name.begin(), name.end(), lower_case.begin(), lower_case.end(),
                    [&](char a, char b) { return lower(a) == b; });
}

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string_view TakePart(std::optional<std::string_view>& rest, char separator) {
  const size_t end = rest->find(separator);
  const std::string_view part = rest->substr(0, end);
  if (end == std::string_view::npos) {
    rest.reset();
  } else {
    rest->remove_prefix(end + 1);
  }
  return TrimSpace(part);
}

int LowerHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string ShowCharacter(char c) {
  const unsigned byte = static_cast<unsigned char>(c);
  if (byte > 0x20 && byte < 0x7F) return absl::StrFormat("'%c' (0x%02x)", c, byte);
  return absl::StrFormat("0x%02x", byte);
}

void AppendHex(std::string& out, uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 0xF];
}

}  // namespace bitactor::internal
