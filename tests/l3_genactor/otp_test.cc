// OTP's semantics, by the numbers of the list that L3 reproduces. A statement that C++'s types make
// impossible to break has no test: 4 and 18 (a callback's result has one type), 44 (a child's
// specification is a function's arguments).
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"

namespace bitactor {
namespace otp_test {

uint64_t inits = 0;

struct Get {
  using Reply = int64_t;
};
struct Add {
  int64_t n;
};
// Answered 200 us later, and counted then.
struct Slow {
  using Reply = int64_t;
};
// How a server ends while it handles a call.
enum class End : uint64_t { kNormal, kShutdown, kShutdownWith, kThrow, kError };
struct EndNow {
  End how;
  using Reply = int64_t;
};

class Server : public Actor<Server, Get, Add, Slow, EndNow> {
 public:
  explicit Server(int64_t total = 0) : total_(total) {}
  absl::Status Init() {
    ++inits;
    if (total_ < 0) return absl::InvalidArgumentError("a total below 0");
    return absl::OkStatus();
  }
  int64_t On(const Get&) { return total_; }
  void On(const Add& m) { total_ += m.n; }
  Task<int64_t> On(Slow) {
    co_await Sleep(absl::Microseconds(200));
    co_return ++total_;
  }
  // Ends without an answer, but for kNormal, which answers first.
  Task<int64_t> On(EndNow m) {
    switch (m.how) {
      case End::kNormal:
        Stop(ExitReason::Normal());
        break;
      case End::kShutdown:
        Stop(ExitReason::Shutdown());
        break;
      case End::kShutdownWith:
        Stop(ExitReason::ShutdownWith("maintenance"));
        break;
      case End::kThrow:
        throw std::runtime_error("thrown");
      case End::kError:
        co_await Call(Ref<Server>{}, Get{});
    }
    co_return total_;
  }

