// EXPECT: a message has at most 128 bytes
#include "account.h"

namespace bank {
struct Statement {
  int64_t lines[17];
};
class Reader : public bitactor::Actor<Reader, Statement> {
 public:
  void On(const Statement&) {}
};
void Use(bitactor::System& system) { system.Spawn<Reader>("reader"); }
}  // namespace bank
