#include "bitactor/l2_mailbox/quarantine.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/quarantine_file.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

using internal::QuarantineStore;

struct Number {
  static constexpr std::string_view kTypeName = "test::QuarantineNumber";
  uint64_t value;
};

Frame FrameWith(uint64_t message_id, uint32_t source = 7) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = 8;
  frame.header.message_id = message_id;
  frame.header.source = source;
  std::memset(frame.payload, static_cast<int>(message_id), sizeof(frame.payload));
  Seal(frame);
  return frame;
}

TEST(QuarantineStoreTest, KeepsAllBytesOfTheLastFramesAndCountsThemAll) {
  QuarantineStore store(3, 4);
  for (uint64_t i = 0; i < 10; ++i) {
    store.Add(LaneFault::kChecksum, {5, 0}, 3, FrameWith(i), 1'000 + i);
  }
  const std::vector<QuarantinedFrame> frames = store.Frames();
  ASSERT_EQ(frames.size(), 4u);
  for (uint64_t i = 0; i < 4; ++i) {
    const Frame expected = FrameWith(6 + i);
    EXPECT_EQ(std::memcmp(&frames[i].frame, &expected, sizeof(Frame)), 0) << i;
    EXPECT_EQ(frames[i].number, 6 + i);
    EXPECT_EQ(frames[i].found_ns, 1'006 + i);
    EXPECT_EQ(frames[i].shard, 3u);
    EXPECT_EQ(frames[i].from_port, 5u);
    EXPECT_EQ(frames[i].to_port, 3u);
    EXPECT_EQ(frames[i].fault, LaneFault::kChecksum);
  }
  CorruptionReport report;
  store.AddTo(report);
  EXPECT_EQ(report.quarantined, 10u);
  EXPECT_EQ(report.overwritten, 6u);
}

std::vector<std::pair<uint32_t, uint64_t>> SourcesOf(const QuarantineStore& store) {
  CorruptionReport report;
  store.AddTo(report);
  std::vector<std::pair<uint32_t, uint64_t>> sources;
  for (const auto& of_source : report.sources) {
    sources.emplace_back(of_source.source, of_source.frames);
  }
  return sources;
}

TEST(QuarantineStoreTest, ASourceIsBelievedWhereTheChecksumHoldsOrThePortHasNoOther) {
  QuarantineStore store(0, 4);
  store.Add(LaneFault::kSource, {5, 50}, 0, FrameWith(1, 7), 1);  // sealed so: it says 7
  Frame damaged = FrameWith(2, 7);
  damaged.header.source ^= 1;
  store.Add(LaneFault::kChecksum, {5, 50}, 0, damaged, 1);  // can only be 50's
  store.Add(LaneFault::kChecksum, {0, 0}, 0, damaged, 1);   // a shard's: any of its actors'
  Frame too_long = FrameWith(3, 7);
  too_long.header.size_bytes = 255;
  store.Add(LaneFault::kSize, {0, 0}, 0, too_long, 1);
  EXPECT_EQ(SourcesOf(store),
            (std::vector<std::pair<uint32_t, uint64_t>>{{0, 2}, {7, 1}, {50, 1}}));
}

TEST(QuarantineStoreTest, SourcesBeyondItsTableAreCountedTogether) {
  QuarantineStore store(0, 4);
  for (uint32_t source = 1; source <= QuarantineStore::kMaxSources + 10; ++source) {
    store.Add(LaneFault::kOrder, {5, 0}, 0, FrameWith(1, source), 1);
  }
  const auto sources = SourcesOf(store);
  ASSERT_EQ(sources.size(), QuarantineStore::kMaxSources + 1);
  EXPECT_EQ(sources[0], (std::pair<uint32_t, uint64_t>{0, 10}));
}

class QuarantineFileTest : public ::testing::Test {
 protected:
  QuarantineFileTest() {
    EXPECT_TRUE(files_.CreateDir("run").ok());
    QuarantineStore store(1, 8);
    for (uint64_t i = 0; i < 3; ++i) {
      store.Add(LaneFault::kKind, {4, 0}, 1, FrameWith(i), 100 + i);
    }
    frames_ = store.Frames();
  }
  QuarantineFile ReadOnly() {
    const auto all = ReadQuarantineFiles(files_, "run");
    EXPECT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(all->size(), 1u);
    return all->at(0);
  }

  static constexpr char kPath[] = "run/quarantine/boot-00002";
  test::SimulatedFiles files_;
  std::vector<QuarantinedFrame> frames_;
};

TEST_F(QuarantineFileTest, ReadsWhatWasWritten) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  const QuarantineFile file = ReadOnly();
  EXPECT_EQ(file.path, kPath);
  EXPECT_EQ(file.boot, 2u);
  EXPECT_EQ(file.quarantined, 9u);
  EXPECT_TRUE(file.damages.empty());
  ASSERT_EQ(file.frames.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::memcmp(&file.frames[i].frame, &frames_[i].frame, sizeof(Frame)), 0);
    EXPECT_EQ(file.frames[i].number, i);
    EXPECT_EQ(file.frames[i].found_ns, 100 + i);
    EXPECT_EQ(file.frames[i].shard, 1u);
    EXPECT_EQ(file.frames[i].from_port, 4u);
    EXPECT_EQ(file.frames[i].to_port, 1u);
    EXPECT_EQ(file.frames[i].fault, LaneFault::kKind);
  }
}

TEST_F(QuarantineFileTest, WithoutFaultsThereIsNoFile) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 0, {}).ok());
  EXPECT_FALSE(files_.Exists("run/quarantine").value());
  EXPECT_TRUE(ReadQuarantineFiles(files_, "run").value().empty());
  EXPECT_EQ(ReadQuarantineFiles(files_, "nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(QuarantineFileTest, EveryFlippedBitIsReportedWithItsPlaceAndTheOtherRecordsAreRead) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  for (uint64_t offset = 0; offset < 64 + 3 * 256; ++offset) {
    files_.FlipBit(kPath, offset, static_cast<int>(offset % 8));
    const QuarantineFile file = ReadOnly();
    ASSERT_EQ(file.damages.size(), 1u) << offset;
    EXPECT_EQ(file.frames.size(), offset < 64 ? 3u : 2u) << offset;
    const uint64_t begin = offset < 64 ? 0 : 64 + (offset - 64) / 256 * 256;
    EXPECT_NE(file.damages[0].find(std::string(kPath) + ": bytes " + std::to_string(begin) + " to"),
              std::string::npos)
        << file.damages[0];
    files_.FlipBit(kPath, offset, static_cast<int>(offset % 8));
  }
  EXPECT_TRUE(ReadOnly().damages.empty()) << "whole again";
}

TEST_F(QuarantineFileTest, ATruncatedFileSaysSoAtEveryLength) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  for (uint64_t size_bytes = 64 + 3 * 256; size_bytes-- > 0;) {
    files_.Truncate(kPath, size_bytes);
    const QuarantineFile file = ReadOnly();
    EXPECT_FALSE(file.damages.empty()) << size_bytes;
    EXPECT_EQ(file.frames.size(), size_bytes < 64 ? 0 : (size_bytes - 64) / 256) << size_bytes;
  }
}

TEST_F(QuarantineFileTest, AFolderThatRefusesLeavesNoFile) {
  files_.DenyWrites("run/quarantine");
  EXPECT_FALSE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  EXPECT_FALSE(files_.Exists(kPath).value());
}

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
