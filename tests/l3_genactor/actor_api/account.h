// A small actor that is right in every way; each file beside this one does one thing wrong with it.
#ifndef BITACTOR_TESTS_L3_GENACTOR_ACTOR_API_ACCOUNT_H_
#define BITACTOR_TESTS_L3_GENACTOR_ACTOR_API_ACCOUNT_H_

#include <cstdint>

#include "bitactor/l3_genactor/system.h"

namespace bank {

struct Deposit {
  int64_t cents;
};
struct Balance {
  using Reply = int64_t;
};
struct Close {
  uint64_t when;
};

class Account : public bitactor::Actor<Account, Deposit, Balance> {
 public:
  void On(const Deposit& m) { cents_ += m.cents; }
  int64_t On(const Balance&) { return cents_; }

 private:
  int64_t cents_ = 0;
};

}  // namespace bank

#endif  // BITACTOR_TESTS_L3_GENACTOR_ACTOR_API_ACCOUNT_H_
