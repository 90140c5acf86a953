// What the stages behind the book send each other.
#ifndef BITACTOR_TOOLS_MARKET_STAGE_MESSAGES_H_
#define BITACTOR_TOOLS_MARKET_STAGE_MESSAGES_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "market/feed_event.h"

namespace bitactor::market {

// Every message carries the top of the book that it goes back to, with its place in the feed. So a
// stage never asks another for its present state, and what it decides depends on the feed alone,
// not on shards or pace. All are integers without padding: equal messages are equal bytes.
// A quantity is in shares, > 0 to buy and < 0 to sell.

// Of a symbol's book after the message `sequence`. A size of 0: the side is empty.
struct Top {
  uint64_t sequence;
  uint64_t time_ns;
  int64_t bid_price;
  int64_t ask_price;
  uint32_t bid_size;
  uint32_t ask_size;
  uint32_t locate;
  uint32_t executed_shares;  // against displayed orders, by this message
};

// What the signal wants.
struct Intent {
  Top top;
  int64_t limit_price;
  int32_t quantity;
  int32_t imbalance_q16;  // see SignalLogic
  int64_t microprice_q8;  // 1/256 of 1e-4 $
};

// What risk lets through, immediate-or-cancel.
struct Order {
  Top top;
  uint64_t number;  // of the approvals of this symbol, from 1
  int64_t limit_price;
  int32_t quantity;
  uint32_t zero;  // no padding
};

struct Fill {
  Top top;
  uint64_t order_number;
  int64_t price;
  int32_t quantity;
  int32_t cancelled_quantity;  // of the order, what found no counterpart
};

// Stops or resumes trading in a symbol.
struct KillSwitch {
  uint32_t locate;
  uint32_t stop;  // 1 stops, 0 resumes
};

// What two orders against this top can do to each other.
enum class TopState : uint8_t { kTwoSided, kOneSided, kEmpty, kLocked, kCrossed };
inline constexpr int kTopStates = 5;

constexpr TopState StateOf(const Top& top) {
  if (top.bid_size == 0 && top.ask_size == 0) return TopState::kEmpty;
  if (top.bid_size == 0 || top.ask_size == 0) return TopState::kOneSided;
  if (top.bid_price == top.ask_price) return TopState::kLocked;
  return top.bid_price < top.ask_price ? TopState::kTwoSided : TopState::kCrossed;
}

// How much of an immediate-or-cancel order is filled against the top it carries: the displayed size
// of the other side, if the limit reaches its price. Risk and execution both use this, so what risk
// counts is what will be filled.
constexpr int32_t FillableQuantity(const Top& top, int64_t limit_price, int32_t quantity) {
  const bool buys = quantity > 0;
  if (buys ? limit_price < top.ask_price : limit_price > top.bid_price) return 0;
  const int64_t displayed = buys ? top.ask_size : top.bid_size;
  const int64_t filled = std::min<int64_t>(displayed, buys ? quantity : -int64_t{quantity});
  return static_cast<int32_t>(buys ? filled : -filled);
}

template <typename T>
inline constexpr bool kIsPlainBytes =
    std::is_trivially_copyable_v<T>&& std::has_unique_object_representations_v<T>;
static_assert(kIsPlainBytes<Top> && sizeof(Top) == 48);
static_assert(kIsPlainBytes<Intent> && sizeof(Intent) == 72);
static_assert(kIsPlainBytes<Order> && sizeof(Order) == 72);
static_assert(kIsPlainBytes<Fill> && sizeof(Fill) == 72);
static_assert(kIsPlainBytes<KillSwitch> && sizeof(KillSwitch) == 8);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_STAGE_MESSAGES_H_
