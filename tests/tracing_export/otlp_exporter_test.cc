// The exporter against a collector that is a script: no network, no time of its own.
#include "bitactor/tracing_export/otlp_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "otlp_answer.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using internal::ParseRetryAfter;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kUnix = 1'700'000'000 * kSecond;

// Answers what it is told, 200 when nothing is; each answer takes `takes_ns`.
class ScriptedCollector : public HttpTransport {
 public:
  absl::StatusOr<HttpAnswer> Post(const HttpRequest& request) override {
    requests.push_back(request);
    bodies.emplace_back(request.body);
    time.steady_ns += takes_ns;
    if (answers.empty()) return otherwise;
    absl::StatusOr<HttpAnswer> answer = answers.front();
    answers.pop_front();
    return answer;
  }
  void Cancel() override {}

  // Span ids in the body of one request.
  std::vector<uint64_t> Spans(size_t request) const {
    std::vector<uint64_t> ids;
    const json body = json::parse(bodies.at(request));
    for (const json& span : body["resourceSpans"][0]["scopeSpans"][0]["spans"]) {
      ids.push_back(std::stoull(span["spanId"].get<std::string>(), nullptr, 16));
    }
    return ids;
  }

  ExportTime time{5 * kSecond, kUnix};
  uint64_t takes_ns = 0;
  std::deque<absl::StatusOr<HttpAnswer>> answers;
  absl::StatusOr<HttpAnswer> otherwise = HttpAnswer{.status = 200, .body = "{}"};
  std::vector<HttpRequest> requests;
  std::vector<std::string> bodies;
};

class OtlpExporterTest : public ::testing::Test {
 protected:
  OtlpExporter& Make(OtlpExporterOptions options = {}) {
    options.clock = [this] { return collector_.time; };
    if (options.seed == 0) options.seed = 1;
    auto exporter = OtlpExporter::Make(std::move(options), {}, collector_);
    EXPECT_TRUE(exporter.ok()) << exporter.status();
    exporter_ = *std::move(exporter);
    return *exporter_;
  }
  static OtlpExporterOptions Batches(size_t spans, size_t queue = 1000) {
    OtlpExporterOptions options;
    options.batch_spans = spans;
    options.queue_spans = queue;
    options.retry.jitter = 0;
    return options;
  }
  void Add(uint64_t first, uint64_t last, uint64_t overwritten = 0) {
    std::vector<SpanRecord> spans;
    for (uint64_t i = first; i <= last; ++i) spans.emplace_back().span = i;
    exporter_->AddSpans(spans, overwritten);
  }
  void Answer(int status, std::string body = "", std::string retry_after = "") {
    collector_.answers.push_back(HttpAnswer{
        .status = status, .retry_after = std::move(retry_after), .body = std::move(body)});
  }
  // Lets time pass until nothing waits; returns how much.
  uint64_t Run() {
    const uint64_t start_ns = collector_.time.steady_ns;
    for (uint64_t due_ns = 0; due_ns != OtlpExporter::kNever; due_ns = exporter_->Poll()) {
      collector_.time.steady_ns = std::max(collector_.time.steady_ns, due_ns);
      ExpectBalance();
    }
    ExpectBalance();
    return collector_.time.steady_ns - start_ns;
  }
  const OtlpSpanCounters& spans() const { return exporter_->counters().spans; }
  void ExpectBalance() const {
    const OtlpSpanCounters& c = spans();
    EXPECT_EQ(c.added,
              c.sent + c.rejected + c.refused + c.given_up + c.queue_full + c.unsent + c.queued);
  }

  ScriptedCollector collector_;
  std::unique_ptr<OtlpExporter> exporter_;
};

