// One HTTP request and its answer: what an exporter needs of the network.
#ifndef BITACTOR_TRACING_EXPORT_HTTP_TRANSPORT_H_
#define BITACTOR_TRACING_EXPORT_HTTP_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace bitactor {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string url;
  HttpHeaders headers = {};
  std::string_view body = {};
  uint64_t timeout_ns = 0;  // from the name's look-up to the last byte of the answer
};

struct HttpAnswer {
  int status = 0;
  std::string retry_after = {};  // these two headers, empty without
  std::string date = {};
  std::string body = {};
  bool cut = false;  // the body was longer than kMaxAnswerBytes: this is its beginning
};
inline constexpr size_t kMaxAnswerBytes = size_t{64} << 10;

// Threads: Post() one at a time; Cancel() any.
// Errors: without a whole answer kUnavailable (not reached, broken off), kDeadlineExceeded,
//   kCancelled; kInvalidArgument for a URL that is none. Every status of an answer is an answer.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual absl::StatusOr<HttpAnswer> Post(const HttpRequest& request) = 0;
  // Ends a Post() that is under way, and all later ones, at once.
  virtual void Cancel() = 0;
};

// Over libcurl: keeps its connection, speaks HTTPS with the system's certificates, goes through the
// proxy that the environment names (http_proxy, no_proxy), never follows a redirect. An answer's
// headers have at most 64 KiB.
std::unique_ptr<HttpTransport> MakeCurlTransport();

}  // namespace bitactor

#endif  // BITACTOR_TRACING_EXPORT_HTTP_TRANSPORT_H_
