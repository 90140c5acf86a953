// What a program shows of itself over HTTP: metrics, health, and a live page.
#ifndef BITACTOR_TRACING_EXPORT_OBSERVE_SERVER_H_
#define BITACTOR_TRACING_EXPORT_OBSERVE_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/tracing/metrics.h"

namespace bitactor {

// One thing that the page shows, at /api/NAME.
struct ObserveView {
  std::string name;                      // letters, digits, '_'
  std::function<std::string()> produce;  // JSON; on the collector's thread, may wait for shards
};

// One reason not to be ready.
struct HealthCheck {
  std::string name;
  std::function<absl::Status()>
      check;  // any thread; at most 4 times a second; must not wait for shards
};

struct ObserveOptions {
  std::string address =
      "127.0.0.1";    // 0.0.0.0 or ::, all of this machine: whoever can reach it reads
  uint16_t port = 0;  // 0: any that is free, see ObserveServer::port()
  // Shown at /metrics, with the server's own: bitactor_http_*.
  MetricsRegistry* registry = nullptr;
  std::vector<ObserveView> views = {};
  std::vector<HealthCheck> checks = {};
  uint64_t refresh_ns = 250'000'000;  // age up to which an answer is given again, 1 ms to 1 min
  uint64_t stuck_ns = 2'000'000'000;  // how long a request waits for the collector, 1 ms to 1 min
  size_t max_connections = 64;        // 1 to 1024
  // Injected; null: this machine's. The second is ns since 1970.
  const TickClock* clock = nullptr;
  std::function<uint64_t()> now_unix_ns = {};
};

// Serves GET and HEAD of
//   /              the page: supervision tree, rates and latencies, breakers, mailboxes, slowest traces
//   /metrics       Prometheus text 0.0.4 or OpenMetrics, as Accept says
//   /health/live   200 while the server's thread runs
//   /health/ready  200, or 503 and the reasons: a check that failed, a collector that is stuck
//   /api/NAME      a view, as JSON
//
// Threads: two of its own. One speaks with clients and waits for nobody. The other, the collector, asks
//   registry and views, one at a time and none more often than refresh_ns allows, however many clients
//   ask. When it does not come back, because a shard does not, the last answer is given, with a
//   Warning header, or 503 when there is none.
// Bounds: max_connections; a request 8 KiB without a body, 5 s; a reply 10 s; 30 s between requests.
// Ownership: what options name outlives it. The destructor waits for the collector.
// Errors: kInvalidArgument names the option and its range, or the address that cannot be had.
// Cost: for the program, what its providers cost.
class ObserveServer {
 public:
  static absl::StatusOr<std::unique_ptr<ObserveServer>> Start(ObserveOptions options);
  ~ObserveServer();

  uint16_t port() const;
  // "http://127.0.0.1:9464/"
  std::string url() const;
  // Looks at the clock now and not a second later; for tests, which move it.
  void Wake();

 private:
  class Impl;
  explicit ObserveServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_OBSERVE_SERVER_H_
