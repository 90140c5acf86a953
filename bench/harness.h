// Benchmark rows: what they are, where they register, and how all of them are run side by side.
#ifndef BITACTOR_BENCH_HARNESS_H_
#define BITACTOR_BENCH_HARNESS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/latency_histogram.h"
#include "bitactor/l1_core/tick_clock.h"

namespace bitactor::bench {

enum class Better : uint8_t { kLower, kHigher };

// What a row is. The name is stable: scripts read it. A payload size is its last part:
// "l2/durable/64".
struct Row {
  std::string name;
  std::string unit = "ns";
  Better better = Better::kLower;
  // Rows that this one is divided by, beside the floor (see FloorOf); they run whenever it runs.
  std::vector<std::string> bases = {};
  // How many operations one run may have: for rows whose set-up bounds them.
  uint64_t operations_min = 1;
  uint64_t operations_max = uint64_t{1} << 40;
  std::string note = {};  // what the number includes, in a few words
};

// Result of one run. Made by one of the functions below.
struct Sample {
  double value;         // in the row's unit
  uint64_t elapsed_ns;  // of the measured part; the harness scales runs by it
  std::optional<LatencyHistogram> latencies = std::nullopt;
};
inline Sample NsPerOperation(uint64_t elapsed_ns, uint64_t operations) {
  return {static_cast<double>(elapsed_ns) / static_cast<double>(operations), elapsed_ns};
}
// For the unit "M msg/s".
inline Sample MillionsPerSecond(uint64_t elapsed_ns, uint64_t operations) {
  return {static_cast<double>(operations) * 1e3 / static_cast<double>(elapsed_ns), elapsed_ns};
}
// One latency per operation: the value of the run is its middle latency.
inline Sample Latencies(uint64_t elapsed_ns, LatencyHistogram latencies) {
  const auto middle_ns = static_cast<double>(latencies.QuantileNs(0.5));
  return {middle_ns, elapsed_ns, std::move(latencies)};
}
// Something that is no time per operation, e.g. bytes.
inline Sample Amount(double value, uint64_t elapsed_ns) { return {value, elapsed_ns}; }

// What a row gets to work with.
struct Context {
  const TickClock& clock;
  std::string work_dir;  // exists, is empty at the start and removed at the end
};

// One run of `operations` operations. Measures its own time, so that what is not part of an
// operation stays outside. State lives in the closure, from the set-up to the end of all rounds.
using Body = std::function<absl::StatusOr<Sample>(uint64_t operations)>;
// Sets the row up. kUnavailable: this machine cannot run the row, which is skipped with the
// message; any other error makes the row fail.
using SetUp = std::function<absl::StatusOr<Body>(const Context& context)>;

// Threads: one.
// Errors: a second row of the same name is a bug and stops the program.
class Registry {
 public:
  struct Entry {
    Row row;
    SetUp set_up;
  };

  void Add(Row row, SetUp set_up);
  // In the order of registration, which is the order of the report.
  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* Find(const std::string& name) const;
  // The row `name` is compared with by default: l2/floor of the same payload, else of 64 bytes.
  // Empty for rows of the machine, for the floor itself, for rows that are no "ns", and where no
  // floor is registered.
  std::string FloorOf(const Row& row) const;
  // Entries whose name contains a match of the ECMAScript expression (all for an empty one), and
  // every row they are compared with. kInvalidArgument: not an expression; kNotFound: no match, the
  // message names the nearest rows.
  absl::StatusOr<std::vector<const Entry*>> Select(const std::string& expression) const;

 private:
  std::vector<std::string> NamesNear(const std::string& text) const;

  std::vector<Entry> entries_;
};

// Where the work stands, for a progress line. Round 0 is the one that finds how many operations a
// run has.
struct Progress {
  uint32_t round;
  uint32_t rounds;
  size_t row_index;
  size_t row_count;
  const std::string& name;
};

struct RunOptions {
  uint32_t rounds = 7;
  uint64_t run_ns = 70'000'000;  // what one run should take
  std::function<void(const Progress&)> on_progress = nullptr;
};

struct RowResult {
  Row row;
  uint64_t operations = 0;     // per run
  std::vector<double> values;  // one a round, in order
  double median = 0, min = 0, max = 0;
  std::optional<LatencyHistogram> latencies;              // of all rounds
  std::string floor;                                      // what ratio_to_floor divides by
  std::optional<double> ratio_to_floor;                   // median by median
  std::vector<std::pair<std::string, double>> ratios_to;  // declared bases
};

struct RowOmitted {
  std::string name;
  std::string reason;
  bool failed;  // false: this machine cannot run it
};

struct Results {
  std::vector<RowResult> rows;
  std::vector<RowOmitted> omitted;
};

// Sets all entries up, finds the operations per run, then runs every row once a round, so that a
// change of the machine's pace meets all rows alike.
// Threads: the caller's; rows may start their own.
// Errors: a row that fails is left out and listed.
Results RunRows(const Registry& registry, const std::vector<const Registry::Entry*>& entries,
                const Context& context, const RunOptions& options);

// The middle value, or the mean of the two middle ones. REQUIRES: not empty.
double Median(std::vector<double> values);

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_HARNESS_H_
