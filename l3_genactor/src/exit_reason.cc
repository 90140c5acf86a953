#include "bitactor/l3_genactor/exit_reason.h"

#include <cstring>

namespace bitactor {
namespace {

constexpr std::string_view kCut = "...";

// Bytes of `text` to keep so that no UTF-8 character is split.
size_t KeptBytes(std::string_view text, size_t max_bytes) {
  size_t kept = max_bytes;
  while (kept > 0 && (static_cast<uint8_t>(text[kept]) & 0xC0) == 0x80) --kept;
  return kept;
}

}  // namespace

ExitReason::ExitReason(Kind kind, int32_t code, std::string_view text) : kind_(kind), code_(code) {
  size_t size = text.size();
  if (size > kMaxTextBytes) {
    size = KeptBytes(text, kMaxTextBytes - kCut.size());
    std::memcpy(text_ + size, kCut.data(), kCut.size());
  }
  if (size > 0) std::memcpy(text_, text.data(), size);
  if (size < text.size()) size += kCut.size();
  size_bytes_ = static_cast<uint8_t>(size);
}

std::string ExitReason::ToString() const {
  switch (kind_) {
    case Kind::kNormal:
      return "normal";
    case Kind::kShutdown:
      return "shutdown";
    case Kind::kShutdownWith:
      return "shutdown: " + std::string(text());
    case Kind::kKill:
      return "kill";
    case Kind::kKilled:
      return "killed";
    case Kind::kError: {
      std::string words = "error " + absl::StatusCodeToString(code());
      if (!text().empty()) words.append(": ").append(text());
      return words;
    }
  }
  return "unknown exit reason " + std::to_string(static_cast<int>(kind_));
}

}  // namespace bitactor
