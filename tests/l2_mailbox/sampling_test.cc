// Which trace a message belongs to, and whether it leaves a span.
#include "bitactor/l2_mailbox/sampling.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "l2_mailbox/driven_fabric.h"

namespace bitactor::sampling_test {

struct Work {
  static constexpr std::string_view kTypeName = "sampling_test::Work";
  uint64_t duration_ns = 0;
  uint64_t fails = 0;
};
struct Bulk {
  static constexpr std::string_view kTypeName = "sampling_test::Bulk";
};

const TraceId kTraceId{0x0af7651916cd43dd, 0x8448eb211c80319c};

TraceRoot RootOf(bool sampled) {
  TraceRoot root;
  root.context.trace_id = kTraceId;
  root.context.parent_id = 0xb7ad6b7169203331;
  root.context.sampled = sampled;
  root.context.tracestate = {{"rojo", "1"}};
  return root;
}

// first -> middle -> last on three shards, on a clock that their work moves.
class SamplingTest : public ::testing::Test {
 protected:
  void Start(const Sampling& sampling, uint32_t shards = 3) {
    FabricOptions options = test::DrivenOptions(clock_, shards);
    options.sampling = sampling;
    fabric_ = test::MustStart(options);
    last_ = fabric_->Serve("last", [this](const Message& m, Sender& out) {
      context_ = out.trace_context();
      if (m.kind() == FrameKind::kCall) out.Reply(Work{});
    });
    middle_ =
        fabric_->Serve("middle", [this](const Message& m, Sender& out) { out.Forward(last_, m); });
    first_ = fabric_->Serve("first", [this](const Message& m, Sender& out) {
      if (m.Is<Work>()) {
        clock_.Advance(m.As<Work>().duration_ns);
        if (m.As<Work>().fails != 0) throw std::runtime_error("as it was told");
      }
      out.Forward(middle_, m);
    });
    port_ = fabric_->OpenPort();
  }
  // What left a span that had left none before.
  std::vector<SpanRecord> Send(Address to, const Work& work = {}) {
    EXPECT_EQ(port_.Send(to, work), SendResult::kOk);
    fabric_->WaitIdle();
    std::vector<SpanRecord> spans = fabric_->Spans();
    std::erase_if(spans,
                  [this](const SpanRecord& span) { return !seen_.insert(span.span).second; });
    return spans;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<Fabric> fabric_;
  Address first_, middle_, last_;
  Port port_;
  std::optional<TraceContext> context_;  // at the last one
  std::set<uint64_t> seen_;
};

TEST_F(SamplingTest, WhatIsSentInAScopeBelongsToItsTraceToTheEnd) {
  Start({});
  const uint64_t trace = LocalTraceOf(kTraceId);
  {
    const TraceScope scope(RootOf(true));
    const std::vector<SpanRecord> spans = Send(first_);
    ASSERT_EQ(spans.size(), 3u);
    std::map<uint32_t, SpanRecord> by_target;
    for (const SpanRecord& span : spans) {
      EXPECT_EQ(span.trace, trace);
      by_target[span.target] = span;
    }
    EXPECT_EQ(by_target[static_cast<uint32_t>(first_.id)].parent_span, 0xb7ad6b7169203331);
    ASSERT_TRUE(context_.has_value());
    EXPECT_EQ(context_->trace_id, kTraceId);
    EXPECT_TRUE(context_->sampled);
    EXPECT_EQ(context_->parent_id, by_target[static_cast<uint32_t>(last_.id)].span);
    EXPECT_EQ(EmitTraceContext(*context_, context_->parent_id).traceparent,
              "00-" + kTraceId.ToHex() + "-" + SpanIdToHex(context_->parent_id) + "-01");
    EXPECT_EQ(context_->tracestate, RootOf(true).context.tracestate);
  }
  EXPECT_NE(Send(first_)[0].trace, trace) << "the scope has ended";
  EXPECT_EQ(fabric_->trace_roots().TraceIdOf(trace), kTraceId);
}

TEST_F(SamplingTest, LargePayloadsAndCallsCarryTheTraceAndItsDecision) {
  for (const bool sampled : {true, false}) {
    Start({});
    const TraceScope scope(RootOf(sampled));
    const std::array<std::byte, 1000> bytes{};
    EXPECT_EQ(port_.SendBytes<Bulk>(first_, bytes), SendResult::kOk);
    fabric_->WaitIdle();
    ASSERT_TRUE(context_.has_value());
    EXPECT_EQ(context_->sampled, sampled);
    const absl::StatusOr<Frame> reply = port_.Call(last_, Work{}, 1'000'000);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->header.trace, LocalTraceOf(kTraceId));
    EXPECT_EQ((reply->header.flags & kFlagUnsampled) == 0, sampled);
    const std::vector<SpanRecord> spans = fabric_->Spans();
    EXPECT_EQ(spans.size(), sampled ? 4u : 0u);
    for (const SpanRecord& span : spans) EXPECT_EQ(span.trace, LocalTraceOf(kTraceId));
    port_ = Port();
  }
}

TEST_F(SamplingTest, EachThreadHasItsOwnScope) {
  Start({});
  const TraceScope scope(RootOf(true));
  std::thread other([&] {
    Port port = fabric_->OpenPort();
    EXPECT_EQ(port.Send(last_, Work{}), SendResult::kOk);
    TraceRoot root;
    root.context.trace_id = {0, 77};
    root.context.sampled = true;
    const TraceScope own(root);
    EXPECT_EQ(port.Send(last_, Work{}), SendResult::kOk);
  });
  other.join();
  fabric_->WaitIdle();
  const std::vector<SpanRecord> spans = fabric_->Spans();
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_NE(spans[0].trace, LocalTraceOf(kTraceId));
  EXPECT_EQ(spans[0].trace, spans[0].span) << "a root of its own";
  EXPECT_EQ(spans[1].trace, 77u);
}

TEST_F(SamplingTest, OfATraceAllMessagesLeaveASpanOrNone) {
  Start({.ratio = 0.25, .slow_ns = 0});
  constexpr int kTraces = 300;
  for (int i = 0; i < kTraces; ++i) port_.Send(first_, Work{});
  fabric_->WaitIdle();
  std::map<uint64_t, int> spans_of_trace;
  for (const SpanRecord& span : fabric_->Spans()) {
    ++spans_of_trace[span.trace];
    EXPECT_LT(Mix64(span.trace), uint64_t{1} << 62) << "decided by the id alone";
  }
  for (const auto& [trace, spans] : spans_of_trace) EXPECT_EQ(spans, 3) << trace;
  EXPECT_GT(spans_of_trace.size(), 40u);
  EXPECT_LT(spans_of_trace.size(), 120u);
  EXPECT_EQ(fabric_->Counters().delivered, 3u * kTraces);
}

TEST_F(SamplingTest, AContextThatCameDecidesForItsTrace) {
  Start({.ratio = 0});
  EXPECT_EQ(Send(first_).size(), 0u);
  const TraceScope sampled(RootOf(true));
  EXPECT_EQ(Send(first_).size(), 3u);
  const TraceScope unsampled(RootOf(false));
  EXPECT_EQ(Send(first_).size(), 0u);
}

TEST_F(SamplingTest, ANameMayHaveARatioOfItsOwn) {
  Start({.ratio = 0, .ratio_of_name = {{"middle", 1.0}, {"nobody", 1.0}}});
  EXPECT_EQ(Send(first_).size(), 0u) << "it begins elsewhere";
  EXPECT_EQ(Send(middle_).size(), 2u);
  Start({.ratio = 1, .ratio_of_name = {{"middle", 0.0}}});
  EXPECT_EQ(Send(first_).size(), 3u);
  EXPECT_EQ(Send(middle_).size(), 0u);
}

TEST_F(SamplingTest, WhatFailedWasDeadLetteredOrSlowLeavesASpanAllTheSame) {
  Start({.ratio = 0, .slow_ns = 1'000});
  EXPECT_EQ(Send(first_, {.duration_ns = 900}).size(), 0u);
  std::vector<SpanRecord> spans = Send(first_, {.fails = 1});
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].outcome, SpanOutcome::kCrashed);
  spans = Send(Address{ActorId{4711}});
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].outcome, SpanOutcome::kDeadLettered);
  EXPECT_EQ(spans[0].target, 4711u);
  EXPECT_EQ(spans[0].duration_ns, 0u);
  spans = Send(first_, {.duration_ns = 2'000});
  ASSERT_GE(spans.size(), 1u);
  EXPECT_EQ(spans[0].target, static_cast<uint32_t>(first_.id));
  EXPECT_EQ(spans[0].duration_ns, 2'000u);
  EXPECT_EQ(spans[0].outcome, SpanOutcome::kOverrun) << "it is over its budget, too";
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(SamplingTest, AmongMessagesMeteredTogetherEachSpanKeepsItsTime) {
  Start({.slow_ns = 0}, /*shards=*/1);
  const Address busy = fabric_->Serve(
      "busy", [this](const Message& m, Sender&) { clock_.Advance(m.As<Work>().duration_ns); });
  for (uint32_t i = 0; i < BatchMeter::kExactDispatches; ++i) port_.Post(busy, Work{10});
  port_.Flush();
  fabric_->WaitIdle();
  const size_t before = fabric_->Spans().size();
  ASSERT_EQ(before, BatchMeter::kExactDispatches);
  // Eight in one reading, of which three are not sampled; a dead letter in between.
  std::optional<TraceScope> scope;
  for (uint64_t i = 1; i <= BatchMeter::kMaxTogether; ++i) {
    if (i == 2 || i == 3 || i == 8) scope.emplace(RootOf(false));
    port_.Post(busy, Work{10 * i});
    scope.reset();
    if (i == 5) port_.Post(Address{ActorId{4711}}, Work{});
  }
  port_.Flush();
  fabric_->WaitIdle();
  const std::vector<SpanRecord> spans = fabric_->Spans();
  ASSERT_EQ(spans.size(), before + 6);
  const uint64_t start_ns = spans[before].start_ns;
  const uint64_t starts[] = {0, 3, 4, 5, 6};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(spans[before + i].start_ns, start_ns + 45 * starts[i]) << i;
    EXPECT_EQ(spans[before + i].duration_ns, 45u);
    EXPECT_EQ(spans[before + i].outcome, SpanOutcome::kOk);
  }
  EXPECT_EQ(spans.back().outcome, SpanOutcome::kDeadLettered);
}

TEST_F(SamplingTest, ARatioOutOfRangeIsRefusedByItsName) {
  FabricOptions options = test::DrivenOptions(clock_, 1);
  options.sampling.ratio = 1.5;
  EXPECT_EQ(Fabric::Start(options).status().message(),
            "FabricOptions::sampling.ratio is 1.5; allowed is 0 to 1");
  options.sampling.ratio = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(Fabric::Start(options).ok());
  options.sampling = {.ratio_of_name = {{"x", -1.0}}};
  EXPECT_EQ(Fabric::Start(options).status().message(),
            "FabricOptions::sampling.ratio_of_name[\"x\"] is -1; allowed is 0 to 1");
  options.sampling = {};
  for (int i = 0; i < 65; ++i) options.sampling.ratio_of_name[std::to_string(i)] = 1;
  EXPECT_EQ(Fabric::Start(options).status().message(),
            "FabricOptions::sampling.ratio_of_name has 65 names; allowed are at most 64");
}

}  // namespace bitactor::sampling_test
