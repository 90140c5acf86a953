#include "bitactor/l1_core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/mapping_guard.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older kernels answer EINVAL
#endif

namespace bitactor {
namespace {

absl::Status SystemError(int error, const char* action, const std::string& path) {
  absl::Status status = absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot ", action));
  return status.code() == absl::StatusCode::kUnknown ? absl::InternalError(status.message())
                                                     : status;
}

// Calls until no signal interrupts. REQUIRES: call() returns -1 and sets errno when it fails.
template <typename Call>
auto Uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

class PosixMapping final : public Mapping {
 public:
  static absl::StatusOr<std::unique_ptr<Mapping>> Make(void* data, size_t size_bytes,
                                                       const std::string& path) {
    std::unique_ptr<PosixMapping> mapping(new PosixMapping(data, size_bytes));
    if (bitactor::internal::GuardMapping(mapping->data(), size_bytes, &mapping->broken_)) {
      return mapping;
    }
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": cannot map: ", kGuardedMappingsMax,
                     " ranges of files are mapped, and more are not possible: close some journals "
                     "or histories"));
  }
  ~PosixMapping() override {
    bitactor::internal::UnguardMapping(data());
    ::munmap(data(), size_bytes());
  }

  bool Populate(size_t offset, size_t size_bytes) override {
    return Advise(offset, size_bytes, MADV_POPULATE_WRITE);
  }
  void ExpectReadsInOrder() override { Advise(0, size_bytes(), MADV_SEQUENTIAL); }
  void LetGo(size_t offset, size_t size_bytes) override {
    Advise(offset, size_bytes, MADV_DONTNEED);
  }

 private:
  PosixMapping(void* data, size_t size_bytes)
      : Mapping(static_cast<std::byte*>(data), size_bytes) {}

  bool Advise(size_t offset, size_t size_bytes, int advice) {
    if (offset >= this->size_bytes()) return true;
    // A page is 4 KiB on x86-64, and 4, 16 or 64 KiB on Arm64, as the kernel was built.
    static const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t begin = offset & ~(page_bytes - 1);
    const size_t end = std::min(offset + size_bytes, this->size_bytes());
    return Uninterrupted([&] { return ::madvise(data() + begin, end - begin, advice); }) == 0;
  }
};

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override { ::close(descriptor_); }

  absl::StatusOr<uint64_t> SizeBytes() const override {
    struct stat info;
    if (::fstat(descriptor_, &info) != 0) return SystemError(errno, "ask for the size", path_);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) const override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = Uninterrupted([&] {
        return ::pread(descriptor_, into.data() + done, into.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (n < 0) return SystemError(errno, "read", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) override {
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = Uninterrupted([&] {
        return ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                        static_cast<off_t>(offset + done));
      });
      if (n < 0) return SystemError(errno, "write", path_);
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t size_bytes) override {
    for (;;) {
      const int error = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size_bytes));
      if (error == 0) return absl::OkStatus();
      if (error != EINTR) {
        return SystemError(error, absl::StrCat("allocate ", size_bytes, " bytes").c_str(), path_);
      }
    }
  }

  absl::Status Resize(uint64_t size_bytes) override {
    if (Uninterrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size_bytes)); })) {
      return SystemError(errno, "resize", path_);
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (Uninterrupted([&] { return ::fdatasync(descriptor_); }) != 0) {
      return SystemError(errno, "sync", path_);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t offset, size_t size_bytes,
                                               Access access) override {
    absl::StatusOr<uint64_t> file_bytes = SizeBytes();
    if (!file_bytes.ok()) return file_bytes.status();
    if (offset > *file_bytes || size_bytes > *file_bytes - offset) {
      return absl::OutOfRangeError(absl::StrCat(path_, ": cannot map ", size_bytes,
                                                " bytes at offset ", offset, ": the file has ",
                                                *file_bytes, " bytes"));
    }
    const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
    void* data = ::mmap(nullptr, size_bytes, protection, MAP_SHARED, descriptor_,
                        static_cast<off_t>(offset));
    if (data == MAP_FAILED) return SystemError(errno, "map", path_);
    return PosixMapping::Make(data, size_bytes, path_);
  }

 private:
  const int descriptor_;
  const std::string path_;
};

// The kernel's lock of the open file description: it goes with the last descriptor, and no other
// open of the file in this process frees it by closing, as it would a process's lock.
class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int descriptor) : descriptor_(descriptor) {}
  ~PosixFileLock() override { ::close(descriptor_); }

 private:
  const int descriptor_;
};

struct flock WholeFile() {
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

// Small files that describe: lock notes and what /proc has.
std::string ReadText(int descriptor) {
  char text[512];
  const ssize_t n = Uninterrupted([&] { return ::pread(descriptor, text, sizeof(text), 0); });
  return std::string(text, n > 0 ? static_cast<size_t>(n) : 0);
}

std::string ReadText(const char* path) {
  const int descriptor = Uninterrupted([&] { return ::open(path, O_RDONLY | O_CLOEXEC); });
  if (descriptor < 0) return "";
  std::string text = ReadText(descriptor);
  ::close(descriptor);
  return text;
}

// Of this process, in clock ticks since the machine started; with the pid it names a process for
// good. Field 22 of /proc/self/stat, counted behind the name, which may hold spaces.
std::string ProcessStart() {
  const std::string stat = ReadText("/proc/self/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return "";
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 1), ' ');
  return fields.size() > 20 ? fields[20] : "";
}

