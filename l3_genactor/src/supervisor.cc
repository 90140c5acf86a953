#include "bitactor/l3_genactor/supervisor.h"

#include <algorithm>
#include <utility>

namespace bitactor::internal {

Supervisor::Supervisor(const SupervisorOptions& options, std::function<void(ActorId)> shut_down)
    : shut_down_(std::move(shut_down)), intensity_(options.max_restarts, options.within) {}

void Supervisor::AddChild(ActorId id, Restart restart) {
  MutexLock lock(&mutex_);
  children_.push_back({id, restart});
}

bool Supervisor::ChildEnded(ActorId id, const ExitReason& reason, uint64_t now_ns) {
  std::vector<ActorId> to_shut_down;
  {
    MutexLock lock(&mutex_);
    const auto child = std::find_if(children_.begin(), children_.end(),
                                    [id](const Child& c) { return c.id == id; });
    if (child == children_.end()) return false;
    const bool wanted = child->restart == Restart::kPermanent ||
                        (child->restart == Restart::kTransient && !reason.IsNormalForTransient());
    latest_ns_ = std::max(latest_ns_, now_ns);  // shards' clocks differ by a little
    if (wanted && !gave_up_ && intensity_.Allow(latest_ns_)) {
      ++restarts_;
      return true;
    }
    children_.erase(child);
    if (!wanted || gave_up_) return false;
    gave_up_ = true;
    // The last one started is shut down first, as OTP does.
    for (auto other = children_.rbegin(); other != children_.rend(); ++other) {
      to_shut_down.push_back(other->id);
    }
  }
  for (const ActorId other : to_shut_down) shut_down_(other);
  return false;
}

uint64_t Supervisor::restarts() const {
  MutexLock lock(&mutex_);
  return restarts_;
}

bool Supervisor::gave_up() const {
  MutexLock lock(&mutex_);
  return gave_up_;
}

}  // namespace bitactor::internal
