#include "bitactor/l1_core/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bitactor {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMs = 1'000'000;
constexpr SignalKind kQuote = 7;

// Time is what the test says; no thread is known, so that reports have no stack.
class WatchdogTest : public ::testing::Test {
 protected:
  void Check(double now_ms) { watchdog_.Check(static_cast<uint64_t>(now_ms * kMs)); }

  TickClock clock_{TickClock::Source::kManual};
  std::vector<StuckReport> reports_;
  Watchdog watchdog_{
      &clock_, {.on_report = [this](const StuckReport& report) { reports_.push_back(report); }}};
  Heartbeat heart_;
};

TEST_F(WatchdogTest, ReportsACallThatRunsFor10MsOnce) {
  watchdog_.Watch("feed", &heart_);
  heart_.BeginHandler(kQuote);
  Check(0);
  Check(9.9);
  EXPECT_EQ(reports_.size(), 0u);
  Check(10);
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].engine, "feed");
  EXPECT_EQ(reports_[0].doing, "handler of kind 7");
  EXPECT_EQ(reports_[0].duration_ns, 10 * kMs);
  EXPECT_FALSE(reports_[0].ended);
  Check(11);
  Check(1'000);
  EXPECT_EQ(reports_.size(), 1u);
}

TEST_F(WatchdogTest, SaysHowLongItTookWhenItHasEnded) {
  watchdog_.Watch("feed", &heart_);
  heart_.BeginHandler(kQuote);
  Check(0);
  Check(12);
  heart_.Rest();
  Check(250);
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_TRUE(reports_[1].ended);
  EXPECT_EQ(reports_[1].doing, "handler of kind 7");
  EXPECT_EQ(reports_[1].duration_ns, 250 * kMs);
  EXPECT_EQ(reports_[1].ToString(),
            "watchdog: engine 'feed': handler of kind 7 has returned after 250.0 ms\n");
  Check(300);
  EXPECT_EQ(reports_.size(), 2u);
}

TEST_F(WatchdogTest, TheNextCallIsAnIncidentOfItsOwn) {
  watchdog_.Watch("feed", &heart_);
  heart_.BeginHandler(kQuote);
  Check(0);
  Check(10);
  heart_.BeginHandler(kQuote);  // the same kind, another call
  Check(15);
  EXPECT_EQ(reports_.size(), 2u);  // the first has ended
  Check(24.9);
  EXPECT_EQ(reports_.size(), 2u);
  Check(25);
  ASSERT_EQ(reports_.size(), 3u);
  EXPECT_FALSE(reports_[2].ended);
  EXPECT_EQ(watchdog_.counters().stuck, 2u);
}

TEST_F(WatchdogTest, ManyShortCallsAreNotALongOne) {
  watchdog_.Watch("feed", &heart_);
  for (int ms = 0; ms < 1'000; ++ms) {
    heart_.BeginHandler(kQuote);
    Check(ms);
  }
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_F(WatchdogTest, AnEngineThatRestsIsNotStuck) {
  watchdog_.Watch("new", &heart_);
  Heartbeat rested;
  watchdog_.Watch("idle", &rested);
  rested.BeginPoller(2);
  rested.Rest();
  for (int ms = 0; ms < 1'000; ms += 5) Check(ms);
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_F(WatchdogTest, NamesKindsAndPollers) {
  watchdog_.Watch("feed", &heart_, [](SignalKind kind) { return kind == kQuote ? "quote" : ""; });
  heart_.BeginHandler(kQuote);
  Check(0);
  Check(10);
  heart_.BeginHandler(65'535);
  Check(20);
  Check(30);
  heart_.BeginPoller(2);
  Check(40);
  Check(50);
  ASSERT_EQ(reports_.size(), 5u);
  EXPECT_EQ(reports_[0].doing, "handler of kind 7 (quote)");
  EXPECT_EQ(reports_[2].doing, "handler of kind 65535");
  EXPECT_EQ(reports_[4].doing, "poller 2");
}

TEST_F(WatchdogTest, NoMoreThanFiveAMinuteAndTheNextSaysHowManyThereWere) {
  watchdog_.Watch("feed", &heart_);
  int ms = 0;
  const auto stick = [&] {
    heart_.BeginHandler(kQuote);
    Check(ms += 10);
    Check(ms += 10);
    heart_.Rest();
    Check(ms += 10);
  };
  for (int i = 0; i < 8; ++i) stick();
  EXPECT_EQ(reports_.size(), 10u);  // five, and their ends
  EXPECT_EQ(watchdog_.counters().stuck, 8u);
  EXPECT_EQ(watchdog_.counters().reported, 5u);
  EXPECT_EQ(watchdog_.counters().not_reported, 3u);
  ms = 60'020 - 20;  // a minute after the first report, which came at 20 ms
  stick();
  ASSERT_EQ(reports_.size(), 12u);
  EXPECT_EQ(reports_[10].not_reported, 3u);
  EXPECT_THAT(reports_[10].ToString(), HasSubstr("3 others not reported"));
  EXPECT_EQ(reports_[11].not_reported, 0u);
}

TEST_F(WatchdogTest, EveryEngineHasItsOwnCall) {
  Heartbeat other;
  watchdog_.Watch("one", &heart_);
  watchdog_.Watch("two", &other);
  heart_.BeginHandler(1);
  Check(0);
  other.BeginHandler(2);
  Check(5);
  Check(10);
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].engine, "one");
  Check(15);
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[1].engine, "two");
}

TEST_F(WatchdogTest, AnEngineNoLongerWatchedIsNotRead) {
  {
    Heartbeat short_lived;
    watchdog_.Watch("gone", &short_lived);
    short_lived.BeginHandler(1);
    Check(0);
    watchdog_.Unwatch(&short_lived);
  }
  Check(100);
  EXPECT_EQ(reports_.size(), 0u);
}

TEST_F(WatchdogTest, AClockThatStepsBackReportsNothingEarly) {
  watchdog_.Watch("feed", &heart_);
  heart_.BeginHandler(kQuote);
  Check(100);
  Check(50);
  Check(59.9);
  EXPECT_EQ(reports_.size(), 0u);
  Check(60);
  EXPECT_EQ(reports_.size(), 1u);
}

TEST(WatchdogDeathTest, OptionsAreChecked) {
  const TickClock clock(TickClock::Source::kManual);
  EXPECT_DEATH(Watchdog(&clock, {.stuck_after_ns = 0}), "check failed");
  EXPECT_DEATH(Watchdog(&clock, {.sample_every_ns = 0}), "check failed");
  EXPECT_DEATH(Watchdog(&clock, {.max_reports_per_minute = 0}), "check failed");
}

}  // namespace
}  // namespace bitactor
