// Rows that take exactly the time they are told to, on a clock that only they move.
#ifndef BITACTOR_TESTS_TOOLS_BENCH_ROWS_FIXTURE_H_
#define BITACTOR_TESTS_TOOLS_BENCH_ROWS_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "bench/harness.h"

namespace bitactor::bench {

class BenchRowsTest : public testing::Test {
 protected:
  struct Run {
    std::string row;
    uint64_t operations;
  };

  // A row whose operations take `costs_ns[k]` each in its k-th run, the last one from then on.
  void AddFake(Row row, std::vector<uint64_t> costs_ns) {
    const std::string name = row.name;
    registry_.Add(std::move(row), [this, name, costs_ns](const Context&) -> absl::StatusOr<Body> {
      return [this, name, costs_ns,
              run = size_t{0}](uint64_t operations) mutable -> absl::StatusOr<Sample> {
        const uint64_t cost_ns = costs_ns[std::min(run++, costs_ns.size() - 1)];
        const uint64_t start = clock_.Now();
        clock_.Advance(cost_ns * operations);
        runs_.push_back({name, operations});
        return NsPerOperation(clock_.NanosIn(clock_.Now() - start), operations);
      };
    });
  }
  // A row whose every run sees one latency of each given value.
  void AddLatencies(const std::string& name, std::vector<uint64_t> latencies_ns) {
    registry_.Add({.name = name, .operations_max = 1},
                  [latencies_ns](const Context&) -> absl::StatusOr<Body> {
                    return [latencies_ns](uint64_t) -> absl::StatusOr<Sample> {
                      LatencyHistogram histogram;
                      for (const uint64_t latency_ns : latencies_ns) histogram.Record(latency_ns);
                      return Latencies(1, std::move(histogram));
                    };
                  });
  }
  void AddBroken(const std::string& name, absl::Status why) {
    registry_.Add({.name = name}, [why](const Context&) -> absl::StatusOr<Body> { return why; });
  }

  Results RunAll(RunOptions options = {.rounds = 3, .run_ns = 1'000'000}) {
    const auto entries = registry_.Select("");
    EXPECT_TRUE(entries.ok()) << entries.status();
    return RunRows(registry_, *entries, {clock_, ""}, options);
  }
  static const RowResult* Find(const Results& results, const std::string& name) {
    for (const RowResult& row : results.rows) {
      if (row.row.name == name) return &row;
    }
    ADD_FAILURE() << "no result for " << name;
    return nullptr;
  }

  TickClock clock_{TickClock::Source::kManual, 1000};
  Registry registry_;
  std::vector<Run> runs_;
};

}  // namespace bitactor::bench

#endif  // BITACTOR_TESTS_TOOLS_BENCH_ROWS_FIXTURE_H_
