// What a benchmark ran on: without it a number says nothing.
#ifndef BITACTOR_BENCH_ENVIRONMENT_H_
#define BITACTOR_BENCH_ENVIRONMENT_H_

#include <cstdint>
#include <string>
#include <vector>

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

// Processors this process may run on, ascending.
std::vector<int> AllowedCpus();

// Keeps the calling thread on one processor while it lives, then gives back what was allowed
// before.
// Errors: where the system refuses, the thread stays as it was.
class ScopedPin {
 public:
  explicit ScopedPin(int cpu);
  ~ScopedPin();
  ScopedPin(const ScopedPin&) = delete;
  ScopedPin& operator=(const ScopedPin&) = delete;

 private:
  std::vector<int> before_;
};

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_ENVIRONMENT_H_
