#include "bench/harness.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/name_filter.h"
#include "bitactor/l1_core/check.h"

namespace bitactor::bench {
namespace {

constexpr size_t kNamesToSuggest = 3;

// Levenshtein distance.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string_view LastPart(std::string_view name) { return name.substr(name.rfind('/') + 1); }

// A selected row while it runs.
struct Running {
  const Registry::Entry* entry;
  Body body;
  RowResult result;
  absl::Status status;
};

// Grows the run until it is long enough to extrapolate from. The runs also warm the row up.
absl::StatusOr<uint64_t> FindOperations(const Row& row, const Body& body, uint64_t run_ns) {
  uint64_t operations = row.operations_min;
  while (true) {
    const absl::StatusOr<Sample> sample = body(operations);
    if (!sample.ok()) return sample.status();
    const uint64_t elapsed_ns = std::max<uint64_t>(sample->elapsed_ns, 1);
    const double wanted = static_cast<double>(operations) * static_cast<double>(run_ns) /
                          static_cast<double>(elapsed_ns);
    // A short run says little about a long one: come closer by a factor of 100 at most.
    const bool long_enough = elapsed_ns >= run_ns / 8;
    const double next =
        long_enough ? wanted : std::min(wanted, 100.0 * static_cast<double>(operations));
    const double bounded = std::clamp(next, static_cast<double>(row.operations_min),
                                      static_cast<double>(row.operations_max));
    const bool at_the_limit = operations >= row.operations_max;
    operations = static_cast<uint64_t>(bounded);
    if (long_enough || at_the_limit) return operations;
  }
}

void RunOnce(Running& running) {
  absl::StatusOr<Sample> sample = running.body(running.result.operations);
  if (!sample.ok()) {
    running.status = sample.status();
    return;
  }
  running.result.values.push_back(sample->value);
  if (!sample->latencies.has_value()) return;
  if (running.result.latencies.has_value()) {
    running.result.latencies->Merge(*sample->latencies);
  } else {
    running.result.latencies = std::move(sample->latencies);
  }
}

void AddRatios(const Registry& registry, std::vector<RowResult>& rows) {
  const auto median_of = [&rows](const std::string& name) -> std::optional<double> {
    for (const RowResult& row : rows) {
      if (row.row.name == name && row.median > 0) return row.median;
    }
    return std::nullopt;
  };
  for (RowResult& row : rows) {
    row.floor = registry.FloorOf(row.row);
    if (const auto floor = median_of(row.floor)) row.ratio_to_floor = row.median / *floor;
    for (const std::string& base : row.row.bases) {
      if (const auto median = median_of(base))
        row.ratios_to.emplace_back(base, row.median / *median);
    }
  }
}

RowOmitted Omitted(const Running& running) {
  return {running.entry->row.name, std::string(running.status.message()),
          !absl::IsUnavailable(running.status)};
}

}  // namespace

double Median(std::vector<double> values) {
  BITACTOR_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Registry::Add(Row row, SetUp set_up) {
  BITACTOR_CHECK(Find(row.name) == nullptr);
  BITACTOR_CHECK_LE(uint64_t{1}, row.operations_min);
  BITACTOR_CHECK_LE(row.operations_min, row.operations_max);
  entries_.push_back({std::move(row), std::move(set_up)});
}

const Registry::Entry* Registry::Find(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (entry.row.name == name) return &entry;
  }
  return nullptr;
}

std::string Registry::FloorOf(const Row& row) const {
  const std::string& name = row.name;
  if (row.unit != "ns" || name.rfind("machine/", 0) == 0 || name.rfind("l2/floor/", 0) == 0)
    return "";
  for (const std::string& floor :
       {absl::StrCat("l2/floor/", std::string(LastPart(name))), std::string("l2/floor/64")}) {
    if (Find(floor) != nullptr) return floor;
  }
  return "";
}

std::vector<std::string> Registry::NamesNear(const std::string& text) const {
  std::vector<std::pair<size_t, std::string>> names;
  for (const Entry& entry : entries_) {
    names.emplace_back(EditDistance(text, entry.row.name), entry.row.name);
  }
  const size_t count = std::min(kNamesToSuggest, names.size());
  std::partial_sort(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), names.end());
  std::vector<std::string> near;
  for (size_t i = 0; i < count; ++i) near.push_back(names[i].second);
  return near;
}

absl::StatusOr<std::vector<const Registry::Entry*>> Registry::Select(
    const std::string& expression) const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.row.name);
  const auto matching = NamesMatching(expression, names);
  if (!matching.ok()) return matching.status();
  std::set<std::string> wanted;
  for (const std::string& name : *matching) {
    const Row& row = Find(name)->row;
    wanted.insert({name, FloorOf(row)});
    wanted.insert(row.bases.begin(), row.bases.end());
  }
  if (wanted.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "the filter '", expression, "' matches no row; the nearest are ",
        absl::StrJoin(NamesNear(expression), ", "), "; --list shows all ", entries_.size()));
  }
  std::vector<const Entry*> selected;
  for (const Entry& entry : entries_) {
    if (wanted.count(entry.row.name) != 0) selected.push_back(&entry);
  }
  return selected;
}

Results RunRows(const Registry& registry, const std::vector<const Registry::Entry*>& entries,
                const Context& context, const RunOptions& options) {
  std::vector<Running> all;
  all.reserve(entries.size());
  for (const Registry::Entry* entry : entries)
    all.push_back({entry, nullptr, {}, absl::OkStatus()});
  const auto in_turn = [&](uint32_t round, const auto& step) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i].status.ok()) continue;
      if (options.on_progress) {
        options.on_progress({round, options.rounds, i, all.size(), all[i].entry->row.name});
      }
      step(all[i]);
    }
  };

  in_turn(0, [&](Running& running) {
    running.result.row = running.entry->row;
    absl::StatusOr<Body> body = running.entry->set_up(context);
    if (!body.ok()) {
      running.status = body.status();
      return;
    }
    running.body = *std::move(body);
    const auto operations = FindOperations(running.entry->row, running.body, options.run_ns);
    running.status = operations.status();
    if (operations.ok()) running.result.operations = *operations;
  });
  for (uint32_t round = 1; round <= options.rounds; ++round) in_turn(round, RunOnce);

  Results results;
  for (Running& running : all) {
    if (!running.status.ok()) {
      results.omitted.push_back(Omitted(running));
      continue;
    }
    RowResult& result = running.result;
    result.median = Median(result.values);
    result.min = *std::min_element(result.values.begin(), result.values.end());
    result.max = *std::max_element(result.values.begin(), result.values.end());
    results.rows.push_back(std::move(result));
  }
  AddRatios(registry, results.rows);
  return results;
}

}  // namespace bitactor::bench
