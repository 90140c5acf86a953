// EXPECT: this actor lists a message that it has no On(const Message&) for
// EXPECT: bank::Balance
#include "account.h"

namespace bank {
class Silent : public bitactor::Actor<Silent, Deposit, Balance> {
 public:
  void On(const Deposit&) {}
};
void Use(bitactor::System& system) { system.Spawn<Silent>("silent"); }
}  // namespace bank
