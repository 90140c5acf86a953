// Timers, messages to go on with and idle timeouts, in a run and in its replay. Numbers: otp_test.cc.
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
namespace gen_server_timers_test {

struct Note {
  uint64_t digit;
};
struct After {
  uint64_t microseconds;
  uint64_t digit;
};
struct Every {
  uint64_t microseconds;
  uint64_t digit;
};
struct CancelLast {
  using Reply = bool;
};
struct NapThenCancel {
  uint64_t microseconds;
};
struct GoOn {  // with two more
  uint64_t first;
};
struct Idle {
  uint64_t microseconds;  // 0 is 0; ~0: never
};
// Does all of it, and fails.
struct Crash {
  uint64_t unused;
};
struct Leave {
  uint64_t unused;
};
struct Story {
  using Reply = uint64_t;
};

// Called at the beginning of each step to go on with.
std::function<void(uint64_t step)> on_step = [](uint64_t) {};
std::function<void()> on_terminate = [] {};

// Digits: what notes came. 9: silence, 8: a step to go on with was taken. It fails at a 0.
template <bool kSmall>
class Diary : public Actor<Diary<kSmall>, Note, After, Every, CancelLast, NapThenCancel, GoOn, Idle,
                           Crash, Leave, Story, IdleTimeout> {
 public:
  static constexpr std::string_view kTypeName = kSmall ? "test::SmallDiary" : "test::LargeDiary";

  explicit Diary(uint64_t first_us = 0) : first_us_(first_us) {}
  void Init() {
    if (first_us_ != 0) last_ = this->SendAfter(absl::Microseconds(first_us_), Note{7});
  }
  void On(const Note& m) {
    if (m.digit == 0) throw std::runtime_error("a note of nothing");
    Write(m.digit);
  }
  void On(const After& m) {
    last_ = this->SendAfter(absl::Microseconds(m.microseconds), Note{m.digit});
  }
  void On(const Every& m) {
    last_ = this->SendEvery(absl::Microseconds(m.microseconds), Note{m.digit});
  }
  bool On(const CancelLast&) { return this->CancelTimer(last_); }
  Task<void> On(NapThenCancel m) {
    co_await this->Sleep(absl::Microseconds(m.microseconds));
    this->CancelTimer(last_);
  }
  void On(const GoOn& m) {
    on_step(m.first);
    Write(m.first);
    if (m.first >= 3) return;
    this->Continue(GoOn{m.first + 1});
    if (m.first == 1) this->Continue(Note{8});
  }
  void On(const Idle& m) {
    this->SetIdleTimeout(m.microseconds == ~uint64_t{0} ? absl::InfiniteDuration()
                                                        : absl::Microseconds(m.microseconds));
  }
  void On(const Crash&) {
    this->CancelTimer(last_);
    last_ = this->SendAfter(absl::Microseconds(10), Note{6});
    this->SetIdleTimeout(absl::InfiniteDuration());
    this->Continue(Note{6});
    throw std::runtime_error("after all of that");
  }
  void On(const Leave&) { this->Stop(); }
  void Terminate(const ExitReason&) { on_terminate(); }
  uint64_t On(const Story&) { return story_; }
  void On(const IdleTimeout&) { Write(9); }

 private:
  void Write(uint64_t digit) { story_ = story_ * 10 + digit; }

  uint64_t first_us_;
  uint64_t story_ = 0;
  TimerId last_ = TimerId::kNone;
  uint64_t bulk_[kSmall ? 1 : 40] = {};
};

// For actors whose state is copied before each message, and for those that are replayed.
template <typename D>
class GenServerTimersTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }
  void Start() {
    SystemOptions options = test::DurableOptions(files_.get(), &clock_, /*mailboxes=*/4);
    system_ = System::Start(options).value();
    supervisor_ = system_->Supervise({.max_restarts = 100});
    Spawn(0);
  }
  void Spawn(uint64_t first_us) {
    diary_ =
        supervisor_->Spawn<D>(first_us == 0 ? "diary" : "early", Restart::kPermanent, first_us);
    ASSERT_TRUE(diary_.ok()) << diary_.status();
  }
  void KillAndStart() {
    std::unique_ptr<test::SimulatedFiles> left = files_->AfterKill();
    system_.reset();
    files_ = std::move(left);
    Start();
  }
  template <typename M>
  void Do(const M& message) {
    EXPECT_EQ(diary_.Cast(message), SendResult::kOk);
    system_->WaitIdle();
  }
  void Pass(uint64_t microseconds) {
    clock_.Advance(microseconds * 1000);
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  // The same in the run, in a replay of it, and after a restart of the program.
  void ExpectStory(uint64_t expected) {
    uint64_t story = 0;
    const auto read = [this, &story](System& system) {
      return system.Inspect<D>(
          "diary", [&story](const D& diary) { story = const_cast<D&>(diary).On(Story{}); });
    };
    ASSERT_TRUE(read(*system_));
    EXPECT_EQ(story, expected);
    const auto copy = files_->AfterKill();
    auto replay = System::Replay({.journal_dir = "run", .until = {}, .files = copy.get()});
    ASSERT_TRUE(replay.ok()) << replay.status();
    const auto diary = (*replay)->template Spawn<D>("diary", uint64_t{0});
    ASSERT_TRUE(diary.ok()) << diary.status();
    ASSERT_TRUE(read(**replay));
    EXPECT_EQ(story, expected) << "in the replay";
    EXPECT_TRUE(system_->Counters().AddUp());
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<test::SimulatedFiles> files_ = std::make_unique<test::SimulatedFiles>();
  std::unique_ptr<System> system_;
  std::optional<SupervisorRef> supervisor_;
  Handle<D> diary_;
};

using Kinds = ::testing::Types<Diary<true>, Diary<false>>;
TYPED_TEST_SUITE(GenServerTimersTest, Kinds);

TYPED_TEST(GenServerTimersTest, AMessageComesAfterItsTimeOnce) {
  this->Do(After{100, 1});
  this->Do(After{50, 2});
  this->Pass(60);
  this->ExpectStory(2);
  this->Pass(50);
  this->Pass(500);
  this->ExpectStory(21);
}

TYPED_TEST(GenServerTimersTest, APeriodicOneKeepsItsBeatAndLeavesOutWhatItMissed) {
  this->Do(Every{100, 1});
  this->Pass(110);
  this->Pass(100);
  this->ExpectStory(11);
  this->Pass(350);
  this->ExpectStory(111);
  this->Pass(50);  // at 600, as if none had been missed
  this->ExpectStory(1111);
  EXPECT_TRUE(this->diary_.Call(CancelLast{}).value_or(false));
  this->Pass(500);
  this->ExpectStory(1111);
}

TYPED_TEST(GenServerTimersTest, AfterACancelNoFiringIsSeenThoughItWasQueued) {
  this->Do(After{100, 1});
  EXPECT_TRUE(this->diary_.Call(CancelLast{}).value_or(false));
  EXPECT_FALSE(this->diary_.Call(CancelLast{}).value_or(true));
  this->Pass(200);
  this->Do(After{100, 1});
  this->Do(NapThenCancel{150});
  this->Pass(110);
  EXPECT_EQ(this->system_->Counters().queued, 1u) << "it has fired";
  this->Pass(100);
  EXPECT_EQ(this->system_->Counters().queued, 0u);
  this->ExpectStory(0);
}

TYPED_TEST(GenServerTimersTest, ContinueComesBeforeWhatIsQueued) {
  this->diary_.Cast(GoOn{1});
  this->diary_.Cast(Note{5});
  this->diary_.Cast(Note{5});
  this->system_->WaitIdle();
  this->ExpectStory(128355);
}

TYPED_TEST(GenServerTimersTest, SilenceIsReportedOnceAndAnyMessageBeginsItAnew) {
  this->Do(Idle{100});
  this->Pass(90);
  this->Do(Note{1});
  this->Pass(90);
  this->ExpectStory(1);
  this->Pass(20);
  this->Pass(500);
  this->ExpectStory(19);
  this->Do(Note{2});
  this->Pass(110);
  this->ExpectStory(1929);
  this->Do(Idle{~uint64_t{0}});
  this->Pass(500);
  this->ExpectStory(1929);
}

TYPED_TEST(GenServerTimersTest, S26_AfterATimeoutOfZeroAQueuedMessageWins) {
  this->diary_.Cast(Idle{0});
  this->diary_.Cast(Note{1});
  this->diary_.Cast(Note{2});
  this->system_->fabric().Poll();
  this->Pass(0);
  this->ExpectStory(129);
}

TYPED_TEST(GenServerTimersTest, ACrashLeavesTimersAndSilenceAsTheyWereBefore) {
  this->Do(Idle{300});
  this->Do(After{100, 1});
  this->Do(Crash{});
  this->Pass(110);
  this->ExpectStory(1);
  this->Pass(310);
  this->ExpectStory(19);
  this->KillAndStart();
  this->ExpectStory(19);
}

TYPED_TEST(GenServerTimersTest, AFiringThatCrashedItsActorDoesNotComeAgainInTheNextRun) {
  this->Do(Every{300, 1});
  this->Do(After{100, 0});
  this->Pass(110);
  EXPECT_EQ(this->system_->restarts(), 1u);
  this->KillAndStart();
  this->Pass(100);
  EXPECT_EQ(this->system_->restarts(), 0u);
  this->Pass(100);
  this->ExpectStory(1);
}

TYPED_TEST(GenServerTimersTest, TheNextRunHasTheTimersThatWereLeft) {
  this->Do(After{100, 1});
  this->Do(Every{200, 2});
  this->Pass(110);
  this->KillAndStart();
  this->ExpectStory(1);
  this->Pass(100);
  this->ExpectStory(12);
  this->KillAndStart();
  this->Pass(200);
  this->ExpectStory(122);
}

TYPED_TEST(GenServerTimersTest, WhatWasLeftToGoOnWithIsHandledInTheNextRun) {
  for (uint64_t last = 1; last <= 3; ++last) {
    std::unique_ptr<test::SimulatedFiles> left;
    on_step = [&](uint64_t step) {
      if (step == last && left == nullptr) left = this->files_->AfterKill();
    };
    this->Do(GoOn{1});
    on_step = [](uint64_t) {};
    this->system_.reset();
    this->files_ = std::move(left);
    this->Start();
    this->system_->WaitIdle();
  }
  this->ExpectStory(128312831283);
}

TYPED_TEST(GenServerTimersTest, OneThatWasAboutToEndWhenTheRunWasKilledEndsInTheNextOne) {
  this->Do(Note{1});
  std::unique_ptr<test::SimulatedFiles> left;
  uint64_t ends = 0;
  on_terminate = [&] { left = this->files_->AfterKill(); };
  this->Do(Leave{});
  this->system_.reset();
  this->files_ = std::move(left);
  on_terminate = [&ends] { ++ends; };
  this->Start();
  this->system_->WaitIdle();
  EXPECT_EQ(ends, 1u);
  on_terminate = [] {};
  this->ExpectStory(0);  // its supervisor started it afresh
}

TYPED_TEST(GenServerTimersTest, ATimerOfInitFiresAlsoInTheNextRun) {
  this->Spawn(100);
  this->Pass(50);
  this->KillAndStart();
  this->Spawn(100);
  this->Pass(110);
  EXPECT_EQ(this->diary_.Call(Story{}).value_or(0), 7u);
  this->Pass(500);
  this->KillAndStart();
  this->Spawn(100);
  this->Pass(500);
  EXPECT_EQ(this->diary_.Call(Story{}).value_or(0), 7u) << "once";
}

}  // namespace gen_server_timers_test
}  // namespace bitactor
