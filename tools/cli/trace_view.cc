#include "cli/trace_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/tracing/trace_context.h"
#include "cli/journal_filter.h"
#include "pipeline/chain.h"
#include "pipeline/report.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;
using pipeline::LatencyText;

// Deeper effects are not moved further to the right.
constexpr size_t kDeepestIndent = 24;

std::string Named(const std::map<uint32_t, std::string>& names, uint32_t number) {
  const auto found = names.find(number);
  return found != names.end() ? found->second : std::string();
}

// The name, or what stands for it where there is none. Any bytes.
std::string ActorIn(const SpanNameTable& names, uint32_t actor) {
  const std::string name = Named(names.actors, actor);
  if (!name.empty()) return name;
  return IsPort(ActorId{actor}) ? absl::StrCat("port ", actor & ~kPortIdBit)
                                : absl::StrCat("actor ", actor);
}

std::string TypeIn(const SpanNameTable& names, uint32_t type) {
  const std::string name = Named(names.types, type);
  if (!name.empty()) return name;
  const std::string known = pipeline::TypeNameOf(type);
  if (!known.empty()) return known;
  return type == 0 ? "no payload" : absl::StrFormat("%08x", type);
}

std::string WhatText(const SpanRecord& span, const SpanNameTable& names) {
  return absl::CHexEscape(absl::StrCat(TypeIn(names, span.type), "  ", ActorIn(names, span.source),
                                       " -> ", ActorIn(names, span.target), "  ",
                                       MessageText(span.source, span.span)));
}

// 32 digits of one that came from outside, else 16.
std::string TraceText(const SpanNameTable& names, uint64_t trace) {
  return names.traces.contains(trace) ? names.TraceIdOf(trace).ToHex() : SpanIdToHex(trace);
}

// What caused the first message of a chain is here, or in another process.
bool IsWhole(const Chain& chain, const SpanRecord& first, const SpanNameTable& names) {
  return chain.whole || names.IsRoot(first.trace, first.parent_span);
}

std::string OutcomeText(const Hop& hop) {
  return hop.span.outcome == SpanOutcome::kOk
             ? std::string()
             : absl::StrCat("  ", SpanOutcomeName(hop.span.outcome));
}

uint64_t WaitOf(const SpanRecord& span) {
  return span.start_ns > span.sent_ns ? span.start_ns - span.sent_ns : 0;
}

Json HopJson(const Hop& hop, const SpanNameTable& names) {
  const SpanRecord& span = hop.span;
  Json json = {
      {"message", MessageText(span.source, span.span)},
      {"span", SpanIdToHex(span.span)},
      {"parent_span", span.parent_span != 0 ? Json(SpanIdToHex(span.parent_span)) : Json()},
      {"source", span.source},
      {"source_name", ActorIn(names, span.source)},
      {"target", span.target},
      {"target_name", ActorIn(names, span.target)},
      {"type", TypeIn(names, span.type)},
      {"kind", std::string(KindName(static_cast<FrameKind>(span.kind)))},
      {"shard", span.shard},
      {"sent_ns", span.sent_ns},
      {"start_ns", Json()},
      {"duration_ns", Json()},
      {"outcome", Json()},
      {"place", hop.place.has_value() ? Json(hop.place->ToString()) : Json()}};
  if (hop.timed) {
    json["start_ns"] = span.start_ns;
    json["duration_ns"] = span.duration_ns;
    json["outcome"] = SpanOutcomeName(span.outcome);
  }
  return json;
}

void AppendPathLine(const Hop& hop, size_t depth, bool is_asked_for, const SpanNameTable& names,
                    std::string& out) {
  absl::StrAppend(&out, is_asked_for ? "* " : "  ",
                  std::string(2 * std::min(depth, kDeepestIndent), ' '), WhatText(hop.span, names));
  if (hop.timed) {
    absl::StrAppend(&out, "  waited ", LatencyText(WaitOf(hop.span)), ", worked ",
                    LatencyText(hop.span.duration_ns), OutcomeText(hop));
  }
  if (hop.place.has_value()) absl::StrAppend(&out, "  at ", hop.place->ToString());
  out += "\n";
}

struct StatRow {
  std::string name;
  uint32_t number;
  const SpanStat* stat;
};

