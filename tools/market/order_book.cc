#include "market/order_book.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"

namespace bitactor::market {
namespace {

void AddLines(const BookSide& side, const char* name, std::vector<std::string>* lines) {
  for (size_t i = 0; i < side.size(); ++i) {
    const Level& level = side.FromBest(i);
    lines->push_back(absl::StrCat(name, " ", level.price, " ", level.shares, " ", level.orders));
  }
}

void Count(ExecutionCounts& counts, uint32_t shares, int64_t price) {
  ++counts.count;
  counts.shares += shares;
  counts.notional += static_cast<uint64_t>(shares) * static_cast<uint64_t>(price);
}

}  // namespace

BookCounts& BookCounts::operator+=(const BookCounts& other) {
  for (size_t kind = 0; kind < kEventKinds; ++kind) by_kind[kind] += other.by_kind[kind];
  unknown_references += other.unknown_references;
  anomalies += other.anomalies;
  visible += other.visible;
  hidden += other.hidden;
  crosses += other.crosses;
  return *this;
}

BookChange OrderBook::Apply(const FeedEvent& event) {
  const BestPrices before = Best();
  BookChange change;
  BITACTOR_CHECK_LT(static_cast<size_t>(event.kind), kEventKinds);
  ++counts_.by_kind[static_cast<size_t>(event.kind)];
  switch (event.kind) {
    case EventKind::kAdd:
      Add(event, event.order_ref, event.side);
      break;
    case EventKind::kExecute:
    case EventKind::kExecuteAtPrice:
      Execute(event, &change);
      break;
    case EventKind::kExecuteUnprinted:
    case EventKind::kCancel:
      Reduce(event, event.shares);
      break;
    case EventKind::kDelete:
      if (orders_.contains(event.order_ref)) {
        Reduce(event, orders_.at(event.order_ref).shares);
      } else {
        counts_.unknown_references.Add(event.sequence);
      }
      break;
    case EventKind::kReplace:
      Replace(event);
      break;
    case EventKind::kTrade:
      Count(counts_.hidden, event.shares, event.price);
      break;
    case EventKind::kCross:
      Count(counts_.crosses, event.shares, event.price);
      break;
    case EventKind::kNone:
    case EventKind::kTradingState:
      break;
  }
  change.best_changed = Best() != before;
  return change;
}

void OrderBook::Add(const FeedEvent& event, uint64_t order_ref, Side side) {
  const Order order{.price = event.price, .shares = event.shares, .side = side};
  if (side == Side::kNone || event.shares == 0 || !orders_.try_emplace(order_ref, order).second) {
    counts_.anomalies.Add(event.sequence);
    return;
  }
  SideOf(side).AddOrder(order.price, order.shares);
}

uint32_t OrderBook::Reduce(const FeedEvent& event, uint32_t shares) {
  const auto found = orders_.find(event.order_ref);
  if (found == orders_.end()) {
    counts_.unknown_references.Add(event.sequence);
    return 0;
  }
  Order& order = found->second;
  if (shares > order.shares) counts_.anomalies.Add(event.sequence);
  const uint32_t taken = std::min(shares, order.shares);
  order.shares -= taken;
  SideOf(order.side).TakeFromOrder(order.price, taken, order.shares == 0);
  if (order.shares == 0) orders_.erase(found);
  return taken;
}

void OrderBook::Execute(const FeedEvent& event, BookChange* change) {
  const auto found = orders_.find(event.order_ref);
  // A feed that gives no price means the order's own. An execution against an order that was never
  // seen took place all the same: it is counted as the feed states it.
  const bool known = found != orders_.end();
  const int64_t price = event.price != 0 ? event.price : known ? found->second.price : 0;
  const uint32_t taken = Reduce(event, event.shares);
  const uint32_t shares = known ? taken : event.shares;
  Count(counts_.visible, shares, price);
  change->executed_shares = shares;
}

void OrderBook::Replace(const FeedEvent& event) {
  const auto found = orders_.find(event.order_ref);
  if (found == orders_.end()) {
    counts_.unknown_references.Add(event.sequence);  // and its side, which the new one takes over
    return;
  }
  const Side side = found->second.side;
  Reduce(event, found->second.shares);
  Add(event, event.new_ref, side);
}

BestPrices OrderBook::Best() const {
  BestPrices best;
  if (!bids_.empty()) {
    best.bid_price = bids_.FromBest(0).price;
    best.bid_size = bids_.FromBest(0).shares;
  }
  if (!asks_.empty()) {
    best.ask_price = asks_.FromBest(0).price;
    best.ask_size = asks_.FromBest(0).shares;
  }
  return best;
}

std::vector<std::string> OrderBook::DumpLines() const {
  std::vector<std::string> lines;
  lines.reserve(bids_.size() + asks_.size());
  AddLines(bids_, "B", &lines);
  AddLines(asks_, "S", &lines);
  return lines;
}

}  // namespace bitactor::market
