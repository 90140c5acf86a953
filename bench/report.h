// The results for people (a table) and for programs (JSON).
#ifndef BITACTOR_BENCH_REPORT_H_
#define BITACTOR_BENCH_REPORT_H_

#include <ostream>
#include <string>

#include "bench/environment.h"
#include "bench/harness.h"

namespace bitactor::bench {

// One line on the machine, one on the method, then a line per row: median, range, p99 of
// latencies, ratio to the floor and to declared bases, note.
void WriteTable(const Environment& environment, const Results& results, const RunOptions& options,
                std::ostream& out);

// An object with "environment", "rows" and "omitted". Latency rows have p50, p99, p999 and p9999;
// rows with a floor or a base in the same run have "floor" and "ratio_to_floor", "ratios".
std::string ToJson(const Environment& environment, const Results& results);

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_REPORT_H_
