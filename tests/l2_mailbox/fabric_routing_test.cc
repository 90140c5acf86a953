// Mailboxes that join and leave, on a fabric that this thread drives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "l2_mailbox/driven_fabric.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using ::testing::HasSubstr;

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};

constexpr int kNames = 64;

class FabricRoutingTest : public ::testing::Test {
 protected:
  FabricOptions Options() {
    FabricOptions options = test::DrivenOptions(clock_, 3);
    options.journal.segment_bytes = 1 << 20;
    return options;
  }
  void Start(FabricOptions options) {
    auto fabric = Fabric::Start(std::move(options));
    ASSERT_TRUE(fabric.ok()) << fabric.status();
    fabric_ = *std::move(fabric);
    for (int i = 0; i < kNames; ++i) {
      names_.push_back(fabric_->Serve(
          absl::StrCat("name", i),
          [this, i](const Message& m, Sender&) { seen_[i].push_back(m.As<Number>().value); }));
    }
  }
  std::map<int, uint32_t> Shards() const {
    std::map<int, uint32_t> shards;
    for (int i = 0; i < kNames; ++i) shards[i] = fabric_->ShardOf(names_[i].id);
    return shards;
  }
  void ExpectEachSawAllInOrder(uint64_t count) {
    for (int i = 0; i < kNames; ++i) {
      ASSERT_EQ(seen_[i].size(), count) << "name" << i;
      for (uint64_t n = 0; n < count; ++n) ASSERT_EQ(seen_[i][n], n) << "name" << i;
    }
    const FabricCounters counters = fabric_->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.dead_letters_total(), 0u);
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::TempDir dir_;
  std::unique_ptr<Fabric> fabric_;
  std::vector<Address> names_;
  std::map<int, std::vector<uint64_t>> seen_;
};

TEST_F(FabricRoutingTest, AMailboxThatJoinsTakesItsShareAndNothingElseMoves) {
  Start(Options());
  const SlotTable before = fabric_->slot_table();
  ASSERT_TRUE(fabric_->AddMailbox(7, 3).ok());
  const SlotTable after = fabric_->slot_table();
  EXPECT_EQ(after.SlotsOf(7), SlotTable::kSlots * 3 / 9);
  for (uint32_t slot = 0; slot < SlotTable::kSlots; ++slot) {
    if (after.MailboxOfSlot(slot) == 7) continue;
    ASSERT_EQ(after.MailboxOfSlot(slot), before.MailboxOfSlot(slot));
  }
  EXPECT_EQ(fabric_->routing_epoch(), 1u);
}

TEST_F(FabricRoutingTest, WhatIsOnItsWayArrivesOnceAndInOrder) {
  Start(Options());
  Port port = fabric_->OpenPort();
  std::map<int, uint32_t> shards = Shards();
  uint64_t next = 0;
  int moved = 0;
  for (const uint32_t mailbox : {6u, 7u, 8u, 6u, 0u, 7u, 0u}) {
    // Handled, published, and not even published when the routes change.
    for (const auto& address : names_) ASSERT_EQ(port.Send(address, Number{next}), SendResult::kOk);
    ++next;
    fabric_->Poll();
    for (const auto& address : names_) ASSERT_EQ(port.Send(address, Number{next}), SendResult::kOk);
    ++next;
    for (const auto& address : names_) ASSERT_EQ(port.Post(address, Number{next}), SendResult::kOk);
    ++next;
    const bool is_in = fabric_->slot_table().SlotsOf(mailbox) != 0;
    ASSERT_TRUE((is_in ? fabric_->RemoveMailbox(mailbox) : fabric_->AddMailbox(mailbox)).ok());
    const std::map<int, uint32_t> now = Shards();
    for (const auto& [name, shard] : now) moved += shard != shards[name] ? 1 : 0;
    shards = now;
    port.Flush();
  }
  fabric_->WaitIdle();
  EXPECT_GT(moved, kNames / 4);
  ExpectEachSawAllInOrder(next);
  EXPECT_EQ(fabric_->routing_epoch(), 7u);
}

