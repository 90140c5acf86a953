// Makes what journals appended durable: syncs it, writes the cut, acknowledges.
#ifndef BITACTOR_PERSISTENCE_COMMITTER_H_
#define BITACTOR_PERSISTENCE_COMMITTER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/persistence/group_commit.h"
#include "commit_member.h"
#include "cut_file.h"

namespace bitactor::internal {

// Invariants (of each journal, in positions):
//   C1  acknowledged <= synced <= tail.
//   C2  what is before `synced` is on the disk, with its file's length and name.
//   C3  `acknowledged` is published after a cut that has it is on the disk.
// Threads: any. `commit_mutex_` is taken before `state_mutex_`.
// Errors: the first failed sync ends it; see GroupCommit.
class Committer {
 public:
  // `takes_lock`: the directory is not locked by a journal of the caller.
  static absl::StatusOr<std::unique_ptr<Committer>> Open(const std::string& dir,
                                                         const JournalOptions& options,
                                                         bool takes_lock);
  // REQUIRES: every journal has left.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // What the last cut has of this journal.
  std::optional<CutEntry> EntryOf(uint32_t owner_number);

  // Takes a recovered journal into the set. What is not on the disk for sure is written again: after
  // a sync that failed its pages may be clean in memory and missing on the disk. The member stays
  // valid as long as the committer. `is_new`: nothing was in the journal before, so that the cut
  // counts from here on; else it counts from the first commit on. kFailedPrecondition: another
  // journal has the number.
  absl::StatusOr<CommitMember*> Join(std::unique_ptr<CommitMember> member, bool is_new);
  // Commits the journal's last records. The tail is not read any more.
  absl::Status Leave(CommitMember& member);

  absl::Status Commit();
  // Commits until what is at the position is acknowledged.
  absl::Status CommitBehind(const CommitMember& member, uint64_t position);
  // The same, by the thread if there is one.
  absl::Status WaitFor(const CommitMember& member, uint64_t position, absl::Duration at_most);
  // There is enough for a commit.
  void Wake();
  // OK while commits are possible: nothing failed, and every journal of the cut was opened.
  absl::Status Ready();
  absl::Status Failure();  // what ended it, or OK
  CommitCounters counters();

 private:
  Committer(const std::string& dir, const JournalOptions& options, std::unique_ptr<FileLock> lock,
            std::unique_ptr<CutFile> cut_file);
  absl::Status CommitLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  bool AnythingNew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  absl::StatusOr<Cut> ChooseCut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  absl::Status SyncAndCut(CommitCounters& done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  void NoteJoined() ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  void Run();

  const std::string dir_;
  const JournalOptions options_;
  const std::unique_ptr<FileLock> lock_;  // null: the journal's own counts
  bool has_thread_ = false;

  Mutex commit_mutex_;  // held while the disk works
  const std::unique_ptr<CutFile> cut_file_ ABSL_PT_GUARDED_BY(commit_mutex_);
  std::vector<std::unique_ptr<CommitMember>> members_ ABSL_GUARDED_BY(commit_mutex_);

  Mutex state_mutex_;
  CondVar changed_;  // of what state_mutex_ guards, and of what is acknowledged
  absl::Status failure_ ABSL_GUARDED_BY(state_mutex_);
  absl::Status not_joined_ ABSL_GUARDED_BY(state_mutex_);  // OK when all are
  bool wanted_ ABSL_GUARDED_BY(state_mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(state_mutex_) = false;
  CommitCounters counters_ ABSL_GUARDED_BY(state_mutex_);

  std::thread thread_;  // last: runs as soon as it is there
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_COMMITTER_H_
