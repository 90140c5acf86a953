// EXPECT: a message must be trivially copyable: it is copied as bytes into a lane and a journal
#include <string>

#include "account.h"

namespace bank {
struct Note {
  std::string text;
};
class Reader : public bitactor::Actor<Reader, Note> {
 public:
  void On(const Note&) {}
};
void Use(bitactor::System& system) { system.Spawn<Reader>("reader"); }
}  // namespace bank
