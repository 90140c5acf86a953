#include "absl/strings/str_cat.h"
#include "bitactor/tracing_export/otlp_json.h"
#include "json_numbers.h"
#include "otlp_parts.h"

namespace bitactor {
namespace {

using internal::AppendDouble;
using internal::AppendQuoted;
using internal::AppendTextField;

class MetricsWriter {
 public:
  MetricsWriter(const OtlpOrigin& origin, const MetricsSnapshot& snapshot)
      : origin_(origin),
        snapshot_(snapshot),
        out_(internal::BodyBegin(origin, "Metrics", "metrics")) {}

  std::string Write() {
    for (size_t i = 0; i < snapshot_.families.size(); ++i) {
      if (i != 0) out_ += ',';
      AppendFamily(snapshot_.families[i]);
    }
    out_ += internal::kBodyEnd;
    return std::move(out_);
  }

 private:
  void AppendFamily(const MetricFamily& family) {
    out_ += '{';
    AppendTextField(out_, "name", family.name);
    if (!family.unit.empty()) {
      out_ += ',';
      AppendTextField(out_, "unit", family.unit);
    }
    if (!family.help.empty()) {
      out_ += ',';
      AppendTextField(out_, "description", family.help);
    }
    switch (family.kind) {  // 2: cumulative
      case MetricKind::kCounter:
        out_ += ",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":[";
        break;
      case MetricKind::kGauge:
        out_ += ",\"gauge\":{\"dataPoints\":[";
        break;
      case MetricKind::kHistogram:
        out_ += ",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[";
        break;
    }
    for (size_t i = 0; i < family.points.size(); ++i) {
      if (i != 0) out_ += ',';
      AppendPoint(family.points[i], family.kind != MetricKind::kGauge);
    }
    out_ += "]}}";
  }

  void AppendPoint(const MetricPoint& point, bool since_start) {
    out_ += '{';
    if (since_start) {
      out_ += "\"startTimeUnixNano\":";
      AppendQuoted(out_, snapshot_.start_unix_ns);
      out_ += ',';
    }
    out_ += "\"timeUnixNano\":";
    AppendQuoted(out_, snapshot_.time_unix_ns);
    if (const auto* integer = std::get_if<int64_t>(&point.value)) {
      out_ += ",\"asInt\":";
      AppendQuoted(out_, *integer);
    } else if (const auto* number = std::get_if<double>(&point.value)) {
      out_ += ",\"asDouble\":";
      AppendDouble(out_, *number);
    } else {
      AppendHistogram(std::get<HistogramValue>(point.value));
    }
    std::vector<OtlpAttribute> attributes;
    for (const auto& [name, value] : point.labels) attributes.push_back({name, value});
    internal::AppendAttributes(out_, attributes);
    AppendExemplars(point.exemplars);
    out_ += '}';
  }

  void AppendHistogram(const HistogramValue& value) {
    out_ += ",\"count\":";
    AppendQuoted(out_, value.count);
    out_ += ",\"sum\":";
    AppendDouble(out_, value.sum);
    out_ += ",\"bucketCounts\":[";
    for (size_t i = 0; i < value.counts.size(); ++i) {
      if (i != 0) out_ += ',';
      AppendQuoted(out_, value.counts[i]);
    }
    out_ += "],\"explicitBounds\":[";
    for (size_t i = 0; i < value.bounds.size(); ++i) {
      if (i != 0) out_ += ',';
      AppendDouble(out_, value.bounds[i]);
    }
    out_ += ']';
    if (value.count == 0) return;  // of no values there is no smallest one
    out_ += ",\"min\":";
    AppendDouble(out_, value.min);
    out_ += ",\"max\":";
    AppendDouble(out_, value.max);
  }

  void AppendExemplars(const std::vector<MetricExemplar>& exemplars) {
    if (exemplars.empty()) return;
    out_ += ",\"exemplars\":";
    char before = '[';
    for (const MetricExemplar& exemplar : exemplars) {
      out_ += before;
      before = ',';
      out_ += "{\"timeUnixNano\":";
      AppendQuoted(out_, exemplar.time_unix_ns);
      out_ += ",\"asDouble\":";
      AppendDouble(out_, exemplar.value);
      if (exemplar.trace != 0 && exemplar.span != 0) {
        out_ += ",\"traceId\":";
        internal::AppendTraceId(out_, internal::TraceIdOf(origin_, exemplar.trace));
        out_ += ",\"spanId\":";
        internal::AppendSpanId(out_, exemplar.span);
      }
      out_ += '}';
    }
    out_ += ']';
  }

  const OtlpOrigin& origin_;
  const MetricsSnapshot& snapshot_;
  std::string out_;
};

}  // namespace

std::string EncodeOtlpMetrics(const OtlpOrigin& origin, const MetricsSnapshot& snapshot) {
  return MetricsWriter(origin, snapshot).Write();
}

}  // namespace bitactor
