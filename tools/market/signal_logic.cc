#include "market/signal_logic.h"

#include <cstdlib>

namespace bitactor::market {

int32_t ImbalanceQ16(const Top& top) {
  const int64_t bid = top.bid_size;
  const int64_t ask = top.ask_size;
  return static_cast<int32_t>((bid - ask) * 65'536 / (bid + ask));
}

int64_t MicropriceQ8(const Top& top) {
  // mid + imbalance * spread / 2. Prices have at most 34 bits, so that all products fit.
  const int64_t spread = top.ask_price - top.bid_price;
  const int64_t mid_q8 = (top.bid_price + top.ask_price) * 128;
  return mid_q8 + spread * ImbalanceQ16(top) / 512;
}

std::optional<Intent> SignalLogic::On(const Top& top) {
  ++state_.tops;
  const TopState top_state = StateOf(top);
  ++state_.by_state[static_cast<size_t>(top_state)];
  if (top_state != TopState::kTwoSided) return std::nullopt;
  if ((top.ask_price - top.bid_price) * 10'000 > top.bid_price * options_.max_spread_per_10000) {
    ++state_.too_wide;
    return std::nullopt;
  }
  state_.imbalance_q16 = ImbalanceQ16(top);
  state_.microprice_q8 = MicropriceQ8(top);
  const int32_t strength = std::abs(state_.imbalance_q16);
  const int32_t side = state_.imbalance_q16 > 0 ? 1 : -1;
  if (strength < options_.rearm_imbalance_q16 || side != state_.acted) state_.acted = 0;
  if (strength < options_.enter_imbalance_q16 || state_.acted == side) return std::nullopt;
  // A clock that runs backwards counts as a clock that stands still.
  const bool too_soon =
      state_.intents != 0 && top.time_ns < state_.last_intent_ns + options_.min_gap_ns;
  if (too_soon) return std::nullopt;
  state_.acted = side;
  state_.last_intent_ns = top.time_ns;
  ++state_.intents;
  return Intent{.top = top,
                .limit_price = side > 0 ? top.ask_price : top.bid_price,
                .quantity = side * options_.order_shares,
                .imbalance_q16 = state_.imbalance_q16,
                .microprice_q8 = state_.microprice_q8};
}

}  // namespace bitactor::market
