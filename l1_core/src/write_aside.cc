#include "bitactor/l1_core/write_aside.h"

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

namespace bitactor::internal {
namespace {

absl::Status WriteParts(FileSystem& files, const std::string& path,
                        std::initializer_list<std::span<const std::byte>> parts) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kCreate);
  if (!file.ok()) return file.status();
  uint64_t offset = 0;
  for (const std::span<const std::byte> part : parts) {
    if (part.empty()) continue;
    if (absl::Status status = (*file)->WriteAt(offset, part); !status.ok()) return status;
    offset += part.size();
  }
  return (*file)->Sync();
}

}  // namespace

absl::Status WriteAside(FileSystem& files, const std::string& dir, const std::string& aside,
                        const std::string& name,
                        std::initializer_list<std::span<const std::byte>> parts) {
  const std::string path = JoinPath(dir, aside);
  absl::Status status = WriteParts(files, path, parts);
  if (status.ok()) status = files.Rename(path, JoinPath(dir, name));
  // Best effort: it takes space, and whoever opens the directory removes it too.
  if (!status.ok()) files.Remove(path).IgnoreError();
  return status;
}

}  // namespace bitactor::internal
