// Tutorial, step 1: an actor, told things and asked things.
#include <cstdint>
#include <cstdio>

#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

// [messages]
struct Receive {
  int64_t pieces;
};
struct Take {
  int64_t pieces;
  using Reply = bool;  // whether there were enough
};
struct OnHand {
  using Reply = int64_t;
};
// [messages]

// [actor]
class Stock : public Actor<Stock, Receive, Take, OnHand> {
 public:
  void On(const Receive& m) { pieces_ += m.pieces; }
  bool On(const Take& m) {
    if (m.pieces > pieces_) return false;
    pieces_ -= m.pieces;
    return true;
  }
  int64_t On(const OnHand&) { return pieces_; }

 private:
  int64_t pieces_ = 0;
};
// [actor]

// [main]
int main() {
  absl::StatusOr<std::unique_ptr<System>> system = System::Start();
  if (!system.ok()) {
    std::fprintf(stderr, "%s\n", system.status().ToString().c_str());
    return 1;
  }
  const Handle<Stock> screws = (*system)->Spawn<Stock>("screws");
  screws.Cast(Receive{100});                                 // one way
  const absl::StatusOr<bool> taken = screws.Call(Take{30});  // waits for the answer
  const absl::StatusOr<int64_t> left = screws.Call(OnHand{}, absl::Seconds(1));
  if (!taken.ok() || !left.ok()) return 1;
  std::printf("%lld left\n", static_cast<long long>(*left));
  return *taken && *left == 70 ? 0 : 1;
}
// [main]
