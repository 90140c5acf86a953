#include "market/row_check.h"

namespace bitactor::market {
namespace {

// One side of a row, mirrored so that a higher price is the better one on either side.
struct Half {
  int64_t price;
  uint32_t size;

  bool IsSameAs(const Half& other) const {
    return size == other.size && (size == 0 || price == other.price);
  }
};

Half HalfOf(const BookRow& row, Side side) {
  return side == Side::kBuy ? Half{row.bid_price, row.bid_size}
                            : Half{-row.ask_price, row.ask_size};
}

bool IsExpected(const FeedEvent& event, const Half& before, const Half& after) {
  const int64_t price = event.side == Side::kBuy ? event.price : -event.price;
  switch (event.kind) {
    case EventKind::kAdd:
      if (before.size == 0 || price > before.price) {
        return after.IsSameAs({price, event.shares});
      }
      if (price < before.price) return after.IsSameAs(before);
      return after.IsSameAs({price, before.size + event.shares});
    case EventKind::kCancel:
    case EventKind::kDelete:
    case EventKind::kExecute:
      if (before.size == 0 || price != before.price || event.shares > before.size) return false;
      if (event.shares == before.size) return after.size == 0 || after.price < before.price;
      return after.IsSameAs({price, before.size - event.shares});
    default:
      return after.IsSameAs(before);
  }
}

}  // namespace

void RowCheck::On(const FeedEvent& event, const BookRow& row) {
  if (has_last_ != 0) {
    // Events without a side change neither: any choice of sides will do.
    const Side changed = event.side == Side::kSell ? Side::kSell : Side::kBuy;
    const Side other = Opposite(changed);
    const bool equal = IsExpected(event, HalfOf(last_, changed), HalfOf(row, changed)) &&
                       HalfOf(row, other).IsSameAs(HalfOf(last_, other));
    ++counts_.compared;
    if (equal) {
      ++counts_.equal;
    } else if (counts_.first_unequal_sequence == 0) {
      counts_.first_unequal_sequence = event.sequence;
    }
  }
  last_ = row;
  has_last_ = 1;
}

}  // namespace bitactor::market
