// EXPECT: Call of a message without an answer: declare `using Reply = ...;` in it, or use Cast
#include "account.h"

namespace bank {
class Clerk : public bitactor::Actor<Clerk, Deposit> {
 public:
  bitactor::Task<void> On(Deposit m) { co_await Call(bitactor::Ref<Account>{}, m); }
};
void Use(bitactor::System& system) { system.Spawn<Clerk>("clerk"); }
}  // namespace bank
