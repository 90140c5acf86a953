// The endpoint as clients meet it, good and bad ones.
#include "bitactor/tracing_export/observe_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "support/seed.h"
#include "tracing_export/http_client.h"
#include "tracing_export/metrics_text_parser.h"

namespace bitactor {
namespace {

using test::ClientReply;
using test::HttpClient;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kSecond = 1'000'000'000;

// Its providers are asked on the collector's thread.
class ObserveServerTest : public ::testing::Test {
 protected:
  void Serve(ObserveOptions options = {}) {
    options.registry = &registry_;
    options.clock = &clock_;
    options.now_unix_ns = [] { return 3 * kSecond; };
    options.views.push_back(
        {"tree", [this] { return absl::StrCat("{\"asked\":", ++asked_, "}"); }});
    options.views.push_back({"slow", [this] {
                               in_slow_ = true;
                               in_slow_.notify_all();
                               let_go_.wait(false);
                               return std::string("{}");
                             }});
    options.checks.push_back({"journal", [this] {
                                return full_ ? absl::ResourceExhaustedError("no\nspace")
                                             : absl::OkStatus();
                              }});
    auto server = ObserveServer::Start(std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void TearDown() override {
    let_go_ = true;
    let_go_.notify_all();
    server_.reset();
  }
  HttpClient Client() { return HttpClient(server_->port()); }
  // The clock goes on until the server has something to say.
  void PassTimeUntilReadable(HttpClient& client) {
    while (!client.Readable(1)) {
      clock_.Advance(kSecond);
      server_->Wake();
    }
  }

  TickClock clock_{TickClock::Source::kManual, kSecond};
  MetricsRegistry registry_{1};
  std::atomic<uint64_t> asked_{0};
  std::atomic<bool> full_{false};
  std::atomic<bool> in_slow_{false};
  std::atomic<bool> let_go_{false};
  std::unique_ptr<ObserveServer> server_;
};

TEST_F(ObserveServerTest, MetricsComeAsAcceptAsksAndTellOfTheEndpointItself) {
  auto orders = registry_.AddCounters({.name = "orders", .help = "Orders."});
  ASSERT_TRUE(orders.ok());
  orders->Of({}).Add(3);
  Serve();
  HttpClient client = Client();
  const ClientReply plain = client.Get("/metrics");
  EXPECT_EQ(plain.status, 200);
  EXPECT_THAT(plain.head, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(plain.body, HasSubstr("orders_total 3\n"));
  const ClientReply open = client.Get("/metrics", "Accept: application/openmetrics-text\r\n");
  EXPECT_THAT(open.head, HasSubstr("Content-Type: application/openmetrics-text; version=1.0.0"));
  const test::MetricsTextParser parsed(open.body);
  EXPECT_TRUE(parsed.ended());
  EXPECT_EQ(parsed.families().at("bitactor_http_replies").samples.at(0).labels.at("status"), "200");
  EXPECT_EQ(parsed.families().at("bitactor_http_connections").samples.size(), 1u);
}

TEST_F(ObserveServerTest, AnAnswerIsGivenAgainUntilItIsOld) {
  Serve();
  HttpClient client = Client();
  EXPECT_EQ(client.Get("/api/tree").body, "{\"asked\":1}");
  clock_.Advance(kSecond / 4);
  EXPECT_EQ(client.Get("/api/tree?x=1").body, "{\"asked\":1}");
  clock_.Advance(1'000'000);
  const ClientReply reply = client.Get("/api/tree");
  EXPECT_EQ(reply.body, "{\"asked\":2}");
  EXPECT_THAT(reply.head, HasSubstr("Content-Type: application/json\r\n"));
}

TEST_F(ObserveServerTest, ThePageIsWholeAndMayLoadNothingFromElsewhere) {
  Serve();
  HttpClient client = Client();
  const ClientReply page = client.Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.head, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page.body, StartsWith("<!doctype html>"));
  EXPECT_THAT(page.body, HasSubstr("</html>"));
  for (const char* outside : {"http://", "https://", "src=\"/", "@import"}) {
    EXPECT_EQ(page.body.find(outside), std::string::npos) << outside;
  }
  client.Send(
      "HEAD / HTTP/1.1\r\nHost: [::1]:80\r\n\r\nGET /health/live HTTP/1.1\r\nHost: "
      "127.0.0.1\r\n\r\n");
  while (!client.Readable(10)) {
  }
  // The head of the page alone, then the next reply.
  std::string head = client.ReceiveHead();
  EXPECT_THAT(head, HasSubstr(absl::StrCat("Content-Length: ", page.body.size())));
  EXPECT_EQ(client.Receive().body, "live\n");
}

TEST_F(ObserveServerTest, ReadinessNamesWhatFails) {
  Serve();
  HttpClient client = Client();
  EXPECT_EQ(client.Get("/health/ready").body, "ready\njournal: ok\ncollector: ok\n");
  full_ = true;
  EXPECT_EQ(client.Get("/health/ready").status, 200);  // of the same quarter of a second
  clock_.Advance(kSecond);
  const ClientReply reply = client.Get("/health/ready");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "not ready\njournal: no space\ncollector: ok\n");
  EXPECT_EQ(client.Get("/health/live").body, "live\n");
}

TEST_F(ObserveServerTest, AStuckProgramKeepsNobodyFromTheLastAnswer) {
  Serve();
  HttpClient client = Client();
  EXPECT_EQ(client.Get("/api/tree").body, "{\"asked\":1}");
  HttpClient waiting = Client();
  waiting.Send("GET /api/slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  in_slow_.wait(false);
  PassTimeUntilReadable(waiting);
  EXPECT_EQ(waiting.Receive().status, 503);
  const ClientReply ready = client.Get("/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("collector: has waited "));
  client.Send("GET /api/tree HTTP/1.1\r\nHost: localhost\r\n\r\n");
  PassTimeUntilReadable(client);
  const ClientReply stale = client.Receive();
  EXPECT_EQ(stale.body, "{\"asked\":1}");
  EXPECT_THAT(stale.head, HasSubstr("Warning: 110"));
  EXPECT_EQ(client.Get("/health/live").status, 200);
}

TEST_F(ObserveServerTest, WhatIsNoUsableRequestIsRefusedWithItsReason) {
  Serve();
  const std::string host = "Host: localhost\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"GET / HTTP/1.1\r\n\r\n", 400},  // no Host
      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + " folded: 1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "no colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "a : b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "a: \x02\r\n\r\n", 400},
      {std::string("GET / HTTP/1.1\r\n\0: b\r\n\r\n", 25), 400},
      {"\r\n\r\n", 400},
      {"\x16\x03\x01\x02 hello TLS\r\n\r\n", 400},
      {"GET / FTP/1.1\r\n" + host + "\r\n", 400},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx", 405},
      {"DELETE /metrics HTTP/1.1\r\n" + host + "\r\n", 405},
      {"GET / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 413},
      {"GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413},
      {"GET /" + std::string(2048, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
      {"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421},
      {"GET / HTTP/1.1\r\n" + host + "A: " + std::string(9000, 'a'), 431},
      {std::string(20'000, 'a'), 431},
  };
  for (const auto& [request, status] : cases) {
    HttpClient client = Client();
    client.Send(request);
    const ClientReply reply = client.Receive();
    EXPECT_EQ(reply.status, status) << request.substr(0, 60);
    EXPECT_THAT(reply.head, HasSubstr("Connection: close")) << request.substr(0, 60);
    EXPECT_THAT(reply.body, HasSubstr(absl::StrCat(status, " "))) << request.substr(0, 60);
    EXPECT_TRUE(client.Ended());
  }
  std::string fields;
  for (int i = 0; i < 65; ++i) absl::StrAppend(&fields, "a", i, ": b\r\n");
  EXPECT_EQ(Client().Get("/", fields).status, 431);
  EXPECT_EQ(Client().Get("/nowhere").status, 404);
  EXPECT_THAT(Client().Get("/nowhere").body, HasSubstr("/metrics /api/tree /api/slow"));
  HttpClient old = Client();
  old.Send("GET /health/live HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.Receive().body, "live\n");
  EXPECT_TRUE(old.Ended());
}

TEST_F(ObserveServerTest, ARequestThatDripsInRunsOutOfTime) {
  Serve();
  HttpClient client = Client();
  EXPECT_EQ(client.Get("/health/live").status, 200);
  // Every byte is in time, the whole is not.
  const std::string request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n";
  for (size_t i = 0; i < request.size() && !client.Readable(0); ++i) {
    client.Send(request.substr(i, 1));
    clock_.Advance(kSecond);
    server_->Wake();
  }
  PassTimeUntilReadable(client);
  EXPECT_EQ(client.Receive().status, 408);
}

TEST_F(ObserveServerTest, AnIdleConnectionEndsAndMakesRoomBeforeThat) {
  ObserveOptions options;
  options.max_connections = 2;
  Serve(std::move(options));
  HttpClient first = Client();
  EXPECT_EQ(first.Get("/health/live").status, 200);
  clock_.Advance(1);
  HttpClient second = Client();
  EXPECT_EQ(second.Get("/health/live").status, 200);
  HttpClient third = Client();
  EXPECT_EQ(third.Get("/health/live").status, 200);
  EXPECT_TRUE(first.Ended());
  EXPECT_EQ(second.Get("/health/live").status, 200);
  PassTimeUntilReadable(second);
  EXPECT_TRUE(second.Ended());
}

TEST_F(ObserveServerTest, ManyConnectionsWaitForTheirTurn) {
  ObserveOptions options;
  options.max_connections = 2;
  Serve(std::move(options));
  // Two that are in the middle of a request hold all the places.
  HttpClient first = Client();
  HttpClient second = Client();
  EXPECT_EQ(first.Get("/health/live").status, 200);
  EXPECT_EQ(second.Get("/health/live").status, 200);
  first.Send("GET ");
  second.Send("GET ");
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Client());
    clients.back().Send(
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  for (HttpClient& client : clients) {
    PassTimeUntilReadable(client);
    EXPECT_EQ(client.Receive().body, "live\n");
  }
}

TEST_F(ObserveServerTest, RequestsSentAtOnceAreAnsweredInOrder) {
  Serve();
  HttpClient client = Client();
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /health/live HTTP/1.1\r\nHost:\r\n\r\nGET /api/tree HTTP/1.1\r\nHost:\r\n\r\n";
  }
  client.Send(requests);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(client.Receive().body, "live\n");
    ASSERT_EQ(client.Receive().body, "{\"asked\":1}");
  }
}

// Bytes of all kinds, cut anywhere: each connection ends or is answered, and the next is served.
TEST_F(ObserveServerTest, RandomBytesHarmNobody) {
  Serve();
  std::mt19937_64 random(test::Seed());
  const std::string good = "GET /api/tree HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  for (int i = 0; i < 100; ++i) {
    std::string bytes = good;
    for (size_t changes = random() % 4 + 1; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    HttpClient client = Client();
    client.Send(bytes);
    client.EndSending();
    client.Receive();
  }
  EXPECT_EQ(Client().Get("/api/tree").status, 200);
}

TEST(ObserveServerStartTest, WhatCannotBeServedIsNamed) {
  const auto start = [](ObserveOptions options) {
    const auto server = ObserveServer::Start(std::move(options));
    return server.ok() ? std::string("it started") : std::string(server.status().message());
  };
  EXPECT_THAT(start({.address = "localhost"}), HasSubstr("\"localhost\" is no IP address"));
  EXPECT_THAT(start({.address = "203.0.113.1"}), HasSubstr("HTTP endpoint 203.0.113.1:0: bind"));
  EXPECT_THAT(start({.refresh_ns = 0}), HasSubstr("refresh_ns is 0; give 1000000"));
  EXPECT_THAT(start({.stuck_ns = 0}), HasSubstr("stuck_ns is 0"));
  EXPECT_THAT(start({.max_connections = 0}), HasSubstr("max_connections is 0; give 1 to 1024"));
  EXPECT_THAT(start({.views = {{"a/b", {}}}}), HasSubstr("\"a/b\""));
  MetricsRegistry registry(0);
  const auto server = ObserveServer::Start({.registry = &registry});
  ASSERT_TRUE(server.ok());
  EXPECT_EQ((*server)->url(), absl::StrCat("http://127.0.0.1:", (*server)->port(), "/"));
  EXPECT_THAT(start({.port = (*server)->port()}), HasSubstr("take another port"));
  EXPECT_THAT(start({.registry = &registry}),
              HasSubstr("\"bitactor_http_replies\" is there already"));
}

}  // namespace
}  // namespace bitactor
