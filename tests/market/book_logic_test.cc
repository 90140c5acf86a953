#include "market/book_logic.h"

#include <optional>

#include "gtest/gtest.h"
#include "market/row_check.h"

namespace bitactor::market {
namespace {

FeedEvent Event(uint64_t sequence, EventKind kind, uint64_t ref, Side side, uint32_t shares,
                int64_t price) {
  return {.sequence = sequence,
          .time_ns = 1'000 * sequence,
          .order_ref = ref,
          .new_ref = 0,
          .price = price,
          .shares = shares,
          .locate = 3,
          .kind = kind,
          .side = side};
}
BookRow Row(uint64_t sequence, int64_t bid_price, uint32_t bid_size, int64_t ask_price,
            uint32_t ask_size) {
  return {.sequence = sequence,
          .ask_price = ask_price,
          .bid_price = bid_price,
          .ask_size = ask_size,
          .bid_size = bid_size};
}

TEST(BookLogicTest, TellsAChangedTopWithItsPlaceInTheFeed) {
  BookLogic logic;
  const std::optional<Top> top = logic.On(Event(5, EventKind::kAdd, 1, Side::kBuy, 10, 98));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->sequence, 5u);
  EXPECT_EQ(top->time_ns, 5'000u);
  EXPECT_EQ(top->locate, 3u);
  EXPECT_EQ(top->bid_price, 98);
  EXPECT_EQ(top->bid_size, 10u);
  EXPECT_EQ(top->ask_size, 0u);
}

TEST(BookLogicTest, IsSilentWhenTheTopStays) {
  BookLogic logic;
  logic.On(Event(1, EventKind::kAdd, 1, Side::kBuy, 10, 98));
  EXPECT_FALSE(logic.On(Event(2, EventKind::kAdd, 2, Side::kBuy, 10, 97)).has_value());
  EXPECT_FALSE(logic.On(Event(3, EventKind::kTrade, 0, Side::kBuy, 10, 98)).has_value());
}

TEST(BookLogicTest, TellsAnExecutionBehindTheTop) {
  BookLogic logic;
  logic.On(Event(1, EventKind::kAdd, 1, Side::kBuy, 10, 98));
  logic.On(Event(2, EventKind::kAdd, 2, Side::kBuy, 10, 97));
  const std::optional<Top> top = logic.On(Event(3, EventKind::kExecute, 2, Side::kNone, 4, 0));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->executed_shares, 4u);
  EXPECT_EQ(top->bid_price, 98);
}

TEST(BookLogicTest, IsSilentWhileHaltedButKeepsTheBook) {
  BookLogic logic;
  logic.On(Event(1, EventKind::kTradingState, 0, Side::kNone, 0, 0));
  EXPECT_FALSE(logic.On(Event(2, EventKind::kAdd, 1, Side::kBuy, 10, 98)).has_value());
  logic.On(Event(3, EventKind::kTradingState, 0, Side::kNone, 1, 0));
  const std::optional<Top> top = logic.On(Event(4, EventKind::kAdd, 2, Side::kBuy, 5, 98));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->bid_size, 15u);
}

TEST(BookLogicTest, LimitsASizeToWhatATopCanSay) {
  BookLogic logic;
  logic.On(Event(1, EventKind::kAdd, 1, Side::kBuy, UINT32_MAX, 98));
  const std::optional<Top> top = logic.On(Event(2, EventKind::kAdd, 2, Side::kSell, 1, 99));
  logic.On(Event(3, EventKind::kAdd, 3, Side::kBuy, UINT32_MAX, 98));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->bid_size, UINT32_MAX);
}

TEST(BookLogicTest, TakesTheTopFromRowsWhenThereAreRows) {
  BookLogic logic(BookLogic::TopsFrom::kRows);
  EXPECT_FALSE(logic.On(Event(1, EventKind::kExecute, 1, Side::kBuy, 4, 98)).has_value());
  const std::optional<Top> top = logic.On(Row(1, 98, 6, 99, 5));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->sequence, 1u);
  EXPECT_EQ(top->time_ns, 1'000u);
  EXPECT_EQ(top->executed_shares, 4u);
  EXPECT_EQ(top->bid_size, 6u);
  EXPECT_EQ(top->ask_price, 99);
}

