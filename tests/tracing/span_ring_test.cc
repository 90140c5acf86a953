#include "bitactor/tracing/span_ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

SpanRecord Numbered(uint64_t number) {
  SpanRecord span;
  span.span = number;
  return span;
}

TEST(SpanRingTest, KeepsWhatWasRecordedInOrder) {
  SpanRing ring(8);
  for (uint64_t i = 1; i <= 5; ++i) ring.Record(Numbered(i));
  const std::vector<SpanRecord> spans = ring.Snapshot();
  ASSERT_EQ(spans.size(), 5u);
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(spans[i].span, i + 1);
  EXPECT_EQ(ring.dropped(), 0u);
}

TEST(SpanRingTest, OverwritesTheOldestAndCountsThem) {
  SpanRing ring(8);
  for (uint64_t i = 1; i <= 21; ++i) ring.Record(Numbered(i));
  const std::vector<SpanRecord> spans = ring.Snapshot();
  ASSERT_EQ(spans.size(), 8u);
  for (uint64_t i = 0; i < 8; ++i) EXPECT_EQ(spans[i].span, 14 + i);
  EXPECT_EQ(ring.recorded(), 21u);
  EXPECT_EQ(ring.dropped(), 13u);
}

TEST(SpanRingTest, DropsNothingAtExactlyItsCapacity) {
  SpanRing ring(4);
  for (uint64_t i = 1; i <= 4; ++i) ring.Record(Numbered(i));
  EXPECT_EQ(ring.dropped(), 0u);
  EXPECT_EQ(ring.Snapshot().front().span, 1u);
  ring.Record(Numbered(5));
  EXPECT_EQ(ring.dropped(), 1u);
  EXPECT_EQ(ring.Snapshot().front().span, 2u);
}

TEST(SpanRingTest, ASpanFilledInPlaceIsRecorded) {
  SpanRing ring(2);
  ring.Record(Numbered(1));
  ring.Next() = Numbered(2);
  EXPECT_EQ(ring.recorded(), 2u);
  EXPECT_EQ(ring.Snapshot().back().span, 2u);
}

TEST(SpanRingTest, AReaderThatComesAgainGetsEachSpanOnceOrHasItCounted) {
  std::mt19937_64 random(test::Seed());
  SpanRing ring(8);
  uint64_t position = 0;
  uint64_t overwritten = 0;
  uint64_t copied = 0;
  uint64_t last = 0;
  for (uint64_t recorded = 0; recorded < 2000;) {
    for (uint64_t more = random() % 12; more > 0; --more) ring.Record(Numbered(++recorded));
    std::vector<SpanRecord> out(random() % 9);
    const size_t count = ring.ReadFrom(position, out, overwritten);
    ASSERT_LE(count, out.size());
    for (size_t i = 0; i < count; ++i) {
      EXPECT_GT(out[i].span, last);
      last = out[i].span;
    }
    copied += count;
    ASSERT_EQ(position, copied + overwritten);
    if (count > 0) {
      EXPECT_EQ(last, position) << "the last one is just before the position";
    }
  }
  EXPECT_GT(overwritten, 0u);
  EXPECT_GT(copied, 0u);
}

TEST(SpanRingTest, AnEmptyRingHasNoSpans) { EXPECT_TRUE(SpanRing(2).Snapshot().empty()); }

TEST(SpanRingTest, Holds65536UnlessTold) { EXPECT_EQ(SpanRing().capacity(), 65536u); }

TEST(SpanRingDeathTest, CapacityMustBeAPowerOfTwo) {
  EXPECT_DEATH(SpanRing(0), "check failed");
  EXPECT_DEATH(SpanRing(1000), "check failed");
}

TEST(SpanOutcomeTest, EveryOutcomeHasItsName) {
  EXPECT_STREQ(SpanOutcomeName(SpanOutcome::kOk), "ok");
  EXPECT_STREQ(SpanOutcomeName(SpanOutcome::kCrashed), "crashed");
  EXPECT_STREQ(SpanOutcomeName(SpanOutcome::kDeadLettered), "dead-lettered");
  EXPECT_STREQ(SpanOutcomeName(SpanOutcome::kOverrun), "overrun");
}

}  // namespace
}  // namespace bitactor
