// The book of one symbol, kept from the events of its orders.
#ifndef BITACTOR_TOOLS_MARKET_ORDER_BOOK_H_
#define BITACTOR_TOOLS_MARKET_ORDER_BOOK_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "market/book_side.h"
#include "market/digest.h"
#include "market/feed_event.h"

namespace bitactor::market {

// Of trades. Notional is in 1e-4 $.
struct ExecutionCounts {
  uint64_t count = 0;
  uint64_t shares = 0;
  uint64_t notional = 0;

  ExecutionCounts& operator+=(const ExecutionCounts& other) {
    count += other.count;
    shares += other.shares;
    notional += other.notional;
    return *this;
  }
  friend bool operator==(const ExecutionCounts&, const ExecutionCounts&) = default;
};

// How often something odd was seen, and the message that was the first; 0: none.
struct OddityCount {
  uint64_t count = 0;
  uint64_t first_sequence = 0;

  void Add(uint64_t sequence) {
    if (count++ == 0) first_sequence = sequence;
  }
  OddityCount& operator+=(const OddityCount& other) {
    if (other.count != 0 && (count == 0 || other.first_sequence < first_sequence)) {
      first_sequence = other.first_sequence;
    }
    count += other.count;
    return *this;
  }
};

struct BookCounts {
  std::array<uint64_t, kEventKinds> by_kind = {};
  // References to orders that the feed never added: normal after a late join, and in a feed that
  // shows the first level only. No error.
  OddityCount unknown_references;
  // Events that contradict what was before: a reference added twice, more shares taken than there
  // are (what is there is taken), a change that leaves no side.
  OddityCount anomalies;
  ExecutionCounts visible;  // against displayed orders
  ExecutionCounts hidden;   // against orders never displayed
  ExecutionCounts crosses;  // auctions

  // For totals over symbols.
  BookCounts& operator+=(const BookCounts& other);
};

// The best level of each side. A size of 0: the side is empty, and its price is 0.
struct BestPrices {
  int64_t bid_price = 0;
  int64_t ask_price = 0;
  uint64_t bid_size = 0;
  uint64_t ask_size = 0;

  friend bool operator==(const BestPrices&, const BestPrices&) = default;
};

struct BookChange {
  bool best_changed = false;
  uint32_t executed_shares = 0;  // against displayed orders
};

// Order: events as the feed has them.
// Threads: one.
// Errors: none; what cannot be right is counted.
// Cost: Apply() is a hash look-up and, for a price that is not the best, a binary search; it
//   allocates when the book grows beyond its largest size so far.
class OrderBook {
 public:
  // Events of all kinds; those that concern no order of the book are counted.
  BookChange Apply(const FeedEvent& event);

  BestPrices Best() const;
  size_t live_orders() const { return orders_.size(); }
  const BookSide& bids() const { return bids_; }
  const BookSide& asks() const { return asks_; }
  const BookCounts& counts() const { return counts_; }

  // "B 3201400 25 1": side, price, shares, orders; bids from the best down, then asks ("S") from
  // the best up.
  std::vector<std::string> DumpLines() const;

  // Depends on the state alone, not on the way that led to it: levels from the best, orders by
  // reference, counts.
  template <typename D>
  void Digest(D& digest) const;

 private:
  struct Order {
    int64_t price;
    uint32_t shares;
    Side side;
  };

  BookSide& SideOf(Side side) { return side == Side::kBuy ? bids_ : asks_; }
  void Add(const FeedEvent& event, uint64_t order_ref, Side side);
  // Takes shares from an order, which goes when none is left; returns how many there were to take.
  uint32_t Reduce(const FeedEvent& event, uint32_t shares);
  void Execute(const FeedEvent& event, BookChange* change);
  void Replace(const FeedEvent& event);

  absl::flat_hash_map<uint64_t, Order> orders_;  // by reference
  BookSide bids_{Side::kBuy};
  BookSide asks_{Side::kSell};
  BookCounts counts_;
};

template <typename D>
void OrderBook::Digest(D& digest) const {
  for (const BookSide* side : {&bids_, &asks_}) {
    digest.Add(side->size());
    for (size_t i = 0; i < side->size(); ++i) AddObject(digest, side->FromBest(i));
  }
  std::vector<uint64_t> references;
  references.reserve(orders_.size());
  for (const auto& [reference, order] : orders_) references.push_back(reference);
  std::sort(references.begin(), references.end());
  digest.Add(references.size());
  for (const uint64_t reference : references) {
    const Order& order = orders_.at(reference);
    digest.Add(reference);
    digest.Add(static_cast<uint64_t>(order.price));
    digest.Add(static_cast<uint64_t>(order.shares) << 8 | static_cast<uint64_t>(order.side));
  }
  AddObject(digest, counts_);
}

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ORDER_BOOK_H_
