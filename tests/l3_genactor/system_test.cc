#include "bitactor/l3_genactor/system.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/temp_dir.h"

namespace bitactor {
namespace system_test {

struct Add {
  int64_t n;
};
struct Get {
  using Reply = int64_t;
};
struct Poison {
  int64_t before;  // what the handler adds before it throws
};
struct Half {
  int64_t n;
  using Reply = int64_t;
};
struct Quit {
  uint64_t unused;
};

class Counter : public Actor<Counter, Add, Get, Poison, Half, Quit> {
 public:
  Counter() = default;
  explicit Counter(int64_t start) : total_(start) {}
  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Get&) { return total_; }
  void On(const Poison& m) {
    total_ += m.before;
    throw std::runtime_error("poison");
  }
  absl::StatusOr<int64_t> On(const Half& m) {
    if (m.n % 2 != 0) return absl::InvalidArgumentError("odd");
    return m.n / 2;
  }
  void On(const Quit&) { Stop(ExitReason::Normal()); }

 private:
  int64_t total_ = 0;
};

// State over 256 bytes and not trivially copyable: a restart replays.
class Ledger : public Actor<Ledger, Add, Get, Poison> {
 public:
  void On(const Add& m) { entries_.push_back(m.n); }
  int64_t On(const Get&) {
    int64_t sum = 0;
    for (const int64_t n : entries_) sum += n;
    return sum;
  }
  void On(const Poison&) {
    entries_.clear();
    throw std::runtime_error("poison");
  }
  auto State() const { return std::tie(entries_); }

 private:
  std::vector<int64_t> entries_;
};

struct Fetch {
  Ref<Counter> from;
  using Reply = int64_t;
};
struct Ask {
  Ref<Counter> from;
  int64_t poison;
};

class Client : public Actor<Client, Fetch, Ask, Get, Add> {
 public:
  Task<int64_t> On(Fetch m) {
    const int64_t value = co_await Call(m.from, Get{});
    const int64_t again = co_await Call(m.from, Get{});
    co_return value + again;
  }
  Task<void> On(Ask m) {
    const absl::StatusOr<int64_t> half = co_await TryCall(m.from, Half{m.poison});
    last_ = half.ok() ? *half : -static_cast<int64_t>(half.status().code());
  }
  int64_t On(const Get&) { return last_; }
  void On(const Add& m) { last_ += m.n; }

 private:
  int64_t last_ = 0;
};

struct Watch {
  Ref<Counter> who;
};
class Watcher : public Actor<Watcher, Watch, Down, Get> {
 public:
  void On(const Watch& m) { Monitor(m.who); }
  void On(const Down& m) {
    ++downs_;
    code_ = static_cast<int64_t>(m.reason.code());
  }
  int64_t On(const Get&) { return downs_ * 100 + code_; }

 private:
  int64_t downs_ = 0;
  int64_t code_ = 0;
};

struct Nap {
  int64_t microseconds;
};
class Sleeper : public Actor<Sleeper, Nap, Add, Get> {
 public:
  Task<void> On(Nap m) {
    order_ = order_ * 10 + 1;
    co_await Sleep(absl::Microseconds(m.microseconds));
    order_ = order_ * 10 + 2;
  }
  void On(const Add& m) { order_ = order_ * 10 + m.n; }
  int64_t On(const Get&) { return order_; }

 private:
  int64_t order_ = 0;
};

class SystemTest : public ::testing::Test {
 protected:
  SystemOptions Options(bool durable = false) {
    SystemOptions options;
    options.shards = 2;
    if (durable) options.durable = dir_.path();
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 1024;
    options.fabric.journal.prepare_ahead = false;
    options.fabric.journal.segment_bytes = 1 << 20;
    return options;
  }
  std::unique_ptr<System> Start(bool durable = false) {
    auto system = System::Start(Options(durable));
    EXPECT_TRUE(system.ok()) << system.status();
    return *std::move(system);
  }
  static int64_t Value(absl::StatusOr<int64_t> reply) {
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.value_or(-1);
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::TempDir dir_;
};

TEST_F(SystemTest, CastsAndCallsFromOutside) {
  auto system = Start();
  const auto counter = system->Spawn<Counter>("counter", int64_t{10});
  ASSERT_TRUE(counter.ok()) << counter.status();
  EXPECT_EQ(counter.Cast(Add{5}), SendResult::kOk);
  EXPECT_EQ(Value(counter.Call(Get{})), 15);
  EXPECT_TRUE(system->Counters().AddUp());
}

TEST_F(SystemTest, ACoroutineAwaitsAnswersAcrossShards) {
  auto system = Start();
  const auto counter = system->Spawn<Counter>("counter", int64_t{4});
  for (int i = 0; i < 4; ++i) {
    const auto client = system->Spawn<Client>("client" + std::to_string(i));
    EXPECT_EQ(Value(client.Call(Fetch{counter})), 8);
  }
}

TEST_F(SystemTest, AReturnedErrorIsACrashThatItsCallerLearnsOf) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 3});
  const auto counter = supervisor.Spawn<Counter>("counter");
  const absl::StatusOr<int64_t> half = counter.Call(Half{3});
  EXPECT_EQ(half.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(half.status().message(), "odd");
  EXPECT_EQ(system->restarts(), 1u);
  EXPECT_EQ(Value(counter.Call(Half{8})), 4);
}

