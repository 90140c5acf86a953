// Does on the shards what the supervision tree decides.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISION_DRIVER_H_
#define BITACTOR_L3_GENACTOR_SUPERVISION_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l3_genactor/supervision_tree.h"

namespace bitactor {
class System;
}

namespace bitactor::internal {

class ActorCell;

// Order: what the tree wants of one child happens in the order in which it wants it: each action is
//   a task of the child's shard.
// Threads: a Poller of the first shard, on which all timers are; Await() on outside threads.
class SupervisionDriver final : public SupervisionActions, public Poller {
 public:
  SupervisionDriver(System* system, uint64_t seed) : system_(*system), tree_(this, seed) {}

  SupervisionTree& tree() { return tree_; }
  const SupervisionTree& tree() const { return tree_; }
  // Waits for what was asked of the tree; without threads it drives the shards meanwhile.
  // Errors: the request's own; kUnavailable: without threads, and it cannot go on before the clock
  // does; kDeadlineExceeded: not `within` so much time, and it goes on.
  absl::Status Await(const std::shared_ptr<SupervisionRequest>& request,
                     absl::Duration within = absl::InfiniteDuration());

  // SupervisionActions.
  void StartChild(const ChildPtr& child) override;
  void EndChild(const ChildPtr& child, const ExitReason& reason) override;
  void Arm(uint64_t delay_ns, const ChildPtr& child, uint64_t number) override;
  void Arm(uint64_t delay_ns, const std::shared_ptr<Supervisor>& supervisor,
           uint64_t number) override;

  // Poller: fires what is due.
  size_t Poll() override;
  bool HasWork() override { return false; }
  uint64_t NextDeadlineNs() override;

 private:
  void Post(uint32_t shard, std::function<void()> action);
  void ArmTask(uint64_t delay_ns, std::function<void()> fire);
  void StartOnShard(const ChildPtr& child);
  void EndOnShard(const ChildPtr& child, const ExitReason& reason);

  System& system_;
  SupervisionTree tree_;
  std::multimap<uint64_t, std::function<void()>> timers_;  // of the first shard's thread
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SUPERVISION_DRIVER_H_
