#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "http_head.h"

namespace bitactor::internal {
namespace {

constexpr int kBacklog = 64;
constexpr size_t kMaxRequestsOfConnection = 1000;
// After a refusal: what is read on and thrown away, so that the client reads why before it learns that
// the connection has ended.
constexpr size_t kMaxDrainedBytes = size_t{1} << 20;
constexpr uint64_t kDrainNs = 1'000'000'000;
constexpr uint64_t kAcceptPauseNs = 100'000'000;

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Bad Request";
  }
}

std::string_view AdviceOf(int status) {
  switch (status) {
    case 405:
      return "only GET and HEAD are answered here";
    case 408:
      return "the request did not end in time; send it at once";
    case 413:
      return "a request must not have a body";
    case 414:
      return "the address is over 2048 bytes; known ones are short, see /";
    case 421:
      return "this server listens to its own machine alone; call it localhost or 127.0.0.1";
    case 431:
      return "the head of the request is too long, or has over 64 fields";
    case 505:
      return "this server speaks HTTP/1.1 and HTTP/1.0";
    default:
      return "this is no HTTP/1.1 request";
  }
}

}  // namespace

struct HttpServer::Connection {
  enum class Phase : uint8_t {
    kReading,   // a head
    kWaiting,   // for the handler
    kWriting,   // the reply
    kDraining,  // the reply is sent, the connection ends
  };

  Connection(int socket, uint64_t until_ns) : fd(socket), deadline_ns(until_ns) {}
  ~Connection() { close(fd); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool between_requests() const { return phase == Phase::kReading && in.empty(); }
  // Before its first request a connection may not have been looked at yet.
  bool idle() const { return between_requests() && requests > 0; }
  size_t out_size() const { return head.size() + (body != nullptr ? body->size() : 0); }

  const int fd;
  Phase phase = Phase::kReading;
  uint64_t deadline_ns;
  std::string in;         // read and not handled
  size_t head_bytes = 0;  // of the request in hand, which stands at the front of `in`
  HttpHead request;       // views into `in`
  size_t requests = 0;
  bool ends = false;  // after the reply
  std::string head;   // of the reply
  std::shared_ptr<const std::string> body;
  size_t sent = 0;
  size_t drained = 0;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(HttpOptions options,
                                                               Handler handler) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(options), std::move(handler)));
  if (absl::Status status = server->Bind(); !status.ok()) return status;
  return server;
}

void HttpServer::Run() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

HttpServer::HttpServer(HttpOptions options, Handler handler)
    : options_(std::move(options)), handler_(std::move(handler)) {}

HttpServer::~HttpServer() {
  if (thread_.joinable()) {
    thread_.request_stop();
    Wake();
    thread_.join();
  }
  connections_.clear();
  if (listener_ >= 0) close(listener_);
  if (wake_ >= 0) close(wake_);
}

absl::Status HttpServer::Bind() {
  const auto failed = [this](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat(
        "HTTP endpoint ", options_.address, ":", options_.port, ": ", what, ": ",
        std::strerror(errno),
        errno == EADDRINUSE ? "; take another port, or 0 for any that is free"
                            : "; give an address of this machine, such as 127.0.0.1 or ::1"));
  };
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(options_.port);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(options_.port);
  const bool is_v4 = inet_pton(AF_INET, options_.address.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, options_.address.c_str(), &v6.sin6_addr) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("HTTP endpoint: \"", options_.address,
                     "\" is no IP address; give one of this machine, such as 127.0.0.1 or ::1"));
  }
  loopback_ =
      is_v4 ? (ntohl(v4.sin_addr.s_addr) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  listener_ = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return failed("socket");
  const int yes = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr* const address =
      is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  socklen_t size = is_v4 ? sizeof(v4) : sizeof(v6);
  if (bind(listener_, address, size) != 0) return failed("bind");
  if (listen(listener_, kBacklog) != 0) return failed("listen");
  if (getsockname(listener_, address, &size) != 0) return failed("getsockname");
  port_ = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return wake_ >= 0 ? absl::OkStatus() : failed("eventfd");
}

