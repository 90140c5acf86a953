// Tutorial, step 3: the same actor over crashes of its own and of the program.
#include <cstdint>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <tuple>

#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

struct Receive {
  int64_t article;
  int64_t pieces;
};
struct OnHand {
  using Reply = int64_t;
};

// [state]
class Stock : public Actor<Stock, Receive, OnHand> {
 public:
  void On(const Receive& m) {
    pieces_of_[m.article] += m.pieces;
    if (m.pieces < 0) throw std::invalid_argument("a delivery of less than nothing");
  }
  int64_t On(const OnHand&) {
    int64_t all = 0;
    for (const auto& [article, pieces] : pieces_of_) all += pieces;
    return all;
  }
  auto State() const { return std::tie(pieces_of_); }

 private:
  std::map<int64_t, int64_t> pieces_of_;
};
// [state]

// [run]
absl::StatusOr<int64_t> OneDay() {
  absl::StatusOr<std::unique_ptr<System>> system =
      System::Start({.shards = 2, .durable = "stock"});  // the folder of its journals
  if (!system.ok()) return system.status();
  SupervisorRef supervisor = (*system)->Supervise({.max_restarts = 3});
  auto screws = supervisor.Spawn<Stock>("screws");
  if (!screws.ok()) return screws.status();
  screws.Cast(Receive{.article = 8, .pieces = 100});
  screws.Cast(Receive{.article = 8, .pieces = -1});  // it fails in the middle of a change
  screws.Cast(Receive{.article = 10, .pieces = 20});
  return screws.Call(OnHand{});
}

int main() {
  const absl::StatusOr<int64_t> first = OneDay();
  const absl::StatusOr<int64_t> second = OneDay();  // another start, the same journals
  if (!first.ok() || !second.ok()) {
    std::fprintf(stderr, "%s\n", (first.ok() ? second : first).status().ToString().c_str());
    return 1;
  }
  std::printf("%lld on the first day, %lld on the second\n", static_cast<long long>(*first),
              static_cast<long long>(*second));
  return *second == *first + 120 ? 0 : 1;
}
// [run]
