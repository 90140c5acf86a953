// Links, monitors, exits and last words, by the numbers of otp_semantics (see otp_test.cc).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "bitactor/l3_genactor/system.h"

namespace bitactor {
namespace gen_server_signals_test {

// What happened, in order: "a: exit of 3: error ...". Written by actors of a driven system.
std::vector<std::string> story;

class Process;
struct LinkTo {
  Ref<Process> peer;
};
struct UnlinkFrom {
  Ref<Process> peer;
};
struct Watch {
  Ref<Process> who;
};
struct Unwatch {};
struct NapThenForget {
  Ref<Process> who;
};
struct SetTrap {
  bool trap;
};
struct End {
  ExitReason reason;
};
struct Throw {};
struct ThrowInTerminate {};
struct Tell {
  Ref<Process> who;
  ExitReason reason;
};
struct Nap {
  uint64_t unused = 0;
  using Reply = bool;
};
struct CallNap {
  Ref<Process> who;
};
struct Alive {
  using Reply = bool;
};

class Process
    : public Actor<Process, LinkTo, UnlinkFrom, Watch, Unwatch, SetTrap, End, Throw,
                   ThrowInTerminate, Tell, Nap, CallNap, NapThenForget, Alive, Exit, Down> {
 public:
  explicit Process(char name = '?') : name_(name) {}
  void On(const LinkTo& m) { Link(m.peer); }
  void On(const UnlinkFrom& m) { Unlink(m.peer); }
  void On(const Watch& m) { monitor_ = Monitor(m.who); }
  void On(const Unwatch&) { Demonitor(monitor_); }
  void On(const SetTrap& m) { SetTrapExits(m.trap); }
  void On(const End& m) { Stop(m.reason); }
  void On(const Throw&) { throw std::runtime_error("thrown"); }
  void On(const ThrowInTerminate&) {
    throws_ = true;
    Stop();
  }
  void On(const Tell& m) { SendExit(m.who, m.reason); }
  Task<bool> On(Nap) {
    co_await Sleep(absl::Milliseconds(1));
    co_return true;
  }
  Task<void> On(CallNap m) {
    const absl::StatusOr<bool> answer = co_await TryCall(m.who, Nap{});
    Say("nap " + std::string(answer.status().message()));
  }
  Task<void> On(NapThenForget m) {
    co_await Sleep(absl::Milliseconds(1));
    Unlink(m.who);
    Demonitor(monitor_);
  }
  bool On(const Alive&) { return true; }
  void On(const Exit& m) { Say("exit " + m.reason.ToString()); }
  void On(const Down& m) { Say("down " + m.reason.ToString()); }
  void Terminate(const ExitReason& reason) {
    Say("terminate " + reason.ToString());
    if (throws_) throw std::runtime_error("in terminate");
  }
  auto State() const { return std::tie(throws_, monitor_); }

 private:
  void Say(const std::string& what) { story.push_back(std::string(1, name_) + ": " + what); }

  char name_;
  bool throws_ = false;
  uint64_t monitor_ = 0;
};

class GenServerSignalsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    story.clear();
    SystemOptions options;
    options.shards = 3;
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 16;
    system_ = System::Start(options).value();
    // Each on another shard.
    a_ = SpawnOn(0, 'a');
    b_ = SpawnOn(1, 'b');
    c_ = SpawnOn(2, 'c');
  }
  Handle<Process> SpawnOn(uint32_t shard, char name) {
    std::string full(1, name);
    while (system_->fabric().ShardOf(system_->fabric().Intern(full).id) != shard) full += "'";
    return system_->Spawn<Process>(full, name);
  }
  template <typename M>
  void Do(const Handle<Process>& who, const M& message) {
    EXPECT_EQ(who.Cast(message), SendResult::kOk);
    system_->WaitIdle();
  }
  bool Lives(const Handle<Process>& who) { return who.Call(Alive{}).ok(); }
  void Pass(absl::Duration duration) {
    clock_.Advance(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  using Story = std::vector<std::string>;

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<System> system_;
  Handle<Process> a_, b_, c_;
};

TEST_F(GenServerSignalsTest, S29_ACrashTakesTheLinkedWithItThroughOthersAndWithoutTerminate) {
  Do(a_, LinkTo{b_});
  Do(c_, LinkTo{b_});
  Do(c_, Throw{});
  EXPECT_EQ(story, (Story{"c: terminate error INTERNAL: thrown"}));
  EXPECT_FALSE(Lives(a_));
  EXPECT_FALSE(Lives(b_));
}

TEST_F(GenServerSignalsTest, S29_OneThatTrapsExitsGetsTheReasonAndLives) {
  Do(a_, SetTrap{true});
  Do(a_, LinkTo{b_});
  Do(b_, Throw{});
  EXPECT_EQ(story,
            (Story{"b: terminate error INTERNAL: thrown", "a: exit error INTERNAL: thrown"}));
  EXPECT_TRUE(Lives(a_));
}

TEST_F(GenServerSignalsTest, S29_ANormalEndIsTrappedOrIgnored) {
  Do(a_, SetTrap{true});
  Do(a_, LinkTo{b_});
  Do(b_, LinkTo{c_});
  Do(b_, End{ExitReason::Normal()});
  EXPECT_EQ(story, (Story{"b: terminate normal", "a: exit normal"}));
  EXPECT_TRUE(Lives(c_));
}

TEST_F(GenServerSignalsTest, S29_OneThatWaitsForAnAnswerEndsAtOnceAndOneThatTrapsWhenItIsDone) {
  Do(a_, LinkTo{b_});
  Do(c_, SetTrap{true});
  Do(c_, LinkTo{b_});
  a_.Cast(CallNap{c_});
  system_->WaitIdle();  // both wait now
  Do(b_, Throw{});
  EXPECT_FALSE(Lives(a_));
  EXPECT_EQ(story.size(), 1u) << "c has a handler under way";
  Pass(absl::Milliseconds(2));
  EXPECT_EQ(story.back(), "c: exit error INTERNAL: thrown");
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(GenServerSignalsTest, S29_AnExitThatWaitsInTheQueueComesBehindWhatItsSenderSent) {
  Do(a_, SetTrap{true});
  Do(b_, LinkTo{a_});
  a_.Cast(CallNap{c_});
  system_->WaitIdle();
  Do(b_, Tell{a_, ExitReason::ShutdownWith("first")});
  Do(b_, End{ExitReason::ShutdownWith("second")});
  Pass(absl::Milliseconds(2));
  EXPECT_EQ(story, (Story{"b: terminate shutdown: second", "a: nap ", "a: exit shutdown: first",
                          "a: exit shutdown: second"}));
}

TEST_F(GenServerSignalsTest, ALinkMadeTwiceOrFromBothSidesIsOneLink) {
  Do(a_, SetTrap{true});
  a_.Cast(LinkTo{b_});
  b_.Cast(LinkTo{a_});  // the requests cross
  a_.Cast(LinkTo{b_});
  system_->WaitIdle();
  Do(b_, LinkTo{a_});
  Do(b_, End{ExitReason::Shutdown()});
  EXPECT_EQ(story, (Story{"b: terminate shutdown", "a: exit shutdown"}));
}

TEST_F(GenServerSignalsTest, NothingComesThroughALinkThatWasTakenAway) {
  Do(a_, LinkTo{b_});
  Do(b_, UnlinkFrom{a_});
  Do(a_, Throw{});
  EXPECT_TRUE(Lives(b_));
  // Its end waits behind the handler that takes the link away.
  Do(b_, SetTrap{true});
  Do(b_, LinkTo{c_});
  Do(b_, NapThenForget{c_});
  Do(c_, Throw{});
  Pass(absl::Milliseconds(2));
  EXPECT_TRUE(Lives(b_));
  EXPECT_EQ(story,
            (Story{"a: terminate error INTERNAL: thrown", "c: terminate error INTERNAL: thrown"}));
}

TEST_F(GenServerSignalsTest, LinkingToNobodyIsAnExitWithNoproc) {
  const Ref<Process> nobody{Address{ActorId{4'711}}};
  Do(a_, SetTrap{true});
  Do(a_, LinkTo{nobody});
  Do(b_, LinkTo{nobody});
  EXPECT_EQ(story, (Story{"a: exit error NOT_FOUND: noproc"}));
  EXPECT_TRUE(Lives(a_));
  EXPECT_FALSE(Lives(b_));
}

TEST_F(GenServerSignalsTest, KillCannotBeTrappedAndIsKilledToOthers) {
  Do(a_, SetTrap{true});
  Do(b_, SetTrap{true});
  Do(a_, LinkTo{b_});
  Do(c_, Watch{b_});
  Do(c_, Tell{b_, ExitReason::Kill()});
  EXPECT_FALSE(Lives(b_));
  EXPECT_EQ(story.size(), 2u) << "no last words";
  EXPECT_NE(std::find(story.begin(), story.end(), "a: exit killed"), story.end());
  EXPECT_NE(std::find(story.begin(), story.end(), "c: down killed"), story.end());
  Do(a_, Tell{a_, ExitReason::Shutdown()});
  EXPECT_EQ(story.back(), "a: exit shutdown");
}

TEST_F(GenServerSignalsTest, S30_TerminateRunsOnStopErrorAndShutdownButNotOnKill) {
  const auto supervisor = system_->Supervise({.max_restarts = 0});
  const auto d = supervisor.Spawn<Process>("d", Restart::kPermanent, 'd');
  const auto e = supervisor.Spawn<Process>("e", Restart::kPermanent, 'e');
  const auto f = system_->Spawn<Process>("f", 'f');
  Do(a_, End{ExitReason::ShutdownWith("done")});
  b_.Stop(ExitReason::Normal());
  c_.Stop(ExitReason::Kill());
  Do(f, Throw{});
  EXPECT_EQ(story, (Story{"a: terminate shutdown: done", "b: terminate normal",
                          "f: terminate error INTERNAL: thrown"}));
  story.clear();
  Do(e, Throw{});  // one failure too many
  system_->fabric().Poll();
  EXPECT_EQ(story, (Story{"e: terminate error INTERNAL: thrown", "d: terminate shutdown"}));
}

TEST_F(GenServerSignalsTest, S30_AnExceptionInTerminateBecomesTheReason) {
  Do(a_, Watch{b_});
  Do(b_, ThrowInTerminate{});
  EXPECT_EQ(story.back(), "a: down error INTERNAL: in terminate");
}

TEST_F(GenServerSignalsTest, AfterDemonitorNoDownIsSeen) {
  Do(a_, Watch{b_});
  Do(a_, Unwatch{});
  Do(b_, Throw{});
  // Its end waits behind the handler that takes the monitor away.
  Do(a_, Watch{c_});
  Do(a_, NapThenForget{c_});
  Do(c_, Throw{});
  Pass(absl::Milliseconds(2));
  for (const std::string& line : story) EXPECT_EQ(line.find("down"), std::string::npos) << line;
}

}  // namespace gen_server_signals_test
}  // namespace bitactor
