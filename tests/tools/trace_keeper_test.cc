#include "observe/trace_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace bitactor::observe {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kMinute = 60'000'000'000;

SpanRecord SpanOf(uint64_t trace, uint64_t span, uint64_t parent, uint64_t sent_ns,
                  uint64_t start_ns, uint32_t duration_ns) {
  SpanRecord record;
  record.trace = trace;
  record.span = span;
  record.parent_span = parent;
  record.sent_ns = sent_ns;
  record.start_ns = start_ns;
  record.duration_ns = duration_ns;
  return record;
}

TEST(TraceKeeperTest, ATraceLastsFromItsFirstMessageToItsLastDispatch) {
  TraceKeeper keeper;
  keeper.Add(std::vector{SpanOf(7, 3, 2, 150, 200, 50), SpanOf(7, 2, 1, 110, 120, 40),
                         SpanOf(7, 1, 0, 100, 105, 10), SpanOf(0, 9, 0, 0, 9999, 9)},
             1000);
  ASSERT_EQ(keeper.traces().size(), 1u);
  const KeptTrace& trace = keeper.traces()[0];
  EXPECT_EQ(trace.total_ns(), 150u);
  EXPECT_EQ(trace.spans[0].span, 1u);
  EXPECT_THAT(trace.depths, ElementsAre(0, 1, 2));
}

// Spans of a batch share its time in equal parts: 2, sent by 1 to another shard, seems to begin first.
TEST(TraceKeeperTest, DepthsDoNotDependOnHowABatchSharedItsTime) {
  TraceKeeper keeper;
  keeper.Add(std::vector{SpanOf(7, 1, 0, 100, 160, 20), SpanOf(7, 2, 1, 130, 150, 5)}, 1000);
  ASSERT_EQ(keeper.traces().size(), 1u);
  EXPECT_EQ(keeper.traces()[0].spans[0].span, 2u);
  EXPECT_THAT(keeper.traces()[0].depths, ElementsAre(1, 0));
}

TEST(TraceKeeperTest, TheSlowestStayForAMinuteAndTheFullestReadingOfEachCounts) {
  TraceKeeper keeper;
  keeper.Add(std::vector{SpanOf(1, 1, 0, 0, 10, 10)}, 100);
  for (uint64_t trace = 2; trace < 40; ++trace) {
    keeper.Add(std::vector{SpanOf(trace, 1, 0, 1000, 1000 + trace, 10)}, 2000);
  }
  ASSERT_EQ(keeper.traces().size(), TraceKeeper::kKept);
  EXPECT_EQ(keeper.traces().front().trace, 39u);
  EXPECT_EQ(keeper.traces().back().trace, 28u);
  keeper.Add(std::vector{SpanOf(39, 1, 0, 1000, 1039, 10), SpanOf(39, 2, 1, 1040, 1045, 5)}, 3000);
  EXPECT_EQ(keeper.traces().size(), TraceKeeper::kKept);
  EXPECT_EQ(keeper.traces().front().spans.size(), 2u);
  // Part of it alone, later: the other spans were overwritten.
  keeper.Add(std::vector{SpanOf(39, 2, 1, 1040, 1045, 5)}, 4000);
  EXPECT_EQ(keeper.traces().front().spans.size(), 2u);
  keeper.Add({}, 1000 + kMinute + 1000);
  EXPECT_TRUE(keeper.traces().empty());
}

}  // namespace
}  // namespace bitactor::observe
