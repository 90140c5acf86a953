// Calls: each is answered once, by whomever, or ends with a reason. Numbers are those of the OTP list.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"

namespace bitactor {
namespace call_test {

struct Get {
  using Reply = int64_t;
};
// How the desk answers a request that it keeps.
enum class How : uint64_t { kKeep, kAtOnce, kStop, kAnswerAndStop, kThrow, kPassOn };
struct Ask {
  How how;
  using Reply = int64_t;
};
struct Answer2 {
  int64_t value;
  uint64_t twice = 0;
};
struct Refuse {
  uint64_t unused = 0;
};
struct Passed {
  ReplyTo<int64_t> to;
};
struct SetClerk;
class Clerk;
struct UseClerk {
  Ref<Clerk> clerk;
};

// Answers calls of the desk.
class Clerk : public Actor<Clerk, Passed, Answer2> {
 public:
  void On(const Passed& m) { last_ = m.to; }
  void On(const Answer2& m) {
    Reply(last_, m.value);
    if (m.twice != 0) Reply(last_, m.value + 1);
  }

 private:
  ReplyTo<int64_t> last_;
};

class Desk : public Actor<Desk, Ask, Answer2, Refuse, UseClerk, Get> {
 public:
  void On(const Ask& m, ReplyTo<int64_t> to) {
    last_ = to;
    if (m.how == How::kAtOnce || m.how == How::kAnswerAndStop) Reply(to, int64_t{1});
    if (m.how == How::kPassOn) Cast(clerk_, Passed{to});
    if (m.how == How::kThrow) throw std::runtime_error("thrown");
    if (m.how == How::kStop || m.how == How::kAnswerAndStop) {
      Stop(ExitReason::ShutdownWith("maintenance"));
    }
  }
  void On(const Answer2& m) {
    Reply(last_, m.value);
    if (m.twice != 0) Reply(last_, m.value + 1);
  }
  void On(const Refuse&) { Reply(last_, absl::PermissionDeniedError("closed")); }
  void On(const UseClerk& m) { clerk_ = m.clerk; }
  Task<void> On(Get, ReplyTo<int64_t> to) {
    co_await Sleep(absl::Microseconds(10));
    Reply(to, int64_t{10});
  }

 private:
  ReplyTo<int64_t> last_;
  Ref<Clerk> clerk_;
};

struct Start {
  Ref<Desk> desk;
  How how;
  uint64_t timeout_us = 5'000'000;
};
struct Outcomes {
  using Reply = int64_t;  // 1000 * the number of outcomes + the last: a value, or -status
};

class Caller : public Actor<Caller, Start, Outcomes> {
 public:
  Task<void> On(Start m) {
    const absl::StatusOr<int64_t> value =
        co_await TryCall(m.desk, Ask{m.how}, absl::Microseconds(m.timeout_us));
    ++outcomes_;
    last_ = value.ok() ? *value : -static_cast<int64_t>(value.status().code());
  }
  int64_t On(const Outcomes&) { return 1000 * outcomes_ + last_; }

 private:
  int64_t outcomes_ = 0;
  int64_t last_ = 0;
};
int64_t Failed(absl::StatusCode code) { return 1000 - static_cast<int64_t>(code); }

// Calls along a list of actors, and back: the last one answers.
struct Along {
  Ref<class Link> next[4];
  uint64_t rest = 0;    // of `next`, to be called
  uint64_t nap_us = 0;  // before the call
  uint64_t timeout_us = 5'000'000;
  using Reply = int64_t;  // how many took part; of a failure, -status
};
struct LastError {
  using Reply = int64_t;  // its status; 100 and more: of a calling_cycle that names so many actors
};
struct Left {
  using Reply = int64_t;  // what is left of the deadline, us; -1: there is none
};

class Link : public Actor<Link, Along, LastError, Left> {
 public:
  Task<int64_t> On(Along m) {
    if (m.nap_us != 0) co_await Sleep(absl::Microseconds(m.nap_us));
    if (m.rest == 0) co_return 1;
    Along request = m;
    for (int i = 0; i + 1 < 4; ++i) request.next[i] = m.next[i + 1];
    --request.rest;
    const absl::StatusOr<int64_t> taken =
        co_await TryCall(m.next[0], request, absl::Microseconds(m.timeout_us));
    if (taken.ok()) co_return *taken < 0 ? *taken : *taken + 1;
    error_ = static_cast<int64_t>(taken.status().code());
    const std::string text(taken.status().message());
    if (text.find("calling_cycle: ") == 0) {
      error_ = 100;
      for (size_t at = 0; (at = text.find(" -> ", at)) != std::string::npos; ++at) ++error_;
    }
    co_return -static_cast<int64_t>(taken.status().code());
  }
  int64_t On(const LastError&) { return error_; }
  int64_t On(const Left&) {
    return Deadline() == 0 ? -1 : static_cast<int64_t>((Deadline() - Now()) / 1000);
  }

