#include "bitactor/l1_core/spsc_lane.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <random>

#include "support/seed.h"

namespace bitactor {
namespace {

// Fills one slot; false when the lane is full.
bool Put(SpscLane<uint64_t>& lane, uint64_t value) {
  uint64_t* slot = lane.Claim();
  if (slot == nullptr) return false;
  *slot = value;
  lane.Advance();
  return true;
}

TEST(SpscLaneTest, NothingIsVisibleBeforePublish) {
  SpscLane<uint64_t> lane(4);
  Put(lane, 1);
  EXPECT_EQ(lane.ReadTail(), 0u);
  EXPECT_TRUE(lane.HasUnpublished());
  lane.Publish();
  EXPECT_EQ(lane.ReadTail(), 1u);
  EXPECT_FALSE(lane.HasUnpublished());
}

TEST(SpscLaneTest, OnePublishShowsTheWholeBatchInOrder) {
  SpscLane<uint64_t> lane(4);
  for (uint64_t i = 0; i < 3; ++i) Put(lane, 10 + i);
  lane.Publish();
  ASSERT_EQ(lane.ReadTail(), 3u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(lane.At(i), 10 + i);
}

TEST(SpscLaneTest, ClaimGivesTheSameSlotUntilAdvance) {
  SpscLane<uint64_t> lane(4);
  uint64_t* slot = lane.Claim();
  EXPECT_EQ(lane.Claim(), slot);
  lane.Advance();
  EXPECT_NE(lane.Claim(), slot);
}

TEST(SpscLaneTest, FullLaneRefusesUntilARelease) {
  SpscLane<uint64_t> lane(2);
  EXPECT_TRUE(Put(lane, 1));
  EXPECT_TRUE(Put(lane, 2));
  EXPECT_FALSE(Put(lane, 3));
  lane.Publish();
  EXPECT_FALSE(Put(lane, 3)) << "publishing frees nothing";
  lane.Release(1);
  EXPECT_TRUE(Put(lane, 3));
  EXPECT_FALSE(Put(lane, 4));
}

TEST(SpscLaneTest, TheProducerReachesWhatItFilledAndHasNotPublished) {
  SpscLane<uint64_t> lane(4);
  Put(lane, 1);
  lane.Publish();
  Put(lane, 2);
  ASSERT_EQ(lane.published(), 1u);
  lane.Filled(lane.published()) = 20;
  lane.Publish();
  EXPECT_EQ(lane.published(), 2u);
  EXPECT_EQ(lane.At(1), 20u);
}

TEST(SpscLaneTest, SizeCountsPublishedSlotsNotReleased) {
  SpscLane<uint64_t> lane(4);
  Put(lane, 1);
  EXPECT_EQ(lane.SizeApproximate(), 0u);
  lane.Publish();
  Put(lane, 2);
  lane.Publish();
  EXPECT_EQ(lane.SizeApproximate(), 2u);
  lane.Release(1);
  EXPECT_EQ(lane.SizeApproximate(), 1u);
}

// Invariants I1 to I3 and first-in-first-out against a queue that is trivially right.
TEST(SpscLaneTest, BehavesAsAQueueUnderRandomSteps) {
  std::mt19937_64 random(test::Seed());
  for (const size_t capacity : {2u, 4u, 8u}) {
    SpscLane<uint64_t> lane(capacity);
    std::deque<uint64_t> filled, visible;
    uint64_t next = 0;
    for (int step = 0; step < 20'000; ++step) {
      switch (random() % 3) {
        case 0: {
          const bool room = filled.size() + visible.size() < capacity;
          ASSERT_EQ(Put(lane, next), room);
          if (room) filled.push_back(next++);
          break;
        }
        case 1:
          lane.Publish();
          visible.insert(visible.end(), filled.begin(), filled.end());
          filled.clear();
          break;
        default:
          if (visible.empty()) break;
          ASSERT_EQ(lane.At(lane.released()), visible.front());
          lane.Release(lane.released() + 1);
          visible.pop_front();
      }
      ASSERT_EQ(lane.ReadTail() - lane.released(), visible.size());
      ASSERT_EQ(lane.claimed() - lane.ReadTail(), filled.size());
      ASSERT_LE(lane.claimed(), lane.released() + capacity);
    }
  }
}

TEST(SpscLaneDeathTest, CapacityMustBeAPowerOfTwo) {
  EXPECT_DEATH(SpscLane<uint64_t> lane(100), "check failed");
  EXPECT_DEATH(SpscLane<uint64_t> lane(1), "check failed");
}

}  // namespace
}  // namespace bitactor
