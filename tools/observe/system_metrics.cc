#include "observe/system_metrics.h"

#include <bit>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bitactor::observe {
namespace {

// By their place in kFamilies.
enum Family : size_t {
  kSent,
  kReplied,
  kDelivered,
  kReadByPorts,
  kQueued,
  kDeadLetters,
  kSendRefusals,
  kQuarantined,
  kLaneWaiting,
  kMailboxWaiting,
  kMailboxOldest,
  kMailboxDispatched,
  kMailboxRefused,
  kOverruns,
  kSuspicions,
  kSleeps,
  kSilent,
  kJournalRecords,
  kJournalTail,
  kJournalLag,
  kJournalFull,
  kActors,
  kRestarts,
  kLatency,
  kBreakerState,
  kBreakerOpened,
  kBreakerRefused,
  kSpans,
  kSpansDropped,
};

struct FamilyText {
  MetricKind kind;
  const char* name;
  const char* unit;
  std::vector<std::string> labels;
  const char* help;
};

const std::vector<FamilyText>& Families() {
  constexpr MetricKind kCounter = MetricKind::kCounter;
  constexpr MetricKind kGauge = MetricKind::kGauge;
  static const auto* const families = new std::vector<FamilyText>{
      {kCounter, "bitactor_messages_sent", "", {}, "Messages accepted for endpoints."},
      {kCounter, "bitactor_messages_replied", "", {}, "Answers sent to outside ports."},
      {kCounter, "bitactor_messages_delivered", "", {}, "Messages handled."},
      {kCounter, "bitactor_messages_read_by_ports", "", {}, "Answers that outside ports read."},
      {kGauge, "bitactor_messages_queued", "", {"shard"}, "Messages in lanes, spills and queues."},
      {kCounter, "bitactor_dead_letters", "", {"cause"}, "Messages refused after they were sent."},
      {kCounter,
       "bitactor_send_refusals",
       "",
       {"result"},
       "Sends of outside ports that were refused."},
      {kCounter, "bitactor_quarantined", "", {}, "Frames that could not be trusted."},
      {kGauge,
       "bitactor_lane_waiting",
       "",
       {"port", "shard"},
       "Messages in a lane that were not taken."},
      {kGauge, "bitactor_mailbox_waiting", "", {"mailbox"}, "Messages that wait for their actor."},
      {kGauge,
       "bitactor_mailbox_oldest_seconds",
       "seconds",
       {"mailbox"},
       "Age of the message that waits longest."},
      {kCounter,
       "bitactor_mailbox_dispatched",
       "",
       {"mailbox"},
       "Messages dispatched to a mailbox's actors."},
      {kCounter,
       "bitactor_mailbox_refused",
       "",
       {"mailbox"},
       "Messages to a mailbox that became dead letters."},
      {kCounter, "bitactor_overruns", "", {"mailbox"}, "Dispatches over their tick budget."},
      {kCounter, "bitactor_overrun_suspicions", "", {"shard"}, "Batches that may hide an overrun."},
      {kCounter,
       "bitactor_shard_sleeps",
       "",
       {"shard"},
       "Times that a shard's thread fell asleep."},
      {kGauge,
       "bitactor_shard_silent_seconds",
       "seconds",
       {"shard"},
       "How long a shard that should work has shown no sign of life."},
      {kCounter, "bitactor_journal_records", "", {"shard"}, "Frames appended to a journal."},
      {kGauge, "bitactor_journal_tail_bytes", "bytes", {"shard"}, "Where a journal ends."},
      {kGauge,
       "bitactor_journal_lag_bytes",
       "bytes",
       {"shard"},
       "What of a journal is appended and not durable."},
      {kGauge,
       "bitactor_journal_full",
       "",
       {"shard"},
       "1: a journal takes nothing more in this run."},
      {kGauge,
       "bitactor_actors",
       "",
       {"class"},
       "Living actors, of the first 2048 places of each shard."},
      {kCounter, "bitactor_restarts", "", {}, "Restarts by supervisors."},
      {MetricKind::kHistogram,
       "bitactor_message_latency_seconds",
       "seconds",
       {"class"},
       "From a message's stamp to the end of its handler."},
      {kGauge,
       "bitactor_breaker_state",
       "",
       {"caller", "target"},
       "0: closed, 1: half-open, 2: open."},
      {kCounter,
       "bitactor_breaker_opened",
       "",
       {"caller", "target"},
       "Times that a circuit breaker opened."},
      {kCounter,
       "bitactor_breaker_refused",
       "",
       {"caller", "target"},
       "Calls that a circuit breaker refused."},
      {kCounter, "bitactor_spans_recorded", "", {"shard"}, "Spans recorded."},
      {kCounter, "bitactor_spans_dropped", "", {"shard"}, "Spans overwritten in a shard's ring."},
  };
  return *families;
}

std::vector<MetricsRegistry::Declaration> Declarations() {
  std::vector<MetricsRegistry::Declaration> declared;
  for (const FamilyText& family : Families()) {
    MetricOptions options;
    options.name = family.name;
    options.help = family.help;
    options.unit = family.unit;
    options.labels = family.labels;
    options.max_series = 5000;  // mailboxes are 4,096 at most
    if (family.kind == MetricKind::kHistogram) options.scale = 1e-9;
    declared.push_back({family.kind, std::move(options)});
  }
  return declared;
}

double Seconds(uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

void PutMessages(const FabricCounters& counters, MetricsSink& sink) {
  sink.Put(kSent, {}, counters.sent);
  sink.Put(kReplied, {}, counters.replied);
  sink.Put(kDelivered, {}, counters.delivered);
  sink.Put(kReadByPorts, {}, counters.read_by_ports);
  sink.Put(kQuarantined, {}, counters.quarantined);
  for (size_t i = 0; i < kDeadLetterCauses; ++i) {
    sink.Put(kDeadLetters, {DeadLetterCauseName(static_cast<DeadLetterCause>(i))},
             counters.dead_letters[i]);
  }
  for (size_t i = 1; i < kSendResults; ++i) {  // 0: it was not refused
    sink.Put(kSendRefusals, {SendResultName(static_cast<SendResult>(i))}, counters.refused[i]);
  }
}

void PutShard(const SystemLook& look, uint32_t shard, MetricsSink& sink) {
  const std::string number = absl::StrCat(shard);
  const ShardStats& stats = look.reading.shards[shard];
  sink.Put(kQueued, {number}, stats.counts.queued);
  sink.Put(kSuspicions, {number}, stats.counts.suspicions);
  sink.Put(kSleeps, {number}, stats.counts.sleeps);
  sink.Put(kSilent, {number}, Seconds(look.reading.SilentNs(shard, look.now_ns)));
  sink.Put(kJournalRecords, {number}, stats.counts.journalled);
  sink.Put(kJournalFull, {number}, stats.counts.journal_full);
  for (const LaneStats& lane : stats.lanes) {
    sink.Put(kLaneWaiting, {absl::StrCat(lane.port), number}, lane.waiting);
  }
  for (const MailboxStats& mailbox : stats.mailboxes) {
    const std::string name = absl::StrCat(mailbox.mailbox);
    const bool waits = mailbox.oldest_ns != 0 && mailbox.oldest_ns < look.now_ns;
    sink.Put(kMailboxWaiting, {name}, mailbox.waiting);
    sink.Put(kMailboxOldest, {name}, waits ? Seconds(look.now_ns - mailbox.oldest_ns) : 0.0);
    sink.Put(kMailboxDispatched, {name}, mailbox.dispatched);
    sink.Put(kMailboxRefused, {name}, mailbox.refused);
    sink.Put(kOverruns, {name}, mailbox.overruns);
  }
  const ShardLook& seen = look.shards[shard];
  sink.Put(kJournalTail, {number}, seen.journal_tail_bytes);
  sink.Put(kJournalLag, {number}, seen.journal_tail_bytes - seen.journal_durable_bytes);
  sink.Put(kSpans, {number}, seen.spans_recorded);
  sink.Put(kSpansDropped, {number}, seen.spans_dropped);
}

// By class, the latest message of each power of two of latency among the last spans.
std::map<std::string_view, std::vector<MetricExemplar>> Exemplars(const SystemLook& look) {
  std::map<uint32_t, std::string_view> class_of;
  for (const ActorLook& actor : look.actors) class_of[actor.id] = actor.class_name;
  std::map<std::pair<std::string_view, int>, MetricExemplar> latest;
  for (const SpanRecord& span : look.spans) {
    const auto found = class_of.find(span.target);
    const uint64_t end_ns = span.start_ns + span.duration_ns;
    if (found == class_of.end() || span.trace == 0 || end_ns < span.sent_ns) continue;
    const uint64_t took_ns = end_ns - span.sent_ns;
    MetricExemplar& exemplar = latest[{found->second, std::bit_width(took_ns)}];
    if (exemplar.time_unix_ns > end_ns) continue;
    exemplar = {static_cast<double>(took_ns), end_ns, span.trace, span.span};
  }
  std::map<std::string_view, std::vector<MetricExemplar>> by_class;
  for (const auto& [key, exemplar] : latest) by_class[key.first].push_back(exemplar);
  return by_class;
}

void PutActors(const SystemLook& look, const std::function<std::string(uint32_t)>& name_of,
               MetricsSink& sink) {
  std::map<std::string_view, uint64_t> living;
  for (const ActorLook& actor : look.actors) living[actor.class_name] += actor.ended ? 0 : 1;
  for (const auto& [name, count] : living) sink.Put(kActors, {name}, count);
  sink.Put(kRestarts, {}, look.restarts);
  auto exemplars = Exemplars(look);
  for (const auto& [name, latency] : look.latencies) {
    sink.Put(kLatency, {name}, latency, std::move(exemplars[name]));
  }
  for (const BreakerLook& breaker : look.breakers) {
    const std::string target = name_of(breaker.target);
    uint64_t state = 0;
    if (breaker.state == BreakerState::kHalfOpen) state = 1;
    if (breaker.state == BreakerState::kOpen) state = 2;
    sink.Put(kBreakerState, {breaker.caller, target}, state);
    sink.Put(kBreakerOpened, {breaker.caller, target}, breaker.opened);
    sink.Put(kBreakerRefused, {breaker.caller, target}, breaker.refused);
  }
}

}  // namespace

absl::Status AddSystemMetrics(MetricsRegistry& registry, std::function<const SystemLook*()> look,
                              std::function<std::string(uint32_t)> name_of) {
  return registry.AddProvider(
      Declarations(), [look = std::move(look), name_of = std::move(name_of)](MetricsSink& sink) {
        const SystemLook* const seen = look();
        if (seen == nullptr) return;
        PutMessages(seen->reading.Counters(), sink);
        for (uint32_t i = 0; i < seen->shards.size() && i < seen->reading.shards.size(); ++i) {
          PutShard(*seen, i, sink);
        }
        PutActors(*seen, name_of, sink);
      });
}

}  // namespace bitactor::observe
