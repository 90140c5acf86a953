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
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kSectorBytes = 512;

}  // namespace

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

  void NoteWritten(uint64_t offset, size_t size_bytes) {
    if (size_bytes == 0) return;
    for (uint64_t page = offset / kPageBytes; page <= (offset + size_bytes - 1) / kPageBytes;
         ++page) {
      written.insert(page);
    }
  }

  // Bytes of a page as processes see them, as far as the file goes. As the system does it, while
  // somebody may be storing to them: the thread sanitizer is told so, and word by word, for it knows
  // memcpy.
  __attribute__((no_sanitize_thread)) std::vector<std::byte> PageInMemory(uint64_t page) const {
    const uint64_t begin = std::min(page * kPageBytes, size);
    std::vector<std::byte> copy(std::min(begin + kPageBytes, size) - begin);
    const auto* words = reinterpret_cast<const volatile uint64_t*>(bytes.get() + begin);
    for (size_t i = 0; i < copy.size(); i += sizeof(uint64_t)) {
      const uint64_t word = words[i / sizeof(word)];
      std::memcpy(copy.data() + i, &word, std::min(sizeof(word), copy.size() - i));
    }
    return copy;
  }
  bool IsDirty(uint64_t page) const {
    if (written.contains(page)) return true;
    if (const auto found = forgotten.find(page); found != forgotten.end()) {
      return PageInMemory(page) != found->second;
    }
    return DiffersFromDisk(page);
  }
  // What the disk does not have reads as zeros.
  __attribute__((no_sanitize_thread)) bool DiffersFromDisk(uint64_t page) const {
    const uint64_t end = std::min((page + 1) * kPageBytes, size);
    for (uint64_t at = page * kPageBytes; at < end; at += sizeof(uint64_t)) {
      const uint64_t now = *reinterpret_cast<const volatile uint64_t*>(bytes.get() + at);
      uint64_t then = 0;
      if (at < disk.size()) {
        std::memcpy(&then, disk.data() + at, std::min<uint64_t>(sizeof(then), disk.size() - at));
      }
      if (now != then) return true;
    }
    return false;
  }
  std::vector<uint64_t> DirtyPages() const {
    std::vector<uint64_t> pages;
    for (uint64_t page = 0; page * kPageBytes < size; ++page) {
      if (IsDirty(page)) pages.push_back(page);
    }
    return pages;
  }
  void WritePage(uint64_t page) {
    const std::vector<std::byte> now = PageInMemory(page);
    const uint64_t begin = page * kPageBytes;
    if (disk.size() < begin + now.size()) disk.resize(begin + now.size());
    std::copy(now.begin(), now.end(), disk.begin() + static_cast<ptrdiff_t>(begin));
    written.erase(page);
    forgotten.erase(page);
  }
  void WriteAll() {
    for (const uint64_t page : DirtyPages()) WritePage(page);
    disk.resize(size);
  }
  void Forget() {
    for (const uint64_t page : DirtyPages()) forgotten[page] = PageInMemory(page);
    written.clear();
  }

  std::shared_ptr<SimulatedContent> Copy() const {
    auto copy = std::make_shared<SimulatedContent>();
    copy->Resize(size);
    if (size > 0) std::memcpy(copy->bytes.get(), bytes.get(), size);
    copy->disk = disk;
    copy->written = written;
    copy->forgotten = forgotten;
    return copy;
  }

  std::shared_ptr<SimulatedContent> AfterLoss(std::mt19937_64* source) const {
    auto copy = std::make_shared<SimulatedContent>();
    copy->disk = disk;
    if (source != nullptr) KeepSome(*source, *copy);
    copy->Resize(copy->disk.size());
    std::copy(copy->disk.begin(), copy->disk.end(), copy->bytes.get());
    return copy;
  }
  void KeepSome(std::mt19937_64& random, SimulatedContent& copy) const {
    if (disk.size() != size && random() % 2 == 0) copy.disk.resize(size);
    // All, none or a share of it, so that each kind of remainder comes up often.
    const uint64_t pages_of_8 = random() % 9;
    const uint64_t sectors_of_8 = random() % 2 == 0 ? 8 : random() % 9;
    for (const uint64_t page : DirtyPages()) {
      if (random() % 8 >= pages_of_8) continue;
      for (uint64_t at = page * kPageBytes; at < (page + 1) * kPageBytes; at += kSectorBytes) {
        if (random() % 8 >= sectors_of_8) continue;
        const uint64_t end = std::min<uint64_t>({at + kSectorBytes, size, copy.disk.size()});
        for (uint64_t i = at; i < end; ++i) copy.disk[i] = bytes.get()[i];
      }
    }
  }

  std::unique_ptr<std::byte, Free> bytes;
  uint64_t size = 0;
  uint64_t capacity = 0;
  bool mapped = false;

  std::vector<std::byte> disk;
  std::set<uint64_t> written;  // pages that were written through a File since they were clean
  // Pages that a failed sync left: what they were then. They are clean as long as they are that.
  std::map<uint64_t, std::vector<std::byte>> forgotten;
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
    files_->Step();
    MutexLock lock(&files_->mutex_);
    if (!writable_) return absl::PermissionDeniedError(path_);
    if (offset + bytes.size() > content_->size) content_->Resize(offset + bytes.size());
    std::memcpy(content_->bytes.get() + offset, bytes.data(), bytes.size());
    content_->NoteWritten(offset, bytes.size());
    return absl::OkStatus();
  }
  absl::Status Allocate(uint64_t size_bytes) override {
    files_->Step();
    if (absl::Status status = files_->CheckAllocation(path_); !status.ok()) return status;
    MutexLock lock(&files_->mutex_);
    if (size_bytes > content_->size) content_->Resize(size_bytes);
    return absl::OkStatus();
  }
  absl::Status Resize(uint64_t size_bytes) override {
    files_->Step();
    MutexLock lock(&files_->mutex_);
    content_->Resize(size_bytes);
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    files_->Step();
    MutexLock lock(&files_->mutex_);
    if (absl::Status status = files_->CheckSync(path_); !status.ok()) {
      content_->Forget();
      return status;
    }
    content_->WriteAll();
    return absl::OkStatus();
  }
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
  if (mode == OpenMode::kCreate || mode == OpenMode::kCreateNew) Step();
  MutexLock lock(&mutex_);
  if (names_.dirs.contains(path)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a directory"));
  }
  auto found = names_.files.find(path);
  const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
  if (!creates && found == names_.files.end()) return internal::NoSuchFile(path);
  if (mode != OpenMode::kRead) {
    if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  }
  if (mode == OpenMode::kCreateNew && found != names_.files.end()) {
    return absl::AlreadyExistsError(absl::StrCat(path, ": exists"));
  }
  if (creates) {
    const std::string dir = internal::DirOf(path);
    if (!dir.empty() && !names_.dirs.contains(dir)) return internal::NoSuchFile(path);
    // A new content: who has the old one mapped keeps it.
    Note({.from = "", .to = path, .content = std::make_shared<Content>()});
    found = names_.files.find(path);
  }
  return std::make_unique<SimulatedFile>(this, found->second, path, mode != OpenMode::kRead);
}

