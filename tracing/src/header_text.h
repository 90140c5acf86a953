// Header fields as HTTP has them (RFC 7230): names in any case, optional space, lists.
#ifndef BITACTOR_TRACING_SRC_HEADER_TEXT_H_
#define BITACTOR_TRACING_SRC_HEADER_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bitactor::internal {

// Whether `name` in any case is `lower_case`.
bool NameIs(std::string_view name, std::string_view lower_case);

// Without the spaces and tabs at both ends.
std::string_view TrimSpace(std::string_view text);

// Cuts the text up to the next `separator`, or all of it, off the front of `rest`, and trims it.
// REQUIRES: `rest` is not at its end (nullopt).
std::string_view TakePart(std::optional<std::string_view>& rest, char separator);

// 0 to 15, or -1 when `c` is none of 0-9 a-f.
int LowerHexDigit(char c);

// "'A' (0x41)", or the number alone where there is nothing to see.
std::string ShowCharacter(char c);

// Appends the lower-case digits of `value`, 16 of them.
void AppendHex(std::string& out, uint64_t value);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_SRC_HEADER_TEXT_H_
