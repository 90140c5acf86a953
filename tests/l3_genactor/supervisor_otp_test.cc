// Supervision by the numbers of OTP's statements. What C++'s types make impossible has no test: of
// 44 missing_start and the duplicate keys of a specification (it is a function's arguments), of 43
// unknown keys; of 60 a second specification, and delete and restart (SupervisorOfEach has none); 63
// (options are given once).
#include "l3_genactor/supervisor_fixture.h"

namespace bitactor::supervisor_test {
namespace {

using Names = std::vector<std::string>;

TEST_F(SupervisorTest, S40_ChildrenStartInOrderAndTheNewestIsListedFirst) {
  const auto top = system_->Supervise("top");
  Add(top, "a");
  top.Supervise("sub");
  Add(top, "b");
  EXPECT_EQ(Story(), (Names{"+a", "+b"}));
  EXPECT_EQ(NamesOf(top.WhichChildren()), (Names{"b", "sub", "a"}));
}

TEST_F(SupervisorTest, S42_DefaultsOfAChildAreThoseOfOtp) {
  const ChildOptions child;
  EXPECT_EQ(child.restart, Restart::kPermanent);
  EXPECT_EQ(child.shutdown, absl::Seconds(5));
  EXPECT_FALSE(child.significant);
  EXPECT_EQ(SupervisorOptions{}.auto_shutdown, AutoShutdown::kNever);
}

TEST_F(SupervisorTest, S43_InvalidFlagsAreNamed) {
  const auto named = [&](const SupervisorOptions& options) {
    const absl::Status status = system_->Supervise(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message()).substr(0, status.message().find(':'));
  };
  EXPECT_EQ(named({.strategy = static_cast<Strategy>(9)}), "invalid_strategy");
  EXPECT_EQ(named({.max_restarts = 1'000'000}), "invalid_intensity");
  EXPECT_EQ(named({.within = absl::ZeroDuration()}), "invalid_period");
  EXPECT_EQ(named({.auto_shutdown = static_cast<AutoShutdown>(9)}), "invalid_auto_shutdown");
}

TEST_F(SupervisorTest, S44_InvalidSpecificationsAreNamed) {
  const auto top = system_->Supervise("top", {.auto_shutdown = AutoShutdown::kAnySignificant});
  const auto named = [&](const char* name, const ChildOptions& options) {
    const absl::Status status = Add(top, name, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message()).substr(0, status.message().find(':'));
  };
  EXPECT_EQ(top.Supervise("").status().message().substr(0, 10), "missing_id");
  EXPECT_EQ(named("x", {.restart = static_cast<Restart>(9)}), "invalid_restart_type");
  EXPECT_EQ(named("x", {.shutdown = -absl::Seconds(1)}), "invalid_shutdown");
  EXPECT_EQ(named("x", {.significant = true}), "bad_combination");
  EXPECT_EQ(named("x", {.backoff = {.base = absl::Seconds(2), .cap = absl::Seconds(1)}}),
            "invalid_backoff");
  EXPECT_EQ(named("x", {.poison = {PoisonPolicy::kRetry, 0}}), "invalid_poison");
  EXPECT_EQ(
      Add(system_->Supervise("never"), "x", {.restart = Restart::kTransient, .significant = true})
          .status()
          .code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(top.CountChildren().specs, 0u);
}

TEST_F(SupervisorTest, S45_AChildThatIgnoresItsStartKeepsItsSpecificationUnlessTemporary) {
  const auto top = system_->Supervise("top");
  ignoring_inits = {"kept", "gone"};
  EXPECT_TRUE(IsIgnoreStart(Add(top, "kept").status()));
  EXPECT_TRUE(IsIgnoreStart(Add(top, "gone", {.restart = Restart::kTemporary}).status()));
  EXPECT_EQ(NamesOf(top.WhichChildren()), Names{"kept"});
  EXPECT_EQ(top.WhichChildren()[0].state, ChildState::kStopped);
  ignoring_inits.clear();
  EXPECT_TRUE(top.RestartChild("kept").ok());
  EXPECT_TRUE(system_->Find<Worker>("kept").ok());
}

TEST_F(SupervisorTest, S45_AChildThatIgnoresItsRestartIsNotThereAndNobodyFailed) {
  const auto top = system_->Supervise("top", {.max_restarts = 1});
  const auto a = Add(top, "a");
  ignoring_inits = {"a"};
  Fail(a);
  EXPECT_FALSE(Lives(a));
  EXPECT_TRUE(top.running());
  EXPECT_EQ(top.WhichChildren()[0].state, ChildState::kStopped);
}

TEST_F(SupervisorTest, S47_OneForAllRestartsAllInOrderAndTemporaryOnesAreGone) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kOneForAll});
  Add(top, "a");
  const auto b = Add(top, "b");
  Add(top, "t", {.restart = Restart::kTemporary});
  const auto c = Add(top, "c");
  Story();
  c.Cast(supervisor_test::Add{5});
  Settle();
  Fail(b);
  EXPECT_EQ(Story(), (Names{"-b", "-c", "-t", "-a", "+a", "+b", "+c"}));
  EXPECT_EQ(NamesOf(top.WhichChildren()), (Names{"c", "b", "a"}));
  EXPECT_EQ(c.Call(Get{}).value_or(-1), 0) << "its siblings begin afresh";
}

