#include "observe/system_views.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor::observe {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxTreeNodes = 1000;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Without its namespaces.
std::string ShortName(std::string_view class_name) {
  const size_t colon = class_name.rfind(':');
  return std::string(colon != std::string_view::npos ? class_name.substr(colon + 1) : class_name);
}

// Name, count, and whether anything but 0 is worth a look.
Json More(const char* name, uint64_t count, bool bad) { return Json::array({name, count, bad}); }

Json Layer(const char* name, uint64_t messages, const char* latency,
           const LatencyHistogram& histogram, Json more) {
  Json layer = {{"name", name}, {"messages", messages}, {"latency", latency}};
  layer["p50_ns"] = histogram.count() != 0 ? Json(histogram.Percentile(50)) : Json();
  layer["p99_ns"] = histogram.count() != 0 ? Json(histogram.Percentile(99)) : Json();
  layer["more"] = std::move(more);
  return layer;
}

}  // namespace

std::string LayersJson(const SystemLook& look) {
  // Of the last moments: what was recorded since the start hardly moves any more.
  LatencyHistogram work;
  LatencyHistogram wait;
  LatencyHistogram all;
  for (const SpanRecord& span : look.spans) {
    const uint64_t waited_ns = span.start_ns > span.sent_ns ? span.start_ns - span.sent_ns : 0;
    work.Record(span.duration_ns);
    wait.Record(waited_ns);
    all.Record(waited_ns + span.duration_ns);
  }
  const FabricCounters counters = look.reading.Counters();
  uint64_t overruns = 0;
  uint64_t suspicions = 0;
  uint64_t dispatched = 0;
  for (const ShardStats& shard : look.reading.shards) {
    suspicions += shard.counts.suspicions;
    for (const MailboxStats& mailbox : shard.mailboxes) {
      overruns += mailbox.overruns;
      dispatched += mailbox.dispatched;
    }
  }
  uint64_t lag_bytes = 0;
  for (const ShardLook& shard : look.shards) {
    lag_bytes += shard.journal_tail_bytes - shard.journal_durable_bytes;
  }
  uint64_t refused = 0;
  for (const uint64_t count : counters.refused) refused += count;
  uint64_t handled = 0;
  for (const auto& [name, latency] : look.latencies) handled += latency.count();
  const auto open = static_cast<uint64_t>(std::count_if(
      look.breakers.begin(), look.breakers.end(),
      [](const BreakerLook& breaker) { return breaker.state != BreakerState::kClosed; }));
  Json json = {{"time_ns", look.now_ns}, {"layers", Json::array()}};
  json["layers"].push_back(
      Layer("L1 dispatch", dispatched, "time in a handler", work,
            {More("over budget", overruns, true), More("suspected", suspicions, true)}));
  json["layers"].push_back(
      Layer("L2 mailbox", counters.delivered, "time in queues", wait,
            {More("queued", counters.queued, false),
             More("dead letters", counters.dead_letters_total(), true),
             More("refused", refused, true), More("journal lag bytes", lag_bytes, false)}));
  json["layers"].push_back(
      Layer("L3 actors", handled, "from send to end", all,
            {More("restarts", look.restarts, true), More("open breakers", open, true)}));
  return Dump(json);
}

std::string TreeJson(const SystemLook& look) {
  uint64_t actors = look.actors.size();
  if (look.more_actors) {
    // What is known of the others: how many endpoints there are.
    actors = 0;
    for (const ShardStats& shard : look.reading.shards) {
      for (const MailboxStats& mailbox : shard.mailboxes) actors += mailbox.endpoints;
    }
  }
  Json children = Json::array();
  for (const ActorLook& actor : look.actors) {
    if (children.size() == kMaxTreeNodes) break;
    children.push_back({{"name", actor.name},
                        {"state", actor.ended ? "ended" : "running"},
                        {"class", ShortName(actor.class_name)},
                        {"shard", actor.shard}});
  }
  const size_t shown = children.size();
  Json top = {{"name", "system"},
              {"state", look.reading.state == WriterState::kRunning ? "running" : "stopped"},
              {"restarts", look.restarts},
              {"children", std::move(children)}};
  return Dump({{"time_ns", look.now_ns},
               {"actors", std::max<uint64_t>(actors, shown)},
               {"shown", shown},
               {"nodes", Json::array({std::move(top)})}});
}

std::string MailboxesJson(const SystemLook& look) {
  Json rows = Json::array();
  uint64_t waiting = 0;
  for (size_t shard = 0; shard < look.reading.shards.size(); ++shard) {
    for (const MailboxStats& mailbox : look.reading.shards[shard].mailboxes) {
      const bool waits = mailbox.oldest_ns != 0 && mailbox.oldest_ns < look.now_ns;
      waiting += mailbox.waiting;
      rows.push_back({{"mailbox", mailbox.mailbox},
                      {"shard", shard},
                      {"endpoints", mailbox.endpoints},
                      {"waiting", mailbox.waiting},
                      {"oldest_ns", waits ? look.now_ns - mailbox.oldest_ns : 0},
                      {"dispatched", mailbox.dispatched},
                      {"refused", mailbox.refused},
                      {"overruns", mailbox.overruns}});
    }
  }
  // Those where most waits, then the busiest.
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    const uint64_t waits_a = a["waiting"];
    const uint64_t waits_b = b["waiting"];
    return waits_a != waits_b ? waits_a > waits_b : a["dispatched"] > b["dispatched"];
  });
  return Dump({{"time_ns", look.now_ns}, {"waiting", waiting}, {"mailboxes", std::move(rows)}});
}

std::string BreakersJson(const SystemLook& look, const NameOf& actor) {
  Json rows = Json::array();
  for (const BreakerLook& breaker : look.breakers) {
    const char* state = "closed";
    if (breaker.state == BreakerState::kOpen) state = "open";
    if (breaker.state == BreakerState::kHalfOpen) state = "half-open";
    rows.push_back({{"caller", breaker.caller},
                    {"target", actor(breaker.target)},
                    {"state", state},
                    {"failed", breaker.failed},
                    {"calls", breaker.calls},
                    {"opened", breaker.opened},
                    {"refused", breaker.refused}});
  }
  return Dump({{"time_ns", look.now_ns}, {"breakers", std::move(rows)}});
}

std::string TracesJson(const std::vector<KeptTrace>& traces, const NameOf& actor,
                       const NameOf& type) {
  Json list = Json::array();
  for (const KeptTrace& trace : traces) {
    Json spans = Json::array();
    for (size_t i = 0; i < trace.spans.size(); ++i) {
      const SpanRecord& span = trace.spans[i];
      const uint64_t sent_ns = std::min(span.sent_ns, span.start_ns);
      spans.push_back({{"id", absl::StrFormat("%016x", span.span)},
                       {"actor", actor(span.target)},
                       {"type", type(span.type)},
                       {"depth", trace.depths[i]},
                       {"shard", span.shard},
                       {"outcome", SpanOutcomeName(span.outcome)},
                       {"sent_ns", sent_ns - trace.begin_ns},
                       {"wait_ns", span.start_ns - sent_ns},
                       {"work_ns", span.duration_ns}});
    }
    list.push_back({{"id", absl::StrFormat("%016x", trace.trace)},
                    {"root", actor(trace.spans.front().target)},
                    {"total_ns", trace.total_ns()},
                    {"spans", std::move(spans)}});
  }
  return Dump({{"traces", std::move(list)}});
}

}  // namespace bitactor::observe
