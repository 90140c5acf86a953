// A file system in memory with a page cache: it can be damaged, run full, fail, and be copied as the
// death of a process or of the machine leaves it.
#ifndef BITACTOR_TESTS_SUPPORT_SIMULATED_FILES_H_
#define BITACTOR_TESTS_SUPPORT_SIMULATED_FILES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
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

// Threads: any, but for bytes that a test damages, or that a power loss copies, while somebody
//   writes them. A file that is mapped keeps its memory until the last mapping is gone, and does not
//   grow beyond what it was allocated.
// Design: what processes see is in memory. Beside it, each file has what is on the disk: what its
//   last sync or WriteBack() brought there. A page of 4 KiB is dirty when it was written since, or
//   differs. Creations, renames and removals reach the disk in their order, at the latest when their
//   directory is synced; a file's sync does not bring its name.
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
  // What a power loss leaves: of the changes of directories that were not synced a beginning, of the
  // dirty pages some, of the changed sectors (512 bytes) of those some, of a changed length the old
  // or the new. Another boot id.
  std::unique_ptr<SimulatedFiles> AfterPowerLoss(std::mt19937_64& random) const;
  // The worst of these: what was not synced is gone.
  std::unique_ptr<SimulatedFiles> AfterLossOfAllUnsynced() const;
  // An orderly restart: all is on the disk, and the boot id is another.
  void RestartMachine();
  // The system writes some dirty pages to the disk on its own, as it may at any time.
  void WriteBack(std::mt19937_64& random);

  // Called before each write, allocation, sync, creation, rename and removal, by its thread: where
  // the world may end. Set while nobody uses the files.
  void OnStep(std::function<void()> step) { step_ = std::move(step); }

  // Allocations fail with this status from the `skip`-th next one on, until they are allowed again.
  void FailAllocations(absl::Status status, int skip = 0);
  void AllowAllocations();
  // The sync of a file or directory after the `skip`-th next one fails with this status, once. As
  // Linux does, it forgets the file's dirty pages: they count as clean and are not on the disk.
  void FailSync(absl::Status status, int skip = 0);
  uint64_t syncs() const;  // of files and directories, that succeeded
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

  // A change of a directory: `to` empty removes `from`, `from` empty makes `to`.
  struct Change {
    std::string from;
    std::string to;
    std::shared_ptr<Content> content;  // null: a directory
  };
  // Names and what is behind them.
  struct Names {
    void Apply(const Change& change);

    std::map<std::string, std::shared_ptr<Content>> files;
    std::set<std::string> dirs;
  };

  void Step() {
    if (step_) step_();
  }
  absl::Status CheckAllocation(const std::string& path);
  absl::Status CheckSync(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::unique_ptr<SimulatedFiles> AfterLoss(std::mt19937_64* random) const;
  void Note(Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckWritable(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Content> Find(const std::string& path) const;
  void Unlock(const std::string& path);

  mutable Mutex mutex_;
  std::function<void()> step_;
  Names names_ ABSL_GUARDED_BY(mutex_);                  // as processes see them
  Names disk_names_ ABSL_GUARDED_BY(mutex_);             // as they are on the disk
  std::vector<Change> changes_ ABSL_GUARDED_BY(mutex_);  // from those to these, oldest first
  std::set<std::string> denied_dirs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, LockOwner> locks_ ABSL_GUARDED_BY(mutex_);
  absl::Status allocation_status_ ABSL_GUARDED_BY(mutex_);
  int allocations_to_skip_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status sync_status_ ABSL_GUARDED_BY(mutex_);
  int syncs_to_skip_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t boot_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_SIMULATED_FILES_H_
