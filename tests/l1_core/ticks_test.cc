#include "bitactor/l1_core/ticks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>

#include "support/seed.h"

namespace bitactor {
namespace {

// 1 cycle = 1 ns: 8 ticks of 100 ns are 800 cycles.
class DispatchMeterTest : public ::testing::Test {
 protected:
  TickClock clock_{TickClock::Source::kManual};
  DispatchMeter meter_{clock_, TickConfig{}, Ticks(8)};
  HandlerStats stats_;
};

TEST_F(DispatchMeterTest, CountsDispatchesAndTime) {
  meter_.Charge(stats_, 1, 150);
  meter_.Charge(stats_, 1, 50);
  EXPECT_EQ(stats_.dispatches, 2u);
  EXPECT_EQ(stats_.cycles, 200u);
  EXPECT_DOUBLE_EQ(meter_.MeanTicks(stats_), 1.0);
}

TEST_F(DispatchMeterTest, TheWholeBudgetMayBeUsed) {
  EXPECT_FALSE(meter_.Charge(stats_, 1, 800));
  EXPECT_EQ(stats_.overruns, 0u);
  EXPECT_EQ(stats_.worst_ticks, 8u);
}

TEST_F(DispatchMeterTest, OneNanosecondMoreIsAnOverrun) {
  EXPECT_TRUE(meter_.Charge(stats_, 1, 801));
  EXPECT_EQ(stats_.overruns, 1u);
  EXPECT_EQ(stats_.worst_ticks, 9u);
}

TEST_F(DispatchMeterTest, EveryOverrunCountsNotOnlyTheWorst) {
  meter_.Charge(stats_, 1, 5'000);
  EXPECT_TRUE(meter_.Charge(stats_, 1, 900));
  EXPECT_TRUE(meter_.Charge(stats_, 1, 900));
  EXPECT_EQ(stats_.overruns, 3u);
  EXPECT_EQ(stats_.worst_ticks, 50u);
}

TEST_F(DispatchMeterTest, AStartedTickIsAUsedTick) {
  meter_.Charge(stats_, 1, 1);
  EXPECT_EQ(stats_.worst_ticks, 1u);
  meter_.Charge(stats_, 1, 101);
  EXPECT_EQ(stats_.worst_ticks, 2u);
}

TEST_F(DispatchMeterTest, ASuspectedDispatchIsNoOverrunAndNoWorst) {
  meter_.ChargeSuspected(stats_, 1, 700);
  EXPECT_EQ(stats_.dispatches, 1u);
  EXPECT_EQ(stats_.suspected, 1u);
  EXPECT_EQ(stats_.cycles, 700u);
  EXPECT_EQ(stats_.overruns, 0u);
  EXPECT_EQ(stats_.worst_ticks, 0u);
}

TEST_F(DispatchMeterTest, TickLengthAndBudgetAreConfigurable) {
  const DispatchMeter meter(clock_, TickConfig{.tick_ns = 1'000}, Ticks(2));
  EXPECT_FALSE(meter.Charge(stats_, 1, 2'000));
  EXPECT_TRUE(meter.Charge(stats_, 1, 2'001));
  EXPECT_EQ(stats_.worst_ticks, 3u);
}

TEST_F(DispatchMeterTest, NoDispatchesHaveNoMean) { EXPECT_EQ(meter_.MeanTicks(stats_), 0.0); }

// The shortcut past both questions must not lose an answer.
TEST_F(DispatchMeterTest, CountsAsAMeterThatAsksEveryTime) {
  std::mt19937_64 random(test::Seed());
  uint64_t overruns = 0, worst = 0, total = 0;
  for (int i = 0; i < 50'000; ++i) {
    const uint64_t used = random() % (random() % 100 == 0 ? 20'000 : 1'000);
    const bool over = used > 800;
    ASSERT_EQ(meter_.Charge(stats_, 1, used), over) << used;
    overruns += over ? 1 : 0;
    worst = std::max(worst, (used + 99) / 100);
    total += used;
    ASSERT_EQ(stats_.overruns, overruns);
    ASSERT_EQ(stats_.worst_ticks, worst);
    ASSERT_EQ(stats_.cycles, total);
  }
}

// With a real counter a tick is no whole number of cycles.
TEST(DispatchMeterCalibrationTest, TicksBegunExceedTheBudgetExactlyWhenTheCyclesDo) {
  const TickClock clock;
  const DispatchMeter meter(clock, TickConfig{}, Ticks(8));
  const uint64_t budget_cycles = clock.CyclesIn(800);
  for (uint64_t cycles = budget_cycles - 5; cycles < budget_cycles + 6; ++cycles) {
    HandlerStats stats;
    const bool over = meter.Charge(stats, 1, cycles);
    EXPECT_EQ(over, cycles > budget_cycles);
    EXPECT_EQ(meter.TicksBegun(cycles) > Ticks(8), over) << cycles << " of " << budget_cycles;
  }
}

TEST(TicksTest, Compare) {
  EXPECT_LT(Ticks(7), Ticks(8));
  EXPECT_EQ(Ticks(), Ticks(0));
}

TEST(DispatchMeterDeathTest, AnEmptyBudgetIsABug) {
  const TickClock clock(TickClock::Source::kManual);
  EXPECT_DEATH(DispatchMeter(clock, TickConfig{}, Ticks(0)), "check failed");
}

}  // namespace
}  // namespace bitactor
