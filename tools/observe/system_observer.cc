#include "observe/system_observer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "observe/system_metrics.h"
#include "observe/system_views.h"

namespace bitactor::observe {
namespace {

constexpr uint64_t kLookNs = 250'000'000;
constexpr uint64_t kSilentNs = 1'000'000'000;

absl::Status CheckShards(const std::string& stats_file) {
  const absl::StatusOr<FabricReading> reading = ReadPublished(stats_file);
  if (!reading.ok()) return reading.status();
  const uint64_t now_ns = reading->NowNs(MonotonicNs());
  for (uint32_t i = 0; i < reading->shards.size(); ++i) {
    const uint64_t silent_ns = reading->SilentNs(i, now_ns);
    if (silent_ns < kSilentNs) continue;
    return absl::UnavailableError(absl::StrCat(
        "shard ", i, " has shown no sign of life for ", silent_ns / 1'000'000,
        " ms: a handler does not come back, or its thread gets no processor; see bitactor stat"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SystemObserver::AddMetrics(MetricsRegistry& registry) {
  return AddSystemMetrics(
      registry, [this] { return Look(); }, [this](uint32_t id) { return NameOf(id); });
}

std::vector<ObserveView> SystemObserver::Views() {
  const auto actor = [this](uint32_t id) { return NameOf(id); };
  const auto type = [this](uint32_t id) { return TypeOf(id); };
  return {
      {"layers", [this] { return View(LayersJson); }},
      {"tree", [this] { return View(TreeJson); }},
      {"mailboxes", [this] { return View(MailboxesJson); }},
      {"breakers",
       [this, actor] {
         return View([&](const SystemLook& look) { return BreakersJson(look, actor); });
       }},
      {"traces",
       [this, actor, type] {
         return View([&](const SystemLook&) { return TracesJson(slowest_.traces(), actor, type); });
       }},
  };
}

std::vector<HealthCheck> SystemObserver::Checks() {
  return {{"journal", [this] { return system_.fabric().Health(); }},
          {"shards", [this] { return CheckShards(stats_file_); }}};
}

const SystemLook* SystemObserver::Look() {
  const uint64_t now_ns = MonotonicNs();
  if (look_.has_value() && now_ns - looked_ns_ < kLookNs) return &*look_;
  absl::StatusOr<SystemLook> look = LookAt(system_, stats_file_);
  if (!look.ok()) return nullptr;
  look_ = *std::move(look);
  looked_ns_ = MonotonicNs();
  slowest_.Add(look_->spans, look_->now_ns);
  return &*look_;
}

std::string SystemObserver::View(const std::function<std::string(const SystemLook&)>& show) {
  const SystemLook* const look = Look();
  return look != nullptr ? show(*look) : "null";
}

std::string SystemObserver::NameOf(uint32_t id) const {
  if (IsPort(ActorId{id})) return absl::StrCat("port ", id & ~kPortIdBit);
  const std::string name = system_.fabric().NameOf(ActorId{id});
  return !name.empty() ? name : absl::StrCat("actor ", id);
}

std::string SystemObserver::TypeOf(uint32_t type) const {
  const std::string name = type_name_(type);
  return !name.empty() ? name : absl::StrFormat("type %08x", type);
}

}  // namespace bitactor::observe
