// Wrong use and broken clocks, as the engine and its fibers meet them: each has a defined result, and
// the engine goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/fiber_scheduler.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr SignalKind kQuote = 1, kOther = 2;

class MisuseTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return {.clock = &clock_, .kinds = 8}; }
  void StepBack(uint64_t ns) { clock_.Advance(uint64_t{0} - ns); }

  TickClock clock_{TickClock::Source::kManual, 1'000'000};
};

TEST_F(MisuseTest, KindsOutOfRangeAreRefusedWithTheirFiltersAndCounted) {
  Engine engine(Options());
  const auto never = [](const Signal&, Context&) { FAIL(); };
  EXPECT_EQ(engine.On(8, never).result(), RegisterResult::kOutOfRange);
  EXPECT_EQ(engine.On(65'535, never)
                .ZeroTick(SampleEvery(2), RateLimit(1, absl::Seconds(1)))
                .OnOverrun(OverrunPolicy::kDebt)
                .result(),
            RegisterResult::kOutOfRange);
  EXPECT_EQ(engine.Ignore(8), RegisterResult::kOutOfRange);
  EXPECT_EQ(engine.Unregister(8), RegisterResult::kOutOfRange);
  EXPECT_EQ(engine.Push(Signal::Of(8)), PushResult::kUnknownKind);
  EXPECT_EQ(engine.CountersOf(8), nullptr);
  EXPECT_EQ(engine.counters().refused_registrations, 4u);
  EXPECT_EQ(engine.Drain(), 0u);
}

TEST_F(MisuseTest, AFilterOnAKindThatWasRegisteredAfterTheStartIsIgnored) {
  Engine engine(Options());
  engine.On(kQuote, [](const Signal&, Context&) {});
  engine.Poll();
  const auto handler = [](const Signal&, Context&) {};
  EXPECT_EQ(engine.On(kOther, handler).ZeroTick(SampleEvery(2)).result(),
            RegisterResult::kAfterStart);
  EXPECT_EQ(engine.On(kQuote, handler).ZeroTick(SampleEvery(2)).result(),
            RegisterResult::kAfterStart);
  EXPECT_EQ(engine.CountersOf(kQuote)->filters, nullptr);
  EXPECT_EQ(engine.Push(Signal::Of(kOther)), PushResult::kUnknownKind);
}

TEST_F(MisuseTest, AHandlerThatTakesTooLongAndThrowsIsAnOverrunAndAFault) {
  std::vector<SignalKind> reported;
  EngineOptions options = Options();
  options.on_overrun = [&](SignalKind kind, Ticks) { reported.push_back(kind); };
  Engine engine(std::move(options));
  const auto handler = [this](const Signal& signal, Context&) {
    clock_.Advance(1'000);
    if (signal.Holds<int>()) throw 1;
    throw std::runtime_error("no");
  };
  engine.On(kQuote, handler).OnOverrun(OverrunPolicy::kReport);
  engine.On(kOther, handler).OnOverrun(OverrunPolicy::kDebt);
  for (const SignalKind kind : {kQuote, kOther}) {
    engine.Push(Signal::Of(kind));
    engine.Push(Signal::Of(kind, 1));
  }
  engine.Drain();
  EXPECT_EQ(engine.counters().faults, 4u);
  EXPECT_EQ(engine.counters().overruns, 4u);
  EXPECT_EQ(engine.counters().queued, 0u) << "a debt is paid after a fault, too";
  EXPECT_THAT(reported, ElementsAre(kQuote, kQuote));
}

TEST_F(MisuseTest, AClockThatStepsBackDuringADispatchChargesItNothing) {
  Engine engine(Options());
  engine.On(kQuote, [this](const Signal&, Context&) { StepBack(500'000); })
      .OnOverrun(OverrunPolicy::kDebt);
  engine.On(kOther, [this](const Signal&, Context&) { clock_.Advance(300); });
  engine.Push(Signal::Of(kQuote));
  engine.Push(Signal::Of(kOther));
  EXPECT_EQ(engine.Drain(), 2u);
  EXPECT_EQ(engine.CountersOf(kQuote)->stats.cycles, 0u);
  EXPECT_EQ(engine.CountersOf(kOther)->stats.worst_ticks, 3u) << "the next one is charged its own";
  EXPECT_EQ(engine.counters().overruns, 0u);
  EXPECT_EQ(engine.counters().set_aside, 0u);
}

TEST_F(MisuseTest, AClockThatStepsBackStandsStillForFilters) {
  struct Stamped {
    uint64_t at_ns;
  };
  Engine engine(Options());
  engine.On(kQuote, [](const Signal&, Context&) {})
      .ZeroTick(ExpiredAfter(&Stamped::at_ns, absl::Nanoseconds(100)));
  engine.On(kOther, [](const Signal&, Context&) {}).ZeroTick(RateLimit(1, absl::Nanoseconds(100)));
  const auto handled = [&](SignalKind kind) {
    const uint64_t before = engine.counters().dispatched;
    engine.Push(Signal::Of(kind, Stamped{1'000'000}));
    engine.Drain();
    return engine.counters().dispatched != before;
  };
  EXPECT_TRUE(handled(kOther));
  StepBack(900'000);
  EXPECT_TRUE(handled(kQuote)) << "from the future, not old";
  EXPECT_FALSE(handled(kOther)) << "no time has passed since the last one";
  clock_.Advance(900'099);
  EXPECT_FALSE(handled(kOther));
  clock_.Advance(1);
  EXPECT_TRUE(handled(kOther)) << "until the clock has caught up";
}

TEST_F(MisuseTest, AClockThatStepsBackWakesNoFiberEarlyAndEndsNoTurn) {
  FiberScheduler fibers(clock_);
  bool woke = false, yielded = false;
  const auto sleeps = [](FiberScheduler& own, bool& done) -> Fiber {
    co_await own.Sleep(1'000);
    done = true;
  };
  const auto works = [](FiberScheduler& own, TickClock& clock, bool& over) -> Fiber {
    co_await own.YieldIfOver();
    clock.Advance(uint64_t{0} - 500);
    over = co_await own.YieldIfOver();
  };
  fibers.Spawn("sleeps", sleeps(fibers, woke));
  fibers.Spawn("works", works(fibers, clock_, yielded));
  while (fibers.Poll() != 0) {
  }
  EXPECT_FALSE(yielded) << "time that ran back is not over any budget";
  EXPECT_EQ(fibers.counters().overruns + fibers.counters().suspicions, 0u);
  clock_.Advance(1'499);
  fibers.Poll();
  EXPECT_FALSE(woke);
  clock_.Advance(1);
  while (fibers.Poll() != 0) {
  }
  EXPECT_TRUE(woke);
}

// Whatever a fiber does, its engine stops, and who never ended is named.
TEST_F(MisuseTest, AFiberThatNeverEndsIsReportedAtShutdown) {
  const auto never_ends = [](FiberScheduler& own, std::stop_source& stop) -> Fiber {
    for (uint64_t turns = 0;; ++turns) {
      if (turns == 100) stop.request_stop();
      co_await own.Yield();
    }
  };
  const auto waits = [](FiberScheduler& own) -> Fiber {
    co_await own.Until("the impossible", [] { return false; });
  };
  std::stop_source stop;
  Engine engine(Options());
  ::testing::internal::CaptureStderr();
  {
    FiberScheduler fibers(engine.clock());
    engine.AddPoller(&fibers);
    fibers.Spawn("spins", never_ends(fibers, stop));
    fibers.Spawn("hopes", waits(fibers));
    EXPECT_EQ(engine.Run(stop.get_token()), 0u);
    EXPECT_EQ(fibers.counters().alive, 2u);
    EXPECT_THAT(fibers.Report(), HasSubstr("  spins waits for its turn\n"));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "bitactor: fiber spins has not ended; it waits for its turn\n"
            "bitactor: fiber hopes has not ended; it waits for the impossible\n");
}

}  // namespace
}  // namespace bitactor
