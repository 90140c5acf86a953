// A program outside this repository that uses the installed l3_genactor and links nothing else: a
// supervised actor that crashes and answers afterwards.
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "bitactor/l3_genactor/system.h"

struct Deposit {
  int64_t cents;
};
struct Balance {
  using Reply = int64_t;
};

class Account : public bitactor::Actor<Account, Deposit, Balance> {
 public:
  void On(const Deposit& deposit) {
    if (deposit.cents < 0) throw std::invalid_argument("nobody deposits less than nothing");
    balance_ += deposit.cents;
  }
  int64_t On(const Balance&) { return balance_; }

 private:
  int64_t balance_ = 0;
};

namespace {

int Fail(const std::string& what) {
  std::fprintf(stderr, "l3_genactor consumer: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main() {
  auto started = bitactor::System::Start({.shards = 2});
  if (!started.ok()) return Fail(started.status().ToString());
  bitactor::System& system = **started;

  auto supervisor = system.Supervise({.max_restarts = 3});
  auto alice = supervisor.Spawn<Account>("alice");
  alice.Cast(Deposit{100});
  auto balance = alice.Call(Balance{});
  if (!balance.ok()) return Fail(balance.status().ToString());
  if (*balance != 100) return Fail("a deposit of 100 made " + std::to_string(*balance));

  alice.Cast(Deposit{-1});
  alice.Cast(Deposit{7});
  balance = alice.Call(Balance{});
  if (!balance.ok()) return Fail(balance.status().ToString());
  if (*balance != 7)
    return Fail("not durable, it restarts empty, but has " + std::to_string(*balance));
  if (supervisor.restarts() != 1) return Fail("one crash was not one restart");
  if (!system.Counters().AddUp()) return Fail("the counters do not add up");
  std::puts("l3_genactor consumer: ok");
  return 0;
}
