// The exporter and its thread against real HTTP servers on the loopback, well-behaved and others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/tracing_export/otlp_pump.h"

namespace bitactor {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kLong = 20'000 * kMs;  // only a broken test waits for it

// A proxy of the environment does not lead to our own machine.
class LoopbackTest : public ::testing::Test {
 protected:
  LoopbackTest() { setenv("no_proxy", "127.0.0.1", 1); }
};

// A whole HTTP server.
class Collector {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  explicit Collector(Handler handler) {
    server_.Post("/v1/(traces|metrics)", std::move(handler));
    server_.set_tcp_nodelay(true);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Collector() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

// Takes connections, reads what comes until the body's first bytes, writes `answer` and closes; with
// `hold` it keeps them open until the end.
class RawServer {
 public:
  RawServer(std::string answer, bool hold) : answer_(std::move(answer)), hold_(hold) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    BITACTOR_CHECK_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    BITACTOR_CHECK_EQ(listen(listener_, 16), 0);
    BITACTOR_CHECK_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~RawServer() {
    shutdown(listener_, SHUT_RDWR);  // wakes accept()
    thread_.join();
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void AwaitRequest() { got_request_.Wait(); }

 private:
  void Serve() {
    std::vector<int> held;
    for (;;) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) break;
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n{") == std::string::npos) {
        const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
        if (count <= 0) break;
        request.append(buffer, static_cast<size_t>(count));
      }
      if (std::exchange(first_, false)) got_request_.Notify();
      for (size_t at = 0; at < answer_.size();) {
        const ssize_t count =
            send(connection, answer_.data() + at, answer_.size() - at, MSG_NOSIGNAL);
        if (count <= 0) break;  // the exporter has seen enough
        at += static_cast<size_t>(count);
      }
      if (hold_) {
        held.push_back(connection);
      } else {
        close(connection);
      }
    }
    for (const int connection : held) close(connection);
  }

