#include "cli/stat_view.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

// Events a second; none without time between the readings, or where a count went down because what
// was counted has moved elsewhere.
using Rate = std::optional<double>;

Rate RateOf(uint64_t count, uint64_t at_ns, uint64_t count_before, uint64_t before_ns) {
  if (count < count_before || at_ns < before_ns) return std::nullopt;
  if (at_ns == before_ns) return 0;  // nothing was published since, so nothing happened
  return static_cast<double>(count - count_before) * 1e9 / static_cast<double>(at_ns - before_ns);
}

// A mailbox, a lane or a port, as they are sorted and listed.
struct Row {
  uint64_t number = 0;  // of the mailbox or the port
  uint64_t shard = 0;
  uint64_t total = 0;  // dispatched, published or sent
  Rate rate = {};
  uint64_t waiting = 0;
  uint64_t oldest_ns = 0;
  uint64_t refused = 0;
  uint64_t endpoints = 0;
  uint64_t overruns = 0;
  uint64_t spilled = 0;
  uint64_t read = 0;
  bool open = false;
};

void Sort(std::vector<Row>& rows, StatSort by) {
  const auto key = [by](const Row& row) -> double {
    switch (by) {
      case StatSort::kDepth:
        return static_cast<double>(row.waiting);
      case StatSort::kAge:
        return row.oldest_ns == 0 ? -1e300 : -static_cast<double>(row.oldest_ns);
      case StatSort::kRate:
        return row.rate.value_or(0);
      case StatSort::kRefused:
        return static_cast<double>(row.refused);
    }
    return 0;
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    return std::tuple(key(a), a.total) > std::tuple(key(b), b.total);
  });
}

const ShardStats* ShardBefore(const StatMoment& moment, size_t shard) {
  const bool known = moment.before != nullptr && shard < moment.before->shards.size();
  return known ? &moment.before->shards[shard] : nullptr;
}

Rate DeliveryRate(const StatMoment& moment, size_t shard) {
  const ShardCounts& now = moment.reading.shards[shard].counts;
  const ShardStats* const before = ShardBefore(moment, shard);
  if (before == nullptr) return std::nullopt;
  return RateOf(now.delivered, now.published_ns, before->counts.delivered,
                before->counts.published_ns);
}

// What the list before says under the same number; zeros where it has none, so that a count begins
// there.
template <typename T>
T Matching(const std::vector<T>& rows, uint64_t T::*number, uint64_t wanted) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const T& row) { return row.*number == wanted; });
  return found != rows.end() ? *found : T{};
}

std::vector<Row> MailboxRows(const StatMoment& moment) {
  std::vector<Row> rows;
  for (size_t shard = 0; shard < moment.reading.shards.size(); ++shard) {
    const ShardStats& stats = moment.reading.shards[shard];
    const ShardStats* const before = ShardBefore(moment, shard);
    for (const MailboxStats& mailbox : stats.mailboxes) {
      Row row{.number = mailbox.mailbox,
              .shard = shard,
              .total = mailbox.dispatched,
              .waiting = mailbox.waiting,
              .oldest_ns = mailbox.oldest_ns,
              .refused = mailbox.refused,
              .endpoints = mailbox.endpoints,
              .overruns = mailbox.overruns};
      if (before != nullptr) {
        const MailboxStats then =
            Matching(before->mailboxes, &MailboxStats::mailbox, mailbox.mailbox);
        row.rate = RateOf(mailbox.dispatched, stats.swept_ns, then.dispatched, before->swept_ns);
      }
      rows.push_back(row);
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.number < b.number; });
  return rows;
}

std::vector<Row> LaneRows(const StatMoment& moment) {
  std::vector<Row> rows;
  for (size_t shard = 0; shard < moment.reading.shards.size(); ++shard) {
    const ShardStats& stats = moment.reading.shards[shard];
    const ShardStats* const before = ShardBefore(moment, shard);
    for (const LaneStats& lane : stats.lanes) {
      Row row{.number = lane.port,
              .shard = shard,
              .total = lane.published,
              .waiting = lane.waiting,
              .oldest_ns = lane.oldest_ns,
              .spilled = lane.spilled};
      if (before != nullptr) {
        row.rate = RateOf(lane.published, stats.counts.published_ns,
                          Matching(before->lanes, &LaneStats::port, lane.port).published,
                          before->counts.published_ns);
      }
      rows.push_back(row);
    }
  }
  return rows;
}

uint64_t RefusedOf(const PortStats& port) {
  uint64_t refused = 0;
  for (const uint64_t count : port.refused) refused += count;
  return refused;
}