TEST_F(OtlpExporterTest, AFullBatchGoesAtOnceAndTheRestAfterTheInterval) {
  OtlpExporter& exporter = Make(Batches(3));
  Add(1, 4);
  const uint64_t due_ns = exporter.Poll();
  ASSERT_EQ(collector_.requests.size(), 1u);
  EXPECT_EQ(collector_.requests[0].url, "http://127.0.0.1:4318/v1/traces");
  EXPECT_THAT(collector_.requests[0].headers,
              ::testing::Contains(::testing::Pair("Content-Type", "application/json")));
  EXPECT_EQ(collector_.Spans(0), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(due_ns, collector_.time.steady_ns + kSecond);
  collector_.time.steady_ns = due_ns - 1;
  EXPECT_EQ(exporter.Poll(), due_ns);
  EXPECT_EQ(collector_.requests.size(), 1u);
  collector_.time.steady_ns = due_ns;
  EXPECT_EQ(exporter.Poll(), OtlpExporter::kNever);
  EXPECT_EQ(collector_.Spans(1), (std::vector<uint64_t>{4}));
  EXPECT_EQ(spans().sent, 4u);
  EXPECT_EQ(exporter.counters().last_trouble, "");
}

TEST_F(OtlpExporterTest, WhatIsFlushedDoesNotWait) {
  OtlpExporter& exporter = Make(Batches(3));
  Add(1, 1);
  EXPECT_EQ(exporter.PollFlush(collector_.time.steady_ns + 7), OtlpExporter::kNever);
  ASSERT_EQ(collector_.requests.size(), 1u);
  EXPECT_EQ(collector_.requests[0].timeout_ns, 7u) << "not longer than until the deadline";
  EXPECT_EQ(spans().sent, 1u);
}

TEST_F(OtlpExporterTest, AFullQueueDropsTheNewOnesAndCountsThem) {
  Make(Batches(4, 10));
  Add(1, 7, /*overwritten=*/5);
  Add(8, 20);
  EXPECT_EQ(spans().queued, 10u);
  EXPECT_EQ(spans().queue_full, 10u);
  EXPECT_EQ(spans().overwritten, 5u);
  Run();
  EXPECT_EQ(spans().sent, 10u);
  EXPECT_EQ(collector_.Spans(2), (std::vector<uint64_t>{9, 10}));
  Add(21, 30);  // there is room again
  EXPECT_EQ(spans().queued, 10u);
}

TEST_F(OtlpExporterTest, WhatHelpsToRepeatIsRepeatedWithTheSameBytes) {
  Make(Batches(2));
  collector_.answers.push_back(absl::UnavailableError("nobody there"));
  for (const int status : {429, 502, 503, 504}) Answer(status);
  Add(1, 2);
  EXPECT_EQ(Run(), (1 + 2 + 4 + 8 + 16) * kSecond);
  ASSERT_EQ(collector_.bodies.size(), 6u);
  for (const std::string& body : collector_.bodies) EXPECT_EQ(body, collector_.bodies[0]);
  EXPECT_EQ(exporter_->counters().retries, 5u);
  EXPECT_EQ(spans().sent, 2u);
  EXPECT_THAT(exporter_->counters().last_trouble, HasSubstr("answered 504"));
}

TEST_F(OtlpExporterTest, WaitsGrowToTheirLimitAndAreDrawn) {
  OtlpExporterOptions options = Batches(1);
  options.retry = {.first_wait_ns = 100, .longest_wait_ns = 300, .growth = 2, .jitter = 0.5};
  options.seed = test::Seed();
  OtlpExporter& exporter = Make(options);
  collector_.otherwise = absl::DeadlineExceededError("too slow");
  Add(1, 1);
  std::set<uint64_t> waits;
  for (int i = 0; i < 50; ++i) {
    const uint64_t wait_ns = exporter.Poll() - collector_.time.steady_ns;
    const uint64_t middle_ns = std::min(uint64_t{100} << std::min(i, 4), uint64_t{300});
    EXPECT_GE(wait_ns, middle_ns / 2);
    EXPECT_LE(wait_ns, middle_ns * 3 / 2);
    waits.insert(wait_ns);
    collector_.time.steady_ns += wait_ns;
  }
  EXPECT_GT(waits.size(), 10u);
}

TEST_F(OtlpExporterTest, RetryAfterIsHonouredInSecondsAndAsADate) {
  Make(Batches(1));
  Answer(503, "", "7");
  collector_.answers.push_back(HttpAnswer{.status = 429,
                                          .retry_after = "Sun, 06 Nov 1994 08:49:57 GMT",
                                          .date = "Sun, 06 Nov 1994 08:49:37 GMT"});
  Add(1, 1);
  EXPECT_EQ(Run(), 27 * kSecond);
  EXPECT_EQ(spans().sent, 1u);
}

TEST_F(OtlpExporterTest, WhoAsksForMoreTimeThanThereIsLosesTheBatchAndIsLeftAlone) {
  OtlpExporterOptions options = Batches(1);
  options.retry.give_up_after_ns = 60 * kSecond;
  Make(options);
  Answer(503, "", "61");
  Add(1, 2);
  EXPECT_EQ(Run(), 61 * kSecond);
  EXPECT_EQ(spans().given_up, 1u);
  EXPECT_EQ(spans().sent, 1u);
}

TEST_F(OtlpExporterTest, GivesUpAfterItsTime) {
  OtlpExporterOptions options = Batches(2);
  options.retry.give_up_after_ns = 10 * kSecond;
  Make(options);
  collector_.otherwise = absl::UnavailableError("nobody there");
  Add(1, 4);
  Run();
  EXPECT_EQ(spans().given_up, 4u);
  EXPECT_EQ(exporter_->counters().requests, 8u);  // after 0, 1, 3 and 7 s, of each batch
}

TEST_F(OtlpExporterTest, WhatNoRepetitionChangesIsDroppedAndTold) {
  for (const int status : {400, 401, 404, 500, 301, 101, 600}) {
    Make(Batches(1));
    Answer(status, "no such tenant\x1b[2J");
    Add(1, 1);
    EXPECT_EQ(Run(), 0u) << status;
    EXPECT_EQ(spans().refused, 1u) << status;
    EXPECT_THAT(exporter_->counters().last_trouble, HasSubstr("no such tenant\\033["))
        << "no control characters for a terminal";
    EXPECT_THAT(exporter_->counters().last_trouble, HasSubstr(std::to_string(status)));
  }
  EXPECT_EQ(collector_.requests.size(), 7u) << "a redirect is not followed";
}

TEST_F(OtlpExporterTest, ABatchThatIsTooLargeIsHalvedUntilItFits) {
  Make(Batches(8));
  for (int i = 0; i < 2; ++i) Answer(413);
  Add(1, 8);
  Run();
  EXPECT_EQ(collector_.Spans(2), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(collector_.Spans(3), (std::vector<uint64_t>{3, 4, 5})) << "larger again, carefully";
  EXPECT_EQ(spans().sent, 8u);
  EXPECT_EQ(exporter_->counters().halved, 2u);
}

TEST_F(OtlpExporterTest, OneSpanThatIsTooLargeIsDropped) {
  Make(Batches(2));
  for (int i = 0; i < 2; ++i) Answer(413);
  Add(1, 2);
  EXPECT_EQ(Run(), 0u);
  EXPECT_EQ(spans().refused, 1u);
  EXPECT_EQ(spans().sent, 1u);
}

TEST_F(OtlpExporterTest, PartialSuccessIsCountedAndNotRepeated) {
  Make(Batches(5));
  Answer(200, R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}})");
  Answer(200, R"({"partialSuccess":{"rejectedSpans":3}})");
  Answer(200, R"({"partialSuccess":{"rejectedSpans":99}})");
  Answer(200, R"({"partialSuccess":{"errorMessage":"a warning"},"other":[1]})");
  Add(1, 20);
  Run();
  EXPECT_EQ(collector_.requests.size(), 4u);
  EXPECT_EQ(spans().rejected, 2u + 3 + 5);
  EXPECT_EQ(spans().sent, 10u);
  EXPECT_THAT(exporter_->counters().last_trouble, HasSubstr("a warning"));
}

