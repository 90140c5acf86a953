#include "observe/system_look.h"

#include <algorithm>
#include <ctime>

#include "bitactor/l1_core/file.h"

namespace bitactor::observe {
namespace {

void AddActor(internal::ActorCell& cell, uint32_t shard, SystemLook& look) {
  look.actors.push_back(
      {static_cast<uint32_t>(cell.id()), shard, cell.name(), cell.cls().name, cell.ended()});
  cell.ForEachGuard([&](uint32_t target, const internal::Guard& guard) {
    if (look.breakers.size() >= kMaxBreakers * (shard + 1)) return;
    const CircuitBreaker& breaker = guard.breaker;
    look.breakers.push_back({cell.name(), target, breaker.state(), breaker.window_calls(),
                             breaker.window_failures(), breaker.opened(), breaker.refused()});
  });
}

// On the shard's thread.
void LookAtShard(internal::Shard& shard, SystemLook& look) {
  ShardLook& of_shard = look.shards[shard.index()];
  SpanRing& ring = shard.spans();
  of_shard.spans_recorded = ring.recorded();
  of_shard.spans_dropped = ring.dropped();
  for (uint64_t nth = std::min<uint64_t>({ring.recorded(), ring.capacity(), kMaxSpans}); nth > 0;
       --nth) {
    look.spans.push_back(ring.Latest(nth));
  }
  if (Journal* journal = shard.journal()) {
    of_shard.journal_tail_bytes = journal->tail().value() * kFrameUnitBytes;
    of_shard.journal_durable_bytes = journal->durable().value() * kFrameUnitBytes;
  }
  std::map<uint32_t, std::string_view> classes;
  internal::ShardRuntime* runtime = nullptr;
  const uint32_t next = shard.VisitEndpoints(0, kMaxActorPlaces, [&](internal::Endpoint& endpoint) {
    auto* const cell = dynamic_cast<internal::ActorCell*>(&endpoint);
    if (cell == nullptr) return;
    AddActor(*cell, shard.index(), look);
    classes[cell->cls().type] = cell->cls().name;
    runtime = &cell->runtime();
  });
  look.more_actors |= next != 0;
  if (runtime == nullptr) return;
  for (const auto& [type, latency] : runtime->latencies()) {
    const auto found = classes.find(type);
    if (found != classes.end()) look.latencies[found->second].Merge(*latency);
  }
}

}  // namespace

uint64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

absl::StatusOr<FabricReading> ReadPublished(const std::string& stats_file) {
  return ReadFabricStats(PosixFiles(), stats_file);
}

absl::StatusOr<SystemLook> LookAt(System& system, const std::string& stats_file) {
  absl::StatusOr<FabricReading> reading = ReadPublished(stats_file);
  if (!reading.ok()) return reading.status();
  SystemLook look;
  look.reading = *std::move(reading);
  look.now_ns = look.reading.NowNs(MonotonicNs());
  Fabric& fabric = system.fabric();
  look.shards.resize(fabric.shards());
  look.spans.reserve(fabric.shards() * kMaxSpans);  // not on a shard's time
  for (uint32_t i = 0; i < fabric.shards(); ++i) {
    fabric.RunOnShard(i, [&] { LookAtShard(fabric.shard(i), look); });
  }
  look.restarts = system.restarts();
  std::sort(look.actors.begin(), look.actors.end(),
            [](const ActorLook& a, const ActorLook& b) { return a.name < b.name; });
  return look;
}

}  // namespace bitactor::observe