  const std::string answer_;
  const bool hold_;
  int listener_ = -1;
  int port_ = 0;
  bool first_ = true;
  Notification got_request_;
  std::thread thread_;
};

std::vector<SpanRecord> Numbered(size_t count) {
  std::vector<SpanRecord> spans(count);
  for (size_t i = 0; i < count; ++i) spans[i].span = i + 1;
  return spans;
}

absl::StatusOr<HttpAnswer> PostTo(const std::string& url, uint64_t timeout_ns = kLong) {
  return MakeCurlTransport()->Post({.url = url, .body = "{}", .timeout_ns = timeout_ns});
}

// ---- transport ---------------------------------------------------------------------------------

class CurlTransportTest : public LoopbackTest {};

TEST_F(CurlTransportTest, SendsHeadersAndBodyAndReadsTheAnswer) {
  httplib::Headers seen;
  std::string body;
  Collector collector([&](const httplib::Request& request, httplib::Response& response) {
    seen = request.headers;
    body = request.body;
    response.status = 503;
    response.set_header("Retry-After", "17");
    response.set_content("later", "text/plain");
  });
  const auto answer = MakeCurlTransport()->Post({.url = collector.url() + "/v1/traces",
                                                 .headers = {{"X-Key", "secret"}},
                                                 .body = "{\"a\":1}",
                                                 .timeout_ns = kLong});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->retry_after, "17");
  EXPECT_EQ(answer->body, "later");
  EXPECT_EQ(seen.find("X-Key")->second, "secret");
  EXPECT_EQ(body, "{\"a\":1}");
}

TEST_F(CurlTransportTest, NobodyThereBrokenOffAndMalformedAnswersAreFailures) {
  const auto code = [](std::string answer) {
    RawServer server(std::move(answer), /*hold=*/false);
    return PostTo(server.url()).status().code();
  };
  EXPECT_EQ(code(""), absl::StatusCode::kUnavailable) << "closed without an answer";
  EXPECT_EQ(code("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"par"),
            absl::StatusCode::kUnavailable)
      << "half an answer";
  EXPECT_EQ(code("no HTTP at all\r\n\r\n"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostTo("http://127.0.0.1:1").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostTo("http://").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PostTo("file:///etc/passwd").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CurlTransportTest, WhoNeverAnswersIsLeftWhenTheTimeIsOver) {
  for (const char* beginning : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\nhal"}) {
    RawServer server(beginning, /*hold=*/true);
    EXPECT_EQ(PostTo(server.url(), 20 * kMs).status().code(), absl::StatusCode::kDeadlineExceeded);
  }
}

TEST_F(CurlTransportTest, HugeAnswersAreCut) {
  RawServer body("HTTP/1.1 200 OK\r\n\r\n" + std::string(size_t{4} << 20, 'x'), /*hold=*/true);
  const auto answer = PostTo(body.url());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body.size(), kMaxAnswerBytes);
  EXPECT_TRUE(answer->cut);
  std::string headers = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i)
    headers += "X-" + std::to_string(i) + ": " + std::string(50, 'y') + "\r\n";
  RawServer many(headers, /*hold=*/true);
  EXPECT_THAT(std::string(PostTo(many.url()).status().message()), HasSubstr("more than 65536"));
  RawServer endless("HTTP/1.1 200 OK\r\nX: " + std::string(size_t{4} << 20, 'z'), /*hold=*/true);
  EXPECT_EQ(PostTo(endless.url()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CurlTransportTest, ARedirectIsAnAnswerAndNotFollowed) {
  std::string second;
  Collector collector([&](const httplib::Request& request, httplib::Response& response) {
    if (request.path == "/v1/metrics") second = request.path;
    response.set_redirect("/v1/metrics", 307);
  });
  const auto answer = PostTo(collector.url() + "/v1/traces");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(second, "");
}

TEST_F(CurlTransportTest, CancelEndsARequestThatIsUnderWay) {
  RawServer server("", /*hold=*/true);
  const std::unique_ptr<HttpTransport> transport = MakeCurlTransport();
  std::thread canceller([&] {
    server.AwaitRequest();
    transport->Cancel();
  });
  const HttpRequest request = {.url = server.url(), .body = "{}", .timeout_ns = kLong};
  EXPECT_EQ(transport->Post(request).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(transport->Post(request).status().code(), absl::StatusCode::kCancelled) << "later ones";
  canceller.join();
}

// ---- pump --------------------------------------------------------------------------------------

class OtlpPumpTest : public LoopbackTest {
 protected:
  // What is waiting to be read by the pump.
  void Record(size_t count) {
    MutexLock lock(&mutex_);
    const std::vector<SpanRecord> more = Numbered(count);
    recorded_.insert(recorded_.end(), more.begin(), more.end());
  }
  std::unique_ptr<OtlpPump> Start(const std::string& url, bool metrics = false) {
    OtlpExporterOptions options;
    options.endpoint = url;
    options.gzip = gzip_;
    options.retry.first_wait_ns = options.retry.longest_wait_ns = kMs;
    OtlpSources sources;
    sources.spans = [this](std::vector<SpanRecord>& spans) -> uint64_t {
      MutexLock lock(&mutex_);
      spans.insert(spans.end(), recorded_.begin(), recorded_.end());
      recorded_.clear();
      return std::exchange(overwritten_, 0);
    };
    if (metrics) {
      sources.metrics = [] {
        MetricsSnapshot snapshot;
        snapshot.families = {{.name = "depth"}};
        return snapshot;
      };
    }
    auto pump = OtlpPump::Start(options, {}, std::move(sources));
    EXPECT_TRUE(pump.ok()) << pump.status();
    return *std::move(pump);
  }

  Mutex mutex_;
  std::vector<SpanRecord> recorded_ ABSL_GUARDED_BY(mutex_);
  uint64_t overwritten_ ABSL_GUARDED_BY(mutex_) = 3;
  bool gzip_ = false;
};

TEST_F(OtlpPumpTest, FlushSendsAllThatWasRecordedBefore) {
  gzip_ = true;
  Mutex mutex;
  std::vector<std::pair<std::string, std::string>> got;
  Collector collector([&](const httplib::Request& request, httplib::Response& response) {
    EXPECT_EQ(request.get_header_value("Content-Type"), "application/json");
    EXPECT_EQ(request.get_header_value("Content-Encoding"), "gzip");
    MutexLock lock(&mutex);
    got.emplace_back(request.path, request.body);  // httplib has inflated it
    response.set_content("{}", "application/json");
  });
  const std::unique_ptr<OtlpPump> pump = Start(collector.url(), /*metrics=*/true);
  Record(2);
  ASSERT_TRUE(pump->Flush(kLong));
  OtlpCounters counters = pump->counters();
  EXPECT_EQ(counters.spans.sent, 2u);
  EXPECT_EQ(counters.spans.overwritten, 3u);
  EXPECT_GE(counters.snapshots_sent, 1u);
  EXPECT_EQ(counters.last_trouble, "");
  Record(1);
  ASSERT_TRUE(pump->Stop(kLong));
  EXPECT_EQ(pump->counters().spans.sent, 3u);
  EXPECT_FALSE(pump->Flush(kLong)) << "it has ended";

  OtlpSpanEncoder encoder({}, {});
  std::string expected;
  encoder.Encode(Numbered(2), expected);
  MutexLock lock(&mutex);
  EXPECT_THAT(got, ::testing::Contains(::testing::Pair("/v1/traces", expected)));
  EXPECT_THAT(got, ::testing::Contains(::testing::Pair("/v1/metrics", HasSubstr("depth"))));
}

TEST_F(OtlpPumpTest, ACollectorThatComesBackGetsEverything) {
  std::atomic<int> requests{0};
  Collector collector([&](const httplib::Request&, httplib::Response& response) {
    constexpr int kStatus[] = {503, 429, 502, 504, 200};
    response.status = kStatus[std::min(requests.fetch_add(1), 4)];
  });
  const std::unique_ptr<OtlpPump> pump = Start(collector.url());
  Record(5);
  ASSERT_TRUE(pump->Flush(kLong));
  EXPECT_EQ(pump->counters().spans.sent, 5u);
  EXPECT_EQ(pump->counters().retries, 4u);
}

TEST_F(OtlpPumpTest, TheEndDoesNotWaitForACollectorThatNeverAnswers) {
  RawServer server("", /*hold=*/true);
  const std::unique_ptr<OtlpPump> pump = Start(server.url());
  Record(7);
  EXPECT_FALSE(pump->Flush(20 * kMs));
  server.AwaitRequest();
  EXPECT_FALSE(pump->Stop(0));
  EXPECT_EQ(pump->counters().spans.unsent, 7u);
  EXPECT_EQ(pump->counters().spans.queued, 0u);
}

TEST_F(OtlpPumpTest, NobodyThereLosesNothingUncounted) {
  const std::unique_ptr<OtlpPump> pump = Start("http://127.0.0.1:1");
  Record(7);
  EXPECT_FALSE(pump->Stop(20 * kMs));
  const OtlpCounters counters = pump->counters();
  EXPECT_EQ(counters.spans.unsent, 7u);
  EXPECT_GE(counters.retries, 1u);
  EXPECT_THAT(counters.last_trouble, HasSubstr("127.0.0.1:1/v1/traces"));
}

TEST_F(OtlpPumpTest, WrongOptionsAreRefused) {
  OtlpExporterOptions options;
  options.endpoint = "collector";
  EXPECT_EQ(OtlpPump::Start(options, {}, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitactor
