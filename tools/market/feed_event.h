// One event of an order feed in one form for all formats, and the row of a book file.
#ifndef BITACTOR_TOOLS_MARKET_FEED_EVENT_H_
#define BITACTOR_TOOLS_MARKET_FEED_EVENT_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bitactor::market {

// Prices are integers in 1e-4 $. Sizes are shares. Times are ns since midnight of the feed's day.

enum class Side : uint8_t { kNone = 0, kBuy = 1, kSell = 2 };

constexpr Side Opposite(Side side) {
  return side == Side::kBuy ? Side::kSell : side == Side::kSell ? Side::kBuy : Side::kNone;
}

// What happened, and which fields of the event say more. Journals hold these values: append only.
enum class EventKind : uint8_t {
  kNone = 0,
  kAdd = 1,               // order_ref, side, shares, price
  kExecute = 2,           // order_ref, shares; price if the feed gives it, else 0
  kExecuteAtPrice = 3,    // order_ref, shares, price: at another price than the order's
  kExecuteUnprinted = 4,  // as before, but the trade is reported elsewhere (in a cross)
  kCancel = 5,            // order_ref, shares: this many are taken away
  kDelete = 6,            // order_ref
  kReplace = 7,           // order_ref, new_ref, shares, price; the side stays
  kTrade = 8,             // shares, price: against an order that was never shown
  kCross = 9,             // shares, price: an auction
  kTradingState = 10,     // shares: 1 trading, 0 halted or paused
};
inline constexpr size_t kEventKinds = 11;

struct FeedEvent {
  uint64_t sequence;  // place of the message in the feed, from 1
  uint64_t time_ns;
  uint64_t order_ref;
  uint64_t new_ref;
  int64_t price;
  uint32_t shares;
  uint16_t locate;  // number of the symbol in this feed
  EventKind kind;
  Side side;
};
static_assert(sizeof(FeedEvent) == 48);
static_assert(std::is_trivially_copyable_v<FeedEvent>);
static_assert(std::has_unique_object_representations_v<FeedEvent>);

// The best prices after the message `sequence`, as a book file states them. An empty side has size
// 0; its price says nothing.
struct BookRow {
  uint64_t sequence;
  int64_t ask_price;
  int64_t bid_price;
  uint32_t ask_size;
  uint32_t bid_size;
};
static_assert(sizeof(BookRow) == 32);
static_assert(std::is_trivially_copyable_v<BookRow>);
static_assert(std::has_unique_object_representations_v<BookRow>);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_FEED_EVENT_H_