TEST_F(OtlpExporterTest, AnswersThatMakeNoSenseAreAcceptedAndTold) {
  for (const char* body : {"<html>", "[1]", R"({"partialSuccess":{"rejectedSpans":"many"}})",
                           R"({"partialSuccess":{"rejectedSpans":-1}})"}) {
    Make(Batches(1));
    Answer(200, body);
    Add(1, 1);
    Run();
    EXPECT_EQ(spans().sent, 1u) << body;
    EXPECT_NE(exporter_->counters().last_trouble, "") << body;
  }
  for (const char* body : {"", "{}", R"({"partialSuccess":null})", R"({"partialSuccess":{}})",
                           R"({"partialSuccess":{"rejectedSpans":"0"}})"}) {
    Make(Batches(1));
    Answer(200, body);
    Add(1, 1);
    Run();
    EXPECT_EQ(exporter_->counters().last_trouble, "") << body;
  }
}

TEST_F(OtlpExporterTest, AtTheEndWhatWaitsIsCounted) {
  OtlpExporter& exporter = Make(Batches(2));
  collector_.otherwise = absl::UnavailableError("nobody there");
  Add(1, 5);
  exporter.AddMetrics({});
  exporter.Poll();
  exporter.Poll();
  EXPECT_EQ(exporter.PollFlush(collector_.time.steady_ns), OtlpExporter::kNever);
  EXPECT_FALSE(exporter.idle());
  exporter.Abandon();
  EXPECT_TRUE(exporter.idle());
  EXPECT_EQ(spans().unsent, 5u);
  EXPECT_EQ(exporter.counters().snapshots_dropped, 1u);
  ExpectBalance();
  EXPECT_EQ(exporter.Poll(), OtlpExporter::kNever);
}

