// The way of a message allocates nothing, with the journal and the trace ring on.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/allocation_counter.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

struct Trade {
  static constexpr std::string_view kTypeName = "test::Trade";
  uint64_t words[8];
};

constexpr uint64_t kWarmUp = 2'000;  // more than a lane's and a trace ring's length
constexpr uint64_t kMessages = 10'000;

class L2AllocationTest : public ::testing::Test {
 protected:
  std::unique_ptr<Fabric> Start(uint32_t shards, Durability level = Durability::kProcess) {
    FabricOptions options;
    options.journal.durability = level;
    options.shards = shards;
    options.threads = false;
    options.journal_dir = dir_.path();
    options.journal.prepare_ahead = false;
    options.span_capacity = 1024;
    options.stats_interval_ns = 1'000'000;  // so that it publishes, too
    auto fabric = Fabric::Start(options);
    EXPECT_TRUE(fabric.ok()) << fabric.status();
    return *std::move(fabric);
  }
  // Allocations of `count` messages to `first`, of which each must be handled `hops` times.
  static uint64_t AllocationsOf(Fabric& fabric, Port& port, Address first, uint64_t count) {
    const uint64_t before = test::AllocationCount();
    uint64_t refused = 0;
    for (uint64_t i = 0; i < count; ++i) {
      refused += port.Send(first, Trade{{i}}) != SendResult::kOk;
      fabric.Poll();
    }
    while (fabric.Poll() != 0) {
    }
    const uint64_t allocations = test::AllocationCount() - before;
    EXPECT_EQ(refused, 0u);
    return allocations;
  }

  test::TempDir dir_;
};

TEST(AllocationCounterTest, NoticesAnAllocation) {
  const uint64_t before = test::AllocationCount();
  const auto one = std::make_unique<Trade>();
  const auto aligned = std::make_unique<Frame>();
  EXPECT_EQ(test::AllocationCount() - before, 2u);
}

TEST_F(L2AllocationTest, FromAPortToAHandler) {
  auto fabric = Start(/*shards=*/1);
  uint64_t sum = 0;
  const Address store =
      fabric->Serve("store", [&sum](const Message& m, Sender&) { sum += m.As<Trade>().words[0]; });
  Port port = fabric->OpenPort();
  AllocationsOf(*fabric, port, store, kWarmUp);
  sum = 0;
  EXPECT_EQ(AllocationsOf(*fabric, port, store, kMessages), 0u);
  EXPECT_EQ(sum, kMessages * (kMessages - 1) / 2);
  EXPECT_GT(fabric->Counters().journalled, kMessages);
}

TEST_F(L2AllocationTest, ThroughThreeMailboxesOnThreeShards) {
  auto fabric = Start(/*shards=*/3);
  std::vector<Address> stages;
  uint64_t arrived = 0;
  stages.push_back(fabric->Serve("stage0", [&arrived](const Message&, Sender&) { ++arrived; }));
  for (int i = 1; fabric->ShardOf(stages.back().id) != 2 || stages.size() < 3; ++i) {
    ASSERT_LT(i, 100);
    stages.push_back(fabric->Serve(
        "stage" + std::to_string(i),
        [to = stages.back()](const Message& m, Sender& out) { out.Send(to, m.As<Trade>()); }));
  }
  Port port = fabric->OpenPort();
  AllocationsOf(*fabric, port, stages.back(), kWarmUp);
  arrived = 0;
  EXPECT_EQ(AllocationsOf(*fabric, port, stages.back(), kMessages), 0u);
  EXPECT_EQ(arrived, kMessages);
}

