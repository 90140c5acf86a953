#include "bitactor/tracing_export/prometheus_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bitactor {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

// The shortest that reads back as the same number, never without '.' or exponent: OpenMetrics wants
// one spelling for the bounds of buckets.
void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char digits[32];
    const char* const end =
        std::to_chars(std::begin(digits), std::end(digits), value, std::chars_format::general).ptr;
    const std::string_view written(digits, static_cast<size_t>(end - digits));
    out += written;
    if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
  }
}

class TextWriter {
 public:
  TextWriter(std::string& out, MetricsText text)
      : out_(out), open_(text == MetricsText::kOpenMetrics) {}

  void Append(const MetricFamily& family) {
    AppendHead(family);
    for (const MetricPoint& point : family.points) {
      if (const auto* histogram = std::get_if<HistogramValue>(&point.value)) {
        AppendHistogram(family, point, *histogram);
      } else {
        AppendName(family.name, family.kind == MetricKind::kCounter ? "_total" : "", point.labels);
        if (const auto* whole = std::get_if<int64_t>(&point.value)) {
          absl::StrAppend(&out_, *whole);
        } else {
          AppendNumber(out_, std::get<double>(point.value));
        }
        out_ += '\n';
      }
    }
  }

 private:
  void AppendHead(const MetricFamily& family) {
    const char* type = "gauge";
    if (family.kind == MetricKind::kCounter) type = "counter";
    if (family.kind == MetricKind::kHistogram) type = "histogram";
    // 0.0.4 knows no families: there a counter's name is that of its samples.
    const std::string name =
        absl::StrCat(family.name, !open_ && family.kind == MetricKind::kCounter ? "_total" : "");
    absl::StrAppend(&out_, "# TYPE ", name, " ", type, "\n");
    if (open_ && !family.unit.empty() && absl::EndsWith(family.name, "_" + family.unit)) {
      absl::StrAppend(&out_, "# UNIT ", name, " ", family.unit, "\n");
    }
    absl::StrAppend(&out_, "# HELP ", name, " ");
    AppendEscaped(out_, family.help, /*quotes=*/open_);
    out_ += '\n';
  }

  void AppendName(std::string_view name, std::string_view ending, const Labels& labels,
                  std::optional<double> le = std::nullopt) {
    out_ += name;
    out_ += ending;
    if (!labels.empty() || le.has_value()) {
      char before = '{';
      for (const auto& [label, value] : labels) {
        out_ += before;
        out_ += label;
        out_ += "=\"";
        AppendEscaped(out_, value, /*quotes=*/true);
        out_ += '"';
        before = ',';
      }
      if (le.has_value()) {
        out_ += before;
        out_ += "le=\"";
        AppendNumber(out_, *le);
        out_ += '"';
      }
      out_ += '}';
    }
    out_ += ' ';
  }

  void AppendHistogram(const MetricFamily& family, const MetricPoint& point,
                       const HistogramValue& histogram) {
    uint64_t up_to = 0;
    double above = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < histogram.counts.size(); ++i) {
      const double bound = i < histogram.bounds.size() ? histogram.bounds[i]
                                                       : std::numeric_limits<double>::infinity();
      up_to += histogram.counts[i];
      AppendName(family.name, "_bucket", point.labels, bound);
      absl::StrAppend(&out_, up_to);
      if (open_) AppendExemplar(point, above, bound);
      out_ += '\n';
      above = bound;
    }
    AppendName(family.name, "_sum", point.labels);
    AppendNumber(out_, histogram.sum);
    out_ += '\n';
    AppendName(family.name, "_count", point.labels);
    absl::StrAppend(&out_, histogram.count, "\n");
  }

  void AppendExemplar(const MetricPoint& point, double above, double bound) {
    const MetricExemplar* latest = nullptr;
    for (const MetricExemplar& exemplar : point.exemplars) {
      if (!(exemplar.value > above && exemplar.value <= bound)) continue;
      if (latest == nullptr || exemplar.time_unix_ns > latest->time_unix_ns) latest = &exemplar;
    }
    if (latest == nullptr) return;
    absl::StrAppendFormat(&out_, " # {trace_id=\"%032x\",span_id=\"%016x\"} ", latest->trace,
                          latest->span);
    AppendNumber(out_, latest->value);
    if (latest->time_unix_ns != 0) {
      absl::StrAppendFormat(&out_, " %d.%03d", latest->time_unix_ns / 1'000'000'000,
                            latest->time_unix_ns / 1'000'000 % 1000);
    }
  }

  std::string& out_;
  const bool open_;
};

}  // namespace

MetricsText ChooseMetricsText(std::string_view accept) {
  double open = 0;
  double plain = 0;
  const absl::string_view ranges(accept.data(), accept.size());
  for (const absl::string_view range : absl::StrSplit(ranges, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(range, ';');
    const std::string type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts[0]));
    double quality = 1;
    bool known_version = true;
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::pair<absl::string_view, absl::string_view> parameter =
          absl::StrSplit(absl::StripAsciiWhitespace(parts[i]), absl::MaxSplits('=', 1));
      if (parameter.first == "q" && !absl::SimpleAtod(parameter.second, &quality)) quality = 0;
      if (parameter.first == "version" && type == "application/openmetrics-text") {
        known_version = parameter.second == "1.0.0" || parameter.second == "0.0.1";
      }
    }
    if (type == "application/openmetrics-text" && known_version) open = std::max(open, quality);
    if (type == "text/plain") plain = std::max(plain, quality);
  }
  return open > 0 && open >= plain ? MetricsText::kOpenMetrics : MetricsText::kPrometheus;
}

std::string_view ContentTypeOf(MetricsText text) {
  return text == MetricsText::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

void AppendMetricsText(std::string& out, const MetricsSnapshot& snapshot, MetricsText text) {
  TextWriter writer(out, text);
  for (const MetricFamily& family : snapshot.families) writer.Append(family);
  if (text == MetricsText::kOpenMetrics) out += "# EOF\n";
}

}  // namespace bitactor
