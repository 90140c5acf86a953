// gzip, for the bodies of requests.
#ifndef BITACTOR_TRACING_EXPORT_SRC_GZIP_H_
#define BITACTOR_TRACING_EXPORT_SRC_GZIP_H_

#include <string>
#include <string_view>

namespace bitactor::internal {

// RFC 1952, at the fastest level: a collector reads it once.
std::string Gzip(std::string_view text);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_GZIP_H_
