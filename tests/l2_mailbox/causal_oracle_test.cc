// Ports, full lanes and the merge together against vector clocks, one thread switching between
// shards wherever one could be interrupted; and the oracle against rules left out.
#include "support/causal_oracle.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l2_mailbox/causal_merge.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/l2_mailbox/slot_table.h"
#include "support/seed.h"

namespace bitactor::internal {
namespace {

using test::CausalWitness;
using test::Tagged;
using test::VectorClock;

// A lane whose reader may be interrupted by others before each reading of the tail.
class InterruptibleLane : public SpscLane<Frame> {
 public:
  using SpscLane<Frame>::SpscLane;
  std::function<void()> before_tail;

  uint64_t ReadTail() {
    if (before_tail) before_tail();
    return SpscLane<Frame>::ReadTail();
  }
};

// Which rule is left out.
enum class Fault { kNone, kSecondLook, kClock };

// Shards with the real ports and merges, polled as Shard::Poll does it.
class World {
 public:
  World(uint64_t seed, Fault fault) : random_(seed), fault_(fault) {
    const size_t shards = 2 + random_() % 3;
    const size_t mailboxes = shards + random_() % 5;
    const size_t ports = 1 + random_() % 4;
    const size_t slots = size_t{2} << random_() % 3;
    state_.clock = &clock_;
    state_.shards = static_cast<uint32_t>(shards);
    state_.incarnation = 1;
    state_.overflow_limit_frames = 1 << 20;
    shards_.resize(shards);
    for (size_t i = 0; i < shards; ++i) {
      EngineOptions options;
      options.clock = &clock_;
      engines_.push_back(std::make_unique<Engine>(options));
      state_.engines.push_back(engines_.back().get());
      shards_[i].port = std::make_unique<PortCore>(&state_, static_cast<uint32_t>(i), true);
    }
    for (size_t i = 0; i < mailboxes; ++i) {
      const ActorId id{static_cast<uint32_t>(i + 1)};
      state_.routes.Set(SlotTable::SlotOf(id), static_cast<uint16_t>(i),
                        static_cast<uint32_t>(random_() % shards));
      mailboxes_.push_back({id, static_cast<uint32_t>(participants_++), {}, {}});
    }
    for (size_t i = 0; i < shards; ++i) AddLanes(*shards_[i].port, i, slots);
    for (size_t i = 0; i < ports; ++i) {
      outside_.emplace_back();
      outside_.back().port = std::make_unique<PortCore>(&state_, static_cast<uint32_t>(shards + i),
                                                        /*is_shard=*/false);
      outside_.back().participant = static_cast<uint32_t>(participants_++);
      for (size_t k = 0; k < shards; ++k) {
        outside_.back().replies.from_shard.push_back(std::make_unique<SpscLane<Frame>>(4));
      }
      // Relaxed: one thread.
      outside_.back().replies.open.store(true, std::memory_order_relaxed);
      state_.reply_lanes[shards + i].store(&outside_.back().replies, std::memory_order_relaxed);
      AddLanes(*outside_.back().port, shards, slots);
    }
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Act();
    sending_ = false;
    for (Outside& port : outside_) port.port->Publish();
    for (int round = 0; round < 10'000 && handled_ < Sent(); ++round) {
      for (size_t i = 0; i < shards_.size(); ++i) Poll(i);
    }
  }

  uint64_t Sent() const {
    uint64_t sent = 0;
    for (const Shard& shard : shards_) sent += shard.port->sent().Read();
    for (const Outside& port : outside_) sent += port.port->sent().Read();
    return sent;
  }
  uint64_t handled() const { return handled_; }
  uint64_t violations() const { return violations_; }
  uint64_t congested() const { return congested_; }
  uint64_t refused() const { return refused_; }
  uint64_t answers_read() const { return answers_read_; }
  uint64_t own_passes() const { return own_passes_; }
  // Answers are read, dead letters (the port is closed or its lane full), or still there.
  void CheckAnswers() const {
    uint64_t answers = 0;
    for (const Shard& shard : shards_) answers += shard.port->replied().Read();
    uint64_t waiting = 0;
    for (const Outside& port : outside_) {
      for (const auto& lane : port.replies.from_shard) waiting += lane->SizeApproximate();
    }
    EXPECT_EQ(answers, answers_read_ + waiting + state_.dead_letters.Total());
    EXPECT_EQ(state_.dead_letters.Counts()[static_cast<size_t>(DeadLetterCause::kNoReader)],
              state_.dead_letters.Total());
  }

