#include "bitactor/tracing/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const MetricFamily& FamilyOf(const MetricsSnapshot& snapshot, const std::string& name) {
  for (const MetricFamily& family : snapshot.families) {
    if (family.name == name) return family;
  }
  ADD_FAILURE() << "no family " << name;
  static const MetricFamily none;
  return none;
}

int64_t WholeOf(const MetricPoint& point) { return std::get<int64_t>(point.value); }

int64_t RefusedIn(const MetricsSnapshot& snapshot) {
  return WholeOf(FamilyOf(snapshot, "bitactor_metrics_refused").points.at(0));
}

TEST(MetricsTest, CellsOfOneLabelSetAddUpOverTheirWriters) {
  MetricsRegistry registry(5);
  auto orders = registry.AddCounters({.name = "orders", .help = "Orders.", .labels = {"venue"}});
  ASSERT_TRUE(orders.ok()) << orders.status();
  orders->Of({"xetra"}, 0).Add(2);
  orders->Of({"xetra"}, 1).Add(3);
  orders->Of({"arca"}).Add();
  EXPECT_EQ(&orders->Of({"xetra"}, 1), &orders->Of({"xetra"}, 1));
  const MetricsSnapshot snapshot = registry.Collect(9);
  EXPECT_EQ(snapshot.start_unix_ns, 5u);
  EXPECT_EQ(snapshot.time_unix_ns, 9u);
  const MetricFamily& family = FamilyOf(snapshot, "orders");
  EXPECT_EQ(family.kind, MetricKind::kCounter);
  ASSERT_EQ(family.points.size(), 2u);
  EXPECT_THAT(family.points[0].labels, ElementsAre(Pair("venue", "arca")));
  EXPECT_EQ(WholeOf(family.points[0]), 1);
  EXPECT_EQ(WholeOf(family.points[1]), 5);
}

TEST(MetricsTest, LabelsComeByNameAndKeepTheirValues) {
  MetricsRegistry registry(0);
  auto depth = registry.AddGauges({.name = "depth", .help = "Depth.", .labels = {"b", "a"}});
  ASSERT_TRUE(depth.ok());
  depth->Of({"of b", "of a"}).Set(1.5);
  const MetricPoint point = FamilyOf(registry.Collect(0), "depth").points.at(0);
  EXPECT_THAT(point.labels, ElementsAre(Pair("a", "of a"), Pair("b", "of b")));
  EXPECT_EQ(std::get<double>(point.value), 1.5);
}

TEST(MetricsTest, SeriesBeyondTheLimitShareOneAndAreCounted) {
  MetricsRegistry registry(0);
  auto hits =
      registry.AddCounters({.name = "hits", .help = "Hits.", .labels = {"user"}, .max_series = 2});
  ASSERT_TRUE(hits.ok());
  for (const char* user : {"a", "b", "c", "d"}) hits->Of({user}).Add(10);
  hits->Of({"a"}).Add(1);
  const MetricsSnapshot snapshot = registry.Collect(0);
  const MetricFamily& family = FamilyOf(snapshot, "hits");
  ASSERT_EQ(family.points.size(), 3u);
  EXPECT_THAT(family.points[0].labels, ElementsAre(Pair("user", "_other")));
  EXPECT_EQ(WholeOf(family.points[0]), 20);
  EXPECT_EQ(WholeOf(family.points[1]), 11);
  EXPECT_EQ(RefusedIn(snapshot), 2);
}

