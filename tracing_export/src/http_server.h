// A small HTTP/1.1 server for what a program shows of itself: GET and HEAD, nothing else.
#ifndef BITACTOR_TRACING_EXPORT_SRC_HTTP_SERVER_H_
#define BITACTOR_TRACING_EXPORT_SRC_HTTP_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/tick_clock.h"

namespace bitactor::internal {

// Views into the connection's buffer, for the call.
struct ServedRequest {
  bool head = false;  // the reply's body is not sent
  std::string_view path;
  std::string_view accept;
};

struct HttpReply {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";  // of static life
  std::shared_ptr<const std::string> body;
  // Further header lines of static life, each with its CRLF.
  std::string_view more_headers = {};
};

struct HttpOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any
  size_t max_connections = 64;
  size_t max_head_bytes = 8192;
  uint64_t request_timeout_ns = 5'000'000'000;  // for all of a request, from its first byte
  uint64_t answer_timeout_ns = 2'000'000'000;   // until the handler has its last chance
  uint64_t write_timeout_ns = 10'000'000'000;   // for all of a reply
  uint64_t idle_timeout_ns = 30'000'000'000;    // between requests
  const TickClock* clock = nullptr;             // never null
  // Called on the server's thread. Statuses as sent, 0: a connection that ran out of time in the middle
  // of a request or reply.
  std::function<void(int status)> on_status = {};
  std::function<void(size_t connections)> on_connections = {};
};

// Reads heads, asks its handler, writes replies; all on one thread, of which nothing waits for a
// client.
//
// Order: the requests of a connection are answered one after the other.
// Threads: Wake(), any.
// Bounds: max_connections; when all are in use, the one that has been idle longest is closed for a new
//   one, and if none is idle, new ones wait in the kernel's queue of 64. Of a request max_head_bytes;
//   one with a body is refused. Every state has its deadline, which no single byte puts off.
// Errors: Listen() names address and port. What is no HTTP/1.x gets 400, another method 405, a body
//   413, a long target 414, a long head 431, a request that does not end 408; then the connection ends.
//   While bound to a loopback address, a Host that is no local one gets 421: a page of another site,
//   whose name was made to point here, reads nothing.
class HttpServer {
 public:
  // nullopt: not yet; asked again after Wake(), and with `last` when the time is over, when it has to
  // answer. Must not block.
  using Handler = std::function<std::optional<HttpReply>(const ServedRequest&, bool last)>;

  // Has its port; clients wait until Run().
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(HttpOptions options, Handler handler);
  // Closes all connections.
  ~HttpServer();

  // Starts the thread. Called once.
  void Run();
  uint16_t port() const { return port_; }
  void Wake();

 private:
  struct Connection;

  HttpServer(HttpOptions options, Handler handler);
  absl::Status Bind();
  void Serve(const std::stop_token& stop);
  void Accept();
  bool MakeRoom();
  // Each false: the connection is at its end.
  bool Step(Connection& connection, short events, bool woken);
  bool Read(Connection& connection);
  bool HandleHeads(Connection& connection);
  bool Ask(Connection& connection, bool last);
  bool Refuse(Connection& connection, int status);
  bool Answer(Connection& connection, const HttpReply& reply);
  bool Write(Connection& connection);
  bool Expire(Connection& connection);
  uint64_t Now() const { return options_.clock->NowNanos(); }

  const HttpOptions options_;
  const Handler handler_;
  bool loopback_ = true;
  uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;  // an eventfd
  uint64_t accept_again_ns_ = 0;
  std::list<Connection> connections_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace bitactor::internal

#endif  // BITACTOR_TRACING_EXPORT_SRC_HTTP_SERVER_H_
