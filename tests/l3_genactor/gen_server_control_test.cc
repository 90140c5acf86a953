// What is done with an actor from outside, unlisted messages, and the raw GenActor. Numbers:
// otp_test.cc. Impossible by type, so without a test: 4 and 18 of a GenActor (a callback returns a
// GenResult or a GenCallResult, and nothing else makes them; HandleCast cannot answer).
#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bitactor/l3_genactor/genactor.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor {
namespace gen_server_control_test {

struct Add {
  int64_t n;
};
struct Get {
  using Reply = int64_t;
};
struct Nap {
  uint64_t microseconds;
};
struct Fail {};
struct Unlisted {
  int64_t n;
};

TickClock* slow_clock = nullptr;  // what Terminate takes its time from

class Server : public Actor<Server, Add, Get, Nap, Fail> {
 public:
  static constexpr MailboxOptions kMailbox{.capacity_frames = 4};

  void On(const Add& m) { total_ += m.n; }
  int64_t On(const Get&) { return total_; }
  Task<void> On(Nap m) { co_await Sleep(absl::Microseconds(m.microseconds)); }
  void On(const Fail&) { throw std::runtime_error("failed"); }
  void OnInfo(const Message& m) {
    if (m.Is<Unlisted>()) total_ += 1000 * m.As<Unlisted>().n;
  }
  void Terminate(const ExitReason&) {
    if (slow_clock != nullptr) slow_clock->Advance(2'000'000);
  }
  std::string FormatStatus() const {
    if (total_ == 13) throw std::runtime_error("secret 13");
    return "total " + std::to_string(total_);
  }
  absl::Status CodeChange(uint64_t from_version) {
    total_ = -total_;
    return from_version == 1 ? absl::OkStatus() : absl::UnimplementedError("unknown version");
  }
  int64_t total() const { return total_; }

 private:
  int64_t total_ = 0;
};

// Takes 2 ms to start.
class Sluggish : public Actor<Sluggish, Add> {
 public:
  static constexpr absl::Duration kStartTimeout = absl::Milliseconds(1);
  void Init() { slow_clock->Advance(2'000'000); }
  void Terminate(const ExitReason&) { ADD_FAILURE() << "it is killed"; }
  void On(const Add&) {}
};

// Lists nothing that it could miss, and has no OnInfo.
class Strict : public Actor<Strict, Add> {
 public:
  void On(const Add&) {}
};

struct Put {
  int64_t value;
};
struct PutThenGoOn {
  int64_t value;
};
struct Leave {
  using Reply = int64_t;
};
struct OtherCall {
  using Reply = int64_t;
};
struct Wait {
  uint64_t microseconds;
};
struct Alarm {
  int64_t value;
};

class Store : public GenActor<Store> {
 public:
  absl::Status Init() {
    SendAfter(absl::Microseconds(50), Alarm{5});
    return absl::OkStatus();
  }
  GenCallResult HandleCall(const Message& m) {
    if (m.Is<Get>()) return Reply(value_);
    if (m.Is<Leave>()) return Stop(ExitReason::Shutdown(), value_);
    return Stop(ExitReason::Error(absl::InvalidArgumentError("bad_call")));
  }
  GenResult HandleCast(const Message& m) {
    if (m.Is<PutThenGoOn>()) {
      Write(m.As<PutThenGoOn>().value);
      return NoReply().Continue(Put{8});
    }
    if (m.Is<Wait>()) return NoReply().Timeout(absl::Microseconds(m.As<Wait>().microseconds));
    Write(m.As<Put>().value);
    return NoReply();
  }
  GenResult HandleInfo(const Message& m) {
    Write(m.Is<IdleTimeout>() ? 9 : m.As<Alarm>().value);
    return NoReply();
  }
  GenResult HandleContinue(const Message& m) {
    Write(m.As<Put>().value);
    return NoReply();
  }

 private:
  void Write(int64_t digit) { value_ = value_ * 10 + digit; }

