// EXPECT: name this request before the co_await, or give its type a constructor
#include <string>

#include "account.h"

namespace bank {
struct Rename {
  std::string name;
  auto Fields() { return std::tie(name); }
  using Reply = bool;
};
class Register : public bitactor::Actor<Register, Rename> {
 public:
  bool On(const Rename&) { return true; }
};
struct Ask {
  bitactor::Ref<Register> at;
};
class Clerk : public bitactor::Actor<Clerk, Ask> {
 public:
  bitactor::Task<void> On(Ask m) { co_await Call(m.at, Rename{"x"}); }
};
void Use(bitactor::System& system) { system.Spawn<Clerk>("clerk"); }
}  // namespace bank
