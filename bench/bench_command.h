// `bitactor bench`: from options to a table, a JSON file and an exit code.
#ifndef BITACTOR_BENCH_BENCH_COMMAND_H_
#define BITACTOR_BENCH_BENCH_COMMAND_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "bench/harness.h"
#include "bitactor/l1_core/tick_clock.h"

namespace bitactor::bench {

struct BenchOptions {
  std::string filter = {};     // ECMAScript expression searched in row names; empty: all rows
  std::string json_path = {};  // empty: no file
  uint32_t repeats = 7;        // 1 to 1,000
  bool list = false;           // print the names and run nothing
  bool quick = false;          // runs of 10 ms instead of 70
  bool pin = false;            // keep the measuring thread on the last processor it may use
  bool progress = false;       // a progress line on `err`: for a terminal
  std::string work_dir = {};   // where rows may make files; empty: $TMPDIR, else /tmp
};

// Exit codes.
inline constexpr int kBenchOk = 0;
inline constexpr int kBenchFailed = 1;    // a row failed, or the results could not be written
inline constexpr int kBenchWrongUse = 2;  // nothing was measured; `err` says what to change

// Every row of every library. Works below a new directory of work_dir and removes it at the end.
int RunBenchCommand(const BenchOptions& options, std::ostream& out, std::ostream& err);
// The same with given rows and clock.
int RunBenchCommand(const BenchOptions& options, const Registry& registry, const TickClock& clock,
                    std::ostream& out, std::ostream& err);

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_BENCH_COMMAND_H_
