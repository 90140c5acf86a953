// Readers of a clock while its lines are replaced: as fast as can be, and once a moment.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

#include "bitactor/l1_core/clock_lines.h"
#include "bitactor/l1_core/tick_clock.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using internal::ClockLine;
using internal::ClockLines;

// Line n starts at cycle 1,000 n, where line n - 1 is then, and has one of seven rates: 1 ns for a
// cycle, 1.25, up to 2.5.
ClockLine LineOf(uint64_t n) {
  const uint64_t quarters_before = 250 * (n % 7 * (n % 7 - 1) / 2);
  return {.start_cycles = n * 1'000,
          .start_ns = n / 7 * (7'000 + 250 * 21) + n % 7 * 1'000 + quarters_before,
          .ns_per_cycle_q32 = (uint64_t{1} << 32) + n % 7 * (uint64_t{1} << 30)};
}

TEST(ClockLinesStressTest, TheOraclesLinesMeet) {
  for (uint64_t n = 1; n < 100; ++n) {
    EXPECT_EQ(LineOf(n - 1).At(n * 1'000), LineOf(n).start_ns) << n;
  }
}

// In every schedule: what At() returns is on a line that was the newest, or the one before it, at
// some moment of the call. A mixture of two lines would be on none (L1 to L3).
TEST(ClockLinesStressTest, AReadingIsOnOneLineWhateverIsPublishedMeanwhile) {
  const auto lines = static_cast<uint64_t>(test::Rounds(3'000'000));
  ClockLines published;
  published.Start(LineOf(0));
  std::atomic<uint64_t> newest{0};
  const auto read = [&](uint64_t offset, int& wrong) {
    for (uint64_t begin = 0; begin < lines;) {
      begin = newest.load(std::memory_order_acquire);
      const uint64_t cycles = begin * 1'000 + offset;
      const uint64_t ns = published.At(cycles);
      const uint64_t end = newest.load(std::memory_order_acquire) + 1;  // it may be ahead by one
      // Where line begin + 1 does not cover the cycle, line begin is in force, and so on.
      bool on_a_line = false;
      for (uint64_t n = begin; n <= end && !on_a_line; ++n) {
        on_a_line = ns == LineOf(n > begin ? n - 1 : n).At(cycles);
      }
      if (!on_a_line) ++wrong;
    }
  };
  int wrong_early = 0, wrong_late = 0;
  std::thread early([&] { read(1, wrong_early); });
  std::thread late([&] { read(999, wrong_late); });
  for (uint64_t n = 1; n <= lines; ++n) {
    published.Publish(LineOf(n));
    newest.store(n, std::memory_order_release);
  }
  early.join();
  late.join();
  EXPECT_EQ(wrong_early, 0);
  EXPECT_EQ(wrong_late, 0);
}

// The reference runs 500 ppm too fast and too slow by turns, 50 ms each, so that every comparison
// bends the clock as far as it goes.
class WavyPort final : public ClockPort {
 public:
  uint64_t Counter() override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
  }
  uint64_t ReferenceNs() override {
    const uint64_t now = Counter();
    const uint64_t phase = now % 100'000'000;
    return now + std::min(phase, 100'000'000 - phase) / 2'000;
  }
  uint64_t CounterHertz() override { return 1'000'000'000; }
};

// Two threads read and recheck at once, until three comparisons were made. A reading that was held
// for 5 ms on its way to becoming a time says nothing: it may have missed two lines.
TEST(ClockLinesStressTest, TimeDoesNotStepBackWhileThreadsRecheck) {
  WavyPort port;
  const TickClock clock(&port);
  std::atomic<bool> done{false};
  const auto run = [&](uint64_t& backwards) {
    uint64_t last_ns = 0;
    for (uint64_t i = 0; !done.load(std::memory_order_relaxed); ++i) {
      const uint64_t cycles = clock.Now();
      const uint64_t now_ns = clock.ToNanos(cycles);
      if (clock.Now() - cycles < 5'000'000) {
        if (now_ns < last_ns) ++backwards;
        last_ns = now_ns;
      }
      if (i % 16 != 0) continue;
      clock.Recheck();
      if (clock.Drift().rechecks >= 3) done.store(true, std::memory_order_relaxed);
    }
  };
  uint64_t backwards[2] = {0, 0};
  std::thread other([&] { run(backwards[1]); });
  run(backwards[0]);
  other.join();
  EXPECT_EQ(backwards[0], 0u);
  EXPECT_EQ(backwards[1], 0u);
  EXPECT_FALSE(clock.Drift().fell_back);
}

}  // namespace
}  // namespace bitactor