std::string OwnerNote(uint64_t now_ns) {
  return absl::StrCat(
      "pid ", ::getpid(), "\nsince ",
      absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixNanos(static_cast<int64_t>(now_ns)),
                       absl::UTCTimeZone()),
      "\nprocess_start_ticks ", ProcessStart(), "\n");
}

LockOwner ParseOwnerNote(const std::string& note) {
  LockOwner owner;
  for (absl::string_view line : absl::StrSplit(note, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (parts.size() != 2) continue;
    if (parts[0] == "pid" && !absl::SimpleAtoi(parts[1], &owner.pid)) owner.pid = 0;
    if (parts[0] == "since") owner.since = std::string(parts[1]);
  }
  return owner;
}

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    const char* action = "open";
    switch (mode) {
      case OpenMode::kRead:
        flags |= O_RDONLY;
        break;
      case OpenMode::kReadWrite:
        flags |= O_RDWR;
        break;
      case OpenMode::kCreate:
        flags |= O_RDWR | O_CREAT | O_TRUNC;
        action = "create";
        break;
      case OpenMode::kCreateNew:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        action = "create";
        break;
    }
    const int descriptor = Uninterrupted([&] { return ::open(path.c_str(), flags, 0644); });
    if (descriptor < 0) return SystemError(errno, action, path);
    return std::make_unique<PosixFile>(descriptor, path);
  }

  absl::Status CreateDir(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return absl::OkStatus();
    const int error = errno;
    struct stat info;
    if (error == EEXIST && ::stat(path.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) return absl::OkStatus();
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": is a file where a directory is needed: name another place"));
    }
    return SystemError(error, "make this directory", path);
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    DIR* stream = ::opendir(dir.c_str());
    if (stream == nullptr) return SystemError(errno, "list", dir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return SystemError(error, "list", dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<bool> Exists(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return SystemError(errno, "look at", path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return SystemError(errno, absl::StrCat("rename to ", to).c_str(), from);
  }

  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return absl::OkStatus();
    return SystemError(errno, "remove", path);
  }

  absl::Status SyncDirectory(const std::string& dir) override {
    const int descriptor =
        Uninterrupted([&] { return ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return SystemError(errno, "open", dir);
    const int result = Uninterrupted([&] { return ::fsync(descriptor); });
    const int error = errno;
    ::close(descriptor);
    return result == 0 ? absl::OkStatus() : SystemError(error, "sync", dir);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 uint64_t now_ns) override {
    const int descriptor =
        Uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
    if (descriptor < 0) return SystemError(errno, "open the lock", path);
    auto lock = std::make_unique<PosixFileLock>(descriptor);
    struct flock range = WholeFile();
    if (Uninterrupted([&] { return ::fcntl(descriptor, F_OFD_SETLK, &range); }) != 0) {
      if (errno != EAGAIN && errno != EACCES) return SystemError(errno, "lock", path);
      return absl::UnavailableError(ParseOwnerNote(ReadText(descriptor)).ToString());
    }
    const std::string note = OwnerNote(now_ns);
    if (::ftruncate(descriptor, 0) != 0 ||
        ::pwrite(descriptor, note.data(), note.size(), 0) != static_cast<ssize_t>(note.size())) {
      return SystemError(errno, "write the owner into", path);
    }
    return lock;
  }

  absl::StatusOr<std::optional<LockOwner>> LockedBy(const std::string& path) override {
    const int descriptor =
        Uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (descriptor < 0) {
      if (errno == ENOENT) return std::nullopt;
      return SystemError(errno, "open the lock", path);
    }
    PosixFileLock closer(descriptor);
    struct flock range = WholeFile();
    if (Uninterrupted([&] { return ::fcntl(descriptor, F_OFD_GETLK, &range); }) != 0) {
      return SystemError(errno, "ask for the lock", path);
    }
    if (range.l_type == F_UNLCK) return std::nullopt;
    return ParseOwnerNote(ReadText(descriptor));
  }

  uint64_t BootId() override {
    uint64_t id = 0;
    for (const char c : ReadText("/proc/sys/kernel/random/boot_id")) {
      id = Mix64(id ^ static_cast<uint8_t>(c));
    }
    return id;
  }
};

}  // namespace

std::string LockOwner::ToString() const {
  return absl::StrCat(pid != 0 ? absl::StrCat("pid ", pid) : std::string("another process"),
                      since.empty() ? "" : absl::StrCat(" since ", since));
}

FileSystem& PosixFiles() {
  static PosixFileSystem* const files = new PosixFileSystem;  // never destroyed: used to the end
  return *files;
}

std::string JoinPath(const std::string& dir, const std::string& name) {
  return dir.empty() || dir.back() == '/' ? absl::StrCat(dir, name) : absl::StrCat(dir, "/", name);
}

}  // namespace bitactor