absl::Status SimulatedFiles::CreateDir(const std::string& path) {
  Step();
  MutexLock lock(&mutex_);
  if (names_.dirs.contains(path)) return absl::OkStatus();
  if (names_.files.contains(path)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a file where a directory is needed"));
  }
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  const std::string parent = internal::DirOf(path);
  if (!parent.empty() && !names_.dirs.contains(parent)) return internal::NoSuchFile(path);
  Note({.from = "", .to = path, .content = nullptr});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimulatedFiles::List(const std::string& dir) {
  MutexLock lock(&mutex_);
  if (!names_.dirs.contains(dir)) return internal::NoSuchFile(dir);
  std::vector<std::string> names;
  const auto add = [&](const std::string& path) {
    if (internal::DirOf(path) == dir) names.push_back(path.substr(dir.size() + 1));
  };
  for (const auto& [path, content] : names_.files) add(path);
  for (const std::string& path : names_.dirs) add(path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<bool> SimulatedFiles::Exists(const std::string& path) {
  MutexLock lock(&mutex_);
  return names_.files.contains(path) || names_.dirs.contains(path);
}

absl::Status SimulatedFiles::Rename(const std::string& from, const std::string& to) {
  Step();
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckWritable(to); !status.ok()) return status;
  const auto found = names_.files.find(from);
  if (found == names_.files.end()) return internal::NoSuchFile(from);
  Note({.from = from, .to = to, .content = found->second});
  return absl::OkStatus();
}

absl::Status SimulatedFiles::Remove(const std::string& path) {
  Step();
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  if (!names_.files.contains(path)) return internal::NoSuchFile(path);
  Note({.from = path, .to = "", .content = nullptr});
  return absl::OkStatus();
}

absl::Status SimulatedFiles::SyncDirectory(const std::string& dir) {
  Step();
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckSync(dir); !status.ok()) return status;
  const std::string name = dir == "." ? "" : dir;
  const auto touches = [&](const Change& change) {
    return (!change.from.empty() && internal::DirOf(change.from) == name) ||
           (!change.to.empty() && internal::DirOf(change.to) == name);
  };
  const auto last = std::find_if(changes_.rbegin(), changes_.rend(), touches).base();
  for (auto change = changes_.begin(); change != last; ++change) disk_names_.Apply(*change);
  changes_.erase(changes_.begin(), last);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileLock>> SimulatedFiles::Lock(const std::string& path,
                                                               uint64_t now_ns) {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  if (!names_.files.contains(path)) {
    Note({.from = "", .to = path, .content = std::make_shared<Content>()});
  }
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
  // A file may have several names, of now and of the disk, and stays one.
  std::map<const Content*, std::shared_ptr<Content>> copies;
  const auto copy_of = [&](const std::shared_ptr<Content>& content) {
    if (content == nullptr) return content;
    std::shared_ptr<Content>& twin = copies[content.get()];
    if (twin == nullptr) twin = content->Copy();
    return twin;
  };
  copy->names_ = names_;
  copy->disk_names_ = disk_names_;
  copy->changes_ = changes_;
  for (auto& [path, content] : copy->names_.files) content = copy_of(content);
  for (auto& [path, content] : copy->disk_names_.files) content = copy_of(content);
  for (Change& change : copy->changes_) change.content = copy_of(change.content);
  copy->boot_id_ = boot_id_;
  return copy;
}

std::unique_ptr<SimulatedFiles> SimulatedFiles::AfterPowerLoss(std::mt19937_64& random) const {
  return AfterLoss(&random);
}

std::unique_ptr<SimulatedFiles> SimulatedFiles::AfterLossOfAllUnsynced() const {
  return AfterLoss(nullptr);
}

std::unique_ptr<SimulatedFiles> SimulatedFiles::AfterLoss(std::mt19937_64* random) const {
  auto copy = std::make_unique<SimulatedFiles>();
  MutexLock lock(&mutex_);
  MutexLock copy_lock(&copy->mutex_);
  copy->boot_id_ = boot_id_ + 1;
  Names names = disk_names_;
  size_t kept = 0;
  if (random != nullptr) {
    kept = (*random)() % 4 == 0 ? changes_.size() : (*random)() % (changes_.size() + 1);
  }
  for (size_t i = 0; i < kept; ++i) names.Apply(changes_[i]);
  copy->names_.dirs = names.dirs;
  for (const auto& [path, content] : names.files) {
    copy->names_.files.emplace(path, content->AfterLoss(random));
  }
  copy->disk_names_ = copy->names_;
  return copy;
}

void SimulatedFiles::RestartMachine() {
  MutexLock lock(&mutex_);
  for (const auto& [path, content] : names_.files) content->WriteAll();
  disk_names_ = names_;
  changes_.clear();
  ++boot_id_;
}

void SimulatedFiles::WriteBack(std::mt19937_64& random) {
  MutexLock lock(&mutex_);
  for (const auto& [path, content] : names_.files) {
    for (const uint64_t page : content->DirtyPages()) {
      if (random() % 3 == 0) content->WritePage(page);
    }
  }
  const size_t committed = random() % (changes_.size() + 1);
  for (size_t i = 0; i < committed; ++i) disk_names_.Apply(changes_[i]);
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(committed));
}

void SimulatedFiles::FailAllocations(absl::Status status, int skip) {
  MutexLock lock(&mutex_);
  allocation_status_ = std::move(status);
  allocations_to_skip_ = skip;
}

void SimulatedFiles::AllowAllocations() { FailAllocations(absl::OkStatus()); }

void SimulatedFiles::FailSync(absl::Status status, int skip) {
  MutexLock lock(&mutex_);
  sync_status_ = std::move(status);
  syncs_to_skip_ = skip;
}

uint64_t SimulatedFiles::syncs() const {
  MutexLock lock(&mutex_);
  return syncs_;
}

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
  for (uint64_t i = 0; i < bytes.size() && offset + i < content->disk.size(); ++i) {
    content->disk[offset + i] = bytes[i];
  }
}

