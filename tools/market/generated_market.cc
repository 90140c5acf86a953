#include "market/generated_market.h"

#include <algorithm>

#include "bitactor/l1_core/check.h"

namespace bitactor::market {

GeneratedMarket::GeneratedMarket(int64_t opening_price)
    : base_price_(opening_price - kTicks / 2 * kTickPrice) {
  BITACTOR_CHECK_LT(0, base_price_);
  for (size_t slot = 0; slot < kCapacity; ++slot) slots_[slot] = static_cast<int16_t>(slot);
}

int GeneratedMarket::DrawTick(Side side, RandomBits& random) const {
  const bool buys = side == Side::kBuy;
  // As distances from the other side's best price, which both sides see alike.
  const int opposite = buys ? best_ask_ : best_bid_;
  const bool has_opposite = orders_of(Opposite(side)) > 0;
  const bool has_own = orders_of(side) > 0;
  const int spread = has_opposite && has_own ? best_ask_ - best_bid_ : 2;
  const uint32_t choice = random.Below(16);
  int distance = spread;  // joins the best price
  if (choice < 2 && spread > 1) {
    distance = spread - 1 - static_cast<int>(random.Below(static_cast<uint32_t>(spread) - 1) / 2);
  } else if (choice < 2 || choice >= 4) {
    // Two statements: the order of draws within one is up to the compiler.
    const uint32_t near = random.Below(10);
    distance = spread + 1 + static_cast<int>(near + 8 * random.Halving(8));
  }
  const int from = has_opposite ? opposite
                   : has_own    ? (buys ? best_bid_ + 2 : best_ask_ - 2)
                                : kTicks / 2;
  return buys ? std::clamp(from - distance, 0, std::min(kHighestBid, best_ask_ - 1))
              : std::clamp(from + distance, std::max(kLowestAsk, best_bid_ + 1), kTicks - 1);
}

int GeneratedMarket::DrawOrder(RandomBits& random) const {
  return slots_[random.Below(static_cast<uint32_t>(live_count_))];
}

int GeneratedMarket::First(Side side) const {
  return queues_[static_cast<size_t>(side == Side::kBuy ? best_bid_ : best_ask_)].first;
}

Side GeneratedMarket::DrawTakenSide(RandomBits& random) {
  if (random.OneIn(64)) drift_ = 64 + random.Below(128);
  const uint32_t up = best_bid_ < kTicks / 4 ? 200 : best_ask_ > kTicks * 3 / 4 ? 56 : drift_;
  return random.Below(256) < up ? Side::kSell : Side::kBuy;
}

void GeneratedMarket::Add(uint64_t ref, Side side, int tick, uint32_t shares) {
  BITACTOR_CHECK_LT(live_count_, kCapacity);
  BITACTOR_CHECK(side == Side::kBuy ? tick < best_ask_ : tick > best_bid_);  // M1
  const int16_t slot = slots_[static_cast<size_t>(live_count_)];
  Queue& queue = queues_[static_cast<size_t>(tick)];
  orders_[static_cast<size_t>(slot)] = {.ref = ref,
                                        .shares = shares,
                                        .tick = static_cast<int16_t>(tick),
                                        .side = side,
                                        .previous = queue.last,
                                        .next = -1,
                                        .place = static_cast<int16_t>(live_count_)};
  if (queue.last >= 0) {
    orders_[static_cast<size_t>(queue.last)].next = slot;
  } else {
    queue.first = slot;
  }
  queue.last = slot;
  ++live_count_;
  ++(side == Side::kBuy ? bid_orders_ : ask_orders_);
  if (side == Side::kBuy) {
    best_bid_ = std::max(best_bid_, tick);
  } else {
    best_ask_ = std::min(best_ask_, tick);
  }
}

void GeneratedMarket::Take(int slot, uint32_t shares) {
  Order& order = orders_[static_cast<size_t>(slot)];
  BITACTOR_CHECK_LE(shares, order.shares);
  order.shares -= shares;
  if (order.shares == 0) Unlink(slot);
}

void GeneratedMarket::Unlink(int slot) {
  const Order order = orders_[static_cast<size_t>(slot)];
  Queue& queue = queues_[static_cast<size_t>(order.tick)];
  (order.previous >= 0 ? orders_[static_cast<size_t>(order.previous)].next : queue.first) =
      order.next;
  (order.next >= 0 ? orders_[static_cast<size_t>(order.next)].previous : queue.last) =
      order.previous;
  // The last living one takes its place.
  --live_count_;
  const int16_t last = slots_[static_cast<size_t>(live_count_)];
  slots_[static_cast<size_t>(order.place)] = last;
  orders_[static_cast<size_t>(last)].place = order.place;
  slots_[static_cast<size_t>(live_count_)] = static_cast<int16_t>(slot);
  if (order.side == Side::kBuy) {
    if (--bid_orders_ == 0) {
      best_bid_ = -1;
    } else {
      while (queues_[static_cast<size_t>(best_bid_)].first < 0) --best_bid_;
    }
  } else {
    if (--ask_orders_ == 0) {
      best_ask_ = kTicks;
    } else {
      while (queues_[static_cast<size_t>(best_ask_)].first < 0) ++best_ask_;
    }
  }
}

}  // namespace bitactor::market