 private:
  struct Mailbox {
    ActorId id;
    uint32_t participant;
    VectorClock clock;
    CausalWitness witness;
  };
  struct Shard {
    std::unique_ptr<PortCore> port;
    BasicCausalMerge<InterruptibleLane> merge;
    bool busy = false;
  };
  struct Outside {
    std::unique_ptr<PortCore> port;
    ReplyLanes replies;
    uint32_t participant = 0;
    VectorClock clock;
  };

  // Lanes from `port` to every shard; `own`: the shard that the port belongs to.
  void AddLanes(PortCore& port, size_t own, size_t slots) {
    for (size_t to = 0; to < shards_.size(); ++to) {
      lanes_.push_back(std::make_unique<InterruptibleLane>(slots));
      lanes_.back()->before_tail = [this] { Interrupt(); };
      port.SetLane(static_cast<uint32_t>(to), lanes_.back().get());
      // A lane that counts as its reader's own is believed at the first reading.
      shards_[to].merge.AddLane(lanes_.back().get(), own == to || fault_ == Fault::kSecondLook,
                                /*spillable=*/own < shards_.size());
    }
  }

  void Interrupt() {
    if (sending_ && random_() % 3 == 0) Act();
  }

  void Act() {
    const size_t who = random_() % (shards_.size() + outside_.size());
    if (random_() % 16 == 0) clock_.Advance(random_() % 5);
    if (who < shards_.size()) {
      Poll(who);
    } else {
      ActOutside(outside_[who - shards_.size()]);
    }
  }

  void ActOutside(Outside& port) {
    const bool open = port.replies.open.load(std::memory_order_relaxed);
    if (random_() % 32 == 0) {
      port.port->Publish();
      // Relaxed: one thread.
      port.replies.open.store(!open, std::memory_order_relaxed);
    } else if (open && random_() % 3 == 0) {
      port.port->Publish();
      ReadAnswers(port);
    } else if (open && random_() % 4 == 0) {
      port.port->Publish();
    } else if (open) {
      port.port->SetNow(clock_.NowNanos());
      const FrameKind kind = random_() % 4 == 0 ? FrameKind::kCall : FrameKind::kCast;
      Send(*port.port, kind, port.participant, port.port->id(), port.clock, 6);
    }
  }

  void ReadAnswers(Outside& port) {
    for (const auto& lane : port.replies.from_shard) {
      const uint64_t tail = lane->ReadTail();
      for (uint64_t index = lane->released(); index < tail; ++index) {
        const Frame& frame = lane->At(index);
        EXPECT_EQ(CheckFrame(frame.header), FrameFault::kOk);
        if (fault_ != Fault::kClock) port.port->Observe(frame.header.stamp_ns);
        port.clock.Learn(TagOf(frame).clock);
        lane->Release(index + 1);
        ++answers_read_;
      }
    }
  }

  void Poll(size_t index) {
    Shard& shard = shards_[index];
    if (shard.busy) return;
    shard.busy = true;
    const auto no_fault = [](const Frame&, LaneFault, const LaneOrigin&) {
      ADD_FAILURE() << "no frame is damaged";
    };
    shard.port->SetNow(clock_.NowNanos());
    shard.port->Publish();
    if (shard.port->congested() && !shard.port->FlushOverflow()) {
      shard.merge.SpillAll(no_fault);
    } else {
      const auto handle = [&](Frame& frame) { return Handle(shard, frame); };
      const size_t limit = 1 + random_() % 8;
      if (random_() % 2 == 0 && shard.merge.OwnHasFrames()) {
        own_passes_ += shard.merge.PassOwn(limit, handle, no_fault);
      } else {
        shard.merge.Pass(limit, handle, no_fault);
      }
    }
    if (random_() % 2 == 0) shard.port->Publish();
    shard.busy = false;
  }

