// EXPECT: this handler's result is not the Reply that its message declares
#include "account.h"

namespace bank {
class Rounding : public bitactor::Actor<Rounding, Balance> {
 public:
  int32_t On(const Balance&) { return 0; }
};
void Use(bitactor::System& system) { system.Spawn<Rounding>("rounding"); }
}  // namespace bank
