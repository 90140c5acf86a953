// What a running system looks like at one moment, for metrics and the page.
#ifndef BITACTOR_TOOLS_OBSERVE_SYSTEM_LOOK_H_
#define BITACTOR_TOOLS_OBSERVE_SYSTEM_LOOK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l3_genactor/circuit_breaker.h"
#include "bitactor/l3_genactor/system.h"
#include "bitactor/tracing/latency_histogram.h"
#include "bitactor/tracing/span.h"

namespace bitactor::observe {

struct ActorLook {
  uint32_t id = 0;
  uint32_t shard = 0;
  std::string name;
  std::string_view class_name;
  bool ended = false;
};

struct BreakerLook {
  std::string caller;
  uint32_t target = 0;
  BreakerState state = BreakerState::kClosed;
  uint32_t calls = 0;   // in the window
  uint32_t failed = 0;  // of these
  uint64_t opened = 0;
  uint64_t refused = 0;
};

struct ShardLook {
  uint64_t spans_recorded = 0;
  uint64_t spans_dropped = 0;
  uint64_t journal_tail_bytes = 0;
  uint64_t journal_durable_bytes = 0;
};

struct SystemLook {
  FabricReading reading;  // as published, up to FabricReading::interval_ns old
  uint64_t now_ns = 0;    // the fabric's time
  std::vector<ShardLook> shards;
  std::vector<ActorLook> actors;  // by name, of the first kMaxActorPlaces places of each shard
  bool more_actors = false;       // there are further places
  std::vector<BreakerLook> breakers;
  std::map<std::string_view, LatencyHistogram> latencies;  // by class
  std::vector<SpanRecord> spans;                           // the last kMaxSpans of each shard
  uint64_t restarts = 0;
};

inline constexpr size_t kMaxActorPlaces = 2048;
inline constexpr size_t kMaxSpans = 1024;
inline constexpr size_t kMaxBreakers = 256;  // of each shard

// Reads what the fabric publishes into `stats_file`, then asks each shard by one task, which takes some
// 50 us: 2,048 places of actors are visited and 1,024 spans copied. Waits for each shard.
//
// Threads: any that is not a shard's, while `system` runs.
// Errors: those of ReadFabricStats().
absl::StatusOr<SystemLook> LookAt(System& system, const std::string& stats_file);

// The fabric's published numbers alone; waits for nobody.
absl::StatusOr<FabricReading> ReadPublished(const std::string& stats_file);
uint64_t MonotonicNs();

}  // namespace bitactor::observe

#endif  // BITACTOR_TOOLS_OBSERVE_SYSTEM_LOOK_H_
