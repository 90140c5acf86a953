// EXPECT: a handler that takes a ReplyTo answers by it and returns no value
#include "account.h"

namespace bank {
class Slow : public bitactor::Actor<Slow, Balance> {
 public:
  int64_t On(const Balance&, bitactor::ReplyTo<int64_t>) { return 0; }
};
void Use(bitactor::System& system) { system.Spawn<Slow>("slow"); }
}  // namespace bank
