#include "pipeline/report.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor::pipeline {
namespace {

using Json = nlohmann::ordered_json;

std::string Hex(uint64_t digest) { return absl::StrFormat("%016x", digest); }

// 1234567 as "1,234,567".
std::string Grouped(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string Money(int64_t ten_thousandths) {
  const bool negative = ten_thousandths < 0;
  const uint64_t cents = (negative ? -static_cast<uint64_t>(ten_thousandths)
                                   : static_cast<uint64_t>(ten_thousandths)) /
                         100;
  return absl::StrFormat("%s$%s.%02d", negative ? "-" : "", Grouped(cents / 100), cents % 100);
}

std::string Rate(uint64_t count, uint64_t elapsed_ns) {
  const double per_second =
      elapsed_ns == 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(elapsed_ns);
  return per_second >= 1e6 ? absl::StrFormat("%.2f M/s", per_second / 1e6)
                           : absl::StrFormat("%.1f k/s", per_second / 1e3);
}

Json DeadLetters(const FabricCounters& counters) {
  Json by_cause = Json::object();
  for (size_t i = 0; i < kDeadLetterCauses; ++i) {
    if (counters.dead_letters[i] == 0) continue;
    by_cause[DeadLetterCauseName(static_cast<DeadLetterCause>(i))] = counters.dead_letters[i];
  }
  return by_cause;
}

Json Executions(const Totals& totals) {
  const auto of = [](const market::ExecutionCounts& counts) {
    return Json{{"count", counts.count}, {"shares", counts.shares}, {"notional", counts.notional}};
  };
  return {{"visible", of(totals.books.visible)},
          {"hidden", of(totals.books.hidden)},
          {"crosses", of(totals.books.crosses)}};
}

Json Oddity(const market::OddityCount& oddity) {
  return {{"count", oddity.count}, {"first_sequence", oddity.first_sequence}};
}

Json Positions(const market::PositionTotals& positions) {
  return {{"fills", positions.fills},           {"shares", positions.shares},
          {"turnover", positions.turnover},     {"realised", positions.realised},
          {"unrealised", positions.unrealised}, {"cash", positions.cash}};
}

void AddTotals(const Totals& totals, Json& json) {
  json["symbols"] = totals.symbols;
  json["executions"] = Executions(totals);
  json["live_orders"] = totals.live_orders;
  json["unknown_references"] = Oddity(totals.books.unknown_references);
  json["anomalies"] = Oddity(totals.books.anomalies);
  json["positions"] = Positions(totals.positions);
  if (totals.rows.compared > 0) {
    json["book_rows"] = {{"compared", totals.rows.compared}, {"equal", totals.rows.equal}};
  }
  if (!totals.dump.empty()) json["book"] = totals.dump;
}

std::string ZeroTickText(const market::ZeroTickReport& zero_tick) {
  std::string causes;
  for (size_t i = 0; i < kBypassCauses; ++i) {
    const auto cause = static_cast<Bypass>(i);
    if (zero_tick.bypassed[cause] == 0) continue;
    absl::StrAppend(&causes, causes.empty() ? ": " : ", ", Grouped(zero_tick.bypassed[cause]), " ",
                    BypassName(cause));
  }
  return absl::StrFormat(
      "  zero tick   %s of %s messages need no strategy, %.1f %%%s; %.2f ticks a message, %.2f of "
      "them for the books\n",
      Grouped(zero_tick.bypassed.total()), Grouped(zero_tick.signals), 100 * zero_tick.share(),
      causes, zero_tick.mean_ticks, zero_tick.mean_ticks_books);
}

Json ZeroTick(const market::ZeroTickReport& zero_tick) {
  Json by_cause = Json::object();
  for (size_t i = 0; i < kBypassCauses; ++i) {
    const auto cause = static_cast<Bypass>(i);
    if (zero_tick.bypassed[cause] != 0) by_cause[BypassName(cause)] = zero_tick.bypassed[cause];
  }
  return {{"signals", zero_tick.signals},       {"bypassed", zero_tick.bypassed.total()},
          {"share", zero_tick.share()},         {"by_cause", by_cause},
          {"mean_ticks", zero_tick.mean_ticks}, {"mean_ticks_books", zero_tick.mean_ticks_books},
          {"intents", zero_tick.intents},       {"fills", zero_tick.positions.fills}};
}

std::string TotalsText(const Totals& totals) {
  std::string text = absl::StrFormat(
      "  books       %s symbols, %s live orders; executed %s shares in %s trades, hidden %s in "
      "%s\n",
      Grouped(totals.symbols), Grouped(totals.live_orders), Grouped(totals.books.visible.shares),
      Grouped(totals.books.visible.count), Grouped(totals.books.hidden.shares),
      Grouped(totals.books.hidden.count));
  if (totals.books.unknown_references.count > 0) {
    absl::StrAppendFormat(
        &text, "              %s references to orders not seen, the first in message %s\n",
        Grouped(totals.books.unknown_references.count),
        Grouped(totals.books.unknown_references.first_sequence));
  }
  if (totals.rows.compared > 0) {
    absl::StrAppendFormat(&text, "  book rows   %s of %s equal\n", Grouped(totals.rows.equal),
                          Grouped(totals.rows.compared));
  }
  absl::StrAppendFormat(
      &text, "  positions   %s fills, %s shares, turnover %s; P&L %s realised, %s open\n",
      Grouped(totals.positions.fills), Grouped(totals.positions.shares),
      Money(static_cast<int64_t>(totals.positions.turnover)), Money(totals.positions.realised),
      Money(totals.positions.unrealised));
  return text;
}

}  // namespace

std::string LatencyText(uint64_t latency_ns) {
  if (latency_ns < 10'000) return absl::StrFormat("%d ns", latency_ns);
  if (latency_ns < 10'000'000)
    return absl::StrFormat("%.1f us", static_cast<double>(latency_ns) / 1e3);
  return absl::StrFormat("%.1f ms", static_cast<double>(latency_ns) / 1e6);
}

std::string ToText(const RunReport& report) {
  std::string text =
      absl::StrFormat("feed %s messages in %s, %s on %d shard%s\n", Grouped(report.feed_messages),
                      LatencyText(report.elapsed_ns), Rate(report.feed_messages, report.elapsed_ns),
                      report.shards, report.shards == 1 ? "" : "s");
  if (report.recovered_frames > 0) {
    absl::StrAppendFormat(
        &text,
        "  resumed     start %d of this journal; %s frames replayed, %s sends were taken before\n",
        report.boot, Grouped(report.recovered_frames), Grouped(report.already_taken));
  }
  absl::StrAppendFormat(
      &text, "  messages    %s sent, %s delivered, %s dead letters, %s queued: they %s\n",
      Grouped(report.counters.sent), Grouped(report.counters.delivered),
      Grouped(report.counters.dead_letters_total()), Grouped(report.counters.queued),
      report.counters.AddUp() ? "add up" : "DO NOT ADD UP");
  for (size_t i = 0; i < kDeadLetterCauses; ++i) {
    if (report.counters.dead_letters[i] == 0) continue;
    absl::StrAppendFormat(&text, "              dead letters, %s: %s\n",
                          DeadLetterCauseName(static_cast<DeadLetterCause>(i)),
                          Grouped(report.counters.dead_letters[i]));
  }
  absl::StrAppendFormat(&text, "  failures    %s restarts, %s budget overruns\n",
                        Grouped(report.restarts), Grouped(report.overruns));
  if (report.counters.journalled > 0) {
    absl::StrAppendFormat(&text, "  journal     %s records\n", Grouped(report.counters.journalled));
  }
  if (report.spans > 0) {
    absl::StrAppendFormat(&text, "  trace       %s spans, %s older ones overwritten\n",
                          Grouped(report.spans), Grouped(report.spans_dropped));
  }
  absl::StrAppend(&text, TotalsText(report));
  std::string rejected;
  for (const auto& [cause, count] : report.rejected) {
    absl::StrAppend(&rejected, rejected.empty() ? "" : ", ", cause, " ", Grouped(count));
  }
  absl::StrAppendFormat(&text, "  risk        %s intents, %s approved%s%s\n",
                        Grouped(report.intents), Grouped(report.approved),
                        rejected.empty() ? "" : "; refused: ", rejected);
  if (report.zero_tick.has_value()) absl::StrAppend(&text, ZeroTickText(*report.zero_tick));
  absl::StrAppendFormat(&text, "\n  %-10s %12s %10s %10s %10s %10s\n", "stage", "messages", "p50",
                        "p99", "p99.9", "max");
  for (const StageReport& stage : report.stages) {
    absl::StrAppendFormat(&text, "  %-10s %12s %10s %10s %10s %10s\n", stage.name,
                          Grouped(stage.messages), LatencyText(stage.p50_ns),
                          LatencyText(stage.p99_ns), LatencyText(stage.p999_ns),
                          LatencyText(stage.max_ns));
  }
  absl::StrAppendFormat(&text, "\n  digest      %s\n", Hex(report.digest));
  return text;
}

std::string ToJson(const RunReport& report) {
  Json json;
  json["feed_messages"] = report.feed_messages;
  json["feed_bytes"] = report.feed_bytes;
  json["digest"] = Hex(report.digest);
  json["shards"] = report.shards;
  json["elapsed_ns"] = report.elapsed_ns;
  json["sent"] = report.counters.sent;
  json["delivered"] = report.counters.delivered;
  json["dead_letters"] = DeadLetters(report.counters);
  json["queued"] = report.counters.queued;
  json["journalled"] = report.counters.journalled;
  json["restarts"] = report.restarts;
  json["overruns"] = report.overruns;
  json["suspicions"] = report.suspicions;
  json["boot"] = report.boot;
  json["recovered_frames"] = report.recovered_frames;
  json["already_taken"] = report.already_taken;
  json["stages"] = Json::array();
  for (const StageReport& stage : report.stages) {
    json["stages"].push_back({{"name", stage.name},
                              {"messages", stage.messages},
                              {"p50_ns", stage.p50_ns},
                              {"p99_ns", stage.p99_ns},
                              {"p999_ns", stage.p999_ns},
                              {"max_ns", stage.max_ns}});
  }
  AddTotals(report, json);
  json["intents"] = report.intents;
  json["approved"] = report.approved;
  json["rejected"] = Json::object();
  for (const auto& [cause, count] : report.rejected) json["rejected"][cause] = count;
  if (report.zero_tick.has_value()) json["zero_tick"] = ZeroTick(*report.zero_tick);
  json["spans"] = report.spans;
  json["spans_dropped"] = report.spans_dropped;
  json["error"] =
      report.fault.ok()
          ? Json(nullptr)
          : Json(std::string(report.fault.message().data(), report.fault.message().size()));
  return json.dump(2) + "\n";
}

std::string ToText(const ReplayReport& report) {
  return absl::StrFormat("replayed %s frames\n", Grouped(report.frames)) + TotalsText(report) +
         absl::StrFormat("  digest      %s\n", Hex(report.digest));
}

std::string ToJson(const ReplayReport& report) {
  Json json;
  json["frames"] = report.frames;
  json["digest"] = Hex(report.digest);
  AddTotals(report, json);
  return json.dump(2) + "\n";
}

}  // namespace bitactor::pipeline
