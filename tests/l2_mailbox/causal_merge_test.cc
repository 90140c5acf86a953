#include "bitactor/l2_mailbox/causal_merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "bitactor/l1_core/spsc_lane.h"
#include "support/seed.h"

namespace bitactor::internal {
namespace {

// A lane whose reader may be interrupted by other shards before each reading of the tail.
class InterruptibleLane : public SpscLane<Frame> {
 public:
  using SpscLane<Frame>::SpscLane;
  std::function<void()> before_tail;

  uint64_t ReadTail() {
    if (before_tail) before_tail();
    return SpscLane<Frame>::ReadTail();
  }
};

constexpr int kShards = 4;

// What a message knows of the past: how many messages each sender had sent to each target when it
// was sent (Raynal, Schiper, Toueg 1991). It may be delivered when its target has that many from
// each.
struct Past {
  std::array<std::array<uint16_t, kShards>, kShards> sent{};
};
static_assert(sizeof(Past) <= kMaxPayloadBytes);

// Shards that send to each other at random, driven by one thread that switches between them at
// every reading of a tail.
class World {
 public:
  World(uint64_t seed, bool two_passes) : random_(seed) {
    for (int reader = 0; reader < kShards; ++reader) {
      for (int writer = 0; writer < kShards; ++writer) {
        lanes_[writer][reader] = std::make_unique<InterruptibleLane>(kSlots);
        lanes_[writer][reader]->before_tail = [this] { Interrupt(); };
        // A lane that counts as its reader's own is believed at the first reading.
        shards_[reader].merge.AddLane(lanes_[writer][reader].get(), writer == reader || !two_passes,
                                      /*spillable=*/true);
      }
    }
  }

  void Run(int steps) {
    for (int step = 0; step < steps; ++step) Act(static_cast<int>(random_() % kShards));
    sending_ = false;
    for (int round = 0; round < 1000 && delivered_ < sent_; ++round) {
      for (int shard = 0; shard < kShards; ++shard) Receive(shard);
    }
  }

  int violations() const { return violations_; }
  int sent() const { return sent_; }
  int delivered() const { return delivered_; }

 private:
  static constexpr size_t kSlots = 8;

  struct Shard {
    BasicCausalMerge<InterruptibleLane> merge;
    uint64_t clock = 0;
    Past past;
    std::array<uint16_t, kShards> delivered{};
    bool busy = false;
  };

  void Interrupt() {
    if (random_() % 3 == 0) Act(static_cast<int>(random_() % kShards));
  }

  void Act(int shard) {
    if (shards_[shard].busy) return;
    if (sending_ && random_() % 2 == 0) {
      shards_[shard].busy = true;
      Send(shard, static_cast<int>(random_() % kShards));
      shards_[shard].busy = false;
    } else {
      Receive(shard);
    }
  }

  void Send(int from, int to) {
    Shard& sender = shards_[from];
    InterruptibleLane& lane = *lanes_[from][to];
    Frame* slot = lane.Claim();
    if (slot == nullptr) return;  // refused: never sent
    *slot = Frame{};
    slot->header.kind = FrameKind::kCast;
    slot->header.size_bytes = sizeof(Past);
    slot->header.stamp_ns = ++sender.clock;
    slot->header.source = static_cast<uint32_t>(from);
    std::memcpy(slot->payload, &sender.past, sizeof(Past));
    Seal(*slot);
    lane.Advance();
    lane.Publish();
    ++sender.past.sent[from][to];
    ++sent_;
  }

  void Receive(int at) {
    Shard& shard = shards_[at];
    if (shard.busy) return;
    shard.busy = true;
    const auto no_fault = [](const Frame&, LaneFault, const LaneOrigin&) {
      ADD_FAILURE() << "no frame is damaged";
    };
    if (random_() % 8 == 0) shard.merge.SpillAll(no_fault);
    shard.merge.Pass(
        1 + random_() % 8,
        [&](Frame& frame) {
          Deliver(at, frame);
          if (sending_ && random_() % 2 == 0) Send(at, static_cast<int>(random_() % kShards));
          return true;
        },
        no_fault);
    shard.busy = false;
  }

  void Deliver(int at, const Frame& frame) {
    Shard& shard = shards_[at];
    Past past;
    std::memcpy(&past, frame.payload, sizeof(past));
    const auto from = static_cast<int>(frame.header.source);
    for (int k = 0; k < kShards; ++k) {
      if (shard.delivered[k] < past.sent[k][at]) ++violations_;
    }
    ++shard.delivered[from];
    ++delivered_;
    for (int i = 0; i < kShards; ++i) {
      for (int j = 0; j < kShards; ++j) {
        shard.past.sent[i][j] = std::max(shard.past.sent[i][j], past.sent[i][j]);
      }
    }
    auto& own = shard.past.sent[from][at];
    own = std::max<uint16_t>(own, shard.delivered[from]);
    shard.clock = std::max(shard.clock, frame.header.stamp_ns);
  }