TEST(MetricsTest, WhatCannotBeAMetricIsRefusedByNameAndRule) {
  MetricsRegistry registry(0);
  ASSERT_TRUE(registry.AddGauges({.name = "taken", .help = "h"}).ok());
  const std::vector<std::pair<MetricOptions, std::string>> cases = {
      {{.name = "", .help = "h"}, "a name is of 1 to"},
      {{.name = "9lives", .help = "h"}, "begins with no digit"},
      {{.name = "a-b", .help = "h"}, "\"a-b\""},
      {{.name = "a_total", .help = "h"}, "_total is for exporters"},
      {{.name = "a_count", .help = "h"}, "_count is for exporters"},
      {{.name = "a"}, "help is empty"},
      {{.name = "a", .help = "h", .unit = "seconds"}, "ends with its unit"},
      {{.name = "a", .help = "h", .labels = {"__name"}}, "\"__name\""},
      {{.name = "a", .help = "h", .labels = {"x", "x"}}, "twice"},
      {{.name = "a", .help = "h", .labels = {"le"}}, "\"le\""},
      {{.name = "a", .help = "h", .max_series = 0}, "max_series is 0; give 1 to 100000"},
      {{.name = "a", .help = "h", .scale = 0}, "scale is 0"},
      {{.name = "a", .help = "h", .bounds = {1, 1}}, "bound 1 is 1"},
      {{.name = "taken", .help = "h"}, "\"taken\" is there already"},
      {{.name = "bitactor_metrics_refused", .help = "h"}, "is there already"},
  };
  for (const auto& [options, says] : cases) {
    const auto added = registry.AddHistograms(options);
    ASSERT_FALSE(added.ok()) << options.name << " / " << says;
    EXPECT_THAT(std::string(added.status().message()), HasSubstr(says));
  }
  // A provider's families are added all or none.
  EXPECT_FALSE(registry
                   .AddProvider({{MetricKind::kGauge, {.name = "fine", .help = "h"}},
                                 {MetricKind::kGauge, {.name = "taken", .help = "h"}}},
                                [](MetricsSink&) {})
                   .ok());
  EXPECT_TRUE(registry.AddGauges({.name = "fine", .help = "h"}).ok());
}

TEST(MetricsTest, AHistogramShowsWhatWasRecordedWithItsExemplars) {
  MetricsRegistry registry(0);
  auto waits = registry.AddHistograms({.name = "wait_seconds",
                                       .help = "Wait.",
                                       .unit = "seconds",
                                       .scale = 1e-9,
                                       .bounds = {1e-6, 1e-3}});
  ASSERT_TRUE(waits.ok());
  waits->Of({}, 0).Record(900);
  waits->Of({}, 0).Record(2'000'000, 77, 5, 6);
  waits->Of({}, 1).Record(20'000);
  const MetricPoint point = FamilyOf(registry.Collect(0), "wait_seconds").points.at(0);
  const auto& value = std::get<HistogramValue>(point.value);
  EXPECT_EQ(value.count, 3u);
  EXPECT_THAT(value.counts, ElementsAre(1, 1, 1));
  EXPECT_DOUBLE_EQ(value.sum, 2'020'900e-9);
  EXPECT_DOUBLE_EQ(value.min, 9e-7);
  EXPECT_DOUBLE_EQ(value.max, 2e-3);
  ASSERT_EQ(point.exemplars.size(), 1u);
  EXPECT_DOUBLE_EQ(point.exemplars[0].value, 2e-3);
  EXPECT_EQ(point.exemplars[0].time_unix_ns, 77u);
  EXPECT_EQ(point.exemplars[0].trace, 5u);
  EXPECT_EQ(point.exemplars[0].span, 6u);
}

// Against counting every value: none is shown in too low a bucket, nor more than 1/32 too high.
TEST(MetricsTest, BucketsAreNeverUnderstatedAndTheSumIsClose) {
  std::mt19937_64 random(test::Seed());
  LatencyHistogram histogram;
  std::vector<uint64_t> values;
  double sum = 0;
  for (int i = 0; i < 2000; ++i) {
    values.push_back(random() >> (random() % 40 + 24));
    histogram.Record(values.back());
    sum += static_cast<double>(values.back());
  }
  const std::vector<double> bounds = LatencyBounds();
  const HistogramValue shown = ToHistogramValue(histogram, bounds, 1e-9);
  EXPECT_EQ(shown.count, values.size());
  EXPECT_NEAR(shown.sum, sum * 1e-9, sum * 1e-9 / 30);
  uint64_t up_to = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    up_to += shown.counts[i];
    const auto at_most = [&](double bound_ns) {
      return static_cast<uint64_t>(std::count_if(values.begin(), values.end(), [&](uint64_t value) {
        return static_cast<double>(value) <= bound_ns;
      }));
    };
    EXPECT_LE(up_to, at_most(bounds[i] * 1e9 * (1 + 1e-9)));
    EXPECT_GE(up_to, at_most(bounds[i] * 1e9 * 31 / 32));
  }
  EXPECT_EQ(up_to + shown.counts.back(), values.size());
}

