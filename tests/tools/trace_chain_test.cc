// Chains and paths of messages, out of spans that a test makes up.
#include "cli/trace_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "cli/trace_stat.h"
#include "support/seed.h"

namespace bitactor::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// A message by the number of its span; times in ns.
Hop MadeUp(uint64_t span, uint64_t parent, uint64_t sent, uint64_t start, uint32_t duration) {
  Hop hop;
  hop.span.trace = 1;
  hop.span.span = span;
  hop.span.parent_span = parent;
  hop.span.sent_ns = sent;
  hop.span.start_ns = start;
  hop.span.duration_ns = duration;
  return hop;
}

std::vector<uint64_t> SpansOf(const TraceGraph& graph, const std::vector<size_t>& hops) {
  std::vector<uint64_t> spans;
  for (const size_t hop : hops) spans.push_back(graph.hops()[hop].span.span);
  return spans;
}

absl::StatusOr<uint32_t> KnowsBook(const std::string& name) {
  if (name == "book/A:B") return 17;
  return absl::NotFoundError("nobody is called " + name);
}

TEST(TraceChainTest, ASpanTellsWhichMessageItIsOf) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 1000; ++i) {
    const auto source = static_cast<uint32_t>(random());
    const uint64_t message_id = random();
    EXPECT_EQ(MessageIdOf(source, SpanIdOf(source, message_id)), message_id);
  }
  EXPECT_EQ(MessageText(17, SpanIdOf(17, MakeMessageId(0, 90211))), "17:90211");
  EXPECT_EQ(MessageText(17, SpanIdOf(17, MakeMessageId(3, 5))), "17:3/5");
}

TEST(TraceChainTest, AMessageIsAskedForByItsNumberOrItsSpan) {
  const auto matches = [](const std::string& text, uint32_t source, uint64_t message_id) {
    const absl::StatusOr<MessageQuery> query = MessageQuery::Parse(text, KnowsBook);
    EXPECT_TRUE(query.ok()) << text << ": " << query.status();
    return query.ok() && query->Matches(source, SpanIdOf(source, message_id));
  };
  EXPECT_TRUE(matches("17:90211", 17, MakeMessageId(0, 90211)));
  EXPECT_TRUE(matches("17:90211", 17, MakeMessageId(4, 90211)));
  EXPECT_FALSE(matches("17:90211", 18, MakeMessageId(0, 90211)));
  EXPECT_TRUE(matches("17:4/90211", 17, MakeMessageId(4, 90211)));
  EXPECT_FALSE(matches("17:4/90211", 17, MakeMessageId(0, 90211)));
  EXPECT_TRUE(matches("book/A:B:7", 17, 7));
  EXPECT_TRUE(matches(absl::StrCat(absl::Hex(SpanIdOf(9, 1), absl::kZeroPad16)), 9, 1));
  for (const char* wrong : {"", "17", "17:", ":7", "17:x", "17:65536/1", "17:281474976710656",
                            "0123456789abcdeg", "123"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(MessageQuery::Parse(wrong, KnowsBook).status())) << wrong;
  }
  EXPECT_THAT(std::string(MessageQuery::Parse("eve:1", KnowsBook).status().message()),
              HasSubstr("nobody is called eve"));
}

TEST(TraceChainTest, WaitingAndWorkOfAChainAddUpToItsTime) {
  // Sent at 100 and begun at 150, worked to 170. The second was stamped while the first was at work,
  // and waited from the end of that; the third began on another shard before the second had ended.
  const TraceGraph graph(
      {MadeUp(1, 0, 100, 150, 20), MadeUp(2, 1, 151, 200, 50), MadeUp(3, 2, 201, 240, 60)});
  const std::vector<Chain> chains = SlowestChains(graph, 10);
  ASSERT_EQ(chains.size(), 1u);
  const Chain& chain = chains[0];
  EXPECT_EQ(chain.total_ns, 200u);
  EXPECT_EQ(chain.wait_ns + chain.work_ns, chain.total_ns);
  EXPECT_TRUE(chain.whole);
  ASSERT_EQ(chain.steps.size(), 3u);
  EXPECT_EQ(chain.steps[0].wait_ns, 50u);
  EXPECT_EQ(chain.steps[0].work_ns, 20u);
  EXPECT_EQ(chain.steps[1].wait_ns, 30u);
  EXPECT_EQ(chain.steps[1].work_ns, 50u);
  EXPECT_EQ(chain.steps[2].wait_ns, 0u);
  EXPECT_EQ(chain.steps[2].work_ns, 50u);
}

