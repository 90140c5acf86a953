#include "journal_defaults.h"

#include <sys/random.h>
#include <time.h>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "segment_format.h"

namespace bitactor::internal {
namespace {

uint64_t SystemRandom() {
  uint64_t value = 0;
  // For 8 bytes it neither fails nor comes short once the machine has started.
  BITACTOR_CHECK_EQ(::getrandom(&value, sizeof(value), 0), static_cast<ssize_t>(sizeof(value)));
  return value;
}

uint64_t SystemTime() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

void SetDefaults(JournalOptions& options) {
  if (!options.random) options.random = SystemRandom;
  if (!options.now_ns) options.now_ns = SystemTime;
}

absl::Status CheckOptions(const std::string& dir, const JournalOptions& options) {
  if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kMaxSegmentBytes ||
      options.segment_bytes % kSegmentAlignBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        dir, ": segment_bytes is ", options.segment_bytes, "; multiples of ", kSegmentAlignBytes,
        " from ", kMinSegmentBytes, " to ", kMaxSegmentBytes, " are possible"));
  }
  if (options.group_records == 0 || options.group_delay_us == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        dir, ": group_records is ", options.group_records, " and group_delay_us ",
        options.group_delay_us, "; both are possible from 1: for a commit with each append, open ",
        "the journal at level each"));
  }
  if (options.files == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, ": files is null; leave it as it is for the system's files"));
  }
  return absl::OkStatus();
}

std::string ParentOf(const std::string& dir) {
  const size_t end = dir.find_last_not_of('/');
  if (end == std::string::npos) return dir.empty() ? "." : "/";
  const size_t slash = dir.rfind('/', end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : dir.substr(0, slash);
}

}  // namespace bitactor::internal
