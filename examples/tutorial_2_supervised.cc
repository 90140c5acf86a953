// Tutorial, step 2: an actor that fails, and a supervisor that starts it again.
#include <cstdint>
#include <cstdio>
#include <stdexcept>

#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

// [actor]
struct Receive {
  int64_t pieces;
};
struct Price {
  int64_t pieces;
  using Reply = int64_t;
};
struct OnHand {
  using Reply = int64_t;
};

class Stock : public Actor<Stock, Receive, Price, OnHand> {
 public:
  explicit Stock(int64_t pieces) : pieces_(pieces) {}

  void On(const Receive& m) {
    if (m.pieces < 0) throw std::invalid_argument("a delivery of less than nothing");
    pieces_ += m.pieces;
  }
  absl::StatusOr<int64_t> On(const Price& m) {
    if (m.pieces > pieces_) return absl::OutOfRangeError("so many are not there");
    return m.pieces * 3;
  }
  int64_t On(const OnHand&) { return pieces_; }

 private:
  int64_t pieces_;
};
// [actor]

int main() {
  auto system = System::Start().value();
  // [supervise]
  SupervisorRef supervisor = system->Supervise({.max_restarts = 3, .within = absl::Seconds(5)});
  auto screws = supervisor.Spawn<Stock>("screws", Restart::kPermanent, int64_t{100});
  auto nails = supervisor.Spawn<Stock>("nails", Restart::kPermanent, int64_t{50});
  screws.Cast(Receive{1});
  nails.Cast(Receive{1});
  screws.Cast(Receive{-7});                                        // throws
  const absl::StatusOr<int64_t> price = screws.Call(Price{1000});  // an error is a crash, too
  std::printf("price: %s\n", price.status().ToString().c_str());
  const int64_t screws_left = screws.Call(OnHand{}).value();
  const int64_t nails_left = nails.Call(OnHand{}).value();
  // [supervise]
  std::printf("%lld screws, %lld nails, %llu restarts\n", static_cast<long long>(screws_left),
              static_cast<long long>(nails_left),
              static_cast<unsigned long long>(supervisor.restarts()));
  return price.status().code() == absl::StatusCode::kOutOfRange && screws_left == 100 &&
                 nails_left == 51 && supervisor.restarts() == 2
             ? 0
             : 1;
}
