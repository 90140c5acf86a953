#include "bench/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor::bench {
namespace {

// Three digits that matter: 9.47, 26.1, 719, 114203.
std::string Short(double value) {
  const double size = std::fabs(value);
  return absl::StrFormat("%.*f", size < 10 ? 2 : size < 100 ? 1 : 0, value);
}

struct Line {
  std::string name, unit, median, range, p99, ratio, note;
};

Line LineOf(const RowResult& result) {
  Line line{.name = result.row.name,
            .unit = result.row.unit,
            .median = Short(result.median),
            .range = absl::StrCat(Short(result.min), " .. ", Short(result.max)),
            .p99 = "",
            .ratio = "",
            .note = ""};
  if (result.latencies.has_value()) line.p99 = absl::StrCat(result.latencies->QuantileNs(0.99));
  if (result.ratio_to_floor.has_value()) line.ratio = Short(*result.ratio_to_floor);
  for (const auto& [base, ratio] : result.ratios_to) {
    absl::StrAppend(&line.note, Short(ratio), " x ", base, "; ");
  }
  absl::StrAppend(&line.note, result.row.note);
  return line;
}

}  // namespace

void WriteTable(const Environment& environment, const Results& results, const RunOptions& options,
                std::ostream& out) {
  out << absl::StreamFormat("%s, %d cores | %s, %s, %s | %s | commit %s | %s\n", environment.cpu,
                            environment.cores, environment.compiler, environment.build_type,
                            environment.flags, environment.clock, environment.commit,
                            environment.date);
  out << absl::StreamFormat(
      "median of %d interleaved runs of about %d ms; floor: l2/floor of the same payload\n\n",
      options.rounds, options.run_ns / 1'000'000);

  std::vector<Line> lines = {{"row", "unit", "median", "min .. max", "p99", "x floor", "note"}};
  for (const RowResult& result : results.rows) lines.push_back(LineOf(result));
  const auto width_of = [&lines](std::string Line::*column) {
    size_t width = 0;
    for (const Line& line : lines) width = std::max(width, (line.*column).size());
    return static_cast<int>(width);
  };
  const int name = width_of(&Line::name), unit = width_of(&Line::unit),
            median = width_of(&Line::median), range = width_of(&Line::range),
            p99 = width_of(&Line::p99), ratio = width_of(&Line::ratio);
  for (const Line& line : lines) {
    std::string text = absl::StrFormat("%-*s  %-*s  %*s  %*s  %*s  %*s  %s", name, line.name, unit,
                                       line.unit, median, line.median, range, line.range, p99,
                                       line.p99, ratio, line.ratio, line.note);
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  }
  for (const RowOmitted& row : results.omitted) {
    out << (row.failed ? "failed:  " : "skipped: ") << row.name << ": " << row.reason << '\n';
  }
}

std::string ToJson(const Environment& environment, const Results& results) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const RowResult& result : results.rows) {
    nlohmann::ordered_json row = {
        {"name", result.row.name},
        {"unit", result.row.unit},
        {"better", result.row.better == Better::kLower ? "lower" : "higher"},
        {"median", result.median},
        {"min", result.min},
        {"max", result.max}};
    if (result.latencies.has_value()) {
      row["p50"] = result.latencies->QuantileNs(0.5);
      row["p99"] = result.latencies->QuantileNs(0.99);
      row["p999"] = result.latencies->QuantileNs(0.999);
      row["p9999"] = result.latencies->QuantileNs(0.9999);
    }
    row["runs"] = result.values.size();
    row["values"] = result.values;
    row["operations"] = result.operations;
    if (result.ratio_to_floor.has_value()) {
      row["floor"] = result.floor;
      row["ratio_to_floor"] = *result.ratio_to_floor;
    }
    for (const auto& [base, ratio] : result.ratios_to) row["ratios"][base] = ratio;
    if (!result.row.note.empty()) row["note"] = result.row.note;
    rows.push_back(std::move(row));
  }
  nlohmann::ordered_json omitted = nlohmann::ordered_json::array();
  for (const RowOmitted& row : results.omitted) {
    omitted.push_back({{"name", row.name}, {"reason", row.reason}, {"failed", row.failed}});
  }
  const nlohmann::ordered_json document = {{"environment",
                                            {{"cpu", environment.cpu},
                                             {"cores", environment.cores},
                                             {"compiler", environment.compiler},
                                             {"flags", environment.flags},
                                             {"build_type", environment.build_type},
                                             {"commit", environment.commit},
                                             {"clock", environment.clock},
                                             {"date", environment.date}}},
                                           {"rows", std::move(rows)},
                                           {"omitted", std::move(omitted)}};
  // Messages may hold a file name in any encoding: what is not UTF-8 is replaced, never thrown.
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace bitactor::bench
