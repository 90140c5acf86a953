// Many producers in front of one engine, with priorities.
#include "bitactor/l1_core/signal_producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <stop_token>
#include <utility>
#include <vector>

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum Kind : uint16_t { kQuote = 1, kSlow, kUnknown = 77 };

class SignalProducerTest : public ::testing::Test {
 protected:
  EngineOptions Options(size_t producers) {
    return {.queue_capacity = 4, .producers = producers, .clock = &clock_};
  }
  SignalHandler Noting() {
    return [this](const Signal& s, Context&) { handled_.push_back(s.As<uint32_t>()); };
  }

  TickClock clock_{TickClock::Source::kManual, 1'000};
  std::vector<uint32_t> handled_;
};

TEST_F(SignalProducerTest, ARoundTakesByPriorityThenWhatPushQueued) {
  Engine engine(Options(2));
  engine.On(kQuote, Noting());
  auto a = engine.AddProducer();
  auto b = engine.AddProducer();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(engine.Push(kQuote, uint32_t{9}), PushResult::kOk);
  EXPECT_EQ(a->Push(kQuote, uint32_t{1}), PushResult::kOk);
  EXPECT_EQ(b->Push(kQuote, uint32_t{2}, SignalPriority::kRaised), PushResult::kOk);
  EXPECT_EQ(a->Push(Signal::Of(kQuote, uint32_t{4}), SignalPriority::kUrgent), PushResult::kOk);
  EXPECT_EQ(b->Push(kQuote, uint32_t{3}, SignalPriority::kHigh), PushResult::kOk);
  EXPECT_EQ(engine.counters().queued, 5u);
  EXPECT_EQ(engine.Poll(), 5u);
  EXPECT_THAT(handled_, ElementsAre(4, 3, 2, 1, 9));
  const EngineCounters sum = engine.counters();
  EXPECT_EQ(sum.pushed, 5u);
  EXPECT_EQ(sum.dispatched, 5u);
  EXPECT_EQ(sum.queued, 0u);
}

TEST_F(SignalProducerTest, MoreProducersThanDeclaredAreRefusedUntilOneEnds) {
  Engine engine(Options(1));
  {
    auto first = engine.AddProducer();
    ASSERT_TRUE(first.ok());
    const auto second = engine.AddProducer();
    EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(second.status().message(), HasSubstr("made for 1 producers"));
  }
  EXPECT_TRUE(engine.AddProducer().ok());
}

TEST_F(SignalProducerTest, AnEngineWithoutDeclaredProducersSaysHowToDeclareThem) {
  Engine engine(Options(0));
  const auto producer = engine.AddProducer();
  EXPECT_EQ(producer.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(producer.status().message(), HasSubstr("EngineOptions::producers"));
}

TEST_F(SignalProducerTest, RefusalsAreTypedAndCounted) {
  Engine engine(Options(1));
  engine.On(kQuote, Noting());
  auto producer = engine.AddProducer();
  Signal oversized = Signal::Of(kQuote, uint32_t{1});
  oversized.size_bytes = 57;
  EXPECT_EQ(producer->Push(oversized), PushResult::kBadSize);
  EXPECT_EQ(producer->Push(kUnknown, uint32_t{1}), PushResult::kUnknownKind);
  EXPECT_EQ(producer->Push(Signal::Of(kUnknown)), PushResult::kUnknownKind);
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(producer->Push(kQuote, i), PushResult::kOk);
  EXPECT_EQ(producer->Push(kQuote, uint32_t{4}), PushResult::kFull);
  EXPECT_EQ(producer->Push(kQuote, uint32_t{5}, SignalPriority::kHigh), PushResult::kOk)
      << "each priority has room of its own";
  const EngineCounters sum = engine.counters();
  EXPECT_EQ(sum.pushed, 5u);
  EXPECT_EQ(sum.queued, 5u);
  EXPECT_EQ(sum.refused_full, 1u);
  EXPECT_EQ(sum.refused_bad_size, 1u);
  EXPECT_EQ(sum.refused_unknown_kind, 2u);
}

TEST_F(SignalProducerTest, UnknownKindsAreBypassedWhereTheEngineDoesSo) {
  EngineOptions options = Options(1);
  options.unhandled = UnhandledPolicy::kBypass;
  Engine engine(options);
  auto producer = engine.AddProducer();
  EXPECT_EQ(producer->Push(kUnknown, uint32_t{1}), PushResult::kOk);
  EXPECT_EQ(engine.counters().bypassed[Bypass::kUnhandled], 1u);
}

std::vector<Signal> Quotes(uint32_t count) {
  std::vector<Signal> signals;
  for (uint32_t i = 0; i < count; ++i) signals.push_back(Signal::Of(kQuote, i));
  return signals;
}

TEST_F(SignalProducerTest, ABatchIsTakenAsFarAsThereIsRoom) {
  Engine engine(Options(1));
  engine.On(kQuote, Noting());
  auto producer = engine.AddProducer();
  const std::vector<Signal> quotes = Quotes(6);
  const BatchPushResult shared = producer->PushBatch(quotes, SignalPriority::kRaised);
  EXPECT_EQ(shared.taken, 4u);
  EXPECT_EQ(shared.result, PushResult::kFull);
  const BatchPushResult own = engine.PushBatch(quotes);
  EXPECT_EQ(own.taken, 4u);
  EXPECT_EQ(own.result, PushResult::kFull);
  EXPECT_EQ(engine.counters().refused_full, 4u);
  engine.Drain();
  EXPECT_THAT(handled_, ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
}

TEST_F(SignalProducerTest, ABatchStopsAtASignalThatCannotBeTaken) {
  Engine engine(Options(1));
  engine.On(kQuote, Noting());
  auto producer = engine.AddProducer();
  std::vector<Signal> quotes = Quotes(4);
  quotes[2].kind = kUnknown;
  for (int round = 0; round < 2; ++round) {
    const BatchPushResult batch =
        round == 0 ? engine.PushBatch(quotes) : producer->PushBatch(quotes);
    EXPECT_EQ(batch.taken, 2u);
    EXPECT_EQ(batch.result, PushResult::kUnknownKind);
  }
  quotes[1].size_bytes = 57;
  const BatchPushResult batch = producer->PushBatch(quotes, SignalPriority::kHigh);
  EXPECT_EQ(batch.taken, 1u);
  EXPECT_EQ(batch.result, PushResult::kBadSize);
  EXPECT_EQ(engine.counters().refused_unknown_kind, 2u);
  EXPECT_EQ(engine.counters().refused_bad_size, 1u);
  EXPECT_EQ(engine.PushBatch({}).result, PushResult::kOk);
}

// A budget is 800 ns. When no more can be set aside, the producers' queue keeps what follows.
TEST_F(SignalProducerTest, WhatCannotBeSetAsideStaysInItsQueue) {
  Engine engine(Options(1));
  engine
      .On(kSlow,
          [this](const Signal& s, Context&) {
            clock_.Advance(10'000);
            handled_.push_back(s.As<uint32_t>());
          })
      .OnOverrun(OverrunPolicy::kDebt);
  engine.On(kQuote, Noting());
  auto producer = engine.AddProducer();
  uint32_t next = 0;
  for (int i = 0; i < 3; ++i) {
    while (producer->Push(kSlow, next) == PushResult::kOk) ++next;
    while (engine.Push(kQuote, uint32_t{1'000}) == PushResult::kOk) {
    }
    engine.Poll();
    EXPECT_EQ(engine.counters().pushed, engine.counters().dispatched + engine.counters().queued);
  }
  EXPECT_EQ(engine.counters().set_aside, 4u);
  EXPECT_GT(engine.counters().queued, 4u);
  engine.Drain();
  std::erase(handled_, 1'000u);
  ASSERT_EQ(handled_.size(), next) << "each once, in their order";
  for (uint32_t i = 0; i < next; ++i) EXPECT_EQ(handled_[i], i);
}

TEST_F(SignalProducerTest, AStopLeavesOrHandlesWhatProducersPushed) {
  for (const StopPolicy policy : {StopPolicy::kLeave, StopPolicy::kDrain}) {
    handled_.clear();
    EngineOptions options = Options(1);
    options.stop_policy = policy;
    Engine engine(options);
    engine.On(kQuote, Noting());
    auto producer = engine.AddProducer();
    producer->Push(kQuote, uint32_t{1});
    producer->Push(kQuote, uint32_t{2}, SignalPriority::kUrgent);
    std::stop_source stopped;
    stopped.request_stop();
    const bool leave = policy == StopPolicy::kLeave;
    EXPECT_EQ(engine.Run(stopped.get_token()), leave ? 2u : 0u);
    EXPECT_EQ(handled_.size(), leave ? 0u : 2u);
    engine.Drain();
    EXPECT_THAT(handled_, ElementsAre(2, 1));
  }
}

TEST(SignalProducerDeathTest, ProducersAreWithinTheirRange) {
  EXPECT_DEATH(Engine(EngineOptions{.producers = 1'025}), "1024|1025");
}

}  // namespace
}  // namespace bitactor
