// What comes of messages that should not be: each has its defined outcome, and none is fatal.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

constexpr uint64_t kHourNs = 3'600'000'000'000;

struct Number {
  static constexpr std::string_view kTypeName = "test::BadInputNumber";
  uint64_t value;
};
struct Other {
  static constexpr std::string_view kTypeName = "test::BadInputOther";
  uint64_t value;
};

// A fabric that this thread drives, and frames that no port would send.
class BadInputTest : public ::testing::Test {
 protected:
  static FabricOptions Options(const TickClock* clock) {
    FabricOptions options;
    options.threads = false;
    options.clock = clock;
    options.start_time_ns = 2 * kHourNs;
    options.span_capacity = 64;
    options.mailboxes = 8;
    options.lane_slots = 8;
    return options;
  }
  void Start(const FabricOptions& options) {
    fabric_ = Fabric::Start(options).value();
    store_ = fabric_->Serve(
        "store", [this](const Message& m, Sender&) { seen_.push_back(m.As<Number>().value); });
    port_ = fabric_->OpenPort();
  }
  // As the port would fill it, but for the stamp: `value` after now. To be changed and sealed by the
  // test.
  Frame MakeFrame(uint64_t value) {
    Frame frame{};
    frame.header.size_bytes = sizeof(Number);
    frame.header.kind = FrameKind::kCast;
    frame.header.message_id = port_.core()->NextMessageId();
    frame.header.stamp_ns = fabric_->state().NowNanos() + value;
    frame.header.type = TypeId<Number>();
    frame.header.source = port_.core()->id();
    frame.header.target = static_cast<uint32_t>(store_.id);
    std::memcpy(frame.payload, &value, sizeof(value));
    return frame;
  }
  void Put(const Frame& frame) { ASSERT_EQ(port_.core()->SendRaw(0, frame), SendResult::kOk); }
  void PutSealed(const Frame& unsealed) {
    Frame frame = unsealed;
    Seal(frame);
    Put(frame);
  }
  std::vector<LaneFault> Faults() const {
    std::vector<LaneFault> faults;
    for (const QuarantinedFrame& frame : fabric_->Quarantined()) faults.push_back(frame.fault);
    return faults;
  }
  // Everything is handled; nothing was delivered but these, nothing is dead but this.
  void ExpectOutcome(const std::vector<uint64_t>& delivered, DeadLetterCause cause, uint64_t dead) {
    fabric_->WaitIdle();
    EXPECT_EQ(seen_, delivered);
    const FabricCounters counters = fabric_->Counters();
    EXPECT_EQ(counters.dead_letters[static_cast<size_t>(cause)], dead)
        << DeadLetterCauseName(cause);
    EXPECT_EQ(counters.dead_letters_total(), dead);
    EXPECT_TRUE(counters.AddUp());
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::SimulatedFiles files_;
  std::unique_ptr<Fabric> fabric_;
  Address store_;
  Port port_;
  std::vector<uint64_t> seen_;
};

TEST_F(BadInputTest, AWrongChecksumIsQuarantined) {
  Start(Options(&clock_));
  PutSealed(MakeFrame(1));
  Frame frame = MakeFrame(2);
  Seal(frame);
  frame.header.crc32c ^= 1u << 31;
  Put(frame);
  PutSealed(MakeFrame(3));
  ExpectOutcome({1, 3}, DeadLetterCause::kCorrupted, 1);
  EXPECT_EQ(Faults(), std::vector<LaneFault>{LaneFault::kChecksum});
}

TEST_F(BadInputTest, AWrongSizeIsQuarantined) {
  Start(Options(&clock_));
  Frame frame = MakeFrame(1);
  Seal(frame);
  frame.header.size_bytes = 129;
  Put(frame);
  frame.header.size_bytes = 255;
  Put(frame);
  frame.header.size_bytes = 7;  // possible, but not the one that was sealed
  Put(frame);
  ExpectOutcome({}, DeadLetterCause::kCorrupted, 3);
  EXPECT_EQ(Faults(),
            (std::vector<LaneFault>{LaneFault::kSize, LaneFault::kSize, LaneFault::kChecksum}));
}

TEST_F(BadInputTest, ASizeThatIsNotItsTypesIsUnhandled) {
  Start(Options(&clock_));
  Frame frame = MakeFrame(1);
  frame.header.size_bytes = 7;
  PutSealed(frame);
  ExpectOutcome({}, DeadLetterCause::kUnhandled, 1);
}

TEST_F(BadInputTest, AKindThatDoesNotTravelIsQuarantined) {
  FabricOptions options = Options(&clock_);
  options.journal.files = &files_;
  options.journal.prepare_ahead = false;
  options.journal.segment_bytes = 64 << 10;
  options.journal_dir = "run";  // which takes no footer as a message
  Start(options);
  for (const unsigned kind : {0u, 6u, 7u, 8u, 9u, 255u}) {
    Frame frame = MakeFrame(1);
    frame.header.kind = static_cast<FrameKind>(kind);
    PutSealed(frame);
    fabric_->WaitIdle();
  }
  ExpectOutcome({}, DeadLetterCause::kCorrupted, 6);
  EXPECT_EQ(Faults(), std::vector<LaneFault>(6, LaneFault::kKind));
}

TEST_F(BadInputTest, ATypeThatItsHandlerDoesNotReadIsUnhandled) {
  Start(Options(&clock_));
  ASSERT_EQ(port_.Send(store_, Other{1}), SendResult::kOk);
  ASSERT_EQ(port_.Send(store_, Number{2}), SendResult::kOk);
  ExpectOutcome({2}, DeadLetterCause::kUnhandled, 1);
  const absl::StatusOr<Frame> reply = port_.Call(store_, Other{3}, 1'000);
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnimplemented) << reply.status();
}

TEST_F(BadInputTest, AWrongTypeThatWaitedForItsHandlerIsUnhandled) {
  Start(Options(&clock_));
  ASSERT_EQ(port_.Send(fabric_->Intern("late"), Other{1}), SendResult::kOk);
  fabric_->WaitIdle();
  fabric_->Serve("late",
                 [this](const Message& m, Sender&) { seen_.push_back(m.As<Number>().value); });
  ExpectOutcome({}, DeadLetterCause::kUnhandled, 1);
}

TEST_F(BadInputTest, AnAnswerReadAsAnotherTypeOutsideAHandlerEndsTheProgram) {
  Start(Options(&clock_));
  const Address other =
      fabric_->Serve("other", [](const Message&, Sender& out) { out.Reply(Other{1}); });
  const absl::StatusOr<Frame> reply = port_.Call(other, Number{1}, 1'000);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_DEATH(Message(*reply).As<Number>(), "header.type == wanted_type");
}

TEST_F(BadInputTest, AnUnknownTargetIsDeadLettered) {
  Start(Options(&clock_));
  // An id beyond all pages, the runtime's own id, and an outside port, which no lane leads to.
  uint64_t number = 0;
  for (const uint32_t target : {4711u, 0x7FFFFFFFu, 0u, kPortIdBit | 9u, ~0u}) {
    Frame frame = MakeFrame(++number);
    frame.header.target = target;
    PutSealed(frame);
  }
  ExpectOutcome({}, DeadLetterCause::kNoTarget, 5);
}

TEST_F(BadInputTest, AStaleGenerationOfItsTargetIsDeadLettered) {
  Start(Options(&clock_));
  Address stale = store_;
  stale.generation = 255;
  ASSERT_EQ(port_.Send(stale, Number{1}), SendResult::kOk);
  ExpectOutcome({}, DeadLetterCause::kStaleTarget, 1);
}

TEST_F(BadInputTest, ADeadlineInThePastIsExpired) {
  Start(Options(&clock_));
  Frame frame = MakeFrame(1);
  frame.header.deadline_us = 1;
  PutSealed(frame);
  Frame in_time = MakeFrame(2);
  in_time.header.deadline_us = 10;
  PutSealed(in_time);
  clock_.Advance(5'000);
  ExpectOutcome({2}, DeadLetterCause::kExpired, 1);
}

TEST_F(BadInputTest, ACallWhoseDeadlineHasPassedIsAnsweredSo) {
  Start(Options(&clock_));
  Frame frame = MakeFrame(1);
  frame.header.kind = FrameKind::kCall;
  frame.header.deadline_us = 1;
  PutSealed(frame);
  clock_.Advance(5'000);
  ExpectOutcome({}, DeadLetterCause::kExpired, 1);
  // Relaxed: one thread.
  const internal::ReplyLanes* replies =
      fabric_->state().reply_lanes[port_.core()->index()].load(std::memory_order_relaxed);
  SpscLane<Frame>& lane = *replies->from_shard[0];
  ASSERT_EQ(lane.ReadTail(), 1u);
  const Frame& answer = lane.At(0);
  EXPECT_EQ(CheckFrame(answer.header), FrameFault::kOk);
  EXPECT_EQ(answer.header.correlation_id, frame.header.message_id);
  EXPECT_EQ(Message(answer).As<ErrorReply>().ToStatus().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BadInputTest, ASourceThatClaimsAnothersIdIsQuarantined) {
  Start(Options(&clock_));
  Port other = fabric_->OpenPort();
  for (const uint32_t claimed :
       {other.core()->id(), static_cast<uint32_t>(store_.id), uint32_t{0}, ~uint32_t{0}}) {
    Frame frame = MakeFrame(1);
    frame.header.source = claimed;
    PutSealed(frame);
  }
  PutSealed(MakeFrame(2));
  ExpectOutcome({2}, DeadLetterCause::kCorrupted, 4);
  EXPECT_EQ(Faults(), std::vector<LaneFault>(4, LaneFault::kSource));
  // It counts against the port that did it, not against the one that it named.
  const CorruptionReport report = fabric_->Corruption();
  ASSERT_EQ(report.ports.size(), 1u);
  EXPECT_EQ(report.ports[0].port, port_.core()->index());
  EXPECT_EQ(report.sources.size(), 4u);
}

TEST_F(BadInputTest, APortOfANameSendsAsThatNameAlone) {
  Start(Options(&clock_));
  Port feed = fabric_->OpenPort({.name = "feed"});
  ASSERT_EQ(feed.Send(store_, Number{1}), SendResult::kOk);
  Frame frame = MakeFrame(2);
  frame.header.source = feed.core()->id();  // its number, but not its name
  Seal(frame);
  ASSERT_EQ(feed.core()->SendRaw(0, frame), SendResult::kOk);
  ExpectOutcome({1}, DeadLetterCause::kCorrupted, 1);
  EXPECT_EQ(Faults(), std::vector<LaneFault>{LaneFault::kSource});
}

TEST_F(BadInputTest, ADuplicateIdIsQuarantined) {
  Start(Options(&clock_));
  Frame frame = MakeFrame(1);
  PutSealed(frame);
  PutSealed(frame);  // bit for bit
  frame.header.stamp_ns += 10;
  PutSealed(frame);  // sent again under the same id
  Frame late_id = MakeFrame(20);
  late_id.header.message_id = frame.header.message_id - 1;
  PutSealed(late_id);
  PutSealed(MakeFrame(30));
  ExpectOutcome({1, 30}, DeadLetterCause::kCorrupted, 3);
  EXPECT_EQ(Faults(), std::vector<LaneFault>(3, LaneFault::kOrder));
}

TEST_F(BadInputTest, DuplicatesAmongFourThatAreCheckedTogetherAreQuarantined) {
  for (int where = 1; where < 4; ++where) {
    seen_.clear();
    Start(Options(&clock_));
    Frame frames[4] = {MakeFrame(1), MakeFrame(2), MakeFrame(3), MakeFrame(4)};
    frames[where] = frames[where - 1];
    for (const Frame& frame : frames) PutSealed(frame);
    fabric_->WaitIdle();
    EXPECT_EQ(seen_.size(), 3u) << where;
    EXPECT_EQ(Faults(), std::vector<LaneFault>{LaneFault::kOrder}) << where;
    EXPECT_TRUE(fabric_->Counters().AddUp());
    { const Port closed = std::move(port_); }
  }
}

TEST_F(BadInputTest, AStampFarInTheFutureIsQuarantined) {
  Start(Options(&clock_));
  Frame frame = MakeFrame(1);
  frame.header.stamp_ns = ~uint64_t{0};
  PutSealed(frame);
  PutSealed(MakeFrame(2));
  ExpectOutcome({2}, DeadLetterCause::kCorrupted, 1);
  EXPECT_EQ(Faults(), std::vector<LaneFault>{LaneFault::kOrder});
}

TEST_F(BadInputTest, ANameThatIsOpenedAgainSendsNothingTwice) {
  Start(Options(&clock_));
  {
    Port feed = fabric_->OpenPort({.name = "feed"});
    EXPECT_FALSE(fabric_->OpenPort({.name = "feed"}).ok()) << "two would use the same ids";
    for (uint64_t i = 1; i <= 2; ++i) ASSERT_EQ(feed.Send(store_, Number{i}), SendResult::kOk);
  }
  Port feed = fabric_->OpenPort({.name = "feed"});
  for (uint64_t i = 1; i <= 2; ++i) {
    EXPECT_EQ(feed.Send(store_, Number{i}), SendResult::kAlreadyTaken);
  }
  EXPECT_EQ(feed.Send(store_, Number{3}), SendResult::kOk);
  ExpectOutcome({1, 2, 3}, DeadLetterCause::kCorrupted, 0);
}

TEST_F(BadInputTest, AJournalThatRefusesInMidFlightLosesNothingUncounted) {
  FabricOptions options = Options(&clock_);
  options.journal.files = &files_;
  options.journal.prepare_ahead = false;
  options.journal.segment_bytes = 64 << 10;
  options.journal_dir = "run";
  files_.FailAllocations(absl::ResourceExhaustedError("No space left on device"), /*skip=*/2);
  Start(options);
  // Lanes full of messages whenever the journal happens to refuse.
  uint64_t sent = 0;
  while (fabric_->Health().ok()) {
    ASSERT_LT(sent, 10'000u);
    SendResult result = SendResult::kOk;
    while ((result = port_.Send(store_, Number{sent})) == SendResult::kOk) ++sent;
    fabric_->Poll();
  }
  EXPECT_EQ(port_.Send(store_, Number{0}), SendResult::kJournalFull);
  fabric_->WaitIdle();
  const FabricCounters counters = fabric_->Counters();
  const uint64_t dead = counters.dead_letters[static_cast<size_t>(DeadLetterCause::kJournalFull)];
  EXPECT_GT(dead, 0u) << "it refused in mid-flight";
  EXPECT_EQ(seen_.size() + dead, sent);
  for (uint64_t i = 0; i < seen_.size(); ++i) ASSERT_EQ(seen_[i], i) << "no gap before the end";
  EXPECT_TRUE(counters.AddUp());
}

TEST_F(BadInputTest, OneJournalThatRefusesInMidFlightStopsItsShardAlone) {
  FabricOptions options = Options(&clock_);
  options.shards = 2;
  options.journal.files = &files_;
  options.journal.prepare_ahead = false;
  options.journal.segment_bytes = 64 << 10;
  options.journal_dir = "run";
  Start(options);
  const uint32_t full = fabric_->ShardOf(store_.id);
  uint64_t relayed = 0;
  std::string name = "relay";
  while (fabric_->ShardOf(fabric_->Intern(name).id) == full) name += "'";
  const Address relay = fabric_->Serve(name, [&](const Message& m, Sender& out) {
    ++relayed;
    out.Send(store_, m.As<Number>());
  });
  files_.FailAllocations(absl::ResourceExhaustedError("No space left on device"));
  uint64_t to_store = 0;
  uint64_t to_relay = 0;
  while (fabric_->Health().ok()) {
    ASSERT_LT(to_store, 10'000u);
    while (port_.Send(store_, Number{0}) == SendResult::kOk) ++to_store;
    to_relay += port_.Send(relay, Number{0}) == SendResult::kOk ? 1 : 0;
    fabric_->Poll();
  }
  EXPECT_EQ(port_.Send(store_, Number{0}), SendResult::kJournalFull);
  // The other shard goes on. What it passes on is refused and counted.
  for (int i = 0; i < 5; ++i, ++to_relay) {
    ASSERT_EQ(port_.Send(relay, Number{0}), SendResult::kOk);
    fabric_->WaitIdle();
  }
  EXPECT_EQ(relayed, to_relay);
  const FabricCounters counters = fabric_->Counters();
  const uint64_t dead = counters.dead_letters[static_cast<size_t>(DeadLetterCause::kJournalFull)];
  EXPECT_GE(dead, 5u);
  EXPECT_EQ(counters.dead_letters_total(), dead);
  EXPECT_EQ(seen_.size() + dead, to_store + to_relay) << "of those for the store";
  EXPECT_EQ(counters.delivered, seen_.size() + relayed);
  EXPECT_TRUE(counters.AddUp());
}

// A counter that the test sets, forwards and back.
class SteppingCounter final : public ClockPort {
 public:
  uint64_t Counter() override { return counter_; }
  uint64_t ReferenceNs() override { return reference_ns_ += 20; }
  uint64_t CounterHertz() override { return 1'000'000'000; }
  void Step(int64_t ns) { counter_ += static_cast<uint64_t>(ns); }

 private:
  uint64_t counter_ = 10 * kHourNs;
  uint64_t reference_ns_ = 10 * kHourNs;
};

TEST_F(BadInputTest, AClockThatStepsBackAnHourLosesNeitherOrderNorMessages) {
  SteppingCounter counter;
  const TickClock clock(&counter);
  Start(Options(&clock));
  std::vector<uint64_t> stamps;
  const Address noting =
      fabric_->Serve("noting", [&](const Message& m, Sender&) { stamps.push_back(m.stamp_ns()); });
  const Address relay = fabric_->Serve(
      "relay", [&](const Message& m, Sender& out) { out.Send(noting, m.As<Number>()); });
  const uint64_t before_ns = fabric_->state().NowNanos();
  ASSERT_EQ(port_.Send(relay, Number{1}), SendResult::kOk);
  fabric_->WaitIdle();
  ASSERT_EQ(port_.Send(relay, Number{2}), SendResult::kOk);  // is in the lane while the clock steps
  counter.Step(-static_cast<int64_t>(kHourNs));
  ASSERT_EQ(fabric_->state().NowNanos(), before_ns - kHourNs);
  for (uint64_t i = 3; i <= 5; ++i) ASSERT_EQ(port_.Send(relay, Number{i}), SendResult::kOk);
  internal::Envelope with_deadline;
  with_deadline.source = port_.core()->id();
  with_deadline.message_id = port_.core()->NextMessageId();
  with_deadline.target = relay;
  with_deadline.type = TypeId<Number>();
  with_deadline.deadline_us = 1;
  ASSERT_EQ(port_.core()->Send(with_deadline, Number{6}), SendResult::kOk);
  port_.Flush();
  ExpectOutcome({}, DeadLetterCause::kExpired, 0);
  ASSERT_EQ(stamps.size(), 6u);
  for (size_t i = 1; i < stamps.size(); ++i) EXPECT_GT(stamps[i], stamps[i - 1]);
  EXPECT_GE(stamps[0], before_ns) << "stamps go on from where they were";
  for (const SpanRecord& span : fabric_->Spans()) EXPECT_LT(span.duration_ns, kHourNs / 1'000);
}

}  // namespace
}  // namespace bitactor
