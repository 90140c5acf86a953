// What a TickClock makes of counters that are wrong, drift, wrap, jump and run backwards: both of
// its times are made here.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>

#include "bitactor/l1_core/tick_clock.h"
#include "support/seed.h"

namespace bitactor {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// A counter and a reference that share one true time. Reading the reference takes a while, so that
// the calibration, which waits for it to move, ends.
class FakePort final : public ClockPort {
 public:
  explicit FakePort(double hertz, uint64_t counter = 1'000'000) : hertz_(hertz), base_(counter) {}

  uint64_t Counter() override {
    return base_ + static_cast<uint64_t>(static_cast<int64_t>(
                       std::floor(static_cast<double>(true_ns_ - since_ns_) * hertz_ / 1e9)));
  }
  uint64_t ReferenceNs() override {
    true_ns_ += read_ns_;
    return true_ns_ + reference_ahead_ns_;
  }
  uint64_t CounterHertz() override { return declared_hertz_; }

  void Pass(uint64_t duration_ns) { true_ns_ += duration_ns; }
  void SetHertz(double hertz) {
    base_ = Counter();
    since_ns_ = true_ns_;
    hertz_ = hertz;
  }
  void JumpCounter(int64_t cycles) { base_ += static_cast<uint64_t>(cycles); }
  void JumpReference(int64_t ns) { reference_ahead_ns_ += static_cast<uint64_t>(ns); }
  void Declare(uint64_t hertz) { declared_hertz_ = hertz; }
  void SetReadNs(uint64_t ns) { read_ns_ = ns; }
  // How far a time of the clock is ahead of the reference now.
  int64_t Off(const TickClock& clock) const {
    return static_cast<int64_t>(clock.NowNanos() - (true_ns_ + reference_ahead_ns_));
  }

 private:
  double hertz_;
  uint64_t base_;
  uint64_t true_ns_ = 50 * kSecond;
  uint64_t since_ns_ = 50 * kSecond;
  uint64_t reference_ahead_ns_ = 0;
  uint64_t declared_hertz_ = 0;
  uint64_t read_ns_ = 20;
};

// Once a second, as an idle engine does.
void RecheckFor(FakePort& port, const TickClock& clock, int seconds) {
  for (int i = 0; i < seconds; ++i) {
    port.Pass(kSecond);
    clock.Recheck();
  }
}

TEST(ClockRecheckTest, AGoodCounterIsConfirmed) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 100);
  const ClockDrift drift = clock.Drift();
  EXPECT_EQ(drift.rechecks, 100u);
  EXPECT_EQ(drift.steps, 0u);
  EXPECT_FALSE(drift.fell_back);
  EXPECT_LT(std::abs(drift.ppm), 0.1);
  EXPECT_GE(drift.baseline_ns, 100 * kSecond);
  EXPECT_LT(std::abs(port.Off(clock)), 100);
  EXPECT_NEAR(clock.hertz(), 2.5e9, 25);
}

TEST(ClockRecheckTest, ComparesWhenTheBaselineHasDoubledAndThenOnceASecond) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  clock.Recheck();
  EXPECT_EQ(clock.Drift().rechecks, 0u);
  int compared_by[41] = {};
  for (int i = 1; i <= 40; ++i) {  // steps of 100 ms, and some for the readings themselves
    port.Pass(kSecond / 10 + 10'000);
    clock.Recheck();
    compared_by[i] = static_cast<int>(clock.Drift().rechecks);
  }
  EXPECT_EQ(compared_by[1], 1);
  EXPECT_EQ(compared_by[3], 2);
  EXPECT_LE(compared_by[10], 4);
  EXPECT_LE(compared_by[40] - compared_by[10], 3);
  EXPECT_GE(compared_by[40] - compared_by[10], 2);
}

