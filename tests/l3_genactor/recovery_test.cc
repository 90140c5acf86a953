// What a killed run leaves, and how the next one goes on: one situation a test.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "l3_genactor/durable_options.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace recovery_test {

struct Add {
  int64_t n;
};
struct Get {
  using Reply = int64_t;
};

class Counter : public Actor<Counter, Add, Get> {
 public:
  explicit Counter(int64_t start = 0) : total_(start) {}
  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Get&) { return total_; }

 private:
  int64_t total_;
};

struct Fetch {
  Ref<Counter> from;
};
struct Nap {
  int64_t microseconds;
};
struct SendThenThrow {
  Ref<Counter> to;
  int64_t n;
};
struct Leave {
  uint64_t unused;
};

// 1 a fetch began, 2 a fetch ended, 3 a nap ended, 4 an Add.
class Worker : public Actor<Worker, Fetch, Nap, SendThenThrow, Add, Leave, Get> {
 public:
  Task<void> On(Fetch m) {
    Note(1);
    fetched_ += co_await Call(m.from, Get{});
    Note(2);
  }
  Task<void> On(Nap m) {
    co_await Sleep(absl::Microseconds(m.microseconds));
    Note(3);
  }
  void On(const SendThenThrow& m) {
    Note(9);  // undone by the restart
    Cast(m.to, Add{m.n});
    throw std::runtime_error("after the send");
  }
  void On(const Add&) { Note(4); }
  void On(const Leave&) { Stop(); }
  int64_t On(const Get&) { return story_ * 1000 + fetched_; }

 private:
  void Note(int64_t digit) { story_ = story_ * 10 + digit; }

  int64_t story_ = 0;
  int64_t fetched_ = 0;
};

// Not copied before messages: a crash rebuilds it from the journal.
class Archive : public Actor<Archive, Fetch, Nap, SendThenThrow, Get> {
 public:
  Task<void> On(Fetch m) { values_.push_back(co_await Call(m.from, Get{})); }
  Task<void> On(Nap m) {
    co_await Sleep(absl::Microseconds(m.microseconds));
    values_.push_back(1);
  }
  Task<void> On(SendThenThrow m) {
    values_.clear();
    const int64_t n = co_await Call(m.to, Get{});
    Cast(m.to, Add{n});
    throw std::runtime_error("after the send");
  }
  int64_t On(const Get&) {
    int64_t story = 0;
    for (const int64_t value : values_) story = story * 10 + value;
    return story;
  }
  auto State() const { return std::tie(values_); }

 private:
  std::vector<int64_t> values_;
};

class RecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  void Start() {
    SystemOptions options = test::DurableOptions(files_.get(), &clock_);
    system_ = System::Start(options).value();
    supervisor_ = system_->Supervise({.max_restarts = 100});
    counter_ = supervisor_->Spawn<Counter>("counter", Restart::kPermanent, int64_t{7});
    // A call between them crosses shards, so that each step of it can be taken by itself.
    std::string name = "worker";
    while (ShardOf(system_->fabric().Intern(name)) == ShardOf(counter_.ref().address)) name += "'";
    worker_ = supervisor_->Spawn<Worker>(name, Restart::kTransient);
    worker_name_ = name;
    archive_ = supervisor_->Spawn<Archive>("archive");
    ASSERT_TRUE(counter_.ok()) << counter_.status();
    ASSERT_TRUE(worker_.ok()) << worker_.status();
  }
  // The run ends here, without a word; the next one begins with what is in the journals.
  void KillAndStart() {
    std::unique_ptr<test::SimulatedFiles> left = files_->AfterKill();
    system_.reset();
    files_ = std::move(left);
    Start();
  }

  uint32_t ShardOf(Address address) const { return system_->fabric().ShardOf(address.id); }
  uint64_t Handled(Address address) const {
    return system_->fabric().shard(ShardOf(address)).Find(address.id)->stats().dispatches;
  }
  // Polls one shard alone until `who` has handled `count` messages in this run.
  void PollUntilHandled(Address who, uint64_t count) {
    for (int i = 0; i < 100 && Handled(who) < count; ++i)
      system_->fabric().engine(ShardOf(who)).Poll();
    ASSERT_EQ(Handled(who), count);
  }
  void LetTimePass(uint64_t microseconds) {
    clock_.Advance(microseconds * 1000);
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  int64_t Story() { return worker_.Call(Get{}).value_or(-1); }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<test::SimulatedFiles> files_ = std::make_unique<test::SimulatedFiles>();
  std::unique_ptr<System> system_;
  std::optional<SupervisorRef> supervisor_;
  Handle<Counter> counter_;
  Handle<Worker> worker_;
  Handle<Archive> archive_;
  std::string worker_name_;
};

