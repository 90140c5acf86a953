// What turns of fibers cost, to whom it is charged, and that no overrun is hidden, whether or not the
// fiber asks YieldIfOver().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l1_core/batch_meter.h"
#include "bitactor/l1_core/fiber_accounts.h"
#include "bitactor/l1_core/fiber_scheduler.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr uint64_t kTickNs = 100;
constexpr uint64_t kBudgetNs = 8 * kTickNs;

class FiberMeteringTest : public ::testing::Test {
 protected:
  void Settle(FiberScheduler& fibers) {
    while (fibers.Poll() != 0) clock_.Advance(5'000);  // between rounds: nobody's time
  }

  TickClock clock_{TickClock::Source::kManual};
};

// A turn for each of these times.
Fiber Works(FiberScheduler& fibers, TickClock& clock, std::vector<uint64_t> turns_ns) {
  for (const uint64_t turn_ns : turns_ns) {
    clock.Advance(turn_ns);
    co_await fibers.Yield();
  }
}

TEST_F(FiberMeteringTest, ATurnOverBudgetIsAnOverrunOfItsName) {
  FiberScheduler fibers(clock_);
  fibers.Spawn("slow", Works(fibers, clock_, {kBudgetNs + 1, kBudgetNs, 2'050}));
  fibers.Spawn("quick", Works(fibers, clock_, {150, 0}));
  Settle(fibers);
  EXPECT_EQ(fibers.StatsOf("slow")->dispatches, 4u) << "the last one returns";
  EXPECT_EQ(fibers.StatsOf("slow")->overruns, 2u);
  EXPECT_EQ(fibers.StatsOf("slow")->worst_ticks, 21u);
  EXPECT_EQ(fibers.StatsOf("quick")->overruns, 0u);
  EXPECT_EQ(fibers.StatsOf("quick")->worst_ticks, 2u);
  EXPECT_EQ(fibers.StatsOf("nobody"), nullptr);
  EXPECT_EQ(fibers.counters().turns, 7u);
  EXPECT_EQ(fibers.counters().overruns, 2u);
  EXPECT_EQ(fibers.counters().worst_ticks, 21u);
  EXPECT_EQ(fibers.counters().yields_over_budget, 0u);
}

TEST_F(FiberMeteringTest, AnOverrunIsReportedWithNameAndTicksAndTheReportIsNobodysTime) {
  std::vector<std::pair<std::string, uint64_t>> reported;
  FiberScheduler fibers(clock_, {.on_overrun = [&](const char* name, Ticks used) {
                          reported.emplace_back(name, used.count());
                          clock_.Advance(100'000);
                        }});
  fibers.Spawn("slow", Works(fibers, clock_, {kBudgetNs + 1}));
  fibers.Spawn("quick", Works(fibers, clock_, {100}));
  fibers.Spawn("ends", Works(fibers, clock_, {}));
  Settle(fibers);
  EXPECT_THAT(reported, ElementsAre(Pair("slow", 9)));
  EXPECT_EQ(fibers.StatsOf("quick")->worst_ticks, 1u);
}

// Takes its time when it goes.
class SlowToGo {
 public:
  SlowToGo(TickClock& clock, uint64_t ns) : clock_(clock), ns_(ns) {}
  SlowToGo(const SlowToGo&) = delete;
  SlowToGo& operator=(const SlowToGo&) = delete;
  ~SlowToGo() { clock_.Advance(ns_); }

 private:
  TickClock& clock_;
  const uint64_t ns_;
};

TEST_F(FiberMeteringTest, TheDestructorsOfAFiberThatEndsAreItsTime) {
  FiberScheduler fibers(clock_);
  const auto body = [](FiberScheduler&, TickClock& clock) -> Fiber {
    SlowToGo local(clock, kBudgetNs + 1);
    co_return;
  };
  fibers.Spawn("ends", body(fibers, clock_));
  Settle(fibers);
  EXPECT_EQ(fibers.StatsOf("ends")->overruns, 1u);
}

TEST_F(FiberMeteringTest, WhatOthersOfItsBatchUsedDoesNotMakeATurnOver) {
  FiberScheduler fibers(clock_);
  std::vector<uint64_t> turns_ns(BatchMeter::kExactDispatches,
                                 0);  // then they are metered together
  turns_ns.push_back(kBudgetNs / 2 + 1);
  const auto asks = [](FiberScheduler& own, TickClock& clock, size_t turns) -> Fiber {
    co_await own.YieldIfOver();
    for (; turns > 0; --turns) co_await own.Yield();
    clock.Advance(kBudgetNs / 2);
    EXPECT_FALSE(co_await own.YieldIfOver());
  };
  fibers.Spawn("others", Works(fibers, clock_, turns_ns));
  fibers.Spawn("asks", asks(fibers, clock_, turns_ns.size() - 1));
  Settle(fibers);
  EXPECT_EQ(fibers.counters().yields_over_budget, 0u);
  EXPECT_EQ(fibers.counters().suspicions, 0u) << "the reading that it needs ends their batch";
}

TEST_F(FiberMeteringTest, FibersOfOneNameShareAnAccountAndNamesBeyondTheirNumberTheLastOne) {
  FiberScheduler fibers(clock_, {.names = 2});
  const std::string a = "a";  // equal, and elsewhere than the literal
  fibers.Spawn("a", Works(fibers, clock_, {100}));
  fibers.Spawn(a.c_str(), Works(fibers, clock_, {300}));
  fibers.Spawn("b", Works(fibers, clock_, {}));
  fibers.Spawn("c", Works(fibers, clock_, {1'000}));
  fibers.Spawn("d", Works(fibers, clock_, {}));
  Settle(fibers);
  EXPECT_EQ(fibers.StatsOf("a")->dispatches, 4u);
  EXPECT_EQ(fibers.StatsOf("a")->worst_ticks, 3u);
  EXPECT_EQ(fibers.StatsOf("c"), nullptr);
  EXPECT_EQ(fibers.StatsOf(internal::FiberAccounts::kOthers)->dispatches, 3u);
  EXPECT_EQ(fibers.StatsOf(internal::FiberAccounts::kOthers)->overruns, 1u);
  EXPECT_EQ(fibers.counters().overruns, 1u);
}

TEST_F(FiberMeteringTest, TheReportShowsTurnsByName) {
  FiberScheduler fibers(clock_);
  fibers.Spawn("slow", Works(fibers, clock_, {900, 100}));
  Settle(fibers);
  EXPECT_THAT(
      fibers.Report(),
      HasSubstr("turns: 3, budget 8 ticks: 1 overruns, worst 9 ticks, 0 batches suspected"));
  EXPECT_THAT(fibers.Report(),
              HasSubstr("turns of slow: 3; 3.33 ticks a turn, worst 9; 1 overruns, 0 suspected\n"));
}

TEST(FiberAccountsTest, EveryNameFindsItsAccountAgain) {
  std::vector<std::string> names;
  for (int i = 0; i < 1'000; ++i) names.push_back(std::to_string(i));
  internal::FiberAccounts accounts(names.size());
  for (const std::string& name : names) accounts.Open(name).stats.dispatches = std::stoul(name);
  for (const std::string& name : names) {
    ASSERT_EQ(accounts.Find(name)->stats.dispatches, std::stoul(name));
    ASSERT_EQ(&accounts.Open(name), accounts.Find(name));
  }
  EXPECT_EQ(accounts.Open("one more").name, internal::FiberAccounts::kOthers);
  EXPECT_EQ(accounts.all().size(), names.size() + 1);
}

TEST(FiberAccountsDeathTest, TheNumberOfNamesMustBeInItsRange) {
  EXPECT_DEATH(internal::FiberAccounts(0), "check failed");
  EXPECT_DEATH(internal::FiberAccounts(65'537), "check failed");
}

// What the turns of a name took, each measured by itself.
struct Oracle {
  uint64_t turns = 0;
  uint64_t ns = 0;
  uint64_t overruns = 0;
  uint64_t worst_ns = 0;

  void Add(uint64_t turn_ns) {
    ++turns;
    ns += turn_ns;
    overruns += turn_ns > kBudgetNs ? 1 : 0;
    worst_ns = std::max(worst_ns, turn_ns);
  }
};
using Oracles = std::map<std::string, Oracle>;

struct World {
  TickClock& clock;
  std::mt19937_64 random;
  Oracles oracles;
};

// Mostly far below the budget, so that batches keep it; now and then about it or over.
uint64_t RandomTurnNs(World& world) {
  const uint64_t draw = world.random() % 400;
  if (draw == 0) return kBudgetNs - 2 + world.random() % 5;
  if (draw == 1) return 1 + world.random() % 10'000;
  return world.random() % 40;
}

// Turns of random lengths, some of which ask whether they are over.
Fiber WorksAtRandom(FiberScheduler& fibers, World& world, const char* name, uint64_t turns) {
  Oracle& oracle = world.oracles[name];
  const bool asks = world.random() % 4 == 0;
  for (; turns > 0; --turns) {
    uint64_t turn_ns = 0;
    for (int parts = 1 + static_cast<int>(world.random() % 2); parts > 0; --parts) {
      const uint64_t part_ns = RandomTurnNs(world);
      world.clock.Advance(part_ns);
      turn_ns += part_ns;
      // Whether it is over is known to the meter before this is resumed, and so to the oracle.
      if (asks && parts > 1) {
        const uint64_t turns_before = fibers.counters().turns;
        co_await fibers.YieldIfOver();
        if (fibers.counters().turns != turns_before) oracle.Add(std::exchange(turn_ns, 0));
      }
    }
    oracle.Add(turn_ns);
    if (turns > 1) co_await fibers.Yield();
  }
}

// Runs 200,000 turns or so, and returns what they took.
Oracles RunAtRandom(TickClock& clock, FiberScheduler& fibers) {
  World world{.clock = clock, .random = std::mt19937_64(test::Seed()), .oracles = {}};
  constexpr const char* kNames[] = {"alpha", "beta", "gamma", "delta"};
  while (fibers.counters().turns < 200'000) {
    while (fibers.counters().alive < 12) {
      const char* name = kNames[world.random() % 4];
      fibers.Spawn(name, WorksAtRandom(fibers, world, name, 1 + world.random() % 500));
    }
    fibers.Poll();
    clock.Advance(world.random() % 3'000);  // between rounds: nobody's time
  }
  while (fibers.Poll() != 0) {
  }
  return world.oracles;
}

uint64_t TicksBegun(uint64_t ns) { return (ns + kTickNs - 1) / kTickNs; }

TEST_F(FiberMeteringTest, MeteredAloneEveryOverrunIsKnownToTheNanosecond) {
  std::map<std::string, uint64_t> reported;
  FiberScheduler fibers(clock_, {.frame_bytes = 8192,
                                 .on_overrun = [&](const char* name, Ticks) { ++reported[name]; }});
  for (const auto& [name, oracle] : RunAtRandom(clock_, fibers)) {
    const HandlerStats& stats = *fibers.StatsOf(name);
    EXPECT_EQ(stats.dispatches, oracle.turns) << name;
    EXPECT_EQ(stats.cycles, clock_.CyclesIn(oracle.ns)) << name;
    EXPECT_EQ(stats.overruns, oracle.overruns) << name;
    EXPECT_EQ(stats.worst_ticks, TicksBegun(oracle.worst_ns)) << name;
    EXPECT_EQ(reported[name], oracle.overruns) << name;
    EXPECT_GT(oracle.overruns, 0u) << name;
  }
  EXPECT_EQ(fibers.counters().suspicions, 0u);
}

TEST_F(FiberMeteringTest, MeteredTogetherNoOverrunIsHiddenAndNoTimeIsLost) {
  FiberScheduler fibers(clock_, {.frame_bytes = 8192});
  uint64_t overruns = 0, ns = 0, cycles = 0;
  for (const auto& [name, oracle] : RunAtRandom(clock_, fibers)) {
    const HandlerStats& stats = *fibers.StatsOf(name);
    EXPECT_EQ(stats.dispatches, oracle.turns) << name;
    EXPECT_LE(stats.overruns, oracle.overruns) << name;
    EXPECT_GE(stats.overruns + stats.suspected, oracle.overruns) << name;
    EXPECT_LE(stats.worst_ticks, TicksBegun(oracle.worst_ns)) << name;
    overruns += oracle.overruns;
    ns += oracle.ns;
    cycles += stats.cycles;
  }
  const FiberCounters counters = fibers.counters();
  EXPECT_GT(counters.overruns, 0u);
  EXPECT_GT(counters.suspicions, 0u) << "turns are metered together";
  EXPECT_GE(overruns, counters.overruns);
  EXPECT_EQ(cycles, clock_.CyclesIn(ns));
}

}  // namespace
}  // namespace bitactor
