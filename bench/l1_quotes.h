// What the l1/* rows push.
#ifndef BITACTOR_BENCH_L1_QUOTES_H_
#define BITACTOR_BENCH_L1_QUOTES_H_

#include <cstdint>

#include "bitactor/l1_core/signal.h"

namespace bitactor::bench {

inline constexpr uint64_t kBatch = 16;  // signals pushed before they are taken
inline constexpr SignalKind kQuote = 1;

struct Quote {
  uint64_t symbol;
  uint64_t price;
  uint64_t size;
};

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_L1_QUOTES_H_
