// What a benchmark ran on: without it a number says nothing.
#ifndef BITACTOR_BENCH_ENVIRONMENT_H_
#define BITACTOR_BENCH_ENVIRONMENT_H_

#include <cstdint>
#include <string>

#include "bitactor/l1_core/tick_clock.h"

namespace bitactor::bench {

struct Environment {
  std::string cpu;
  uint32_t cores;  // that this process may use
  std::string compiler;
  std::string flags;
  std::string build_type;
  std::string commit;  // as of the last configure; "unknown" outside a git checkout
  std::string clock;
  std::string date;  // UTC, ISO 8601
};

// Errors: what cannot be read is "unknown".
Environment ReadEnvironment(const TickClock& clock);

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_ENVIRONMENT_H_