TEST_F(FabricRoutingTest, WhatAPortHasNotPublishedGoesWhereTheRoutesLeadThen) {
  FabricOptions options = Options();
  options.lane_slots = 2;
  Start(options);
  Port port = fabric_->OpenPort();
  // Two frames wait unpublished in a lane that is the wrong one afterwards, and the right one has
  // room for two at a time.
  uint64_t next = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(port.Post(names_[0], Number{next}), SendResult::kOk);
    ASSERT_EQ(port.Post(names_[0], Number{next + 1}), SendResult::kOk);
    next += 2;
    const uint32_t home = fabric_->slot_table().MailboxOf(names_[0].id);
    ASSERT_TRUE(fabric_->RemoveMailbox(home).ok());
    port.Flush();
    fabric_->WaitIdle();
    port.Flush();
    fabric_->WaitIdle();
    ASSERT_TRUE(fabric_->AddMailbox(home).ok());
  }
  EXPECT_EQ(seen_[0].size(), next);
  EXPECT_TRUE(std::is_sorted(seen_[0].begin(), seen_[0].end()));
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(FabricRoutingTest, AMailboxIsRemovedWhileItsMessagesWaitForSomebodyToServeIt) {
  Start(Options());
  const Address later = fabric_->Intern("later");
  Port port = fabric_->OpenPort();
  for (uint64_t i = 0; i < 10; ++i) ASSERT_EQ(port.Send(later, Number{i}), SendResult::kOk);
  fabric_->WaitIdle();
  ASSERT_TRUE(fabric_->RemoveMailbox(fabric_->slot_table().MailboxOf(later.id)).ok());
  EXPECT_EQ(fabric_->Counters().queued, 10u);
  std::vector<uint64_t> got;
  fabric_->Serve("later", [&](const Message& m, Sender&) { got.push_back(m.As<Number>().value); });
  fabric_->WaitIdle();
  EXPECT_THAT(got, ::testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(FabricRoutingTest, AnImpossibleChangeChangesNothing) {
  Start(Options());
  const std::pair<absl::Status, const char*> refusals[] = {
      {fabric_->AddMailbox(3), "is in the table already"},
      {fabric_->AddMailbox(4096), "numbered 0 to 4095"},
      {fabric_->AddMailbox(9, 0), "weights are 1 to 1000"},
      {fabric_->AddMailbox(9, 1001), "weights are 1 to 1000"},
      {fabric_->RemoveMailbox(9), "it is not in the table"},
  };
  for (const auto& [status, words] : refusals) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(words));
  }
  EXPECT_EQ(fabric_->routing_epoch(), 0u);
  for (uint32_t i = 1; i < 6; ++i) ASSERT_TRUE(fabric_->RemoveMailbox(i).ok());
  EXPECT_THAT(fabric_->RemoveMailbox(0).message(), HasSubstr("it is the last one"));
  fabric_->Stop().IgnoreError();
  EXPECT_EQ(fabric_->AddMailbox(1).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FabricRoutingTest, FixedRoutesDoNotChange) {
  FabricOptions options = Options();
  options.fixed_routes = true;
  Start(options);
  EXPECT_EQ(fabric_->AddMailbox(7).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FabricRoutingTest, ARestartRoutesAsBefore) {
  FabricOptions options = Options();
  options.journal_dir = dir_.File("run");
  Start(options);
  ASSERT_TRUE(fabric_->AddMailbox(11, 2).ok());
  ASSERT_TRUE(fabric_->RemoveMailbox(2).ok());
  const SlotTable before = fabric_->slot_table();
  ASSERT_TRUE(fabric_->Stop().ok());
  fabric_.reset();
  names_.clear();
  Start(options);
  EXPECT_EQ(fabric_->routing_epoch(), 2u);
  const SlotTable after = fabric_->slot_table();
  for (uint32_t s = 0; s < SlotTable::kSlots; ++s) {
    ASSERT_EQ(after.MailboxOfSlot(s), before.MailboxOfSlot(s));
  }
}

// The first name of a shard, which goes to shard `to` when mailbox `from` leaves.
Address NameThatMoves(Fabric& fabric, uint32_t from, uint32_t to, const char* prefix) {
  SlotTable after = fabric.slot_table();
  EXPECT_TRUE(after.Leave(from).ok());
  for (int i = 0;; ++i) {
    const Address name = fabric.Intern(absl::StrCat(prefix, i));
    if (fabric.ShardOf(name.id) == from && after.MailboxOf(name.id) % fabric.shards() == to) {
      return name;
    }
  }
}
Address NameOn(Fabric& fabric, uint32_t shard, const char* prefix) {
  for (int i = 0;; ++i) {
    const Address name = fabric.Intern(absl::StrCat(prefix, i));
    if (fabric.ShardOf(name.id) == shard) return name;
  }
}

class HandoverTest : public FabricRoutingTest {
 protected:
  // Three shards with a mailbox each.
  std::unique_ptr<Fabric> StartThree(FabricOptions options) {
    options.mailboxes = 3;
    return Fabric::Start(std::move(options)).value();
  }
};

TEST_F(HandoverTest, WhatAMovedMailboxSentBeforeArrivesBeforeWhatItSendsAfterwards) {
  FabricOptions options = Options();
  options.lane_slots = 2;
  auto fabric = StartThree(options);
  std::vector<uint64_t> seen;
  const Address z =
      fabric->Serve(fabric->NameOf(NameOn(*fabric, 2, "z").id),
                    [&](const Message& m, Sender&) { seen.push_back(m.As<Number>().value); });
  uint64_t next = 0;
  const Address x = fabric->Serve(fabric->NameOf(NameThatMoves(*fabric, 0, 1, "x").id),
                                  [&](const Message&, Sender& out) {
                                    for (int i = 0; i < 10; ++i) out.Send(z, Number{next++});
                                  });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(x, Number{0}), SendResult::kOk);
  for (int i = 0; i < 4; ++i) fabric->engine(0).Poll();  // it holds back most of what it sends
  ASSERT_TRUE(fabric->RemoveMailbox(0).ok());
  ASSERT_EQ(port.Send(x, Number{0}), SendResult::kOk);
  fabric->WaitIdle();
  ASSERT_EQ(seen.size(), 20u);
  for (uint64_t i = 0; i < 20; ++i) EXPECT_EQ(seen[i], i);
}

TEST_F(HandoverTest, LosesNothingWhereLittleMayBeHeldBack) {
  FabricOptions options = Options();
  options.overflow_frames = 4;
  auto fabric = StartThree(options);
  uint64_t seen = 0;
  const Address x = fabric->Serve(fabric->NameOf(NameThatMoves(*fabric, 0, 1, "x").id),
                                  [&](const Message&, Sender&) { ++seen; });
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 10; ++i) ASSERT_EQ(port.Send(x, Number{i}), SendResult::kOk);
  ASSERT_TRUE(fabric->RemoveMailbox(0).ok());
  fabric->WaitIdle();
  EXPECT_EQ(seen, 10u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(HandoverTest, HandlesNothingWhileSendsAreHeldBack) {
  for (const bool change : {false, true}) {
    FabricOptions options = Options();
    options.overflow_frames = 64;
    options.lane_slots = 32;
    auto fabric = StartThree(options);
    uint64_t seen = 0;
    const Address z = fabric->Serve(fabric->NameOf(NameOn(*fabric, 2, "z").id),
                                    [&](const Message&, Sender&) { ++seen; });
    const Address x = fabric->Serve(fabric->NameOf(NameThatMoves(*fabric, 0, 1, "x").id),
                                    [&](const Message&, Sender& out) {
                                      for (uint64_t i = 0; i < 10; ++i) out.Send(z, Number{i});
                                    });
    Port port = fabric->OpenPort();
    for (uint64_t i = 0; i < 30; ++i) ASSERT_EQ(port.Send(x, Number{i}), SendResult::kOk);
    if (change) {
      ASSERT_TRUE(fabric->RemoveMailbox(0).ok());
    }
    fabric->WaitIdle();
    EXPECT_EQ(seen, 300u) << "with a change: " << change;
  }
}

TEST_F(HandoverTest, AHandlerCannotChangeTheRoutes) {
  auto fabric = StartThree(Options());
  absl::Status status;
  const Address a =
      fabric->Serve("a", [&](const Message&, Sender&) { status = fabric->AddMailbox(7); });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(a, Number{1}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(HandoverTest, ASendToAPortAddsUp) {
  auto fabric = StartThree(Options());
  Port port = fabric->OpenPort();
  port.Send(Address{ActorId{port.core()->id()}}, Number{1});
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(HandoverTest, ANameCanBeServedBeforeTheShardsRun) {
  FabricOptions options = Options();
  options.threads = true;
  options.clock = nullptr;
  uint64_t served = 0;
  options.before_run = [&](Fabric& fabric) {
    served += static_cast<uint32_t>(fabric.Serve("a", [](const Message&, Sender&) {}).id);
  };
  auto fabric = Fabric::Start(std::move(options));
  ASSERT_TRUE(fabric.ok());
  EXPECT_GT(served, 0u);
}

}  // namespace
}  // namespace bitactor
