#include "bitactor/persistence/journal_index.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "bitactor/l1_core/write_aside.h"
#include "index_file.h"
#include "segment_store.h"

namespace bitactor {
namespace {

constexpr char kIndexLockName[] = "lock";
constexpr char kIndexAsideName[] = "next.tmp";

absl::StatusOr<std::unique_ptr<FileLock>> TakeIndexLock(FileSystem& files,
                                                        const std::string& index_dir) {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = files.Lock(
      JoinPath(index_dir, kIndexLockName), static_cast<uint64_t>(absl::GetCurrentTimeNanos()));
  if (!absl::IsUnavailable(lock.status())) return lock;
  return absl::FailedPreconditionError(
      absl::StrCat(index_dir, " is being updated by ", lock.status().message(),
                   "; read with what is there, or update again when that is done"));
}

// What an unfinished Update() left, and the indexes of segments that are not there.
absl::Status RemoveUseless(FileSystem& files, const std::string& index_dir,
                           const std::vector<uint32_t>& segments, IndexReport& report) {
  absl::StatusOr<std::vector<std::string>> names = files.List(index_dir);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    absl::string_view number = name;
    uint32_t index = 0;
    const bool is_index = absl::ConsumeSuffix(&number, ".idx") && number.size() == 8 &&
                          absl::SimpleAtoi(number, &index);
    if (is_index ? std::binary_search(segments.begin(), segments.end(), index)
                 : name != kIndexAsideName) {
      continue;
    }
    if (absl::Status status = files.Remove(JoinPath(index_dir, name)); !status.ok()) return status;
    if (is_index) ++report.removed;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JournalIndex> JournalIndex::Open(const std::string& dir, FileSystem& files) {
  absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files);
  if (!reader.ok()) return reader.status();
  return JournalIndex(*std::move(reader), &files);
}

absl::StatusOr<IndexReport> JournalIndex::Update() {
  const std::string index_dir = internal::IndexDir(dir());
  if (absl::Status status = files_->CreateDir(index_dir); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<FileLock>> lock = TakeIndexLock(*files_, index_dir);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(*files_, dir());
  if (!segments.ok()) return segments.status();
  IndexReport report;
  report.damage = internal::CheckNoneMissing(*files_, dir(), *segments);
  absl::Status status = RemoveUseless(*files_, index_dir, *segments, report);
  for (const uint32_t segment : *segments) {
    if (!status.ok()) return status;
    status = UpdateSegment(segment, report);
  }
  if (status.ok()) status = files_->SyncDirectory(index_dir);
  if (!status.ok()) return status;
  return report;
}

// What is wrong with the segment goes into the report; an error is one of writing.
absl::Status JournalIndex::UpdateSegment(uint32_t segment, IndexReport& report) {
  const absl::StatusOr<std::optional<internal::SealedContent>> content =
      internal::ReadSealedContent(*files_, dir(), segment);
  if (absl::IsNotFound(content.status())) return absl::OkStatus();  // retired just now
  if (!content.ok()) {
    ++report.left_out;
    report.damage.Update(content.status());
    return absl::OkStatus();
  }
  if (!content->has_value()) return absl::OkStatus();
  const absl::StatusOr<internal::IndexFile> old =
      internal::IndexFile::Read(*files_, dir(), **content);
  if (old.ok()) {
    ++report.kept;
    return absl::OkStatus();
  }

  const Position begin(segment * (*content)->units);
  History history = reader_.Replay(
      {.from = begin, .until = Position(begin.value() + (*content)->units), .skip_gaps = true});
  internal::IndexBuilder builder;
  for (const Record& record : history) {
    builder.Add(record.frame().header.target,
                static_cast<uint32_t>(record.position().value() - begin.value()));
  }
  if (absl::IsOutOfRange(history.status())) return absl::OkStatus();  // retired just now
  if (!history.status().ok() || history.gaps_skipped() > 0 ||
      builder.records() != (*content)->records) {
    ++report.left_out;
    report.damage.Update(history.status());
    return absl::OkStatus();
  }
  const std::vector<std::byte> file = builder.Encode(**content);
  ++(absl::IsNotFound(old.status()) ? report.built : report.rebuilt);
  return internal::WriteAside(*files_, internal::IndexDir(dir()), kIndexAsideName,
                              internal::IndexName(segment), {file});
}

absl::StatusOr<std::vector<TargetRecords>> JournalIndex::Targets() const {
  absl::StatusOr<std::vector<uint32_t>> segments = internal::ListSegments(*files_, dir());
  if (!segments.ok()) return segments.status();
  std::map<uint32_t, uint64_t> counts;
  const uint64_t units = reader_.segment_bytes() / kFrameUnitBytes;
  for (const uint32_t segment : *segments) {
    const absl::StatusOr<std::optional<internal::SealedContent>> content =
        internal::ReadSealedContent(*files_, dir(), segment);
    if (content.ok() && content->has_value() && (*content)->units == units) {
      const absl::StatusOr<internal::IndexFile> index =
          internal::IndexFile::Read(*files_, dir(), **content);
      if (index.ok()) {
        for (const internal::IndexedTarget& entry : index->targets()) {
          counts[entry.target] += entry.records;
        }
        continue;
      }
    }
    History history = reader_.Replay({.from = Position(segment * units),
                                      .until = Position((segment + uint64_t{1}) * units),
                                      .skip_gaps = true});
    for (const Record& record : history) ++counts[record.frame().header.target];
    if (!history.status().ok()) return history.status();
  }
  std::vector<TargetRecords> targets;
  for (const auto& [target, records] : counts) targets.push_back({target, records});
  return targets;
}

TargetHistory JournalIndex::Replay(uint32_t target, TargetReplayOptions options) const {
  return Replay([target](uint32_t one) { return one == target; }, options);
}

TargetHistory JournalIndex::Replay(TargetFilter wanted, TargetReplayOptions options) const {
  return TargetHistory(reader_, files_, std::move(wanted), options);
}

}  // namespace bitactor
