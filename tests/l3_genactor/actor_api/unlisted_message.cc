// EXPECT: this actor does not handle this message: it is not in its Actor<Self, Messages...> list
// EXPECT: bank::Close
#include "account.h"

namespace bank {
void Use(const bitactor::Handle<Account>& account) { account.Cast(Close{}); }
}  // namespace bank
