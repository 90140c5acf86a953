// A file system in memory that can be damaged, run full, fail, and be copied as a crash leaves it.
#ifndef BITACTOR_TESTS_SUPPORT_SIMULATED_FILES_H_
#define BITACTOR_TESTS_SUPPORT_SIMULATED_FILES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l1_core/mutex.h"

namespace bitactor::test {

namespace internal {
struct SimulatedContent;
}  // namespace internal

// Threads: any, but for bytes that a test damages while somebody uses them. A file that is mapped
// keeps its memory until the last mapping is gone, and does not grow beyond what it was allocated.
class SimulatedFiles : public FileSystem {
 public:
  SimulatedFiles();
  ~SimulatedFiles() override;

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  absl::Status CreateDir(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& dir) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, uint64_t now_ns) override;
  absl::StatusOr<std::optional<LockOwner>> LockedBy(const std::string& path) override;
  uint64_t BootId() override;

  // What the death of every process leaves: all stores so far, nobody's locks.
  std::unique_ptr<SimulatedFiles> AfterKill() const;
  // As after a restart of the machine, which differs in the boot id alone.
  void RestartMachine();

  // Allocations fail with this status from the `skip`-th next one on, until they are allowed again.
  void FailAllocations(absl::Status status, int skip = 0);
  void AllowAllocations();
  // What is created, renamed or removed in this directory is refused.
  void DenyWrites(const std::string& dir);

  // Damage. REQUIRES: the file exists and is long enough.
  std::vector<std::byte> Read(const std::string& path) const;
  void Write(const std::string& path, uint64_t offset, const std::vector<std::byte>& bytes);
  void FlipBit(const std::string& path, uint64_t offset, int bit);
  void Truncate(const std::string& path, uint64_t size_bytes);

 private:
  friend class SimulatedFile;
  friend class SimulatedLock;
  using Content = internal::SimulatedContent;

  absl::Status CheckAllocation(const std::string& path);
  absl::Status CheckWritable(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Content> Find(const std::string& path) const;
  void Unlock(const std::string& path);

  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Content>> files_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> dirs_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> denied_dirs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, LockOwner> locks_ ABSL_GUARDED_BY(mutex_);
  absl::Status allocation_status_ ABSL_GUARDED_BY(mutex_);
  int allocations_to_skip_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t boot_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_SIMULATED_FILES_H_
