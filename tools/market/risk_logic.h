// The stage that says no: limits and the kill switch of one symbol.
#ifndef BITACTOR_TOOLS_MARKET_RISK_LOGIC_H_
#define BITACTOR_TOOLS_MARKET_RISK_LOGIC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "market/stage_messages.h"

namespace bitactor::market {

struct RiskOptions {
  int64_t max_position_shares = 1'000;
  int64_t max_notional = 5'000'000'000;  // 1e-4 $ held in the symbol, at the price of the order
  uint64_t rate_window_ns = 1'000'000'000;
  uint32_t max_orders_per_window = 10;
  uint32_t breaches_to_stop = 50;  // of the three limits above, in one window: trading stops
};

// Why an intent was refused. The first cause in this order counts.
enum class Rejection : uint8_t {
  kStopped,      // the kill switch is on: resume, when the reason for it is gone
  kUnusableTop,  // no price on the other side, or a locked or crossed book
  kPosition,     // the position would grow over the limit
  kNotional,     // its value would
  kRate,         // too many orders in this window of feed time
};
inline constexpr size_t kRejections = 5;

struct RiskState {
  int64_t position = 0;  // after all approved orders
  uint64_t approved = 0;
  std::array<uint64_t, kRejections> rejected = {};  // by Rejection
  uint64_t window_start_ns = 0;
  uint32_t orders_in_window = 0;
  uint32_t breaches_in_window = 0;
  uint32_t stopped = 0;  // 1: the kill switch is on
  uint32_t stops = 0;    // how often it was put on
};

// Order: intents in feed order.
// Design: an approved order is immediate-or-cancel against the top that it carries, so what it will
//   fill is known here (FillableQuantity): the position counted is exact without waiting for fills.
//   Orders that make a position smaller pass the position and notional limits. Windows are of feed
//   time and do not overlap.
class RiskLogic {
 public:
  explicit RiskLogic(const RiskOptions& options = {}) : options_(options) {}

  std::optional<Order> On(const Intent& intent);
  void On(const KillSwitch& message);

  const RiskState& state() const { return state_; }

 private:
  std::optional<Rejection> Refuse(const Intent& intent, int64_t new_position) const;
  void RollWindow(uint64_t time_ns);
  void Stop();

  RiskOptions options_;
  RiskState state_;
};
static_assert(kIsPlainBytes<RiskLogic> && sizeof(RiskLogic) <= 256);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_RISK_LOGIC_H_
