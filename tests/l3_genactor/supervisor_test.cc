// What supervision does beyond OTP: poison messages, backoff, the tree, a system's end.
#include <algorithm>

#include "l3_genactor/supervisor_fixture.h"

namespace bitactor::supervisor_test {
namespace {

using Names = std::vector<std::string>;

// Stays down as told and is `restarting` meanwhile; its mailbox is kept.
TEST_F(SupervisorTest, BackoffGrowsToItsCapAndBeginsAgainAfterALongRun) {
  const auto top = system_->Supervise("top", {.max_restarts = 100});
  const auto a =
      Add(top, "a", {.backoff = {.base = absl::Milliseconds(10), .cap = absl::Milliseconds(40)}});
  const auto b = Add(top, "b");
  const auto state = [&] { return top.WhichChildren()[1].state; };
  // Failure by failure: it is down for more than half of this and at most this.
  for (const int64_t ms : {10, 20, 40, 40}) {
    Fail(a);
    a.Cast(supervisor_test::Add{ms});
    Settle();
    EXPECT_EQ(state(), ChildState::kDown);
    EXPECT_TRUE(Lives(b)) << "others do not wait with it";
    Pass(absl::Microseconds(ms * 1000 / 2 - 1));
    EXPECT_EQ(state(), ChildState::kDown) << ms;
    Pass(absl::Microseconds(ms * 1000 / 2 + 1));
    EXPECT_EQ(state(), ChildState::kRunning) << ms;
    EXPECT_EQ(a.Call(Get{}).value_or(-1), ms);
  }
  Pass(absl::Milliseconds(41));
  Fail(a);
  Pass(absl::Milliseconds(10));
  EXPECT_EQ(state(), ChildState::kRunning) << "it had run for long enough";
}

TEST_F(SupervisorTest, BackoffHoldsAGroupBackAndTheTimerOfAnEndedOneIsForgotten) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kOneForAll});
  const auto sub = top.Supervise("sub", {.strategy = Strategy::kRestForOne, .max_restarts = 3});
  const auto a = Add(sub, "a", {.backoff = {.base = absl::Seconds(1), .cap = absl::Seconds(1)}});
  Add(sub, "b");
  Story();
  Fail(a);
  EXPECT_EQ(Story(), (Names{"-a", "-b"}));
  Pass(absl::Seconds(1));
  EXPECT_EQ(Story(), (Names{"+a", "+b"}));
  Fail(a);
  EXPECT_TRUE(top.TerminateChild("sub").ok()) << "told to end while it restarts";
  Pass(absl::Seconds(2));
  EXPECT_EQ(Story(), (Names{"-a", "-b"}));
  EXPECT_EQ(a.Call(Get{}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(SupervisorTest, ASupervisorThatIsToldToEndWhileAChildStartsInVainEnds) {
  const auto top = system_->Supervise("top");
  const auto sub = top.Supervise("sub", {.strategy = Strategy::kOneForAll, .max_restarts = 5});
  const auto a = Add(sub, "a", {.backoff = {.base = absl::Seconds(1), .cap = absl::Seconds(1)}});
  Add(sub, "b");
  Fail(a);
  failing_inits = {"a"};
  clock_.Advance(1'000'000'000);
  system_->fabric().engine(0).Poll();
  ASSERT_EQ(sub.WhichChildren()[1].state, ChildState::kStarting);
  EXPECT_TRUE(top.TerminateChild("sub").ok());
  Settle();
  EXPECT_EQ(sub.restarts(), 1u) << "nobody tries again";
  EXPECT_EQ(sub.CountChildren().active, 0u);
  EXPECT_EQ(sub.WhichChildren()[1].state, ChildState::kStopped);
  EXPECT_TRUE(top.running());
}

TEST_F(SupervisorTest, SignificantChildrenShutTheirSupervisorDown) {
  const ChildOptions significant{.restart = Restart::kTransient, .significant = true};
  const auto top = system_->Supervise("top", {.max_restarts = 5});
  const auto any =
      top.Supervise("any", {.auto_shutdown = AutoShutdown::kAnySignificant}, Restart::kTransient);
  const auto all =
      top.Supervise("all", {.auto_shutdown = AutoShutdown::kAllSignificant}, Restart::kTransient);
  const auto a1 = Add(any, "a1", significant);
  const auto a2 = Add(any, "a2");
  const auto b1 = Add(all, "b1", significant);
  const auto b2 = Add(all, "b2", significant);
  const auto b3 = Add(all, "b3", {.restart = Restart::kTransient});
  EXPECT_FALSE(a1.Call(End{How::kThrow}).ok());
  Settle();
  EXPECT_TRUE(any.running()) << "it was started again: no end";
  EXPECT_TRUE(a1.Call(End{How::kNormal}).ok());
  Settle();
  EXPECT_FALSE(any.running());
  EXPECT_FALSE(any.gave_up());
  EXPECT_FALSE(Lives(a2));
  EXPECT_TRUE(b3.Call(End{How::kNormal}).ok());
  EXPECT_TRUE(b1.Call(End{How::kNormal}).ok());
  Settle();
  EXPECT_TRUE(all.running()) << "b2 is left";
  EXPECT_TRUE(b2.Call(End{How::kShutdown}).ok());
  Settle();
  EXPECT_FALSE(all.running());
  EXPECT_TRUE(top.running());
  EXPECT_EQ(top.restarts(), 0u);
}

TEST_F(SupervisorTest, APoisonMessageIsHandledAgainAndItsCallerHearsOfTheLastFailureAlone) {
  const auto top = system_->Supervise("top", {.max_restarts = 100});
  const auto a = Add(top, "a", {.poison = {PoisonPolicy::kRetry, 2}});
  EXPECT_EQ(a.Call(Try{2}).value_or(-1), 3) << "the third time";
  EXPECT_EQ(top.restarts(), 2u);
  tries = 0;
  EXPECT_EQ(a.Call(Try{3}).status(), absl::AbortedError("once more"));
  EXPECT_EQ(tries, 3);
  a.Cast(supervisor_test::Add{4});
  EXPECT_EQ(a.Call(Get{}).value_or(-1), 4);
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(SupervisorTest, AMessageThatIsOwedIsHandledAfterTheBackoffOrAnsweredWhenNobodyWill) {
  const auto top = system_->Supervise("top", {.max_restarts = 1});
  const auto a = Add(top, "a",
                     {.backoff = {.base = absl::Milliseconds(1), .cap = absl::Milliseconds(1)},
                      .poison = {PoisonPolicy::kRetry, 5}});
  Port port = system_->fabric().OpenPort();
  const auto waiting = top.Supervise("unused");
  a.Cast(supervisor_test::Add{1});
  EXPECT_EQ(a.Call(Try{1}, absl::Microseconds(1)).status().code(),
            absl::StatusCode::kDeadlineExceeded)
      << "it waits for the restart";
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(tries, 2);
  tries = 0;
  EXPECT_EQ(a.Call(Try{9}).status(), absl::AbortedError("once more")) << "it gave up";
  EXPECT_TRUE(top.gave_up());
  EXPECT_TRUE(system_->Counters().AddUp());
}

// Longer than a frame. Fails so often.
struct Letter {
  std::string text;
  int64_t failures = 0;
  using Reply = int64_t;
  auto Fields() { return std::tie(text, failures); }
};
class LetterReader : public Actor<LetterReader, Letter> {
 public:
  absl::StatusOr<int64_t> On(const Letter& m) {
    if (++tries <= m.failures) return absl::AbortedError("once more");
    return static_cast<int64_t>(m.text.size());
  }
};

TEST_F(SupervisorTest, APoisonMessageIsKeptWithAllOfALongPayload) {
  const auto top = system_->Supervise("top", {.max_restarts = 100});
  const Backoff backoff = {.base = absl::Milliseconds(1), .cap = absl::Milliseconds(1)};
  const Letter letter{std::string(1000, 'x'), 2};
  for (const Backoff& pause : {Backoff{}, backoff}) {
    tries = 0;
    const auto a = top.Spawn<LetterReader>(
        pause.base == absl::ZeroDuration() ? "a" : "b",
        ChildOptions{.backoff = pause, .poison = {PoisonPolicy::kRetry, 2}});
    auto answer = a.CallAsync(letter);
    for (int i = 0; i < 3; ++i) Pass(absl::Milliseconds(1));
    EXPECT_EQ(answer.Wait().value_or(-1), 1000);
  }
  tries = 0;
  const auto c = top.Spawn<LetterReader>("c", ChildOptions{.poison = {PoisonPolicy::kQuarantine}});
  EXPECT_FALSE(c.Call(letter).ok());
  ASSERT_EQ(system_->Poisoned().size(), 1u);
  EXPECT_GT(system_->Poisoned()[0].block.size(), 1000u);
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(SupervisorTest, OneThatIsDownHasNoStateThatCouldBeReplaced) {
  const auto top = system_->Supervise("top");
  const auto a =
      Add(top, "a", {.backoff = {.base = absl::Milliseconds(1), .cap = absl::Milliseconds(1)}});
  Fail(a);
  const auto replace = [](Worker&) { return absl::OkStatus(); };
  EXPECT_EQ(system_->ReplaceState<Worker>("a", replace).code(),
            absl::StatusCode::kFailedPrecondition);
  Pass(absl::Milliseconds(1));
  EXPECT_TRUE(system_->ReplaceState<Worker>("a", replace).ok());
}

TEST_F(SupervisorTest, APoisonMessageGoesToQuarantineWithItsCause) {
  const auto top = system_->Supervise("top", {.max_restarts = 100});
  const auto a = Add(top, "a", {.poison = {PoisonPolicy::kQuarantine}});
  EXPECT_FALSE(a.Call(End{}).ok());
  EXPECT_TRUE(Lives(a));
  const std::vector<PoisonedMessage> poisoned = system_->Poisoned();
  ASSERT_EQ(poisoned.size(), 1u);
  EXPECT_EQ(system_->poisoned(), 1u);
  EXPECT_EQ(poisoned[0].actor, "a");
  EXPECT_EQ(poisoned[0].cause, ExitReason::Error(absl::InternalError("thrown")));
  EXPECT_EQ(poisoned[0].frame.header.type, TypeId<End>());
}

TEST_F(SupervisorTest, TheTreeIsDrawnAndGivenAsJson) {
  const auto top = system_->Supervise("top", {.max_restarts = 3});
  const auto a = Add(top, "a");
  const auto sub = top.Supervise("sub", {.strategy = Strategy::kRestForOne}, Restart::kTransient);
  Add(sub, "b \"quoted\"");
  Fail(a);
  EXPECT_EQ(TreeText(system_->Tree()),
            "system (one_for_one)\n"
            "`- top (one_for_one) running, transient\n"
            "   |- a running, permanent, 1 restarts, last ended: error INTERNAL: thrown\n"
            "   `- sub (rest_for_one) running, transient\n"
            "      `- b \"quoted\" running, permanent\n");
  EXPECT_EQ(TreeText(system_->Tree(/*max_children=*/1)),
            "system (one_for_one)\n"
            "`- top (one_for_one) running, transient\n"
            "   |- a running, permanent, 1 restarts, last ended: error INTERNAL: thrown\n"
            "   `- and 1 more\n");
  const std::string json = TreeJson(system_->Tree());
  EXPECT_NE(json.find("\"name\":\"b \\\"quoted\\\"\",\"kind\":\"worker\",\"state\":\"running\""),
            std::string::npos)
      << json;
}

TEST_F(SupervisorTest, AnEndOfTheSystemEndsTheTreesTheLastStartedFirst) {
  const auto one = system_->Supervise("one");
  Add(one, "a");
  const auto two = system_->Supervise("two");
  const auto sub = two.Supervise("sub");
  Add(sub, "b");
  Add(two, "c");
  Story();
  EXPECT_TRUE(system_->Stop().ok());
  EXPECT_EQ(Story(), (Names{"-c", "-b", "-a"}));
  EXPECT_EQ(one.TerminateChild("a").code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bitactor::supervisor_test