TEST_F(SupervisorTest, S47_RestForOneRestartsTheFailedOneAndThoseAfterIt) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kRestForOne});
  Add(top, "a");
  const auto b = Add(top, "b");
  Add(top, "c");
  Add(top, "d");
  Story();
  Fail(b);
  EXPECT_EQ(Story(), (Names{"-b", "-d", "-c", "+b", "+c", "+d"}));
}

TEST_F(SupervisorTest, S47_TransientChildrenComeBackWithTheOthersThoughTheyHadFinished) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kOneForAll});
  const auto a = Add(top, "a", {.restart = Restart::kTransient});
  const auto b = Add(top, "b");
  EXPECT_TRUE(a.Call(End{How::kNormal}).ok());
  Settle();
  EXPECT_FALSE(Lives(a));
  EXPECT_EQ(top.WhichChildren()[1].state, ChildState::kStopped) << "its specification stays";
  Fail(b);
  EXPECT_TRUE(Lives(a));
}

TEST_F(SupervisorTest, TheMailboxesOfAllSurviveARestartOfAll) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kOneForAll});
  const auto a = Add(top, "a");
  const auto b = Add(top, "b");
  b.Cast(Nap{100});
  system_->WaitIdle();
  b.Cast(supervisor_test::Add{3});  // waits behind the nap
  Fail(a);
  EXPECT_EQ(b.Call(Get{}).value_or(-1), 3);
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(SupervisorTest, S49_OverTheLimitTheSupervisorEndsAndATransientOneIsNotRestarted) {
  const auto top = system_->Supervise("top", {.max_restarts = 10});
  const auto permanent = top.Supervise("permanent", {.max_restarts = 0});
  const auto transient = top.Supervise("transient", {.max_restarts = 0}, Restart::kTransient);
  const auto p1 = Add(permanent, "p1");
  const auto p2 = Add(permanent, "p2");
  const auto t1 = Add(transient, "t1");
  const auto t2 = Add(transient, "t2");
  Story();
  Fail(p2);
  EXPECT_EQ(Story(), (Names{"-p2", "-p1", "+p1", "+p2"}));
  EXPECT_TRUE(Lives(p1) && Lives(p2));
  EXPECT_FALSE(permanent.gave_up()) << "it was started again";
  EXPECT_EQ(top.restarts(), 1u);
  EXPECT_EQ(top.WhichChildren()[1].last_exit, ExitReason::Shutdown());
  Fail(t1);
  EXPECT_EQ(Story(), (Names{"-t1", "-t2"}));
  EXPECT_TRUE(transient.gave_up());
  EXPECT_FALSE(Lives(t1) || Lives(t2));
  EXPECT_EQ(top.restarts(), 1u);
}

TEST_F(SupervisorTest, S49_AFailureClimbsUntilSomebodyBearsIt) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kOneForAll});
  const auto other = Add(top, "other");
  const auto middle = top.Supervise("middle", {.max_restarts = 0});
  const auto low = middle.Supervise("low", {.max_restarts = 0});
  const auto leaf = Add(low, "leaf");
  Story();
  Fail(leaf);
  EXPECT_EQ(Story(), (Names{"-leaf", "-other", "+other", "+leaf"}));
  EXPECT_TRUE(Lives(leaf) && Lives(other));
  Fail(leaf);
  EXPECT_TRUE(top.gave_up()) << "one restart within five seconds was all it may";
  EXPECT_FALSE(Lives(leaf) || Lives(other));
}

TEST_F(SupervisorTest, S50_OneEventIsOneRestart) {
  for (const Strategy strategy : {Strategy::kOneForAll, Strategy::kRestForOne}) {
    const std::string name = StrategyName(strategy);
    const auto top = system_->Supervise(name, {.strategy = strategy, .max_restarts = 1});
    const auto a = top.Spawn<Worker>("a" + name, ChildOptions{}, "a");
    top.Spawn<Worker>("b" + name, ChildOptions{}, "b");
    top.Spawn<Worker>("c" + name, ChildOptions{}, "c");
    Fail(a);
    EXPECT_EQ(top.restarts(), 1u);
    EXPECT_TRUE(top.running());
    EXPECT_TRUE(Lives(a));
  }
}

