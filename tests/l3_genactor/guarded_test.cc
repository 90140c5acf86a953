#include "bitactor/l3_genactor/guarded.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace guarded_test {

struct Order {
  using Reply = int64_t;
};
struct SetMood {
  absl::StatusCode code;  // what every order is answered until the next mood; kOk: it is filled
};
struct Filled {
  using Reply = int64_t;
};

// Fails as it is told to. Each failure is a crash and a restart with the state from before the
// order.
class Venue : public Actor<Venue, Order, SetMood, Filled> {
 public:
  absl::StatusOr<int64_t> On(const Order&) {
    if (code_ != absl::StatusCode::kOk) return absl::Status(code_, "venue says no");
    return ++filled_;
  }
  void On(const SetMood& m) { code_ = m.code; }
  int64_t On(const Filled&) { return filled_; }
  auto State() const { return std::tie(filled_, code_); }

 private:
  int64_t filled_ = 0;
  absl::StatusCode code_ = absl::StatusCode::kOk;
};

struct Trade {
  Ref<Venue> venue;
  uint32_t attempts;
  uint32_t fails_after = 0;  // crash once the venue has answered
};
struct Invalid {
  Ref<Venue> venue;
  uint64_t kind;
};
// The outcomes of the trader's calls, kept outside so that a test sees them with their texts.
std::vector<absl::Status> outcomes;

const Breaker kBreaker{.failure_rate = 0.5, .over = 4, .open_for = absl::Seconds(1), .probes = 2};

class Trader : public Actor<Trader, Trade, Invalid> {
 public:
  Task<void> On(Trade m) {
    const Retry retry{
        .attempts = m.attempts, .base = absl::Microseconds(50), .cap = absl::Milliseconds(1)};
    auto venue = Guarded(m.venue, kBreaker, retry, Timeout{absl::Milliseconds(2)});
    const absl::StatusOr<int64_t> fill = co_await venue.Call(Order{});
    outcomes.push_back(fill.status());
    if (m.fails_after != 0) co_await Call(Ref<Venue>{}, Order{});
  }
  Task<void> On(Invalid m) {
    Breaker breaker;
    Retry retry;
    if (m.kind == 0) breaker.failure_rate = 1.5;
    if (m.kind == 1) breaker.probes = 0;
    if (m.kind == 2) retry.attempts = 101;
    if (m.kind == 3) retry.base = absl::Seconds(1);
    auto venue = Guarded(m.venue, breaker, retry);
    const absl::StatusOr<int64_t> fill = co_await venue.Call(Order{});
    outcomes.push_back(fill.status());
  }
};

class GuardedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    outcomes.clear();
    system_ = Start();
  }
  std::unique_ptr<System> Start() {
    SystemOptions options;
    options.shards = 2;
    options.durable = dir_.path();
    options.fabric.threads = false;
    options.fabric.clock = &clock_;
    options.fabric.start_time_ns = 1'000'000'000;
    options.fabric.span_capacity = 64;
    options.fabric.mailboxes = 8;
    options.fabric.journal.prepare_ahead = false;
    options.fabric.journal.segment_bytes = 1 << 20;
    auto system = System::Start(options);
    EXPECT_TRUE(system.ok()) << system.status();
    const SupervisorRef supervisor = (*system)->Supervise({.max_restarts = 1000});
    venue_ = supervisor.Spawn<Venue>("venue");
    trader_ = supervisor.Spawn<Trader>("trader");
    return *std::move(system);
  }
  absl::Status DoTrade(uint32_t attempts = 1) {
    const size_t before = outcomes.size();
    trader_.Cast(Trade{venue_, attempts});
    system_->WaitIdle();
    EXPECT_EQ(outcomes.size(), before + 1);
    return outcomes.empty() ? absl::UnknownError("no outcome") : outcomes.back();
  }
  void SetVenue(absl::StatusCode code) {
    venue_.Cast(SetMood{code});
    system_->WaitIdle();
  }
  void LetTimePass(absl::Duration duration) {
    clock_.Advance(static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration)));
    system_->fabric().Poll();
    system_->WaitIdle();
  }
  int64_t FilledByVenue() { return venue_.Call(Filled{}).value_or(-1); }
  void OpenTheBreaker() {
    SetVenue(absl::StatusCode::kUnavailable);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(DoTrade().message(), "venue says no") << i;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::TempDir dir_;
  std::unique_ptr<System> system_;
  Handle<Venue> venue_;
  Handle<Trader> trader_;
};

TEST_F(GuardedTest, PassesAnAnswerThrough) { EXPECT_TRUE(DoTrade().ok()); }

