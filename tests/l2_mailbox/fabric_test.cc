#include "bitactor/l2_mailbox/fabric.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/simulated_files.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};

// A fabric that this thread drives, on a clock that it owns.
class FabricTest : public ::testing::Test {
 protected:
  FabricOptions Options() {
    FabricOptions options;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 1024;
    options.journal.prepare_ahead = false;
    options.journal.segment_bytes = 1 << 20;
    return options;
  }
  std::unique_ptr<Fabric> Start(FabricOptions options) {
    auto fabric = Fabric::Start(std::move(options));
    EXPECT_TRUE(fabric.ok()) << fabric.status();
    return *std::move(fabric);
  }

  // A mailbox whose handler takes as many nanoseconds as the number that it is given.
  Address ServeBusy(Fabric& fabric, std::string_view name = "busy") {
    return fabric.Serve(name,
                        [&](const Message& m, Sender&) { clock_.Advance(m.As<Number>().value); });
  }
  // One burst, handled.
  static void SendBurst(Fabric& fabric, Port& port, Address to,
                        const std::vector<uint64_t>& numbers) {
    for (const uint64_t number : numbers) port.Post(to, Number{number});
    port.Flush();
    fabric.WaitIdle();
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::TempDir dir_;
};

TEST_F(FabricTest, DeliversWhatAPortSendsInOrder) {
  auto fabric = Start(Options());
  std::vector<uint64_t> seen;
  const Address store = fabric->Serve(
      "store", [&](const Message& m, Sender&) { seen.push_back(m.As<Number>().value); });
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 10; ++i) ASSERT_EQ(port.Send(store, Number{i}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_EQ(seen, (std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricTest, AMessageTravelsThroughSeveralMailboxesOnSeveralShards) {
  FabricOptions options = Options();
  options.shards = 3;
  auto fabric = Start(options);
  uint64_t result = 0;
  const Address last =
      fabric->Serve("last", [&](const Message& m, Sender&) { result = m.As<Number>().value; });
  const Address middle = fabric->Serve("middle", [last](const Message& m, Sender& out) {
    out.Send(last, Number{m.As<Number>().value * 2});
  });
  const Address first = fabric->Serve("first", [middle](const Message& m, Sender& out) {
    out.Send(middle, Number{m.As<Number>().value + 1});
  });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(first, Number{20}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_EQ(result, 42u);
  const std::vector<SpanRecord> spans = fabric->Spans();
  ASSERT_EQ(spans.size(), 3u);
  for (const SpanRecord& span : spans) EXPECT_EQ(span.trace, spans[0].trace) << "one trace for all";
}

TEST_F(FabricTest, WhatIsSentToANameBeforeItIsServedWaitsForIt) {
  auto fabric = Start(Options());
  const Address late = fabric->Intern("late");
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(late, Number{7}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_EQ(fabric->Counters().queued, 1u);
  uint64_t seen = 0;
  fabric->Serve("late", [&](const Message& m, Sender&) { seen = m.As<Number>().value; });
  EXPECT_EQ(seen, 7u);
  EXPECT_EQ(fabric->Counters().queued, 0u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricTest, AnUnknownTargetIsADeadLetterWithItsCause) {
  auto fabric = Start(Options());
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(Address{ActorId{4711}}, Number{7}), SendResult::kOk);
  fabric->WaitIdle();
  const FabricCounters counters = fabric->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kNoTarget)], 1u);
  EXPECT_TRUE(counters.AddUp());
  const std::vector<DeadLetter> letters = fabric->dead_letters().Letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].frame.header.target, 4711u);
}

TEST_F(FabricTest, ACallToNobodyIsAnsweredAtOnce) {
  auto fabric = Start(Options());
  Port port = fabric->OpenPort();
  const absl::StatusOr<Frame> reply = port.Call(Address{ActorId{4711}}, Number{7}, 1'000'000);
  EXPECT_EQ(reply.status(), absl::NotFoundError("no_target"));
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricTest, ACallIsAnsweredByItsHandler) {
  FabricOptions options = Options();
  options.shards = 2;
  auto fabric = Start(options);
  const Address twice = fabric->Serve(
      "twice", [](const Message& m, Sender& out) { out.Reply(Number{m.As<Number>().value * 2}); });
  Port port = fabric->OpenPort();
  const absl::StatusOr<Frame> reply = port.Call(twice, Number{21}, 1'000'000);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(Message(*reply).As<Number>().value, 42u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricTest, AHandlerThatThrowsLosesThatMessageAlone) {
  auto fabric = Start(Options());
  std::vector<uint64_t> seen;
  const Address picky = fabric->Serve("picky", [&](const Message& m, Sender&) {
    if (m.As<Number>().value == 1) throw std::runtime_error("not this one");
    seen.push_back(m.As<Number>().value);
  });
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 3; ++i) port.Send(picky, Number{i});
  fabric->WaitIdle();
  EXPECT_EQ(seen, (std::vector<uint64_t>{0, 2}));
  const FabricCounters counters = fabric->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kHandlerFailed)], 1u);
  EXPECT_TRUE(counters.AddUp());
}

