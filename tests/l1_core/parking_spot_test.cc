// The wake-up protocol by itself, both ways: with the barrier of the process, and without it.
#include "bitactor/l1_core/parking_spot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "bitactor/l1_core/placement.h"
#include "support/seed.h"

namespace bitactor::internal {
namespace {

TEST(ParkingSpotTest, AWakeWithoutASleeperDoesNothing) {
  ParkingSpot spot;
  EXPECT_FALSE(spot.parked());
  spot.Wake();
  EXPECT_FALSE(spot.parked());
}

TEST(ParkingSpotTest, WorkSeenAfterTheAnnouncementPreventsTheSleep) {
  ParkingSpot spot;
  bool announced = false;
  spot.Park(
      [&] {
        announced = spot.parked();
        return true;
      },
      std::nullopt);
  EXPECT_TRUE(announced);
  EXPECT_FALSE(spot.parked());
  EXPECT_EQ(spot.sleeps(), 0u);
}

TEST(ParkingSpotTest, AWakeBetweenTheLookAndTheSleepEndsTheSleepAtOnce) {
  ParkingSpot spot;
  int looks = 0;
  spot.Park(
      [&] {
        if (++looks == 2) spot.Wake();
        return false;
      },
      std::nullopt);
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(spot.sleeps(), 1u);
}

TEST(ParkingSpotTest, TheTimeoutEndsTheSleep) {
  ParkingSpot spot;
  const auto before = std::chrono::steady_clock::now();
  spot.Park([] { return false; }, 2'000'000);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(2));
}

TEST(ParkingSpotTest, WithoutTheBarrierNoSleepIsEndless) {
  ParkingSpot spot(/*has_barrier=*/false);
  spot.Park([] { return false; }, std::nullopt);
  EXPECT_EQ(spot.sleeps(), 1u);
}

// Moves this thread to the n-th of the processors it may use. Threads that wake each other are else
// put on one, where nothing happens at the same time.
void RunOnProcessor(size_t n) {
  const std::vector<int> cpus = AllowedCpus();
  if (cpus.size() < 2) return;
  ASSERT_EQ(PinThisThread(cpus[n]), absl::OkStatus());
}

class ParkingSpotStressTest : public ::testing::TestWithParam<bool> {};

// Round by round one thread goes to sleep while the other publishes work, a random few ns before or
// after: each misses the other's store for as long as that waits in a store buffer. A wake-up that
// is lost is a sleep until the timeout, hundreds of times what the slowest wake-up takes. (Without
// the barrier all sleeps are short; the test then shows that the sleeper finds its work.)
TEST_P(ParkingSpotStressTest, NoWakeUpIsLost) {
  constexpr auto kLost = std::chrono::seconds(60);
  const uint32_t rounds = static_cast<uint32_t>(test::Rounds(GetParam() ? 100'000 : 2'000));
  std::minstd_rand random(static_cast<uint32_t>(test::Seed()));
  ParkingSpot spot(GetParam());
  alignas(kCacheLineBytes) std::atomic<uint32_t> work{0};   // rounds published
  alignas(kCacheLineBytes) std::atomic<uint32_t> ready{0};  // rounds the sleeper is in
  std::atomic<bool> lost{false};

  std::thread sleeper([&] {
    RunOnProcessor(1);
    for (uint32_t round = 1; round <= rounds && !lost; ++round) {
      const auto has_work = [&] { return work.load(std::memory_order_acquire) >= round; };
      ready.store(round, std::memory_order_release);
      while (!has_work()) {
        const auto before = std::chrono::steady_clock::now();
        spot.Park(has_work, std::chrono::nanoseconds(kLost).count());
        if (std::chrono::steady_clock::now() - before >= kLost) lost = true;
      }
    }
  });
  std::thread waker([&] {
    RunOnProcessor(0);
    for (uint32_t round = 1; round <= rounds && !lost; ++round) {
      int spins = 0;
      while (ready.load(std::memory_order_acquire) < round && !lost) {
        if (++spins > 1'000) std::this_thread::yield();  // one processor for both
      }
      for (auto wait = random() % 1'024; wait > 0; --wait) work.load(std::memory_order_relaxed);
      work.store(round, std::memory_order_release);
      if (spot.parked()) spot.Wake();
    }
  });
  waker.join();
  sleeper.join();

  EXPECT_FALSE(lost) << "in round " << work;
  EXPECT_GT(spot.sleeps(), 0u) << "the sleep is what is tested";
}

INSTANTIATE_TEST_SUITE_P(Barrier, ParkingSpotStressTest, ::testing::Bool(),
                         [](const auto& which) { return which.param ? "With" : "Without"; });

}  // namespace
}  // namespace bitactor::internal
