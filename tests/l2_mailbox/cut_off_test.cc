// What a fabric does with faulty frames: it keeps them, counts them, and cuts their port off.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/quarantine_file.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::QuarantineNumber";
  uint64_t value;
};

// Faults in lanes of a fabric that this thread drives.
class QuarantineTest : public ::testing::Test {
 protected:
  FabricOptions Options() {
    FabricOptions options;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 64;
    options.mailboxes = 8;
    options.journal.files = &files_;
    options.journal.prepare_ahead = false;
    options.journal.segment_bytes = 64 << 10;
    return options;
  }
  void Start(const FabricOptions& options) {
    fabric_ = Fabric::Start(options).value();
    store_ = fabric_->Serve(
        "store", [this](const Message& m, Sender&) { seen_.push_back(m.As<Number>().value); });
  }
  SendResult SendDamaged(Port& port) {
    internal::Envelope envelope;
    envelope.source = port.core()->source();
    envelope.message_id = port.core()->NextMessageId();
    envelope.target = store_;
    const SendResult result = port.core()->SendDamaged(envelope);
    fabric_->Poll();
    return result;
  }
  uint64_t Corrupted() const {
    return fabric_->dead_letters().Counts()[static_cast<size_t>(DeadLetterCause::kCorrupted)];
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::SimulatedFiles files_;
  std::unique_ptr<Fabric> fabric_;
  Address store_;
  std::vector<uint64_t> seen_;
};

TEST_F(QuarantineTest, AFaultyFrameIsKeptWithItsLaneAndTime) {
  Start(Options());
  Port port = fabric_->OpenPort();
  clock_.Advance(77);
  ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  const std::vector<QuarantinedFrame> frames = fabric_->Quarantined();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].fault, LaneFault::kChecksum);
  EXPECT_EQ(frames[0].found_ns, fabric_->state().NowNanos());
  EXPECT_EQ(frames[0].shard, 0u);
  EXPECT_EQ(frames[0].from_port, port.core()->index());
  EXPECT_EQ(frames[0].to_port, 0u);
  EXPECT_EQ(frames[0].frame.header.target, static_cast<uint32_t>(store_.id));
  EXPECT_EQ(CheckFrame(frames[0].frame.header), FrameFault::kCrc) << "as it was found";
  const CorruptionReport report = fabric_->Corruption();
  ASSERT_EQ(report.ports.size(), 1u);
  EXPECT_EQ(report.ports[0].port, port.core()->index());
  EXPECT_EQ(report.ports[0].frames, 1u);
  EXPECT_FALSE(report.ports[0].cut_off);
  ASSERT_EQ(report.sources.size(), 1u);
  EXPECT_EQ(report.sources[0].source, port.core()->id());
  EXPECT_EQ(Corrupted(), 1u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(QuarantineTest, TheStoreIsBoundedAndEveryFrameIsCounted) {
  FabricOptions options = Options();
  options.quarantine_frames = 3;
  Start(options);
  Port port = fabric_->OpenPort();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  const std::vector<QuarantinedFrame> frames = fabric_->Quarantined();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].number, 7u);
  EXPECT_EQ(fabric_->Corruption().overwritten, 7u);
  EXPECT_EQ(fabric_->Counters().quarantined, 10u);
  EXPECT_EQ(Corrupted(), 10u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(QuarantineTest, AFaultyAnswerIsKeptInTheStoreOfTheShardThatGaveIt) {
  Start(Options());
  Port port = fabric_->OpenPort();
  fabric_->Serve("liar", [&](const Message& m, Sender& out) {
    out.Reply(Number{1});
    // The answer lies in the port's own lane by now.
    internal::ReplyLanes* lanes = fabric_->state().reply_lanes[port.core()->index()].load();
    SpscLane<Frame>& lane = *lanes->from_shard[0];
    lane.At(lane.ReadTail() - 1).payload[0] ^= std::byte{1};
    EXPECT_EQ(m.source(), ActorId{port.core()->id()});
  });
  EXPECT_EQ(port.Call(fabric_->Intern("liar"), Number{1}, 1'000).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  const std::vector<QuarantinedFrame> frames = fabric_->Quarantined();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].from_port, 0u);
  EXPECT_EQ(frames[0].to_port, port.core()->index());
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(QuarantineTest, StoppingWritesItBesideTheJournals) {
  FabricOptions options = Options();
  options.journal_dir = "run";
  for (uint32_t boot = 1; boot <= 2; ++boot) {
    Start(options);
    Port port = fabric_->OpenPort();
    for (uint32_t i = 0; i < boot; ++i) ASSERT_EQ(SendDamaged(port), SendResult::kOk);
    ASSERT_TRUE(fabric_->Stop().ok());
    { const Port closed = std::move(port); }
    fabric_.reset();
  }
  const std::vector<QuarantineFile> all = ReadQuarantineFiles(files_, "run").value();
  ASSERT_EQ(all.size(), 2u);
  for (uint32_t boot = 1; boot <= 2; ++boot) {
    EXPECT_EQ(all[boot - 1].boot, boot);
    EXPECT_EQ(all[boot - 1].quarantined, boot);
    EXPECT_EQ(all[boot - 1].frames.size(), boot);
  }
}

TEST_F(QuarantineTest, AnErrorOfTheWritingIsTheStops) {
  FabricOptions options = Options();
  options.journal_dir = "run";
  Start(options);
  Port port = fabric_->OpenPort();
  ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  files_.DenyWrites("run/quarantine");
  EXPECT_FALSE(fabric_->Stop().ok());
}

class CutOffTest : public QuarantineTest {
 protected:
  CutOffTest() {
    FabricOptions options = Options();
    options.corruption_limit = 2;
    Start(options);
  }
};

TEST_F(CutOffTest, APortOverItsLimitIsRefusedAndTheOthersAreNot) {
  Port port = fabric_->OpenPort();
  Port other = fabric_->OpenPort();
  for (int i = 0; i < 2; ++i) ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  EXPECT_EQ(port.Send(store_, Number{1}), SendResult::kOk) << "the limit is allowed";
  ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  EXPECT_EQ(port.Send(store_, Number{2}), SendResult::kCutOff);
  EXPECT_EQ(port.Post(store_, Number{3}), SendResult::kCutOff);
  EXPECT_EQ(port.Call(store_, Number{4}, 1'000).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(other.Send(store_, Number{5}), SendResult::kOk);
  fabric_->WaitIdle();
  EXPECT_EQ(seen_, (std::vector<uint64_t>{1, 5}));
  const FabricCounters counters = fabric_->Counters();
  EXPECT_EQ(counters.refused[static_cast<size_t>(SendResult::kCutOff)], 3u);
  EXPECT_EQ(counters.quarantined, 3u);
  EXPECT_TRUE(counters.AddUp());
  const CorruptionReport report = fabric_->Corruption();
  ASSERT_EQ(report.ports.size(), 1u);
  EXPECT_TRUE(report.ports[0].cut_off);
}

TEST_F(CutOffTest, WhatIsSoundInItsLaneIsStillDelivered) {
  Port port = fabric_->OpenPort();
  internal::Envelope damaged;
  damaged.target = store_;
  for (uint64_t i = 0; i < 6; ++i) {
    ASSERT_EQ(port.Send(store_, Number{i}), SendResult::kOk);
    damaged.message_id = port.core()->NextMessageId();
    ASSERT_EQ(port.core()->SendDamaged(damaged), SendResult::kOk);
  }
  fabric_->WaitIdle();
  EXPECT_EQ(seen_, (std::vector<uint64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(port.Send(store_, Number{6}), SendResult::kCutOff);
  EXPECT_EQ(fabric_->Counters().quarantined, 6u);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(CutOffTest, TheBurstThatIsRunningIsStillSent) {
  Port port = fabric_->OpenPort();
  ASSERT_EQ(port.Post(store_, Number{1}), SendResult::kOk);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  EXPECT_EQ(port.Post(store_, Number{2}), SendResult::kOk);
  port.Flush();
  EXPECT_EQ(port.Post(store_, Number{3}), SendResult::kCutOff);
  fabric_->WaitIdle();
  EXPECT_EQ(seen_, (std::vector<uint64_t>{1, 2}));
}

TEST_F(CutOffTest, ItsPortIsNotGivenToTheNext) {
  uint32_t bad = 0;
  {
    Port port = fabric_->OpenPort();
    bad = port.core()->index();
    for (int i = 0; i < 3; ++i) ASSERT_EQ(SendDamaged(port), SendResult::kOk);
  }
  Port next = fabric_->OpenPort();
  EXPECT_NE(next.core()->index(), bad);
  EXPECT_EQ(next.Send(store_, Number{1}), SendResult::kOk);
}

TEST_F(CutOffTest, ANameThatWasCutOffStaysSo) {
  {
    Port feed = fabric_->OpenPort({.name = "feed"});
    for (int i = 0; i < 3; ++i) ASSERT_EQ(SendDamaged(feed), SendResult::kOk);
  }
  Port again = fabric_->OpenPort({.name = "feed"});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.Send(store_, Number{1}), SendResult::kCutOff);
}

}  // namespace
}  // namespace bitactor
