// Supervised actors that are durable: a run that ends in the middle of a restart of several, and the
// next one.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "l3_genactor/durable_options.h"
#include "support/simulated_files.h"

namespace bitactor::supervisor_recovery_test {
namespace {

struct Add {
  int64_t n;
};
struct Get {
  using Reply = int64_t;
};
struct Fail {
  uint64_t unused;
};

class Births : public Actor<Births, Add, Get> {
 public:
  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Get&) { return total_; }

 private:
  int64_t total_ = 0;
};

// Tells of each of its fresh starts. The small one is copied before each message, the other one is
// rebuilt from its journal.
template <bool kSmall>
class Member : public Actor<Member<kSmall>, Add, Get, Fail> {
 public:
  static constexpr std::string_view kTypeName = kSmall ? "test::SmallMember" : "test::LargeMember";

  explicit Member(Ref<Births> births) : births_(births) {}
  void Init() { this->Cast(births_, Add{1}); }
  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Get&) { return total_; }
  void On(const Fail&) {
    total_ = -1;  // undone
    throw std::runtime_error("failed");
  }
  auto State() const { return std::tie(total_); }

 private:
  Ref<Births> births_;
  int64_t total_ = 0;
  std::array<uint64_t, kSmall ? 1 : 40> bulk_{};
};

struct Borrow {
  using Reply = uint64_t;
};

// Owes an answer, and draws a number when it gives it.
template <bool kSmall>
class Debtor : public Actor<Debtor<kSmall>, Borrow, Add, Fail> {
 public:
  static constexpr std::string_view kTypeName = kSmall ? "test::SmallDebtor" : "test::LargeDebtor";

  void On(const Borrow&, ReplyTo<uint64_t> to) { to_ = to; }
  void On(const Add&) {
    this->Reply(to_, 1);
    drawn_ = this->Random();
  }
  void On(const Fail&) { throw std::runtime_error("failed"); }
  uint64_t drawn() const { return drawn_; }

 private:
  ReplyTo<uint64_t> to_;
  uint64_t drawn_ = 0;
  std::array<uint64_t, kSmall ? 1 : 40> bulk_{};
};

int lucky_starts = 0;

class Unlucky : public Actor<Unlucky, Get> {
 public:
  absl::Status Init() {
    return --lucky_starts < 0 ? absl::UnavailableError("no luck") : absl::OkStatus();
  }
  int64_t On(const Get&) { return 1; }
};

class Keeper : public Actor<Keeper, Add, Fail> {
 public:
  void On(const Add& m) { seen_[m.n] = std::to_string(m.n); }
  void On(const Fail&) { throw std::runtime_error("failed"); }
  auto State() const { return std::tie(seen_); }

 private:
  std::map<int64_t, std::string> seen_;
};

struct Rest {
  uint64_t unused;
};

class Sleeper : public Actor<Sleeper, Rest, Add, Get> {
 public:
  Task<void> On(Rest) { co_await Sleep(absl::Milliseconds(1)); }
  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Get&) { return total_; }

 private:
  int64_t total_ = 0;
};

// Ends with a message on its way to the sleeper that it is linked to.
class Mourned : public Actor<Mourned, Fail> {
 public:
  explicit Mourned(Ref<Sleeper> sleeper) : sleeper_(sleeper) {}
  void On(const Fail&) {
    Link(sleeper_);
    Cast(sleeper_, Rest{});
    Cast(sleeper_, Add{3});
    Stop(ExitReason::ShutdownWith("gone"));
  }

 private:
  Ref<Sleeper> sleeper_;
};

class SupervisorRecoveryTest : public ::testing::Test {
 protected:
  void Start(Strategy strategy) {
    strategy_ = strategy;
    SystemOptions options = test::DurableOptions(files_.get(), &clock_);
    options.digest_every = digest_every_;
    system_ = System::Start(options).value();
    const auto top = system_->Supervise("top", {.strategy = strategy, .max_restarts = 5});
    births_ = system_->Spawn<Births>("births");
    first_ = top.Spawn<Member<true>>("first", Restart::kPermanent, births_.ref());
    second_ = top.Spawn<Member<false>>("second", Restart::kPermanent, births_.ref());
    third_ = top.Spawn<Member<true>>("third", Restart::kPermanent, births_.ref());
    ASSERT_TRUE(first_.ok() && second_.ok() && third_.ok()) << second_.status();
  }
  void KillAndStart() {
    std::unique_ptr<test::SimulatedFiles> left = files_->AfterKill();
    system_.reset();
    files_ = std::move(left);
    Start(strategy_);
  }
  void Settle() {
    do system_->WaitIdle();
    while (system_->fabric().Poll() > 0);
  }
  std::array<int64_t, 3> Totals() {
    return {first_.Call(Get{}).value_or(-9), second_.Call(Get{}).value_or(-9),
            third_.Call(Get{}).value_or(-9)};
  }