TEST(ClockRecheckTest, AWrongRateIsCorrectedAndWhatItCostIsCaughtUp) {
  for (const double wrong_ppm : {-300.0, -20.0, 20.0, 300.0}) {
    FakePort port(1e9);
    port.Declare(1'000'000'000);
    const TickClock clock(&port);
    port.SetHertz(1e9 * (1 + wrong_ppm / 1e6));
    RecheckFor(port, clock, 1);
    EXPECT_NEAR(clock.Drift().ppm, wrong_ppm, 1) << wrong_ppm;
    EXPECT_NEAR(static_cast<double>(clock.Drift().off_ns), 1000 * wrong_ppm, 1000) << wrong_ppm;
    RecheckFor(port, clock, 10);
    EXPECT_LT(std::abs(port.Off(clock)), 1'000) << wrong_ppm;
    EXPECT_NEAR(clock.hertz(), 1e9 * (1 + wrong_ppm / 1e6), 1e3) << wrong_ppm;
    EXPECT_EQ(clock.Drift().steps, 0u) << wrong_ppm;
  }
}

TEST(ClockRecheckTest, ADeclaredRateNeedsNoTimeAtTheStart) {
  FakePort port(24e6);
  port.SetReadNs(0);  // a calibration would wait for ever
  port.Declare(24'000'000);
  const TickClock clock(&port);
  EXPECT_EQ(clock.source(), TickClock::Source::kTsc);
  EXPECT_NEAR(clock.hertz(), 24e6, 0.1);
  RecheckFor(port, clock, 10);
  EXPECT_LT(std::abs(port.Off(clock)), 100);  // a cycle is 42 ns
}

TEST(ClockRecheckTest, ARateDeclaredWronglyIsReplacedWhenMeasuredTwice) {
  FakePort port(25e6);
  port.Declare(24'000'000);
  const TickClock clock(&port);
  RecheckFor(port, clock, 2);
  EXPECT_NEAR(clock.hertz(), 25e6, 100);
  EXPECT_EQ(clock.Drift().steps, 2u);
  RecheckFor(port, clock, 1);
  EXPECT_EQ(clock.Drift().steps, 2u);
  EXPECT_LT(std::abs(clock.Drift().ppm), 1);
}

TEST(ClockRecheckTest, ACounterMayWrap) {
  FakePort port(2.5e9, uint64_t{0} - 6'000'000'000);  // wraps after 2.4 s
  const TickClock clock(&port);
  uint64_t last_ns = clock.NowNanos();
  for (int i = 0; i < 100; ++i) {
    port.Pass(kSecond / 20);
    clock.Recheck();
    const uint64_t now_ns = clock.NowNanos();
    ASSERT_GE(now_ns, last_ns) << i;
    ASSERT_LT(std::abs(port.Off(clock)), 1'000) << i;
    last_ns = now_ns;
  }
  EXPECT_LT(port.Counter(), uint64_t{1} << 62);
  EXPECT_FALSE(clock.Drift().fell_back);
  EXPECT_EQ(clock.Drift().steps, 0u);
}

TEST(ClockRecheckTest, ACounterThatRanBackwardsIsReplacedByTheReference) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 5);
  const uint64_t cycles = clock.Now();
  const uint64_t ns = clock.NowNanos();
  const double hertz = clock.hertz();
  port.JumpCounter(-10'000'000'000);
  clock.Recheck();  // at once, though no comparison is due
  EXPECT_EQ(clock.source(), TickClock::Source::kMonotonic);
  EXPECT_TRUE(clock.Drift().fell_back);
  EXPECT_GE(clock.Now(), cycles);
  EXPECT_GE(clock.NowNanos(), ns);
  // Cycles keep their length: what somebody worked out from the old ones still holds.
  EXPECT_EQ(clock.hertz(), hertz);
  const uint64_t before = clock.Now();
  port.Pass(kSecond);
  EXPECT_NEAR(static_cast<double>(clock.Now() - before), hertz, 100);  // 20 ns go by as it reads
  // And the counter does not matter any more.
  port.JumpCounter(1'000'000'000'000);
  RecheckFor(port, clock, 1000);
  EXPECT_LT(std::abs(port.Off(clock)), 2'000);
  EXPECT_EQ(clock.Drift().rechecks, 5u);
  EXPECT_EQ(clock.ToString(), "CLOCK_MONOTONIC, for the counter ran backwards");
}

TEST(ClockRecheckTest, CoresThatDifferByLittleAreNotBackwards) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 5);
  port.JumpCounter(-2'000);
  clock.Recheck();
  EXPECT_EQ(clock.source(), TickClock::Source::kTsc);
  EXPECT_FALSE(clock.Drift().fell_back);
}

TEST(ClockRecheckTest, ACounterThatStoodStillSetsTheClockForward) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 5);
  port.Pass(kSecond);
  port.JumpCounter(-2'000'000'000);  // by 0.8 s, not as far as the last comparison
  RecheckFor(port, clock, 1);
  EXPECT_EQ(clock.Drift().steps, 1u);
  EXPECT_EQ(clock.Drift().steps_forward, 1u);
  RecheckFor(port, clock, 5);
  EXPECT_LT(std::abs(port.Off(clock)), 1'000);
  EXPECT_EQ(clock.Drift().steps, 1u);
  EXPECT_NEAR(clock.hertz(), 2.5e9, 2'500);
}

TEST(ClockRecheckTest, ACounterThatJumpedAheadIsNotFollowedBack) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 5);
  port.JumpCounter(2'500'000'000);  // a suspended machine: the counter ran on for a second
  const uint64_t shown_ns = clock.NowNanos();
  RecheckFor(port, clock, 1);
  EXPECT_GE(clock.NowNanos(), shown_ns + kSecond);
  EXPECT_EQ(clock.Drift().steps, 1u);
  EXPECT_EQ(clock.Drift().steps_forward, 0u);
  const int64_t off_ns = port.Off(clock);
  EXPECT_GT(off_ns, 990'000'000);
  // It comes back by 100 us a second, and no faster.
  RecheckFor(port, clock, 100);
  EXPECT_NEAR(static_cast<double>(off_ns - port.Off(clock)), 100 * 100'000.0, 20'000);
  EXPECT_NEAR(clock.hertz(), 2.5e9, 2'500);
}

TEST(ClockRecheckTest, AReferenceThatStepsBackDoesNotTakeTheClockAlong) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 5);
  port.JumpReference(-static_cast<int64_t>(10 * kSecond));
  uint64_t last_ns = clock.NowNanos();
  for (int i = 0; i < 5; ++i) {
    RecheckFor(port, clock, 1);
    EXPECT_GE(clock.NowNanos(), last_ns + kSecond * 999 / 1000);
    last_ns = clock.NowNanos();
  }
  EXPECT_EQ(clock.Drift().steps, 1u);
  EXPECT_NEAR(clock.hertz(), 2.5e9, 2'500);
}

TEST(ClockRecheckTest, AReadingThatTookTooLongChangesNothing) {
  FakePort port(2.5e9);
  const TickClock clock(&port);
  RecheckFor(port, clock, 5);
  const ClockDrift before = clock.Drift();
  port.SetReadNs(50'000);
  port.Pass(kSecond);
  clock.Recheck();
  EXPECT_EQ(clock.Drift().unsure, 1u);
  EXPECT_EQ(clock.Drift().rechecks, before.rechecks);
  port.SetReadNs(20);
  clock.Recheck();  // still due
  EXPECT_EQ(clock.Drift().rechecks, before.rechecks + 1);
}

TEST(ClockRecheckTest, OtherSourcesHaveNothingToCompare) {
  for (const auto source : {TickClock::Source::kManual, TickClock::Source::kMonotonic}) {
    TickClock clock(source);
    if (source == TickClock::Source::kManual) clock.Advance(10 * kSecond);
    clock.Recheck();
    EXPECT_EQ(clock.Drift().rechecks, 0u);
  }
}

// Whatever counter and reference do, as long as the counter does not run back, and whenever
// somebody rechecks: no time is before an earlier one, and no reading has two times.
TEST(ClockRecheckTest, TimeNeverStepsBack) {
  std::mt19937_64 random(test::Seed());
  const auto below = [&random](uint64_t bound) { return random() % bound; };
  for (int run = 0; run < test::Rounds(50); ++run) {
    FakePort port(1e8 + static_cast<double>(below(4'000'000'000)), random());
    const TickClock clock(&port);
    uint64_t last_ns = clock.NowNanos();
    for (int i = 0; i < 1'000; ++i) {
      switch (below(16)) {
        case 0:
          port.SetHertz(1e8 + static_cast<double>(below(4'000'000'000)));
          break;
        case 1:
          port.JumpCounter(static_cast<int64_t>(below(uint64_t{1} << (10 + below(30)))));
          break;
        case 2:
          port.JumpReference(static_cast<int64_t>(below(uint64_t{1} << (10 + below(30)))) -
                             static_cast<int64_t>(below(uint64_t{1} << (10 + below(30)))));
          break;
        default:
          port.Pass(below(uint64_t{1} << (1 + below(31))));
      }
      const uint64_t cycles = clock.Now();
      const uint64_t now_ns = clock.ToNanos(cycles);
      ASSERT_GE(now_ns, last_ns) << "run " << run << " step " << i;
      clock.Recheck();
      ASSERT_EQ(clock.ToNanos(cycles), now_ns) << "run " << run << " step " << i;
      last_ns = now_ns;
    }
  }
}

}  // namespace
}  // namespace bitactor
