#include "bitactor/tracing/metrics.h"

#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "metric_table.h"

namespace bitactor {
namespace {

constexpr size_t kMaxLabels = 16;
constexpr size_t kMaxSeries = 100'000;
constexpr size_t kMaxBounds = 64;
constexpr size_t kMaxNameBytes = 200;
constexpr char kRefusedName[] = "bitactor_metrics_refused";

bool IsName(std::string_view name, bool colon) {
  if (name.empty() || name.size() > kMaxNameBytes || absl::ascii_isdigit(name[0])) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '_' && !(colon && c == ':')) return false;
  }
  return true;
}

absl::Status CheckLabels(MetricKind kind, const std::vector<std::string>& labels) {
  if (labels.size() > kMaxLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat(labels.size(), " labels; give 0 to ", kMaxLabels));
  }
  std::set<std::string> seen;
  for (const std::string& label : labels) {
    if (!IsName(label, /*colon=*/false) || absl::StartsWith(label, "__")) {
      return absl::InvalidArgumentError(
          absl::StrCat("label \"", label.substr(0, 40),
                       "\"; its name is of letters, digits and '_', begins with no digit, and not "
                       "with \"__\""));
    }
    if (label == "le" && kind == MetricKind::kHistogram) {
      return absl::InvalidArgumentError("label \"le\" is that of a histogram's buckets; rename it");
    }
    if (!seen.insert(label).second) {
      return absl::InvalidArgumentError(absl::StrCat("label \"", label, "\" is there twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBuckets(const MetricOptions& options) {
  if (!(options.scale > 0) || !std::isfinite(options.scale)) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale is ", options.scale, "; give a number above 0"));
  }
  if (options.bounds.size() > kMaxBounds) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.bounds.size(), " bounds; give 0 to ", kMaxBounds));
  }
  for (size_t i = 0; i < options.bounds.size(); ++i) {
    if (!std::isfinite(options.bounds[i]) ||
        (i > 0 && options.bounds[i] <= options.bounds[i - 1])) {
      return absl::InvalidArgumentError(
          absl::StrCat("bound ", i, " is ", options.bounds[i],
                       "; bounds are finite and each is above the one before"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(MetricKind kind, const MetricOptions& options) {
  if (!IsName(options.name, /*colon=*/true)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a name is of 1 to ", kMaxNameBytes,
                     " letters, digits, '_' and ':', and begins with no digit"));
  }
  for (const char* ending : {"_total", "_bucket", "_count", "_sum", "_created", "_info"}) {
    if (absl::EndsWith(options.name, ending)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ending ", ending, " is for exporters to add; leave it away"));
    }
  }
  if (options.help.empty()) {
    return absl::InvalidArgumentError("help is empty; say in a sentence what is counted");
  }
  if (!options.unit.empty() &&
      (!IsName(options.unit, false) || !absl::EndsWith(options.name, "_" + options.unit))) {
    return absl::InvalidArgumentError(absl::StrCat("unit \"", options.unit.substr(0, 40),
                                                   "\"; a name ends with its unit, as in ",
                                                   "queue_wait_seconds"));
  }
  if (options.max_series < 1 || options.max_series > kMaxSeries) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_series is ", options.max_series, "; give 1 to ", kMaxSeries));
  }
  if (absl::Status status = CheckLabels(kind, options.labels); !status.ok()) return status;
  return CheckBuckets(options);
}

}  // namespace

template <typename Cell>
Cell& MetricCells<Cell>::Of(std::initializer_list<std::string_view> values, uint32_t writer) const {
  return table_->Of(values, writer);
}
template class MetricCells<CounterCell>;
template class MetricCells<GaugeCell>;
template class MetricCells<HistogramCell>;

// ---- what a provider calls

namespace {

// As the family shows it; false: it does not fit.
bool Fits(const internal::MetricTable& table, size_t values, bool histogram) {
  return values == table.options().labels.size() &&
         (table.kind() == MetricKind::kHistogram) == histogram;
}

}  // namespace

internal::ProvidedTable* MetricsSink::TableOf(size_t family, size_t values, bool histogram) {
  BITACTOR_CHECK_LT(family, tables_.size());
  if (Fits(*tables_[family], values, histogram)) return tables_[family];
  tables_[family]->Refuse();
  return nullptr;
}

void MetricsSink::Put(size_t family, std::initializer_list<std::string_view> values,
                      uint64_t value) {
  if (auto* table = TableOf(family, values.size(), false)) {
    table->Put(values, {.labels = {}, .value = static_cast<int64_t>(value), .exemplars = {}});
  }
}

void MetricsSink::Put(size_t family, std::initializer_list<std::string_view> values, double value) {
  if (auto* table = TableOf(family, values.size(), false)) {
    table->Put(values, {.labels = {}, .value = value, .exemplars = {}});
  }
}

