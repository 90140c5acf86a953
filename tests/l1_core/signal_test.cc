#include "bitactor/l1_core/signal.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "bitactor/l1_core/signal_queue.h"

namespace bitactor {
namespace {

enum Kind : uint16_t { kPrice = 4 };
struct Price {
  int64_t cents;
  uint32_t lots;
};

TEST(SignalTest, CarriesKindAndValue) {
  const Signal signal = Signal::Of(kPrice, Price{.cents = -12, .lots = 7});
  EXPECT_EQ(signal.kind, kPrice);
  EXPECT_EQ(signal.As<Price>().cents, -12);
  EXPECT_EQ(signal.As<Price>().lots, 7u);
}

TEST(SignalTest, CarriesUpTo56Bytes) {
  std::array<uint8_t, kMaxSignalBytes> bytes;
  bytes.fill(0xAB);
  EXPECT_EQ(Signal::Of(kPrice, bytes).As<decltype(bytes)>(), bytes);
}

TEST(SignalTest, MayCarryNothing) { EXPECT_EQ(Signal::Of(kPrice).size_bytes, 0); }

TEST(SignalDeathTest, ReadingAnotherTypeIsABug) {
  const Signal signal = Signal::Of(kPrice, uint32_t{1});
  EXPECT_DEATH(signal.As<uint64_t>(), "the values were 4 and 8");
}

TEST(SignalQueueTest, FirstInFirstOut) {
  SignalQueue queue(4);
  for (uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(queue.TryPush(Signal::Of(kPrice, i)));
  ASSERT_EQ(queue.tail(), 3u);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(queue.At(i).As<uint32_t>(), i);
}

TEST(SignalQueueTest, AFullQueueRefusesAndCounts) {
  SignalQueue queue(2);
  EXPECT_TRUE(queue.TryPush(Signal::Of(kPrice)));
  EXPECT_TRUE(queue.TryPush(Signal::Of(kPrice)));
  EXPECT_FALSE(queue.TryPush(Signal::Of(kPrice)));
  EXPECT_FALSE(queue.TryPush(Signal::Of(kPrice)));
  EXPECT_EQ(queue.refused(), 2u);
  EXPECT_EQ(queue.tail(), 2u) << "what is refused was never queued";
}

TEST(SignalQueueTest, AReleaseMakesRoom) {
  SignalQueue queue(2);
  queue.TryPush(Signal::Of(kPrice));
  queue.TryPush(Signal::Of(kPrice));
  queue.Release(1);
  EXPECT_TRUE(queue.TryPush(Signal::Of(kPrice)));
}

TEST(SignalQueueTest, Holds1024UnlessTold) { EXPECT_EQ(SignalQueue().capacity(), 1024u); }

}  // namespace
}  // namespace bitactor
