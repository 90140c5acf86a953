#include "market/position_logic.h"

#include <algorithm>
#include <cstdlib>

namespace bitactor::market {

void PositionLogic::On(const Fill& fill) {
  const int64_t quantity = fill.quantity;
  const int64_t paid = quantity * fill.price;  // < 0: received
  ++state_.fills;
  state_.last_sequence = fill.top.sequence;
  state_.mark_x2 = fill.top.bid_price + fill.top.ask_price;
  state_.shares += static_cast<uint64_t>(std::abs(quantity));
  state_.turnover += static_cast<uint64_t>(std::abs(paid));
  state_.cash -= paid;

  const bool closes = (state_.position > 0) != (quantity > 0) && state_.position != 0;
  if (closes) {
    // Up to the whole position is closed; a rest of the fill opens one on the other side.
    const int64_t closed = std::min(std::abs(quantity), std::abs(state_.position));
    const int64_t closed_cost = state_.cost * closed / std::abs(state_.position);
    const int64_t closed_paid = paid * closed / std::abs(quantity);  // exact: a whole price a share
    state_.realised -= closed_paid + closed_cost;
    state_.cost += paid - closed_paid - closed_cost;
  } else {
    state_.cost += paid;
  }
  state_.position += quantity;
}

PositionTotals& PositionTotals::operator+=(const PositionState& state) {
  fills += state.fills;
  shares += state.shares;
  turnover += state.turnover;
  realised += state.realised;
  unrealised += state.unrealised();
  cash += state.cash;
  return *this;
}

}  // namespace bitactor::market