void HttpServer::Wake() {
  const uint64_t one = 1;
  // It fails when the counter is full: then it is awake already.
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

void HttpServer::Serve(const std::stop_token& stop) {
  std::vector<pollfd> polled;
  while (!stop.stop_requested()) {
    polled.clear();
    polled.push_back({wake_, POLLIN, 0});
    polled.push_back({listener_, POLLIN, 0});
    uint64_t earliest_ns = Now() + 1'000'000'000;
    bool any_idle = false;
    for (const Connection& connection : connections_) {
      short events = connection.phase == Connection::Phase::kWriting ? POLLOUT : POLLIN;
      // Only its end is of interest, which is always told.
      if (connection.phase == Connection::Phase::kWaiting) events = 0;
      polled.push_back({connection.fd, events, 0});
      earliest_ns = std::min(earliest_ns, connection.deadline_ns);
      any_idle |= connection.idle();
    }
    const uint64_t now_ns = Now();
    if (connections_.size() >= options_.max_connections && !any_idle) polled[1].fd = -1;
    if (now_ns < accept_again_ns_) {
      polled[1].fd = -1;
      earliest_ns = std::min(earliest_ns, accept_again_ns_);
    }
    const int wait_ms =
        earliest_ns <= now_ns ? 0 : static_cast<int>((earliest_ns - now_ns) / 1'000'000 + 1);
    poll(polled.data(), polled.size(), wait_ms);
    const bool woken = polled[0].revents != 0;
    if (woken) {
      uint64_t count;
      [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof(count));
    }
    size_t i = 2;
    for (auto connection = connections_.begin(); connection != connections_.end(); ++i) {
      const bool goes_on = Step(*connection, polled[i].revents, woken);
      connection = goes_on ? std::next(connection) : connections_.erase(connection);
    }
    if (polled[1].revents != 0) Accept();
    if (options_.on_connections) options_.on_connections(connections_.size());
  }
}

void HttpServer::Accept() {
  while (MakeRoom()) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // No descriptors or memory: not at once again.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        accept_again_ns_ = Now() + kAcceptPauseNs;
      }
      return;
    }
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    connections_.emplace_back(fd, Now() + options_.request_timeout_ns);
  }
}

bool HttpServer::MakeRoom() {
  if (connections_.size() < options_.max_connections) return true;
  auto longest = connections_.end();
  for (auto it = connections_.begin(); it != connections_.end(); ++it) {
    if (it->idle() && (longest == connections_.end() || it->deadline_ns < longest->deadline_ns)) {
      longest = it;
    }
  }
  if (longest == connections_.end()) return false;
  // Somebody may not be there to take its place.
  pollfd waiting{listener_, POLLIN, 0};
  if (poll(&waiting, 1, 0) != 1) return false;
  connections_.erase(longest);
  return true;
}

bool HttpServer::Step(Connection& connection, short events, bool woken) {
  using Phase = Connection::Phase;
  bool goes_on = true;
  if (connection.phase == Phase::kWaiting) {
    if ((events & (POLLHUP | POLLERR)) != 0) return false;
    const bool last = Now() >= connection.deadline_ns;
    if (last || woken) goes_on = Ask(connection, last);
  } else if (connection.phase == Phase::kWriting) {
    if (events != 0) goes_on = Write(connection);
  } else if (events != 0) {
    goes_on = Read(connection);
  }
  if (!goes_on || !HandleHeads(connection)) return false;
  return connection.phase == Phase::kWaiting || Now() < connection.deadline_ns ||
         Expire(connection);
}

