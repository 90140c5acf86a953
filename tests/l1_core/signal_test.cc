#include "bitactor/l1_core/signal.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

TEST(SignalTest, KnowsWhatItHolds) {
  EXPECT_TRUE(Signal::Of(kPrice, uint32_t{1}).Holds<uint32_t>());
  EXPECT_FALSE(Signal::Of(kPrice, uint32_t{1}).Holds<uint64_t>());
}

TEST(SignalTest, PayloadBytesAfterTheValueAreZero) {
  Signal signal;
  std::memset(&signal, 0xAB, sizeof(signal));
  signal.Set(kPrice, uint16_t{7});
  for (size_t i = sizeof(uint16_t); i < kMaxSignalBytes; ++i) {
    EXPECT_EQ(signal.payload[i], std::byte{0}) << i;
  }
}

}  // namespace
}  // namespace bitactor