  int64_t value_ = 0;
};

// Nothing but what it must have.
class Bare : public GenActor<Bare> {
 public:
  GenCallResult HandleCall(const Message&) { return Reply(int64_t{1}); }
  GenResult HandleCast(const Message& m) {
    if (m.Is<Put>()) return NoReply().Continue(Put{1});
    SendAfter(absl::ZeroDuration(), Put{2});
    return NoReply();
  }
};

class GenServerControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    slow_clock = nullptr;
    system_ = System::Start(Options()).value();
  }
  SystemOptions Options() {
    SystemOptions options;
    options.shards = 2;
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 8;
    return options;
  }
  void Pass(uint64_t microseconds) {
    clock_.Advance(microseconds * 1000);
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  int64_t TotalOf(const char* name) {
    int64_t total = -1;
    system_->Inspect<Server>(name, [&total](const Server& s) { total = s.total(); });
    return total;
  }
  uint64_t DeadLetters(DeadLetterCause cause) {
    return system_->Counters().dead_letters[static_cast<size_t>(cause)];
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<System> system_;
};

TEST_F(GenServerControlTest,
       S34_StateIsReadAndReplacedWhileSuspendedAndAFailingReplaceChangesNothing) {
  const auto server = system_->Spawn<Server>("server");
  ASSERT_TRUE(system_->Suspend("server").ok());
  server.Cast(Add{1});
  system_->WaitIdle();
  EXPECT_EQ(TotalOf("server"), 0) << "it waits";
  EXPECT_EQ(system_->Status("server")->state, ActorState::kSuspended);
  const auto replace = [this](auto change) {
    return system_->ReplaceState<Server>("server", change);
  };
  EXPECT_TRUE(replace([](Server& s) { return s.On(Add{40}), absl::OkStatus(); }).ok());
  EXPECT_EQ(TotalOf("server"), 40);
  EXPECT_EQ(replace([](Server& s) { return s.On(Add{7}), absl::AbortedError("no"); }),
            absl::AbortedError("no"));
  EXPECT_EQ(replace([](Server& s) -> absl::Status {
              s.On(Add{7});
              throw std::runtime_error("thrown");
            }).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(TotalOf("server"), 40);
  ASSERT_TRUE(system_->Resume("server").ok());
  EXPECT_EQ(server.Call(Get{}).value_or(-1), 41);
  EXPECT_EQ(system_->Suspend("nobody").code(), absl::StatusCode::kNotFound);
}

TEST_F(GenServerControlTest, S35_AFailingCodeChangeKeepsTheOldState) {
  const auto server = system_->Spawn<Server>("server");
  server.Cast(Add{3});
  system_->WaitIdle();
  EXPECT_EQ(system_->ChangeCode<Server>("server", 7), absl::UnimplementedError("unknown version"));
  EXPECT_EQ(server.Call(Get{}).value_or(-1), 3);
  EXPECT_TRUE(system_->ChangeCode<Server>("server", 1).ok());
  EXPECT_EQ(server.Call(Get{}).value_or(-1), -3);
}

TEST_F(GenServerControlTest, SuspendLetsWhatIsUnderWayEndAndARestartEndsIt) {
  const auto supervisor = system_->Supervise({.max_restarts = 3});
  const auto server = supervisor.Spawn<Server>("server");
  server.Cast(Nap{100});
  server.Cast(Add{1});
  system_->WaitIdle();
  EXPECT_EQ(system_->Status("server")->state, ActorState::kWaiting);
  ASSERT_TRUE(system_->Suspend("server").ok());
  Pass(110);
  EXPECT_EQ(system_->Status("server")->queued, 1u) << "the nap is over, and nothing new begins";
  server.Stop();
  system_->WaitIdle();
  EXPECT_EQ(server.Call(Get{}).value_or(-1), 1);
  EXPECT_EQ(system_->Status("server")->restarts, 1u);
}

TEST_F(GenServerControlTest, S32_AFailingFormatStatusIsContainedAndHidesTheState) {
  const auto server = system_->Spawn<Server>("server");
  server.Cast(Add{12});
  system_->WaitIdle();
  const ActorStatus status = system_->Status("server").value();
  EXPECT_EQ(status.text, "total 12");
  EXPECT_EQ(status.handled, 1u);
  EXPECT_NE(status.ToString().find("server (bitactor::gen_server_control_test::Server, id "),
            std::string::npos)
      << status.ToString();
  EXPECT_NE(status.ToJson().find(R"("state":"ready","queued":0)"), std::string::npos)
      << status.ToJson();
  server.Cast(Add{1});
  system_->WaitIdle();
  EXPECT_EQ(system_->Status("server")->text,
            "(FormatStatus failed: error INTERNAL: secret 13; the state is hidden)");
  EXPECT_EQ(server.Call(Get{}).value_or(-1), 13) << "it lives";
}

TEST_F(GenServerControlTest, S05_AnInitOverItsTimeoutIsNoStart) {
  slow_clock = &clock_;
  const absl::Status status = system_->Spawn<Sluggish>("sluggish").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_NE(status.message().find("took 2000 us; kStartTimeout allows 1000 us"),
            absl::string_view::npos)
      << status;
  EXPECT_EQ(system_->Find<Sluggish>("sluggish").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(GenServerControlTest, S33_StopSaysWhetherTheActorEnded) {
  const auto server = system_->Spawn<Server>("server");
  EXPECT_EQ(server.Stop(ExitReason::Normal(), absl::Seconds(-1)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(server.Call(Get{}).ok()) << "it lives";
  EXPECT_TRUE(server.Stop(ExitReason::Normal(), absl::Seconds(1)).ok());
  EXPECT_EQ(server.Stop(ExitReason::Normal(), absl::Seconds(1)).code(),
            absl::StatusCode::kNotFound);
  slow_clock = &clock_;
  const auto slow = system_->Spawn<Server>("slow");
  EXPECT_EQ(slow.Stop(ExitReason::Normal(), absl::Milliseconds(1)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(GenServerControlTest, S33_AStopThatItsShardDoesNotComeToIsOverTimeAndHappensThen) {
  SystemOptions options;
  options.fabric.mailboxes = 4;
  const std::unique_ptr<System> threaded = System::Start(options).value();
  const auto server = threaded->Spawn<Server>("server");
  std::promise<void> begun;
  std::promise<void> go_on;
  std::thread blocker([&] {
    threaded->Inspect<Server>("server", [&](const Server&) {
      begun.set_value();
      go_on.get_future().wait();
    });
  });
  begun.get_future().wait();
  EXPECT_EQ(server.Stop(ExitReason::Normal(), absl::Milliseconds(1)).code(),
            absl::StatusCode::kDeadlineExceeded);
  go_on.set_value();
  blocker.join();
  EXPECT_EQ(server.Stop(ExitReason::Normal(), absl::InfiniteDuration()).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(GenServerControlTest, S28_AnUnlistedMessageIsInfoOrACountedDeadLetter) {
  const auto server = system_->Spawn<Server>("server");
  const auto strict = system_->Spawn<Strict>("strict");
  Port port = system_->fabric().OpenPort();
  port.Send(server.ref().address, Unlisted{2});
  port.Send(strict.ref().address, Unlisted{2});
  EXPECT_EQ(server.Call(Get{}).value_or(-1), 2000);
  system_->WaitIdle();
  EXPECT_EQ(DeadLetters(DeadLetterCause::kUnhandled), 1u);
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(GenServerControlTest, AClassSaysHowManyMessagesMayWait) {
  const auto server = system_->Spawn<Server>("server");
  Port port = system_->fabric().OpenPort();
  port.Send(server.ref().address, Nap{100});
  system_->WaitIdle();
  for (int i = 0; i < 10; ++i) port.Send(server.ref().address, Add{1});
  system_->WaitIdle();
  EXPECT_EQ(system_->Status("server")->queued, 4u);
  Pass(110);
  EXPECT_EQ(TotalOf("server"), 4);
}

TEST_F(GenServerControlTest, ATracerSeesWhatTheActorHandles) {
  const auto supervisor = system_->Supervise({.max_restarts = 3});
  const auto server = supervisor.Spawn<Server>("server");
  std::vector<ActorEvent> events;
  ASSERT_TRUE(
      system_->Trace("server", [&events](const ActorEvent& e) { events.push_back(e); }).ok());
  server.Cast(Add{1});
  server.Cast(Fail{});
  server.Cast(Add{1});
  system_->WaitIdle();
  using Kind = ActorEvent::Kind;
  std::vector<Kind> kinds;
  for (const ActorEvent& event : events) kinds.push_back(event.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kBegin, Kind::kDone, Kind::kBegin, Kind::kCrash,
                                      Kind::kBegin, Kind::kDone}));
  EXPECT_EQ(events[0].type, TypeId<Add>());
  EXPECT_EQ(events[3].reason.text(), "failed");
  EXPECT_NE(events[3].ToString().find("crashed: error INTERNAL: failed"), std::string::npos);
  ASSERT_TRUE(system_->Trace("server", {}).ok());
  server.Cast(Add{1});
  system_->WaitIdle();
  EXPECT_EQ(events.size(), 6u);
}

TEST_F(GenServerControlTest, ARawActorAnswersGoesOnWaitsAndStops) {
  const auto store = system_->Spawn<Store>("store");
  store.Cast(PutThenGoOn{1});
  store.Cast(Put{2});
  EXPECT_EQ(store.Call(Get{}).value_or(-1), 182);
  Pass(60);
  EXPECT_EQ(store.Call(Get{}).value_or(-1), 1825) << "a timer is info";
  store.Cast(Wait{100});
  system_->WaitIdle();
  Pass(110);
  EXPECT_EQ(store.Call(Get{}).value_or(-1), 18'259) << "so is silence";
  Pass(500);
  EXPECT_EQ(store.Call(Leave{}).value_or(-1), 18'259) << "of one return; answers, then stops";
  EXPECT_EQ(store.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(GenServerControlTest, S14_ARawActorThatStopsWithoutAnAnswerGivesItsReason) {
  const auto store = system_->Spawn<Store>("store");
  EXPECT_EQ(store.Call(OtherCall{}).status(), absl::InvalidArgumentError("bad_call"));
  EXPECT_EQ(store.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(GenServerControlTest, S28_WithoutHandleContinueItIsACrashWithoutHandleInfoADeadLetter) {
  const auto bare = system_->Spawn<Bare>("bare");
  bare.Cast(Add{1});
  Pass(1);
  EXPECT_EQ(DeadLetters(DeadLetterCause::kUnhandled), 1u);
  EXPECT_EQ(bare.Call(Get{}).value_or(-1), 1);
  bare.Cast(Put{1});
  system_->WaitIdle();
  EXPECT_EQ(bare.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace gen_server_control_test
}  // namespace bitactor
