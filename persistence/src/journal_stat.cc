#include <optional>

#include "absl/strings/str_cat.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "recovery.h"
#include "retired.h"
#include "segment_store.h"

namespace bitactor {
namespace {

SegmentStat StatOf(const internal::SegmentHeader& header, const internal::Seal& seal, bool sealed) {
  return {.index = header.segment_index,
          .records = seal.records,
          .first = Position(seal.first_record),
          .last = Position(seal.last_record),
          .last_stamp_ns = seal.last_stamp_ns,
          .created_ns = header.created_ns,
          .sealed = sealed};
}

}  // namespace

absl::StatusOr<JournalStat> StatJournal(const std::string& dir, FileSystem& files) {
  absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(files, dir);
  if (!segments.ok()) return segments.status();
  if (absl::Status status = internal::CheckNoneMissing(files, dir, *segments); !status.ok()) {
    return status;
  }
  if (segments->empty()) {
    return absl::NotFoundError(absl::StrCat(dir, ": no journal here: there are no segments"));
  }
  absl::StatusOr<internal::TailSegment> last =
      internal::FindTailSegment(files, dir, segments->back());
  if (!last.ok()) return last.status();
  const internal::SegmentView view = last->segment.view();
  const internal::SegmentScan scan = internal::ScanSegment(view, last->previous);

  JournalStat stat;
  const uint32_t last_index = last->segment.header.segment_index;
  stat.segment_bytes = last->segment.header.segment_bytes;
  stat.owner_number = last->segment.header.owner_number;
  stat.records = scan.sums.records;
  stat.tail = Position(view.begin + scan.end_unit);
  stat.last_stamp_ns = scan.sums.last_stamp_ns;
  stat.closed_clean = (scan.sealed || (scan.end_unit == 1 && last_index > 0)) &&
                      view.EndOfBytes(scan.end_unit) == scan.end_unit;
  // From the back, so that what is retired meanwhile is the end of it.
  uint32_t first = last_index;
  for (; first > segments->front(); --first) {
    const uint32_t index = first - 1;
    absl::StatusOr<internal::Segment> segment =
        internal::OpenSegment(files, dir, index, File::Access::kRead);
    if (absl::IsNotFound(segment.status()) && internal::IsRetired(files, dir, index)) break;
    if (!segment.ok()) return segment.status();
    const std::optional<internal::Seal> seal = internal::EndSeal(segment->view());
    if (!seal.has_value()) {
      return internal::DamageError(dir, absl::StrCat(internal::SegmentPath(dir, index),
                                                     ": the segment does not end with a seal"));
    }
    stat.records += seal->records;
    stat.segment_list.push_back(StatOf(segment->header, *seal, /*sealed=*/true));
  }
  stat.segment_list.push_back(StatOf(last->segment.header, scan.sums, scan.sealed));
  stat.segments = last_index + 1 - first;
  stat.first = Position(first * view.units);
  stat.bytes = (stat.tail.value() - stat.first.value()) * kFrameUnitBytes;
  absl::StatusOr<internal::Retired> retired = internal::ReadRetired(files, dir);
  if (!retired.ok()) return retired.status();
  stat.retired_records = retired->records;
  stat.retired_bytes = retired->bytes;
  absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::optional<Position>> acknowledged = reader->acknowledged();
  if (!acknowledged.ok()) return acknowledged.status();
  stat.acknowledged = *acknowledged;
  History history = reader->Replay({.skip_gaps = true});
  if (const Record* record = history.Next()) stat.first_stamp_ns = record->frame().header.stamp_ns;
  if (!history.status().ok()) return history.status();
  absl::StatusOr<std::optional<LockOwner>> owner =
      files.LockedBy(JoinPath(dir, internal::kLockName));
  if (!owner.ok()) return owner.status();
  stat.owner = *owner;
  return stat;
}

}  // namespace bitactor
