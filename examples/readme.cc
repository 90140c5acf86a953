// The program in README.md: a supervised, journalled, traced actor.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "bitactor/l3_genactor/system.h"
#include "bitactor/tracing/chrome_export.h"

using namespace bitactor;

// [program]
struct Deposit {
  int64_t cents;
};
struct Balance {
  using Reply = int64_t;
};

class Account : public Actor<Account, Deposit, Balance> {
 public:
  void On(const Deposit& d) {
    balance_ += d.cents;
    if (d.cents < 0) throw std::invalid_argument("a deposit of less than nothing");
  }
  int64_t On(const Balance&) { return balance_; }

 private:
  int64_t balance_ = 0;
};

int main() {
  auto system = System::Start({.shards = 2, .durable = "bank"}).value();  // journals in ./bank
  auto supervisor = system->Supervise({.max_restarts = 3});
  auto alice = supervisor.Spawn<Account>("alice");  // with the balance of the last run
  alice.Cast(Deposit{100});
  alice.Cast(Deposit{-30});  // crashes her: she comes back as she was before this message
  const int64_t cents = alice.Call(Balance{}).value();
  std::cout << "alice has " << cents << " cents\n";  // 100; run it again: 200

  std::ofstream trace("bank.trace.json");  // open it in ui.perfetto.dev
  return WriteChromeTrace(system->Spans(), {}, trace).ok() && cents % 100 == 0 ? 0 : 1;
}
// [program]