TEST_F(FabricTest, AFullLaneRefusesAndWhatWasRefusedWasNeverSent) {
  FabricOptions options = Options();
  options.lane_slots = 4;
  auto fabric = Start(options);
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  Port port = fabric->OpenPort();
  for (int i = 0; i < 4; ++i) ASSERT_EQ(port.Send(store, Number{}), SendResult::kOk);
  EXPECT_EQ(port.Send(store, Number{}), SendResult::kFull);
  fabric->WaitIdle();
  EXPECT_EQ(seen, 4u);
  EXPECT_EQ(fabric->Counters().refused[static_cast<size_t>(SendResult::kFull)], 1u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricTest, TwoShardsThatFillEachOthersLanesDoNotWaitForEver) {
  FabricOptions options = Options();
  options.shards = 2;
  options.lane_slots = 4;
  auto fabric = Start(options);
  // Each message to a begets 20 to b and the reverse, three generations deep, through lanes of four
  // slots.
  uint64_t handled = 0;
  std::vector<Address> all;
  const auto spread = [&](const Message& m, Sender& out) {
    ++handled;
    const uint64_t generation = m.As<Number>().value;
    if (generation == 0) return;
    for (int i = 0; i < 20; ++i)
      out.Send(all[static_cast<size_t>(i) % all.size()], Number{generation - 1});
  };
  for (int i = 0; i < 6; ++i) all.push_back(fabric->Serve("node" + std::to_string(i), spread));
  ASSERT_NE(fabric->ShardOf(all[0].id) + fabric->ShardOf(all[1].id) + fabric->ShardOf(all[2].id) +
                fabric->ShardOf(all[3].id),
            0u);
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(all[0], Number{3}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_EQ(handled, 1u + 20u + 400u + 8000u);
  EXPECT_TRUE(fabric->Counters().AddUp());
  EXPECT_EQ(fabric->Counters().queued, 0u);
}

TEST_F(FabricTest, ADamagedFrameIsQuarantinedAndCounted) {
  auto fabric = Start(Options());
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  Port port = fabric->OpenPort();
  port.Send(store, Number{1});
  internal::Envelope envelope;
  envelope.source = port.core()->id();
  envelope.target = store;
  ASSERT_EQ(port.core()->SendDamaged(envelope), SendResult::kOk);
  port.Send(store, Number{2});
  fabric->WaitIdle();
  EXPECT_EQ(seen, 2u);
  const FabricCounters counters = fabric->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kCorrupted)], 1u);
  EXPECT_TRUE(counters.AddUp());
}