TEST_F(SystemTest, AnActorLearnsOfItsServersCrashAsAStatus) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 3});
  const auto counter = supervisor.Spawn<Counter>("counter");
  const auto client = system->Spawn<Client>("client");
  client.Cast(Ask{counter, 3});
  system->WaitIdle();
  EXPECT_EQ(Value(client.Call(Get{})), -static_cast<int64_t>(absl::StatusCode::kInvalidArgument));
}

TEST_F(SystemTest, WithoutAJournalARestartBeginsAfresh) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 3});
  const auto counter = supervisor.Spawn<Counter>("counter", Restart::kPermanent, int64_t{7});
  counter.Cast(Add{1});
  counter.Cast(Poison{100});
  counter.Cast(Add{2});
  EXPECT_EQ(Value(counter.Call(Get{})), 9);
}

TEST_F(SystemTest, ADurableActorGetsTheStateFromBeforeTheCrashingMessage) {
  auto system = Start(/*durable=*/true);
  auto supervisor = system->Supervise({.max_restarts = 3});
  const auto counter = supervisor.Spawn<Counter>("counter");
  counter.Cast(Add{1});
  counter.Cast(Poison{100});
  counter.Cast(Add{2});
  EXPECT_EQ(Value(counter.Call(Get{})), 3);
  EXPECT_EQ(system->restarts(), 1u);
  EXPECT_TRUE(system->Counters().AddUp());
}

TEST_F(SystemTest, ALargeDurableActorIsRebuiltFromItsJournal) {
  auto system = Start(/*durable=*/true);
  auto supervisor = system->Supervise({.max_restarts = 3});
  const auto ledger = supervisor.Spawn<Ledger>("ledger");
  for (int64_t n = 1; n <= 10; ++n) ledger.Cast(Add{n});
  ledger.Cast(Poison{});
  for (int64_t n = 1; n <= 10; ++n) ledger.Cast(Add{n});
  ledger.Cast(Poison{});
  EXPECT_EQ(Value(ledger.Call(Get{})), 110);
  EXPECT_EQ(system->restarts(), 2u);
}

TEST_F(SystemTest, OverTheLimitAllChildrenAreShutDown) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 2, .within = absl::Seconds(5)});
  const auto bad = supervisor.Spawn<Counter>("bad");
  const auto good = supervisor.Spawn<Counter>("good");
  for (int i = 0; i < 3; ++i) bad.Cast(Poison{});
  system->WaitIdle();
  EXPECT_TRUE(supervisor.gave_up());
  EXPECT_EQ(supervisor.restarts(), 2u);
  EXPECT_EQ(bad.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(good.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SystemTest, RestartsOlderThanThePeriodDoNotCount) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 1, .within = absl::Seconds(5)});
  const auto counter = supervisor.Spawn<Counter>("counter");
  for (int i = 0; i < 5; ++i) {
    counter.Cast(Poison{});
    system->WaitIdle();
    clock_.Advance(6'000'000'000);
  }
  EXPECT_FALSE(supervisor.gave_up());
  EXPECT_EQ(supervisor.restarts(), 5u);
}

TEST_F(SystemTest, RestartTypesDecideWhoComesBack) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 10});
  const auto permanent = supervisor.Spawn<Counter>("permanent", Restart::kPermanent);
  const auto transient = supervisor.Spawn<Counter>("transient", Restart::kTransient);
  const auto crashing = supervisor.Spawn<Counter>("crashing", Restart::kTransient);
  const auto temporary = supervisor.Spawn<Counter>("temporary", Restart::kTemporary);
  permanent.Cast(Quit{});
  transient.Cast(Quit{});
  crashing.Cast(Poison{});
  temporary.Cast(Poison{});
  system->WaitIdle();
  EXPECT_TRUE(permanent.Call(Get{}).ok());
  EXPECT_FALSE(transient.Call(Get{}).ok());
  EXPECT_TRUE(crashing.Call(Get{}).ok());
  EXPECT_FALSE(temporary.Call(Get{}).ok());
}

