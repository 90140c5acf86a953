#include "bitactor/l1_core/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

enum Kind : uint16_t { kQuote = 1, kHeartbeat, kOther };
struct Quote {
  uint32_t symbol;
  uint32_t price;
  uint64_t sequence;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return {.queue_capacity = 8, .clock = &clock_}; }
  static Signal Number(uint32_t n) { return Signal::Of(kQuote, n); }
  // Records what is handled.
  SignalHandler Recorder() {
    return [this](const Signal& s, Context&) { handled_.push_back(s.As<uint32_t>()); };
  }

  TickClock clock_{TickClock::Source::kManual, 1'000};
  std::vector<uint32_t> handled_;
};

TEST_F(EngineTest, HandlesSignalsInOrder) {
  Engine engine(Options());
  engine.On(kQuote, Recorder());
  for (uint32_t i = 0; i < 5; ++i) ASSERT_EQ(engine.Push(Number(i)), PushResult::kOk);
  EXPECT_EQ(engine.Poll(), 5u);
  EXPECT_THAT(handled_, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(engine.Poll(), 0u);
}

TEST_F(EngineTest, AFullQueueRefusesAndAPollMakesRoom) {
  Engine engine(Options());
  engine.On(kQuote, Recorder());
  for (uint32_t i = 0; i < 8; ++i) engine.Push(Number(i));
  EXPECT_EQ(engine.Push(Number(8)), PushResult::kFull);
  engine.Poll();
  EXPECT_EQ(engine.Push(Number(8)), PushResult::kOk);
  EXPECT_EQ(engine.counters().refused_full, 1u);
}

TEST_F(EngineTest, AnUnknownKindIsRefusedAndCounted) {
  Engine engine(Options());
  EXPECT_EQ(engine.Push(Signal::Of(kOther)), PushResult::kUnknownKind);
  EXPECT_EQ(engine.Push(Signal::Of(60'000)), PushResult::kUnknownKind) << "beyond the table";
  EXPECT_EQ(engine.counters().refused_unknown_kind, 2u);
  EXPECT_EQ(engine.counters().pushed, 0u);
}

TEST_F(EngineTest, IgnoredKindsAreTakenCountedAndDropped) {
  Engine engine(Options());
  EXPECT_EQ(engine.Ignore(kHeartbeat), RegisterResult::kOk);
  EXPECT_EQ(engine.Push(Signal::Of(kHeartbeat)), PushResult::kOk);
  EXPECT_EQ(engine.Poll(), 1u);
  EXPECT_EQ(engine.counters().bypassed[Bypass::kIgnored], 1u);
  EXPECT_EQ(engine.counters().dispatched, 0u);
}

TEST_F(EngineTest, RegistrationsAfterTheFirstPollAreRefused) {
  Engine engine(Options());
  engine.Poll();
  EXPECT_EQ(engine.On(kQuote, Recorder()).result(), RegisterResult::kAfterStart);
  EXPECT_EQ(engine.Ignore(kHeartbeat), RegisterResult::kAfterStart);
  EXPECT_EQ(engine.counters().refused_registrations, 2u);
  EXPECT_THAT(engine.Report(), HasSubstr("2 registrations refused"));
}

TEST_F(EngineTest, WhatIsSaidOfARefusedRegistrationDoesNotTouchTheFirst) {
  Engine engine(Options());
  engine.On(kQuote, Recorder());
  EXPECT_EQ(engine.On(kQuote, Recorder()).ZeroTick(Unchanged(&Quote::price)).result(),
            RegisterResult::kDuplicate);
  EXPECT_EQ(engine.CountersOf(kQuote)->filters, nullptr);
}

TEST_F(EngineTest, UnchangedSignalsSkipTheHandler) {
  Engine engine(Options());
  std::vector<uint64_t> sequences;
  engine.On(kQuote, [&](const Signal& s, Context&) { sequences.push_back(s.As<Quote>().sequence); })
      .ZeroTick(Unchanged(&Quote::symbol, &Quote::price));
  uint64_t sequence = 0;
  for (const uint32_t price : {10, 10, 11, 11, 10}) {
    engine.Push(Signal::Of(kQuote, Quote{1, price, sequence++}));
  }
  engine.Drain();
  EXPECT_THAT(sequences, ElementsAre(0, 2, 4));
  EXPECT_EQ(engine.counters().bypassed[Bypass::kUnchanged], 2u);
}

TEST_F(EngineTest, BypassedSignalsAreChargedNoTime) {
  Engine engine(Options());
  engine.On(kQuote, [&](const Signal&, Context&) { clock_.Advance(300); })
      .ZeroTick(Unchanged(&Quote::price));
  for (int i = 0; i < 4; ++i) engine.Push(Signal::Of(kQuote, Quote{}));
  engine.Drain();
  EXPECT_EQ(engine.CountersOf(kQuote)->stats.dispatches, 1u);
  EXPECT_EQ(engine.CountersOf(kQuote)->stats.cycles, 300u);
}

TEST_F(EngineTest, EachDispatchIsChargedItsOwnTime) {
  Engine engine(Options());
  engine.On(kQuote, [&](const Signal&, Context&) { clock_.Advance(250); });
  engine.On(kOther, [&](const Signal&, Context&) { clock_.Advance(1'000); });
  engine.Push(Signal::Of(kQuote));
  engine.Push(Signal::Of(kOther));
  engine.Push(Signal::Of(kQuote));
  engine.Drain();
  EXPECT_EQ(engine.CountersOf(kQuote)->stats.cycles, 500u);
  EXPECT_EQ(engine.CountersOf(kQuote)->stats.overruns, 0u);
  EXPECT_EQ(engine.CountersOf(kOther)->stats.cycles, 1'000u);
  EXPECT_EQ(engine.CountersOf(kOther)->stats.overruns, 1u);
  EXPECT_EQ(engine.CountersOf(kOther)->stats.worst_ticks, 10u);
}

TEST_F(EngineTest, OverrunsAreReportedWithKindAndTicksWhereAskedFor) {
  std::vector<std::pair<SignalKind, uint64_t>> reports;
  EngineOptions options = Options();
  options.on_overrun = [&](SignalKind kind, Ticks used) {
    reports.emplace_back(kind, used.count());
  };
  Engine engine(std::move(options));
  engine.On(kQuote, [&](const Signal&, Context&) { clock_.Advance(801); })
      .OnOverrun(OverrunPolicy::kReport);
  engine.On(kOther, [&](const Signal&, Context&) { clock_.Advance(5'000); });  // observed only
  engine.Push(Signal::Of(kQuote));
  engine.Push(Signal::Of(kOther));
  engine.Drain();
  EXPECT_THAT(reports, ElementsAre(Pair(kQuote, 9)));
  EXPECT_EQ(engine.counters().overruns, 2u);
}

TEST_F(EngineTest, TheTimeOfAReportIsNotTheNextHandlers) {
  EngineOptions options = Options();
  options.on_overrun = [&](SignalKind, Ticks) { clock_.Advance(10'000); };
  Engine engine(std::move(options));
  engine.On(kQuote, [&](const Signal&, Context&) { clock_.Advance(900); })
      .OnOverrun(OverrunPolicy::kReport);
  engine.On(kOther, [](const Signal&, Context&) {});
  engine.Push(Signal::Of(kQuote));
  engine.Push(Signal::Of(kOther));
  engine.Drain();
  EXPECT_EQ(engine.CountersOf(kOther)->stats.cycles, 0u);
}

TEST_F(EngineTest, AThrowingHandlerIsAFaultAndTheEngineGoesOn) {
  Engine engine(Options());
  engine.On(kQuote, [this](const Signal& s, Context&) {
    if (s.As<uint32_t>() == 1) throw std::runtime_error("poison");
    handled_.push_back(s.As<uint32_t>());
  });
  for (uint32_t i = 0; i < 3; ++i) engine.Push(Number(i));
  EXPECT_EQ(engine.Drain(), 3u);
  EXPECT_THAT(handled_, ElementsAre(0, 2));
  EXPECT_EQ(engine.counters().faults, 1u);
  EXPECT_EQ(engine.counters().dispatched, 3u);
}

TEST_F(EngineTest, AfterAFaultAnEqualSignalIsNotBypassed) {
  Engine engine(Options());
  int calls = 0;
  engine
      .On(kQuote,
          [&](const Signal&, Context&) {
            if (++calls == 1) throw 1;
          })
      .ZeroTick(Unchanged(&Quote::price));
  for (int i = 0; i < 3; ++i) engine.Push(Signal::Of(kQuote, Quote{}));
  engine.Drain();
  EXPECT_EQ(calls, 2) << "the failed one again, then one bypass";
}

TEST_F(EngineTest, ARoundIsBounded) {
  EngineOptions options = Options();
  options.round_signals = 3;
  Engine engine(std::move(options));
  engine.On(kQuote, Recorder());
  for (uint32_t i = 0; i < 8; ++i) engine.Push(Number(i));
  EXPECT_EQ(engine.Poll(), 3u);
  EXPECT_EQ(engine.Drain(), 5u);
}

TEST_F(EngineTest, WhatAHandlerPushesIsHandledInTheNextRound) {
  Engine engine(Options());
  engine.On(kQuote, [this](const Signal& s, Context& context) {
    const uint32_t n = s.As<uint32_t>();
    handled_.push_back(n);
    if (n > 0) {
      EXPECT_EQ(context.Push(Number(n - 1)), PushResult::kOk);
    }
  });
  engine.Push(Number(3));
  EXPECT_EQ(engine.Poll(), 1u);
  EXPECT_EQ(engine.Drain(), 3u);
  EXPECT_THAT(handled_, ElementsAre(3, 2, 1, 0));
}

TEST_F(EngineTest, TheContextTellsWhenTheDispatchBegan) {
  Engine engine(Options());
  std::vector<uint64_t> times;
  engine.On(kQuote, [&](const Signal&, Context& context) {
    times.push_back(context.now_ns());
    clock_.Advance(50);
  });
  engine.Push(Signal::Of(kQuote));
  engine.Push(Signal::Of(kQuote));
  engine.Poll();
  EXPECT_THAT(times, ElementsAre(1'000, 1'050));
}

class CountdownPoller : public Poller {
 public:
  explicit CountdownPoller(size_t rounds) : left_(rounds) {}
  size_t Poll() override { return left_ > 0 ? left_-- : 0; }
  bool HasWork() override { return left_ > 0; }

 private:
  size_t left_;
};

TEST_F(EngineTest, DrivesItsPollersOncePerRound) {
  Engine engine(Options());
  CountdownPoller three(3), one(1);
  engine.AddPoller(&three);
  engine.AddPoller(&one);
  EXPECT_EQ(engine.Poll(), 4u) << "what both report is added up";
  EXPECT_EQ(engine.Drain(), 3u) << "2 and 1, of the first alone";
}

TEST_F(EngineTest, ReportSaysWhatHappened) {
  Engine engine(Options());
  engine.On(kQuote, [&](const Signal&, Context&) { clock_.Advance(200); })
      .ZeroTick(Unchanged(&Quote::price));
  engine.Ignore(kHeartbeat);
  for (int i = 0; i < 2; ++i) engine.Push(Signal::Of(kQuote, Quote{}));
  for (int i = 0; i < 2; ++i) engine.Push(Signal::Of(kHeartbeat));
  engine.Push(Signal::Of(kOther));
  engine.Drain();
  EXPECT_EQ(engine.Report(),
            "4 signals pushed: 1 dispatched, 3 bypassed (75.0 %: 2 ignored, 1 unchanged), 0 "
            "queued\n"
            "refused: 0 full, 1 of unknown kind, 0 of bad size\n"
            "0.50 ticks a signal, budget 8 ticks: 0 overruns, 0 exonerated, 0 batches suspected, 0 "
            "faults\n"
            "  kind 1: 1 dispatched, 1 unchanged; 2.00 ticks a dispatch, worst 2; 0 overruns, 0 "
            "exonerated, 0 suspected, 0 faults\n"
            "  kind 2: 2 ignored\n");
}

TEST_F(EngineTest, TheCountersAddUpUnderRandomTraffic) {
  std::mt19937_64 random(test::Seed());
  EngineOptions options = Options();
  options.round_signals = 3;
  Engine engine(std::move(options));
  engine
      .On(kQuote,
          [&](const Signal& s, Context&) {
            clock_.Advance(random() % 1'000);
            if (s.As<Quote>().sequence % 7 == 0) throw 1;
          })
      .ZeroTick(Unchanged(&Quote::price));
  engine.Ignore(kHeartbeat);
  uint64_t taken = 0, full = 0, unknown = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 4 == 0) engine.Poll();
    const auto kind = static_cast<SignalKind>(1 + random() % 3);
    const Quote quote{1, static_cast<uint32_t>(random() % 2), random()};
    switch (engine.Push(Signal::Of(kind, quote))) {
      case PushResult::kOk:
        ++taken;
        break;
      case PushResult::kFull:
        ++full;
        break;
      case PushResult::kUnknownKind:
        ++unknown;
        break;
      case PushResult::kBadSize:
        FAIL() << "no signal had one";
    }
    const EngineCounters now = engine.counters();
    ASSERT_EQ(now.pushed, taken);
    ASSERT_EQ(now.refused_full, full);
    ASSERT_EQ(now.refused_unknown_kind, unknown);
    ASSERT_EQ(now.pushed, now.dispatched + now.bypassed.total() + now.queued);
  }
  EXPECT_GT(engine.counters().faults, 0u);
  EXPECT_GT(engine.counters().bypassed[Bypass::kUnchanged], 0u);
}

TEST_F(EngineTest, WithoutAClockItMakesItsOwn) {
  Engine engine;
  EXPECT_NE(engine.clock().source(), TickClock::Source::kManual);
}

TEST(EngineDeathTest, OptionsOutOfRangeAreABug) {
  EXPECT_DEATH(Engine({.queue_capacity = 1000}), "check failed");
  EXPECT_DEATH(Engine({.round_signals = 0}), "check failed");
}

}  // namespace
}  // namespace bitactor
