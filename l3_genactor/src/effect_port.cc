#include "bitactor/l3_genactor/effect_port.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace bitactor {

std::string EffectKey::ToString() const { return absl::StrCat(source, ":", message_id); }

namespace internal {

void EffectSignal::Raise() {
  MutexLock lock(&mutex_);
  raised_ = true;
  changed_.SignalAll();
}

void EffectSignal::Wait(absl::Duration timeout) {
  const auto until = std::chrono::steady_clock::now() +
                     absl::ToChronoNanoseconds(std::min(timeout, absl::Hours(1)));
  MutexLock lock(&mutex_);
  while (!raised_ && std::chrono::steady_clock::now() < until) changed_.WaitUntil(&mutex_, until);
  raised_ = false;
}

absl::Status VisitDurably(System& system, ActorId id, const std::function<void()>& visit) {
  Fabric& fabric = system.fabric();
  const uint32_t shard = fabric.ShardOf(id);
  const Journal* journal = nullptr;
  Position tail;
  fabric.RunOnShard(shard, [&] {
    visit();
    journal = fabric.shard(shard).journal();
    if (journal != nullptr) tail = journal->tail();
  });
  if (journal == nullptr || tail == Position::Begin()) return absl::OkStatus();
  return journal->WaitDurable(Position(tail.value() - 1));
}

bool WaitForEffects(System& system, EffectSignal& signal, uint64_t start_ns, uint64_t timeout_ns) {
  Fabric& fabric = system.fabric();
  if (!fabric.threaded()) return fabric.Poll() > 0;
  const uint64_t passed_ns = fabric.clock().NowNanos() - start_ns;
  if (timeout_ns != 0 && passed_ns >= timeout_ns) return false;
  signal.Wait(timeout_ns == 0 ? absl::InfiniteDuration()
                              : absl::Nanoseconds(static_cast<int64_t>(timeout_ns - passed_ns)));
  return true;
}

}  // namespace internal
}  // namespace bitactor