bool HttpServer::Read(Connection& connection) {
  char bytes[4096];
  // A bounded part at a time: others want their turn.
  const ssize_t got = recv(connection.fd, bytes, sizeof(bytes), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  if (connection.phase == Connection::Phase::kDraining) {
    connection.drained += static_cast<size_t>(got);
    return connection.drained <= kMaxDrainedBytes;
  }
  // The first request's time runs from the connection's beginning.
  if (connection.idle()) {
    connection.deadline_ns = Now() + options_.request_timeout_ns;
  }
  connection.in.append(bytes, static_cast<size_t>(got));
  return true;
}

bool HttpServer::HandleHeads(Connection& connection) {
  // One after the other: the next one is looked at when the reply to the one before is written.
  while (connection.phase == Connection::Phase::kReading) {
    const std::string_view in = connection.in;
    const size_t end = in.find("\r\n\r\n");
    const size_t head_bytes = end == std::string_view::npos ? in.size() : end + 4;
    if (head_bytes > options_.max_head_bytes) return Refuse(connection, 431);
    if (end == std::string_view::npos) return true;
    connection.head_bytes = head_bytes;
    connection.request = ParseHttpHead(in.substr(0, head_bytes));
    if (connection.request.status != 0) return Refuse(connection, connection.request.status);
    if (loopback_ && !connection.request.host.empty() && !IsLocalHost(connection.request.host)) {
      return Refuse(connection, 421);
    }
    connection.ends =
        ++connection.requests >= kMaxRequestsOfConnection || !connection.request.keep_alive;
    connection.phase = Connection::Phase::kWaiting;
    connection.deadline_ns = Now() + options_.answer_timeout_ns;
    if (!Ask(connection, /*last=*/false)) return false;
  }
  return true;
}

bool HttpServer::Ask(Connection& connection, bool last) {
  const ServedRequest request{connection.request.head, connection.request.path,
                              connection.request.accept};
  const std::optional<HttpReply> reply = handler_(request, last);
  return !reply.has_value() || Answer(connection, *reply);
}

bool HttpServer::Refuse(Connection& connection, int status) {
  connection.ends = true;
  return Answer(
      connection,
      {.status = status,
       .body = std::make_shared<const std::string>(absl::StrCat(
           status, " ", std::string(ReasonOf(status)), ": ", std::string(AdviceOf(status)), "\n")),
       .more_headers = status == 405 ? "Allow: GET, HEAD\r\n" : ""});
}

bool HttpServer::Answer(Connection& connection, const HttpReply& reply) {
  if (options_.on_status) options_.on_status(reply.status);
  connection.head = absl::StrFormat(
      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n%s%s\r\n",
      reply.status, ReasonOf(reply.status), reply.content_type, reply.body->size(),
      connection.ends ? "Connection: close\r\n" : "", reply.more_headers);
  connection.body = connection.request.head ? nullptr : reply.body;
  connection.sent = 0;
  connection.phase = Connection::Phase::kWriting;
  connection.deadline_ns = Now() + options_.write_timeout_ns;
  return Write(connection);
}

bool HttpServer::Write(Connection& connection) {
  while (connection.sent < connection.out_size()) {
    const bool in_head = connection.sent < connection.head.size();
    const std::string_view rest =
        in_head
            ? std::string_view(connection.head).substr(connection.sent)
            : std::string_view(*connection.body).substr(connection.sent - connection.head.size());
    const bool more = in_head && connection.body != nullptr && !connection.body->empty();
    const ssize_t sent =
        send(connection.fd, rest.data(), rest.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.sent += static_cast<size_t>(sent);
  }
  connection.body = nullptr;
  if (connection.ends) {
    shutdown(connection.fd, SHUT_WR);
    connection.phase = Connection::Phase::kDraining;
    connection.deadline_ns = Now() + kDrainNs;
    return true;
  }
  connection.in.erase(0, connection.head_bytes);
  connection.head_bytes = 0;
  connection.request = {};
  connection.phase = Connection::Phase::kReading;
  connection.deadline_ns =
      Now() + (connection.in.empty() ? options_.idle_timeout_ns : options_.request_timeout_ns);
  return true;
}

bool HttpServer::Expire(Connection& connection) {
  using Phase = Connection::Phase;
  if (connection.phase == Phase::kDraining || connection.between_requests()) return false;
  if (connection.phase == Phase::kReading) return Refuse(connection, 408);
  if (options_.on_status) options_.on_status(0);
  return false;
}

}  // namespace bitactor::internal
