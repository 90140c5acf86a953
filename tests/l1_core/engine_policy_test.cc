// What an engine does about handlers that take too long, and about stopping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/placement.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum Kind : uint16_t { kSlow = 1, kQuick, kOther };

class EnginePolicyTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return {.queue_capacity = 64, .clock = &clock_}; }
  // Notes what is handled, and takes so long.
  SignalHandler Taking(uint64_t ns) {
    return [this, ns](const Signal& s, Context&) {
      clock_.Advance(ns);
      handled_.emplace_back(s.kind, s.As<uint32_t>());
    };
  }
  std::vector<uint32_t> HandledOf(SignalKind kind) const {
    std::vector<uint32_t> values;
    for (const auto& [of, value] : handled_) {
      if (of == kind) values.push_back(value);
    }
    return values;
  }

  TickClock clock_{TickClock::Source::kManual, 1'000};
  std::vector<std::pair<SignalKind, uint32_t>> handled_;
};

// Budget 800 ns; a dispatch of 2,000 ns leaves a debt of 1,200, which two rounds pay.
TEST_F(EnginePolicyTest, AKindInDebtWaitsBehindTheOthers) {
  Engine engine(Options());
  engine.On(kSlow, Taking(2'000)).OnOverrun(OverrunPolicy::kDebt);
  engine.On(kQuick, Taking(10));
  for (uint32_t i = 0; i < 3; ++i) {
    engine.Push(Signal::Of(kSlow, i));
    engine.Push(Signal::Of(kQuick, i));
  }
  engine.Poll();
  EXPECT_THAT(handled_, ElementsAre(std::pair(kSlow, 0u), std::pair(kQuick, 0u),
                                    std::pair(kQuick, 1u), std::pair(kQuick, 2u)));
  EXPECT_EQ(engine.counters().set_aside, 2u);
  EXPECT_EQ(engine.counters().queued, 2u);
  engine.Drain();
  EXPECT_THAT(HandledOf(kSlow), ElementsAre(0, 1, 2));
  EXPECT_EQ(engine.counters().queued, 0u);
  EXPECT_EQ(engine.counters().overruns, 3u);
}

TEST_F(EnginePolicyTest, ADebtIsForgivenWhileNobodyWaits) {
  Engine engine(Options());
  engine.On(kSlow, Taking(1'000'000)).OnOverrun(OverrunPolicy::kDebt);
  for (uint32_t i = 0; i < 3; ++i) engine.Push(Signal::Of(kSlow, i));
  EXPECT_EQ(engine.Poll(), 4u) << "one handled, two set aside, of which one is handled";
  EXPECT_EQ(engine.Poll(), 1u);
  EXPECT_EQ(engine.Poll(), 0u);
  EXPECT_THAT(HandledOf(kSlow), ElementsAre(0, 1, 2));
}

TEST_F(EnginePolicyTest, WhenNoMoreCanBeSetAsideTheQueueKeepsIt) {
  EngineOptions options = Options();
  options.queue_capacity = 4;
  Engine engine(std::move(options));
  engine.On(kSlow, Taking(1'000'000)).OnOverrun(OverrunPolicy::kDebt);
  engine.On(kQuick, Taking(1));
  uint32_t pushed = 0;
  for (int round = 0; round < 40; ++round) {
    while (engine.Push(Signal::Of(round % 2 == 0 ? kSlow : kQuick, pushed)) == PushResult::kOk) {
      ++pushed;
    }
    engine.Poll();
    const EngineCounters counters = engine.counters();
    ASSERT_EQ(counters.pushed, counters.dispatched + counters.queued);
    ASSERT_LE(counters.set_aside, 4u);
  }
  engine.Drain();
  EXPECT_EQ(handled_.size(), pushed);
  const auto slow = HandledOf(kSlow);
  EXPECT_TRUE(std::is_sorted(slow.begin(), slow.end()));
}

// The bound of Engine's contract: over R rounds in which others are handled, what is set aside gets
// at most R budgets and one dispatch.
TEST_F(EnginePolicyTest, AHandlerThatAlwaysOverrunsDelaysTheOthersWithinTheBound) {
  constexpr uint64_t kBudgetNs = 800;
  constexpr uint64_t kSlowNs = 5'000;
  std::mt19937_64 random(test::Seed());
  EngineOptions options = Options();
  options.queue_capacity = 1024;
  options.round_signals = 16;
  Engine engine(std::move(options));
  uint64_t slow_ns = 0;
  engine
      .On(kSlow,
          [&](const Signal&, Context&) {
            clock_.Advance(kSlowNs);
            slow_ns += kSlowNs;
          })
      .OnOverrun(OverrunPolicy::kDebt);
  uint64_t quick = 0;
  engine.On(kQuick, [&](const Signal&, Context&) {
    clock_.Advance(20);
    ++quick;
  });
  uint64_t rounds = 0;
  uint64_t pushed_slow = 0;
  while (rounds < 2'000) {
    for (uint64_t n = 1 + random() % 8; n > 0; --n) engine.Push(Signal::Of(kQuick, 0u));
    if (engine.counters().set_aside < 900) {
      for (uint64_t n = random() % 4; n > 0; --n) {
        if (engine.Push(Signal::Of(kSlow, 0u)) == PushResult::kOk) ++pushed_slow;
      }
    }
    const uint64_t quick_before = quick;
    engine.Poll();
    ++rounds;
    ASSERT_GT(quick, quick_before) << "others were handled in every round";
    ASSERT_LE(slow_ns, rounds * kBudgetNs + kSlowNs) << rounds;
  }
  EXPECT_GT(slow_ns, rounds * kBudgetNs / 2) << "nor is it starved";
  engine.Drain();
  EXPECT_EQ(slow_ns, pushed_slow * kSlowNs);
}

TEST_F(EnginePolicyTest, AnUnregisteredKindIsUnknownAndWhatWasQueuedIsCounted) {
  Engine engine(Options());
  engine.On(kSlow, Taking(1));
  engine.On(kQuick, Taking(1));
  engine.Push(Signal::Of(kSlow, 1u));
  engine.Push(Signal::Of(kQuick, 2u));
  EXPECT_EQ(engine.Unregister(kSlow), RegisterResult::kOk);
  EXPECT_EQ(engine.Push(Signal::Of(kSlow, 3u)), PushResult::kUnknownKind);
  engine.Drain();
  EXPECT_THAT(handled_, ElementsAre(std::pair(kQuick, 2u)));
  const EngineCounters counters = engine.counters();
  EXPECT_EQ(counters.unregistered, 1u);
  EXPECT_EQ(counters.pushed, counters.dispatched + counters.unregistered + counters.queued);
  EXPECT_EQ(engine.Unregister(kSlow), RegisterResult::kNotFound);
  EXPECT_EQ(engine.Unregister(60'000), RegisterResult::kOutOfRange);
}

TEST_F(EnginePolicyTest, UnregisteringAKindInDebtDropsAndCountsWhatItSetAside) {
  Engine engine(Options());
  engine.On(kSlow, Taking(5'000)).OnOverrun(OverrunPolicy::kDebt);
  engine.On(kQuick, Taking(1));
  for (uint32_t i = 0; i < 3; ++i) engine.Push(Signal::Of(kSlow, i));
  engine.Push(Signal::Of(kQuick, 0u));
  engine.Poll();
  EXPECT_EQ(engine.counters().set_aside, 2u);
  EXPECT_EQ(engine.Unregister(kSlow), RegisterResult::kOk);
  EXPECT_EQ(engine.counters().unregistered, 2u);
  EXPECT_EQ(engine.counters().queued, 0u);
  engine.Drain();
  EXPECT_THAT(HandledOf(kSlow), ElementsAre(0));
}

TEST_F(EnginePolicyTest, AStopDrainsWhatIsQueuedButNotWhatThatPushes) {
  std::vector<std::string> steps;
  EngineOptions options = Options();
  options.on_start = [&](Engine&) { steps.push_back("start"); };
  options.on_stop = [&](Engine&) { steps.push_back("stop"); };
  Engine engine(std::move(options));
  engine.On(kOther, [&](const Signal& s, Context& context) {
    steps.push_back("handled");
    context.Push(s);  // for ever
  });
  engine.Push(Signal::Of(kOther));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(engine.Run(stop.get_token()), 1u);
  EXPECT_THAT(steps, ElementsAre("start", "handled", "stop"));
}

TEST_F(EnginePolicyTest, RunsWhereItIsToldTo) {
  const int cpu = AllowedCpus().back();
  int ran_on = -1;
  EngineOptions options = Options();
  options.cpu = cpu;
  options.on_start = [&](Engine&) { ran_on = sched_getcpu(); };
  Engine engine(std::move(options));
  std::stop_source stop;
  stop.request_stop();
  engine.Run(stop.get_token());
  EXPECT_TRUE(engine.placement().ok()) << engine.placement();
  EXPECT_EQ(ran_on, cpu);
}

TEST_F(EnginePolicyTest, AProcessorThatIsNotThereIsToldAndTheEngineRunsElsewhere) {
  EngineOptions options = Options();
  options.cpu = 100'000;
  Engine engine(std::move(options));
  engine.On(kQuick, Taking(1));
  engine.Push(Signal::Of(kQuick, 1u));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(engine.Run(stop.get_token()), 0u);
  EXPECT_EQ(engine.placement().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(handled_.size(), 1u);
}

TEST_F(EnginePolicyTest, AStopThatLeavesSaysHowMuch) {
  EngineOptions options = Options();
  options.stop_policy = StopPolicy::kLeave;
  Engine engine(std::move(options));
  engine.On(kQuick, Taking(1));
  for (uint32_t i = 0; i < 5; ++i) engine.Push(Signal::Of(kQuick, i));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(engine.Run(stop.get_token()), 5u);
  EXPECT_EQ(handled_.size(), 0u);
  engine.Drain();
  EXPECT_EQ(handled_.size(), 5u);
}

}  // namespace
}  // namespace bitactor
