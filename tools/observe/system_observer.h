// A running system behind an ObserveServer.
#ifndef BITACTOR_TOOLS_OBSERVE_SYSTEM_OBSERVER_H_
#define BITACTOR_TOOLS_OBSERVE_SYSTEM_OBSERVER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/tracing/metrics.h"
#include "bitactor/tracing_export/observe_server.h"
#include "observe/system_look.h"
#include "observe/trace_keeper.h"

namespace bitactor::observe {

// Metrics and views share one look at the system, which is a quarter of a second old at most.
//
// Threads: views and metrics on one thread, the server's collector; checks on any.
// Ownership: the system outlives it, and runs while anybody asks.
class SystemObserver {
 public:
  // `stats_file`: where its fabric publishes. `type_name`: of a message's type, "" for others.
  SystemObserver(System& system, std::string stats_file,
                 std::function<std::string(uint32_t)> type_name)
      : system_(system), stats_file_(std::move(stats_file)), type_name_(std::move(type_name)) {}
  SystemObserver(const SystemObserver&) = delete;
  SystemObserver& operator=(const SystemObserver&) = delete;

  absl::Status AddMetrics(MetricsRegistry& registry);
  std::vector<ObserveView> Views();
  // A shard that shows no sign of life for a second, a journal that is full.
  std::vector<HealthCheck> Checks();

 private:
  // nullptr: nothing is published, and says so to the next view.
  const SystemLook* Look();
  std::string View(const std::function<std::string(const SystemLook&)>& show);
  std::string NameOf(uint32_t id) const;
  std::string TypeOf(uint32_t type) const;

  System& system_;
  const std::string stats_file_;
  const std::function<std::string(uint32_t)> type_name_;
  std::optional<SystemLook> look_;
  uint64_t looked_ns_ = 0;
  TraceKeeper slowest_;
};

}  // namespace bitactor::observe

#endif  // BITACTOR_TOOLS_OBSERVE_SYSTEM_OBSERVER_H_
