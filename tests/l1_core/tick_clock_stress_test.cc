#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "bitactor/l1_core/tick_clock.h"
#include "support/seed.h"

namespace bitactor {
namespace {

// Two threads hand a time to and fro: whoever receives it reads no earlier one, whatever core it
// runs on. The counters of two cores may be a few ns apart; 1 us is allowed, which no budget and no
// stamp depends on.
TEST(TickClockStressTest, ThreadsAgreeOnTheOrderOfTheirReadings) {
  constexpr uint64_t kAllowedNs = 1'000;
  const TickClock clock;
  const int rounds = test::Rounds(2'000);
  std::atomic<uint64_t> ball_ns{0};
  std::atomic<int> turn{0};
  uint64_t backwards[2] = {0, 0};
  const auto play = [&](int me) {
    for (int i = 0; i < rounds; ++i) {
      while (turn.load(std::memory_order_acquire) != me) std::this_thread::yield();
      const uint64_t now_ns = clock.NowNanos();
      if (now_ns + kAllowedNs < ball_ns.load(std::memory_order_relaxed)) ++backwards[me];
      ball_ns.store(now_ns, std::memory_order_relaxed);
      turn.store(1 - me, std::memory_order_release);
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(backwards[0], 0u);
  EXPECT_EQ(backwards[1], 0u);
}

TEST(TickClockStressTest, AManualClockSumsTheAdvancesOfAllThreads) {
  TickClock clock(TickClock::Source::kManual);
  const auto advance = [&] {
    for (int i = 0; i < 10'000; ++i) clock.Advance(3);
  };
  std::thread other(advance);
  advance();
  other.join();
  EXPECT_EQ(clock.NowNanos(), 60'000u);
}

}  // namespace
}  // namespace bitactor
