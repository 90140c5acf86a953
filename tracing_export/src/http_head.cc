#include "http_head.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace bitactor::internal {
namespace {

constexpr size_t kMaxTargetBytes = 2048;
constexpr size_t kMaxFields = 64;
constexpr std::string_view kLineEnd = "\r\n";

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!IsTokenCharacter(c)) return false;
  }
  return !text.empty();
}

// Visible characters and those above ASCII, blanks and tabs.
bool IsFieldValue(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7F) return false;
  }
  return true;
}

bool Is(std::string_view text, std::string_view lower) {
  return absl::EqualsIgnoreCase(absl::string_view(text.data(), text.size()),
                                absl::string_view(lower.data(), lower.size()));
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What the request line says, or its refusal.
int ParseRequestLine(std::string_view line, HttpHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(method)) return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return version.substr(0, 5) == "HTTP/" ? 505 : 400;
  }
  head.keep_alive = version == "HTTP/1.1";
  if (method != "GET" && method != "HEAD") return 405;
  head.head = method == "HEAD";
  if (target.size() > kMaxTargetBytes) return 414;
  if (target.empty() || target[0] != '/') return 400;
  for (const char c : target) {
    if (!absl::ascii_isgraph(c)) return 400;
  }
  head.path = target.substr(0, target.find('?'));
  return 0;
}

}  // namespace

HttpHead ParseHttpHead(std::string_view text) {
  HttpHead head;
  const auto refuse = [&head](int status) {
    head.status = status;
    return head;
  };
  size_t at = text.find(kLineEnd);
  if (at == std::string_view::npos) return refuse(400);
  if (const int status = ParseRequestLine(text.substr(0, at), head); status != 0) {
    return refuse(status);
  }
  const bool needs_host = head.keep_alive;  // from HTTP/1.1 on
  bool has_host = false;
  for (size_t fields = 0;; ++fields) {
    at += kLineEnd.size();
    const size_t end = text.find(kLineEnd, at);
    if (end == std::string_view::npos) return refuse(400);
    if (end == at) break;
    if (fields == kMaxFields) return refuse(431);
    const std::string_view line = text.substr(at, end - at);
    at = end;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return refuse(400);
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (!IsFieldValue(value)) return refuse(400);
    if (Is(name, "host")) {
      if (has_host) return refuse(400);
      has_host = true;
      head.host = value;
    } else if (Is(name, "accept")) {
      if (head.accept.empty()) head.accept = value;
    } else if (Is(name, "connection")) {
      if (Is(value, "close")) head.keep_alive = false;
    } else if (Is(name, "transfer-encoding") || (Is(name, "content-length") && value != "0")) {
      return refuse(413);
    }
  }
  return has_host || !needs_host ? head : refuse(400);
}

bool IsLocalHost(std::string_view host) {
  const bool bracketed = !host.empty() && host[0] == '[';
  const std::string_view name =
      bracketed ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
  if (Is(name, "localhost") || name == "[::1]") return true;
  if (name.substr(0, 4) != "127.") return false;
  for (const char c : name) {
    if (!absl::ascii_isdigit(c) && c != '.') return false;
  }
  return true;
}

}  // namespace bitactor::internal