void MetricsSink::Put(size_t family, std::initializer_list<std::string_view> values,
                      const LatencyHistogram& histogram, std::vector<MetricExemplar> exemplars) {
  if (auto* table = TableOf(family, values.size(), true)) {
    const MetricOptions& options = table->options();
    for (MetricExemplar& exemplar : exemplars) exemplar.value *= options.scale;
    table->Put(values, {.labels = {},
                        .value = ToHistogramValue(histogram, options.bounds, options.scale),
                        .exemplars = std::move(exemplars)});
  }
}

// ---- the registry

MetricsRegistry::MetricsRegistry(uint64_t start_unix_ns) : start_unix_ns_(start_unix_ns) {}
MetricsRegistry::~MetricsRegistry() = default;

absl::Status MetricsRegistry::Check(MetricKind kind, const MetricOptions& options) const {
  if (absl::Status status = CheckOptions(kind, options); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("metric \"", options.name.substr(0, 60),
                                                   "\": ", std::string(status.message())));
  }
  if (options.name == kRefusedName || tables_.contains(options.name)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "metric \"", options.name,
        "\" is there already; keep the handle of the first call, or take another name"));
  }
  return absl::OkStatus();
}

template <typename Cell>
absl::StatusOr<MetricCells<Cell>> MetricsRegistry::Add(MetricKind kind, MetricOptions options) {
  MutexLock lock(&mutex_);
  if (absl::Status status = Check(kind, options); !status.ok()) return status;
  if (options.bounds.empty()) options.bounds = LatencyBounds();
  const std::string name = options.name;
  auto table = std::make_unique<internal::CellTable<Cell>>(kind, std::move(options), &refused_);
  MetricCells<Cell> cells(table.get());
  tables_[name] = std::move(table);
  return cells;
}

absl::StatusOr<MetricCells<CounterCell>> MetricsRegistry::AddCounters(MetricOptions options) {
  return Add<CounterCell>(MetricKind::kCounter, std::move(options));
}
absl::StatusOr<MetricCells<GaugeCell>> MetricsRegistry::AddGauges(MetricOptions options) {
  return Add<GaugeCell>(MetricKind::kGauge, std::move(options));
}
absl::StatusOr<MetricCells<HistogramCell>> MetricsRegistry::AddHistograms(MetricOptions options) {
  return Add<HistogramCell>(MetricKind::kHistogram, std::move(options));
}

absl::Status MetricsRegistry::AddProvider(std::vector<Declaration> families,
                                          std::function<void(MetricsSink&)> provide) {
  auto provider = std::make_shared<Provider>();
  provider->provide = std::move(provide);
  MutexLock lock(&mutex_);
  std::set<std::string> names;
  for (const Declaration& family : families) {
    if (absl::Status status = Check(family.kind, family.options); !status.ok()) return status;
    if (!names.insert(family.options.name).second) {
      return absl::AlreadyExistsError(absl::StrCat("metric \"", family.options.name,
                                                   "\" is declared twice; take another name"));
    }
  }
  for (Declaration& family : families) {
    if (family.options.bounds.empty()) family.options.bounds = LatencyBounds();
    const std::string name = family.options.name;
    auto table = std::make_unique<internal::ProvidedTable>(family.kind, std::move(family.options),
                                                           &refused_);
    provider->tables.push_back(table.get());
    tables_[name] = std::move(table);
  }
  providers_.push_back(std::move(provider));
  return absl::OkStatus();
}

MetricsSnapshot MetricsRegistry::Collect(uint64_t now_unix_ns) {
  MutexLock collecting(&collect_mutex_);
  std::vector<std::shared_ptr<const Provider>> providers;
  {
    MutexLock lock(&mutex_);
    providers = providers_;
  }
  // Without the lock: they may take their time, and may ask for cells.
  for (const auto& provider : providers) {
    MetricsSink sink(provider->tables);
    provider->provide(sink);
  }
  MetricsSnapshot snapshot;
  snapshot.start_unix_ns = start_unix_ns_;
  snapshot.time_unix_ns = now_unix_ns;
  MutexLock lock(&mutex_);
  bool told = false;
  const auto tell_refused = [&] {
    told = true;
    MetricPoint point;
    // Relaxed: a statistic.
    point.value = static_cast<int64_t>(refused_.load(std::memory_order_relaxed));
    snapshot.families.push_back({kRefusedName,
                                 "Points left out, and label sets that share a series, for their "
                                 "family had no room or they did not fit it.",
                                 "",
                                 MetricKind::kCounter,
                                 {std::move(point)}});
  };
  for (const auto& [name, table] : tables_) {
    if (!told && name > kRefusedName) tell_refused();
    snapshot.families.push_back(
        {name, table->options().help, table->options().unit, table->kind(), table->Points()});
  }
  if (!told) tell_refused();
  return snapshot;
}

}  // namespace bitactor
