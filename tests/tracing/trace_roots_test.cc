#include "bitactor/tracing/trace_roots.h"

#include <gtest/gtest.h>

#include <optional>

namespace bitactor {
namespace {

TraceRoot RootOf(uint64_t high, uint64_t low) {
  TraceRoot root;
  root.context.trace_id = {high, low};
  root.context.parent_id = 5;
  root.context.sampled = true;
  root.context.tracestate = {{"rojo", "1"}};
  root.baggage = {{.key = "user", .value = "7", .properties = {}}};
  return root;
}

TEST(TraceRootsTest, GivesBackTheWholeContextOfATrace) {
  TraceRoots roots;
  const TraceRoot root = RootOf(0x0af7651916cd43dd, 0x8448eb211c80319c);
  const uint64_t trace = LocalTraceOf(root.context.trace_id);
  EXPECT_NE(trace, 0u);
  EXPECT_TRUE(roots.TraceIdOf(trace).is_zero()) << "it is not known yet";
  roots.Note(root);
  EXPECT_EQ(roots.Find(trace), root);
  EXPECT_EQ(roots.TraceIdOf(trace), root.context.trace_id);
  const TraceContext context = roots.ContextAt(trace, 99, /*sampled=*/false);
  EXPECT_EQ(context.parent_id, 99u);
  EXPECT_FALSE(context.sampled);
  EXPECT_EQ(context.tracestate, root.context.tracestate);
}

TEST(TraceRootsTest, TheLocalIdTellsTracesApartAndIsNeverZero) {
  EXPECT_EQ(LocalTraceOf({0, 7}), 7u);
  EXPECT_NE(LocalTraceOf({1, 7}), LocalTraceOf({2, 7}));
  const uint64_t high_alone = LocalTraceOf({3, 0});
  EXPECT_NE(high_alone, 0u);
  EXPECT_NE(LocalTraceOf({3, high_alone}), 0u) << "where the halves would cancel out";
}

TEST(TraceRootsTest, KeepsTheLatestOfManyAndCountsTheOthers) {
  TraceRoots roots(/*capacity=*/2);
  for (const uint64_t low : {1, 2, 1, 3}) roots.Note(RootOf(0, low));
  EXPECT_EQ(roots.forgotten(), 1u);
  EXPECT_FALSE(roots.Find(1).has_value()) << "it began first";
  EXPECT_TRUE(roots.Find(2).has_value());
  EXPECT_TRUE(roots.Find(3).has_value());
}

TEST(TraceScopeTest, TheInnermostCountsAndTheOuterOneComesBack) {
  EXPECT_EQ(TraceScope::Current(), nullptr);
  {
    TraceScope outer(RootOf(0, 1));
    {
      const TraceScope inner(RootOf(0, 2));
      EXPECT_EQ(TraceScope::Current()->trace(), 2u);
    }
    EXPECT_EQ(TraceScope::Current(), &outer);
  }
  EXPECT_EQ(TraceScope::Current(), nullptr);
}

TEST(TraceScopeTest, NotesItsRootInEachTable) {
  TraceScope scope(RootOf(0, 1));
  for (int i = 0; i < 2; ++i) {
    TraceRoots roots;  // the second one where the first one was
    scope.NoteIn(roots);
    EXPECT_TRUE(roots.Find(1).has_value()) << i;
  }
}

}  // namespace
}  // namespace bitactor
