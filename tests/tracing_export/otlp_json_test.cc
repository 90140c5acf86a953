// OTLP's JSON, against golden texts and the official example documents.
#include "bitactor/tracing_export/otlp_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "bitactor/l1_core/frame.h"
#include "support/seed.h"
#include "tracing/span_generator.h"

namespace bitactor {
namespace {

using nlohmann::json;

SpanNames SomeNames() {
  return {.actor = [](uint32_t id) { return id == 7   ? "book \"7\""
                                            : id == 8 ? "feed"
                                                      : ""; },
          .type = [](uint32_t type) { return type == 1 ? "Quote" : ""; }};
}

SpanRecord Dispatch() {
  SpanRecord span;
  span.trace = 0xABC;
  span.span = 0x1122334455667788;
  span.parent_span = 0x99;
  span.sent_ns = 1'544'712'660'000'000'000;
  span.start_ns = span.sent_ns + 250;
  span.duration_ns = 1000;
  span.source = 8;
  span.target = 7;
  span.type = 1;
  span.shard = 3;
  span.kind = static_cast<uint8_t>(FrameKind::kCast);
  return span;
}

std::string Encoded(const std::vector<SpanRecord>& spans, OtlpOrigin origin = {}) {
  OtlpSpanEncoder encoder(std::move(origin), SomeNames());
  std::string body = "what was there";
  encoder.Encode(spans, body);
  return body;
}
json SpansOf(const std::string& body) {
  const json all = json::parse(body);
  return all["resourceSpans"][0]["scopeSpans"][0]["spans"];
}

TEST(OtlpSpansTest, ADispatchLetterByLetter) {
  EXPECT_EQ(
      Encoded({Dispatch()}, {.service_name = "market", .scope_version = "1.2", .trace_high = 0xF}),
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"market"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"bitactor","version":"1.2"},"spans":[)"
      R"({"traceId":"000000000000000f0000000000000abc","spanId":"1122334455667788",)"
      R"("parentSpanId":"0000000000000099","flags":257,"name":"book \"7\": Quote","kind":5,"attributes":[)"
      R"({"key":"bitactor.source","value":{"stringValue":"feed"}},)"
      R"({"key":"bitactor.target","value":{"stringValue":"book \"7\""}},)"
      R"({"key":"bitactor.type","value":{"stringValue":"Quote"}},)"
      R"({"key":"bitactor.message","value":{"stringValue":"cast"}},)"
      R"({"key":"bitactor.shard","value":{"intValue":"3"}},)"
      R"({"key":"bitactor.queue_wait_ns","value":{"intValue":"250"}}],)"
      R"("startTimeUnixNano":"1544712660000000250","endTimeUnixNano":"1544712660000001250"}]}]}]})");
}

TEST(OtlpSpansTest, ARootHasNoParentAndACallIsServed) {
  SpanRecord span = Dispatch();
  span.parent_span = 0;
  span.kind = static_cast<uint8_t>(FrameKind::kCall);
  const json root = SpansOf(Encoded({span}))[0];
  EXPECT_FALSE(root.contains("parentSpanId"));
  EXPECT_EQ(root["flags"], 1);
  EXPECT_EQ(root["kind"], 2);
  EXPECT_FALSE(root.contains("status"));
}

TEST(OtlpSpansTest, WhatWentWrongIsAnEventAndAFailureTheStatus) {
  std::vector<SpanRecord> spans(3, Dispatch());
  spans[0].outcome = SpanOutcome::kCrashed;
  spans[1].outcome = SpanOutcome::kDeadLettered;
  spans[2].outcome = SpanOutcome::kOverrun;
  const json all = SpansOf(Encoded(spans));
  const char* const names[] = {"crashed", "dead-lettered", "overrun"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(all[i]["events"], json::parse(R"([{"timeUnixNano":"1544712660000001250","name":")" +
                                            std::string(names[i]) + "\"}]"));
  }
  EXPECT_EQ(all[0]["status"], json::parse(R"({"code":2,"message":"crashed"})"));
  EXPECT_EQ(all[1]["status"]["code"], 2);
  EXPECT_FALSE(all[2].contains("status"));  // late, but handled
}

TEST(OtlpSpansTest, NoIdIsEverZero) {
  SpanRecord untraced = Dispatch();
  untraced.trace = 0;
  const json root = SpansOf(Encoded({untraced, SpanRecord{}}));
  // The root of a trace of its own: a parent would be of another one.
  EXPECT_EQ(root[0]["traceId"], "00000000000000001122334455667788");
  EXPECT_FALSE(root[0].contains("parentSpanId"));
  EXPECT_NE(root[1]["traceId"], std::string(32, '0'));
  EXPECT_NE(root[1]["spanId"], std::string(16, '0'));
}

TEST(OtlpSpansTest, TheOuterWorldsTraceIdIsAskedFor) {
  OtlpOrigin origin;
  origin.trace_id = [](uint64_t trace) { return TraceId{0xAA, trace + 1}; };
  EXPECT_EQ(SpansOf(Encoded({Dispatch()}, origin))[0]["traceId"],
            "00000000000000aa0000000000000abd");
}

