// A run over HTTP while it runs: --http and --hold.
#ifndef BITACTOR_TOOLS_CLI_LIVE_VIEW_H_
#define BITACTOR_TOOLS_CLI_LIVE_VIEW_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/tracing/metrics.h"
#include "bitactor/tracing_export/observe_server.h"
#include "cli/output.h"
#include "observe/system_observer.h"
#include "pipeline/run.h"

namespace bitactor::cli {

struct HttpPlace {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
};

// "PORT", "ADDRESS:PORT" or "[ADDRESS]:PORT"; port 0: any that is free.
absl::StatusOr<HttpPlace> ParseHttpPlace(const std::string& text);

// Serves a run from its start to its end; says where on standard error.
class LiveView final : public pipeline::RunObserver {
 public:
  // `stats_file`: where the run's fabric publishes. `hold`: serves on after the last message, until
  // Ctrl-C.
  LiveView(HttpPlace place, std::string stats_file, bool hold);

  MetricsRegistry* metrics() override { return &registry_; }
  absl::Status Started(System& system) override;
  void Finished(bool whole) override;

 private:
  const HttpPlace place_;
  const std::string stats_file_;
  const bool hold_;
  MetricsRegistry registry_;
  std::unique_ptr<observe::SystemObserver> observer_;
  std::unique_ptr<ObserveServer> server_;  // last: it asks the others
};

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_LIVE_VIEW_H_
