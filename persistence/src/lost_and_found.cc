#include "lost_and_found.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "absl/strings/str_format.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

absl::Status CopyRange(const File& from, uint64_t offset, uint64_t size_bytes, File& to) {
  std::vector<std::byte> piece(std::min(size_bytes, kPieceBytes));
  for (uint64_t done = 0; done < size_bytes;) {
    const uint64_t wanted = std::min(size_bytes - done, kPieceBytes);
    absl::StatusOr<size_t> n = from.ReadAt(offset + done, std::span(piece).first(wanted));
    if (!n.ok()) return n.status();
    if (absl::Status status = to.WriteAt(done, std::span(piece).first(*n)); !status.ok()) {
      return status;
    }
    if (*n < wanted) break;  // the end of the file
    done += wanted;
  }
  return to.Sync();
}

}  // namespace

absl::StatusOr<std::string> KeepCopy(FileSystem& files, const std::string& dir, const File& file,
                                     uint64_t offset, uint64_t size_bytes, uint64_t position,
                                     const char* suffix) {
  const std::string lost = JoinPath(dir, kLostAndFoundName);
  if (absl::Status status = files.CreateDir(lost); !status.ok()) return status;
  for (int number = 0;; ++number) {
    const std::string path =
        JoinPath(lost, absl::StrFormat("position-%d-%d.%s", position, number, suffix));
    absl::StatusOr<std::unique_ptr<File>> copy = files.Open(path, FileSystem::OpenMode::kCreateNew);
    if (absl::IsAlreadyExists(copy.status())) continue;
    if (!copy.ok()) return copy.status();
    absl::Status status = CopyRange(file, offset, size_bytes, **copy);
    if (status.ok()) status = files.SyncDirectory(lost);
    if (status.ok()) status = files.SyncDirectory(dir);
    if (!status.ok()) return status;
    return path;
  }
}

}  // namespace bitactor::internal