  template <typename D>
  void ExpectTheSameDrawn() {
    const auto drawn = [](System& system) {
      uint64_t number = 0;
      EXPECT_TRUE(
          system.Inspect<D>("debtor", [&number](const D& debtor) { number = debtor.drawn(); }));
      return number;
    };
    Start(Strategy::kOneForOne);
    const auto debtor = system_->Supervise().Spawn<D>("debtor");
    auto owed = debtor.CallAsync(Borrow{});
    Settle();
    debtor.Cast(Fail{});
    Settle();
    EXPECT_EQ(owed.Wait().status().code(), absl::StatusCode::kInternal);
    debtor.Cast(Add{});
    Settle();
    const uint64_t number = drawn(*system_);
    EXPECT_NE(number, 0u);
    const auto copy = files_->AfterKill();
    auto replay = System::Replay({.journal_dir = "run", .until = {}, .files = copy.get()});
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE((*replay)->template Spawn<D>("debtor").ok());
    EXPECT_EQ(drawn(**replay), number) << "in the replay";
    KillAndStart();
    EXPECT_TRUE(system_->Supervise().Spawn<D>("debtor").ok());
    EXPECT_EQ(drawn(*system_), number) << "in the next run";
  }

  Strategy strategy_ = Strategy::kOneForOne;
  uint64_t digest_every_ = 0;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<test::SimulatedFiles> files_ = std::make_unique<test::SimulatedFiles>();
  std::unique_ptr<System> system_;
  Handle<Births> births_;
  Handle<Member<true>> first_;
  Handle<Member<false>> second_;
  Handle<Member<true>> third_;
};

