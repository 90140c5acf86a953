// The last stage: position and profit of one symbol.
#ifndef BITACTOR_TOOLS_MARKET_POSITION_LOGIC_H_
#define BITACTOR_TOOLS_MARKET_POSITION_LOGIC_H_

#include <cstdint>

#include "market/stage_messages.h"

namespace bitactor::market {

// Money is in 1e-4 $. At any time, realised - cost == cash: no cent is rounded away.
struct PositionState {
  uint64_t fills = 0;
  uint64_t last_sequence = 0;  // of the top of the last fill
  int64_t position = 0;        // shares, < 0: sold short
  int64_t cash = 0;            // received minus paid
  int64_t cost = 0;            // paid for what is held, by average cost; < 0: received for a short
  int64_t realised = 0;        // profit of what was closed
  int64_t mark_x2 = 0;         // twice the mid of the last fill's top
  uint64_t shares = 0;         // bought and sold
  uint64_t turnover = 0;       // money that changed hands

  // Profit of what is held, at the mark.
  int64_t unrealised() const { return position * mark_x2 / 2 - cost; }
};

// Sums over symbols do not depend on the order of adding.
struct PositionTotals {
  uint64_t fills = 0;
  uint64_t shares = 0;
  uint64_t turnover = 0;
  int64_t realised = 0;
  int64_t unrealised = 0;
  int64_t cash = 0;

  PositionTotals& operator+=(const PositionState& state);
};

// Order: fills in feed order.
// Bounds: sums of money up to 9e14 $ a symbol.
class PositionLogic {
 public:
  void On(const Fill& fill);

  const PositionState& state() const { return state_; }

 private:
  PositionState state_;
};
static_assert(kIsPlainBytes<PositionLogic> && sizeof(PositionLogic) <= 256);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_POSITION_LOGIC_H_
