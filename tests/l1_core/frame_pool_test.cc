#include "bitactor/l1_core/frame_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

TEST(FramePoolTest, LendsEachFrameOnce) {
  FramePool pool(8);
  std::set<Frame*> lent;
  for (int i = 0; i < 8; ++i) lent.insert(pool.Acquire());
  EXPECT_EQ(lent.size(), 8u);
  EXPECT_FALSE(lent.contains(nullptr));
}

TEST(FramePoolTest, ExhaustionIsRefusedAndCounted) {
  FramePool pool(1);
  Frame* frame = pool.Acquire();
  EXPECT_EQ(pool.Acquire(), nullptr);
  EXPECT_EQ(pool.Acquire(), nullptr);
  EXPECT_EQ(pool.exhausted(), 2u);
  pool.Release(frame);
  EXPECT_NE(pool.Acquire(), nullptr);
}

TEST(FramePoolTest, LendsTheFrameReleasedLastFirst) {
  FramePool pool(4);
  Frame* first = pool.Acquire();
  Frame* second = pool.Acquire();
  pool.Release(first);
  pool.Release(second);
  EXPECT_EQ(pool.Acquire(), second);
  EXPECT_EQ(pool.Acquire(), first);
}

TEST(FramePoolTest, FramesAreAlignedToCacheLines) {
  FramePool pool(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pool.Acquire()) % kCacheLineBytes, 0u);
  }
}

TEST(FramePoolTest, LendsOutOfTheMemoryThatItIsGiven) {
  absl::StatusOr<PageMemory> memory =
      PageMemory::Map(FramePool::BytesFor(1'000), {.huge_pages = true});
  ASSERT_EQ(memory.status(), absl::OkStatus());
  const std::byte* const begin = memory->data();
  const std::byte* const end = begin + FramePool::BytesFor(1'000);
  FramePool pool(1'000, *std::move(memory));
  EXPECT_EQ(pool.memory().data(), begin);
  for (size_t i = 0; i < 1'000; ++i) {
    const auto* frame = reinterpret_cast<const std::byte*>(pool.Acquire());
    ASSERT_GE(frame, begin);
    ASSERT_LE(frame + sizeof(Frame), end);
  }
  EXPECT_EQ(pool.Acquire(), nullptr);
}

// Every refusal counts, and no frame is lost by it.
TEST(FramePoolTest, AskedForTenTimesItsCapacityItCountsEveryRefusal) {
  FramePool pool(100);
  std::vector<Frame*> lent;
  uint64_t refused = 0;
  for (int i = 0; i < 1'000; ++i) {
    if (Frame* frame = pool.Acquire()) {
      lent.push_back(frame);
    } else {
      ++refused;
    }
  }
  EXPECT_EQ(refused, 900u);
  EXPECT_EQ(pool.exhausted(), refused);
  for (Frame* frame : lent) pool.Release(frame);
  EXPECT_EQ(pool.available(), 100u);
}

TEST(FramePoolTest, LentFramesKeepTheirBytesThroughRandomTraffic) {
  std::mt19937_64 random(test::Seed());
  FramePool pool(32);
  std::vector<std::pair<Frame*, int>> lent;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      Frame* frame = pool.Acquire();
      ASSERT_EQ(frame == nullptr, lent.size() == 32);
      if (frame == nullptr) continue;
      const int mark = static_cast<int>(random() % 256);
      std::memset(static_cast<void*>(frame), mark, sizeof(Frame));
      lent.emplace_back(frame, mark);
    } else if (!lent.empty()) {
      const size_t chosen = random() % lent.size();
      std::vector<unsigned char> expected(sizeof(Frame),
                                          static_cast<unsigned char>(lent[chosen].second));
      ASSERT_EQ(std::memcmp(lent[chosen].first, expected.data(), sizeof(Frame)), 0);
      pool.Release(lent[chosen].first);
      lent.erase(lent.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
    ASSERT_EQ(pool.available() + lent.size(), pool.capacity());
  }
}

using FramePoolDeathTest = ::testing::Test;

TEST(FramePoolDeathTest, AForeignFrameIsABug) {
  FramePool pool(2);
  pool.Acquire();
  Frame foreign;
  EXPECT_DEATH(pool.Release(&foreign), "check failed");
}

TEST(FramePoolDeathTest, MemoryThatIsTooSmallIsABug) {
  EXPECT_DEATH(FramePool(1'000, *PageMemory::Map(1)), "check failed");
}

TEST(FramePoolDeathTest, MoreReleasesThanFramesAreABug) {
  FramePool pool(2);
  Frame* frame = pool.Acquire();
  pool.Release(frame);
  EXPECT_DEATH(pool.Release(frame), "check failed");
}

}  // namespace
}  // namespace bitactor