TEST_F(L2AllocationTest, ACallAndItsAnswer) {
  auto fabric = Start(/*shards=*/1);
  const Address echo =
      fabric->Serve("echo", [](const Message& m, Sender& out) { out.Reply(m.As<Trade>()); });
  Port port = fabric->OpenPort();
  uint64_t before = 0;
  uint64_t answered = 0;
  for (uint64_t i = 0; i < kWarmUp + kMessages; ++i) {
    if (i == kWarmUp) before = test::AllocationCount();
    const absl::StatusOr<Frame> reply = port.Call(echo, Trade{{i}}, 1'000'000'000);
    answered += reply.ok() && Message(*reply).As<Trade>().words[0] == i;
  }
  EXPECT_EQ(test::AllocationCount() - before, 0u);
  EXPECT_EQ(answered, kWarmUp + kMessages);
}

// The commits allocate, beside the way of the messages.
TEST_F(L2AllocationTest, AnAnswerThatIsHeldUntilItIsDurable) {
  auto fabric = Start(/*shards=*/1, Durability::kGroup);
  uint64_t handled = 0;
  const Address echo = fabric->Serve("echo", [&handled](const Message& m, Sender& out) {
    ++handled;
    out.Reply(m.As<Trade>());
  });
  Port port = fabric->OpenPort();
  constexpr uint64_t kBatch = 64;
  uint64_t allocations = 0;
  for (uint64_t batch = 0; batch < 40; ++batch) {
    const uint64_t before = test::AllocationCount();
    for (uint64_t i = 0; i < kBatch; ++i) port.Post(echo, Trade{{i}});
    port.Flush();
    for (int i = 0; i < 8; ++i) fabric->engine(0).Poll();
    const uint64_t held = test::AllocationCount();
    EXPECT_EQ(fabric->shard(0).held_answers(), kBatch);
    EXPECT_TRUE(fabric->Commit().ok());
    const uint64_t committed = test::AllocationCount();
    fabric->engine(0).Poll();
    if (batch >= 20) allocations += held - before + test::AllocationCount() - committed;
    EXPECT_EQ(fabric->shard(0).held_answers(), 0u);
  }
  EXPECT_EQ(handled, 40 * kBatch);
  EXPECT_EQ(allocations, 0u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(L2AllocationTest, BlocksSmallAndLargeSentForwardedAndKept) {
  auto fabric = Start(/*shards=*/2);
  SharedBlock kept;
  const Address store =
      fabric->Serve("store", [&kept](const Message& m, Sender&) { kept = m.block(); });
  const Address stage =
      fabric->Serve("stage", [store](const Message& m, Sender& out) { out.Forward(store, m); });
  Port port = fabric->OpenPort();
  const std::vector<std::byte> bytes(20'000);
  const auto send = [&](uint64_t count) {
    uint64_t refused = 0;
    for (uint64_t i = 0; i < count; ++i) {
      refused +=
          port.SendBytes<Trade>(stage, {bytes.data(), i * 37 % bytes.size()}) != SendResult::kOk;
      Block block = port.NewBlock(1 + i * 91 % bytes.size()).value();
      refused += port.SendBlock<Trade>(stage, block.Seal()) != SendResult::kOk;
      fabric->Poll();
    }
    while (fabric->Poll() != 0) {
    }
    return refused;
  };
  EXPECT_EQ(send(kWarmUp), 0u);
  const uint64_t tail_before = fabric->shard(0).journal()->tail().value();
  const uint64_t before = test::AllocationCount();
  EXPECT_EQ(send(1000), 0u);
  EXPECT_EQ(test::AllocationCount() - before, 0u);
  EXPECT_GT(fabric->shard(0).journal()->tail().value(), tail_before);
  kept = {};
  EXPECT_EQ(fabric->Blocks().in_use, 0u);
}

TEST_F(L2AllocationTest, AFrameThatIsQuarantined) {
  auto fabric = Start(/*shards=*/1);
  Port port = fabric->OpenPort();
  internal::Envelope envelope;
  envelope.target = fabric->Serve("store", [](const Message&, Sender&) {});
  const uint64_t before = test::AllocationCount();
  for (uint64_t i = 0; i < kMessages; ++i) {
    envelope.message_id = port.core()->NextMessageId();
    port.core()->SendDamaged(envelope);
    fabric->Poll();
  }
  EXPECT_EQ(test::AllocationCount() - before, 0u);
  EXPECT_EQ(fabric->Counters().quarantined, kMessages);
}

}  // namespace
}  // namespace bitactor
