// Actors, supervised and durable: money moves between accounts, and no crash loses or invents any.
#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"
#include "bitactor/l3_genactor/system.h"

using namespace bitactor;

class Account;
struct Transfer {
  Ref<Account> from, to;
  int64_t cents;
  using Reply = bool;
};
struct Deposit {
  int64_t cents;
};
struct Withdraw {
  int64_t cents;
  using Reply = bool;
};
struct Balance {
  using Reply = int64_t;
};

class Account : public Actor<Account, Deposit, Withdraw, Balance> {
 public:
  void On(const Deposit& d) { balance_ += d.cents; }
  bool On(const Withdraw& w) { return w.cents <= balance_ && (balance_ -= w.cents, true); }
  int64_t On(const Balance&) { return balance_; }

 private:
  int64_t balance_ = 0;  // trivially copyable members: copy and digest for free
};

class Teller : public Actor<Teller, Transfer> {
 public:
  Task<bool> On(Transfer t) {  // a coroutine: takes its message by value
    bool paid =
        co_await Call(t.from, Withdraw{t.cents});  // a failed call throws: OTP's exit of the caller
    if (paid) Cast(t.to, Deposit{t.cents});
    co_return paid;
  }
};

int main(int argc, char** argv) {
  auto system = System::Start({.shards = 2, .durable = argc > 1 ? argv[1] : "bank"}).value();
  auto bank = system->Supervise(
      {.strategy = Strategy::kOneForOne, .max_restarts = 3, .within = absl::Seconds(5)});
  auto alice = bank.Spawn<Account>("alice", Restart::kPermanent);
  auto bob = bank.Spawn<Account>("bob");
  auto clerk = bank.Spawn<Teller>("clerk");
  alice.Cast(Deposit{100});
  absl::StatusOr<bool> paid = clerk.Call(Transfer{alice, bob, 40});
  if (!paid.ok()) return 1;
  absl::StatusOr<int64_t> left =
      alice.Call(Balance{}, absl::Milliseconds(500));  // from an outside thread
  if (!left.ok()) return 1;
  absl::PrintF("%d\n", *left);  // 60; run again: 120, the accounts are still there
}
