#include "bitactor/l2_mailbox/quarantine_file.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/l1_core/write_aside.h"

namespace bitactor {
namespace {

constexpr char kFolder[] = "quarantine";
constexpr char kPrefix[] = "boot-";
constexpr char kMagic[8] = {'B', 'T', 'Q', 'U', 'A', 'R', '0', '1'};

struct FileHeader {
  char magic[8];
  uint32_t boot;
  uint32_t records;
  uint64_t quarantined;
  uint8_t zeros[36];
  uint32_t crc32c;
};
static_assert(sizeof(FileHeader) == 64 && offsetof(FileHeader, crc32c) == 60);

struct FileRecord {
  uint32_t crc32c;
  uint32_t index;
  uint64_t number;
  uint64_t found_ns;
  uint32_t shard;
  uint32_t from_port;
  uint32_t to_port;
  LaneFault fault;
  uint8_t zeros[27];
  std::byte frame[sizeof(Frame)];
};
static_assert(sizeof(FileRecord) == 256 && offsetof(FileRecord, frame) == 64);

uint32_t ChecksumOf(const FileHeader& header) {
  return Crc32c(0, &header, offsetof(FileHeader, crc32c));
}
uint32_t ChecksumOf(const FileRecord& record) {
  return Crc32c(0, reinterpret_cast<const std::byte*>(&record) + sizeof(record.crc32c),
                sizeof(record) - sizeof(record.crc32c));
}

FileRecord RecordOf(uint32_t index, const QuarantinedFrame& quarantined) {
  FileRecord record{};
  record.index = index;
  record.number = quarantined.number;
  record.found_ns = quarantined.found_ns;
  record.shard = quarantined.shard;
  record.from_port = quarantined.from_port;
  record.to_port = quarantined.to_port;
  record.fault = quarantined.fault;
  std::memcpy(record.frame, &quarantined.frame, sizeof(record.frame));
  record.crc32c = ChecksumOf(record);
  return record;
}

QuarantinedFrame FrameOf(const FileRecord& record) {
  QuarantinedFrame quarantined;
  std::memcpy(static_cast<void*>(&quarantined.frame), record.frame, sizeof(record.frame));
  quarantined.number = record.number;
  quarantined.found_ns = record.found_ns;
  quarantined.shard = record.shard;
  quarantined.from_port = record.from_port;
  quarantined.to_port = record.to_port;
  quarantined.fault = record.fault;
  return quarantined;
}

// Reads one file; what is wrong with it goes to its `damages`.
absl::Status ReadOne(FileSystem& files, QuarantineFile& into) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(into.path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<uint64_t> size_bytes = (*file)->SizeBytes();
  if (!size_bytes.ok()) return size_bytes.status();
  FileHeader header{};
  const absl::StatusOr<size_t> got =
      (*file)->ReadAt(0, {reinterpret_cast<std::byte*>(&header), sizeof(header)});
  if (!got.ok()) return got.status();
  const bool sound = *got == sizeof(header) &&
                     std::memcmp(header.magic, kMagic, sizeof(kMagic)) == 0 &&
                     header.crc32c == ChecksumOf(header);
  if (!sound) {
    into.damages.push_back(absl::StrFormat("%s: bytes 0 to %d: not the header of a quarantine file",
                                           into.path, sizeof(header)));
  }
  into.boot = sound ? header.boot : 0;
  into.quarantined = sound ? header.quarantined : 0;
  const uint64_t whole =
      (*size_bytes - std::min<uint64_t>(*size_bytes, sizeof(header))) / sizeof(FileRecord);
  // A header that cannot be believed does not say how many there are; each says so for itself.
  const uint64_t records = sound ? header.records : whole;
  const uint64_t expected_bytes = sizeof(header) + records * sizeof(FileRecord);
  if (*size_bytes != expected_bytes) {
    into.damages.push_back(absl::StrFormat("%s: is %d bytes long; %d records take %d", into.path,
                                           *size_bytes, records, expected_bytes));
  }
  for (uint64_t i = 0; i < std::min(records, whole); ++i) {
    const uint64_t offset = sizeof(header) + i * sizeof(FileRecord);
    FileRecord record{};
    const absl::StatusOr<size_t> read =
        (*file)->ReadAt(offset, {reinterpret_cast<std::byte*>(&record), sizeof(record)});
    if (!read.ok()) return read.status();
    if (*read != sizeof(record) || record.crc32c != ChecksumOf(record) || record.index != i) {
      into.damages.push_back(absl::StrFormat(
          "%s: bytes %d to %d: record %d is damaged (checksum %08x, index %d)", into.path, offset,
          offset + sizeof(record), i, record.crc32c, record.index));
      continue;
    }
    into.frames.push_back(FrameOf(record));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteQuarantineFile(FileSystem& files, const std::string& set_dir, uint32_t boot,
                                 uint64_t quarantined, std::span<const QuarantinedFrame> frames) {
  if (frames.empty()) return absl::OkStatus();
  const std::string dir = JoinPath(set_dir, kFolder);
  if (absl::Status status = files.CreateDir(dir); !status.ok()) return status;
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.boot = boot;
  header.records = static_cast<uint32_t>(frames.size());
  header.quarantined = quarantined;
  header.crc32c = ChecksumOf(header);
  std::vector<FileRecord> records;
  records.reserve(frames.size());
  for (const QuarantinedFrame& frame : frames) {
    records.push_back(RecordOf(static_cast<uint32_t>(records.size()), frame));
  }
  const std::string name = absl::StrFormat("%s%05d", kPrefix, boot);
  absl::Status status =
      internal::WriteAside(files, dir, absl::StrCat(name, ".new"), name,
                           {std::as_bytes(std::span<const FileHeader>(&header, 1)),
                            std::as_bytes(std::span<const FileRecord>(records))});
  if (!status.ok()) return status;
  return files.SyncDirectory(dir);
}

absl::StatusOr<std::vector<QuarantineFile>> ReadQuarantineFiles(FileSystem& files,
                                                                const std::string& set_dir) {
  // Of the set itself first: a folder that is not there is a mistake, one without faults is not.
  if (absl::StatusOr<std::vector<std::string>> set = files.List(set_dir); !set.ok()) {
    return set.status();
  } else if (std::find(set->begin(), set->end(), kFolder) == set->end()) {
    return std::vector<QuarantineFile>();
  }
  const std::string dir = JoinPath(set_dir, kFolder);
  absl::StatusOr<std::vector<std::string>> names = files.List(dir);
  if (!names.ok()) return names.status();
  std::vector<QuarantineFile> all;
  for (const std::string& name : *names) {
    if (name.rfind(kPrefix, 0) != 0 || name.find('.') != std::string::npos) continue;
    QuarantineFile file;
    file.path = JoinPath(dir, name);
    if (absl::Status status = ReadOne(files, file); !status.ok()) return status;
    all.push_back(std::move(file));
  }
  return all;
}

}  // namespace bitactor
