#include "journal_defaults.h"

#include "absl/strings/str_cat.h"
#include "segment_format.h"

namespace bitactor::internal {

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
