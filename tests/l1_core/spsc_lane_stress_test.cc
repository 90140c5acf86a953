// Two threads on one lane. What must hold, whatever the schedule:
//   every value arrives once, in order (first in, first out);
//   a slot's bytes are whole: all words of a slot are of one write (I2, I3);
//   the consumer never sees more than the capacity (I1).
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <thread>

#include "bitactor/l1_core/spsc_lane.h"
#include "support/seed.h"

namespace bitactor {
namespace {

struct Slot {
  std::array<uint64_t, 24> words;  // of a frame's size: three cache lines, torn if anything is
};

class SpscLaneStressTest : public ::testing::TestWithParam<size_t> {};

TEST_P(SpscLaneStressTest, EveryValueArrivesOnceInOrderAndWhole) {
  const size_t capacity = GetParam();
  const uint64_t values = static_cast<uint64_t>(test::Rounds(capacity < 16 ? 5'000 : 50'000));
  SpscLane<Slot> lane(capacity);
  uint64_t torn = 0, out_of_order = 0, over_capacity = 0;

  std::thread consumer([&] {
    uint64_t next = 0;
    while (next < values) {
      const uint64_t tail = lane.ReadTail();
      if (tail == next) std::this_thread::yield();
      over_capacity += tail - next > capacity ? 1 : 0;
      for (; next < tail; ++next) {
        const Slot& slot = lane.At(next);
        out_of_order += slot.words[0] != next ? 1 : 0;
        for (const uint64_t word : slot.words) torn += word != slot.words[0] ? 1 : 0;
        if (next % 3 == 0) lane.Release(next + 1);
      }
      lane.Release(next);
    }
  });
  for (uint64_t value = 0; value < values;) {
    Slot* slot = lane.Claim();
    if (slot == nullptr) {
      lane.Publish();
      std::this_thread::yield();
      continue;
    }
    slot->words.fill(value++);
    lane.Advance();
    if (value % 5 != 0) lane.Publish();  // batches of one and two
  }
  lane.Publish();
  consumer.join();

  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_EQ(over_capacity, 0u);
  EXPECT_EQ(lane.SizeApproximate(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Capacities, SpscLaneStressTest, ::testing::Values(2, 16, 1024));

TEST(SpscLaneSizeStressTest, ASizeSeenByAThirdThreadIsNeverNegative) {
  const uint64_t values = static_cast<uint64_t>(test::Rounds(5'000));
  SpscLane<uint64_t> lane(16);
  std::thread consumer([&] {
    uint64_t next = 0;
    while (next < values) {
      const uint64_t tail = lane.ReadTail();
      if (tail == next) std::this_thread::yield();
      next = tail;
      lane.Release(next);
    }
  });
  std::jthread producer([&] {
    for (uint64_t value = 0; value < values;) {
      if (uint64_t* slot = lane.Claim()) {
        *slot = value++;
        lane.Advance();
        lane.Publish();
      } else {
        std::this_thread::yield();
      }
    }
  });
  // Between its two readings the lane may move on by any number, so that only the sign is certain.
  uint64_t negative = 0;
  while (lane.ReadTail() < values) {
    negative += lane.SizeApproximate() > values ? 1 : 0;
    std::this_thread::yield();
  }
  consumer.join();
  EXPECT_EQ(negative, 0u);
}

}  // namespace
}  // namespace bitactor
