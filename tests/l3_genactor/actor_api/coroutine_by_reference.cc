// EXPECT: a coroutine takes its message by value: a reference dangles after the first co_await
#include "account.h"

namespace bank {
class Dangling : public bitactor::Actor<Dangling, Balance> {
 public:
  bitactor::Task<int64_t> On(const Balance&) { co_return 0; }
};
void Use(bitactor::System& system) { system.Spawn<Dangling>("dangling"); }
}  // namespace bank
