#include "bitactor/persistence/journal_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "replay_timing.h"
#include "segment_store.h"

namespace bitactor {

JournalReader::JournalReader(std::string dir, FileSystem* files, uint64_t segment_bytes,
                             uint32_t owner_number)
    : dir_(std::move(dir)),
      files_(files),
      segment_bytes_(segment_bytes),
      owner_number_(owner_number) {}

absl::StatusOr<JournalReader> JournalReader::Open(const std::string& dir, FileSystem& files) {
  absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(files, dir);
  if (!segments.ok()) return segments.status();
  if (segments->empty()) {
    return absl::NotFoundError(
        absl::StrCat(dir, ": no journal here: there is no ", internal::SegmentPath(dir, 0),
                     "; name the directory that was given to Journal::Open"));
  }
  if (absl::Status status = internal::CheckNoneMissing(dir, *segments); !status.ok()) return status;
  absl::StatusOr<internal::SegmentHeader> header = internal::ReadSegmentHeader(files, dir, 0);
  if (!header.ok()) return header.status();
  return JournalReader(dir, &files, header->segment_bytes, header->owner_number);
}

History JournalReader::Replay(ReplayOptions options) const {
  return internal::MakeHistory(*files_, dir_, segment_bytes_, options, options.until,
                               internal::RecordCursor::End::kOpen);
}

}  // namespace bitactor
