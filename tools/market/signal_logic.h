// The stage that reads the pressure of orders from the top of the book.
#ifndef BITACTOR_TOOLS_MARKET_SIGNAL_LOGIC_H_
#define BITACTOR_TOOLS_MARKET_SIGNAL_LOGIC_H_

#include <array>
#include <cstdint>
#include <optional>

#include "market/stage_messages.h"

namespace bitactor::market {

struct SignalOptions {
  int32_t enter_imbalance_q16 = 58'982;  // 0.9: acts when the imbalance rises over this
  int32_t rearm_imbalance_q16 = 32'768;  // 0.5: may act again after it fell below this
  int32_t order_shares = 100;
  int32_t max_spread_per_10000 = 50;  // of the bid; behind a wider spread there is no price
  uint64_t min_gap_ns = 10'000'000;   // between two intents, in feed time
};

// Bid size minus ask size over their sum, from -1 to 1 in units of 1/65536. REQUIRES: two-sided.
int32_t ImbalanceQ16(const Top& top);
// The mid, moved towards the side with less size, as far as the imbalance says: where the next
// trade is likely, in 1/256 of 1e-4 $. REQUIRES: two-sided.
int64_t MicropriceQ8(const Top& top);

struct SignalState {
  uint64_t tops = 0;
  std::array<uint64_t, kTopStates> by_state = {};  // of `tops`, by TopState
  uint64_t too_wide = 0;                           // two-sided, with too wide a spread
  uint64_t intents = 0;
  uint64_t last_intent_ns = 0;
  int64_t microprice_q8 = 0;  // of the last usable top
  int32_t imbalance_q16 = 0;
  int32_t acted = 0;  // the side that it acted on and that is not armed again: 1 buy, -1 sell
};

// Buys at the ask when far more shares bid than are offered, and sells at the bid the other way
// round: once for each rise of the imbalance, so that a standing imbalance is one intent.
class SignalLogic {
 public:
  explicit SignalLogic(const SignalOptions& options = {}) : options_(options) {}

  std::optional<Intent> On(const Top& top);

  const SignalState& state() const { return state_; }

 private:
  SignalOptions options_;
  SignalState state_;
};
static_assert(kIsPlainBytes<SignalLogic> && sizeof(SignalLogic) <= 256);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_SIGNAL_LOGIC_H_