void SimulatedFiles::FlipBit(const std::string& path, uint64_t offset, int bit) {
  const auto content = Find(path);
  BITACTOR_CHECK_LT(offset, content->size);
  content->bytes.get()[offset] ^= std::byte{1} << bit;
  if (offset < content->disk.size()) content->disk[offset] ^= std::byte{1} << bit;
}

void SimulatedFiles::Truncate(const std::string& path, uint64_t size_bytes) {
  const auto content = Find(path);
  content->Resize(size_bytes);
  content->disk.resize(std::min<uint64_t>(content->disk.size(), size_bytes));
}

absl::Status SimulatedFiles::CheckAllocation(const std::string& path) {
  MutexLock lock(&mutex_);
  if (allocation_status_.ok()) return absl::OkStatus();
  if (allocations_to_skip_-- > 0) return absl::OkStatus();
  allocations_to_skip_ = 0;
  return absl::Status(allocation_status_.code(),
                      absl::StrCat(path, ": ", allocation_status_.message()));
}

absl::Status SimulatedFiles::CheckSync(const std::string& path) {
  if (sync_status_.ok() || syncs_to_skip_-- > 0) {
    ++syncs_;
    return absl::OkStatus();
  }
  const absl::Status status = std::exchange(sync_status_, absl::OkStatus());
  return absl::Status(status.code(), absl::StrCat(path, ": cannot sync: ", status.message()));
}

void SimulatedFiles::Names::Apply(const Change& change) {
  if (!change.from.empty()) files.erase(change.from);
  if (change.to.empty()) return;
  if (change.content == nullptr) {
    dirs.insert(change.to);
  } else {
    files.insert_or_assign(change.to, change.content);
  }
}

void SimulatedFiles::Note(Change change) {
  names_.Apply(change);
  changes_.push_back(std::move(change));
}

absl::Status SimulatedFiles::CheckWritable(const std::string& path) const {
  if (!denied_dirs_.contains(internal::DirOf(path))) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(path, ": permission denied"));
}

std::shared_ptr<internal::SimulatedContent> SimulatedFiles::Find(const std::string& path) const {
  MutexLock lock(&mutex_);
  const auto found = names_.files.find(path);
  BITACTOR_CHECK(found != names_.files.end());
  return found->second;
}

void SimulatedFiles::Unlock(const std::string& path) {
  MutexLock lock(&mutex_);
  locks_.erase(path);
}

}  // namespace bitactor::test
