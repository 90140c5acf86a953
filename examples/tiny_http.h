// Just enough of HTTP for the examples: a POST with an idempotency key, and a server that counts them.
#ifndef BITACTOR_EXAMPLES_TINY_HTTP_H_
#define BITACTOR_EXAMPLES_TINY_HTTP_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace tiny_http {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  bool Write(const std::string& text) const {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  // Until the empty line, and then as much as Content-Length says. Empty: it ended before.
  std::string ReadMessage() const {
    std::string text;
    char bytes[512];
    while (true) {
      const size_t head = text.find("\r\n\r\n");
      if (head != std::string::npos) {
        const size_t at = text.find("Content-Length: ");
        const size_t length = at < head ? std::strtoul(text.c_str() + at + 16, nullptr, 10) : 0;
        if (text.size() >= head + 4 + length) return text;
      }
      const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
      if (n <= 0) return "";
      text.append(bytes, static_cast<size_t>(n));
    }
  }

 private:
  const int fd_;
};

inline sockaddr_in Local(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// True when the server has answered that it took it.
inline bool Post(uint16_t port, const std::string& key, const std::string& body) {
  const Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Local(port);
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return false;
  }
  return socket.Write("POST /mail HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: " + key +
                      "\r\nContent-Length: " + std::to_string(body.size()) +
                      "\r\nConnection: close\r\n\r\n" + body) &&
         socket.ReadMessage().rfind("HTTP/1.1 200", 0) == 0;
}

// Takes each key once, and counts how often it came.
class Server {
 public:
  Server() {
    sockaddr_in address = Local(0);
    socklen_t size = sizeof(address);
    if (bind(listener_.fd(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        listen(listener_.fd(), 64) != 0 ||
        getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Server() {
    shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
  }

  uint16_t port() const { return port_; }
  // The body of each key, and how often it came.
  struct Taken {
    std::string body;
    int times = 0;
  };
  std::map<std::string, Taken> taken() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return taken_;
  }

 private:
  void Run() {
    while (true) {
      const Socket client(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.fd() < 0) return;
      const std::string request = client.ReadMessage();
      const size_t key = request.find("Idempotency-Key: ");
      if (key == std::string::npos) continue;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        Taken& taken = taken_[request.substr(key + 17, request.find('\r', key) - key - 17)];
        ++taken.times;
        taken.body = request.substr(request.find("\r\n\r\n") + 4);
      }
      client.Write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
  }

  const Socket listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, Taken> taken_;
  std::thread thread_;
};

}  // namespace tiny_http

#endif  // BITACTOR_EXAMPLES_TINY_HTTP_H_
