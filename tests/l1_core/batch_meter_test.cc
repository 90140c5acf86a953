#include "bitactor/l1_core/batch_meter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

constexpr uint64_t kBudgetCycles = 800;  // 8 ticks of 100 ns, 1 cycle = 1 ns

class BatchMeterTest : public ::testing::Test {
 protected:
  // One dispatch that takes so long. Returns whether it closed a batch, which is `batch_` then.
  bool Dispatch(HandlerStats& stats, uint64_t cycles) {
    now_ += cycles;
    if (!meter_.Add(stats)) return false;
    batch_ = meter_.Close(now_);
    return true;
  }
  void BecomeInexact() {
    HandlerStats others;
    for (uint32_t i = 0; i < BatchMeter::kExactDispatches; ++i) Dispatch(others, 10);
  }

  TickClock clock_{TickClock::Source::kManual};
  BatchMeter meter_{clock_, TickConfig{}, Ticks(8)};
  uint64_t now_ = 0;
  BatchMeter::Batch batch_;
  HandlerStats stats_, other_;
};

TEST_F(BatchMeterTest, TheFirstDispatchesAreMeteredOneByOne) {
  for (uint32_t i = 0; i < BatchMeter::kExactDispatches; ++i) {
    ASSERT_TRUE(Dispatch(stats_, 100 + i)) << i;
    ASSERT_EQ(batch_.dispatches, 1u);
    ASSERT_EQ(batch_.cycles, 100 + i);
  }
  EXPECT_FALSE(Dispatch(stats_, 100));
}

TEST_F(BatchMeterTest, LaterOnesShareAReading) {
  BecomeInexact();
  for (size_t i = 1; i < BatchMeter::kMaxTogether; ++i) ASSERT_FALSE(Dispatch(stats_, 30));
  EXPECT_TRUE(Dispatch(other_, 33));
  EXPECT_EQ(batch_.dispatches, BatchMeter::kMaxTogether);
  EXPECT_FALSE(batch_.over);
  EXPECT_EQ(stats_.dispatches, BatchMeter::kMaxTogether - 1);
  EXPECT_EQ(stats_.cycles + other_.cycles, 30 * (BatchMeter::kMaxTogether - 1) + 33);
  EXPECT_EQ(other_.cycles, batch_.cycles_each);
  EXPECT_EQ(other_.worst_ticks, 1u);
}

TEST_F(BatchMeterTest, AnOverrunAloneIsItsHandlers) {
  EXPECT_TRUE(Dispatch(stats_, kBudgetCycles + 1));
  EXPECT_TRUE(batch_.over);
  EXPECT_EQ(stats_.overruns, 1u);
  EXPECT_EQ(stats_.suspected, 0u);
  EXPECT_EQ(meter_.suspicions(), 0u);
}

TEST_F(BatchMeterTest, AnOverrunAmongOthersIsASuspicionAndTheNextOnesAreMeteredAlone) {
  BecomeInexact();
  Dispatch(stats_, 10);
  Dispatch(other_, 5'000);
  batch_ = meter_.Close(now_);
  EXPECT_TRUE(batch_.over);
  EXPECT_EQ(meter_.suspicions(), 1u);
  EXPECT_EQ(stats_.suspected, 1u);
  EXPECT_EQ(other_.suspected, 1u);
  EXPECT_EQ(stats_.overruns + other_.overruns, 0u);
  for (uint32_t i = 0; i < BatchMeter::kExactDispatches; ++i) ASSERT_TRUE(Dispatch(other_, 900));
  EXPECT_EQ(other_.overruns, BatchMeter::kExactDispatches);
}

TEST_F(BatchMeterTest, OthersStayTogetherWhereWhoWasOverIsWatched) {
  BecomeInexact();
  Dispatch(stats_, 10);
  Dispatch(other_, 5'000);
  batch_ = meter_.Close(now_, /*watched=*/true);
  EXPECT_TRUE(batch_.over);
  EXPECT_EQ(meter_.suspicions(), 1u);
  EXPECT_FALSE(Dispatch(stats_, 10));
}

TEST_F(BatchMeterTest, AnEmptyBatchChargesNobody) {
  now_ = 500;
  EXPECT_EQ(meter_.Close(now_).dispatches, 0u);
  EXPECT_EQ(meter_.start_cycles(), 500u);
}

TEST_F(BatchMeterTest, AClockThatRanBackwardsChargesNothing) {
  meter_.Begin(500);
  EXPECT_TRUE(meter_.Add(stats_));
  EXPECT_EQ(meter_.Close(499).cycles, 0u);
  EXPECT_EQ(stats_.dispatches, 1u);
  EXPECT_EQ(stats_.cycles, 0u);
}

// B1 to B3 on random durations, with batches also closed early as an engine does at a round's end.
// The oracle knows what each dispatch took.
TEST_F(BatchMeterTest, NoOverrunHidesInABatch) {
  std::mt19937_64 random(test::Seed());
  std::array<HandlerStats, 5> stats;
  std::array<uint64_t, 5> overruns_alone{}, dispatches{};
  uint64_t total = 0, hidden_suspicions = 0, together = 0;
  std::vector<std::pair<size_t, uint64_t>> open;  // handler, cycles

  const auto judge = [&](const BatchMeter::Batch& batch) {
    ASSERT_EQ(batch.dispatches, open.size());
    const bool any_over =
        std::any_of(open.begin(), open.end(), [](auto& d) { return d.second > kBudgetCycles; });
    if (any_over) {
      ASSERT_TRUE(batch.over);
    }
    if (batch.over && open.size() > 1) ++hidden_suspicions;
    if (any_over && open.size() == 1) ++overruns_alone[open[0].first];
    if (open.size() > 1) ++together;
    open.clear();
  };
  for (int i = 0; i < 200'000; ++i) {
    const size_t handler = random() % stats.size();
    const uint64_t cycles = random() % 2'000 == 0 ? random() % 3'000 : random() % 130;
    open.emplace_back(handler, cycles);
    ++dispatches[handler];
    total += cycles;
    now_ += cycles;
    if (meter_.Add(stats[handler]) || random() % 20 == 0) judge(meter_.Close(now_));
  }
  judge(meter_.Close(now_));

  uint64_t charged = 0;
  for (size_t i = 0; i < stats.size(); ++i) {
    EXPECT_EQ(stats[i].overruns, overruns_alone[i]);
    EXPECT_EQ(stats[i].dispatches, dispatches[i]);
    charged += stats[i].cycles;
  }
  EXPECT_EQ(charged, total);
  EXPECT_EQ(meter_.suspicions(), hidden_suspicions);
  EXPECT_GT(hidden_suspicions, 0u);
  EXPECT_GT(together, 1'000u);
}

}  // namespace
}  // namespace bitactor
