#include "bitactor/tracing_export/prometheus_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <variant>

#include "bitactor/tracing/metrics.h"
#include "support/seed.h"
#include "support/temp_dir.h"
#include "tracing_export/metrics_text_parser.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string TextOf(const MetricsSnapshot& snapshot, MetricsText text) {
  std::string out;
  AppendMetricsText(out, snapshot, text);
  return out;
}

MetricsSnapshot Sample() {
  MetricsSnapshot snapshot;
  snapshot.families.push_back(
      {"calls", "Calls, with \"quotes\",\\ and\nlines.", "", MetricKind::kCounter, {}});
  snapshot.families.back().points.push_back(
      {.labels = {{"to", "a \"b\"\\c\nd"}}, .value = int64_t{7}, .exemplars = {}});
  snapshot.families.push_back({"depth", "Depth.", "", MetricKind::kGauge, {}});
  snapshot.families.back().points.push_back({.labels = {}, .value = 0.25, .exemplars = {}});
  snapshot.families.push_back({"wait_seconds", "Wait.", "seconds", MetricKind::kHistogram, {}});
  HistogramValue value;
  value.count = 6;
  value.sum = 12.5;
  value.bounds = {1e-7, 1};
  value.counts = {1, 2, 3};
  snapshot.families.back().points.push_back(
      {.labels = {{"of", "x"}},
       .value = value,
       .exemplars = {{0.5, 1'000'000'000, 1, 2}, {0.75, 2'345'000'000, 0xABC, 0xDEF}}});
  return snapshot;
}

TEST(PrometheusTextTest, TextLooksAsScraped) {
  EXPECT_EQ(TextOf(Sample(), MetricsText::kPrometheus),
            "# TYPE calls_total counter\n"
            "# HELP calls_total Calls, with \"quotes\",\\\\ and\\nlines.\n"
            "calls_total{to=\"a \\\"b\\\"\\\\c\\nd\"} 7\n"
            "# TYPE depth gauge\n"
            "# HELP depth Depth.\n"
            "depth 0.25\n"
            "# TYPE wait_seconds histogram\n"
            "# HELP wait_seconds Wait.\n"
            "wait_seconds_bucket{of=\"x\",le=\"1e-07\"} 1\n"
            "wait_seconds_bucket{of=\"x\",le=\"1.0\"} 3\n"
            "wait_seconds_bucket{of=\"x\",le=\"+Inf\"} 6\n"
            "wait_seconds_sum{of=\"x\"} 12.5\n"
            "wait_seconds_count{of=\"x\"} 6\n");
}

TEST(PrometheusTextTest, OpenMetricsAddsUnitsTheLatestExemplarsAndAnEnd) {
  const test::MetricsTextParser parsed(TextOf(Sample(), MetricsText::kOpenMetrics));
  EXPECT_TRUE(parsed.ended());
  EXPECT_EQ(parsed.families().at("calls").type, "counter");
  EXPECT_EQ(parsed.families().at("calls").samples.at(0).name, "calls_total");
  EXPECT_EQ(parsed.families().at("calls").help, "Calls, with \"quotes\",\\ and\nlines.");
  const test::TextFamily& wait = parsed.families().at("wait_seconds");
  EXPECT_EQ(wait.unit, "seconds");
  EXPECT_TRUE(wait.samples.at(0).exemplar.empty());
  EXPECT_THAT(wait.samples.at(1).exemplar,
              ElementsAre(Pair("", "0.75"), Pair("span_id", "0000000000000def"),
                          Pair("trace_id", "00000000000000000000000000000abc")));
  EXPECT_THAT(TextOf(Sample(), MetricsText::kOpenMetrics), HasSubstr("} 0.75 2.345\n"));
}

