#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/floor_loop.h"
#include "bench/harness.h"
#include "bench/latency_histogram.h"
#include "tools/bench_rows_fixture.h"

namespace bitactor::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

TEST(MedianTest, OddCountTakesTheMiddleOne) { EXPECT_EQ(Median({9, 1, 5}), 5); }
TEST(MedianTest, EvenCountTakesTheMeanOfTheMiddleTwo) { EXPECT_EQ(Median({9, 1, 5, 7}), 6); }

TEST(LatencyHistogramTest, SmallLatenciesAreExact) {
  for (uint64_t value = 0; value < 256; ++value) {
    LatencyHistogram histogram;
    histogram.Record(value);
    EXPECT_EQ(histogram.QuantileNs(0.5), value);
  }
}

TEST(LatencyHistogramTest, AnyLatencyIsKeptToOnePercent) {
  const char* from_environment = std::getenv("BITACTOR_SEED");
  const uint64_t seed =
      from_environment != nullptr ? std::strtoull(from_environment, nullptr, 10) : 20260101;
  SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    LatencyHistogram histogram;
    histogram.Record(value);
    const auto kept = static_cast<double>(histogram.QuantileNs(1));
    ASSERT_NEAR(kept, static_cast<double>(value), 0.01 * static_cast<double>(value)) << value;
  }
}

TEST(LatencyHistogramTest, QuantilesCutTheSortedValues) {
  LatencyHistogram histogram;
  for (uint64_t value = 1; value <= 200; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.QuantileNs(0), 1u);
  EXPECT_EQ(histogram.QuantileNs(0.5), 101u);
  EXPECT_EQ(histogram.QuantileNs(0.99), 199u);
  EXPECT_EQ(histogram.QuantileNs(1), 200u);
}

TEST(LatencyHistogramTest, MergedHistogramsCountTogether) {
  LatencyHistogram low, high;
  for (int i = 0; i < 3; ++i) low.Record(10);
  high.Record(20);
  low.Merge(high);
  EXPECT_EQ(low.count(), 4u);
  EXPECT_EQ(low.QuantileNs(0.74), 10u);
  EXPECT_EQ(low.QuantileNs(0.76), 20u);
}

TEST(LatencyHistogramTest, NothingRecordedIsZero) {
  EXPECT_EQ(LatencyHistogram().QuantileNs(0.5), 0u);
}

using HarnessTest = BenchRowsTest;

TEST_F(HarnessTest, RunsEveryRowOnceARound) {
  AddFake({.name = "a", .operations_max = 1}, {10});
  AddFake({.name = "b", .operations_max = 1}, {10});
  RunAll();
  std::vector<std::string> order;
  for (const Run& run : runs_) order.push_back(run.row);
  // The first of each finds the operations per run.
  EXPECT_THAT(order, ElementsAre("a", "b", "a", "b", "a", "b", "a", "b"));
}

