#include "market/risk_logic.h"

#include <cstdlib>

namespace bitactor::market {

std::optional<Order> RiskLogic::On(const Intent& intent) {
  RollWindow(intent.top.time_ns);
  const int64_t new_position =
      state_.position + FillableQuantity(intent.top, intent.limit_price, intent.quantity);
  if (const std::optional<Rejection> refusal = Refuse(intent, new_position)) {
    ++state_.rejected[static_cast<size_t>(*refusal)];
    const bool breach = *refusal == Rejection::kPosition || *refusal == Rejection::kNotional ||
                        *refusal == Rejection::kRate;
    if (breach && ++state_.breaches_in_window >= options_.breaches_to_stop) Stop();
    return std::nullopt;
  }
  state_.position = new_position;
  ++state_.orders_in_window;
  ++state_.approved;
  return Order{.top = intent.top,
               .number = state_.approved,
               .limit_price = intent.limit_price,
               .quantity = intent.quantity,
               .zero = 0};
}

std::optional<Rejection> RiskLogic::Refuse(const Intent& intent, int64_t new_position) const {
  if (state_.stopped != 0) return Rejection::kStopped;
  if (StateOf(intent.top) != TopState::kTwoSided || new_position == state_.position) {
    return Rejection::kUnusableTop;
  }
  if (std::abs(new_position) > std::abs(state_.position)) {
    if (std::abs(new_position) > options_.max_position_shares) return Rejection::kPosition;
    // Divided, not multiplied: a price times a position could leave 64 bits.
    if (intent.limit_price > 0 &&
        std::abs(new_position) > options_.max_notional / intent.limit_price) {
      return Rejection::kNotional;
    }
  }
  if (state_.orders_in_window >= options_.max_orders_per_window) return Rejection::kRate;
  return std::nullopt;
}

void RiskLogic::RollWindow(uint64_t time_ns) {
  // An earlier time stays in the window: a feed that steps back must not open a new one.
  if (time_ns < state_.window_start_ns + options_.rate_window_ns) return;
  state_.window_start_ns = time_ns - time_ns % options_.rate_window_ns;
  state_.orders_in_window = 0;
  state_.breaches_in_window = 0;
}

void RiskLogic::Stop() {
  if (state_.stopped != 0) return;
  state_.stopped = 1;
  ++state_.stops;
}

void RiskLogic::On(const KillSwitch& message) {
  if (message.stop != 0) {
    Stop();
  } else {
    state_.stopped = 0;
    state_.breaches_in_window = 0;
  }
}

}  // namespace bitactor::market
