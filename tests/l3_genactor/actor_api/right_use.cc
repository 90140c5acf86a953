// Everything that the other files get wrong, right: nothing here may be refused.
#include "account.h"

namespace bank {

struct Move {
  bitactor::Ref<Account> from, to;
  using Reply = int64_t;
};

class Teller : public bitactor::Actor<Teller, Move> {
 public:
  bitactor::Task<int64_t> On(Move m) {
    const int64_t cents = co_await Call(m.from, Balance{});
    Cast(m.to, Deposit{cents});
    co_return cents;
  }
};

bitactor::Handle<Teller> Use(bitactor::System& system) {
  const auto account = system.Spawn<Account>("account");
  account.Cast(Deposit{1});
  if (!account.Call(Balance{}).ok()) return {};
  return system.Spawn<Teller>("teller");
}

}  // namespace bank