TEST(MetricsTest, AProviderIsAskedAtEachCollectionAndWhatDoesNotFitIsCounted) {
  MetricsRegistry registry(0);
  uint64_t asked = 0;
  ASSERT_TRUE(
      registry
          .AddProvider({{MetricKind::kCounter,
                         {.name = "sent", .help = "Sent.", .labels = {"port"}, .max_series = 2}},
                        {MetricKind::kHistogram, {.name = "took", .help = "Took."}}},
                       [&](MetricsSink& sink) {
                         ++asked;
                         sink.Put(0, {"1"}, asked);
                         sink.Put(0, {"1"}, uint64_t{9});  // twice
                         sink.Put(0, {"\xff"}, uint64_t{2});
                         sink.Put(0, {"3"}, uint64_t{3});  // no room
                         sink.Put(0, {"a", "b"}, 1.0);     // two labels
                         sink.Put(1, {}, uint64_t{1});     // no histogram
                         sink.Put(0, {"4"}, LatencyHistogram{});
                       })
          .ok());
  registry.Collect(0);
  const MetricsSnapshot snapshot = registry.Collect(0);
  const MetricFamily& sent = FamilyOf(snapshot, "sent");
  ASSERT_EQ(sent.points.size(), 3u);
  EXPECT_EQ(WholeOf(sent.points[0]), 2);  // port 1, of this collection alone
  EXPECT_THAT(sent.points[1].labels, ElementsAre(Pair("port", "_other")));
  EXPECT_THAT(sent.points[2].labels, ElementsAre(Pair("port", "\xEF\xBF\xBD")));
  EXPECT_TRUE(FamilyOf(snapshot, "took").points.empty());
  EXPECT_EQ(RefusedIn(snapshot), 10);
}

// One writer, one reader: counts never fall, and exemplars are never torn.
TEST(MetricsTest, CellsAreReadWhileTheyAreWritten) {
  constexpr uint64_t kValues = 20'000;
  MetricsRegistry registry(0);
  auto counts = registry.AddCounters({.name = "counted", .help = "Counted."});
  auto sizes = registry.AddHistograms({.name = "sized", .help = "Sized."});
  ASSERT_TRUE(counts.ok() && sizes.ok());
  HistogramCell& histogram = sizes->Of({});
  CounterCell& counter = counts->Of({});
  std::jthread writer([&] {
    for (uint64_t i = 1; i <= kValues; ++i) {
      counter.Add();
      histogram.Record(i, i, i, i);
    }
  });
  int64_t before = 0;
  while (before < static_cast<int64_t>(kValues)) {
    const MetricsSnapshot snapshot = registry.Collect(0);
    const int64_t now = WholeOf(FamilyOf(snapshot, "counted").points.at(0));
    ASSERT_GE(now, before);
    before = now;
    for (const MetricExemplar& exemplar : FamilyOf(snapshot, "sized").points.at(0).exemplars) {
      ASSERT_EQ(exemplar.trace, exemplar.span);
      ASSERT_EQ(exemplar.trace, exemplar.time_unix_ns);
      ASSERT_EQ(static_cast<double>(exemplar.trace), exemplar.value);
    }
  }
  writer.join();
  EXPECT_EQ(
      std::get<HistogramValue>(FamilyOf(registry.Collect(0), "sized").points.at(0).value).count,
      kValues);
}

}  // namespace
}  // namespace bitactor