TEST_F(OtlpExporterTest, MetricsGoToTheirOwnPlaceAndTheLatestCounts) {
  OtlpExporter& exporter = Make({.endpoint = "https://collector/otlp/"});
  MetricsSnapshot snapshot;
  snapshot.families = {{.name = "first"}};
  exporter.AddMetrics(snapshot);
  snapshot.families = {{.name = "second"}};
  exporter.AddMetrics(snapshot);
  Answer(503);
  const uint64_t due_ns = exporter.Poll();
  EXPECT_EQ(collector_.requests[0].url, "https://collector/otlp/v1/metrics");
  EXPECT_THAT(collector_.bodies[0], HasSubstr("second"));
  snapshot.families = {{.name = "third"}};
  exporter.AddMetrics(snapshot);  // while the one before is to be repeated
  EXPECT_EQ(exporter.Poll(), due_ns);
  EXPECT_EQ(collector_.requests.size(), 1u) << "its wait is the collector's, not the snapshot's";
  Answer(200, R"({"partialSuccess":{"rejectedDataPoints":"4"}})");
  Run();
  EXPECT_THAT(collector_.bodies[1], HasSubstr("third"));
  const OtlpCounters& counters = exporter.counters();
  EXPECT_EQ(counters.snapshots_added, 3u);
  EXPECT_EQ(counters.snapshots_sent, 1u);
  EXPECT_EQ(counters.snapshots_dropped, 2u);
  EXPECT_EQ(counters.points_rejected, 4u);
}

