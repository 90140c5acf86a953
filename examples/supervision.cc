// A tree of supervisors: a pool of connections beside a store, and what a failure does to each.
#include <cstdint>
#include <cstdio>

#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

struct Put {
  int64_t n;
};
struct Sum {
  using Reply = int64_t;
};
struct Break {
  using Reply = int64_t;
};

class Store : public Actor<Store, Put, Sum, Break> {
 public:
  void On(const Put& m) { sum_ += m.n; }
  int64_t On(const Sum&) { return sum_; }
  absl::StatusOr<int64_t> On(const Break&) { return absl::InternalError("broken"); }

 private:
  int64_t sum_ = 0;
};

int main() {
  auto system = System::Start().value();
  // [tree]
  SupervisorRef top = system->Supervise("shop", {.strategy = Strategy::kRestForOne});
  auto store = top.Spawn<Store>("store");
  // They start again with the store.
  SupervisorRef caches = top.Supervise("caches", {.max_restarts = 10});
  auto front = caches.Spawn<Store>(
      "front", {.backoff = {.base = absl::Milliseconds(1), .cap = absl::Seconds(1)}});
  auto back = caches.Spawn<Store>("back", {.poison = {PoisonPolicy::kQuarantine}});
  auto visitors = top.SuperviseEach<Store>("visitors", {}, {.restart = Restart::kTemporary});
  visitors.Spawn("visitor/1");
  // [tree]
  back.Cast(Put{3});
  const bool back_failed = !back.Call(Break{}).ok();
  const bool store_failed = !store.Call(Break{}).ok();  // caches and visitors end and start again
  system->WaitIdle();
  std::fputs(TreeText(system->Tree()).c_str(), stdout);
  return back_failed && store_failed && front.ok() && system->poisoned() == 1 &&
                 visitors.CountChildren().active == 0 && back.Call(Sum{}).value_or(-1) == 0
             ? 0
             : 1;
}