  bool Handle(Shard& shard, const Frame& frame) {
    const Tagged tag = TagOf(frame);
    Mailbox& mailbox = mailboxes_[frame.header.target - 1];
    ++handled_;
    violations_ += !mailbox.witness.MayCome(tag);
    mailbox.clock.Learn(tag.clock);
    if (fault_ != Fault::kClock) shard.port->Observe(frame.header.stamp_ns);
    for (uint64_t n = sending_ && tag.hops > 0 ? random_() % 3 : 0; n > 0; --n) {
      Send(*shard.port, FrameKind::kCast, mailbox.participant, static_cast<uint32_t>(mailbox.id),
           mailbox.clock, tag.hops - 1);
      Interrupt();
    }
    if (frame.header.kind == FrameKind::kCall) Answer(*shard.port, mailbox, frame.header.source);
    congested_ += shard.port->congested();
    return !shard.port->congested();
  }

  void Send(PortCore& port, FrameKind kind, uint32_t participant, uint32_t source,
            VectorClock& clock, uint32_t hops) {
    Envelope envelope;
    envelope.kind = kind;
    envelope.source = source;
    envelope.target = {mailboxes_[random_() % mailboxes_.size()].id};
    envelope.message_id = port.NextMessageId();
    envelope.type = 1;
    ++clock.known[participant];
    const SendResult result = port.Send(envelope, Tagged{clock, participant, hops});
    if (result == SendResult::kOk) return;
    EXPECT_EQ(result, SendResult::kFull);
    EXPECT_TRUE(IsPort(ActorId{source})) << "a shard's send is held back, never refused";
    --clock.known[participant];  // never sent
    ++refused_;
  }

  static void Answer(PortCore& port, Mailbox& mailbox, uint32_t to) {
    Envelope envelope;
    envelope.kind = FrameKind::kReply;
    envelope.source = static_cast<uint32_t>(mailbox.id);
    envelope.target = {ActorId{to}};
    envelope.message_id = port.NextMessageId();
    envelope.type = 1;
    ++mailbox.clock.known[mailbox.participant];
    port.Send(envelope, Tagged{mailbox.clock, mailbox.participant, 0});  // lost when nobody reads
  }

  static Tagged TagOf(const Frame& frame) {
    Tagged tag;
    std::memcpy(&tag, frame.payload, sizeof(tag));
    return tag;
  }

  std::mt19937_64 random_;
  const Fault fault_;
  TickClock clock_{TickClock::Source::kManual, 1'000};
  FabricState state_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::unique_ptr<InterruptibleLane>> lanes_;
  std::vector<Shard> shards_;
  std::deque<Outside> outside_;
  std::vector<Mailbox> mailboxes_;
  size_t participants_ = 0;
  bool sending_ = true;
  uint64_t handled_ = 0;
  uint64_t violations_ = 0;
  uint64_t congested_ = 0;
  uint64_t refused_ = 0;
  uint64_t answers_read_ = 0;
  uint64_t own_passes_ = 0;
};

TEST(CausalOracleTest, NoMailboxIsGivenAnEffectFirstUnderAnySchedule) {
  const uint64_t seed = test::Seed();
  uint64_t congested = 0;
  uint64_t refused = 0;
  uint64_t answers_read = 0;
  uint64_t own_passes = 0;
  for (int round = 0; round < test::Rounds(300); ++round) {
    World world(seed + static_cast<uint64_t>(round), Fault::kNone);
    world.Run(600);
    ASSERT_EQ(world.violations(), 0u) << "round " << round;
    ASSERT_EQ(world.handled(), world.Sent()) << "round " << round;
    world.CheckAnswers();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
    congested += world.congested();
    refused += world.refused();
    answers_read += world.answers_read();
    own_passes += world.own_passes();
  }
  // The lanes are small enough to fill, for shards and for ports, and ports read answers.
  EXPECT_GT(congested, 0u);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(answers_read, 0u);
  EXPECT_GT(own_passes, 0u);
}

uint64_t ViolationsWith(Fault fault) {
  uint64_t violations = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed, fault);
    world.Run(600);
    violations += world.violations();
  }
  return violations;
}

TEST(CausalOracleTest, SeesThatTheSecondLookIsLeftOut) {
  EXPECT_GT(ViolationsWith(Fault::kSecondLook), 0u);
}

TEST(CausalOracleTest, SeesThatTheClockRuleIsLeftOut) {
  EXPECT_GT(ViolationsWith(Fault::kClock), 0u);
}

}  // namespace
}  // namespace bitactor::internal
