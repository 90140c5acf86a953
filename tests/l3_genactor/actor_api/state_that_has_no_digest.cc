// EXPECT: declare `auto State() const { return std::tie(a_, b_); }` in it
#include <string>

#include "account.h"

namespace bank {
class Named : public bitactor::Actor<Named, Deposit> {
 public:
  void On(const Deposit&) {}

 private:
  std::string name_;
};
void Use(bitactor::System& system) { system.Spawn<Named>("named"); }
}  // namespace bank
