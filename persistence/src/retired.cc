#include "retired.h"

#include <memory>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l1_core/write_aside.h"

namespace bitactor::internal {
namespace {

inline constexpr uint64_t kRetiredMagic = 0x0A64'7274'5241'4942;  // "BIARtrd\n"
inline constexpr uint32_t kRetiredVersion = 1;
inline constexpr uint32_t kChainUnknown = 1;  // a bit of flags

struct RetiredFile {
  uint64_t magic;
  uint32_t version;
  uint32_t first_segment;
  uint64_t records;
  uint64_t bytes;
  uint64_t last_stamp_ns;
  uint32_t chain;
  uint32_t flags;
  uint32_t reserved[3];
  uint32_t crc32c;  // over the 60 bytes before
};
static_assert(sizeof(RetiredFile) == 64);
static_assert(offsetof(RetiredFile, crc32c) == 60);

absl::Status CheckRetiredFile(const RetiredFile& content, const std::string& dir,
                              const std::string& path, uint64_t file_bytes) {
  if (file_bytes != sizeof(content) || content.magic != kRetiredMagic) {
    return DamageError(dir, absl::StrFormat("%s: not the mark of a retention: %d bytes that begin "
                                            "with %016x; it has 64 and begins with %016x",
                                            path, file_bytes, content.magic, kRetiredMagic));
  }
  const uint32_t computed = Crc32c(0, &content, offsetof(RetiredFile, crc32c));
  if (content.crc32c != computed) {
    return DamageError(dir, absl::StrFormat("%s: offset 60: checksum %08x, computed %08x", path,
                                            content.crc32c, computed));
  }
  if (content.version != kRetiredVersion) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: offset 8: version %d; this program reads version %d only: use the "
                        "program that wrote it",
                        path, content.version, kRetiredVersion));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Retired> ReadRetired(FileSystem& files, const std::string& dir) {
  const std::string path = JoinPath(dir, kRetiredName);
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (absl::IsNotFound(file.status())) return Retired{};
  if (!file.ok()) return file.status();
  absl::StatusOr<uint64_t> file_bytes = (*file)->SizeBytes();
  if (!file_bytes.ok()) return file_bytes.status();
  RetiredFile content{};
  absl::StatusOr<size_t> n = (*file)->ReadAt(0, std::as_writable_bytes(std::span(&content, 1)));
  if (!n.ok()) return n.status();
  absl::Status status = CheckRetiredFile(content, dir, path, *file_bytes);
  if (!status.ok()) return status;
  Retired retired;
  retired.first_segment = content.first_segment;
  retired.records = content.records;
  retired.bytes = content.bytes;
  retired.last.last_stamp_ns = content.last_stamp_ns;
  retired.last.chain = content.chain;
  retired.last.known = (content.flags & kChainUnknown) == 0;
  return retired;
}

absl::Status WriteRetired(FileSystem& files, const std::string& dir, const Retired& retired) {
  RetiredFile content{};
  content.magic = kRetiredMagic;
  content.version = kRetiredVersion;
  content.first_segment = retired.first_segment;
  content.records = retired.records;
  content.bytes = retired.bytes;
  content.last_stamp_ns = retired.last.last_stamp_ns;
  content.chain = retired.last.chain;
  content.flags = retired.last.known ? 0 : kChainUnknown;
  content.crc32c = Crc32c(0, &content, offsetof(RetiredFile, crc32c));
  absl::Status status = WriteAside(files, dir, kRetiredAsideName, kRetiredName, {BytesOf(content)});
  return status.ok() ? files.SyncDirectory(dir) : status;
}

absl::Status RemoveRetired(FileSystem& files, const std::string& dir, const Retired& retired) {
  const std::string aside = JoinPath(dir, kRetiredAsideName);
  absl::StatusOr<bool> unfinished = files.Exists(aside);
  if (!unfinished.ok()) return unfinished.status();
  if (*unfinished) {
    if (absl::Status status = files.Remove(aside); !status.ok()) return status;
  }
  if (retired.first_segment == 0) return absl::OkStatus();
  absl::StatusOr<std::vector<uint32_t>> segments = ListAllSegments(files, dir);
  if (!segments.ok()) return segments.status();
  for (const uint32_t index : *segments) {
    if (index >= retired.first_segment) break;
    absl::Status status = files.Remove(SegmentPath(dir, index));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool IsRetired(FileSystem& files, const std::string& dir, uint32_t index) {
  const absl::StatusOr<Retired> retired = ReadRetired(files, dir);
  return retired.ok() && index < retired->first_segment;
}

absl::StatusOr<Seal> RetiredSeal(FileSystem& files, const std::string& dir) {
  absl::StatusOr<Retired> retired = ReadRetired(files, dir);
  if (!retired.ok()) return retired.status();
  return retired->last;
}

absl::Status CheckAvailable(FileSystem& files, const std::string& dir, uint64_t position,
                            uint64_t segment_units) {
  absl::StatusOr<Retired> retired = ReadRetired(files, dir);
  if (!retired.ok()) return retired.status();
  const uint64_t first = retired->first_segment * segment_units;
  if (position >= first) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(dir, ": position ", position,
                                            " was retired; the first available one is ", first,
                                            ": replay from there, or from Position::Begin()"));
}

}  // namespace bitactor::internal