TEST_F(OtlpExporterTest, SpansAndExemplarsOfATraceFromOutsideHaveTheIdThatItCameWith) {
  OtlpExporterOptions options;
  options.origin.trace_high = 0xF;
  options.origin.trace_id = [](uint64_t trace) {
    return trace == 7 ? TraceId{0, 7}
                      : TraceId{};  // of 64 bits, as some senders have them; 5 began here
  };
  OtlpExporter& exporter = Make(std::move(options));
  std::vector<SpanRecord> spans(2);
  spans[0].trace = 7;
  spans[1].trace = 5;
  for (SpanRecord& span : spans) span.span = span.parent_span = 3;
  exporter.AddSpans(spans);
  MetricPoint point;
  point.value = HistogramValue{.counts = {1}};
  point.exemplars = {{.value = 1, .trace = 7, .span = 3}, {.value = 1, .trace = 5, .span = 3}};
  MetricsSnapshot snapshot;
  snapshot.families = {{.name = "m", .kind = MetricKind::kHistogram, .points = {point}}};
  exporter.AddMetrics(snapshot);
  Run();
  ASSERT_EQ(collector_.bodies.size(), 2u);
  const std::string outside = "00000000000000000000000000000007";
  const std::string own = "000000000000000f0000000000000005";
  const json metrics = json::parse(collector_.bodies[0]);
  const json exemplars = metrics["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["histogram"]
                                ["dataPoints"][0]["exemplars"];
  EXPECT_EQ(exemplars[0]["traceId"], outside);
  EXPECT_EQ(exemplars[1]["traceId"], own);
  const json traces = json::parse(collector_.bodies[1]);
  const json sent = traces["resourceSpans"][0]["scopeSpans"][0]["spans"];
  EXPECT_EQ(sent[0]["traceId"], outside);
  EXPECT_EQ(sent[1]["traceId"], own);
  EXPECT_EQ(sent[0]["flags"], 1) << "its parent may be of another process";
  EXPECT_EQ(sent[1]["flags"], 257);
}

TEST_F(OtlpExporterTest, OptionsOutsideOfTheirRangesAreRefusedByName) {
  const auto refusal = [&](const std::function<void(OtlpExporterOptions&)>& change) {
    OtlpExporterOptions options;
    change(options);
    const auto made = OtlpExporter::Make(options, {}, collector_);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(made.status().message());
  };
  EXPECT_THAT(refusal([](auto& o) { o.endpoint = "localhost:4318"; }), HasSubstr("localhost:4318"));
  EXPECT_THAT(refusal([](auto& o) { o.batch_spans = 0; }), HasSubstr("1 to 65536"));
  EXPECT_THAT(refusal([](auto& o) { o.queue_spans = 5; }), HasSubstr("queue_spans is 5"));
  EXPECT_THAT(refusal([](auto& o) { o.timeout_ns = 5; }), HasSubstr("timeout_ns is 5"));
  EXPECT_THAT(refusal([](auto& o) { o.interval_ns = ~uint64_t{0}; }), HasSubstr("interval_ns is"));
  EXPECT_THAT(refusal([](auto& o) { o.retry.longest_wait_ns = ~uint64_t{0}; }),
              HasSubstr("longest_wait_ns is"));
  EXPECT_THAT(refusal([](auto& o) { o.retry.growth = 0.5; }), HasSubstr("growth is 0.5"));
  EXPECT_THAT(refusal([](auto& o) { o.headers = {{"a", "b\r\nc: d"}}; }), HasSubstr("no header"));
  EXPECT_THAT(refusal([](auto& o) { o.headers = {{"a:", "b"}}; }), HasSubstr("no header"));
}

// Whatever the collector does, every span is counted once.
TEST_F(OtlpExporterTest, TheCountersAddUpUnderRandomAnswers) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(20); ++round) {
    OtlpExporterOptions options = Batches(1 + random() % 20, 50);
    options.retry.give_up_after_ns = 20 * kSecond;
    options.seed = 1 + random() % 1000;
    OtlpExporter& exporter = Make(options);
    constexpr int kStatus[] = {200, 200, 200, 400, 413, 429, 503, 0};
    for (int step = 0; step < 60; ++step) {
      const int status = kStatus[random() % 8];
      if (status == 0) {
        collector_.answers.push_back(absl::UnavailableError("gone"));
      } else {
        Answer(status, random() % 3 == 0 ? R"({"partialSuccess":{"rejectedSpans":"2"}})" : "{}",
               random() % 3 == 0 ? std::to_string(random() % 30) : "");
      }
      collector_.takes_ns = random() % kSecond;
      Add(1, random() % 30);
      const uint64_t due_ns = exporter.Poll();
      if (random() % 2 == 0 && due_ns != OtlpExporter::kNever) {
        collector_.time.steady_ns = std::max(collector_.time.steady_ns, due_ns);
      }
      ExpectBalance();
      EXPECT_LE(spans().queued, 50u);
    }
    collector_.answers.clear();
    Run();
    EXPECT_TRUE(exporter.idle());
  }
}

TEST(RetryAfterTest, AllItsForms) {
  constexpr uint64_t kNow = 784'111'777 * kSecond;  // 1994-11-06 08:49:37
  EXPECT_EQ(ParseRetryAfter("120", "", kNow), 120 * kSecond);
  EXPECT_EQ(ParseRetryAfter("0", "", kNow), 0u);
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:50:37 GMT", "", kNow), 60 * kSecond);
  EXPECT_EQ(ParseRetryAfter("Sunday, 06-Nov-94 08:50:37 GMT", "", kNow), 60 * kSecond);
  EXPECT_EQ(ParseRetryAfter("Sun Nov  6 08:50:37 1994", "", kNow), 60 * kSecond);
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:00 GMT", "", kNow), 0u) << "past";
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:30 GMT", 5),
            7 * kSecond)
      << "by the collector's own clock";
  for (const char* bad : {"", "soon", "-1", "1.5", "12 s", "Sun, 06 Foo 1994 08:49:37 GMT"}) {
    EXPECT_EQ(ParseRetryAfter(bad, "", kNow), std::nullopt) << bad;
  }
  // A year at most, whatever is asked for.
  EXPECT_LE(*ParseRetryAfter("99999999999999999999999", "", kNow), 366 * 86'400 * kSecond);
  EXPECT_LE(*ParseRetryAfter("99999999999", "", kNow), 366 * 86'400 * kSecond);
  EXPECT_LE(*ParseRetryAfter("Sun, 06 Nov 9994 08:50:37 GMT", "", kNow), 366 * 86'400 * kSecond);
}

}  // namespace
}  // namespace bitactor
