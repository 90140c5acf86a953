// The book behind a generated feed: it knows which orders live, and in what order they are served.
#ifndef BITACTOR_TOOLS_MARKET_GENERATED_MARKET_H_
#define BITACTOR_TOOLS_MARKET_GENERATED_MARKET_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "market/feed_event.h"
#include "market/random_bits.h"

namespace bitactor::market {

// Prices are ticks of one cent in a window around the opening price; bids and asks share it, for in
// a book that is not crossed they never meet. Each tick has its orders in order of arrival.
// Threads: one.
// Bounds: 512 orders; allocates nothing after construction. Invariants: M1 best_bid < best_ask. M2
//   a bid is never above kHighestBid, an ask never below kLowestAsk, so that there is always room
//   for the other side.
class GeneratedMarket {
 public:
  static constexpr int kTicks = 1024;
  static constexpr int kCapacity = 512;
  static constexpr int kHighestBid = kTicks - 24;
  static constexpr int kLowestAsk = 23;

  struct Order {
    uint64_t ref = 0;
    uint32_t shares = 0;
    int16_t tick = 0;
    Side side = Side::kNone;
    // Neighbours in the queue of its tick, and its place among the living.
    int16_t previous = -1;
    int16_t next = -1;
    int16_t place = 0;
  };

  explicit GeneratedMarket(int64_t opening_price);

  int live() const { return live_count_; }
  int best_bid() const { return best_bid_; }  // -1: none
  int best_ask() const { return best_ask_; }  // kTicks: none
  int orders_of(Side side) const { return side == Side::kBuy ? bid_orders_ : ask_orders_; }
  uint32_t price(int tick) const { return static_cast<uint32_t>(base_price_ + tick * kTickPrice); }
  const Order& order(int slot) const { return orders_[static_cast<size_t>(slot)]; }

  // A tick for a new order that keeps the book uncrossed, likely near the best price.
  int DrawTick(Side side, RandomBits& random) const;
  // The slot of any live order. REQUIRES: live() > 0.
  int DrawOrder(RandomBits& random) const;
  // The order that an incoming one would meet first. REQUIRES: the side has orders.
  int First(Side side) const;
  // Which side incoming orders take from now: up and down by turns, and back from the window's
  // edges.
  Side DrawTakenSide(RandomBits& random);

  // REQUIRES: live() < kCapacity, and a tick of DrawTick().
  void Add(uint64_t ref, Side side, int tick, uint32_t shares);
  // Takes shares; the order goes when none is left. REQUIRES: no more than it has.
  void Take(int slot, uint32_t shares);

 private:
  static constexpr int64_t kTickPrice = 100;  // a cent
  struct Queue {
    int16_t first = -1;
    int16_t last = -1;
  };

  void Unlink(int slot);

  int64_t base_price_;
  int best_bid_ = -1;
  int best_ask_ = kTicks;
  int bid_orders_ = 0;
  int ask_orders_ = 0;
  int live_count_ = 0;
  uint32_t drift_ = 128;  // of 256: how often the asks are taken from
  std::array<Queue, kTicks> queues_;
  std::array<Order, kCapacity> orders_;
  std::array<int16_t, kCapacity> slots_;  // the first live_count_ live, the others free
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_GENERATED_MARKET_H_
