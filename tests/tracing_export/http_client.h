// A client that sends any bytes, for tests of HTTP servers.
#ifndef BITACTOR_TESTS_TRACING_EXPORT_HTTP_CLIENT_H_
#define BITACTOR_TESTS_TRACING_EXPORT_HTTP_CLIENT_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace bitactor::test {

struct ClientReply {
  int status = 0;  // 0: the connection ended without one
  std::string head;
  std::string body;
};

inline sockaddr_in LoopbackAt(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Nobody listens there now.
inline uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = LoopbackAt(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

class HttpClient {
 public:
  // `may_fail`: perhaps nobody listens yet; then nothing is ever received.
  explicit HttpClient(uint16_t port, bool may_fail = false)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = LoopbackAt(port);
    const int connected =
        connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    EXPECT_TRUE(connected == 0 || may_fail);
  }
  ~HttpClient() {
    if (fd_ >= 0) close(fd_);
  }
  HttpClient(HttpClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), read_(std::move(other.read_)) {}

  // False: the server takes no more.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void EndSending() { shutdown(fd_, SHUT_WR); }
  // Whether there is something to read, or an end, before `wait_ms` are over.
  bool Readable(int wait_ms) {
    pollfd polled{fd_, POLLIN, 0};
    return !read_.empty() || poll(&polled, 1, wait_ms) == 1;
  }

  ClientReply Receive() {
    ClientReply reply;
    size_t end;
    while ((end = read_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadSome()) return reply;
    }
    reply.head = read_.substr(0, end + 2);
    reply.status = std::atoi(reply.head.substr(9, 3).c_str());
    const size_t at = reply.head.find("Content-Length: ");
    EXPECT_NE(at, std::string::npos) << reply.head;
    if (at == std::string::npos) return reply;
    const size_t bytes = std::strtoull(reply.head.c_str() + at + 16, nullptr, 10);
    while (read_.size() < end + 4 + bytes && ReadSome()) {
    }
    reply.body = read_.substr(end + 4, bytes);
    read_.erase(0, end + 4 + bytes);
    return reply;
  }
  // Of a reply without a body.
  std::string ReceiveHead() {
    size_t end;
    while ((end = read_.find("\r\n\r\n")) == std::string::npos && ReadSome()) {
    }
    const std::string head = read_.substr(0, end);
    read_.erase(0, end + 4);
    return head;
  }
  // Whether the server has ended the connection, after everything that was read.
  bool Ended() { return read_.empty() && !ReadSome(); }

  ClientReply Get(std::string_view path, std::string_view more = "") {
    Send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "\r\n");
    return Receive();
  }

 private:
  bool ReadSome() {
    char bytes[4096];
    const ssize_t got = recv(fd_, bytes, sizeof(bytes), 0);
    if (got <= 0) return false;
    read_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  int fd_;
  std::string read_;
};

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TRACING_EXPORT_HTTP_CLIENT_H_
