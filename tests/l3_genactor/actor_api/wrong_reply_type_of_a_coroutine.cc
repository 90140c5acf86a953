// EXPECT: this handler's result is not the Reply that its message declares
#include "account.h"

namespace bank {
class Rounding : public bitactor::Actor<Rounding, Balance> {
 public:
  bitactor::Task<bool> On(Balance) { co_return true; }
};
void Use(bitactor::System& system) { system.Spawn<Rounding>("rounding"); }
}  // namespace bank
