// A run as it is seen over HTTP: by a client, a Prometheus, a browser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "support/program.h"
#include "support/temp_dir.h"
#include "tracing_export/http_client.h"
#include "tracing_export/metrics_text_parser.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::ClientReply;
using test::HttpClient;
using test::Program;
using ::testing::HasSubstr;

bool HasCommand(const std::string& name) {
  return std::system(("command -v " + name + " > /dev/null 2>&1").c_str()) == 0;
}

class ObserveProgramTest : public ::testing::Test {
 protected:
  // A run that has ended and is held.
  void Hold(const std::string& arguments = "") {
    program_ = std::make_unique<Program>(absl::StrCat(
        BITACTOR_PROGRAM, " demo --messages 70000 --symbols 2 --http 0 --hold ", arguments));
    Await(*program_, "stays until Ctrl-C");
    const std::string err = program_->Err();
    const size_t at = err.find("http://127.0.0.1:");
    ASSERT_NE(at, std::string::npos) << err;
    port_ = static_cast<uint16_t>(std::atoi(err.c_str() + at + 17));
  }
  static void Await(Program& program, const std::string& says) {
    while (program.Err().find(says) == std::string::npos) {
      ASSERT_FALSE(program.AwaitEnd(5)) << program.Err();
    }
  }
  ClientReply Get(const std::string& path, const std::string& more = "") {
    return HttpClient(port_).Get(path, more);
  }
  json View(const std::string& name) {
    const ClientReply reply = Get("/api/" + name);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body);
  }

  std::unique_ptr<Program> program_;
  uint16_t port_ = 0;
};

TEST_F(ObserveProgramTest, ARunShowsItsLayersAndEndsWithCtrlC) {
  Hold();
  const test::MetricsTextParser metrics(
      Get("/metrics", "Accept: application/openmetrics-text\r\n").body);
  const auto value_of = [&](const std::string& family, size_t sample) {
    return std::atof(metrics.families().at(family).samples.at(sample).value.c_str());
  };
  EXPECT_GT(value_of("bitactor_feed_events", 0), 69'000);  // the others are no events of orders
  EXPECT_GT(value_of("bitactor_messages_sent", 0), 70'000);
  double dead = 0;
  for (size_t i = 0; i < metrics.families().at("bitactor_dead_letters").samples.size(); ++i) {
    dead += value_of("bitactor_dead_letters", i);
  }
  EXPECT_EQ(dead, 1);  // the damaged frame
  EXPECT_EQ(value_of("bitactor_quarantined", 0), 1);
  EXPECT_EQ(value_of("bitactor_restarts", 0), 2);  // the poison messages
  EXPECT_EQ(metrics.families().at("bitactor_message_latency_seconds").unit, "seconds");
  size_t exemplars = 0;
  for (const auto& sample : metrics.families().at("bitactor_message_latency_seconds").samples) {
    exemplars += sample.exemplar.empty() ? 0 : 1;
  }
  EXPECT_GT(exemplars, 0u);
  EXPECT_GT(value_of("bitactor_spans_recorded", 0), 0);
  EXPECT_GT(value_of("bitactor_journal_tail_bytes", 0), 0);

  const json layers = View("layers");
  ASSERT_EQ(layers["layers"].size(), 3u);
  for (const json& layer : layers["layers"]) EXPECT_GT(layer["messages"], 70'000) << layer;
  const json tree = View("tree");
  EXPECT_EQ(tree["actors"], 10);
  EXPECT_THAT(tree.dump(), HasSubstr("BookActor"));
  EXPECT_EQ(View("mailboxes")["waiting"], 0);
  EXPECT_TRUE(View("breakers")["breakers"].is_array());
  const json traces = View("traces");
  ASSERT_FALSE(traces["traces"].empty());
  EXPECT_GE(traces["traces"][0]["total_ns"], traces["traces"].back()["total_ns"]);
  EXPECT_FALSE(traces["traces"][0]["spans"].empty());
  EXPECT_EQ(Get("/health/ready").body, "ready\njournal: ok\nshards: ok\ncollector: ok\n");

  program_->Signal(SIGINT);
  const test::Outcome outcome = program_->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("messages"));
}

TEST_F(ObserveProgramTest, WrongPlacesAreNamed) {
  const auto expect = [](const std::string& arguments, const std::string& says) {
    const test::Outcome outcome = test::RunProgram("demo --messages 10 " + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(says));
  };
  expect("--http 70000", "--http 70000: write [ADDRESS:]PORT");
  expect("--http :80", "--http :80: write");
  expect("--http host:80", "\"host\" is no IP address");
  expect("--hold", "--http [ADDRESS:]PORT");
}

TEST_F(ObserveProgramTest, ARealPrometheusScrapesIt) {
  if (!HasCommand("prometheus")) {
    GTEST_SKIP() << "skipped: no prometheus; Debian's package of that name brings it";
  }
  Hold();
  const test::TempDir dir;
  std::ofstream(dir.File("config.yml"))
      << "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
      << "scrape_configs: [{job_name: bitactor, static_configs: [{targets: ['127.0.0.1:" << port_
      << "']}]}]\n";
  const uint16_t web = test::FreePort();
  Program prometheus(absl::StrCat("prometheus --config.file=", dir.File("config.yml"),
                                  " --storage.tsdb.path=", dir.File("data"),
                                  " --enable-feature=exemplar-storage",
                                  " --web.listen-address=127.0.0.1:", web));
  std::string sent;
  while (sent.empty()) {
    ASSERT_FALSE(prometheus.AwaitEnd(50)) << prometheus.Err();
    HttpClient client(web, /*may_fail=*/true);
    const ClientReply reply = client.Get("/api/v1/query?query=bitactor_feed_events_total");
    if (reply.status != 200) continue;
    const json result = json::parse(reply.body)["data"]["result"];
    if (!result.empty()) sent = result[0]["value"][1];
  }
  EXPECT_THAT(Get("/metrics").body, HasSubstr("\nbitactor_feed_events_total " + sent + "\n"));
}

TEST_F(ObserveProgramTest, ABrowserDrawsThePage) {
  if (!HasCommand("chromium")) {
    GTEST_SKIP() << "skipped: no chromium; Debian's package of that name brings it";
  }
  Hold();
  const test::TempDir dir;
  Program browser(absl::StrCat(
      "chromium --headless --no-sandbox --disable-gpu --virtual-time-budget=4000 --user-data-dir=",
      dir.path(), " --dump-dom http://127.0.0.1:", port_, "/"));
  const std::string page = browser.Wait().out;
  EXPECT_THAT(page, HasSubstr("data-loaded=\"5\""));  // all five views
  EXPECT_THAT(page, HasSubstr("L2 mailbox"));
  EXPECT_THAT(page, HasSubstr("BookActor"));
  EXPECT_THAT(page, HasSubstr("aria-pressed=\"true\""));  // the slowest trace is chosen
}

}  // namespace
}  // namespace bitactor
