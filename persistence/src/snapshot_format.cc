#include "snapshot_format.h"

#include <algorithm>
#include <new>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/crc32c.h"

namespace bitactor::internal {
namespace {

constexpr size_t kDigits = 20;  // of 2^64 - 1
constexpr std::string_view kSuffix = ".snap";

std::optional<uint64_t> ParseNumber(std::string_view digits) {
  uint64_t number;
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
      !absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &number)) {
    return std::nullopt;
  }
  return number;
}

// Magic and checksum come first, and stand where they are in every version: a changed bit of the
// version must not read as another version.
absl::Status CheckSnapshotHeader(const SnapshotHeader& header, const std::string& path,
                                 uint64_t key, Position position, uint64_t file_bytes) {
  if (header.magic != kSnapshotMagic) {
    return absl::DataLossError(
        absl::StrFormat("%s: offset 0: not a snapshot: it begins with %016x, a snapshot with %016x",
                        path, header.magic, kSnapshotMagic));
  }
  const uint32_t computed = Crc32c(0, &header, offsetof(SnapshotHeader, crc32c));
  if (header.crc32c != computed) {
    return absl::DataLossError(
        absl::StrFormat("%s: offset 60: the header is damaged: checksum %08x, computed %08x", path,
                        header.crc32c, computed));
  }
  if (header.version != kSnapshotVersion) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: offset 8: snapshot format version %d; this program reads version %d only: use the "
        "program that wrote it",
        path, header.version, kSnapshotVersion));
  }
  if (header.key != key || header.position != position.value()) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 16: this is the snapshot of key %d at position %d under another name: the file "
        "was moved",
        path, header.key, header.position));
  }
  if (header.state_bytes > kMaxSnapshotBytes) {
    return absl::DataLossError(
        absl::StrFormat("%s: offset 40: a state of %d bytes; 0 to %d are "
                        "possible",
                        path, header.state_bytes, kMaxSnapshotBytes));
  }
  if (file_bytes != sizeof(SnapshotHeader) + header.state_bytes) {
    return absl::DataLossError(absl::StrCat(path, ": has ", file_bytes, " bytes; with a state of ",
                                            header.state_bytes, " it should have ",
                                            sizeof(SnapshotHeader) + header.state_bytes));
  }
  return absl::OkStatus();
}

absl::Status CutShort(const std::string& path, uint64_t bytes, uint64_t expected) {
  return absl::DataLossError(
      absl::StrCat(path, ": ends after ", bytes, " bytes; ", expected, " were expected"));
}

// A state may be as large as memory is.
absl::Status MakeRoom(std::vector<std::byte>& state, uint64_t size_bytes, const std::string& path) {
  try {
    state.resize(size_bytes);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": no memory for a state of ", size_bytes, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

SnapshotHeader MakeSnapshotHeader(uint64_t key, Position position, uint64_t stamp_ns,
                                  std::span<const std::byte> state) {
  SnapshotHeader header{};
  header.magic = kSnapshotMagic;
  header.version = kSnapshotVersion;
  header.key = key;
  header.position = position.value();
  header.stamp_ns = stamp_ns;
  header.state_bytes = state.size();
  header.state_crc32c = Crc32c(0, state.data(), state.size());
  header.crc32c = Crc32c(0, &header, offsetof(SnapshotHeader, crc32c));
  return header;
}

std::string SnapshotName(uint64_t key, Position position) {
  return absl::StrFormat("%020d-%020d%s", key, position.value(), kSuffix);
}

std::optional<SnapshotPlace> ParseSnapshotName(std::string_view name) {
  if (name.size() != 2 * kDigits + 1 + kSuffix.size() || name[kDigits] != '-' ||
      !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  const std::optional<uint64_t> key = ParseNumber(name.substr(0, kDigits));
  const std::optional<uint64_t> position = ParseNumber(name.substr(kDigits + 1, kDigits));
  if (!key.has_value() || !position.has_value()) return std::nullopt;
  return SnapshotPlace{*key, Position(*position)};
}

absl::StatusOr<Snapshot> ReadSnapshotFile(FileSystem& files, const std::string& path, uint64_t key,
                                          Position position) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  absl::StatusOr<uint64_t> file_bytes = (*file)->SizeBytes();
  if (!file_bytes.ok()) return file_bytes.status();
  SnapshotHeader header{};
  absl::StatusOr<size_t> n = (*file)->ReadAt(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!n.ok()) return n.status();
  if (*n < sizeof(header)) return CutShort(path, *n, sizeof(header));
  absl::Status status = CheckSnapshotHeader(header, path, key, position, *file_bytes);
  if (!status.ok()) return status;

  Snapshot snapshot;
  snapshot.key = key;
  snapshot.position = position;
  snapshot.stamp_ns = header.stamp_ns;
  status = MakeRoom(snapshot.state, header.state_bytes, path);
  if (!status.ok()) return status;
  n = (*file)->ReadAt(sizeof(header), snapshot.state);
  if (!n.ok()) return n.status();
  if (*n < snapshot.state.size()) {
    return CutShort(path, sizeof(header) + *n, sizeof(header) + header.state_bytes);
  }
  const uint32_t computed = Crc32c(0, snapshot.state.data(), snapshot.state.size());
  if (computed != header.state_crc32c) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 64: the state is damaged: checksum %08x over %d bytes, computed %08x", path,
        header.state_crc32c, header.state_bytes, computed));
  }
  return snapshot;
}

}  // namespace bitactor::internal