// A call takes three steps: the caller begins (1), the server answers (2), the caller goes on (3).
// Each can be the last.
TEST_F(RecoveryTest, ACallThatNobodyHadSeenIsMadeInTheNextRun) {
  worker_.Cast(Fetch{counter_});
  PollUntilHandled(worker_.ref().address, 1);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(Story(), 12'007);
}

TEST_F(RecoveryTest, AnAnswerThatWasOnItsWayIsGivenAgain) {
  worker_.Cast(Fetch{counter_});
  PollUntilHandled(worker_.ref().address, 1);
  PollUntilHandled(counter_.ref().address, 1);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(Story(), 12'007);
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(RecoveryTest, ACallThatBothSidesJournalledIsNotMadeAgain) {
  worker_.Cast(Fetch{counter_});
  PollUntilHandled(worker_.ref().address, 1);
  PollUntilHandled(counter_.ref().address, 1);
  PollUntilHandled(worker_.ref().address, 2);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(system_->Counters().delivered, 0u);
  EXPECT_EQ(Story(), 12'007);
}

TEST_F(RecoveryTest, TheAnswerIsWhatItWasThenThoughTheServerHasGoneOn) {
  worker_.Cast(Fetch{counter_});
  PollUntilHandled(worker_.ref().address, 1);
  PollUntilHandled(counter_.ref().address, 1);
  counter_.Cast(Add{100});
  PollUntilHandled(counter_.ref().address, 2);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(Story(), 12'007);
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 107);
}

TEST_F(RecoveryTest, WhatWaitedBehindASuspendedHandlerIsNotHandledBeforeItEnds) {
  worker_.Cast(Fetch{counter_});
  PollUntilHandled(worker_.ref().address, 1);
  KillAndStart();
  worker_.Cast(Add{1});
  PollUntilHandled(worker_.ref().address, 0);
  system_->WaitIdle();
  EXPECT_EQ(Story(), 124'007);
}

TEST_F(RecoveryTest, KilledAtEveryStepItStillEndsTheSame) {
  worker_.Cast(Fetch{counter_});
  PollUntilHandled(worker_.ref().address, 1);
  KillAndStart();
  PollUntilHandled(counter_.ref().address, 1);
  KillAndStart();
  PollUntilHandled(worker_.ref().address, 1);
  KillAndStart();
  EXPECT_EQ(Story(), 12'007);
}

TEST_F(RecoveryTest, WhatWasSentBeforeACrashArrivesOnceThoughTheRunEndsThere) {
  worker_.Cast(SendThenThrow{counter_, 30});
  PollUntilHandled(worker_.ref().address, 1);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 37);
  EXPECT_EQ(Story(), 0) << "the crash took back its own state";
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 37);
}

TEST_F(RecoveryTest, WhatWasSentBeforeACrashAndTakenIsNotSentAgain) {
  worker_.Cast(SendThenThrow{counter_, 30});
  system_->WaitIdle();
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 37);
  EXPECT_EQ(system_->restarts(), 0u) << "the crash was the last run's";
}

TEST_F(RecoveryTest, ATimerThatWasPendingFiresInTheNextRunAtItsTime) {
  worker_.Cast(Nap{100});
  system_->WaitIdle();
  LetTimePass(40);
  KillAndStart();
  worker_.Cast(Add{1});
  system_->WaitIdle();
  EXPECT_EQ(system_->Counters().queued, 1u) << "it waits for the nap to end";
  LetTimePass(101);
  EXPECT_EQ(Story(), 34'000);
}

TEST_F(RecoveryTest, ATimerThatFiredDoesNotFireAgain) {
  worker_.Cast(Nap{100});
  system_->WaitIdle();
  LetTimePass(101);
  KillAndStart();
  LetTimePass(1'000);
  EXPECT_EQ(Story(), 3'000);
}

TEST_F(RecoveryTest, AnActorThatEndedBeginsAnewAndStaysSo) {
  worker_.Cast(Add{1});
  worker_.Cast(Leave{});
  system_->WaitIdle();
  EXPECT_EQ(worker_.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
  KillAndStart();  // spawns it again
  EXPECT_EQ(Story(), 0) << "a fresh start";
  worker_.Cast(Add{1});
  system_->WaitIdle();
  KillAndStart();
  EXPECT_EQ(Story(), 4'000) << "what came after the fresh start, and nothing before it";
}

TEST_F(RecoveryTest, AnActorThatEndedIsNotInAReplay) {
  worker_.Cast(Leave{});
  system_->WaitIdle();
  const auto left = files_->AfterKill();
  auto replay = System::Replay({.journal_dir = "run", .until = {}, .files = left.get()});
  ASSERT_TRUE(replay.ok()) << replay.status();
  EXPECT_EQ((*replay)->Spawn<Worker>(worker_name_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE((*replay)->Spawn<Counter>("counter", int64_t{7}).ok());
}

TEST_F(RecoveryTest, StartedAgainInTheSameRunItsMessagesKeepTheirIdentity) {
  worker_.Cast(SendThenThrow{counter_, 1});
  worker_.Cast(Leave{});
  system_->WaitIdle();
  ASSERT_EQ(supervisor_->RestartChild(worker_name_), absl::OkStatus());
  worker_.Cast(SendThenThrow{counter_, 2});
  system_->WaitIdle();
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 10);
  KillAndStart();
  worker_.Cast(SendThenThrow{counter_, 4});
  system_->WaitIdle();
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 14) << "the third send is no duplicate of the first";
}

TEST_F(RecoveryTest, WhatHadWaitedForAnswersAndTimesIsRebuiltAfterACrash) {
  archive_.Cast(Fetch{counter_});
  archive_.Cast(Nap{100});
  system_->WaitIdle();
  LetTimePass(101);
  archive_.Cast(Fetch{counter_});
  archive_.Cast(SendThenThrow{counter_, 0});
  system_->WaitIdle();
  EXPECT_EQ(system_->restarts(), 1u);
  EXPECT_EQ(archive_.Call(Get{}).value_or(-1), 717);
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 14);
  KillAndStart();
  system_->WaitIdle();
  EXPECT_EQ(archive_.Call(Get{}).value_or(-1), 717);
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 14) << "what it had sent before the crash came once";
}

// Long or short: bytes have no type that an actor could handle. They are journalled as what came.
TEST_F(RecoveryTest, BytesForAnActorAreRefusedAndDoNotDisturbItsRecovery) {
  const auto unhandled = [this] {
    return system_->fabric()
        .Counters()
        .dead_letters[static_cast<size_t>(DeadLetterCause::kUnhandled)];
  };
  Port port = system_->fabric().OpenPort();
  for (const size_t size_bytes : {sizeof(Add), size_t{1000}, size_t{100'000}}) {
    const std::vector<std::byte> bytes(size_bytes, std::byte{1});
    EXPECT_EQ(port.SendBytes<Add>(worker_.ref().address, bytes), SendResult::kOk);
    EXPECT_EQ(port.SendBytes<Add>(archive_.ref().address, bytes), SendResult::kOk);
    worker_.Cast(Add{1});
  }
  system_->WaitIdle();
  EXPECT_EQ(unhandled(), 6u);
  EXPECT_EQ(Story(), 444'000);
  archive_.Cast(SendThenThrow{counter_, 1});  // crashes, and is rebuilt from the journal
  system_->WaitIdle();
  EXPECT_EQ(archive_.Call(Get{}).value_or(-1), 0);
  EXPECT_EQ(system_->fabric().Blocks().in_use, 0u);
  EXPECT_TRUE(system_->fabric().Counters().AddUp());
  port = Port();
  KillAndStart();
  EXPECT_EQ(Story(), 444'000);
  EXPECT_EQ(unhandled(), 0u) << "refused then, not again";
}

TEST_F(RecoveryTest, AFeedThatIsSentAgainTakesEffectOnce) {
  const auto feed_all = [this] {
    Port feed = system_->fabric().OpenPort({.name = "feed"});
    for (int64_t n = 1; n <= 20; ++n) {
      feed.Send(n % 2 == 0 ? counter_.ref().address : worker_.ref().address, Add{n});
      if (n % 3 == 0) system_->fabric().Poll();
    }
  };
  feed_all();  // the last ones stay in their lanes
  for (int i = 0; i < 3; ++i) {
    KillAndStart();
    feed_all();
  }
  system_->WaitIdle();
  EXPECT_EQ(counter_.Call(Get{}).value_or(-1), 7 + 110);
  EXPECT_EQ(Story(), 4'444'444'444'000);
}

}  // namespace recovery_test
}  // namespace bitactor
