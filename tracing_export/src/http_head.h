// The head of an HTTP/1.x request.
#ifndef BITACTOR_TRACING_EXPORT_SRC_HTTP_HEAD_H_
#define BITACTOR_TRACING_EXPORT_SRC_HTTP_HEAD_H_

#include <string_view>

namespace bitactor::internal {

// Views into what was parsed.
struct HttpHead {
  int status = 0;  // 0: usable; else what to refuse it with
  bool head = false;
  bool keep_alive = false;
  std::string_view path;  // of the target, without its query
  std::string_view host;
  std::string_view accept;  // the first such header
};

// `text` ends with the empty line. Any bytes.
HttpHead ParseHttpHead(std::string_view text);

// Whether a Host header names this machine by a loopback address or as localhost.
bool IsLocalHost(std::string_view host);

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_HTTP_HEAD_H_
