// EXPECT: an actor's destructor must not throw
#include "account.h"

namespace bank {
class Explosive : public bitactor::Actor<Explosive, Deposit> {
 public:
  ~Explosive() noexcept(false) {}
  void On(const Deposit&) {}
};
void Use(bitactor::System& system) { system.Spawn<Explosive>("explosive"); }
}  // namespace bank