std::vector<Row> PortRows(const StatMoment& moment) {
  std::vector<Row> rows;
  for (const PortStats& port : moment.reading.ports) {
    if (port.port < moment.reading.shards.size()) continue;
    Row row{.number = port.port,
            .total = port.sent,
            .waiting = port.waiting,
            .refused = RefusedOf(port),
            .read = port.read,
            .open = port.open != 0};
    if (moment.before != nullptr) {
      row.rate = RateOf(port.sent, moment.reading.totals.published_ns,
                        Matching(moment.before->ports, &PortStats::port, port.port).sent,
                        moment.before->totals.published_ns);
    }
    rows.push_back(row);
  }
  return rows;
}

std::string RateText(const Rate& rate) {
  return rate.has_value() ? absl::StrFormat("%.0f", *rate) : "-";
}
Json RateJson(const Rate& rate) { return rate.has_value() ? Json(*rate) : Json(nullptr); }

std::string AgeText(uint64_t stamp_ns, uint64_t now_ns) {
  if (stamp_ns == 0) return "-";
  return DurationText(now_ns - std::min(now_ns, stamp_ns));
}
Json AgeJson(uint64_t stamp_ns, uint64_t now_ns) {
  if (stamp_ns == 0) return nullptr;
  return now_ns - std::min(now_ns, stamp_ns);
}

// Columns to the right, under their names.
class Table {
 public:
  explicit Table(std::vector<std::string> names) { lines_.push_back(std::move(names)); }
  void Add(std::vector<std::string> cells) { lines_.push_back(std::move(cells)); }
  std::string ToString() const {
    std::string text;
    for (const auto& line : lines_) {
      for (size_t column = 0; column < line.size(); ++column) {
        size_t width = 0;
        for (const auto& other : lines_) width = std::max(width, other[column].size());
        const std::string padding(width - line[column].size() + (column > 0 ? 2 : 0), ' ');
        absl::StrAppend(&text, padding, line[column]);
      }
      text += '\n';
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> lines_;
};

// A table of the first rows, and how many there are beside them.
std::string Listed(std::vector<Row> rows, const StatViewOptions& options,
                   std::vector<std::string> names,
                   const std::function<std::vector<std::string>(const Row&)>& cells) {
  if (rows.empty()) return "";
  Sort(rows, options.sort);
  const size_t shown = options.limit == 0 ? rows.size() : std::min(options.limit, rows.size());
  Table table(std::move(names));
  for (size_t i = 0; i < shown; ++i) table.Add(cells(rows[i]));
  std::string text = absl::StrCat("\n", table.ToString());
  if (shown < rows.size()) absl::StrAppend(&text, "and ", rows.size() - shown, " more (--limit)\n");
  return text;
}

std::string StateOf(const StatMoment& moment, uint32_t shard) {
  const FabricReading& reading = moment.reading;
  const ShardStats& stats = reading.shards[shard];
  if (stats.counts.journal_full != 0) return "journal full";
  if (reading.state != WriterState::kRunning) return "ended";
  if (const uint64_t silent_ns = reading.SilentNs(shard, moment.now_ns); silent_ns != 0) {
    return absl::StrCat("silent for ", DurationText(silent_ns));
  }
  return stats.awake_since_ns == 0 ? "asleep" : "works";
}

template <size_t kCount>
std::string Named(const std::array<uint64_t, kCount>& counts,
                  const std::function<const char*(size_t)>& name) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < kCount; ++i) {
    if (counts[i] != 0) parts.push_back(absl::StrCat(name(i), " ", counts[i]));
  }
  return absl::StrJoin(parts, ", ");
}

const char* CauseName(size_t i) { return DeadLetterCauseName(static_cast<DeadLetterCause>(i)); }
const char* ResultName(size_t i) { return SendResultName(static_cast<SendResult>(i)); }

