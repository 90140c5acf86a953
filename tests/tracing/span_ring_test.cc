#include "bitactor/tracing/span_ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

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
