#include "bitactor/tracing/baggage.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "header_text.h"
#include "utf8.h"

namespace bitactor {
namespace {

using internal::NameIs;
using internal::ShowCharacter;
using internal::TakePart;
using internal::TrimSpace;

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
// tchar of RFC 7230 section 3.2.6.
bool IsTokenCharacter(char c) {
  return IsLetterOrDigit(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
// baggage-octet.
bool IsValueCharacter(char c) {
  return c > 0x20 && c < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
}

// Each returns what is wrong, "" when nothing is.
std::string KeyFault(std::string_view key) {
  if (key.empty()) return "a key is empty";
  for (char c : key) {
    if (!IsTokenCharacter(c)) {
      return absl::StrCat(ShowCharacter(c),
                          " in a key; allowed are letters, digits and !#$%&'*+-.^_`|~");
    }
  }
  return "";
}
std::string ValueFault(std::string_view value) {
  for (char c : value) {
    if (!IsValueCharacter(c)) {
      return absl::StrCat(ShowCharacter(c),
                          " in a value; allowed are 0x21 to 0x7e without '\"', ',', ';' and '\\'");
    }
  }
  return "";
}

// key OWS [ "=" OWS value ], without the space, appended to `text`.
std::string AppendProperty(std::string_view part, std::string& text) {
  const size_t equals = part.find('=');
  const std::string_view key = TrimSpace(part.substr(0, equals));
  if (std::string fault = KeyFault(key); !fault.empty()) return fault;
  if (!text.empty()) text += ';';
  text += key;
  if (equals == std::string_view::npos) return "";
  const std::string_view value = TrimSpace(part.substr(equals + 1));
  text += '=';
  text += value;
  return ValueFault(value);
}

std::string ParseMember(std::string_view text, BaggageMember& into) {
  std::optional<std::string_view> rest = text;
  const std::string_view pair = TakePart(rest, ';');
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return "has no '='";
  into.key = TrimSpace(pair.substr(0, equals));
  into.value = TrimSpace(pair.substr(equals + 1));
  if (std::string fault = KeyFault(into.key); !fault.empty()) return fault;
  if (std::string fault = ValueFault(into.value); !fault.empty()) return fault;
  while (rest.has_value()) {
    std::string fault = AppendProperty(TakePart(rest, ';'), into.properties);
    if (!fault.empty()) return fault;
  }
  return "";
}

bool KeepsToTheRules(const BaggageMember& member) {
  if (!KeyFault(member.key).empty() || !ValueFault(member.value).empty()) return false;
  if (member.properties.empty()) return true;
  std::string properties;
  for (std::optional<std::string_view> rest = member.properties; rest.has_value();) {
    if (!AppendProperty(TakePart(rest, ';'), properties).empty()) return false;
  }
  return properties == member.properties;
}

int HexDigit(char c) {
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return internal::LowerHexDigit(c);
}

}  // namespace

bool IsBaggageKey(std::string_view key) { return KeyFault(key).empty(); }

ParsedBaggage ParseBaggage(std::span<const HeaderField> headers) {
  ParsedBaggage result;
  size_t number = 0;
  for (const HeaderField& header : headers) {
    if (!NameIs(header.name, "baggage")) continue;
    for (std::optional<std::string_view> rest = header.value; rest.has_value();) {
      const std::string_view text = TakePart(rest, ',');
      if (text.empty()) continue;
      ++number;
      BaggageMember member;
      std::string fault = ParseMember(text, member);
      if (fault.empty()) {
        result.members.push_back(std::move(member));
      } else if (++result.dropped_members == 1) {
        result.reason = absl::StrCat("baggage: member ", number, ": ", fault);
      }
    }
  }
  return result;
}

EmittedBaggage EmitBaggage(std::span<const BaggageMember> members) {
  EmittedBaggage out;
  for (size_t i = 0; i < members.size(); ++i) {
    const BaggageMember& member = members[i];
    BITACTOR_CHECK(KeepsToTheRules(member));
    const size_t bytes = (i > 0) + member.key.size() + 1 + member.value.size() +
                         (member.properties.empty() ? 0 : 1 + member.properties.size());
    if (i == kMaxBaggageMembers || out.baggage.size() + bytes > kMaxBaggageBytes) {
      out.cut_members = members.size() - i;
      break;
    }
    if (i > 0) out.baggage += ',';
    out.baggage += member.key;
    out.baggage += '=';
    out.baggage += member.value;
    if (!member.properties.empty()) {
      out.baggage += ';';
      out.baggage += member.properties;
    }
  }
  return out;
}

std::string EncodeBaggageValue(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string value;
  for (char c : text) {
    // The unreserved characters of RFC 3986 section 2.3.
    if (IsLetterOrDigit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      value += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      value += '%';
      value += kDigits[byte >> 4];
      value += kDigits[byte & 0xF];
    }
  }
  return value;
}

std::string DecodeBaggageValue(std::string_view value) {
  std::string bytes;
  for (size_t i = 0; i < value.size(); ++i) {
    const int high = i + 2 < value.size() && value[i] == '%' ? HexDigit(value[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(value[i + 2]) : -1;
    if (low >= 0) {
      bytes += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      bytes += value[i];
    }
  }
  std::string text;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t size_bytes = internal::Utf8CharacterBytes(rest);
    text += size_bytes != 0 ? rest.substr(0, size_bytes) : internal::kReplacementCharacter;
    rest.remove_prefix(std::max<size_t>(size_bytes, 1));
  }
  return text;
}

}  // namespace bitactor