TEST(TraceChainTest, TheSlowestChainOfEachTreeComesFirstSlowestFirst) {
  const TraceGraph graph({
      MadeUp(1, 0, 100, 110, 10), MadeUp(2, 1, 111, 900, 10),  // the slow branch of the first tree
      MadeUp(3, 1, 112, 130, 10), MadeUp(4, 0, 200, 210, 10),  // a tree of one
      MadeUp(6, 5, 300, 310, 300),                             // its cause is not here
  });
  const std::vector<Chain> chains = SlowestChains(graph, 10);
  ASSERT_EQ(chains.size(), 3u);
  EXPECT_EQ(chains[0].total_ns, 810u);
  EXPECT_EQ(graph.hops()[chains[0].steps.back().hop].span.span, 2u);
  EXPECT_EQ(chains[1].total_ns, 310u);
  EXPECT_FALSE(chains[1].whole);
  EXPECT_EQ(chains[2].total_ns, 20u);
  EXPECT_EQ(SlowestChains(graph, 1).size(), 1u);
}

TEST(TraceChainTest, APathHasAllCausesAndAllEffectsEachBehindItsCause) {
  const TraceGraph graph({MadeUp(1, 0, 1, 1, 1), MadeUp(2, 1, 2, 2, 1), MadeUp(3, 2, 3, 3, 1),
                          MadeUp(4, 3, 4, 4, 1), MadeUp(5, 4, 5, 5, 1), MadeUp(6, 3, 6, 6, 1),
                          MadeUp(7, 2, 7, 7, 1)});  // a sibling of 3, no effect of it
  const MessagePath path = PathOf(graph, 2);
  EXPECT_THAT(SpansOf(graph, path.causes), ElementsAre(1, 2, 3));
  EXPECT_THAT(path.effects, ElementsAre(Pair(1, 3), Pair(2, 4), Pair(1, 5)));
  EXPECT_TRUE(PathOf(graph, 6).effects.empty());
  EXPECT_EQ(PathOf(graph, 0).effects.size(), 6u);
}

TEST(TraceChainTest, MessagesThatClaimToCauseEachOtherEndSomewhere) {
  const TraceGraph graph(
      {MadeUp(1, 2, 10, 10, 1), MadeUp(2, 1, 20, 20, 1), MadeUp(3, 3, 30, 30, 1)});
  EXPECT_EQ(graph.parent(0), TraceGraph::kNone);
  EXPECT_EQ(graph.parent(1), 0u);
  EXPECT_EQ(graph.parent(2), TraceGraph::kNone);
  EXPECT_EQ(PathOf(graph, 1).causes.size(), 2u);
  EXPECT_EQ(SlowestChains(graph, 10).size(), 2u);
}

TEST(TraceChainTest, SpansAddUpByTypeActorAndOutcome) {
  std::vector<SpanRecord> spans;
  for (const Hop& hop :
       {MadeUp(1, 0, 100, 150, 20), MadeUp(2, 1, 151, 200, 50), MadeUp(4, 3, 201, 240, 60)}) {
    spans.push_back(hop.span);
  }
  spans[1].type = 7;
  spans[1].outcome = SpanOutcome::kCrashed;
  spans[2].target = 9;
  spans[2].trace = 2;
  SpanNameTable names;
  const TraceStat stat = StatOf(spans, names);
  EXPECT_EQ(stat.spans, 3u);
  EXPECT_EQ(stat.traces, 2u);
  EXPECT_EQ(stat.roots, 1u);
  EXPECT_EQ(stat.orphans, 1u);
  EXPECT_EQ(stat.first_ns, 100u);
  EXPECT_EQ(stat.last_ns, 300u);
  EXPECT_THAT(stat.outcomes, ElementsAre(2, 1, 0, 0));
  EXPECT_EQ(stat.by_type.at(7).not_ok, 1u);
  EXPECT_EQ(stat.by_type.at(7).wait.max_ns(), 49u);
  EXPECT_EQ(stat.by_type.at(0).work.count(), 2u);
  EXPECT_EQ(stat.by_actor.at(9).work.max_ns(), 60u);
  names.traces[2].parent_id = 3;  // in another process
  EXPECT_EQ(StatOf(spans, names).roots, 2u);
  EXPECT_EQ(StatOf(spans, names).orphans, 0u);
}

}  // namespace
}  // namespace bitactor::cli
