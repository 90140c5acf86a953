#include "support/simulated_files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/check.h"

namespace bitactor::test {
namespace internal {

// Bytes at an address that stays: growing beyond the capacity moves them, which only a file that
// nobody mapped may do.
struct SimulatedContent {
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  void Reserve(uint64_t size_bytes) {
    if (size_bytes <= capacity) return;
    BITACTOR_CHECK(!mapped);
    const uint64_t wanted = (size_bytes + 4095) / 4096 * 4096;
    std::unique_ptr<std::byte, Free> grown(
        static_cast<std::byte*>(std::aligned_alloc(4096, wanted)));
    BITACTOR_CHECK(grown != nullptr);
    std::memset(grown.get(), 0, wanted);
    if (size > 0) std::memcpy(grown.get(), bytes.get(), size);
    bytes = std::move(grown);
    capacity = wanted;
  }
  void Resize(uint64_t size_bytes) {
    Reserve(size_bytes);
    if (size_bytes < size) std::memset(bytes.get() + size_bytes, 0, size - size_bytes);
    size = size_bytes;
  }

  std::unique_ptr<std::byte, Free> bytes;
  uint64_t size = 0;
  uint64_t capacity = 0;
  bool mapped = false;
};

namespace {

class SimulatedMapping final : public Mapping {
 public:
  SimulatedMapping(std::shared_ptr<SimulatedContent> content, uint64_t offset, size_t size_bytes)
      : Mapping(content->bytes.get() + offset, size_bytes), content_(std::move(content)) {}
  bool Populate(size_t, size_t) override { return true; }

 private:
  const std::shared_ptr<SimulatedContent> content_;
};

std::string DirOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

absl::Status NoSuchFile(const std::string& path) {
  return absl::NotFoundError(absl::StrCat(path, ": no such file or directory"));
}

}  // namespace
}  // namespace internal

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedFiles* files, std::shared_ptr<internal::SimulatedContent> content,
                std::string path, bool writable)
      : files_(files), content_(std::move(content)), path_(std::move(path)), writable_(writable) {}

  absl::StatusOr<uint64_t> SizeBytes() const override {
    MutexLock lock(&files_->mutex_);
    return content_->size;
  }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) const override {
    MutexLock lock(&files_->mutex_);
    if (offset >= content_->size) return 0;
    const size_t n = std::min<uint64_t>(into.size(), content_->size - offset);
    std::memcpy(into.data(), content_->bytes.get() + offset, n);
    return n;
  }
  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) override {
    MutexLock lock(&files_->mutex_);
    if (!writable_) return absl::PermissionDeniedError(path_);
    if (offset + bytes.size() > content_->size) content_->Resize(offset + bytes.size());
    std::memcpy(content_->bytes.get() + offset, bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status Allocate(uint64_t size_bytes) override {
    if (absl::Status status = files_->CheckAllocation(path_); !status.ok()) return status;
    MutexLock lock(&files_->mutex_);
    if (size_bytes > content_->size) content_->Resize(size_bytes);
    return absl::OkStatus();
  }
  absl::Status Resize(uint64_t size_bytes) override {
    MutexLock lock(&files_->mutex_);
    content_->Resize(size_bytes);
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t offset, size_t size_bytes,
                                               Access access) override {
    MutexLock lock(&files_->mutex_);
    if (access == Access::kReadWrite && !writable_) return absl::PermissionDeniedError(path_);
    if (offset > content_->size || size_bytes > content_->size - offset) {
      return absl::OutOfRangeError(path_);
    }
    content_->mapped = true;
    return std::make_unique<internal::SimulatedMapping>(content_, offset, size_bytes);
  }

 private:
  SimulatedFiles* const files_;
  const std::shared_ptr<internal::SimulatedContent> content_;
  const std::string path_;
  const bool writable_;
};

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(SimulatedFiles* files, std::string path) : files_(files), path_(std::move(path)) {}
  ~SimulatedLock() override { files_->Unlock(path_); }

 private:
  SimulatedFiles* const files_;
  const std::string path_;
};

SimulatedFiles::SimulatedFiles() = default;
SimulatedFiles::~SimulatedFiles() = default;

absl::StatusOr<std::unique_ptr<File>> SimulatedFiles::Open(const std::string& path, OpenMode mode) {
  MutexLock lock(&mutex_);
  if (dirs_.contains(path)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a directory"));
  }
  auto found = files_.find(path);
  const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
  if (!creates && found == files_.end()) return internal::NoSuchFile(path);
  if (mode != OpenMode::kRead) {
    if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  }
  if (mode == OpenMode::kCreateNew && found != files_.end()) {
    return absl::AlreadyExistsError(absl::StrCat(path, ": exists"));
  }
  if (creates) {
    const std::string dir = internal::DirOf(path);
    if (!dir.empty() && !dirs_.contains(dir)) return internal::NoSuchFile(path);
    // A new content: who has the old one mapped keeps it.
    found = files_.insert_or_assign(path, std::make_shared<Content>()).first;
  }
  return std::make_unique<SimulatedFile>(this, found->second, path, mode != OpenMode::kRead);
}

