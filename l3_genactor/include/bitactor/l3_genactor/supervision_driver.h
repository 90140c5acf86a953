// Does on the shards what the supervision tree decides.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISION_DRIVER_H_
#define BITACTOR_L3_GENACTOR_SUPERVISION_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/file.h"
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
  void Publish() override;

  // From now on the tree stands in the file `path`, which is replaced in one step, at most 100 ms
  // behind.
  void PublishTo(FileSystem* files, std::string path);
  // Writes it for the last time: the shards have ended.
  void PublishEnd();

  // Poller: fires what is due.
  size_t Poll() override;
  bool HasWork() override { return false; }
  uint64_t NextDeadlineNs() override;

 private:
  void Post(uint32_t shard, std::function<void()> action);
  void WriteTree(bool running);
  void ArmTask(uint64_t delay_ns, std::function<void()> fire);
  void StartOnShard(const ChildPtr& child);
  void EndOnShard(const ChildPtr& child, const ExitReason& reason);

  System& system_;
  SupervisionTree tree_;
  FileSystem* files_ = nullptr;  // null: nothing is published
  std::string path_;
  // Of the first shard's thread.
  uint64_t next_publish_ns_ = 0;
  std::multimap<uint64_t, std::function<void()>> timers_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SUPERVISION_DRIVER_H_