TEST_F(HarnessTest, RunsAreAsLongAsAsked) {
  AddFake({.name = "cheap"}, {10});
  AddFake({.name = "dear"}, {250'000});
  const Results results = RunAll({.rounds = 1, .run_ns = 1'000'000});
  EXPECT_EQ(Find(results, "cheap")->operations, 100'000u);
  EXPECT_EQ(Find(results, "dear")->operations, 4u);
}

TEST_F(HarnessTest, RunsKeepToTheLimitsOfTheirRow) {
  AddFake({.name = "bounded", .operations_max = 50}, {10});
  AddFake({.name = "slow", .operations_min = 8}, {1'000'000});
  const Results results = RunAll();
  EXPECT_EQ(Find(results, "bounded")->operations, 50u);
  EXPECT_EQ(Find(results, "slow")->operations, 8u);
}

TEST_F(HarnessTest, ReportsMedianLeastAndMostOfTheRounds) {
  AddFake({.name = "row", .operations_max = 1}, {999'999, 30, 10, 20});  // the first is no round
  const Results results = RunAll();
  const RowResult* row = Find(results, "row");
  EXPECT_THAT(row->values, ElementsAre(30, 10, 20));
  EXPECT_EQ(row->median, 20);
  EXPECT_EQ(row->min, 10);
  EXPECT_EQ(row->max, 30);
}

TEST_F(HarnessTest, LatenciesOfAllRoundsAreCounted) {
  AddLatencies("latency", {100, 200, 201});
  const Results results = RunAll();
  EXPECT_EQ(Find(results, "latency")->median, 200);
  ASSERT_TRUE(Find(results, "latency")->latencies.has_value());
  EXPECT_EQ(Find(results, "latency")->latencies->count(), 9u);
}

TEST_F(HarnessTest, RatioIsToTheFloorOfTheSamePayload) {
  AddFake({.name = "l2/floor/16"}, {10});
  AddFake({.name = "l2/floor/64"}, {20});
  AddFake({.name = "l2/durable/16"}, {25});
  const Results results = RunAll();
  EXPECT_EQ(Find(results, "l2/durable/16")->floor, "l2/floor/16");
  EXPECT_EQ(Find(results, "l2/durable/16")->ratio_to_floor, 2.5);
}

TEST_F(HarnessTest, RatioWithoutAPayloadIsToTheFloorOf64Bytes) {
  AddFake({.name = "l2/floor/64"}, {20});
  AddFake({.name = "l3/call"}, {80});
  const Results results = RunAll();
  EXPECT_EQ(Find(results, "l3/call")->ratio_to_floor, 4);
}

TEST_F(HarnessTest, RatioToADeclaredBase) {
  AddFake({.name = "persistence/append_floor"}, {5});
  AddFake({.name = "persistence/append", .bases = {"persistence/append_floor"}}, {15});
  const Results results = RunAll();
  EXPECT_THAT(Find(results, "persistence/append")->ratios_to,
              ElementsAre(testing::Pair("persistence/append_floor", 3)));
}

TEST_F(HarnessTest, OnlyTimesOfOurOwnHaveAFloor) {
  AddFake({.name = "l2/floor/64"}, {20});
  AddFake({.name = "l2/throughput_2_shards", .unit = "M msg/s"}, {20});
  AddFake({.name = "machine/throw"}, {20});
  const Results results = RunAll();
  for (const RowResult& row : results.rows) EXPECT_FALSE(row.ratio_to_floor.has_value());
}

TEST_F(HarnessTest, ARowThatFailsIsListedAndTheOthersRun) {
  AddBroken("no_disk", absl::InternalError("cannot map '/x'"));
  AddBroken("no_core", absl::UnavailableError("needs 2 processors"));
  AddFake({.name = "good"}, {10});
  const Results results = RunAll();
  ASSERT_THAT(results.omitted, SizeIs(2));
  EXPECT_TRUE(results.omitted[0].failed);
  EXPECT_EQ(results.omitted[0].reason, "cannot map '/x'");
  EXPECT_FALSE(results.omitted[1].failed);
  EXPECT_THAT(results.rows, SizeIs(1));
}

TEST_F(HarnessTest, StateLivesFromTheSetUpToTheEndOfTheRounds) {
  std::weak_ptr<int> state;
  registry_.Add({.name = "row", .operations_max = 1}, [&](const Context&) -> absl::StatusOr<Body> {
    auto count = std::make_shared<int>(0);
    state = count;
    return [count](uint64_t) -> absl::StatusOr<Sample> { return Amount(++*count, 1); };
  });
  const Results results = RunAll();
  EXPECT_THAT(Find(results, "row")->values, ElementsAre(2, 3, 4));
  EXPECT_TRUE(state.expired());
}

using RegistryTest = BenchRowsTest;

std::vector<std::string> NamesOf(const std::vector<const Registry::Entry*>& entries) {
  std::vector<std::string> names;
  for (const Registry::Entry* entry : entries) names.push_back(entry->row.name);
  return names;
}

TEST_F(RegistryTest, SelectsWhatMatchesAndWhatItIsComparedWith) {
  AddFake({.name = "l2/floor/16"}, {1});
  AddFake({.name = "l2/floor/64"}, {1});
  AddFake({.name = "machine/spsc_rtt"}, {1});
  AddFake({.name = "l2/cross_core_rtt", .bases = {"machine/spsc_rtt"}}, {1});
  AddFake({.name = "l3/call"}, {1});
  EXPECT_THAT(NamesOf(*registry_.Select("^l2/cross.*rtt$")),
              ElementsAre("l2/floor/64", "machine/spsc_rtt", "l2/cross_core_rtt"));
}

TEST_F(RegistryTest, RefusesWhatIsNoExpression) {
  AddFake({.name = "l3/call"}, {1});
  const auto selected = registry_.Select("l3/(call");
  EXPECT_EQ(selected.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(selected.status().message()), HasSubstr("'l3/(call'"));
}

TEST_F(RegistryTest, NamesTheNearestRowsWhenNoneMatches) {
  for (const char* name : {"machine/rdtsc", "l3/call", "l3/cast", "l3/spawn", "l2/route"}) {
    AddFake({.name = name}, {1});
  }
  const auto selected = registry_.Select("l3/kall");
  EXPECT_EQ(selected.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(selected.status().message()), HasSubstr("l3/call, l3/cast, l3/spawn"));
}

template <size_t kPayloadBytes>
void ExpectTheFrameChecksum() {
  Frame frame{};
  frame.header.size_bytes = kPayloadBytes;
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = 0x0123'4567'89ab'cdef;
  for (size_t i = 0; i < kPayloadBytes; ++i) frame.payload[i] = static_cast<std::byte>(i * 7 + 1);
  EXPECT_EQ((FloorChecksums<kPayloadBytes, 1>({&frame})[0]), FrameChecksum(frame.header));
}

TEST(FloorLoopTest, ChecksTheSameBytesAsAFrame) {
  ExpectTheFrameChecksum<16>();
  ExpectTheFrameChecksum<64>();
  ExpectTheFrameChecksum<128>();
}

TEST(FloorLoopTest, StoresAFrameThatReadsAsWhole) {
  Frame frame{};
  frame.header.size_bytes = 64;
  frame.header.kind = FrameKind::kCast;
  std::fill(std::begin(frame.payload), std::end(frame.payload), std::byte{0x5A});
  Seal(frame);
  Frame stored{};
  StoreFrame(reinterpret_cast<std::byte*>(&stored), frame.header, StoredBytes(64));
  EXPECT_EQ(CheckFrame(stored.header), FrameFault::kOk);
  EXPECT_EQ(stored.payload[64], std::byte{0}) << "stored more than the frame's length";
}

}  // namespace
}  // namespace bitactor::bench