// The busiest first.
std::vector<StatRow> RowsOf(const std::map<uint32_t, SpanStat>& stats, const SpanNameTable& names,
                            std::string (*name_of)(const SpanNameTable&, uint32_t)) {
  std::vector<StatRow> rows;
  for (const auto& [number, stat] : stats) rows.push_back({name_of(names, number), number, &stat});
  std::stable_sort(rows.begin(), rows.end(), [](const StatRow& a, const StatRow& b) {
    return a.stat->work.count() > b.stat->work.count();
  });
  return rows;
}

void AppendTable(const char* heading, const std::vector<StatRow>& rows, size_t most,
                 std::string& out) {
  absl::StrAppendFormat(&out, "\n%-28s %9s %7s %10s %10s %10s %10s %10s\n", heading, "spans",
                        "not ok", "wait p50", "p99", "work p50", "p99", "max");
  for (size_t i = 0; i < std::min(rows.size(), most); ++i) {
    const SpanStat& stat = *rows[i].stat;
    absl::StrAppendFormat(
        &out, "%-28s %9d %7d %10s %10s %10s %10s %10s\n", absl::CHexEscape(rows[i].name),
        stat.work.count(), stat.not_ok, LatencyText(stat.wait.Percentile(50)),
        LatencyText(stat.wait.Percentile(99)), LatencyText(stat.work.Percentile(50)),
        LatencyText(stat.work.Percentile(99)), LatencyText(stat.work.max_ns()));
  }
  if (rows.size() > most) absl::StrAppend(&out, "and ", rows.size() - most, " more\n");
}

Json LatencyJson(const LatencyHistogram& latency) {
  return {{"p50_ns", latency.Percentile(50)},
          {"p99_ns", latency.Percentile(99)},
          {"max_ns", latency.max_ns()}};
}

Json StatJson(const SpanStat& stat) {
  return {{"spans", stat.work.count()},
          {"not_ok", stat.not_ok},
          {"wait", LatencyJson(stat.wait)},
          {"work", LatencyJson(stat.work)}};
}

Json TableJson(const std::vector<StatRow>& rows) {
  Json all = Json::array();
  for (const StatRow& row : rows) {
    Json json = {{"name", row.name}, {"id", row.number}};
    json.update(StatJson(*row.stat));
    all.push_back(std::move(json));
  }
  return all;
}

}  // namespace

std::string ChainsText(const TraceGraph& graph, std::span<const Chain> chains,
                       const SpanNameTable& names) {
  std::string text;
  for (size_t i = 0; i < chains.size(); ++i) {
    const Chain& chain = chains[i];
    const SpanRecord& first = graph.hops()[chain.steps.front().hop].span;
    absl::StrAppend(&text, i == 0 ? "" : "\n", i + 1, ". ", LatencyText(chain.total_ns),
                    ": waiting ", LatencyText(chain.wait_ns), ", working ",
                    LatencyText(chain.work_ns), "; ", chain.steps.size(), " messages from ",
                    TimeText(first.sent_ns), " on, trace ", TraceText(names, first.trace), "\n");
    if (!IsWhole(chain, first, names))
      text += "   begins later than its trace: what caused it is not here\n";
    absl::StrAppendFormat(&text, "%12s %10s   message\n", "wait", "work");
    for (const ChainStep& step : chain.steps) {
      const Hop& hop = graph.hops()[step.hop];
      absl::StrAppendFormat(&text, "%12s %10s   %s%s\n", LatencyText(step.wait_ns),
                            LatencyText(step.work_ns), WhatText(hop.span, names), OutcomeText(hop));
    }
  }
  return text;
}

Json ChainsJson(const TraceGraph& graph, std::span<const Chain> chains,
                const SpanNameTable& names) {
  Json all = Json::array();
  for (const Chain& chain : chains) {
    const SpanRecord& first = graph.hops()[chain.steps.front().hop].span;
    Json steps = Json::array();
    for (const ChainStep& step : chain.steps) {
      Json json = {{"wait_ns", step.wait_ns}, {"work_ns", step.work_ns}};
      json.update(HopJson(graph.hops()[step.hop], names));
      steps.push_back(std::move(json));
    }
    all.push_back({{"trace", TraceText(names, first.trace)},
                   {"total_ns", chain.total_ns},
                   {"wait_ns", chain.wait_ns},
                   {"work_ns", chain.work_ns},
                   {"whole", IsWhole(chain, first, names)},
                   {"steps", std::move(steps)}});
  }
  return all;
}