std::string Headline(const std::string& name, const StatMoment& moment) {
  const FabricReading& reading = moment.reading;
  const FabricCounters counters = reading.Counters();
  const std::string ran = DurationText(moment.now_ns - std::min(moment.now_ns, reading.start_ns));
  std::string text =
      absl::StrFormat("%s: start %d, pid %d, %d shard%s; ", name, reading.boot, reading.pid,
                      reading.shards.size(), reading.shards.size() == 1 ? "" : "s");
  switch (reading.state) {
    case WriterState::kRunning:
      absl::StrAppend(&text, "runs since ", ran, "\n");
      break;
    case WriterState::kStopped:
      absl::StrAppend(&text, "stopped after ", ran, "; these are its last numbers\n");
      break;
    case WriterState::kGone:
      absl::StrAppend(&text, "ended without Stop() after ", ran,
                      " or later: it was killed or crashed; what it last published:\n");
  }
  absl::StrAppendFormat(&text, "sent %d, answers %d, delivered %d, read by ports %d, queued %d, ",
                        counters.sent, counters.replied, counters.delivered, counters.read_by_ports,
                        counters.queued);
  absl::StrAppendFormat(&text, "dead letters %d; journalled %d\n", counters.dead_letters_total(),
                        counters.journalled);
  if (const std::string dead = Named(counters.dead_letters, &CauseName); !dead.empty()) {
    absl::StrAppend(&text, "dead letters: ", dead, "\n");
  }
  if (const std::string refused = Named(counters.refused, &ResultName); !refused.empty()) {
    absl::StrAppend(&text, "refused sends: ", refused, "\n");
  }
  for (const std::string& damage : reading.damages) {
    absl::StrAppend(&text, "damaged: ", damage, "; the publication before it is shown\n");
  }
  return text;
}

std::string ShardTable(const StatMoment& moment) {
  Table table({"shard", "state", "delivered", "/s", "queued", "at mailboxes", "held back",
               "journalled", "journal bytes"});
  for (uint32_t i = 0; i < moment.reading.shards.size(); ++i) {
    const ShardCounts& counts = moment.reading.shards[i].counts;
    table.Add({absl::StrCat(i), StateOf(moment, i), absl::StrCat(counts.delivered),
               RateText(DeliveryRate(moment, i)), absl::StrCat(counts.queued),
               absl::StrCat(counts.held), absl::StrCat(counts.held_back),
               absl::StrCat(counts.journalled), absl::StrCat(counts.journal_tail_bytes)});
  }
  return absl::StrCat("\n", table.ToString());
}

Json ShardJson(const StatMoment& moment, uint32_t shard) {
  const ShardStats& stats = moment.reading.shards[shard];
  const ShardCounts& counts = stats.counts;
  return {{"shard", shard},
          {"state", StateOf(moment, shard)},
          {"silent_ns", moment.reading.SilentNs(shard, moment.now_ns)},
          {"published_ns", counts.published_ns},
          {"delivered", counts.delivered},
          {"delivered_per_s", RateJson(DeliveryRate(moment, shard))},
          {"queued", counts.queued},
          {"held", counts.held},
          {"held_back", counts.held_back},
          {"journalled", counts.journalled},
          {"journal_tail_bytes", counts.journal_tail_bytes},
          {"journal_full", counts.journal_full != 0},
          {"suspicions", counts.suspicions},
          {"spans_dropped", counts.spans_dropped},
          {"sleeps", counts.sleeps},
          {"mailboxes_read_ns", stats.swept_ns}};
}

template <size_t kCount>
Json NamedJson(const std::array<uint64_t, kCount>& counts,
               const std::function<const char*(size_t)>& name) {
  Json json = Json::object();
  for (size_t i = 0; i < kCount; ++i) {
    if (counts[i] != 0) json[name(i)] = counts[i];
  }
  return json;
}

const char* StateName(WriterState state) {
  switch (state) {
    case WriterState::kRunning:
      return "running";
    case WriterState::kStopped:
      return "stopped";
    case WriterState::kGone:
      return "gone";
  }
  return "unknown";
}

}  // namespace

