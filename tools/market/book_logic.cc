#include "market/book_logic.h"

#include <algorithm>

#include "bitactor/l1_core/check.h"

namespace bitactor::market {
namespace {

uint32_t Saturated(uint64_t size) {
  return static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX));
}

}  // namespace

std::optional<Top> BookLogic::On(const FeedEvent& event) {
  const BookChange change = book_.Apply(event);
  if (event.kind == EventKind::kTradingState) trading_ = event.shares != 0;
  if (tops_from_ == TopsFrom::kRows) {
    last_event_ = event;
    executed_shares_ = change.executed_shares;
    return std::nullopt;
  }
  if (!change.best_changed && change.executed_shares == 0) return std::nullopt;
  const BestPrices best = book_.Best();
  return Tell({.sequence = event.sequence,
               .time_ns = event.time_ns,
               .bid_price = best.bid_price,
               .ask_price = best.ask_price,
               .bid_size = Saturated(best.bid_size),
               .ask_size = Saturated(best.ask_size),
               .locate = event.locate,
               .executed_shares = change.executed_shares});
}

std::optional<Top> BookLogic::On(const BookRow& row) {
  BITACTOR_CHECK(tops_from_ == TopsFrom::kRows);
  BITACTOR_CHECK_EQ(row.sequence, last_event_.sequence);
  row_check_.On(last_event_, row);
  return Tell({.sequence = row.sequence,
               .time_ns = last_event_.time_ns,
               .bid_price = row.bid_size != 0 ? row.bid_price : 0,
               .ask_price = row.ask_size != 0 ? row.ask_price : 0,
               .bid_size = row.bid_size,
               .ask_size = row.ask_size,
               .locate = last_event_.locate,
               .executed_shares = executed_shares_});
}

std::optional<Top> BookLogic::Tell(const Top& top) {
  const bool changed = top.bid_price != last_top_.bid_price ||
                       top.ask_price != last_top_.ask_price || top.bid_size != last_top_.bid_size ||
                       top.ask_size != last_top_.ask_size;
  if (!trading_ || (!changed && top.executed_shares == 0)) return std::nullopt;
  last_top_ = top;
  return top;
}

}  // namespace bitactor::market
