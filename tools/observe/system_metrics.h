// A system's numbers as metrics: the families, and how a look fills them.
#ifndef BITACTOR_TOOLS_OBSERVE_SYSTEM_METRICS_H_
#define BITACTOR_TOOLS_OBSERVE_SYSTEM_METRICS_H_

#include <functional>

#include "absl/status/status.h"
#include "bitactor/tracing/metrics.h"
#include "observe/system_look.h"

namespace bitactor::observe {

// Adds all families (docs/tracing.md lists them). `look` gives what they show at each collection;
// nullptr: there is nothing to show. `name_of`: of an actor's id.
absl::Status AddSystemMetrics(MetricsRegistry& registry, std::function<const SystemLook*()> look,
                              std::function<std::string(uint32_t)> name_of);

}  // namespace bitactor::observe

#endif  // BITACTOR_TOOLS_OBSERVE_SYSTEM_METRICS_H_