TEST_F(SystemTest, MonitorsLearnOfACrashOnceAndOfNobodyAtOnce) {
  auto system = Start();
  auto supervisor = system->Supervise({.max_restarts = 10});
  const auto counter = supervisor.Spawn<Counter>("counter");
  const auto watcher = system->Spawn<Watcher>("watcher");
  watcher.Cast(Watch{counter});
  system->WaitIdle();
  counter.Cast(Poison{});
  counter.Cast(Poison{});
  system->WaitIdle();
  EXPECT_EQ(Value(watcher.Call(Get{})), 100 + static_cast<int64_t>(absl::StatusCode::kInternal));
  watcher.Cast(Watch{Ref<Counter>{Address{ActorId{999}}}});
  system->WaitIdle();
  EXPECT_EQ(Value(watcher.Call(Get{})), 200 + static_cast<int64_t>(absl::StatusCode::kNotFound));
}

TEST_F(SystemTest, ATakenNameIsRefused) {
  auto system = Start();
  const auto first = system->Spawn<Counter>("counter");
  const auto second = system->Spawn<Counter>("counter");
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(second.Call(Get{}).ok());
}

TEST_F(SystemTest, FindGivesALivingActorOfTheRightClass) {
  auto system = Start();
  system->Spawn<Counter>("counter", int64_t{3});
  EXPECT_EQ(Value(system->Find<Counter>("counter").Call(Get{})), 3);
  EXPECT_EQ(system->Find<Counter>("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(system->Find<Ledger>("counter").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SystemTest, AMessageWaitsWhileACoroutineSleepsAndTimersRunOnTheInjectedClock) {
  auto system = Start();
  const auto sleeper = system->Spawn<Sleeper>("sleeper");
  sleeper.Cast(Nap{100});
  sleeper.Cast(Add{3});
  system->WaitIdle();
  EXPECT_EQ(system->Counters().queued, 1u) << "the second message waits";
  clock_.Advance(99'000);
  system->fabric().Poll();
  system->WaitIdle();
  EXPECT_EQ(system->Counters().queued, 1u);
  clock_.Advance(2'000);
  system->fabric().Poll();
  system->WaitIdle();
  EXPECT_EQ(Value(sleeper.Call(Get{})), 123);
}

TEST_F(SystemTest, ACallTimesOutAndTheLateAnswerIsDropped) {
  auto system = Start();
  const auto client = system->Spawn<Client>("client");
  // A name that nobody serves yet: the call waits there until its timeout.
  const Ref<Counter> nobody{system->fabric().Intern("later")};
  client.Cast(Ask{nobody, 4});
  system->WaitIdle();
  clock_.Advance(5'001'000'000);
  system->fabric().Poll();
  system->WaitIdle();
  EXPECT_EQ(Value(client.Call(Get{})), -static_cast<int64_t>(absl::StatusCode::kDeadlineExceeded));
  system->Spawn<Counter>("later");
  system->WaitIdle();
  client.Cast(Add{1});
  EXPECT_EQ(Value(client.Call(Get{})),
            1 - static_cast<int64_t>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(system->Counters().AddUp());
}

TEST_F(SystemTest, TheNextRunGoesOnWhereTheLastOneEnded) {
  uint64_t digest = 0;
  {
    auto system = Start(/*durable=*/true);
    auto supervisor = system->Supervise({.max_restarts = 3});
    const auto counter = supervisor.Spawn<Counter>("counter");
    const auto ledger = supervisor.Spawn<Ledger>("ledger");
    const auto client = supervisor.Spawn<Client>("client");
    counter.Cast(Add{20});
    counter.Cast(Poison{7});
    ledger.Cast(Add{5});
    ledger.Cast(Poison{7});
    client.Cast(Ask{counter, 8});
    system->WaitIdle();
    digest = system->Digest();
  }
  auto system = Start(/*durable=*/true);
  auto supervisor = system->Supervise({.max_restarts = 3});
  const auto client = supervisor.Spawn<Client>("client");
  const auto counter = supervisor.Spawn<Counter>("counter");
  const auto ledger = supervisor.Spawn<Ledger>("ledger");
  EXPECT_EQ(system->Digest(), digest);
  EXPECT_EQ(Value(counter.Call(Get{})), 20);
  EXPECT_EQ(Value(ledger.Call(Get{})), 5);
  EXPECT_EQ(Value(client.Call(Get{})), 4);
  EXPECT_EQ(system->restarts(), 0u) << "the crashes of the last run are not this run's";
}

TEST_F(SystemTest, WhatWasOnItsWayWhenTheRunEndedArrivesInTheNextOne) {
  {
    auto system = Start(/*durable=*/true);
    const auto counter = system->Spawn<Counter>("counter", int64_t{6});
    const auto client = system->Spawn<Client>("client");
    client.Cast(Ask{counter, 8});
    // The client handles it, which sends the call; the run ends before the call is handled.
    internal::Endpoint* endpoint = system->fabric()
                                       .shard(system->fabric().ShardOf(client.ref().address.id))
                                       .Find(client.ref().address.id);
    Engine& engine = system->fabric().engine(system->fabric().ShardOf(client.ref().address.id));
    while (endpoint->stats().dispatches == 0) engine.Poll();
  }
  auto system = Start(/*durable=*/true);
  const auto counter = system->Spawn<Counter>("counter", int64_t{6});
  const auto client = system->Spawn<Client>("client");
  system->WaitIdle();
  EXPECT_EQ(Value(client.Call(Get{})), 4);
  EXPECT_TRUE(counter.ok());
}

TEST_F(SystemTest, ReplayRebuildsEveryActorFromTheJournalAlone) {
  uint64_t digest = 0;
  {
    auto system = Start(/*durable=*/true);
    auto supervisor = system->Supervise({.max_restarts = 3});
    const auto counter = supervisor.Spawn<Counter>("counter");
    const auto ledger = supervisor.Spawn<Ledger>("ledger");
    for (int64_t n = 1; n <= 50; ++n) {
      counter.Cast(Add{n});
      ledger.Cast(Add{n});
    }
    counter.Cast(Poison{1});
    ledger.Cast(Poison{1});
    counter.Cast(Add{1});
    system->WaitIdle();
    digest = system->Digest();
  }
  auto replay = System::Replay({.journal_dir = dir_.path()});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_TRUE((*replay)->Spawn<Counter>("counter").ok());
  EXPECT_TRUE((*replay)->Spawn<Ledger>("ledger").ok());
  EXPECT_EQ((*replay)->Digest(), digest);
  EXPECT_EQ((*replay)->Spawn<Counter>("nobody").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SystemTest, ReplayUntilAPlaceShowsTheStateBeforeThatMessage) {
  {
    auto system = Start(/*durable=*/true);
    const auto counter = system->Spawn<Counter>("counter");
    for (int64_t n = 1; n <= 4; ++n) counter.Cast(Add{n});
    system->WaitIdle();
  }
  std::vector<Place> places;
  ASSERT_TRUE(ScanJournals(PosixFiles(), dir_.path(), [&](const RecoveredFrame& r) {
                if (r.frame.header.type == TypeId<Add>()) places.push_back({r.journal, r.position});
                return true;
              }).ok());
  ASSERT_EQ(places.size(), 4u);
  const std::vector<int64_t> before = {0, 1, 3, 6};
  for (size_t i = 0; i < places.size(); ++i) {
    auto replay = System::Replay({.journal_dir = dir_.path(), .until = places[i]});
    ASSERT_TRUE(replay.ok()) << replay.status();
    const auto counter = (*replay)->Spawn<Counter>("counter");
    ASSERT_TRUE(counter.ok()) << counter.status();
    Counter expected(before[i]);
    Digest a;
    Digest b;
    DigestAppend(a, expected);
    EXPECT_TRUE(
        (*replay)->Inspect<Counter>("counter", [&](const Counter& c) { DigestAppend(b, c); }));
    EXPECT_EQ(a.value(), b.value()) << "before message " << i;
  }
}

TEST_F(SystemTest, AnotherNumberOfShardsReopensTheSameJournal) {
  for (const uint32_t shards : {2u, 1u, 4u}) {
    SystemOptions options = Options(/*durable=*/true);
    options.shards = shards;
    auto system = System::Start(options);
    ASSERT_TRUE(system.ok()) << system.status();
    std::vector<Handle<Counter>> counters;
    for (int i = 0; i < 6; ++i) {
      counters.push_back((*system)->Spawn<Counter>("counter" + std::to_string(i)));
      ASSERT_TRUE(counters.back().ok()) << counters.back().status();
      counters.back().Cast(Add{1});
    }
    (*system)->WaitIdle();
    const int64_t expected = shards == 2 ? 1 : shards == 1 ? 2 : 3;
    for (const auto& counter : counters) EXPECT_EQ(Value(counter.Call(Get{})), expected);
  }
}

TEST(PlaceTest, ParsesShardAndPositionAndRefusesTheRest) {
  ASSERT_TRUE(Place::Parse("3:4711").ok());
  EXPECT_EQ(Place::Parse("3:4711")->shard, 3u);
  EXPECT_EQ(Place::Parse("3:4711")->position, Position(4711));
  for (const char* bad : {"", "3", ":", "3:", "x:1", "1:x", "64:1", "-1:1"}) {
    EXPECT_EQ(Place::Parse(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace system_test
}  // namespace bitactor