std::string DurationText(uint64_t duration_ns) {
  const uint64_t seconds = duration_ns / 1'000'000'000;
  if (duration_ns < 1'000'000) return absl::StrCat(duration_ns / 1'000, " us");
  if (seconds < 1) return absl::StrCat(duration_ns / 1'000'000, " ms");
  if (seconds < 60) return absl::StrFormat("%d.%d s", seconds, duration_ns / 100'000'000 % 10);
  if (seconds < 3'600) return absl::StrFormat("%d m %d s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return absl::StrFormat("%d h %d m", seconds / 3'600, seconds / 60 % 60);
  return absl::StrFormat("%d d %d h", seconds / 86'400, seconds / 3'600 % 24);
}

std::string StatText(const std::string& name, const StatMoment& moment,
                     const StatViewOptions& options) {
  const uint64_t now_ns = moment.now_ns;
  std::string text = absl::StrCat(Headline(name, moment), ShardTable(moment));
  text += Listed(
      MailboxRows(moment), options,
      {"mailbox", "shard", "endpoints", "dispatched", "/s", "waiting", "oldest", "refused",
       "overruns"},
      [&](const Row& row) -> std::vector<std::string> {
        return {
            absl::StrCat(row.number),       absl::StrCat(row.shard),   absl::StrCat(row.endpoints),
            absl::StrCat(row.total),        RateText(row.rate),        absl::StrCat(row.waiting),
            AgeText(row.oldest_ns, now_ns), absl::StrCat(row.refused), absl::StrCat(row.overruns)};
      });
  std::vector<Row> lanes = LaneRows(moment);
  std::erase_if(lanes, [](const Row& row) { return row.total == 0; });
  text += Listed(std::move(lanes), options,
                 {"lane from", "to shard", "published", "/s", "waiting", "spilled", "oldest"},
                 [&](const Row& row) -> std::vector<std::string> {
                   const bool of_shard = row.number < moment.reading.shards.size();
                   return {absl::StrCat(of_shard ? "shard " : "port ", row.number),
                           absl::StrCat(row.shard),
                           absl::StrCat(row.total),
                           RateText(row.rate),
                           absl::StrCat(row.waiting),
                           absl::StrCat(row.spilled),
                           AgeText(row.oldest_ns, now_ns)};
                 });
  text += Listed(PortRows(moment), options,
                 {"port", "state", "sent", "/s", "answers read", "answers waiting", "refused"},
                 [](const Row& row) -> std::vector<std::string> {
                   return {absl::StrCat(row.number), row.open ? "open" : "closed",
                           absl::StrCat(row.total),  RateText(row.rate),
                           absl::StrCat(row.read),   absl::StrCat(row.waiting),
                           absl::StrCat(row.refused)};
                 });
  return text;
}

Json StatJson(const StatMoment& moment) {
  const FabricReading& reading = moment.reading;
  const FabricCounters counters = reading.Counters();
  Json json = {{"state", StateName(reading.state)},
               {"pid", reading.pid},
               {"start", reading.boot},
               {"start_ns", reading.start_ns},
               {"now_ns", moment.now_ns},
               {"published_ns", reading.totals.published_ns},
               {"interval_ns", reading.interval_ns},
               {"routing_epoch", reading.totals.routing_epoch},
               {"sent", counters.sent},
               {"replied", counters.replied},
               {"delivered", counters.delivered},
               {"read_by_ports", counters.read_by_ports},
               {"queued", counters.queued},
               {"journalled", counters.journalled},
               {"dead_letters", NamedJson(counters.dead_letters, &CauseName)},
               {"refused", NamedJson(counters.refused, &ResultName)},
               {"shards", Json::array()},
               {"mailboxes", Json::array()},
               {"lanes", Json::array()},
               {"ports", Json::array()},
               {"damages", reading.damages}};
  for (uint32_t i = 0; i < reading.shards.size(); ++i) {
    json["shards"].push_back(ShardJson(moment, i));
  }
  for (const Row& row : MailboxRows(moment)) {
    json["mailboxes"].push_back({{"mailbox", row.number},
                                 {"shard", row.shard},
                                 {"endpoints", row.endpoints},
                                 {"dispatched", row.total},
                                 {"dispatched_per_s", RateJson(row.rate)},
                                 {"waiting", row.waiting},
                                 {"oldest_age_ns", AgeJson(row.oldest_ns, moment.now_ns)},
                                 {"refused", row.refused},
                                 {"overruns", row.overruns}});
  }
  for (const Row& row : LaneRows(moment)) {
    json["lanes"].push_back({{"port", row.number},
                             {"shard", row.shard},
                             {"published", row.total},
                             {"published_per_s", RateJson(row.rate)},
                             {"waiting", row.waiting},
                             {"spilled", row.spilled},
                             {"oldest_age_ns", AgeJson(row.oldest_ns, moment.now_ns)}});
  }
  const std::vector<Row> ports = PortRows(moment);
  for (const PortStats& port : reading.ports) {
    if (port.port < reading.shards.size()) continue;
    json["ports"].push_back({{"port", port.port},
                             {"source", port.source},
                             {"open", port.open != 0},
                             {"sent", port.sent},
                             {"sent_per_s", RateJson(ports[json["ports"].size()].rate)},
                             {"answers_read", port.read},
                             {"answers_waiting", port.waiting},
                             {"refused", NamedJson(port.refused, &ResultName)}});
  }
  return json;
}

bool ShowsFault(const StatMoment& moment) {
  const FabricReading& reading = moment.reading;
  if (!reading.damages.empty() || reading.state == WriterState::kGone) return true;
  for (uint32_t i = 0; i < reading.shards.size(); ++i) {
    if (reading.shards[i].counts.journal_full != 0) return true;
    if (reading.SilentNs(i, moment.now_ns) != 0) return true;
  }
  return false;
}

}  // namespace bitactor::cli
