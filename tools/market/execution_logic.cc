#include "market/execution_logic.h"

#include <cstdlib>

namespace bitactor::market {

std::optional<Fill> ExecutionLogic::On(const Order& order) {
  const int32_t filled = FillableQuantity(order.top, order.limit_price, order.quantity);
  const int32_t cancelled = order.quantity - filled;
  ++state_.orders;
  state_.filled_shares += static_cast<uint64_t>(std::abs(filled));
  state_.cancelled_shares += static_cast<uint64_t>(std::abs(cancelled));
  if (filled == 0) return std::nullopt;
  ++state_.fills;
  if (cancelled != 0) ++state_.partial_fills;
  return Fill{.top = order.top,
              .order_number = order.number,
              .price = filled > 0 ? order.top.ask_price : order.top.bid_price,
              .quantity = filled,
              .cancelled_quantity = cancelled};
}

}  // namespace bitactor::market
