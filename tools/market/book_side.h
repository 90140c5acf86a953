// The price levels of one side of a book.
#ifndef BITACTOR_TOOLS_MARKET_BOOK_SIDE_H_
#define BITACTOR_TOOLS_MARKET_BOOK_SIDE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "market/feed_event.h"

namespace bitactor::market {

// All orders of one side at one price.
struct Level {
  int64_t price;
  uint64_t shares;
  uint64_t orders;
};

// Levels in one sorted array with the best one last: most changes are near the best price and move
// few others, and a walk over the levels is a walk over memory.
// Threads: one.
// Cost: at the best level O(1), elsewhere a binary search, and moving the better levels when one
//   appears or goes.
class BookSide {
 public:
  explicit BookSide(Side side) : sign_(side == Side::kBuy ? 1 : -1) {}

  bool empty() const { return levels_.empty(); }
  size_t size() const { return levels_.size(); }
  // The level number `i` from the best one. REQUIRES: i < size().
  const Level& FromBest(size_t i) const { return levels_[levels_.size() - 1 - i]; }

  void AddOrder(int64_t price, uint32_t shares) {
    auto level = Find(price);
    if (level == levels_.end() || level->price != price) {
      level = levels_.insert(level, Level{.price = price, .shares = 0, .orders = 0});
    }
    level->shares += shares;
    ++level->orders;
  }

  // Takes shares of an order that is at this price, and with `whole` the order itself.
  void TakeFromOrder(int64_t price, uint32_t shares, bool whole) {
    const auto level = Find(price);
    BITACTOR_CHECK(level != levels_.end() && level->price == price);
    BITACTOR_CHECK_LE(shares, level->shares);
    level->shares -= shares;
    if (!whole) return;
    if (--level->orders == 0) levels_.erase(level);
  }

 private:
  using Levels = std::vector<Level>;

  // The first level that is not worse than `price`.
  Levels::iterator Find(int64_t price) {
    if (!levels_.empty() && levels_.back().price == price) return levels_.end() - 1;
    return std::lower_bound(levels_.begin(), levels_.end(), price,
                            [this](const Level& level, int64_t wanted) {
                              return level.price * sign_ < wanted * sign_;
                            });
  }

  int64_t sign_;  // makes the higher of two prices times this the better one
  Levels levels_;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_BOOK_SIDE_H_