TEST_F(FabricTest, AMessageThatIsTooOldIsNotHandled) {
  auto fabric = Start(Options());
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  Port port = fabric->OpenPort();
  internal::Envelope envelope;
  envelope.source = port.core()->id();
  envelope.message_id = port.core()->NextMessageId();
  envelope.target = store;
  envelope.type = TypeId<Number>();
  envelope.deadline_us = 10;
  ASSERT_EQ(port.core()->Send(envelope, Number{}), SendResult::kOk);
  port.Flush();
  clock_.Advance(11'000);
  fabric->WaitIdle();
  EXPECT_EQ(seen, 0u);
  EXPECT_EQ(fabric->Counters().dead_letters[static_cast<size_t>(DeadLetterCause::kExpired)], 1u);
}

TEST_F(FabricTest, WhatAnswersADeadLetterIsStampedAboveIt) {
  FabricOptions options = Options();
  Address store;
  uint64_t dead_stamp_ns = 0;
  uint64_t answer_stamp_ns = 0;
  options.on_dead_letter = [&](internal::Shard& shard, DeadLetterCause, const Frame& frame) {
    dead_stamp_ns = frame.header.stamp_ns;
    internal::Envelope envelope;
    envelope.source = shard.port().id();
    envelope.message_id = shard.port().NextMessageId();
    envelope.target = store;
    envelope.type = TypeId<Number>();
    EXPECT_EQ(shard.port().Send(envelope, Number{}), SendResult::kOk);
  };
  auto fabric = Start(options);
  store =
      fabric->Serve("store", [&](const Message& m, Sender&) { answer_stamp_ns = m.stamp_ns(); });
  Port port = fabric->OpenPort();
  port.core()->Observe(5'000'000'000);  // its clock is ahead of the shard's
  ASSERT_EQ(port.Send(Address{ActorId{999}}, Number{}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_GT(dead_stamp_ns, 5'000'000'000u);
  EXPECT_GT(answer_stamp_ns, dead_stamp_ns);
}

TEST_F(FabricTest, AStaleReferenceDoesNotReachAStranger) {
  auto fabric = Start(Options());
  uint64_t seen = 0;
  Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  store.generation = 9;
  Port port = fabric->OpenPort();
  port.Send(store, Number{});
  fabric->WaitIdle();
  EXPECT_EQ(seen, 0u);
  EXPECT_EQ(fabric->Counters().dead_letters[static_cast<size_t>(DeadLetterCause::kStaleTarget)],
            1u);
}

TEST_F(FabricTest, JournalsEveryMessageInDeliveryOrderBeforeItIsHandled) {
  FabricOptions options = Options();
  options.journal_dir = dir_.path();
  {
    auto fabric = Start(options);
    const Address store = fabric->Serve("store", [&](const Message& m, Sender&) {
      uint64_t journalled = 0;
      ASSERT_TRUE(ScanJournals(PosixFiles(), dir_.path(), [&](const RecoveredFrame& r) {
                    journalled += r.frame.header.type == TypeId<Number>();
                    return true;
                  }).ok());
      EXPECT_EQ(journalled, m.As<Number>().value);
    });
    Port port = fabric->OpenPort();
    for (uint64_t i = 1; i <= 5; ++i) port.Send(store, Number{i});
    fabric->WaitIdle();
  }
  std::vector<uint64_t> values;
  ASSERT_TRUE(ScanJournals(PosixFiles(), dir_.path(), [&](const RecoveredFrame& r) {
                if (r.frame.header.type == TypeId<Number>()) {
                  values.push_back(Message(r.frame).As<Number>().value);
                }
                return true;
              }).ok());
  EXPECT_EQ(values, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
}

TEST_F(FabricTest, ANameKeepsItsIdOverRestartsAndPortsGetANewIncarnation) {
  FabricOptions options = Options();
  options.journal_dir = dir_.path();
  Address first;
  {
    auto fabric = Start(options);
    fabric->Intern("someone else");
    first = fabric->Intern("store");
    EXPECT_EQ(fabric->boot(), 1u);
  }
  auto fabric = Start(options);
  EXPECT_EQ(fabric->boot(), 2u);
  EXPECT_EQ(fabric->Intern("store"), first);
  EXPECT_NE(fabric->Intern("a third"), first);
}

TEST_F(FabricTest, StampsNeverGoBackOverARestart) {
  FabricOptions options = Options();
  options.journal_dir = dir_.path();
  uint64_t before = 0;
  {
    auto fabric = Start(options);
    const Address store =
        fabric->Serve("store", [&](const Message& m, Sender&) { before = m.stamp_ns(); });
    Port port = fabric->OpenPort();
    port.Send(store, Number{});
    fabric->WaitIdle();
  }
  options.start_time_ns = 17;  // the machine's clock was set back
  auto fabric = Start(options);
  uint64_t after = 0;
  const Address store =
      fabric->Serve("store", [&](const Message& m, Sender&) { after = m.stamp_ns(); });
  Port port = fabric->OpenPort();
  port.Send(store, Number{});
  fabric->WaitIdle();
  EXPECT_GT(after, before);
}

TEST_F(FabricTest, ANamedPortDoesNotSendAgainWhatItsTargetHasTaken) {
  FabricOptions options = Options();
  options.journal_dir = dir_.path();
  std::vector<uint64_t> seen;
  const auto keep = [&](const Message& m, Sender&) { seen.push_back(m.As<Number>().value); };
  {
    auto fabric = Start(options);
    const Address store = fabric->Serve("store", keep);
    Port feed = fabric->OpenPort({.name = "feed"});
    for (uint64_t i = 1; i <= 3; ++i) ASSERT_EQ(feed.Send(store, Number{i}), SendResult::kOk);
    fabric->WaitIdle();
    ASSERT_EQ(feed.Send(store, Number{4}), SendResult::kOk);  // left in the lane: the run ends here
  }
  auto fabric = Start(options);
  const Address store = fabric->Serve("store", keep);
  Port feed = fabric->OpenPort({.name = "feed"});
  std::vector<SendResult> results;
  for (uint64_t i = 1; i <= 5; ++i) results.push_back(feed.Send(store, Number{i}));
  fabric->WaitIdle();
  EXPECT_EQ(results,
            (std::vector<SendResult>{SendResult::kAlreadyTaken, SendResult::kAlreadyTaken,
                                     SendResult::kAlreadyTaken, SendResult::kOk, SendResult::kOk}));
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
}

TEST_F(FabricTest, AFullJournalRefusesAndLosesNothingUncounted) {
  FabricOptions options = Options();
  options.journal_dir = "run";
  options.journal.segment_bytes = 64 << 10;
  test::SimulatedFiles files;
  files.FailAllocations(absl::ResourceExhaustedError("No space left on device"), /*skip=*/2);
  options.journal.files = &files;
  auto fabric = Start(options);
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  Port port = fabric->OpenPort();
  uint64_t accepted = 0;
  SendResult result = SendResult::kOk;
  while (result != SendResult::kJournalFull && accepted < 10'000) {
    result = port.Send(store, Number{});
    accepted += result == SendResult::kOk;
    fabric->Poll();
  }
  fabric->WaitIdle();
  EXPECT_EQ(result, SendResult::kJournalFull);
  const FabricCounters counters = fabric->Counters();
  EXPECT_TRUE(counters.AddUp());
  EXPECT_EQ(accepted, counters.sent);
  EXPECT_EQ(seen + counters.dead_letters[static_cast<size_t>(DeadLetterCause::kJournalFull)],
            accepted);
  EXPECT_EQ(fabric->Health().code(), absl::StatusCode::kResourceExhausted) << fabric->Health();
}

TEST_F(FabricTest, OptionsOutOfRangeAreNamedWithTheirRange) {
  FabricOptions options = Options();
  options.shards = 65;
  EXPECT_EQ(Fabric::Start(options).status().message(),
            "FabricOptions::shards is 65; allowed is 1 to 64");
  options = Options();
  options.lane_slots = 100;
  EXPECT_EQ(Fabric::Start(options).status().message(),
            "FabricOptions::lane_slots is 100; allowed is a power of two from 2 to 65536");
}

TEST_F(FabricTest, ANameThatIsTooLongHasNoAddress) {
  auto fabric = Start(Options());
  EXPECT_EQ(fabric->Intern(std::string(117, 'x')).id, ActorId{0});
  EXPECT_EQ(fabric->TryIntern("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(fabric->Intern(std::string(116, 'x')).id, ActorId{0});
}

TEST_F(FabricTest, MessagesMeteredTogetherShareTheTimeOfTheirSpans) {
  auto fabric = Start(Options());
  const Address busy = ServeBusy(*fabric);
  Port port = fabric->OpenPort();
  SendBurst(*fabric, port, busy, std::vector<uint64_t>(BatchMeter::kExactDispatches, 10));
  for (size_t i = 1; i <= BatchMeter::kMaxTogether; ++i) port.Post(busy, Number{10 * i});
  port.Flush();
  fabric->WaitIdle();
  const std::vector<SpanRecord> spans = fabric->Spans();
  ASSERT_EQ(spans.size(), BatchMeter::kExactDispatches + BatchMeter::kMaxTogether);
  const size_t first = BatchMeter::kExactDispatches;
  EXPECT_EQ(spans[0].duration_ns, 10u);
  for (size_t i = first; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].duration_ns, 45u);  // 10 + 20 + ... + 80, over 8
    EXPECT_EQ(spans[i].start_ns, spans[first].start_ns + (i - first) * 45);
  }
}

TEST_F(FabricTest, WhatATaskLetHandleHasItsTimesBeforeTheNextTask) {
  auto fabric = Start(Options());
  const Address busy = ServeBusy(*fabric);
  Port port = fabric->OpenPort();
  SendBurst(*fabric, port, busy, std::vector<uint64_t>(BatchMeter::kExactDispatches, 10));
  ASSERT_TRUE(fabric->Suspend(busy).ok());
  SendBurst(*fabric, port, busy, {30, 30});
  const uint64_t resumed_ns = fabric->state().NowNanos();
  const uint32_t shard = fabric->ShardOf(busy.id);
  fabric->RunOnShard(shard, [&] {
    internal::Endpoint& endpoint = *fabric->shard(shard).Find(busy.id);
    endpoint.AcceptOnly(internal::Endpoint::kAllKinds);
    fabric->shard(shard).DrainHeld(endpoint);
  });
  const std::vector<SpanRecord> spans = fabric->Spans();
  ASSERT_EQ(spans.size(), BatchMeter::kExactDispatches + 2);
  EXPECT_EQ(spans.back().duration_ns, 30u);
  EXPECT_GE(spans.back().start_ns, resumed_ns);
}

TEST_F(FabricTest, SpansAreReadOnceEachAndTheLostOnesCounted) {
  constexpr uint64_t kCapacity = 8192;
  FabricOptions options = Options();
  options.span_capacity = kCapacity;
  auto fabric = Start(std::move(options));
  const Address sink = fabric->Serve("sink", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  const auto send = [&](uint64_t count) {
    for (uint64_t i = 1; i <= count; ++i) {
      ASSERT_EQ(port.Send(sink, Number{i}), SendResult::kOk);
      if (i % 16 == 0 || i == count) fabric->WaitIdle();
    }
  };
  SpanCursor cursor;
  std::vector<SpanRecord> spans;
  send(5'000);  // more than one task copies
  fabric->ReadSpans(cursor, spans);
  EXPECT_EQ(spans.size(), 5'000u);
  fabric->ReadSpans(cursor, spans);
  EXPECT_EQ(spans.size(), 5'000u);
  send(kCapacity + 10);
  fabric->ReadSpans(cursor, spans);
  EXPECT_EQ(spans.size(), 5'000u + kCapacity);
  EXPECT_EQ(cursor.overwritten, 10u);
  const std::vector<SpanRecord> all = fabric->Spans();
  EXPECT_EQ(spans.back().span, all.back().span);
  EXPECT_EQ(spans[5'000].span, all.front().span);
}

TEST_F(FabricTest, ALatencyIsFromTheStampToTheEndOfTheSpan) {
  auto fabric = Start(Options());
  const Address busy = ServeBusy(*fabric);
  const Address other = ServeBusy(*fabric, "other");
  LatencyHistogram latency;
  fabric->shard(0).Find(busy.id)->latency = &latency;
  Port port = fabric->OpenPort();
  constexpr uint64_t kMessages = BatchMeter::kExactDispatches + 24;  // metered alone, then together
  for (uint64_t i = 0; i < kMessages; ++i) port.Post(i % 3 == 0 ? other : busy, Number{i + 1});
  port.Flush();
  fabric->WaitIdle();
  LatencyHistogram expected;
  for (const SpanRecord& span : fabric->Spans()) {
    if (span.target != static_cast<uint32_t>(busy.id)) continue;
    expected.Record(span.start_ns + span.duration_ns - span.sent_ns);
  }
  EXPECT_EQ(latency.count(), kMessages - (kMessages + 2) / 3);
  EXPECT_EQ(latency.count(), expected.count());
  EXPECT_EQ(latency.min_ns(), expected.min_ns());
  EXPECT_EQ(latency.max_ns(), expected.max_ns());
  EXPECT_EQ(latency.Percentile(50), expected.Percentile(50));
}

TEST_F(FabricTest, AnOverrunAmongOthersIsASuspicion) {
  auto fabric = Start(Options());
  const Address busy = ServeBusy(*fabric);
  Port port = fabric->OpenPort();
  SendBurst(*fabric, port, busy, std::vector<uint64_t>(BatchMeter::kExactDispatches, 10));
  SendBurst(*fabric, port, busy, {10, 2'000, 10});
  EXPECT_EQ(fabric->Overruns(), 0u);
  EXPECT_EQ(fabric->Suspicions(), 1u);
}

TEST_F(FabricTest, WhoWasOverTheBudgetIsMeteredAloneAndTheOthersTogether) {
  auto fabric = Start(Options());
  const Address busy = ServeBusy(*fabric);
  const Address other = ServeBusy(*fabric, "other");
  Port port = fabric->OpenPort();
  SendBurst(*fabric, port, other, std::vector<uint64_t>(BatchMeter::kExactDispatches - 1, 10));
  SendBurst(*fabric, port, busy, {2'000});
  port.Post(other, Number{10});
  port.Post(busy, Number{700});
  port.Post(other, Number{30});
  port.Post(other, Number{50});
  port.Flush();
  fabric->WaitIdle();
  const std::vector<SpanRecord> spans = fabric->Spans();
  ASSERT_EQ(spans.size(), BatchMeter::kExactDispatches + 4);
  const SpanRecord* last = &spans[BatchMeter::kExactDispatches];
  EXPECT_EQ(last[0].duration_ns, 10u);
  EXPECT_EQ(last[1].duration_ns, 700u);
  EXPECT_EQ(last[2].duration_ns, 40u);
  EXPECT_EQ(last[3].duration_ns, 40u);
  EXPECT_EQ(fabric->Suspicions(), 0u);
  // After some time it is trusted again.
  SendBurst(*fabric, port, busy, std::vector<uint64_t>(BatchMeter::kExactDispatches, 10));
  SendBurst(*fabric, port, busy, {2'000, 10});
  EXPECT_EQ(fabric->Suspicions(), 1u);
  EXPECT_EQ(fabric->Overruns(), 1u);
  // Now it is not, and what it is suspected of is known when it does so again.
  SendBurst(*fabric, port, busy, {2'000, 10});
  EXPECT_EQ(fabric->Suspicions(), 1u);
  EXPECT_EQ(fabric->Overruns(), 2u);
}

TEST_F(FabricTest, WhatItTakesToSealABurstIsNobodysTime) {
  auto fabric = Start(Options());
  const Address busy = ServeBusy(*fabric);
  const Address burst = fabric->Serve("burst", [&](const Message& m, Sender& sender) {
    clock_.Advance(80);
    for (uint64_t i = 0; i < m.As<Number>().value; ++i) sender.Send(busy, Number{0});
  });
  Port port = fabric->OpenPort();
  SendBurst(*fabric, port, busy, std::vector<uint64_t>(BatchMeter::kExactDispatches, 10));
  SendBurst(*fabric, port, burst, {7});
  SendBurst(*fabric, port, burst, {64});
  const std::vector<SpanRecord> spans = fabric->Spans();
  ASSERT_EQ(spans.size(), BatchMeter::kExactDispatches + 8 + 65);
  EXPECT_EQ(spans[BatchMeter::kExactDispatches].duration_ns, 10u);      // one batch with the seven
  EXPECT_EQ(spans[BatchMeter::kExactDispatches + 8].duration_ns, 80u);  // ended before the seals
}

TEST_F(FabricTest, WhatAHandlerSendsWithinItsShardIsHandledInTheSameRound) {
  auto fabric = Start(Options());
  Address countdown;
  uint64_t last = 100;
  countdown = fabric->Serve("countdown", [&](const Message& m, Sender& sender) {
    last = m.As<Number>().value;
    if (last > 0) sender.Send(countdown, Number{last - 1});
  });
  Port port = fabric->OpenPort();
  port.Send(countdown, Number{10});
  fabric->Poll();
  EXPECT_EQ(last, 0u);
  // But not for ever: other pollers of the engine have their turn too.
  port.Send(countdown, Number{1'000});
  fabric->Poll();
  EXPECT_GT(last, 900u);
  EXPECT_LT(last, 1'000u);
  fabric->WaitIdle();
  EXPECT_EQ(last, 0u);
}

TEST_F(FabricTest, BudgetOverrunsAreCountedAgainstTheirHandler) {
  auto fabric = Start(Options());
  const Address slow =
      fabric->Serve("slow", [&](const Message&, Sender&) { clock_.Advance(2'000); });
  Port port = fabric->OpenPort();
  port.Send(slow, Number{});
  fabric->WaitIdle();
  internal::Endpoint* endpoint = fabric->shard(0).Find(slow.id);
  ASSERT_NE(endpoint, nullptr);
  EXPECT_EQ(endpoint->stats().dispatches, 1u);
  EXPECT_EQ(endpoint->stats().overruns, 1u);
  EXPECT_EQ(endpoint->stats().worst_ticks, 20u);
}

}  // namespace
}  // namespace bitactor