TEST_F(SupervisorTest, ARestartThatFailsCountsAgainAndTheOthersBeginAgainWithIt) {
  const auto top = system_->Supervise("top", {.strategy = Strategy::kOneForAll, .max_restarts = 3});
  const auto a = Add(top, "a");
  Add(top, "b");
  Story();
  failing_inits = {"b"};
  Fail(a);
  EXPECT_EQ(top.restarts(), 3u);
  EXPECT_TRUE(top.gave_up());
  EXPECT_FALSE(Lives(a));
  EXPECT_EQ(Story(), (Names{"-a", "-b", "+a", "-a", "+a", "-a", "+a", "-a"}));
  EXPECT_TRUE(system_->Counters().AddUp());
}

TEST_F(SupervisorTest, ASupervisorWhoseChildCannotStartAgainFailsItsOwnRestart) {
  const auto top = system_->Supervise("top", {.max_restarts = 2});
  const auto sub = top.Supervise("sub", {.max_restarts = 0});
  Add(sub, "a");
  const auto b = Add(sub, "b");
  failing_inits = {"b"};
  Story();
  Fail(b);
  EXPECT_EQ(Story(), (Names{"-b", "-a", "+a", "-a", "+a", "-a"}));
  EXPECT_TRUE(top.gave_up());
  EXPECT_NE(top.WhichChildren()[0].last_exit.text().find("failed_to_start_child \"b\""),
            std::string::npos);
}