std::string PathText(const TraceGraph& graph, const MessagePath& path, const SpanNameTable& names,
                     size_t most_effects) {
  const std::vector<Hop>& hops = graph.hops();
  const SpanRecord& first = hops[path.causes.front()].span;
  std::string text = absl::StrCat("trace ", TraceText(names, first.trace), " from ",
                                  TimeText(first.sent_ns), " on\n");
  if (first.parent_span != 0) {
    absl::StrAppend(&text, "  (its cause, span ", SpanIdToHex(first.parent_span),
                    ", is not here)\n");
  }
  for (size_t i = 0; i < path.causes.size(); ++i) {
    AppendPathLine(hops[path.causes[i]], i, i + 1 == path.causes.size(), names, text);
  }
  for (size_t i = 0; i < std::min(path.effects.size(), most_effects); ++i) {
    const auto& [steps, hop] = path.effects[i];
    AppendPathLine(hops[hop], path.causes.size() - 1 + steps, false, names, text);
  }
  if (path.effects.size() > most_effects) {
    absl::StrAppend(&text, "  and ", path.effects.size() - most_effects, " more effects\n");
  }
  return text;
}

Json PathJson(const TraceGraph& graph, const MessagePath& path, const SpanNameTable& names,
              size_t most_effects) {
  const std::vector<Hop>& hops = graph.hops();
  Json causes = Json::array();
  for (size_t i = 0; i + 1 < path.causes.size(); ++i) {
    causes.push_back(HopJson(hops[path.causes[i]], names));
  }
  Json effects = Json::array();
  for (size_t i = 0; i < std::min(path.effects.size(), most_effects); ++i) {
    Json json = {{"steps", path.effects[i].first}};
    json.update(HopJson(hops[path.effects[i].second], names));
    effects.push_back(std::move(json));
  }
  const SpanRecord& first = hops[path.causes.front()].span;
  return {{"trace", TraceText(names, first.trace)},
          {"whole", names.IsRoot(first.trace, first.parent_span)},
          {"causes", std::move(causes)},
          {"message", HopJson(hops[path.causes.back()], names)},
          {"effects", std::move(effects)},
          {"effects_left_out", path.effects.size() - std::min(path.effects.size(), most_effects)}};
}

std::string TraceStatText(const TraceStat& stat, uint64_t dropped, const SpanNameTable& names,
                          size_t rows) {
  std::string text =
      absl::StrFormat("%d spans of %d traces, %d roots; %d older spans had been overwritten",
                      stat.spans, stat.traces, stat.roots, dropped);
  if (stat.orphans != 0) {
    absl::StrAppend(&text, "; of ", stat.orphans, " spans the cause is not here");
  }
  if (stat.spans != 0) {
    absl::StrAppend(&text, "\nfrom ", TimeText(stat.first_ns), " for ",
                    LatencyText(stat.last_ns - std::min(stat.last_ns, stat.first_ns)));
  }
  text += "\noutcomes:";
  for (size_t i = 0; i < stat.outcomes.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? " " : ", ", SpanOutcomeName(static_cast<SpanOutcome>(i)), " ",
                    stat.outcomes[i]);
  }
  text += "\n";
  AppendTable("type", RowsOf(stat.by_type, names, &TypeIn), rows, text);
  AppendTable("actor", RowsOf(stat.by_actor, names, &ActorIn), rows, text);
  return text;
}

Json TraceStatJson(const TraceStat& stat, uint64_t dropped, const SpanNameTable& names) {
  Json outcomes = Json::object();
  for (size_t i = 0; i < stat.outcomes.size(); ++i) {
    outcomes[SpanOutcomeName(static_cast<SpanOutcome>(i))] = stat.outcomes[i];
  }
  return {{"spans", stat.spans},
          {"dropped", dropped},
          {"traces", stat.traces},
          {"roots", stat.roots},
          {"orphans", stat.orphans},
          {"first_ns", stat.first_ns},
          {"last_ns", stat.last_ns},
          {"outcomes", std::move(outcomes)},
          {"all", StatJson(stat.all)},
          {"types", TableJson(RowsOf(stat.by_type, names, &TypeIn))},
          {"actors", TableJson(RowsOf(stat.by_actor, names, &ActorIn))}};
}

}  // namespace bitactor::cli
