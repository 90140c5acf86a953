// EXPECT: Call of a message without an answer: declare `using Reply = ...;` in it, or use Cast
// EXPECT: bank::Deposit
#include "account.h"

namespace bank {
bool Use(const bitactor::Handle<Account>& account) { return account.Call(Deposit{1}).ok(); }
}  // namespace bank
