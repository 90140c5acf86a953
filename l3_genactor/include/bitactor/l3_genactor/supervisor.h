// One supervisor: its children and its patience.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISOR_H_
#define BITACTOR_L3_GENACTOR_SUPERVISOR_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/restart_intensity.h"
#include "bitactor/l3_genactor/supervision.h"

namespace bitactor::internal {

// Decides on the shard where a child failed, so that a restart needs no message; its children may
// live on any shard.
//
// Threads: all methods, any thread; the lock is taken when children start and end, never on a
// message's way.
class Supervisor {
 public:
  // `shut_down(id)` ends a child wherever it lives; called without the lock, from the thread of
  // ChildEnded().
  Supervisor(const SupervisorOptions& options, std::function<void(ActorId)> shut_down);

  void AddChild(ActorId id, Restart restart);
  // Whether the child is started again. Over the limit nobody is: every other child is shut down.
  bool ChildEnded(ActorId id, const ExitReason& reason, uint64_t now_ns);

  uint64_t restarts() const;
  // It had more failures than it may bear, and has shut its children down.
  bool gave_up() const;

 private:
  struct Child {
    ActorId id;
    Restart restart;
  };

  const std::function<void(ActorId)> shut_down_;
  mutable Mutex mutex_;
  RestartIntensity intensity_ ABSL_GUARDED_BY(mutex_);
  std::vector<Child> children_ ABSL_GUARDED_BY(mutex_);
  uint64_t latest_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t restarts_ ABSL_GUARDED_BY(mutex_) = 0;
  bool gave_up_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SUPERVISOR_H_
