#include "cli/progress.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor::cli {
namespace {

constexpr uint64_t kShowEveryNs = 100'000'000;
constexpr uint64_t kBarLetters = 20;
constexpr double kMiB = 1 << 20;

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

std::string ProgressText(uint64_t done_bytes, uint64_t total_bytes, uint64_t elapsed_ns) {
  const double rate = static_cast<double>(done_bytes) * 1e9 /
                      static_cast<double>(std::max<uint64_t>(elapsed_ns, 1));
  const std::string speed = absl::StrFormat("%.1f MiB/s", rate / kMiB);
  if (total_bytes == 0) {
    return absl::StrFormat("%.1f MiB  %s", static_cast<double>(done_bytes) / kMiB, speed);
  }
  const uint64_t done = std::min(done_bytes, total_bytes);
  const double share = static_cast<double>(done) / static_cast<double>(total_bytes);
  const auto letters = static_cast<size_t>(share * kBarLetters);
  std::string text = absl::StrFormat(
      "[%s%s] %3d %%  %.1f of %.1f MiB  %s", std::string(letters, '#'),
      std::string(kBarLetters - letters, '.'), static_cast<int>(share * 100),
      static_cast<double>(done) / kMiB, static_cast<double>(total_bytes) / kMiB, speed);
  if (rate > 0) {
    absl::StrAppendFormat(&text, "  %.0f s left", static_cast<double>(total_bytes - done) / rate);
  }
  return text;
}

ByteProgress::ByteProgress(std::string label)
    : label_(std::move(label)), start_ns_(Now()), shown_ns_(start_ns_) {}

void ByteProgress::Update(uint64_t done_bytes, uint64_t total_bytes) {
  const uint64_t now_ns = Now();
  if (now_ns - shown_ns_ < kShowEveryNs) return;
  shown_ns_ = now_ns;
  line_.Show(absl::StrCat(label_, "  ", ProgressText(done_bytes, total_bytes, now_ns - start_ns_)));
}

}  // namespace bitactor::cli