TEST(OtlpSpansTest, AnyNamesGiveValidJsonAndLongOnesAreCut) {
  const std::string odd = "\x01\xff\"\\\n\xc3\xa9" + std::string(5000, 'x');
  OtlpSpanEncoder encoder({}, {.actor = [&](uint32_t) { return odd; }});
  std::string body;
  encoder.Encode(std::vector<SpanRecord>{Dispatch()}, body);
  const json span = SpansOf(body)[0];
  EXPECT_THAT(span["name"].get<std::string>(), ::testing::HasSubstr("\"\\\n\xc3\xa9xxx"));
  EXPECT_LT(body.size(), 6000u);
}

// Against nlohmann's reading of each field, under a seed that is printed.
TEST(OtlpSpansTest, EveryFieldOfRandomSpansComesThrough) {
  std::mt19937_64 random(test::Seed());
  const std::vector<SpanRecord> spans = test::RandomSpans(random, 300);
  std::map<uint64_t, int> asked;
  OtlpSpanEncoder encoder({}, {.actor = [&](uint32_t id) { return ++asked[id], ""; }});
  std::string body;
  encoder.Encode(spans, body);
  const json all = SpansOf(body);
  ASSERT_EQ(all.size(), spans.size());
  for (size_t i = 0; i < spans.size(); ++i) {
    const SpanRecord& span = spans[i];
    const json& seen = all[i];
    EXPECT_EQ(seen["spanId"], SpanIdToHex(span.span));
    EXPECT_EQ(seen["traceId"], (TraceId{0, span.trace != 0 ? span.trace : span.span}.ToHex()));
    EXPECT_EQ(seen["startTimeUnixNano"], std::to_string(span.start_ns));
    EXPECT_EQ(seen["endTimeUnixNano"], std::to_string(span.start_ns + span.duration_ns));
    EXPECT_EQ(seen["attributes"][5]["value"]["intValue"],
              std::to_string(std::max(span.start_ns, span.sent_ns) - span.sent_ns));
    EXPECT_EQ(seen["attributes"][0]["value"]["stringValue"],
              "actor " + std::to_string(span.source));
    EXPECT_EQ(seen.contains("status"),
              span.outcome == SpanOutcome::kCrashed || span.outcome == SpanOutcome::kDeadLettered);
  }
  const std::map<uint64_t, int> first = asked;
  encoder.Encode(spans, body);
  EXPECT_EQ(asked, first) << "names are remembered";
}

TEST(OtlpSpansTest, ASpanWithAllThatThereIs) {
  OtlpSpan span;
  span.trace_id = {1, 2};
  span.span_id = 3;
  span.parent_id = 4;
  span.tracestate = "a=b";
  span.flags = 0x301;
  span.name = "parse";
  span.kind = OtlpSpan::Kind::kClient;
  span.start_unix_ns = 10;
  span.end_unix_ns = 20;
  span.attributes = {{"b", true}, {"d", 0.5}, {"i", int64_t{-7}}};
  span.events = {{.time_unix_ns = 15,
                  .name = "retry",
                  .attributes = {{"n", int64_t{1}}},
                  .dropped_attributes = 5}};
  span.links = {{.trace_id = {5, 6}, .span_id = 7, .tracestate = "c=d", .flags = 1}};
  span.dropped_attributes = 1;
  span.dropped_events = 2;
  span.dropped_links = 3;
  span.status = OtlpSpan::Status::kError;
  span.status_message = "broken";
  EXPECT_EQ(SpansOf(EncodeOtlpSpans({}, std::vector<OtlpSpan>{span}))[0], json::parse(R"({
    "traceId":"00000000000000010000000000000002","spanId":"0000000000000003",
    "traceState":"a=b","parentSpanId":"0000000000000004","flags":769,"name":"parse","kind":3,
    "startTimeUnixNano":"10","endTimeUnixNano":"20",
    "attributes":[{"key":"b","value":{"boolValue":true}},{"key":"d","value":{"doubleValue":0.5}},
                  {"key":"i","value":{"intValue":"-7"}}],"droppedAttributesCount":1,
    "events":[{"timeUnixNano":"15","name":"retry","droppedAttributesCount":5,
               "attributes":[{"key":"n","value":{"intValue":"1"}}]}],"droppedEventsCount":2,
    "links":[{"traceId":"00000000000000050000000000000006","spanId":"0000000000000007",
              "traceState":"c=d","flags":1}],"droppedLinksCount":3,
    "status":{"code":2,"message":"broken"}})"));
}

// ---- official examples ---------------------------------------------------------------------------

// Whoever wrote the examples; their ids are in upper case.
const OtlpOrigin kExampleOrigin = {
    .service_name = "my.service",
    .scope_name = "my.library",
    .scope_version = "1.0.0",
    .scope_attributes = {{"my.scope.attribute", "some scope attribute"}}};

