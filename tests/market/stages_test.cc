// Signal, risk, execution and position, each alone.
#include <random>

#include "gtest/gtest.h"
#include "market/execution_logic.h"
#include "market/market_fixtures.h"
#include "market/position_logic.h"
#include "market/risk_logic.h"
#include "market/signal_logic.h"
#include "support/seed.h"

namespace bitactor::market {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

Top WithSizes(uint32_t bid_size, uint32_t ask_size, uint64_t time_ns = 34'200 * kSecond) {
  Top top = MakeTop(1, time_ns);
  top.bid_size = bid_size;
  top.ask_size = ask_size;
  return top;
}
Top WithPrices(int64_t bid_price, int64_t ask_price) {
  Top top = WithSizes(10'000, 1);
  top.bid_price = bid_price;
  top.ask_price = ask_price;
  return top;
}

TEST(TopStateTest, TellsWhatIsUsable) {
  EXPECT_EQ(StateOf(MakeTop()), TopState::kTwoSided);
  EXPECT_EQ(StateOf(WithSizes(0, 0)), TopState::kEmpty);
  EXPECT_EQ(StateOf(WithSizes(0, 1)), TopState::kOneSided);
  EXPECT_EQ(StateOf(WithSizes(1, 0)), TopState::kOneSided);
  EXPECT_EQ(StateOf(WithPrices(100, 100)), TopState::kLocked);
  EXPECT_EQ(StateOf(WithPrices(101, 100)), TopState::kCrossed);
}

TEST(FillableQuantityTest, IsLimitedByTheDisplayedSizeAndTheLimit) {
  const Top top = WithSizes(30, 40);
  EXPECT_EQ(FillableQuantity(top, top.ask_price, 25), 25);
  EXPECT_EQ(FillableQuantity(top, top.ask_price, 100), 40);
  EXPECT_EQ(FillableQuantity(top, top.ask_price - 1, 100), 0);
  EXPECT_EQ(FillableQuantity(top, top.bid_price, -25), -25);
  EXPECT_EQ(FillableQuantity(top, top.bid_price, -100), -30);
  EXPECT_EQ(FillableQuantity(top, top.bid_price + 1, -100), 0);
}

TEST(MicropriceTest, LeansToTheSideWithLessSize) {
  EXPECT_EQ(MicropriceQ8(WithSizes(100, 100)), 100'000 * 256);
  EXPECT_EQ(ImbalanceQ16(WithSizes(100, 100)), 0);
  EXPECT_EQ(MicropriceQ8(WithSizes(300, 100)),
            100'050 * 256);  // three quarters of the way to the ask
  EXPECT_EQ(ImbalanceQ16(WithSizes(300, 100)), 32'768);
  EXPECT_EQ(MicropriceQ8(WithSizes(100, 300)), 99'950 * 256);
}

TEST(MicropriceTest, StaysBetweenBidAndAskAtTheLargestNumbers) {
  Top top = WithSizes(UINT32_MAX, UINT32_MAX);
  top.bid_price = 0;
  top.ask_price = 9'999'999'999;
  EXPECT_EQ(MicropriceQ8(top), 9'999'999'999 * 128);
  top.ask_size = 1;
  EXPECT_LE(MicropriceQ8(top), top.ask_price * 256);
}

TEST(SignalLogicTest, BuysAtTheAskWhenBidsPrevail) {
  SignalLogic signal;
  const std::optional<Intent> intent = signal.On(WithSizes(10'000, 100));
  ASSERT_TRUE(intent.has_value());
  EXPECT_EQ(intent->quantity, 100);
  EXPECT_EQ(intent->limit_price, 100'100);
  EXPECT_EQ(intent->top.sequence, 1u);
  EXPECT_GT(intent->microprice_q8, 100'000 * 256);
}

TEST(SignalLogicTest, SellsAtTheBidWhenOffersPrevail) {
  SignalLogic signal;
  const std::optional<Intent> intent = signal.On(WithSizes(100, 10'000));
  ASSERT_TRUE(intent.has_value());
  EXPECT_EQ(intent->quantity, -100);
  EXPECT_EQ(intent->limit_price, 99'900);
}

TEST(SignalLogicTest, IsSilentInBalance) {
  SignalLogic signal;
  EXPECT_FALSE(signal.On(WithSizes(300, 100)).has_value());
}

TEST(SignalLogicTest, ActsOnceUntilTheImbalanceIsGone) {
  SignalLogic signal;
  uint64_t time = 34'200 * kSecond;
  EXPECT_TRUE(signal.On(WithSizes(10'000, 100, time += kSecond)).has_value());
  EXPECT_FALSE(signal.On(WithSizes(10'000, 100, time += kSecond)).has_value());
  EXPECT_FALSE(signal.On(WithSizes(600, 100, time += kSecond)).has_value());  // 0.71: not gone
  EXPECT_FALSE(signal.On(WithSizes(10'000, 100, time += kSecond)).has_value());
  EXPECT_FALSE(signal.On(WithSizes(100, 100, time += kSecond)).has_value());
  EXPECT_TRUE(signal.On(WithSizes(10'000, 100, time += kSecond)).has_value());
}

TEST(SignalLogicTest, TurnsAtOnceToTheOtherSide) {
  SignalLogic signal;
  EXPECT_TRUE(signal.On(WithSizes(10'000, 100, kSecond)).has_value());
  EXPECT_TRUE(signal.On(WithSizes(100, 10'000, 2 * kSecond)).has_value());
}

TEST(SignalLogicTest, KeepsAGapInFeedTime) {
  SignalLogic signal({.min_gap_ns = 1'000});
  EXPECT_TRUE(signal.On(WithSizes(10'000, 100, 5'000)).has_value());
  EXPECT_FALSE(signal.On(WithSizes(100, 10'000, 5'999)).has_value());
  EXPECT_FALSE(signal.On(WithSizes(100, 10'000, 100)).has_value());  // a step back in time
  EXPECT_TRUE(signal.On(WithSizes(100, 10'000, 6'000)).has_value());
}

TEST(SignalLogicTest, CountsTopsItCannotUse) {
  SignalLogic signal;
  EXPECT_FALSE(signal.On(WithSizes(10'000, 0)).has_value());
  EXPECT_FALSE(signal.On(WithSizes(0, 0)).has_value());
  EXPECT_FALSE(signal.On(WithPrices(100'000, 100'000)).has_value());
  EXPECT_FALSE(signal.On(WithPrices(100'001, 100'000)).has_value());
  EXPECT_FALSE(signal.On(WithPrices(100'000, 100'501)).has_value());  // 0.501 % of spread
  EXPECT_TRUE(signal.On(WithPrices(100'000, 100'500)).has_value());
  const SignalState& state = signal.state();
  EXPECT_EQ(state.tops, 6u);
  EXPECT_EQ(state.by_state[static_cast<size_t>(TopState::kOneSided)], 1u);
  EXPECT_EQ(state.by_state[static_cast<size_t>(TopState::kEmpty)], 1u);
  EXPECT_EQ(state.by_state[static_cast<size_t>(TopState::kLocked)], 1u);
  EXPECT_EQ(state.by_state[static_cast<size_t>(TopState::kCrossed)], 1u);
  EXPECT_EQ(state.too_wide, 1u);
  EXPECT_EQ(state.intents, 1u);
}

// To buy (or sell) against a top that displays 1,000 on both sides.
Intent MakeIntent(int32_t quantity, uint64_t time_ns = 34'200 * kSecond) {
  const Top top = WithSizes(1'000, 1'000, time_ns);
  return {.top = top,
          .limit_price = quantity > 0 ? top.ask_price : top.bid_price,
          .quantity = quantity,
          .imbalance_q16 = 0,
          .microprice_q8 = 0};
}
uint64_t Rejected(const RiskLogic& risk, Rejection cause) {
  return risk.state().rejected[static_cast<size_t>(cause)];
}

TEST(RiskLogicTest, ApprovesWithANumber) {
  RiskLogic risk;
  EXPECT_EQ(risk.On(MakeIntent(100))->number, 1u);
  const std::optional<Order> order = risk.On(MakeIntent(-50));
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(order->number, 2u);
  EXPECT_EQ(order->quantity, -50);
  EXPECT_EQ(order->limit_price, 99'900);
  EXPECT_EQ(risk.state().position, 50);
}

TEST(RiskLogicTest, KeepsThePositionWithinItsLimitOnBothSides) {
  RiskLogic risk({.max_position_shares = 250});
  EXPECT_TRUE(risk.On(MakeIntent(250)).has_value());
  EXPECT_FALSE(risk.On(MakeIntent(1)).has_value());
  EXPECT_TRUE(risk.On(MakeIntent(-500)).has_value());
  EXPECT_FALSE(risk.On(MakeIntent(-1)).has_value());
  EXPECT_EQ(Rejected(risk, Rejection::kPosition), 2u);
  EXPECT_EQ(risk.state().position, -250);
}

TEST(RiskLogicTest, CountsOnlyWhatCanBeFilled) {
  RiskLogic risk({.max_position_shares = 60});
  Intent intent = MakeIntent(100);
  intent.top.ask_size = 60;
  EXPECT_TRUE(risk.On(intent).has_value());
  EXPECT_EQ(risk.state().position, 60);
}

TEST(RiskLogicTest, KeepsTheNotionalWithinItsLimit) {
  RiskLogic risk({.max_notional = 200 * 100'100});
  EXPECT_TRUE(risk.On(MakeIntent(200)).has_value());
  EXPECT_FALSE(risk.On(MakeIntent(1)).has_value());
  EXPECT_EQ(Rejected(risk, Rejection::kNotional), 1u);
}

TEST(RiskLogicTest, AlwaysLetsAPositionBecomeSmaller) {
  RiskLogic risk({.max_notional = 200 * 100'100});
  EXPECT_TRUE(risk.On(MakeIntent(200)).has_value());
  Intent intent = MakeIntent(-100);
  intent.top.bid_price = 500'000;  // so that what is left is over the limit, at this price
  intent.top.ask_price = 500'100;
  intent.limit_price = 500'000;
  EXPECT_TRUE(risk.On(intent).has_value());
  EXPECT_EQ(risk.state().position, 100);
}

TEST(RiskLogicTest, LimitsTheOrdersOfAWindowOfFeedTime) {
  RiskLogic risk({.rate_window_ns = kSecond, .max_orders_per_window = 2});
  const uint64_t start = 34'200 * kSecond;
  EXPECT_TRUE(risk.On(MakeIntent(1, start)).has_value());
  EXPECT_TRUE(risk.On(MakeIntent(1, start + 1)).has_value());
  EXPECT_FALSE(risk.On(MakeIntent(1, start + kSecond - 1)).has_value());
  EXPECT_FALSE(risk.On(MakeIntent(1, start - kSecond)).has_value());  // a step back in time
  EXPECT_TRUE(risk.On(MakeIntent(1, start + kSecond)).has_value());
  EXPECT_EQ(Rejected(risk, Rejection::kRate), 2u);
}

TEST(RiskLogicTest, RefusesUnusableTops) {
  RiskLogic risk;
  Intent crossed = MakeIntent(100);
  crossed.top.bid_price = crossed.top.ask_price + 1;
  EXPECT_FALSE(risk.On(crossed).has_value());
  Intent one_sided = MakeIntent(100);
  one_sided.top.ask_size = 0;
  EXPECT_FALSE(risk.On(one_sided).has_value());
  Intent unreachable = MakeIntent(100);
  unreachable.limit_price = unreachable.top.ask_price - 1;
  EXPECT_FALSE(risk.On(unreachable).has_value());
  EXPECT_EQ(Rejected(risk, Rejection::kUnusableTop), 3u);
  EXPECT_EQ(risk.state().position, 0);
}

TEST(RiskLogicTest, StopsAfterTooManyBreachesInAWindow) {
  RiskLogic risk({.max_position_shares = 0, .breaches_to_stop = 3});
  for (int i = 0; i < 3; ++i) risk.On(MakeIntent(1));
  EXPECT_EQ(risk.state().stopped, 1u);
  EXPECT_EQ(risk.state().stops, 1u);
  risk.On(MakeIntent(1));
  EXPECT_EQ(Rejected(risk, Rejection::kPosition), 3u);
  EXPECT_EQ(Rejected(risk, Rejection::kStopped), 1u);
}

TEST(RiskLogicTest, DoesNotStopForBreachesFarApart) {
  RiskLogic risk({.max_position_shares = 0, .rate_window_ns = kSecond, .breaches_to_stop = 2});
  for (uint64_t i = 0; i < 10; ++i) risk.On(MakeIntent(1, i * kSecond));
  EXPECT_EQ(risk.state().stopped, 0u);
}

TEST(RiskLogicTest, StopsAndResumesByMessage) {
  RiskLogic risk;
  risk.On(KillSwitch{.locate = 7, .stop = 1});
  EXPECT_FALSE(risk.On(MakeIntent(100)).has_value());
  risk.On(KillSwitch{.locate = 7, .stop = 0});
  EXPECT_TRUE(risk.On(MakeIntent(100)).has_value());
  EXPECT_EQ(risk.state().stops, 1u);
}

Order MakeOrder(int32_t quantity, uint32_t displayed) {
  const Top top = WithSizes(displayed, displayed);
  return {.top = top,
          .number = 9,
          .limit_price = quantity > 0 ? top.ask_price : top.bid_price,
          .quantity = quantity,
          .zero = 0};
}

TEST(ExecutionLogicTest, FillsWhatIsDisplayedAndCancelsTheRest) {
  ExecutionLogic execution;
  const std::optional<Fill> fill = execution.On(MakeOrder(100, 30));
  ASSERT_TRUE(fill.has_value());
  EXPECT_EQ(fill->quantity, 30);
  EXPECT_EQ(fill->cancelled_quantity, 70);
  EXPECT_EQ(fill->price, 100'100);
  EXPECT_EQ(fill->order_number, 9u);
  EXPECT_EQ(execution.state().partial_fills, 1u);
  EXPECT_EQ(execution.state().filled_shares, 30u);
  EXPECT_EQ(execution.state().cancelled_shares, 70u);
}

TEST(ExecutionLogicTest, FillsASaleAtTheBid) {
  ExecutionLogic execution;
  const std::optional<Fill> fill = execution.On(MakeOrder(-100, 100));
  ASSERT_TRUE(fill.has_value());
  EXPECT_EQ(fill->quantity, -100);
  EXPECT_EQ(fill->cancelled_quantity, 0);
  EXPECT_EQ(fill->price, 99'900);
}

TEST(ExecutionLogicTest, CancelsAnOrderThatFindsNothing) {
  ExecutionLogic execution;
  EXPECT_FALSE(execution.On(MakeOrder(100, 0)).has_value());
  EXPECT_EQ(execution.state().orders, 1u);
  EXPECT_EQ(execution.state().fills, 0u);
  EXPECT_EQ(execution.state().cancelled_shares, 100u);
}

Fill MakeFill(int32_t quantity, int64_t price) {
  Top top = MakeTop();
  top.bid_price = price - 10;
  top.ask_price = price + 10;
  return {
      .top = top, .order_number = 1, .price = price, .quantity = quantity, .cancelled_quantity = 0};
}

TEST(PositionLogicTest, RealisesTheProfitOfWhatIsClosed) {
  PositionLogic position;
  position.On(MakeFill(100, 1'000));
  position.On(MakeFill(-40, 1'200));
  EXPECT_EQ(position.state().position, 60);
  EXPECT_EQ(position.state().realised, 40 * 200);
  EXPECT_EQ(position.state().unrealised(), 60 * 200);
  EXPECT_EQ(position.state().turnover, 100u * 1'000 + 40 * 1'200);
}

TEST(PositionLogicTest, AveragesTheCost) {
  PositionLogic position;
  position.On(MakeFill(100, 1'000));
  position.On(MakeFill(100, 1'100));
  position.On(MakeFill(-100, 1'050));
  EXPECT_EQ(position.state().realised, 0);
  EXPECT_EQ(position.state().cost, 105'000);
}

TEST(PositionLogicTest, ProfitsFromAShortPosition) {
  PositionLogic position;
  position.On(MakeFill(-100, 1'000));
  position.On(MakeFill(100, 900));
  EXPECT_EQ(position.state().position, 0);
  EXPECT_EQ(position.state().realised, 10'000);
  EXPECT_EQ(position.state().cost, 0);
}

TEST(PositionLogicTest, TurnsALongPositionIntoAShortOne) {
  PositionLogic position;
  position.On(MakeFill(100, 1'000));
  position.On(MakeFill(-150, 1'100));
  EXPECT_EQ(position.state().position, -50);
  EXPECT_EQ(position.state().realised, 10'000);
  EXPECT_EQ(position.state().cost, -55'000);
  EXPECT_EQ(position.state().unrealised(), 0);
}

TEST(PositionLogicTest, NeverLosesAUnitOfMoney) {
  std::mt19937_64 random(test::Seed());
  PositionLogic position;
  for (int i = 0; i < test::Rounds(10'000); ++i) {
    const auto quantity = static_cast<int32_t>(random() % 301) - 150;
    if (quantity == 0) continue;
    position.On(MakeFill(quantity, 10'000 + static_cast<int64_t>(random() % 977)));
    const PositionState& state = position.state();
    ASSERT_EQ(state.realised - state.cost, state.cash) << "after " << i + 1 << " fills";
    if (state.position == 0) {
      ASSERT_EQ(state.cost, 0);
    }
  }
}

TEST(PositionTotalsTest, AddUpOverSymbols) {
  PositionLogic first;
  first.On(MakeFill(100, 1'000));
  PositionLogic second;
  second.On(MakeFill(-10, 500));
  PositionTotals totals;
  totals += first.state();
  totals += second.state();
  EXPECT_EQ(totals.fills, 2u);
  EXPECT_EQ(totals.shares, 110u);
  EXPECT_EQ(totals.turnover, 105'000u);
  EXPECT_EQ(totals.cash, -95'000);
}

}  // namespace
}  // namespace bitactor::market
