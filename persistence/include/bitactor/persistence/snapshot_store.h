// Snapshots: the state of something at a position of a journal, in files of their own.
#ifndef BITACTOR_PERSISTENCE_SNAPSHOT_STORE_H_
#define BITACTOR_PERSISTENCE_SNAPSHOT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/position.h"

namespace bitactor {

inline constexpr uint64_t kMaxSnapshotBytes = uint64_t{1} << 30;

struct SnapshotOptions {
  // Whole snapshots kept of each key, the newest ones; at least 1. With one alone, nothing is left
  // to go back to when it is damaged.
  uint32_t keep = 3;
  // Takes no lock, changes nothing, and sees what another process writes. Write() is refused.
  bool read_only = false;
  // Not null; must outlive the store.
  FileSystem* files = &PosixFiles();
  // Nanoseconds since 1970, for the text of the lock; empty: the system's.
  std::function<uint64_t()> now_ns = {};
};

struct Snapshot {
  uint64_t key = 0;
  Position position{};  // it holds what the records before this one did: replay goes on here
  uint64_t stamp_ns = 0;
  std::vector<std::byte> state;
  // Newer ones that could not be given, newest first. Each names its file and what is wrong.
  std::vector<absl::Status> passed_over;
};

struct SnapshotFile {
  uint64_t key = 0;
  Position position{};
  std::string path;
};

// One directory of snapshots, several keys, N of each.
//
// Order: within a key positions rise. A snapshot is on the disk before an older one is removed.
// Threads: one at a time.
// Bounds: a state has 0 to 1 GiB. The directory holds keep + 1 of each key during a Write(), else
//   keep, and more while newer ones are known to be damaged. In memory: 16 bytes for each.
// Ownership: the directory belongs to this object, also against other processes, unless it is
//   read_only.
// Errors: what was not written whole is never given. A snapshot that cannot be read is passed over,
//   and the one given instead says so.
// Cost: Write() takes two syncs, some milliseconds: not on a message's way.
// Design: docs/snapshot_format.md.
class SnapshotStore {
 public:
  // Makes the directory if its parent exists, and removes what an unfinished Write() left.
  // kFailedPrecondition: in use by another one. kInvalidArgument: an option. kNotFound: read_only
  // and no such directory. Else the file system's error.
  static absl::StatusOr<SnapshotStore> Open(const std::string& dir, SnapshotOptions options = {});

  // What was moved from may only be destroyed or assigned to.
  SnapshotStore(SnapshotStore&&) noexcept = default;
  SnapshotStore& operator=(SnapshotStore&&) noexcept = default;
  ~SnapshotStore() = default;

  // Keeps `state` as that of `key` at `position`; OK when it is on the disk. One of the same key
  // and position is replaced. REQUIRES: the records before `position` survive what this snapshot
  // is to survive (Journal::WaitDurable), or else see SetAsideAfter().
  // kInvalidArgument: over 1 GiB, or Position::None(). kFailedPrecondition: read_only, or there is
  // one at a higher position. kResourceExhausted: the disk is full; nothing was lost, write again
  // when there is space. Else the file system's error. After an error Latest() gives this snapshot
  // or the one before it, whole, and no older one was removed.
  absl::Status Write(uint64_t key, Position position, uint64_t stamp_ns,
                     std::span<const std::byte> state);

  // The newest one of `key` that is whole. kNotFound: there is none. kDataLoss: there are some, and
  // none is whole: replay the journal from its beginning.
  absl::StatusOr<Snapshot> Latest(uint64_t key) { return LatestBefore(key, Position::None()); }
  // The newest one that holds nothing of the records from `end` on: its position is at most `end`.
  absl::StatusOr<Snapshot> LatestBefore(uint64_t key, Position end);
  // That of exactly this position, checked.
  absl::StatusOr<Snapshot> Read(uint64_t key, Position position) const;

  // All that is there, by key, then position. Nothing is read or checked.
  absl::StatusOr<std::vector<SnapshotFile>> List();

  // Moves the snapshots at positions over `tail` to DIR/lost+found: a journal that lost its end in
  // a power loss writes other records there. Returns how many.
  absl::StatusOr<size_t> SetAsideAfter(Position tail);

  const std::string& dir() const { return dir_; }

 private:
  struct Kept {
    Position position;
    bool sure = true;  // whole and on the disk, as far as is known; others do not count as kept
  };

  SnapshotStore(std::string dir, SnapshotOptions options, std::unique_ptr<FileLock> lock)
      : dir_(std::move(dir)), options_(std::move(options)), lock_(std::move(lock)) {}

  absl::Status Refresh();
  absl::Status WriteFile(uint64_t key, Position position, uint64_t stamp_ns,
                         std::span<const std::byte> state);
  absl::Status RemoveOld(std::vector<Kept>& kept, uint64_t key);

  std::string dir_;
  SnapshotOptions options_;
  std::unique_ptr<FileLock> lock_;              // null: read_only
  std::map<uint64_t, std::vector<Kept>> kept_;  // of each key, by position
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_SNAPSHOT_STORE_H_