TEST_F(GuardedTest, TheBreakerOpensAtTheFailureRateAndTheTargetIsLeftAlone) {
  OpenTheBreaker();
  SetVenue(absl::StatusCode::kOk);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(DoTrade().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(FilledByVenue(), 0) << "it would have filled them";
}

TEST_F(GuardedTest, ARefusalNamesTheActorAndTheTime) {
  OpenTheBreaker();
  const absl::Status status = DoTrade();
  const std::string actor = std::to_string(static_cast<uint32_t>(venue_.ref().address.id));
  EXPECT_EQ(status.message().find("circuit breaker of actor " + actor + " is open until "), 0u)
      << status;
  // Of the messages' clock, which rises by at least 1 ns with each.
  const uint64_t now_ns = system_->fabric().state().NowNanos() + 1'000;
  const uint64_t until_ns =
      std::stoull(std::string(status.message()).substr(status.message().find("until ") + 6));
  EXPECT_GT(until_ns, now_ns);  // the clock of this test stands still
  EXPECT_LE(until_ns, now_ns + 1'000'000'000);
}

TEST_F(GuardedTest, AfterOpenForProbesDecide) {
  OpenTheBreaker();
  SetVenue(absl::StatusCode::kOk);
  LetTimePass(absl::Milliseconds(999));
  EXPECT_FALSE(DoTrade().ok());
  LetTimePass(absl::Milliseconds(2));
  EXPECT_TRUE(DoTrade().ok());
  EXPECT_TRUE(DoTrade().ok());
  // Closed again: a single failure does not open it.
  SetVenue(absl::StatusCode::kUnavailable);
  EXPECT_EQ(DoTrade().message(), "venue says no");
  SetVenue(absl::StatusCode::kOk);
  EXPECT_TRUE(DoTrade().ok());
}

TEST_F(GuardedTest, AFailedProbeOpensItForAnotherTerm) {
  OpenTheBreaker();
  LetTimePass(absl::Milliseconds(1'001));
  EXPECT_EQ(DoTrade().message(), "venue says no");
  SetVenue(absl::StatusCode::kOk);
  LetTimePass(absl::Milliseconds(999));
  EXPECT_FALSE(DoTrade().ok());
  LetTimePass(absl::Milliseconds(2));
  EXPECT_TRUE(DoTrade().ok());
}

TEST_F(GuardedTest, RetriesAfterADelayInVirtualTime) {
  SetVenue(absl::StatusCode::kUnavailable);
  trader_.Cast(Trade{venue_, 4});
  system_->WaitIdle();
  EXPECT_TRUE(outcomes.empty()) << "it waits before the second attempt";
  clock_.Advance(49'000);
  system_->fabric().Poll();
  system_->WaitIdle();
  EXPECT_TRUE(outcomes.empty()) << "the shortest delay is 50 us";
  SetVenue(absl::StatusCode::kOk);
  LetTimePass(absl::Microseconds(102));  // at most three times the base
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_TRUE(outcomes[0].ok()) << outcomes[0];
}

TEST_F(GuardedTest, GivesUpAfterTheLastAttemptWithItsError) {
  SetVenue(absl::StatusCode::kUnavailable);
  trader_.Cast(Trade{venue_, 3});
  system_->WaitIdle();
  for (int i = 0; i < 5; ++i) LetTimePass(absl::Milliseconds(1));
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].message(), "venue says no");
}

TEST_F(GuardedTest, AnErrorThatDoesNotGoAwayIsNotRetried) {
  SetVenue(absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DoTrade(/*attempts=*/4).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GuardedTest, ATimeoutIsAFailureThatIsNotRetried) {
  const Ref<Venue> nobody{system_->fabric().Intern("later")};
  trader_.Cast(Trade{nobody, 4});
  system_->WaitIdle();
  EXPECT_TRUE(outcomes.empty());
  LetTimePass(absl::Milliseconds(3));
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(GuardedTest, OptionsOutOfRangeAreAnErrorThatNamesTheRange) {
  const std::vector<std::string> expected = {
      "Breaker::failure_rate is 1.5; give a value of 0.000001 to 1",
      "Breaker::probes is 0; give a value of 1 to 1024 calls",
      "Retry::attempts is 101; give a value of 1 (no retry) to 100",
      "Retry::base is 1s; give a value of 1ns to that of `cap`"};
  for (uint64_t kind = 0; kind < expected.size(); ++kind) {
    trader_.Cast(Invalid{venue_, kind});
    system_->WaitIdle();
    ASSERT_EQ(outcomes.size(), kind + 1);
    EXPECT_EQ(outcomes.back().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(outcomes.back().message(), expected[kind]);
  }
  EXPECT_EQ(FilledByVenue(), 0);
}

TEST_F(GuardedTest, AnOpenBreakerStaysOpenWhenItsOwnerIsRestarted) {
  OpenTheBreaker();
  const uint64_t restarts = system_->restarts();
  trader_.Cast(Trade{venue_, 1, /*fails_after=*/1});
  system_->WaitIdle();
  EXPECT_EQ(system_->restarts(), restarts + 1);
  SetVenue(absl::StatusCode::kOk);
  EXPECT_EQ(DoTrade().code(), absl::StatusCode::kUnavailable);
}

TEST_F(GuardedTest, AnOpenBreakerIsOpenInTheNextRun) {
  OpenTheBreaker();
  SetVenue(absl::StatusCode::kOk);
  system_.reset();
  system_ = Start();
  EXPECT_EQ(DoTrade().code(), absl::StatusCode::kUnavailable);
  LetTimePass(absl::Milliseconds(1'001));
  EXPECT_TRUE(DoTrade().ok());
}

}  // namespace guarded_test
}  // namespace bitactor
