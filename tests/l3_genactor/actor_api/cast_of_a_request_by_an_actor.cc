// EXPECT: Cast of a request: this message declares a Reply, so somebody must wait for it; use Call
#include "account.h"

namespace bank {
class Clerk : public bitactor::Actor<Clerk, Deposit> {
 public:
  void On(const Deposit&) { Cast(bitactor::Ref<Account>{}, Balance{}); }
};
void Use(bitactor::System& system) { system.Spawn<Clerk>("clerk"); }
}  // namespace bank
