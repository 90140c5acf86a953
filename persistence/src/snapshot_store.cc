#include "bitactor/persistence/snapshot_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bitactor/l1_core/write_aside.h"
#include "snapshot_format.h"

namespace bitactor {
namespace {

constexpr char kSnapshotLockName[] = "lock";
constexpr char kSnapshotAsideName[] = "next.tmp";
constexpr char kSnapshotLostName[] = "lost+found";

absl::Status CheckOptions(const std::string& dir, const SnapshotOptions& options) {
  if (options.keep == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        dir, ": keep is 0; keep at least 1 snapshot of each key, or 2 to survive a damaged one"));
  }
  if (options.files == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, ": files is null; leave it as it is for the system's files"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileLock>> TakeLock(const std::string& dir,
                                                   const SnapshotOptions& options) {
  const uint64_t now_ns =
      options.now_ns ? options.now_ns() : static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  absl::StatusOr<std::unique_ptr<FileLock>> lock =
      options.files->Lock(JoinPath(dir, kSnapshotLockName), now_ns);
  if (absl::IsUnavailable(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir, " is in use by ", lock.status().message(),
                     "; close it there, or open it with read_only"));
  }
  return lock;
}

absl::Status RemoveIfThere(FileSystem& files, const std::string& path) {
  absl::StatusOr<bool> there = files.Exists(path);
  if (!there.ok()) return there.status();
  return *there ? files.Remove(path) : absl::OkStatus();
}

// Moves DIR/`name` to DIR/lost+found, beside others of the name.
absl::Status SetAside(FileSystem& files, const std::string& dir, const std::string& name) {
  const std::string lost = JoinPath(dir, kSnapshotLostName);
  for (int copy = 0;; ++copy) {
    const std::string to = JoinPath(lost, absl::StrCat(name, ".", copy));
    absl::StatusOr<bool> taken = files.Exists(to);
    if (!taken.ok()) return taken.status();
    if (!*taken) return files.Rename(JoinPath(dir, name), to);
  }
}

absl::Status NoneIsWhole(const std::string& dir, uint64_t key,
                         const std::vector<absl::Status>& passed_over) {
  const bool all_damaged =
      std::all_of(passed_over.begin(), passed_over.end(),
                  [](const absl::Status& status) { return absl::IsDataLoss(status); });
  std::string message = absl::StrCat(dir, ": none of ", passed_over.size(), " snapshots of key ",
                                     key, " can be read: ");
  for (const absl::Status& status : passed_over) absl::StrAppend(&message, status.message(), "; ");
  absl::StrAppend(&message, "replay the journal from its beginning, or bring back a copy");
  return absl::Status(all_damaged ? absl::StatusCode::kDataLoss : passed_over.front().code(),
                      message);
}

}  // namespace

absl::StatusOr<SnapshotStore> SnapshotStore::Open(const std::string& dir, SnapshotOptions options) {
  if (absl::Status status = CheckOptions(dir, options); !status.ok()) return status;
  FileSystem& files = *options.files;
  std::unique_ptr<FileLock> held;
  if (!options.read_only) {
    if (absl::Status status = files.CreateDir(dir); !status.ok()) return status;
    absl::StatusOr<std::unique_ptr<FileLock>> lock = TakeLock(dir, options);
    if (!lock.ok()) return lock.status();
    held = *std::move(lock);
    absl::Status status = RemoveIfThere(files, JoinPath(dir, kSnapshotAsideName));
    // What is listed below counts as kept, so its name must be on the disk.
    if (status.ok()) status = files.SyncDirectory(dir);
    if (!status.ok()) return status;
  }
  SnapshotStore store(dir, std::move(options), std::move(held));
  if (absl::Status status = store.Refresh(); !status.ok()) return status;
  return store;
}

absl::Status SnapshotStore::Refresh() {
  absl::StatusOr<std::vector<std::string>> names = options_.files->List(dir_);
  if (!names.ok()) return names.status();
  kept_.clear();
  for (const std::string& name : *names) {  // ascending, and so are the positions of a key
    if (const auto place = internal::ParseSnapshotName(name)) {
      kept_[place->key].push_back({place->position});
    }
  }
  return absl::OkStatus();
}

absl::Status SnapshotStore::Write(uint64_t key, Position position, uint64_t stamp_ns,
                                  std::span<const std::byte> state) {
  if (options_.read_only) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir_, ": opened read_only; open it without to write"));
  }
  if (state.size() > kMaxSnapshotBytes || position == Position::None()) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir_, ": a snapshot of key ", key, " with ", state.size(),
                     " bytes at position ", position.ToString(), "; 0 to ", kMaxSnapshotBytes,
                     " bytes at a position of a record or a tail are possible"));
  }
  if (const auto found = kept_.find(key); found != kept_.end()) {
    if (const Position newest = found->second.back().position; newest > position) {
      return absl::FailedPreconditionError(
          absl::StrCat(dir_, ": a snapshot of key ", key, " at position ", position.ToString(),
                       ", but there is one at ", newest.ToString(),
                       " already; call SetAsideAfter() if the journal lost its end"));
    }
  }
  absl::Status status = WriteFile(key, position, stamp_ns, state);
  if (!status.ok()) return status;
  std::vector<Kept>& kept = kept_[key];
  if (kept.empty() || kept.back().position != position) kept.push_back({position});
  // Whether the name is on the disk is not known until the directory is synced.
  kept.back().sure = false;
  status = options_.files->SyncDirectory(dir_);
  if (!status.ok()) return status;
  kept.back().sure = true;
  return RemoveOld(kept, key);
}