  std::mt19937_64 random_;
  bool sending_ = true;
  std::array<std::array<std::unique_ptr<InterruptibleLane>, kShards>, kShards> lanes_;
  std::array<Shard, kShards> shards_;
  int violations_ = 0;
  int sent_ = 0;
  int delivered_ = 0;
};

TEST(CausalMergeTest, NoEffectComesBeforeItsCauseUnderAnySchedule) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < test::Rounds(300); ++round) {
    World world(seed + static_cast<uint64_t>(round), /*two_passes=*/true);
    world.Run(400);
    ASSERT_EQ(world.violations(), 0) << "round " << round;
    ASSERT_EQ(world.delivered(), world.sent()) << "round " << round;
    ASSERT_GT(world.sent(), 50);
  }
}

TEST(CausalMergeTest, ThisTestWouldNoticeAnOrderThatIsNotCausal) {
  int violations = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world(seed, /*two_passes=*/false);
    world.Run(400);
    violations += world.violations();
  }
  EXPECT_GT(violations, 0);
}

Frame MakeFrame(uint64_t stamp) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.stamp_ns = stamp;
  Seal(frame);
  return frame;
}

void Put(SpscLane<Frame>& lane, const Frame& frame) {
  Frame* slot = lane.Claim();
  ASSERT_NE(slot, nullptr);
  *slot = frame;
  lane.Advance();
  lane.Publish();
}

class TwoLanesTest : public ::testing::Test {
 protected:
  TwoLanesTest() {
    merge_.AddLane(&a_, /*own=*/false, /*spillable=*/true);
    merge_.AddLane(&b_, /*own=*/false, /*spillable=*/true);
  }
  std::vector<uint64_t> Pass(size_t limit = 100) {
    std::vector<uint64_t> stamps;
    merge_.Pass(
        limit,
        [&](Frame& frame) {
          stamps.push_back(frame.header.stamp_ns);
          return true;
        },
        [&](const Frame&, LaneFault fault, const LaneOrigin&) { faults_.push_back(fault); });
    return stamps;
  }

  SpscLane<Frame> a_{8};
  SpscLane<Frame> b_{8};
  CausalMerge merge_;
  std::vector<LaneFault> faults_;
};

TEST_F(TwoLanesTest, HoldsBackUntilThePredecessorArrives) {
  Put(a_, MakeFrame(20));
  EXPECT_TRUE(Pass().empty());  // seen for the first time
  Put(b_, MakeFrame(10));       // new, and lower than what lane a shows
  EXPECT_TRUE(Pass().empty());
  EXPECT_EQ(Pass(), (std::vector<uint64_t>{10, 20}));
}

TEST_F(TwoLanesTest, MergesByStampAndThenByLane) {
  for (const uint64_t stamp : {1, 5, 9}) Put(a_, MakeFrame(stamp));
  for (const uint64_t stamp : {2, 5, 6}) Put(b_, MakeFrame(stamp));
  Pass();
  EXPECT_EQ(Pass(), (std::vector<uint64_t>{1, 2, 5, 5, 6, 9}));
}

TEST_F(TwoLanesTest, AnEmptyLaneHoldsNobody) {
  Put(a_, MakeFrame(7));
  Pass();
  EXPECT_EQ(Pass(), std::vector<uint64_t>{7});
}

TEST_F(TwoLanesTest, TheLimitEndsAPassAndNothingIsLost) {
  for (const uint64_t stamp : {1, 2, 3}) Put(a_, MakeFrame(stamp));
  Pass();
  EXPECT_EQ(Pass(2), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(Pass(2), std::vector<uint64_t>{3});
}

TEST_F(TwoLanesTest, ADamagedFrameIsReportedAndPassedOver) {
  Put(a_, MakeFrame(1));
  Frame damaged = MakeFrame(2);
  damaged.header.target ^= 1;
  Put(a_, damaged);
  Put(a_, MakeFrame(3));
  Pass();
  EXPECT_EQ(Pass(), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(faults_, std::vector<LaneFault>{LaneFault::kChecksum});
}

TEST_F(TwoLanesTest, ADamagedStampDoesNotHoldOthersBack) {
  Put(a_, MakeFrame(10));
  Pass();
  Frame damaged = MakeFrame(50);
  damaged.header.stamp_ns = 1;  // would hold back everything if it were believed
  Put(b_, damaged);
  EXPECT_EQ(Pass(), std::vector<uint64_t>{10});
}

TEST_F(TwoLanesTest, SpillingMakesRoomAndKeepsTheOrder) {
  for (uint64_t stamp = 1; stamp <= 8; ++stamp) Put(a_, MakeFrame(stamp));
  EXPECT_EQ(a_.Claim(), nullptr);
  const auto no_fault = [](const Frame&, LaneFault, const LaneOrigin&) {};
  EXPECT_EQ(merge_.SpillAll(no_fault), 8u);
  for (uint64_t stamp = 9; stamp <= 12; ++stamp) Put(a_, MakeFrame(stamp));
  EXPECT_EQ(Pass(), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(Pass(), (std::vector<uint64_t>{9, 10, 11, 12}));
}

}  // namespace
}  // namespace bitactor::internal
