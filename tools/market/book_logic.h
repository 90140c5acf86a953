// The stage that keeps a symbol's book and tells the next one when its top has changed.
#ifndef BITACTOR_TOOLS_MARKET_BOOK_LOGIC_H_
#define BITACTOR_TOOLS_MARKET_BOOK_LOGIC_H_

#include <cstdint>
#include <optional>

#include "market/digest.h"
#include "market/feed_event.h"
#include "market/order_book.h"
#include "market/row_check.h"
#include "market/stage_messages.h"

namespace bitactor::market {

// Order: events in feed order; with a book file, each event is followed by its row.
// Threads: one.
class BookLogic {
 public:
  // Whether the top comes from the orders, or from a book file's rows (then a row checks the event
  // before it).
  enum class TopsFrom : uint8_t { kOrders, kRows };

  explicit BookLogic(TopsFrom tops_from = TopsFrom::kOrders) : tops_from_(tops_from) {}

  // The top, when the event changed it or executed shares of displayed orders; none while trading
  // is halted.
  std::optional<Top> On(const FeedEvent& event);
  // REQUIRES: TopsFrom::kRows, and an event before it.
  std::optional<Top> On(const BookRow& row);

  const OrderBook& book() const { return book_; }
  const RowCounts& row_counts() const { return row_check_.counts(); }
  bool is_trading() const { return trading_; }

  template <typename D>
  void Digest(D& digest) const {
    book_.Digest(digest);
    row_check_.Digest(digest);
    AddObject(digest, last_top_);
    digest.Add(trading_ ? 1 : 0);
  }

 private:
  // `top`, unless it says nothing new.
  std::optional<Top> Tell(const Top& top);

  TopsFrom tops_from_;
  OrderBook book_;
  RowCheck row_check_;
  FeedEvent last_event_{};  // with kRows: the one that the next row belongs to
  uint32_t executed_shares_ = 0;
  Top last_top_{};
  bool trading_ = true;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_BOOK_LOGIC_H_
