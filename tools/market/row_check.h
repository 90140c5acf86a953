// Compares a book file with the messages it belongs to, row by row.
#ifndef BITACTOR_TOOLS_MARKET_ROW_CHECK_H_
#define BITACTOR_TOOLS_MARKET_ROW_CHECK_H_

#include <cstdint>

#include "market/digest.h"
#include "market/feed_event.h"

namespace bitactor::market {

struct RowCounts {
  uint64_t compared = 0;
  uint64_t equal = 0;
  uint64_t first_unequal_sequence = 0;  // 0: none
};

// A file of the first level alone does not say what is behind it, so a replay of its messages
// cannot give its rows. But one message applied to row i-1 must give row i: the changed side and
// level, and the other side as it was. When the best level goes, any worse price may follow it.
class RowCheck {
 public:
  // The book file's row for the message `event`; each message once, in order.
  void On(const FeedEvent& event, const BookRow& row);

  const RowCounts& counts() const { return counts_; }

  template <typename D>
  void Digest(D& digest) const {
    AddObject(digest, *this);
  }

 private:
  BookRow last_{};
  RowCounts counts_;
  uint64_t has_last_ = 0;
};
static_assert(sizeof(RowCheck) == 64);

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ROW_CHECK_H_
