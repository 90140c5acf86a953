// The port to the file system: everything that this project does with files goes through it.
#ifndef BITACTOR_L1_CORE_FILE_H_
#define BITACTOR_L1_CORE_FILE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitactor {

// Part of a file as memory, shared with every other mapping of it in this and other processes.
// Unmapped by the destructor; lives on when its File is closed.
class Mapping {
 public:
  virtual ~Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

  // Makes the pages of a range present and writable, so that stores to them do not fault. Best
  // effort: false when the system cannot, which costs time later, nothing else. Any thread.
  virtual bool Populate(size_t offset, size_t size_bytes) = 0;

  // For who reads from the beginning to the end: has the system read far ahead, and lets go of pages
  // that were read, so that they count no longer as memory of this process. Best effort, and changes
  // no byte.
  virtual void ExpectReadsInOrder() {}
  virtual void LetGo(size_t /*offset*/, size_t /*size_bytes*/) {}

  // Whether the calling thread, or another one, touched a page that the file does not have: it was
  // cut short after it was mapped, or the disk could not give the page. Such a page reads as zeros,
  // and what is stored there is lost (mapping_guard.h). So ask after the loads before believing
  // them, and after the stores before telling of them.
  bool broken() const {
    // For the compiler alone, which cannot know that a load or store before it may set the flag.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    // Relaxed: the thread that asks touched the page itself.
    return broken_.load(std::memory_order_relaxed);
  }

 protected:
  Mapping(std::byte* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}

  std::atomic<bool> broken_{false};

 private:
  std::byte* const data_;
  const size_t size_bytes_;
};

// An open file; closed by the destructor.
// Threads: any; no state of its own.
// Errors: with the path and the system's words; kNotFound, kAlreadyExists, kPermissionDenied,
//   kResourceExhausted (no space), kFailedPrecondition (a directory instead of a file or the
//   reverse), else kInternal.
class File {
 public:
  enum class Access : uint8_t { kRead, kReadWrite };

  virtual ~File() = default;

  virtual absl::StatusOr<uint64_t> SizeBytes() const = 0;
  // Reads until `into` is full or the file ends; returns the bytes read.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) const = 0;
  // Writes all of it, growing the file.
  virtual absl::Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) = 0;
  // Takes disk space for the first size_bytes, which makes the file at least that long with zeros;
  // stores into a mapping of that range then never lack space.
  virtual absl::Status Allocate(uint64_t size_bytes) = 0;
  virtual absl::Status Resize(uint64_t size_bytes) = 0;
  // Returns when data and length are on the disk. Never to be tried again after an error.
  virtual absl::Status Sync() = 0;
  // kOutOfRange when the range is not inside the file; kResourceExhausted when kGuardedMappingsMax
  // ranges are mapped. REQUIRES: offset is a multiple of 4096, size_bytes > 0.
  virtual absl::StatusOr<std::unique_ptr<Mapping>> Map(uint64_t offset, size_t size_bytes,
                                                       Access access) = 0;
};

// Held until destroyed, also against other processes; the system frees it when its owner dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct LockOwner {
  int64_t pid = 0;               // 0: not known
  std::string since;             // UTC, "2026-01-02 10:22:03"
  std::string ToString() const;  // "pid 4711 since 2026-01-02 10:22:03"
};

// Threads: any.
// Errors: as of File. Paths are as the system has them, relative ones from the working directory.
class FileSystem {
 public:
  enum class OpenMode : uint8_t {
    kRead,       // an existing file
    kReadWrite,  // an existing file
    kCreate,     // a new file, emptied if it exists
    kCreateNew,  // a new file; kAlreadyExists if there is one
  };

  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // OK when it is there already; its parent must exist.
  virtual absl::Status CreateDir(const std::string& path) = 0;
  // Names in a directory in ascending order, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& dir) = 0;
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;
  // Replaces `to` if it exists, in one step.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Returns when creations, renames and removals in the directory are on the disk.
  virtual absl::Status SyncDirectory(const std::string& dir) = 0;

  // Takes the lock file at `path` (made if missing) without waiting, and writes into it who has it
  // since `now_ns` (since 1970). kUnavailable when another one, in this process or not, has it: the
  // message is that owner. A lock whose owner died is free.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                         uint64_t now_ns) = 0;
  // Who has the lock now, without touching it; nobody when there is no such file.
  virtual absl::StatusOr<std::optional<LockOwner>> LockedBy(const std::string& path) = 0;

  // Differs from one start of the machine to the next.
  virtual uint64_t BootId() = 0;
};

// The operating system's files.
FileSystem& PosixFiles();

// `dir`/`name`.
std::string JoinPath(const std::string& dir, const std::string& name);

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_FILE_H_