 private:
  int64_t error_ = 0;
};

class CallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SystemOptions options;
    options.shards = 3;
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 12;
    system_ = System::Start(options).value();
  }
  void TearDown() override { EXPECT_TRUE(system_->Counters().AddUp()); }
  void Pass(absl::Duration duration) {
    clock_.Advance(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  Handle<Caller> Calling(const Handle<Desk>& desk, How how, uint64_t timeout_us = 5'000'000) {
    auto caller = system_->Spawn<Caller>("caller" + std::to_string(++callers_));
    caller.Cast(Start{desk, how, timeout_us});
    system_->WaitIdle();
    return caller;
  }
  int64_t OutcomesOf(const Handle<Caller>& caller) {
    system_->WaitIdle();
    return caller.Call(Outcomes{}).value_or(-1);
  }
  uint64_t DeadLetters(DeadLetterCause cause) {
    return system_->Counters().dead_letters[static_cast<size_t>(cause)];
  }
  std::vector<Handle<Link>> Links(int count) {
    std::vector<Handle<Link>> links;
    for (int i = 0; i < count; ++i) {
      links.push_back(system_->Spawn<Link>("link" + std::to_string(i)));
    }
    return links;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<System> system_;
  int callers_ = 0;
};

TEST_F(CallTest, AnAnswerMayComeInTheHandlerLaterOrFromAnother) {
  const auto clerk = system_->Spawn<Clerk>("clerk");
  const auto desk = system_->Spawn<Desk>("desk");
  desk.Cast(UseClerk{clerk});
  EXPECT_EQ(desk.Call(Ask{How::kAtOnce}).value_or(-1), 1);
  const auto later = Calling(desk, How::kKeep);
  EXPECT_EQ(OutcomesOf(later), -1) << "it still waits";
  desk.Cast(Answer2{7});
  EXPECT_EQ(OutcomesOf(later), 1007);
  const auto passed_on = Calling(desk, How::kPassOn);
  clerk.Cast(Answer2{8});
  EXPECT_EQ(OutcomesOf(passed_on), 1008);
  auto coroutine = desk.CallAsync(Get{});
  system_->WaitIdle();
  Pass(absl::Microseconds(11));
  EXPECT_EQ(coroutine.Wait().value_or(-1), 10) << "a coroutine that takes a ReplyTo";
  const auto refused = Calling(desk, How::kKeep);
  desk.Cast(Refuse{});
  EXPECT_EQ(OutcomesOf(refused), Failed(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(desk.Call(Ask{How::kAtOnce}).value_or(-1), 1)
      << "an error that is answered is no crash";
}

TEST_F(CallTest, S14_AServerThatEndsTellsThoseWhoseAnswersWereToComeLater) {
  const auto desk = system_->Spawn<Desk>("desk");
  const auto first = Calling(desk, How::kKeep);
  const auto second = Calling(desk, How::kKeep);
  const auto third = Calling(desk, How::kThrow);
  for (const auto& caller : {first, second, third}) {
    EXPECT_EQ(OutcomesOf(caller), Failed(absl::StatusCode::kInternal));
  }
  const auto stopping = system_->Spawn<Desk>("stopping");
  EXPECT_EQ(stopping.Call(Ask{How::kStop}).status().code(), absl::StatusCode::kAborted);
}

TEST_F(CallTest, S15_StopWithAnAnswerAnswersFirst) {
  const auto desk = system_->Spawn<Desk>("desk");
  EXPECT_EQ(desk.Call(Ask{How::kAnswerAndStop}).value_or(-1), 1);
  EXPECT_EQ(desk.Call(Ask{How::kAtOnce}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CallTest, S17_ASecondAnswerIsDropped) {
  const auto clerk = system_->Spawn<Clerk>("clerk");
  const auto desk = system_->Spawn<Desk>("desk");
  desk.Cast(UseClerk{clerk});
  const auto own = Calling(desk, How::kKeep);
  desk.Cast(Answer2{7, 1});
  EXPECT_EQ(OutcomesOf(own), 1007);
  const auto passed_on = Calling(desk, How::kPassOn);
  clerk.Cast(Answer2{8, 1});
  EXPECT_EQ(OutcomesOf(passed_on), 1008);
  // Answered by the clerk, so the desk's end is nothing to its caller.
  desk.Stop();
  EXPECT_EQ(OutcomesOf(passed_on), 1008);
  EXPECT_EQ(OutcomesOf(own), 1007);
}

TEST_F(CallTest, S17_AnAnswerAfterTheTimeoutIsDropped) {
  const auto desk = system_->Spawn<Desk>("desk");
  const auto caller = Calling(desk, How::kKeep, 100);
  Pass(absl::Microseconds(101));
  desk.Cast(Answer2{7});
  EXPECT_EQ(OutcomesOf(caller), Failed(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(OutcomesOf(caller), Failed(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(CallTest, ARequestThatNobodyHandlesIsAnsweredOnce) {
  const auto desk = system_->Spawn<Desk>("desk");
  Handle<Link> wrong(system_.get(), desk.ref().address);
  EXPECT_EQ(wrong.Call(LastError{}).status().code(), absl::StatusCode::kUnimplemented);
  desk.Stop();
  system_->WaitIdle();
  EXPECT_EQ(system_->ThreadPort().late_replies(), 0u) << "no second answer when it ends";
}

TEST_F(CallTest, TheTimeOfACallIsTheTimeOfAllCallsMadeForIt) {
  const auto links = Links(3);
  EXPECT_EQ(links[0].Call(Left{}, absl::Milliseconds(3)).value_or(-1), 3'000);
  EXPECT_EQ(links[0].Call(Left{}, absl::InfiniteDuration()).value_or(0), -1);
  // The second link naps longer than the port waits, and so long nobody waits for it.
  Along along{{links[1], links[2]}, 2};
  along.nap_us = 600;
  auto answer = links[0].CallAsync(along, absl::Milliseconds(1));
  system_->WaitIdle();
  Pass(absl::Microseconds(601));  // the first one calls the second
  Pass(absl::Microseconds(390));
  EXPECT_EQ(links[0].Call(LastError{}, absl::InfiniteDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded)
      << "it waits";
  Pass(absl::Microseconds(20));  // the time is over: not 5 s later, as the call itself says
  EXPECT_EQ(answer.Wait().value_or(0), -static_cast<int64_t>(absl::StatusCode::kDeadlineExceeded));
  // Woken when the time is over, the second one does not even send.
  const uint64_t delivered = system_->Counters().delivered;
  Pass(absl::Microseconds(200));
  EXPECT_EQ(links[1].Call(LastError{}).value_or(-1),
            static_cast<int64_t>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(system_->Counters().delivered, delivered + 3) << "its timer, its answer, this call";
}

TEST_F(CallTest, WhatWaitedTooLongIsSkippedAndCounted) {
  const auto links = Links(1);
  Along nap{};
  nap.nap_us = 1'000;
  auto busy = links[0].CallAsync(nap);
  auto late = links[0].CallAsync(Along{}, absl::Microseconds(500));
  auto patient = links[0].CallAsync(Along{});
  system_->WaitIdle();
  Pass(absl::Microseconds(1'001));
  EXPECT_EQ(busy.Wait().value_or(-1), 1);
  EXPECT_EQ(late.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(patient.Wait().value_or(-1), 1);
  EXPECT_EQ(DeadLetters(DeadLetterCause::kExpired), 1u);
}

TEST_F(CallTest, ManyCallsOfOneThreadAreAnsweredInAnyOrder) {
  const auto desk = system_->Spawn<Desk>("desk");
  auto kept = desk.CallAsync(Ask{How::kKeep});
  std::vector<PendingCall<int64_t>> at_once;
  for (int i = 0; i < 50; ++i) at_once.push_back(desk.CallAsync(Ask{How::kAtOnce}));
  system_->WaitIdle();
  EXPECT_FALSE(kept.ready());
  EXPECT_TRUE(at_once.back().ready());
  while (!at_once.empty()) {
    EXPECT_EQ(at_once.back().Wait().value_or(-1), 1);
    EXPECT_EQ(at_once.back().Wait().status().code(), absl::StatusCode::kFailedPrecondition);
    at_once.pop_back();
  }
  EXPECT_EQ(desk.Call(Ask{How::kAtOnce}).value_or(-1), 1) << "while another one is open";
  { auto dropped = desk.CallAsync(Ask{How::kAtOnce}); }
  system_->WaitIdle();
  EXPECT_EQ(kept.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(system_->ThreadPort().late_replies(), 1u) << "the dropped one's";
  // Nobody reads meanwhile, and yet no answer is lost: there is a limit instead.
  at_once.clear();
  while (at_once.size() < 1'000) at_once.push_back(desk.CallAsync(Ask{How::kKeep}));
  system_->WaitIdle();
  EXPECT_EQ(at_once.back().Wait().status().code(), absl::StatusCode::kResourceExhausted);
  desk.Stop();
  size_t told = 0;
  for (auto& call : at_once) told += call.Wait().status().code() == absl::StatusCode::kAborted;
  EXPECT_EQ(told, Port::kMaxOpenCalls);
  EXPECT_EQ(Handle<Desk>().CallAsync(Get{}).Wait().status().code(), absl::StatusCode::kNotFound);
}

class RingTest : public CallTest, public ::testing::WithParamInterface<int> {};

// One call that comes back to who began: the last one is told.
TEST_P(RingTest, AChainThatComesBackIsACycle) {
  const int size = GetParam();
  const auto links = Links(size);
  Along along{};
  for (int i = 1; i < size; ++i) along.next[i - 1] = links[i];
  along.next[size - 1] = links[0];
  along.rest = size;
  EXPECT_EQ(links[0].Call(along).value_or(0),
            -static_cast<int64_t>(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(links[size - 1].Call(LastError{}).value_or(-1), 100 + size)
      << "it names all actors of the ring";
  EXPECT_EQ(DeadLetters(DeadLetterCause::kCycle), 1u);
}

// Calls of different origin that meet.
TEST_P(RingTest, CallsThatCrossAreACycle) {
  const int size = GetParam();
  const auto links = Links(size);
  std::vector<PendingCall<int64_t>> calls;
  for (int i = 0; i < size; ++i) {
    Along along{{links[(i + 1) % size]}, 1};
    along.nap_us = 10;  // all have begun before anybody calls
    calls.push_back(links[i].CallAsync(along));
  }
  system_->WaitIdle();
  for (int i = 0; i < 10 * size; ++i) Pass(absl::Microseconds(10));
  int failed = 0;
  for (auto& call : calls) failed += call.Wait().value_or(0) < 0;
  EXPECT_GE(failed, 1) << "nobody hangs";
  EXPECT_GE(DeadLetters(DeadLetterCause::kCycle), 1u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, RingTest, ::testing::Values(2, 3, 4));

// A queue in front of a slow chain is no ring, however it is stirred.
TEST_F(CallTest, SlowCallsAreNoCycle) {
  const auto links = Links(4);
  std::vector<PendingCall<int64_t>> calls;
  for (int i = 0; i < 40; ++i) {
    Along along{{links[i % 3 + 1], links[3]}, i % 3 < 2 ? 2u : 1u};
    along.nap_us = 1 + i % 5;
    calls.push_back(links[0].CallAsync(along));
    if (i % 4 == 0) calls.push_back(links[1].CallAsync(Along{{links[2], links[3]}, 2, 2}));
    if (i % 4 == 2) calls.push_back(links[2].CallAsync(Along{{links[3]}, 1, 3}));
  }
  system_->WaitIdle();
  for (int i = 0; i < 600; ++i) Pass(absl::Microseconds(2));
  for (auto& call : calls) EXPECT_GE(call.Wait().value_or(-99), 1);
  EXPECT_EQ(DeadLetters(DeadLetterCause::kCycle), 0u);
}

}  // namespace call_test
}  // namespace bitactor
