// The live page, as it stands in tracing_export/page/observe.html.
#ifndef BITACTOR_TRACING_EXPORT_SRC_OBSERVE_PAGE_H_
#define BITACTOR_TRACING_EXPORT_SRC_OBSERVE_PAGE_H_

#include <string_view>

namespace bitactor::internal {

extern const std::string_view kObservePage;

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_OBSERVE_PAGE_H_