TEST(BookLogicTest, ReadsAnEmptySideOfARow) {
  BookLogic logic(BookLogic::TopsFrom::kRows);
  logic.On(Event(1, EventKind::kAdd, 1, Side::kBuy, 4, 98));
  const std::optional<Top> top = logic.On(Row(1, 98, 4, 9'999'999'999, 0));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->ask_size, 0u);
  EXPECT_EQ(top->ask_price, 0);
}

// One message between two rows: 10 bid at 98, 20 offered at 99 before it.
bool IsEqual(EventKind kind, Side side, uint32_t shares, int64_t price, const BookRow& after) {
  RowCheck check;
  check.On(Event(1, EventKind::kTrade, 0, Side::kBuy, 1, 1), Row(1, 98, 10, 99, 20));
  EXPECT_EQ(check.counts().compared, 0u) << "the first row has no row before it";
  check.On(Event(2, kind, 1, side, shares, price), after);
  EXPECT_EQ(check.counts().compared, 1u);
  EXPECT_EQ(check.counts().first_unequal_sequence, check.counts().equal == 1 ? 0u : 2u);
  return check.counts().equal == 1;
}

TEST(RowCheckTest, ExpectsAnAddAtTheBestToGrowIt) {
  EXPECT_TRUE(IsEqual(EventKind::kAdd, Side::kBuy, 5, 98, Row(2, 98, 15, 99, 20)));
  EXPECT_FALSE(IsEqual(EventKind::kAdd, Side::kBuy, 5, 98, Row(2, 98, 14, 99, 20)));
  EXPECT_TRUE(IsEqual(EventKind::kAdd, Side::kSell, 5, 99, Row(2, 98, 10, 99, 25)));
}

TEST(RowCheckTest, ExpectsABetterAddToBeTheNewBest) {
  EXPECT_TRUE(IsEqual(EventKind::kAdd, Side::kSell, 5, 97, Row(2, 98, 10, 97, 5)));
  EXPECT_FALSE(IsEqual(EventKind::kAdd, Side::kSell, 5, 97, Row(2, 98, 10, 97, 25)));
  EXPECT_FALSE(IsEqual(EventKind::kAdd, Side::kBuy, 5, 99, Row(2, 98, 10, 99, 20)));
}

TEST(RowCheckTest, ExpectsAReductionAtTheBest) {
  for (const EventKind kind : {EventKind::kCancel, EventKind::kDelete, EventKind::kExecute}) {
    EXPECT_TRUE(IsEqual(kind, Side::kBuy, 4, 98, Row(2, 98, 6, 99, 20)));
    EXPECT_FALSE(IsEqual(kind, Side::kBuy, 4, 98, Row(2, 98, 7, 99, 20)));
    EXPECT_FALSE(IsEqual(kind, Side::kBuy, 4, 97, Row(2, 98, 6, 99, 20)));
    EXPECT_FALSE(IsEqual(kind, Side::kBuy, 11, 98, Row(2, 97, 6, 99, 20)));
  }
}

TEST(RowCheckTest, ExpectsAWorsePriceWhenTheBestIsGone) {
  EXPECT_TRUE(IsEqual(EventKind::kDelete, Side::kSell, 20, 99, Row(2, 98, 10, 101, 7)));
  EXPECT_TRUE(IsEqual(EventKind::kDelete, Side::kSell, 20, 99, Row(2, 98, 10, 9'999'999'999, 0)));
  EXPECT_FALSE(IsEqual(EventKind::kDelete, Side::kSell, 20, 99, Row(2, 98, 10, 99, 7)));
  EXPECT_FALSE(IsEqual(EventKind::kDelete, Side::kBuy, 10, 98, Row(2, 99, 10, 99, 20)));
}

TEST(RowCheckTest, ExpectsTheOtherSideToStay) {
  EXPECT_FALSE(IsEqual(EventKind::kAdd, Side::kBuy, 5, 98, Row(2, 98, 15, 99, 21)));
  EXPECT_FALSE(IsEqual(EventKind::kAdd, Side::kBuy, 5, 98, Row(2, 98, 15, 100, 20)));
}

TEST(RowCheckTest, ExpectsNothingOfHiddenTradesCrossesAndHalts) {
  for (const EventKind kind : {EventKind::kTrade, EventKind::kCross, EventKind::kTradingState}) {
    EXPECT_TRUE(IsEqual(kind, Side::kBuy, 4, 98, Row(2, 98, 10, 99, 20)));
    EXPECT_FALSE(IsEqual(kind, Side::kBuy, 4, 98, Row(2, 98, 6, 99, 20)));
    EXPECT_FALSE(IsEqual(kind, Side::kNone, 0, 0, Row(2, 98, 10, 99, 19)));
  }
}

}  // namespace
}  // namespace bitactor::market