TEST(PrometheusTextTest, AcceptDecidesOnTheFormat) {
  const auto open = [](const char* accept) {
    return ChooseMetricsText(accept) == MetricsText::kOpenMetrics;
  };
  // Prometheus 2.42's own.
  EXPECT_TRUE(
      open("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
           "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_TRUE(open("Application/OpenMetrics-Text"));
  EXPECT_FALSE(open("application/openmetrics-text;version=2.0.0, text/plain"));
  EXPECT_FALSE(open("application/openmetrics-text;q=0.3, text/plain;q=0.9"));
  EXPECT_FALSE(open("application/openmetrics-text;q=0"));
  EXPECT_FALSE(open("application/openmetrics-text;q=x"));
  EXPECT_FALSE(open("text/html,*/*"));
  EXPECT_FALSE(open(""));
  EXPECT_FALSE(open(";;,,=;q"));
}

// Whatever bytes are in a label, and whatever the values: the parser reads back what was there.
TEST(PrometheusTextTest, ARandomRegistryReadsBackAsItWas) {
  std::mt19937_64 random(test::Seed());
  MetricsRegistry registry(0);
  auto counters = registry.AddCounters({.name = "c", .help = "C.", .labels = {"l"}});
  auto gauges = registry.AddGauges({.name = "g", .help = "G.", .labels = {"l"}});
  auto histograms = registry.AddHistograms({.name = "h", .help = "H.", .scale = 1e-9});
  ASSERT_TRUE(counters.ok() && gauges.ok() && histograms.ok());
  for (int i = 0; i < 50; ++i) {
    std::string label;
    for (size_t n = random() % 12; n > 0; --n) label += static_cast<char>(random());
    counters->Of({label}).Add(random() % 1000);
    gauges->Of({label}).Set(static_cast<double>(random()) / 3 - 1e18);
    histograms->Of({}).Record(random() >> (random() % 64), 1, random(), random());
  }
  const MetricsSnapshot snapshot = registry.Collect(0);
  for (const MetricsText text : {MetricsText::kPrometheus, MetricsText::kOpenMetrics}) {
    const test::MetricsTextParser parsed(TextOf(snapshot, text));
    ASSERT_EQ(parsed.families().size(), snapshot.families.size());
    for (const MetricFamily& family : snapshot.families) {
      const bool total = text == MetricsText::kPrometheus && family.kind == MetricKind::kCounter;
      const test::TextFamily& read = parsed.families().at(family.name + (total ? "_total" : ""));
      EXPECT_EQ(read.help, family.help);
      if (family.kind == MetricKind::kHistogram) {
        const auto& value = std::get<HistogramValue>(family.points.at(0).value);
        ASSERT_EQ(read.samples.size(), value.counts.size() + 2);
        uint64_t before = 0;
        for (size_t i = 0; i < value.counts.size(); ++i) {
          const uint64_t up_to = std::strtoull(read.samples[i].value.c_str(), nullptr, 10);
          EXPECT_EQ(up_to - before, value.counts[i]);
          before = up_to;
        }
        continue;
      }
      ASSERT_EQ(read.samples.size(), family.points.size());
      for (size_t i = 0; i < family.points.size(); ++i) {
        for (const auto& [name, shown] : family.points[i].labels) {
          EXPECT_EQ(read.samples[i].labels.at(name), shown);
        }
        const double number = std::strtod(read.samples[i].value.c_str(), nullptr);
        if (const auto* whole = std::get_if<int64_t>(&family.points[i].value)) {
          EXPECT_EQ(number, static_cast<double>(*whole));
        } else {
          EXPECT_EQ(number, std::get<double>(family.points[i].value));
        }
      }
    }
  }
}

TEST(PrometheusTextTest, PromtoolFindsNothingWrong) {
  if (std::system("command -v promtool > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "skipped: no promtool; Debian's package prometheus brings it";
  }
  const test::TempDir dir;
  std::ofstream(dir.File("metrics")) << TextOf(Sample(), MetricsText::kPrometheus);
  EXPECT_EQ(std::system(("promtool check metrics < " + dir.File("metrics")).c_str()), 0);
}

}  // namespace
}  // namespace bitactor
