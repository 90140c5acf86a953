// `bitactor trace export` in its formats, and to a collector.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "bitactor/tracing/span_file.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::RunProgram;
using ::testing::HasSubstr;

class TraceExportProgramTest : public ::testing::Test {
 protected:
  TraceExportProgramTest() {
    setenv("no_proxy", "127.0.0.1", 1);
    std::vector<SpanRecord> spans(5000);
    for (size_t i = 0; i < spans.size(); ++i) {
      spans[i].trace = 7;
      spans[i].span = i + 1;
      spans[i].parent_span = i;
      spans[i].start_ns = spans[i].sent_ns = 1'700'000'000'000'000'000 + i * 1000;
      spans[i].source = spans[i].target = 3;
    }
    SpanNameTable names;
    names.actors[3] = "book";
    EXPECT_TRUE(SaveSpans(path_, spans, names, 12).ok());
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  test::TempDir dir_;
  const std::string path_ = dir_.File("spans.bin");
};

TEST_F(TraceExportProgramTest, OtlpIsARequestALine) {
  const std::string out = dir_.File("a.jsonl");
  const test::Outcome outcome = RunProgram("trace export --format otlp " + path_ + " -o " + out);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("5000 spans exported; 12 older ones"));
  std::istringstream lines(Read(out));
  std::string line;
  size_t spans = 0;
  std::string trace;
  while (std::getline(lines, line)) {
    const json all = json::parse(line)["resourceSpans"][0]["scopeSpans"][0]["spans"];
    spans += all.size();
    trace = all[0]["traceId"];
  }
  EXPECT_EQ(spans, 5000u);
  EXPECT_THAT(trace, ::testing::EndsWith("0000000000000007"));
  EXPECT_NE(trace, std::string(31, '0') + "7") << "other files have other ids";
  // The same file has the same ids again, and - is standard output.
  EXPECT_EQ(RunProgram("trace export --format otlp -o - " + path_).out, Read(out));
}

TEST_F(TraceExportProgramTest, ShivizShowsTheLastOnes) {
  const test::Outcome outcome = RunProgram("trace export --format shiviz --last 2 " + path_);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\nbook {\"book\":1}\n"));
  EXPECT_THAT(outcome.out, ::testing::EndsWith("\nbook {\"book\":2}\n"));
}

TEST_F(TraceExportProgramTest, TheCollectorGetsEverySpanThoughItIsBusyAtFirst) {
  std::atomic<int> requests{0};
  std::atomic<size_t> spans{0};
  httplib::Server server;
  server.set_tcp_nodelay(true);
  server.Post("/v1/traces", [&](const httplib::Request& request, httplib::Response& response) {
    EXPECT_EQ(request.get_header_value("X-Key"), "a b");
    if (requests.fetch_add(1) == 0) {
      response.status = 503;
      response.set_header("Retry-After", "0");
      return;
    }
    spans += json::parse(request.body)["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
    response.set_content("{}", "application/json");
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  const test::Outcome outcome =
      RunProgram("trace export " + path_ + " --gzip --header 'X-Key: a b'" +
                 " --to http://127.0.0.1:" + std::to_string(port));
  server.stop();
  thread.join();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("5000 of 5000 spans sent in 3 requests (1 repeated)"));
  EXPECT_EQ(spans, 5000u);
}

TEST_F(TraceExportProgramTest, WhatNobodyTakesIsToldAndExitCodeOne) {
  const test::Outcome outcome =
      RunProgram("trace export " + path_ + " --last 4000 --give-up 0 --to http://127.0.0.1:1");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("0 of 4000 spans sent"));
  EXPECT_THAT(outcome.err, HasSubstr("4000 given up"));
  EXPECT_THAT(outcome.err, HasSubstr("http://127.0.0.1:1/v1/traces"));
}

TEST_F(TraceExportProgramTest, WrongUseIsExitCodeTwo) {
  for (const char* arguments :
       {" --format pdf", " --to collector", " --to http://a --format otlp", " --gzip",
        " --to http://a --header nocolon", " --to http://a -o x", " --to http://a --timeout 0"}) {
    const test::Outcome outcome = RunProgram("trace export " + path_ + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments << "\n" << outcome.err;
    EXPECT_NE(outcome.err, "") << arguments;
  }
}

}  // namespace
}  // namespace bitactor
