// Metrics as the text that Prometheus scrapes.
#ifndef BITACTOR_TRACING_EXPORT_PROMETHEUS_TEXT_H_
#define BITACTOR_TRACING_EXPORT_PROMETHEUS_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "bitactor/tracing/metrics_snapshot.h"

namespace bitactor {

enum class MetricsText : uint8_t {
  kPrometheus,   // text format 0.0.4, understood by all; without exemplars and units
  kOpenMetrics,  // OpenMetrics 1.0.0
};

// What the value of an HTTP Accept header asks for: OpenMetrics 1.0.0 or 0.0.1 if it is wanted no less
// than text/plain, else text 0.0.4, also where the header is empty or cannot be understood.
MetricsText ChooseMetricsText(std::string_view accept);
// The value of Content-Type.
std::string_view ContentTypeOf(MetricsText text);

// Appends to `out`. Any bytes in help and labels give valid text. A bucket of a histogram shows the
// latest exemplar that belongs to it.
//
// Threads: any.
// Cost: about 0.5 us a series.
void AppendMetricsText(std::string& out, const MetricsSnapshot& snapshot, MetricsText text);

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_PROMETHEUS_TEXT_H_
