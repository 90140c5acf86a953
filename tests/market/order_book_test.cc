#include "market/order_book.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "market/digest.h"
#include "support/seed.h"

namespace bitactor::market {
namespace {

using ::testing::ElementsAre;

FeedEvent Event(EventKind kind, uint64_t ref, uint32_t shares = 0, int64_t price = 0) {
  FeedEvent event{};
  event.kind = kind;
  event.order_ref = ref;
  event.shares = shares;
  event.price = price;
  return event;
}
FeedEvent Add(uint64_t ref, Side side, uint32_t shares, int64_t price) {
  FeedEvent event = Event(EventKind::kAdd, ref, shares, price);
  event.side = side;
  return event;
}
FeedEvent Replace(uint64_t ref, uint64_t new_ref, uint32_t shares, int64_t price) {
  FeedEvent event = Event(EventKind::kReplace, ref, shares, price);
  event.new_ref = new_ref;
  return event;
}

uint64_t DigestOf(const OrderBook& book) {
  StateDigest digest;
  book.Digest(digest);
  return digest.value();
}

class OrderBookTest : public ::testing::Test {
 protected:
  // With the next sequence.
  BookChange Apply(FeedEvent event) {
    event.sequence = ++sequence_;
    return book_.Apply(event);
  }
  OrderBook book_;
  uint64_t sequence_ = 0;
};

TEST_F(OrderBookTest, SortsLevelsFromTheBestOutwards) {
  Apply(Add(1, Side::kBuy, 10, 98));
  Apply(Add(2, Side::kBuy, 20, 99));
  Apply(Add(3, Side::kSell, 30, 102));
  Apply(Add(4, Side::kSell, 40, 101));
  Apply(Add(5, Side::kBuy, 5, 98));
  EXPECT_THAT(book_.DumpLines(), ElementsAre("B 99 20 1", "B 98 15 2", "S 101 40 1", "S 102 30 1"));
  EXPECT_EQ(book_.Best(),
            (BestPrices{.bid_price = 99, .ask_price = 101, .bid_size = 20, .ask_size = 40}));
}

TEST_F(OrderBookTest, KeepsWhatACancelLeaves) {
  Apply(Add(1, Side::kBuy, 10, 98));
  Apply(Event(EventKind::kCancel, 1, 4));
  EXPECT_THAT(book_.DumpLines(), ElementsAre("B 98 6 1"));
}

TEST_F(OrderBookTest, DropsAnOrderOfWhichNothingIsLeft) {
  Apply(Add(1, Side::kSell, 10, 98));
  Apply(Add(2, Side::kSell, 3, 98));
  Apply(Event(EventKind::kCancel, 1, 10));
  EXPECT_THAT(book_.DumpLines(), ElementsAre("S 98 3 1"));
  EXPECT_EQ(book_.live_orders(), 1u);
}

TEST_F(OrderBookTest, DeletesAnOrderWhole) {
  Apply(Add(1, Side::kSell, 10, 98));
  Apply(Event(EventKind::kDelete, 1));
  EXPECT_TRUE(book_.DumpLines().empty());
  EXPECT_EQ(book_.Best(), BestPrices{});
}

TEST_F(OrderBookTest, ReplacesOnTheSameSide) {
  Apply(Add(1, Side::kSell, 10, 98));
  Apply(Replace(1, 2, 7, 97));
  EXPECT_THAT(book_.DumpLines(), ElementsAre("S 97 7 1"));
  Apply(Event(EventKind::kDelete, 2));
  EXPECT_EQ(book_.live_orders(), 0u);
}

TEST_F(OrderBookTest, CountsAnExecutionAtTheOrdersPrice) {
  Apply(Add(1, Side::kBuy, 10, 98));
  const BookChange change = Apply(Event(EventKind::kExecute, 1, 4));
  EXPECT_EQ(change.executed_shares, 4u);
  EXPECT_TRUE(change.best_changed);
  EXPECT_EQ(book_.counts().visible, (ExecutionCounts{.count = 1, .shares = 4, .notional = 392}));
}

TEST_F(OrderBookTest, CountsAnExecutionAtAnotherPrice) {
  Apply(Add(1, Side::kBuy, 10, 98));
  Apply(Event(EventKind::kExecuteAtPrice, 1, 4, 100));
  EXPECT_EQ(book_.counts().visible.notional, 400u);
}

TEST_F(OrderBookTest, DoesNotCountAnExecutionThatIsReportedElsewhere) {
  Apply(Add(1, Side::kBuy, 10, 98));
  const BookChange change = Apply(Event(EventKind::kExecuteUnprinted, 1, 4, 98));
  EXPECT_EQ(change.executed_shares, 0u);
  EXPECT_EQ(book_.counts().visible, ExecutionCounts{});
  EXPECT_THAT(book_.DumpLines(), ElementsAre("B 98 6 1"));
}

TEST_F(OrderBookTest, CountsHiddenTradesAndCrossesApart) {
  Apply(Event(EventKind::kTrade, 0, 5, 10));
  Apply(Event(EventKind::kCross, 0, 6, 10));
  EXPECT_EQ(book_.counts().hidden, (ExecutionCounts{.count = 1, .shares = 5, .notional = 50}));
  EXPECT_EQ(book_.counts().crosses, (ExecutionCounts{.count = 1, .shares = 6, .notional = 60}));
}

TEST_F(OrderBookTest, CountsUnknownReferencesAndWhereTheFirstWas) {
  Apply(Add(1, Side::kBuy, 10, 98));
  for (const EventKind kind : {EventKind::kCancel, EventKind::kDelete, EventKind::kExecute,
                               EventKind::kReplace, EventKind::kExecuteUnprinted}) {
    Apply(Event(kind, 77, 1, 50));
  }
  EXPECT_EQ(book_.counts().unknown_references.count, 5u);
  EXPECT_EQ(book_.counts().unknown_references.first_sequence, 2u);
  EXPECT_EQ(book_.counts().anomalies.count, 0u);
  EXPECT_THAT(book_.DumpLines(), ElementsAre("B 98 10 1"));
}

TEST_F(OrderBookTest, CountsAnExecutionOfAnUnknownOrderAsTheFeedStatesIt) {
  Apply(Event(EventKind::kExecute, 77, 3, 50));
  EXPECT_EQ(book_.counts().visible, (ExecutionCounts{.count = 1, .shares = 3, .notional = 150}));
}

TEST_F(OrderBookTest, TakesWhatIsThereWhenAnExecutionIsTooLarge) {
  Apply(Add(1, Side::kBuy, 10, 98));
  const BookChange change = Apply(Event(EventKind::kExecute, 1, 11));
  EXPECT_EQ(change.executed_shares, 10u);
  EXPECT_EQ(book_.counts().anomalies.count, 1u);
  EXPECT_EQ(book_.counts().anomalies.first_sequence, 2u);
  EXPECT_EQ(book_.live_orders(), 0u);
}

TEST_F(OrderBookTest, KeepsTheFirstOfTwoOrdersOfOneReference) {
  Apply(Add(1, Side::kBuy, 10, 98));
  Apply(Add(1, Side::kSell, 20, 99));
  EXPECT_EQ(book_.counts().anomalies.count, 1u);
  EXPECT_THAT(book_.DumpLines(), ElementsAre("B 98 10 1"));
}

TEST_F(OrderBookTest, TellsWhetherTheBestChanged) {
  EXPECT_TRUE(Apply(Add(1, Side::kBuy, 10, 98)).best_changed);
  EXPECT_FALSE(Apply(Add(2, Side::kBuy, 10, 97)).best_changed);
  EXPECT_TRUE(Apply(Add(3, Side::kBuy, 10, 98)).best_changed);
  EXPECT_FALSE(Apply(Event(EventKind::kDelete, 2)).best_changed);
  EXPECT_TRUE(Apply(Event(EventKind::kDelete, 1)).best_changed);
  EXPECT_FALSE(Apply(Event(EventKind::kTrade, 0, 1, 98)).best_changed);
}

TEST_F(OrderBookTest, TakesTheLargestPricesAndSizes) {
  Apply(Add(1, Side::kBuy, UINT32_MAX, 9'999'999'999));
  Apply(Add(2, Side::kBuy, UINT32_MAX, 9'999'999'999));
  EXPECT_THAT(book_.DumpLines(), ElementsAre("B 9999999999 8589934590 2"));
}

// A plain model: every live order in a list, levels counted anew each time.
std::vector<std::string> NaiveDump(const std::vector<FeedEvent>& live) {
  std::vector<std::string> lines;
  for (const Side side : {Side::kBuy, Side::kSell}) {
    std::vector<int64_t> prices;
    for (const FeedEvent& order : live) {
      if (order.side == side) prices.push_back(order.price);
    }
    std::sort(prices.begin(), prices.end());
    prices.erase(std::unique(prices.begin(), prices.end()), prices.end());
    if (side == Side::kBuy) std::reverse(prices.begin(), prices.end());
    for (const int64_t price : prices) {
      uint64_t shares = 0;
      uint64_t orders = 0;
      for (const FeedEvent& order : live) {
        if (order.side != side || order.price != price) continue;
        shares += order.shares;
        ++orders;
      }
      lines.push_back((side == Side::kBuy ? "B " : "S ") + std::to_string(price) + " " +
                      std::to_string(shares) + " " + std::to_string(orders));
    }
  }
  return lines;
}

TEST_F(OrderBookTest, AgreesWithANaiveBookOnRandomEvents) {
  std::mt19937_64 random(test::Seed());
  std::vector<FeedEvent> live;
  uint64_t next_ref = 1;
  for (int i = 0; i < test::Rounds(5'000); ++i) {
    const uint64_t choice = random() % 10;
    if (live.size() < 5 || choice < 4) {
      live.push_back(Add(next_ref++, random() % 2 == 0 ? Side::kBuy : Side::kSell,
                         1 + static_cast<uint32_t>(random() % 50),
                         static_cast<int64_t>(random() % 40)));
      Apply(live.back());
    } else {
      const auto picked = live.begin() + static_cast<std::ptrdiff_t>(random() % live.size());
      if (choice < 7) {
        const uint32_t shares = 1 + static_cast<uint32_t>(random() % picked->shares);
        Apply(Event(choice < 6 ? EventKind::kCancel : EventKind::kExecute, picked->order_ref,
                    shares));
        picked->shares -= shares;
        if (picked->shares == 0) live.erase(picked);
      } else if (choice < 9) {
        Apply(Event(EventKind::kDelete, picked->order_ref));
        live.erase(picked);
      } else {
        const uint64_t old_ref = picked->order_ref;
        picked->order_ref = next_ref++;
        picked->price = static_cast<int64_t>(random() % 40);
        Apply(Replace(old_ref, picked->order_ref, picked->shares, picked->price));
      }
    }
    ASSERT_EQ(book_.DumpLines(), NaiveDump(live)) << "after " << i + 1 << " events";
    ASSERT_EQ(book_.live_orders(), live.size());
  }
  EXPECT_EQ(book_.counts().anomalies.count, 0u);
}

TEST(OrderBookDigestTest, DoesNotDependOnTheOrderOfInsertion) {
  std::vector<FeedEvent> orders;
  for (uint64_t ref = 1; ref <= 500; ++ref) {
    orders.push_back(Add(ref * 7919, ref % 2 == 0 ? Side::kBuy : Side::kSell,
                         static_cast<uint32_t>(ref), static_cast<int64_t>(ref % 30)));
  }
  OrderBook first;
  for (const FeedEvent& order : orders) first.Apply(order);
  std::mt19937_64 random(test::Seed());
  std::shuffle(orders.begin(), orders.end(), random);
  OrderBook second;
  for (const FeedEvent& order : orders) second.Apply(order);
  EXPECT_EQ(DigestOf(first), DigestOf(second));
}

TEST(OrderBookDigestTest, SeesEveryKindOfDifference) {
  const auto digest_of = [](const std::vector<FeedEvent>& events) {
    OrderBook book;
    for (const FeedEvent& event : events) book.Apply(event);
    return DigestOf(book);
  };
  const std::vector<uint64_t> digests = {
      digest_of({}),
      digest_of({Add(1, Side::kBuy, 10, 98)}),
      digest_of({Add(2, Side::kBuy, 10, 98)}),
      digest_of({Add(1, Side::kSell, 10, 98)}),
      digest_of({Add(1, Side::kBuy, 11, 98)}),
      digest_of({Add(1, Side::kBuy, 10, 99)}),
      digest_of({Add(1, Side::kBuy, 10, 98), Event(EventKind::kTrade, 0, 1, 1)}),
      digest_of({Add(1, Side::kBuy, 10, 98), Event(EventKind::kTrade, 0, 1, 2)}),
      // The same levels, made of other orders.
      digest_of({Add(1, Side::kBuy, 4, 98), Add(2, Side::kBuy, 6, 98)}),
      digest_of({Add(1, Side::kBuy, 6, 98), Add(2, Side::kBuy, 4, 98)}),
  };
  for (size_t i = 0; i < digests.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(digests[i], digests[j]) << i << " and " << j;
  }
}

TEST(BookCountsTest, AddUpOverSymbols) {
  BookCounts first;
  first.unknown_references.Add(9);
  first.visible = {.count = 1, .shares = 2, .notional = 3};
  BookCounts second;
  second.unknown_references.Add(4);
  second.unknown_references.Add(5);
  second.visible = {.count = 10, .shares = 20, .notional = 30};
  BookCounts total;
  total += first;
  total += second;
  EXPECT_EQ(total.unknown_references.count, 3u);
  EXPECT_EQ(total.unknown_references.first_sequence, 4u);
  EXPECT_EQ(total.visible, (ExecutionCounts{.count = 11, .shares = 22, .notional = 33}));
}

}  // namespace
}  // namespace bitactor::market