TEST_F(SupervisorTest, S56_AChildThatEndsByItselfDoesNotDisturbAShutdown) {
  const auto top = system_->Supervise("top");
  const auto sub = top.Supervise("sub");
  const auto a = sub.Spawn<Worker>("a", ChildOptions{}, "a");
  const auto slow = sub.Spawn<Patient>("slow");
  slow.Cast(Nap{1'000});
  Settle();
  EXPECT_EQ(top.TerminateChild("sub").code(), absl::StatusCode::kUnavailable) << "slow takes time";
  EXPECT_FALSE(a.Call(End{}).ok());  // it would have been its turn next
  Pass(absl::Microseconds(1'001));
  EXPECT_EQ(Story(), (Names{"+a", "-a", "done"}));
  EXPECT_EQ(sub.restarts(), 0u);
  EXPECT_EQ(top.WhichChildren()[0].state, ChildState::kStopped);
}

TEST_F(SupervisorTest, AChildThatDoesNotEndInTimeIsKilled) {
  const auto top = system_->Supervise("top");
  const auto slow = top.Spawn<Patient>("slow", ChildOptions{.shutdown = absl::Milliseconds(10)});
  slow.Cast(Nap{20'000});
  Settle();
  EXPECT_EQ(top.TerminateChild("slow").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(top.WhichChildren()[0].state, ChildState::kStopping);
  Pass(absl::Milliseconds(9));
  EXPECT_EQ(top.WhichChildren()[0].state, ChildState::kStopping);
  Pass(absl::Milliseconds(2));
  EXPECT_EQ(top.WhichChildren()[0].state, ChildState::kStopped);
  EXPECT_EQ(top.WhichChildren()[0].last_exit, ExitReason::Kill());
  EXPECT_EQ(Story(), Names{});
}

TEST_F(SupervisorTest, BrutalKillWaitsForNobody) {
  const auto top = system_->Supervise("top");
  const auto slow = top.Spawn<Patient>("slow", ChildOptions{.shutdown = kBrutalKill});
  slow.Cast(Nap{20'000});
  Settle();
  EXPECT_TRUE(top.TerminateChild("slow").ok());
  EXPECT_EQ(top.WhichChildren()[0].last_exit, ExitReason::Kill());
}

TEST_F(SupervisorTest, S57_TerminateChildKeepsTheSpecificationAndIsNoRestart) {
  const auto top = system_->Supervise("top", {.max_restarts = 0});
  const auto a = Add(top, "a");
  const auto sub = top.Supervise("sub");
  const auto b = Add(sub, "b");
  EXPECT_TRUE(top.TerminateChild("a").ok());
  EXPECT_TRUE(top.TerminateChild("a").ok());
  EXPECT_TRUE(top.TerminateChild("sub").ok());
  EXPECT_EQ(top.TerminateChild("c").code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(Lives(a) || Lives(b));
  EXPECT_FALSE(sub.running());
  EXPECT_EQ(Add(sub, "x").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(top.CountChildren(), (ChildCounts{.specs = 2, .supervisors = 1, .workers = 1}));
  EXPECT_TRUE(top.RestartChild("a").ok());
  EXPECT_TRUE(top.RestartChild("sub").ok());
  EXPECT_TRUE(Lives(a) && Lives(b));
  EXPECT_EQ(top.restarts(), 0u);
}

TEST_F(SupervisorTest, S58_DeleteAndRestartOfARunningChildAreRefused) {
  const auto top = system_->Supervise("top");
  Add(top, "a");
  const auto message = [](const absl::Status& status) { return std::string(status.message()); };
  EXPECT_EQ(message(top.DeleteChild("a")).substr(0, 8), "running:");
  EXPECT_EQ(message(top.RestartChild("a")).substr(0, 8), "running:");
  EXPECT_EQ(top.DeleteChild("b").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(top.RestartChild("b").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(top.TerminateChild("a").ok());
  EXPECT_TRUE(top.DeleteChild("a").ok());
  EXPECT_EQ(top.CountChildren().specs, 0u);
  EXPECT_TRUE(Add(top, "a").ok()) << "the name is free again";
}

TEST_F(SupervisorTest, S58_ARestartChildThatFailsLeavesItStopped) {
  const auto top = system_->Supervise("top", {.max_restarts = 0});
  Add(top, "a");
  EXPECT_TRUE(top.TerminateChild("a").ok());
  failing_inits = {"a"};
  EXPECT_EQ(top.RestartChild("a"), absl::UnavailableError("no luck"));
  EXPECT_TRUE(top.running());
  failing_inits.clear();
  system_->Spawn<Worker>("a", "stranger");  // the name is taken meanwhile
  EXPECT_EQ(top.RestartChild("a").code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SupervisorTest, S59_AKnownNameIsAlreadyStartedOrAlreadyPresentAndAFailedStartLeavesNothing) {
  const auto top = system_->Supervise("top");
  Add(top, "a");
  const absl::Status started = Add(top, "a").status();
  EXPECT_EQ(started.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(started.message().substr(0, 15), "already_started");
  EXPECT_TRUE(top.TerminateChild("a").ok());
  const absl::Status present = Add(top, "a").status();
  EXPECT_EQ(present.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(present.message().substr(0, 15), "already_present");
  failing_inits = {"b"};
  EXPECT_EQ(Add(top, "b").status(), absl::UnavailableError("no luck"));
  EXPECT_EQ(top.CountChildren().specs, 1u);
}

TEST_F(SupervisorTest, S60_ChildrenOfOneSpecificationComeAndGo) {
  const auto top = system_->Supervise("top");
  const auto pool =
      top.SuperviseEach<Worker>("pool", {.max_restarts = 5}, {.restart = Restart::kTransient});
  const auto a = pool.Spawn("a", "a");
  const auto b = pool.Spawn("b", "b");
  const auto c = pool.Spawn("c", "c");
  const auto stranger = system_->Spawn<Worker>("stranger", "stranger");
  Fail(a);
  EXPECT_TRUE(Lives(a)) << "one for one";
  EXPECT_EQ(pool.CountChildren(), (ChildCounts{.specs = 1, .active = 3, .workers = 3}));
  EXPECT_TRUE(b.Call(End{How::kNormal}).ok());
  Settle();
  EXPECT_EQ(NamesOf(pool.WhichChildren()), (Names{"c", "a"})) << "nothing is kept of b";
  EXPECT_TRUE(pool.TerminateChild(c).ok());
  EXPECT_TRUE(pool.TerminateChild(c).ok()) << "it ended before";
  EXPECT_EQ(pool.TerminateChild(stranger).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Lives(stranger));
  EXPECT_TRUE(top.TerminateChild("pool").ok());
  EXPECT_TRUE(top.RestartChild("pool").ok());
  EXPECT_EQ(pool.CountChildren(), (ChildCounts{.specs = 1})) << "nobody comes back by himself";
  EXPECT_TRUE(pool.Spawn("a", "a").ok());
}

TEST_F(SupervisorTest, S60_GivenArgumentsComeBeforeThoseOfTheStart) {
  const auto pool = system_->Supervise("top").SuperviseEach<Worker>("pool", {}, {}, "given");
  EXPECT_TRUE(pool.Spawn("a").ok());
  EXPECT_EQ(Story(), Names{"+given"});
}

TEST_F(SupervisorTest, S61_CountsOfChildrenAndARestartingOneIsNotActive) {
  const auto top = system_->Supervise("top");
  Add(top, "a", {.backoff = {.base = absl::Seconds(1)}});
  const auto b = Add(top, "b");
  top.Supervise("sub");
  EXPECT_EQ(top.CountChildren(),
            (ChildCounts{.specs = 3, .active = 3, .supervisors = 1, .workers = 2}));
  Fail(system_->Find<Worker>("a"));
  EXPECT_EQ(top.CountChildren().active, 2u);
  EXPECT_TRUE(top.TerminateChild("b").ok());
  EXPECT_EQ(top.CountChildren(),
            (ChildCounts{.specs = 3, .active = 1, .supervisors = 1, .workers = 2}));
}

}  // namespace
}  // namespace bitactor::supervisor_test
