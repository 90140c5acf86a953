#include "bitactor/tracing/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace bitactor {
namespace {

TEST(LatencyHistogramTest, IsEmptyAtFirst) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min_ns(), 0u);
  EXPECT_EQ(histogram.max_ns(), 0u);
  EXPECT_EQ(histogram.Percentile(50), 0u);
}

TEST(LatencyHistogramTest, IsExactForSmallValues) {
  LatencyHistogram histogram;
  for (uint64_t value = 0; value < 64; ++value) histogram.Record(value);
  for (uint64_t value = 0; value < 64; ++value) {
    EXPECT_EQ(histogram.Percentile(100.0 * static_cast<double>(value + 1) / 64), value);
  }
}

TEST(LatencyHistogramTest, KeepsMinimumAndMaximumExactly) {
  LatencyHistogram histogram;
  histogram.Record(123'457);
  histogram.Record(987'654'321);
  EXPECT_EQ(histogram.min_ns(), 123'457u);
  EXPECT_EQ(histogram.max_ns(), 987'654'321u);
  EXPECT_EQ(histogram.Percentile(0), 123'457u);
  EXPECT_EQ(histogram.Percentile(100), 987'654'321u);
}

TEST(LatencyHistogramTest, HoldsTheLargestValue) {
  LatencyHistogram histogram;
  histogram.Record(std::numeric_limits<uint64_t>::max());
  histogram.Record(0);
  EXPECT_EQ(histogram.Percentile(100), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(histogram.Percentile(50), 0u);
}

// One value with a larger one behind it, so that its bucket's end is what is reported.
TEST(LatencyHistogramTest, OverstatesByAtMostThreeAndAFifthPercentAndNeverUnderstates) {
  for (unsigned shift = 0; shift < 63; ++shift) {
    for (const uint64_t low : {uint64_t{1}, uint64_t{0x155555555}, uint64_t{0x1FFFFFFFF}}) {
      const uint64_t value = shift < 33 ? (low >> (33 - shift)) : (low << (shift - 33));
      if (value == 0 || value > (uint64_t{1} << 62)) continue;
      LatencyHistogram histogram;
      histogram.Record(0);
      histogram.Record(value);
      histogram.Record(std::numeric_limits<uint64_t>::max());
      const uint64_t told = histogram.Percentile(60);
      ASSERT_GE(told, value);
      ASSERT_LE(static_cast<double>(told - value), 0.032 * static_cast<double>(value)) << value;
    }
  }
}

TEST(LatencyHistogramTest, AgreesWithASortedList) {
  const char* const given = std::getenv("BITACTOR_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20240613;
  SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  LatencyHistogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    values.push_back(value);
    histogram.Record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto rank =
        static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    const uint64_t exact = values[rank - 1];
    const uint64_t told = histogram.Percentile(percent);
    EXPECT_GE(told, exact) << percent;
    EXPECT_LE(static_cast<double>(told - exact), 0.032 * static_cast<double>(exact)) << percent;
  }
}

TEST(LatencyHistogramTest, MergingEqualsRecordingBoth) {
  LatencyHistogram a;
  LatencyHistogram b;
  LatencyHistogram both;
  for (uint64_t i = 0; i < 1000; ++i) {
    (i % 2 == 0 ? a : b).Record(i * i);
    both.Record(i * i);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.min_ns(), both.min_ns());
  EXPECT_EQ(a.max_ns(), both.max_ns());
  for (const double percent : {10.0, 50.0, 99.0}) {
    EXPECT_EQ(a.Percentile(percent), both.Percentile(percent));
  }
}

TEST(LatencyHistogramTest, MergingNothingChangesNothing) {
  LatencyHistogram a;
  a.Record(77);
  a.Merge(LatencyHistogram());
  EXPECT_EQ(a.count(), 1u);
  EXPECT_EQ(a.min_ns(), 77u);
  EXPECT_EQ(a.max_ns(), 77u);
}

}  // namespace
}  // namespace bitactor
