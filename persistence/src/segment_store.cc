#include "segment_store.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "retired.h"

namespace bitactor::internal {
namespace {

absl::StatusOr<SegmentHeader> ReadHeaderOf(const File& file, const std::string& path,
                                           uint32_t index) {
  SegmentHeader header{};
  absl::StatusOr<size_t> n = file.ReadAt(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!n.ok()) return n.status();
  if (*n < sizeof(header)) {
    return absl::DataLossError(
        absl::StrCat(path, ": has ", *n, " bytes, but a segment begins with a header of 64"));
  }
  if (absl::Status status = CheckHeader(header, path, index); !status.ok()) return status;
  return header;
}

}  // namespace

std::string SegmentPath(const std::string& dir, uint32_t index) {
  return JoinPath(dir, absl::StrFormat("%08d.seg", index));
}

absl::StatusOr<std::vector<uint32_t>> ListAllSegments(FileSystem& files, const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = files.List(dir);
  if (!names.ok()) return names.status();
  std::vector<uint32_t> segments;
  for (absl::string_view name : *names) {
    uint32_t index;
    if (absl::ConsumeSuffix(&name, ".seg") && name.size() == 8 && absl::SimpleAtoi(name, &index)) {
      segments.push_back(index);
    }
  }
  std::sort(segments.begin(), segments.end());
  return segments;
}

absl::StatusOr<std::vector<uint32_t>> ListSegments(FileSystem& files, const std::string& dir) {
  for (;;) {
    absl::StatusOr<std::vector<uint32_t>> segments = ListAllSegments(files, dir);
    if (!segments.ok() || segments->empty()) return segments;
    // After the list: what is not in it because it was retired is in the mark. A damaged mark hides
    // nothing, and is for CheckNoneMissing() to report.
    const absl::StatusOr<Retired> retired = ReadRetired(files, dir);
    if (!retired.ok()) return segments;
    const auto first = std::lower_bound(segments->begin(), segments->end(), retired->first_segment);
    // All of them: the journal went on since, or else all of it is missing.
    const bool look_again = first == segments->end() &&
                            files.Exists(SegmentPath(dir, retired->first_segment)).value_or(false);
    if (look_again) continue;
    segments->erase(segments->begin(), first);
    return segments;
  }
}

absl::Status CheckNoneMissing(FileSystem& files, const std::string& dir,
                              const std::vector<uint32_t>& segments) {
  const absl::StatusOr<Retired> retired = ReadRetired(files, dir);
  if (!retired.ok()) return retired.status();
  if (segments.empty()) {
    if (retired->first_segment == 0) return absl::OkStatus();
    return DamageError(dir, absl::StrCat(SegmentPath(dir, retired->first_segment),
                                         ": this segment is missing, and all behind it"));
  }
  // More may have been retired since they were listed, but not less.
  uint32_t expected = std::min(retired->first_segment, segments.front());
  for (const uint32_t index : segments) {
    if (index != expected) {
      return DamageError(dir,
                         absl::StrCat(SegmentPath(dir, expected), ": this segment is missing, but ",
                                      SegmentPath(dir, index), " is there"));
    }
    ++expected;
  }
  return absl::OkStatus();
}

absl::StatusOr<Segment> OpenSegment(FileSystem& files, const std::string& dir, uint32_t index,
                                    File::Access access) {
  const std::string path = SegmentPath(dir, index);
  absl::StatusOr<std::unique_ptr<File>> file =
      files.Open(path, access == File::Access::kRead ? FileSystem::OpenMode::kRead
                                                     : FileSystem::OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  absl::StatusOr<SegmentHeader> header = ReadHeaderOf(**file, path, index);
  if (!header.ok()) return header.status();
  absl::StatusOr<uint64_t> size_bytes = (*file)->SizeBytes();
  if (!size_bytes.ok()) return size_bytes.status();
  if (*size_bytes != header->segment_bytes) {
    return DamageError(dir, absl::StrCat(path, ": has ", *size_bytes,
                                         " bytes, but its header says ", header->segment_bytes));
  }
  absl::StatusOr<std::unique_ptr<Mapping>> mapping = (*file)->Map(0, *size_bytes, access);
  if (!mapping.ok()) return mapping.status();
  return Segment{*header, *std::move(file), *std::move(mapping)};
}

absl::StatusOr<SegmentHeader> ReadSegmentHeader(FileSystem& files, const std::string& dir,
                                                uint32_t index) {
  const std::string path = SegmentPath(dir, index);
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  return ReadHeaderOf(**file, path, index);
}

SegmentHeader SegmentMaker::NewHeader(uint32_t index) const {
  SegmentHeader header{};
  header.magic = kJournalMagic;
  header.version = kJournalVersion;
  header.owner_number = owner_number;
  header.salt = random();
  header.segment_bytes = segment_bytes;
  header.boot_id = files->BootId();
  header.created_ns = now_ns();
  header.segment_index = index;
  header.crc32c = HeaderChecksum(header);
  return header;
}

absl::StatusOr<Segment> SegmentMaker::Make(uint32_t index) const {
  if (index > kMaxSegmentIndex) {
    return absl::OutOfRangeError(absl::StrCat(dir, ": no new segment: its number would be ", index,
                                              ", and the last that is ", "possible is ",
                                              kMaxSegmentIndex, ": go on in another directory"));
  }
  const std::string unfinished = JoinPath(dir, kUnfinishedName);
  Segment segment{};
  segment.header = NewHeader(index);

  const auto make = [&]() -> absl::Status {
    absl::StatusOr<std::unique_ptr<File>> file =
        files->Open(unfinished, FileSystem::OpenMode::kCreate);
    if (!file.ok()) return file.status();
    if (absl::Status status = (*file)->Allocate(segment_bytes); !status.ok()) return status;
    absl::StatusOr<std::unique_ptr<Mapping>> mapping =
        (*file)->Map(0, segment_bytes, File::Access::kReadWrite);
    if (!mapping.ok()) return mapping.status();
    segment.file = *std::move(file);
    segment.mapping = *std::move(mapping);
    absl::Status status = segment.file->WriteAt(0, BytesOf(segment.header));
    if (status.ok() && syncs) status = segment.file->Sync();
    if (status.ok()) status = files->Rename(unfinished, SegmentPath(dir, index));
    return status;
  };
  if (const absl::Status status = make(); !status.ok()) {
    // Best effort: it takes space that may be what lacks, and opening the journal removes it too.
    files->Remove(unfinished).IgnoreError();
    return absl::Status(
        status.code(),
        absl::StrCat(dir, ": no new segment of ", segment_bytes, " bytes: ", status.message(),
                     status.code() == absl::StatusCode::kResourceExhausted
                         ? ": free some space, then append again"
                         : ""));
  }
  return segment;
}

absl::StatusOr<std::unique_ptr<FileLock>> LockJournal(FileSystem& files, const std::string& dir,
                                                      uint64_t now_ns) {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = files.Lock(JoinPath(dir, kLockName), now_ns);
  if (!absl::IsUnavailable(lock.status())) return lock;
  return absl::FailedPreconditionError(
      absl::StrCat(dir, " is in use by ", lock.status().message(),
                   "; close it there, or read it with JournalReader or `bitactor journal dump ",
                   dir, "`, which need no lock"));
}

std::string Place(const std::string& path, const SegmentView& view, uint64_t unit) {
  return absl::StrCat(path, ": offset ", unit * kFrameUnitBytes, " (position ", view.begin + unit,
                      ")");
}

absl::Status DamageError(const std::string& dir, const std::string& what) {
  return absl::DataLossError(
      absl::StrCat(what, "; run `bitactor journal verify ", dir, "` to see all of the damage"));
}

}  // namespace bitactor::internal
