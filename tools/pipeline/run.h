// Runs a feed through the pipeline and reports what came of it.
#ifndef BITACTOR_TOOLS_PIPELINE_RUN_H_
#define BITACTOR_TOOLS_PIPELINE_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l3_genactor/system.h"
#include "bitactor/tracing/metrics.h"
#include "market/feed_reader.h"
#include "market/order_book.h"
#include "market/position_logic.h"
#include "market/risk_logic.h"
#include "market/row_check.h"
#include "market/zero_tick_run.h"

namespace bitactor::pipeline {

// When an event of the feed may be sent.
class Pacer {
 public:
  virtual ~Pacer() = default;
  // Returns when the event's time has come. Called before every event.
  virtual void Await(uint64_t feed_time_ns) = 0;
};

// Looks at a run while it runs.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // Where the run counts what only it knows: events of the feed.
  virtual MetricsRegistry* metrics() = 0;
  // The system is there, the feed is not begun. An error ends the run.
  virtual absl::Status Started(System& system) = 0;
  // The system is about to stop, and is asked nothing afterwards. `whole`: the feed was read, and
  // its messages are handled; else an error ends the run.
  virtual void Finished(bool whole) = 0;
};

struct RunOptions {
  uint32_t shards = 2;
  std::string journal_dir = {};  // empty: volatile
  std::string trace_path = {};   // Chrome/Perfetto JSON; empty: none
  std::string dump_symbol = {};  // whose book goes into the report; empty: none
  bool defects = false;          // two poison messages and a damaged frame among the first messages
  Pacer* pacer = nullptr;        // null: as fast as it goes
  RunObserver* observer = nullptr;
  FabricOptions fabric = {};  // clock, threads, lane sizes
  // Called now and then with the messages read so far.
  std::function<void(uint64_t messages, uint64_t elapsed_ns)> on_progress = nullptr;
};

struct StageReport {
  std::string name;
  uint64_t messages = 0;
  uint64_t p50_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;
};

// What the books and positions of all symbols add up to.
struct Totals {
  size_t symbols = 0;
  size_t live_orders = 0;
  market::BookCounts books;
  market::RowCounts rows;
  market::PositionTotals positions;
  std::vector<std::string> dump;  // of the symbol asked for
};

struct RunReport : Totals {
  uint64_t feed_messages = 0;
  uint64_t feed_bytes = 0;
  uint64_t already_taken = 0;  // sends that an earlier run had journalled
  uint64_t recovered_frames = 0;
  uint32_t boot = 0;
  uint64_t digest = 0;
  uint32_t shards = 0;
  uint64_t elapsed_ns = 0;
  FabricCounters counters;
  uint64_t restarts = 0;
  std::vector<StageReport> stages;
  uint64_t intents = 0;
  uint64_t approved = 0;
  std::map<std::string, uint64_t> rejected;
  uint64_t overruns = 0;
  uint64_t suspicions = 0;  // of an overrun among messages that were metered together
  uint64_t spans = 0;
  uint64_t spans_dropped = 0;
  // The same feed on L1 alone, if the caller ran it (market::ZeroTickRun).
  std::optional<market::ZeroTickReport> zero_tick;
  // OK, or why the feed or the journal ended it early. Everything before that is in the counts.
  absl::Status fault;
};

// Reads `feed` to its end or fault and waits until everything is handled. An error means that
// nothing could be run.
absl::StatusOr<RunReport> RunFeed(market::FeedReader& feed, const RunOptions& options);

struct ReplayReport : Totals {
  uint64_t frames = 0;
  uint64_t digest = 0;
};

// Rebuilds every actor of a run from its journals.
absl::StatusOr<ReplayReport> ReplayRun(const ReplaySpec& spec, const std::string& dump_symbol);

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_RUN_H_
