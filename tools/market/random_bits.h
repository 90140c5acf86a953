// Pseudo-random numbers that are the same on every machine and with every standard library.
#ifndef BITACTOR_TOOLS_MARKET_RANDOM_BITS_H_
#define BITACTOR_TOOLS_MARKET_RANDOM_BITS_H_

#include <bit>
#include <cstdint>

#include "bitactor/l1_core/frame.h"

namespace bitactor::market {

// splitmix64: a counter through a bit mixer.
class RandomBits {
 public:
  explicit RandomBits(uint64_t seed) : counter_(Mix64(seed)) {}

  uint64_t Next() { return Mix64(counter_ += 0x9E3779B97F4A7C15ull); }
  // From 0 to bound - 1, for a bound below 2^32; the bias of at most bound / 2^32 is of no account.
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>((Next() >> 32) * bound >> 32); }
  bool OneIn(uint32_t n) { return Below(n) == 0; }
  // 0 half of the times, 1 a quarter, and so on, at most `most`.
  uint32_t Halving(uint32_t most) {
    const auto zeros = static_cast<uint32_t>(std::countr_zero(Next()));
    return zeros < most ? zeros : most;
  }

 private:
  uint64_t counter_;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_RANDOM_BITS_H_