 private:
  int64_t total_;
};

struct CallIt {
  Ref<Server> server;
  uint64_t timeout_us;  // 0: the default
  uint64_t slow = 0;    // whether to call Slow instead of Get
};
struct CallYourself {
  using Reply = int64_t;
};
struct Outcome {
  using Reply = int64_t;  // the last call's status code, or 100 + its value
};

class Client : public Actor<Client, CallIt, CallYourself, Get, Outcome, Add> {
 public:
  Task<void> On(CallIt m) {
    if (m.slow != 0) {
      Note(co_await TryCall(m.server, Slow{}, absl::Microseconds(m.timeout_us)));
    } else if (m.timeout_us != 0) {
      Note(co_await TryCall(m.server, Get{}, absl::Microseconds(m.timeout_us)));
    } else {
      Note(co_await TryCall(m.server, Get{}));
    }
  }
  Task<int64_t> On(CallYourself) { co_return co_await Call(self(), Get{}); }
  int64_t On(const Get&) { return 0; }
  int64_t On(const Outcome&) { return outcome_; }
  void On(const Add& m) { Cast(Ref<Server>{Address{ActorId{4'711}}}, m); }

 private:
  void Note(const absl::StatusOr<int64_t>& value) {
    outcome_ = value.ok() ? 100 + *value : static_cast<int64_t>(value.status().code());
  }

  int64_t outcome_ = 0;
};

class OtpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    inits = 0;
    SystemOptions options;
    options.shards = 2;
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 8;
    system_ = System::Start(options).value();
  }
  void Pass(absl::Duration duration) {
    clock_.Advance(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  int64_t OutcomeOf(const Handle<Client>& client) { return client.Call(Outcome{}).value_or(-1); }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<System> system_;
};

TEST_F(OtpTest, S01_StartReturnsAfterInit) {
  const auto server = system_->Spawn<Server>("server");
  EXPECT_TRUE(server.ok());
  EXPECT_EQ(inits, 1u);
}

TEST_F(OtpTest, S02_AnErrorOfInitIsTheErrorOfTheStartAndNobodyIsThere) {
  const auto supervisor = system_->Supervise({.max_restarts = 0});
  const auto server = supervisor.Spawn<Server>("server", Restart::kPermanent, int64_t{-1});
  EXPECT_EQ(server.status(), absl::InvalidArgumentError("a total below 0"));
  EXPECT_EQ(system_->Find<Server>("server").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(supervisor.gave_up()) << "a start that fails is no restart";
}

TEST_F(OtpTest, S08_NameTakenIsAlreadyStartedAndInitIsNotCalled) {
  const auto first = system_->Spawn<Server>("server", int64_t{7});
  const auto second = system_->Spawn<Server>("server", int64_t{8});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(inits, 1u);
  EXPECT_EQ(first.Call(Get{}).value_or(-1), 7);
}

TEST_F(OtpTest, S09_ACallWaitsFiveSecondsByDefault) {
  const auto client = system_->Spawn<Client>("client");
  const Ref<Server> silent{system_->fabric().Intern("silent")};
  client.Cast(CallIt{silent, 0});
  system_->WaitIdle();
  // The timeout counts from the message that made the caller call.
  Pass(absl::Milliseconds(4'999));
  EXPECT_EQ(system_->Counters().delivered, 1u) << "it still waits";
  Pass(absl::Milliseconds(2));
  EXPECT_EQ(OutcomeOf(client), static_cast<int64_t>(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(OtpTest, S10_ACallToNobodyFailsAtOnce) {
  const auto client = system_->Spawn<Client>("client");
  client.Cast(CallIt{Ref<Server>{Address{ActorId{4'711}}}, 0});
  system_->WaitIdle();
  EXPECT_EQ(OutcomeOf(client), static_cast<int64_t>(absl::StatusCode::kNotFound));
}

TEST_F(OtpTest, S10_ACallToOneWhoEndedFailsAtOnce) {
  const auto server = system_->Spawn<Server>("server");
  server.Stop();
  EXPECT_EQ(server.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OtpTest, S11_ACallToItselfIsRefusedAndNeverHangs) {
  const auto client = system_->Spawn<Client>("client");
  const absl::StatusOr<int64_t> value = client.Call(CallYourself{});
  EXPECT_EQ(value.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(value.status().message().find("calling_self"), absl::string_view::npos)
      << value.status();
}

TEST_F(OtpTest, S12_AfterATimeoutTheCallerGoesOnAndSoDoesTheServer) {
  const auto client = system_->Spawn<Client>("client");
  const auto server = system_->Spawn<Server>("server");
  client.Cast(CallIt{server, 100, /*slow=*/1});
  system_->WaitIdle();
  Pass(absl::Microseconds(101));
  EXPECT_EQ(OutcomeOf(client), static_cast<int64_t>(absl::StatusCode::kDeadlineExceeded));
  Pass(absl::Microseconds(101));
  EXPECT_EQ(server.Call(Get{}).value_or(-1), 1) << "what it had begun it has done";
}

TEST_F(OtpTest, S14_AServerThatEndsDuringACallGivesItsReason) {
  struct Case {
    End how;
    absl::Status expected;
  };
  const std::vector<Case> cases = {
      {End::kThrow, absl::InternalError("thrown")},
      {End::kError, absl::NotFoundError("no_target")},
  };
  for (const Case& c : cases) {
    const auto server =
        system_->Spawn<Server>("server" + std::to_string(static_cast<uint64_t>(c.how)));
    EXPECT_EQ(server.Call(EndNow{c.how}).status(), c.expected);
    EXPECT_EQ(server.Call(Get{}).status().code(), absl::StatusCode::kNotFound) << "it ended";
  }
}

TEST_F(OtpTest, S14_AServerThatIsStoppedDuringACallGivesItsReason) {
  const auto client = system_->Spawn<Client>("client");
  const auto server = system_->Spawn<Server>("server");
  client.Cast(CallIt{server, 1'000, /*slow=*/1});
  system_->WaitIdle();
  server.Stop(ExitReason::ShutdownWith("maintenance"));
  system_->WaitIdle();
  EXPECT_EQ(OutcomeOf(client), static_cast<int64_t>(absl::StatusCode::kAborted));
}

TEST_F(OtpTest, S14_ARequestThatItsServerHadNotBegunFindsNobody) {
  const auto first = system_->Spawn<Client>("first");
  const auto second = system_->Spawn<Client>("second");
  const auto server = system_->Spawn<Server>("server");
  first.Cast(CallIt{server, 1'000, /*slow=*/1});
  system_->WaitIdle();
  second.Cast(CallIt{server, 1'000, /*slow=*/1});  // waits behind the first one's
  system_->WaitIdle();
  server.Stop();
  system_->WaitIdle();
  EXPECT_EQ(OutcomeOf(first), static_cast<int64_t>(absl::StatusCode::kAborted));
  EXPECT_EQ(OutcomeOf(second), static_cast<int64_t>(absl::StatusCode::kNotFound));
}

TEST_F(OtpTest, S15_StopInAHandlerThatAnswersEndsAfterTheAnswer) {
  for (const End how : {End::kNormal, End::kShutdown, End::kShutdownWith}) {
    const auto server =
        system_->Spawn<Server>("server" + std::to_string(static_cast<uint64_t>(how)), int64_t{5});
    EXPECT_EQ(server.Call(EndNow{how}).value_or(-1), 5);
    EXPECT_EQ(server.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
  }
}

TEST_F(OtpTest, S17_AnAnswerAfterTheCallReturnedIsDropped) {
  const auto client = system_->Spawn<Client>("client");
  const auto server = system_->Spawn<Server>("server");
  client.Cast(CallIt{server, 100, /*slow=*/1});
  system_->WaitIdle();
  Pass(absl::Microseconds(101));
  client.Cast(CallIt{Ref<Server>{Address{ActorId{4'711}}}, 0});
  Pass(absl::Microseconds(
      101));  // the answer of the first call comes after the second one's outcome
  EXPECT_EQ(OutcomeOf(client), static_cast<int64_t>(absl::StatusCode::kNotFound));
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(OtpTest, S20_ACastToNobodyReturnsAtOnceAndHarmsNobody) {
  const auto client = system_->Spawn<Client>("client");
  EXPECT_EQ(client.Cast(Add{1}), SendResult::kOk);
  system_->WaitIdle();
  EXPECT_EQ(OutcomeOf(client), 0) << "it lives";
  const auto counters = system_->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kNoTarget)], 1u);
}

TEST_F(OtpTest, S42_DefaultsAreThoseOfOtp) {
  const SupervisorOptions options;
  EXPECT_EQ(options.strategy, Strategy::kOneForOne);
  EXPECT_EQ(options.max_restarts, 1u);
  EXPECT_EQ(options.within, absl::Seconds(5));
  const auto supervisor = system_->Supervise();
  const auto child = supervisor.Spawn<Server>("child");
  EXPECT_FALSE(child.Call(EndNow{End::kThrow}).ok());
  EXPECT_TRUE(child.Call(Get{}).ok()) << "permanent: it was restarted";
  EXPECT_FALSE(child.Call(EndNow{End::kThrow}).ok());
  EXPECT_TRUE(supervisor.gave_up()) << "a second restart within five seconds is one too many";
}

TEST_F(OtpTest, S43_APeriodOfZeroIsInvalidAndAnIntensityOfZeroIsNot) {
  const auto invalid = system_->Supervise({.max_restarts = 1, .within = absl::ZeroDuration()});
  EXPECT_EQ(invalid.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(invalid.status().message().find("period"), absl::string_view::npos) << invalid.status();
  EXPECT_EQ(invalid.Spawn<Server>("child").status(), invalid.status());
  const auto strict = system_->Supervise({.max_restarts = 0});
  EXPECT_TRUE(strict.status().ok());
  const auto child = strict.Spawn<Server>("child");
  EXPECT_FALSE(child.Call(EndNow{End::kThrow}).ok());
  EXPECT_TRUE(strict.gave_up()) << "the first failure is too many";
}

TEST_F(OtpTest, S47_WhoIsRestartedDependsOnTypeAndReason) {
  const auto supervisor = system_->Supervise({.max_restarts = 100});
  struct Case {
    Restart restart;
    End how;
    bool comes_back;
  };
  const std::vector<Case> cases = {
      {Restart::kPermanent, End::kNormal, true},
      {Restart::kPermanent, End::kShutdown, true},
      {Restart::kPermanent, End::kShutdownWith, true},
      {Restart::kPermanent, End::kThrow, true},
      {Restart::kTransient, End::kNormal, false},
      {Restart::kTransient, End::kShutdown, false},
      {Restart::kTransient, End::kShutdownWith, false},
      {Restart::kTransient, End::kThrow, true},
      {Restart::kTemporary, End::kNormal, false},
      {Restart::kTemporary, End::kShutdown, false},
      {Restart::kTemporary, End::kShutdownWith, false},
      {Restart::kTemporary, End::kThrow, false},
  };
  int n = 0;
  for (const Case& c : cases) {
    const auto child = supervisor.Spawn<Server>("child" + std::to_string(n), c.restart);
    child.Call(EndNow{c.how}).status().IgnoreError();
    EXPECT_EQ(child.Call(Get{}).ok(), c.comes_back) << "case " << n;
    ++n;
  }
}

TEST_F(OtpTest, S49_OverTheLimitAllChildrenEnd) {
  const auto supervisor = system_->Supervise({.max_restarts = 1});
  const auto bad = supervisor.Spawn<Server>("bad");
  const auto good = supervisor.Spawn<Server>("good");
  const auto transient = supervisor.Spawn<Server>("transient", Restart::kTransient);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(bad.Call(EndNow{End::kThrow}).ok());
  system_->WaitIdle();
  for (const auto& child : {bad, good, transient}) {
    EXPECT_EQ(child.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
  }
  EXPECT_EQ(supervisor.restarts(), 1u);
}

}  // namespace otp_test
}  // namespace bitactor