absl::Status SnapshotStore::WriteFile(uint64_t key, Position position, uint64_t stamp_ns,
                                      std::span<const std::byte> state) {
  const internal::SnapshotHeader header =
      internal::MakeSnapshotHeader(key, position, stamp_ns, state);
  return internal::WriteAside(*options_.files, dir_, kSnapshotAsideName,
                              internal::SnapshotName(key, position),
                              {std::as_bytes(std::span(&header, 1)), state});
}

// Removes those behind the newest `keep` sure ones, oldest first.
absl::Status SnapshotStore::RemoveOld(std::vector<Kept>& kept, uint64_t key) {
  size_t first_kept = kept.size();
  for (uint32_t sure = 0; first_kept > 0 && sure < options_.keep;) {
    if (kept[--first_kept].sure) ++sure;
  }
  for (; first_kept > 0; --first_kept) {
    const std::string path = JoinPath(dir_, internal::SnapshotName(key, kept.front().position));
    absl::Status status = options_.files->Remove(path);
    if (!status.ok() && !absl::IsNotFound(status)) {
      return absl::Status(
          status.code(),
          absl::StrCat("the new snapshot is written, but the old one stays: ", status.message()));
    }
    kept.erase(kept.begin());
  }
  return absl::OkStatus();
}

absl::StatusOr<Snapshot> SnapshotStore::LatestBefore(uint64_t key, Position end) {
  for (Position last_vanished = Position::None();;) {
    if (options_.read_only) {
      if (absl::Status status = Refresh(); !status.ok()) return status;
    }
    std::vector<absl::Status> passed_over;
    std::vector<Kept>& kept = kept_[key];
    bool vanished = false;
    for (auto at = kept.rbegin(); at != kept.rend() && !vanished; ++at) {
      if (at->position > end) continue;
      absl::StatusOr<Snapshot> snapshot = Read(key, at->position);
      if (snapshot.ok()) {
        snapshot->passed_over = std::move(passed_over);
        return snapshot;
      }
      at->sure = false;
      // A writer removes old ones when it has written new ones: look again, once for each.
      vanished = options_.read_only && absl::IsNotFound(snapshot.status()) &&
                 at->position != last_vanished;
      if (vanished) last_vanished = at->position;
      passed_over.push_back(snapshot.status());
    }
    if (vanished) continue;
    if (!passed_over.empty()) return NoneIsWhole(dir_, key, passed_over);
    if (kept.empty()) kept_.erase(key);
    return absl::NotFoundError(
        absl::StrCat(dir_, ": no snapshot of key ", key,
                     end == Position::None() ? "" : " at or before position ",
                     end == Position::None() ? "" : end.ToString()));
  }
}

absl::StatusOr<Snapshot> SnapshotStore::Read(uint64_t key, Position position) const {
  return internal::ReadSnapshotFile(
      *options_.files, JoinPath(dir_, internal::SnapshotName(key, position)), key, position);
}

absl::StatusOr<std::vector<SnapshotFile>> SnapshotStore::List() {
  if (options_.read_only) {
    if (absl::Status status = Refresh(); !status.ok()) return status;
  }
  std::vector<SnapshotFile> all;
  for (const auto& [key, kept] : kept_) {
    for (const Kept& one : kept) {
      all.push_back({key, one.position, JoinPath(dir_, internal::SnapshotName(key, one.position))});
    }
  }
  return all;
}

absl::StatusOr<size_t> SnapshotStore::SetAsideAfter(Position tail) {
  if (options_.read_only) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir_, ": opened read_only; open it without to set snapshots aside"));
  }
  FileSystem& files = *options_.files;
  size_t moved = 0;
  for (auto at = kept_.begin(); at != kept_.end();) {
    auto& [key, kept] = *at;
    while (!kept.empty() && kept.back().position > tail) {
      if (moved == 0) {
        absl::Status status = files.CreateDir(JoinPath(dir_, kSnapshotLostName));
        if (!status.ok()) return status;
      }
      absl::Status status =
          SetAside(files, dir_, internal::SnapshotName(key, kept.back().position));
      if (!status.ok()) return status;
      kept.pop_back();
      ++moved;
    }
    at = kept.empty() ? kept_.erase(at) : std::next(at);
  }
  if (moved == 0) return moved;
  absl::Status status = files.SyncDirectory(JoinPath(dir_, kSnapshotLostName));
  if (status.ok()) status = files.SyncDirectory(dir_);
  if (!status.ok()) return status;
  return moved;
}

}  // namespace bitactor
