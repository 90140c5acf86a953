// What a journal uses when it is not told where random numbers and time come from.
#ifndef BITACTOR_PERSISTENCE_SYSTEM_SOURCES_H_
#define BITACTOR_PERSISTENCE_SYSTEM_SOURCES_H_

#include <sys/random.h>
#include <time.h>

#include <cstdint>

#include "bitactor/l1_core/check.h"

namespace bitactor::internal {

inline uint64_t SystemRandom() {
  uint64_t value = 0;
  // For 8 bytes it neither fails nor comes short once the machine has started.
  BITACTOR_CHECK_EQ(::getrandom(&value, sizeof(value), 0), static_cast<ssize_t>(sizeof(value)));
  return value;
}

inline uint64_t SystemTime() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SYSTEM_SOURCES_H_
