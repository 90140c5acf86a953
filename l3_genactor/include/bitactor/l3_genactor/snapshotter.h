// Takes snapshots of a running system, finds the one to start from, and says what may be forgotten.
#ifndef BITACTOR_L3_GENACTOR_SNAPSHOTTER_H_
#define BITACTOR_L3_GENACTOR_SNAPSHOTTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/l3_genactor/actor_history.h"
#include "bitactor/l3_genactor/actor_snapshot.h"
#include "bitactor/persistence/position.h"
#include "bitactor/persistence/retention.h"

namespace bitactor {

class System;

// What a snapshot came to.
struct SnapshotReport {
  uint64_t number = 0;         // 1, 2, ... over all starts
  uint64_t actors = 0;         // captured as they were
  uint64_t outbox_frames = 0;  // sent by these and not yet taken
  uint64_t bytes = 0;
  // Not captured: their history begins where it did, and the journals keep it.
  uint64_t suspended = 0;    // a handler was suspended
  uint64_t unsupported = 0;  // their class cannot be brought back from bytes
  // How old the oldest state is that the snapshot had to keep or to leave out for a suspended handler; 0:
  // none, or it was never captured.
  uint64_t oldest_suspended_ns = 0;
};

namespace internal {

// The snapshot that a history may begin with, if there is one.
struct FoundSnapshot {
  std::optional<SystemSnapshot> snapshot;
  Position place{};       // in its store
  absl::Status not_used;  // why newer ones were not
};
// The newest one below `set_dir` that is whole and fits the journals. With `ends`: and holds nothing
// from there on.
FoundSnapshot FindSnapshot(FileSystem& files, const std::string& set_dir,
                           const std::map<uint32_t, Cut::End>* ends = nullptr);

// One snapshot after the other:
//
//   1. Each shard captures its actors between dispatches, some at a time: each at its own place of the
//      journal. What they had sent is published or held back by then.
//   2. The shards look through what is held back, and then, all of them, through what waits in lanes and
//      queues: a frame goes that way in one direction, so what is not found has been journalled or has
//      ended. What is found of messages sent before the capture is the outbox.
//   3. The journals are made durable, and with them what step 2 relies on; then the snapshot is written.
//   4. The shards let the captured histories begin there.
//
// Threads: Take, Retain and Stop from any that is not a shard's; Ask from any.
class Snapshotter {
 public:
  // With threads, begins one of its own for Ask(). `keep_history` false: each snapshot that was asked for
  // is followed by a Retain(). The fabric must run.
  Snapshotter(System* system, FileSystem* files, std::string set_dir, const FoundSnapshot& found,
              bool keep_history);
  ~Snapshotter() { Stop(); }

  absl::StatusOr<SnapshotReport> Take();
  // Takes one soon, on its own thread; at once in a system without threads.
  void Ask();
  absl::StatusOr<std::vector<RetentionReport>> Retain(const RetentionOptions& options);
  // Ends the thread.
  void Stop();

  // Of the last one that was asked for.
  absl::Status last_status() const {
    MutexLock lock(&mutex_);
    return last_status_;
  }

 private:
  struct Round;

  absl::StatusOr<SnapshotReport> TakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(taking_);
  void CaptureShard(uint32_t index, Round& round);
  void NoteHistory(uint32_t index, ActorId id, const ActorHistory* history, bool lives,
                   Round& round);
  void CaptureTheRest(uint32_t index, Round& round);
  bool Mark(uint32_t index, Round& round);
  absl::Status Write(Round& round) ABSL_EXCLUSIVE_LOCKS_REQUIRED(taking_);
  void LetHistoriesBegin(const Round& round);
  void TakeAsAsked();
  void Run();

  System& system_;
  FileSystem& files_;
  const std::string set_dir_;
  const bool keep_history_;

  Mutex taking_;  // one at a time
  uint64_t number_ ABSL_GUARDED_BY(taking_);
  std::map<uint32_t, Position> first_ ABSL_GUARDED_BY(taking_);  // as Round::first
  // Newer ones than this know of other journals; before the next one they are set aside.
  std::optional<Position> set_aside_after_ ABSL_GUARDED_BY(taking_);

  mutable Mutex mutex_;
  CondVar changed_;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status last_status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_SNAPSHOTTER_H_