absl::Status SimulatedFiles::CreateDir(const std::string& path) {
  MutexLock lock(&mutex_);
  if (dirs_.contains(path)) return absl::OkStatus();
  if (files_.contains(path)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a file where a directory is needed"));
  }
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  const std::string parent = internal::DirOf(path);
  if (!parent.empty() && !dirs_.contains(parent)) return internal::NoSuchFile(path);
  dirs_.insert(path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimulatedFiles::List(const std::string& dir) {
  MutexLock lock(&mutex_);
  if (!dirs_.contains(dir)) return internal::NoSuchFile(dir);
  std::vector<std::string> names;
  const auto add = [&](const std::string& path) {
    if (internal::DirOf(path) == dir) names.push_back(path.substr(dir.size() + 1));
  };
  for (const auto& [path, content] : files_) add(path);
  for (const std::string& path : dirs_) add(path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<bool> SimulatedFiles::Exists(const std::string& path) {
  MutexLock lock(&mutex_);
  return files_.contains(path) || dirs_.contains(path);
}

absl::Status SimulatedFiles::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckWritable(to); !status.ok()) return status;
  auto found = files_.extract(from);
  if (found.empty()) return internal::NoSuchFile(from);
  files_.insert_or_assign(to, std::move(found.mapped()));
  return absl::OkStatus();
}

absl::Status SimulatedFiles::Remove(const std::string& path) {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  return files_.erase(path) != 0 ? absl::OkStatus() : internal::NoSuchFile(path);
}

absl::Status SimulatedFiles::SyncDirectory(const std::string&) { return absl::OkStatus(); }

absl::StatusOr<std::unique_ptr<FileLock>> SimulatedFiles::Lock(const std::string& path,
                                                               uint64_t now_ns) {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  files_.try_emplace(path, std::make_shared<Content>());
  const LockOwner owner{.pid = 4711,
                        .since = absl::FormatTime("%Y-%m-%d %H:%M:%S",
                                                  absl::FromUnixNanos(static_cast<int64_t>(now_ns)),
                                                  absl::UTCTimeZone())};
  const auto [held, is_new] = locks_.try_emplace(path, owner);
  if (!is_new) return absl::UnavailableError(held->second.ToString());
  return std::make_unique<SimulatedLock>(this, path);
}

absl::StatusOr<std::optional<LockOwner>> SimulatedFiles::LockedBy(const std::string& path) {
  MutexLock lock(&mutex_);
  const auto held = locks_.find(path);
  if (held == locks_.end()) return std::nullopt;
  return held->second;
}

uint64_t SimulatedFiles::BootId() {
  MutexLock lock(&mutex_);
  return boot_id_;
}

std::unique_ptr<SimulatedFiles> SimulatedFiles::AfterKill() const {
  auto copy = std::make_unique<SimulatedFiles>();
  MutexLock lock(&mutex_);
  MutexLock copy_lock(&copy->mutex_);
  copy->dirs_ = dirs_;
  copy->boot_id_ = boot_id_;
  for (const auto& [path, content] : files_) {
    auto twin = std::make_shared<Content>();
    twin->Resize(content->size);
    if (content->size > 0) std::memcpy(twin->bytes.get(), content->bytes.get(), content->size);
    copy->files_.emplace(path, std::move(twin));
  }
  return copy;
}

void SimulatedFiles::RestartMachine() {
  MutexLock lock(&mutex_);
  ++boot_id_;
}

void SimulatedFiles::FailAllocations(absl::Status status, int skip) {
  MutexLock lock(&mutex_);
  allocation_status_ = std::move(status);
  allocations_to_skip_ = skip;
}

void SimulatedFiles::AllowAllocations() { FailAllocations(absl::OkStatus()); }

void SimulatedFiles::DenyWrites(const std::string& dir) {
  MutexLock lock(&mutex_);
  denied_dirs_.insert(dir);
}

std::vector<std::byte> SimulatedFiles::Read(const std::string& path) const {
  const auto content = Find(path);
  return {content->bytes.get(), content->bytes.get() + content->size};
}

void SimulatedFiles::Write(const std::string& path, uint64_t offset,
                           const std::vector<std::byte>& bytes) {
  const auto content = Find(path);
  BITACTOR_CHECK_LE(offset + bytes.size(), content->size);
  std::copy(bytes.begin(), bytes.end(), content->bytes.get() + offset);
}

void SimulatedFiles::FlipBit(const std::string& path, uint64_t offset, int bit) {
  const auto content = Find(path);
  BITACTOR_CHECK_LT(offset, content->size);
  content->bytes.get()[offset] ^= std::byte{1} << bit;
}

void SimulatedFiles::Truncate(const std::string& path, uint64_t size_bytes) {
  Find(path)->Resize(size_bytes);
}

absl::Status SimulatedFiles::CheckAllocation(const std::string& path) {
  MutexLock lock(&mutex_);
  if (allocation_status_.ok()) return absl::OkStatus();
  if (allocations_to_skip_-- > 0) return absl::OkStatus();
  allocations_to_skip_ = 0;
  return absl::Status(allocation_status_.code(),
                      absl::StrCat(path, ": ", allocation_status_.message()));
}

absl::Status SimulatedFiles::CheckWritable(const std::string& path) const {
  if (!denied_dirs_.contains(internal::DirOf(path))) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(path, ": permission denied"));
}

std::shared_ptr<internal::SimulatedContent> SimulatedFiles::Find(const std::string& path) const {
  MutexLock lock(&mutex_);
  const auto found = files_.find(path);
  BITACTOR_CHECK(found != files_.end());
  return found->second;
}

void SimulatedFiles::Unlock(const std::string& path) {
  MutexLock lock(&mutex_);
  locks_.erase(path);
}

}  // namespace bitactor::test
