// EXPECT: Cast of a request: this message declares a Reply, so somebody must wait for it; use Call
// EXPECT: bank::Balance
#include "account.h"

namespace bank {
void Use(const bitactor::Handle<Account>& account) { account.Cast(Balance{}); }
}  // namespace bank
