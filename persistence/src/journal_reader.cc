#include "bitactor/persistence/journal_reader.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cut_file.h"
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
  absl::StatusOr<internal::SegmentHeader> header;
  for (std::optional<uint32_t> first;;) {
    absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(files, dir);
    if (!segments.ok()) return segments.status();
    absl::Status status = internal::CheckNoneMissing(files, dir, *segments);
    if (!status.ok()) return status;
    if (segments->empty()) {
      return absl::NotFoundError(
          absl::StrCat(dir, ": no journal here: there is no ", internal::SegmentPath(dir, 0),
                       "; name the directory that was given to Journal::Open"));
    }
    header = internal::ReadSegmentHeader(files, dir, segments->front());
    // If it is not there it was retired meanwhile, and another one is the first.
    if (!absl::IsNotFound(header.status()) || first == segments->front()) break;
    first = segments->front();
  }
  if (!header.ok()) return header.status();
  return JournalReader(dir, &files, header->segment_bytes, header->owner_number);
}

History JournalReader::Replay(ReplayOptions options) const {
  return internal::MakeHistory(*files_, dir_, segment_bytes_, options, options.until,
                               internal::RecordCursor::End::kOpen);
}

absl::StatusOr<std::optional<Position>> JournalReader::acknowledged() const {
  return ReadAcknowledged(dir_, owner_number_, *files_);
}

absl::StatusOr<std::optional<Position>> ReadAcknowledged(const std::string& dir,
                                                         uint32_t owner_number, FileSystem& files) {
  absl::StatusOr<std::optional<internal::Cut>> cut = internal::ReadCut(files, dir);
  if (!cut.ok()) return cut.status();
  if (!cut->has_value()) return std::nullopt;
  const internal::CutEntry* entry = (*cut)->Find(owner_number);
  if (entry == nullptr) return std::nullopt;
  return Position(entry->tail);
}

}  // namespace bitactor
