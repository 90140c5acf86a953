// The stage that fills approved orders.
#ifndef BITACTOR_TOOLS_MARKET_EXECUTION_LOGIC_H_
#define BITACTOR_TOOLS_MARKET_EXECUTION_LOGIC_H_

#include <cstdint>
#include <optional>

#include "market/stage_messages.h"

namespace bitactor::market {

struct ExecutionState {
  uint64_t orders = 0;
  uint64_t fills = 0;
  uint64_t partial_fills = 0;  // of `fills`
  uint64_t filled_shares = 0;
  uint64_t cancelled_shares = 0;
};

// Immediate-or-cancel: what is displayed on the other side of the top that the order carries is
// taken at its price, the rest is cancelled. The recorded feed goes on as if we had not traded.
class ExecutionLogic {
 public:
  // None when the whole order was cancelled.
  std::optional<Fill> On(const Order& order);

  const ExecutionState& state() const { return state_; }

 private:
  ExecutionState state_;
};
static_assert(kIsPlainBytes<ExecutionLogic> && sizeof(ExecutionLogic) <= 256);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_EXECUTION_LOGIC_H_
