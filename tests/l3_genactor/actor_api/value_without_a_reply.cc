// EXPECT: this handler returns a value, but its message declares no Reply
#include "account.h"

namespace bank {
class Talkative : public bitactor::Actor<Talkative, Deposit> {
 public:
  int64_t On(const Deposit& m) { return m.cents; }
};
void Use(bitactor::System& system) { system.Spawn<Talkative>("talkative"); }
}  // namespace bank