json Example(const char* name) {
  std::ifstream file(std::string(BITACTOR_SHARED_DATA) + "/otlp/" + name);
  return file ? json::parse(file) : json();
}

TEST(OtlpExampleTest, TheTraceIsWhatWeWouldWrite) {
  json example = Example("trace.json");
  if (example.is_null()) GTEST_SKIP() << "skipped: no example documents";
  json& theirs = example["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  for (const char* id : {"traceId", "spanId", "parentSpanId"}) {
    theirs[id] = absl::AsciiStrToLower(theirs[id].get<std::string>());
  }
  OtlpSpan span;
  span.trace_id = {0x5B8EFFF798038103, 0xD269B633813FC60C};
  span.span_id = 0xEEE19B7EC3C1B174;
  span.parent_id = 0xEEE19B7EC3C1B173;
  span.name = "I'm a server span";
  span.kind = OtlpSpan::Kind::kServer;
  span.start_unix_ns = 1'544'712'660'000'000'000;
  span.end_unix_ns = 1'544'712'661'000'000'000;
  span.attributes = {{"my.span.attr", "some value"}};
  EXPECT_EQ(json::parse(EncodeOtlpSpans(kExampleOrigin, std::vector<OtlpSpan>{span})), example);
}

MetricsSnapshot ExampleSnapshot() {
  MetricsSnapshot snapshot;
  snapshot.start_unix_ns = snapshot.time_unix_ns = 1'544'712'660'300'000'000;
  const auto family = [&](const char* name, const char* help, MetricKind kind, auto value) {
    const std::string label = std::string(name) + ".attr";
    snapshot.families.push_back(
        {.name = name,
         .help = help,
         .unit = "1",
         .kind = kind,
         .points = {{.labels = {{label, "some value"}}, .value = value, .exemplars = {}}}});
  };
  family("my.counter", "I am a Counter", MetricKind::kCounter, 5.0);
  family("my.gauge", "I am a Gauge", MetricKind::kGauge, 10.0);
  family("my.histogram", "I am a Histogram", MetricKind::kHistogram,
         HistogramValue{.count = 2, .sum = 2, .min = 0, .max = 2, .bounds = {1}, .counts = {1, 1}});
  return snapshot;
}

TEST(OtlpExampleTest, TheMetricsAreWhatWeWouldWrite) {
  json example = Example("metrics.json");
  if (example.is_null()) GTEST_SKIP() << "skipped: no example documents";
  json& metrics = example["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
  ASSERT_EQ(metrics[3]["name"], "my.exponential.histogram");
  metrics.erase(3);  // we have none
  // Theirs are what came since the last time, ours since the start.
  metrics[0]["sum"]["aggregationTemporality"] = 2;
  metrics[2]["histogram"]["aggregationTemporality"] = 2;
  EXPECT_EQ(json::parse(EncodeOtlpMetrics(kExampleOrigin, ExampleSnapshot())), example);
}

TEST(OtlpMetricsTest, IntegersStayExactAndOddNumbersAreText) {
  MetricsSnapshot snapshot;
  MetricFamily family;
  family.name = "depth";
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    family.points.push_back({.labels = {}, .value = value, .exemplars = {}});
  }
  family.points.push_back(
      {.labels = {}, .value = std::numeric_limits<int64_t>::max(), .exemplars = {}});
  snapshot.families = {family};
  const json body = json::parse(EncodeOtlpMetrics({}, snapshot));
  const json metric = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
  EXPECT_FALSE(metric.contains("unit"));
  const json points = metric["gauge"]["dataPoints"];
  EXPECT_EQ(points[0]["asDouble"], "NaN");
  EXPECT_EQ(points[1]["asDouble"], "Infinity");
  EXPECT_EQ(points[2]["asDouble"], "-Infinity");
  EXPECT_EQ(points[3]["asInt"], "9223372036854775807");
  EXPECT_FALSE(points[0].contains("startTimeUnixNano"));
}

TEST(OtlpMetricsTest, AnExemplarLeadsToItsSpan) {
  MetricsSnapshot snapshot = ExampleSnapshot();
  snapshot.families[2].points[0].exemplars = {
      {.value = 2, .time_unix_ns = 9, .trace = 0xAB, .span = 0xCD},
      {.value = 1, .time_unix_ns = 8}};
  snapshot.families[2].points[0].value = HistogramValue{.counts = {0}};
  OtlpOrigin origin;
  origin.trace_high = 1;
  const json body = json::parse(EncodeOtlpMetrics(origin, snapshot));
  const json point =
      body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][2]["histogram"]["dataPoints"][0];
  EXPECT_EQ(point["exemplars"], json::parse(R"([
    {"timeUnixNano":"9","asDouble":2,"traceId":"000000000000000100000000000000ab",
     "spanId":"00000000000000cd"},{"timeUnixNano":"8","asDouble":1}])"));
  EXPECT_FALSE(point.contains("min")) << "of no values";
}

}  // namespace
}  // namespace bitactor