// Killed after each step of a restart of all: the one that failed has the state from before its
// message, each other one either what it had or a fresh start, of which others hear once.
TEST_F(SupervisorRecoveryTest, ARestartOfAllThatIsCutOffAnywhereReplaysExactly) {
  bool saw_old = false;
  bool saw_fresh = false;
  for (int steps = 0; steps < 14; steps += 2) {
    system_.reset();
    files_ = std::make_unique<test::SimulatedFiles>();
    Start(Strategy::kOneForAll);
    for (const auto& member : {first_, third_}) member.Cast(Add{5});
    second_.Cast(Add{5});
    Settle();
    second_.Cast(Fail{});
    for (int step = 0; step < steps; ++step) {
      system_->fabric().engine(static_cast<uint32_t>(step % 2)).Poll();
    }
    KillAndStart();
    Settle();
    const uint64_t digest = system_->Digest();
    const std::array<int64_t, 3> totals = Totals();
    int64_t fresh = 0;
    for (const int64_t total : totals) {
      EXPECT_TRUE(total == 5 || total == 0) << total << " after " << steps << " steps";
      fresh += total == 0 ? 1 : 0;
    }
    EXPECT_EQ(totals[1], 5) << "the one that failed";
    EXPECT_EQ(births_.Call(Get{}).value_or(-1), 3 + fresh) << "after " << steps << " steps";
    saw_old |= fresh == 0;
    saw_fresh |= fresh == 2;
    KillAndStart();
    Settle();
    EXPECT_EQ(system_->Digest(), digest) << "after " << steps << " steps";
    EXPECT_TRUE(system_->Counters().AddUp());
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_TRUE(saw_old && saw_fresh) << "the steps covered all of it";
}

TEST_F(SupervisorRecoveryTest, AChildThatWasTerminatedBeginsAfreshInTheNextRun) {
  Start(Strategy::kOneForOne);
  first_.Cast(Add{5});
  Settle();
  first_.Stop(ExitReason::Kill());  // restarted: fresh
  first_.Cast(Add{7});
  second_.Cast(Add{1});
  second_.Cast(Fail{});
  third_.Cast(Add{2});
  Settle();
  EXPECT_EQ(Totals(), (std::array<int64_t, 3>{7, 1, 2}));
  const uint64_t digest = system_->Digest();
  KillAndStart();
  EXPECT_EQ(system_->Digest(), digest);
  EXPECT_EQ(system_->restarts(), 0u) << "those were the last run's";
}

TEST_F(SupervisorRecoveryTest, WhatInitSentIsSentOnceThoughNothingElseHappened) {
  Start(Strategy::kOneForOne);
  Settle();
  EXPECT_EQ(births_.Call(Get{}).value_or(-1), 3);
  KillAndStart();
  Settle();
  EXPECT_EQ(births_.Call(Get{}).value_or(-1), 3);
}

TEST_F(SupervisorRecoveryTest, AnEndOfTheSystemEndsNoDurableActor) {
  Start(Strategy::kOneForAll);
  third_.Cast(Add{2});
  Settle();
  EXPECT_TRUE(system_->Stop().ok());
  KillAndStart();
  EXPECT_EQ(Totals(), (std::array<int64_t, 3>{0, 0, 2}));
}

TEST_F(SupervisorRecoveryTest, ADurableActorsPoisonIsNotRetried) {
  Start(Strategy::kOneForOne);
  const auto refused = system_->Supervise().Spawn<Member<true>>(
      "x", ChildOptions{.poison = {PoisonPolicy::kRetry, 3}}, births_.ref());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SupervisorRecoveryTest, ACallThatACrashRefusedIsNotOpenInAReplayEither) {
  ExpectTheSameDrawn<Debtor<true>>();
  system_.reset();
  files_ = std::make_unique<test::SimulatedFiles>();
  ExpectTheSameDrawn<Debtor<false>>();
}

TEST_F(SupervisorRecoveryTest, AStartThatFailedIsNoStartInTheNextRun) {
  lucky_starts = 1;
  Start(Strategy::kOneForOne);
  const auto one = system_->Spawn<Unlucky>("one");
  ASSERT_TRUE(one.ok());
  one.Stop();
  EXPECT_EQ(system_->Spawn<Unlucky>("one").status(), absl::UnavailableError("no luck"));
  KillAndStart();
  lucky_starts = 1;  // the one of its first life
  EXPECT_EQ(system_->Spawn<Unlucky>("one").status(), absl::UnavailableError("no luck"));
  lucky_starts = 10;
  EXPECT_EQ(system_->Spawn<Unlucky>("one").Call(Get{}).value_or(0), 1);
}

TEST_F(SupervisorRecoveryTest, OneThatIsDownHasNoDigest) {
  digest_every_ = 1;
  Start(Strategy::kOneForOne);
  const auto spawn = [this] {
    return system_->Supervise().Spawn<Keeper>(
        "keeper",
        ChildOptions{.backoff = {.base = absl::Milliseconds(1), .cap = absl::Milliseconds(1)}});
  };
  const auto keeper = spawn();
  for (int64_t n = 1; n < 9; ++n) keeper.Cast(Add{n});
  keeper.Cast(Fail{});
  keeper.Cast(Add{9});
  Settle();
  clock_.Advance(1'000'000);
  Settle();
  const uint64_t digest = system_->Digest();
  KillAndStart();
  const auto again = spawn();
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(system_->Digest(), digest);
}

// The signal overtakes what waits for the sleeper, which still waits when the run is killed.
TEST_F(SupervisorRecoveryTest, AnExitThatActsAtOnceTakesNoMessageAway) {
  Start(Strategy::kOneForOne);
  const auto spawn = [this] { return system_->Supervise().Spawn<Sleeper>("sleeper"); };
  auto sleeper = spawn();
  sleeper.Cast(Rest{});
  Settle();
  const auto mourned = system_->Spawn<Mourned>("mourned", sleeper.ref());
  mourned.Cast(Fail{});
  Settle();
  EXPECT_EQ(system_->restarts(), 1u);
  KillAndStart();
  sleeper = spawn();
  EXPECT_TRUE(system_->Spawn<Mourned>("mourned", sleeper.ref()).ok());
  Settle();
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(1'000'000);
    Settle();
  }
  EXPECT_EQ(sleeper.Call(Get{}).value_or(-1), 3);
  EXPECT_TRUE(system_->Counters().AddUp());
}

// `bitactor tree` reads it from another process.
TEST_F(SupervisorRecoveryTest, TheTreeStandsInAFileThatFollowsItsChanges) {
  Start(Strategy::kOneForAll);
  const auto shown = [&] {
    std::string text(1 << 16, '\0');
    auto file = files_->Open("run/tree", FileSystem::OpenMode::kRead);
    if (!file.ok()) return file.status().ToString();
    text.resize((*file)->ReadAt(0, std::as_writable_bytes(std::span(text))).value());
    return text;
  };
  Settle();
  EXPECT_NE(shown().find("\"running\":true"), std::string::npos) << shown();
  first_.Cast(Fail{});
  Settle();
  EXPECT_EQ(shown().find("\"restarts\":1"), std::string::npos) << "it is too soon";
  clock_.Advance(100'000'000);
  Settle();
  EXPECT_NE(shown().find("\"restarts\":1"), std::string::npos) << shown();
  EXPECT_TRUE(system_->Stop().ok());
  EXPECT_NE(shown().find("\"running\":false"), std::string::npos) << shown();
}

}  // namespace
}  // namespace bitactor::supervisor_recovery_test
