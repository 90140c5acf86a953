// What a start needs of the journals, from a snapshot and from all of them.
#include "bitactor/l2_mailbox/delivery_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/snapshot_store.h"
#include "l2_mailbox/driven_fabric.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

using internal::DeliveryReport;
using internal::DeliveryState;
using internal::ReadDeliveryState;
using internal::SaveDeliveryState;
using ::testing::HasSubstr;

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};

void ExpectSame(const DeliveryState& a, const DeliveryState& b) {
  EXPECT_EQ(a.last_boot, b.last_boot);
  EXPECT_EQ(a.max_id, b.max_id);
  EXPECT_EQ(a.max_stamp_ns, b.max_stamp_ns);
  EXPECT_EQ(a.watermarks, b.watermarks);
  EXPECT_EQ(a.ends, b.ends);
  const auto bytes_of = [](const auto& records) {
    std::string bytes;
    for (const auto& [key, record] : records) {
      bytes.append(reinterpret_cast<const char*>(&record), sizeof(record));
    }
    return bytes;
  };
  EXPECT_EQ(bytes_of(a.routing), bytes_of(b.routing));
  EXPECT_EQ(bytes_of(a.names), bytes_of(b.names));
}

class DeliveryStateTest : public ::testing::Test {
 protected:
  FabricOptions Options(uint32_t shards) { return test::DrivenOptions(clock_, shards, files_); }
  std::unique_ptr<Fabric> Start(uint32_t shards) { return Start(Options(shards)); }
  static std::unique_ptr<Fabric> Start(const FabricOptions& options) {
    return test::MustStart(options);
  }
  // From the named port "feed", so many to a name; how many were not taken before.
  static uint64_t Feed(Fabric& fabric, const std::string& name, uint64_t count) {
    const Address to = fabric.Serve(name, [](const Message&, Sender&) {});
    Port port = fabric.OpenPort({.name = "feed"});
    uint64_t sent = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const SendResult result = port.Send(to, Number{i});
      EXPECT_TRUE(result == SendResult::kOk || result == SendResult::kAlreadyTaken);
      sent += result == SendResult::kOk;
      fabric.WaitIdle();
    }
    EXPECT_TRUE(fabric.Counters().AddUp());
    return sent;
  }
  DeliveryReport MustRead() {
    absl::StatusOr<DeliveryReport> report = ReadDeliveryState(files_, "run");
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }
  DeliveryReport MustReadAll() {
    absl::StatusOr<DeliveryReport> report =
        ReadDeliveryState(files_, "run", [](const RecoveredFrame&) {});
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_FALSE(report->from_snapshot);
    return *std::move(report);
  }
  void MustSave() {
    const absl::Status saved = SaveDeliveryState(files_, "run", 1).status();
    EXPECT_TRUE(saved.ok()) << saved;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  test::SimulatedFiles files_;
};

TEST_F(DeliveryStateTest, IsTheSameFromASnapshotAndFromAllJournals) {
  std::mt19937_64 random(test::Seed());
  uint64_t from_snapshot = 0;
  for (int boot = 0; boot < 12; ++boot) {
    auto fabric = Start(1 + static_cast<uint32_t>(random() % 3));
    for (int step = 0; step < 8; ++step) {
      switch (random() % 4) {
        case 0:
          fabric->Intern(absl::StrCat("name", random() % 50));
          break;
        case 1: {
          const auto mailbox = static_cast<uint32_t>(random() % 9);
          const bool is_in = fabric->slot_table().SlotsOf(mailbox) != 0;
          (is_in ? fabric->RemoveMailbox(mailbox) : fabric->AddMailbox(mailbox)).IgnoreError();
          break;
        }
        case 2:
          Feed(*fabric, absl::StrCat("name", random() % 5), random() % 40);
          break;
        default:
          if (random() % 2 == 0) MustSave();  // live
      }
    }
    if (random() % 2 == 0) {
      ASSERT_TRUE(fabric->Stop().ok());
    }
    const DeliveryReport all = MustReadAll();
    const DeliveryReport some = MustRead();
    ExpectSame(some.state, all.state);
    EXPECT_LE(some.records_read, all.records_read);
    from_snapshot += some.from_snapshot;
  }
  EXPECT_GT(from_snapshot, 6u);
}

TEST_F(DeliveryStateTest, AfterASnapshotOnlyWhatIsNewIsRead) {
  auto fabric = Start(2);
  Feed(*fabric, "a", 500);
  MustSave();
  EXPECT_EQ(MustRead().records_read, 0u);
  const Address a = fabric->Intern("a");
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 3; ++i) ASSERT_EQ(port.Send(a, Number{i}), SendResult::kOk);
  fabric->WaitIdle();
  const DeliveryReport report = MustRead();
  EXPECT_EQ(report.records_read, 3u);
  EXPECT_TRUE(report.from_snapshot);
  EXPECT_GT(MustReadAll().records_read, 500u);
}

TEST_F(DeliveryStateTest, AStopKeepsASnapshotOfALongRun) {
  auto fabric = Start(1);
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 70'000; ++i) {
    ASSERT_EQ(port.Post(a, Number{i}), SendResult::kOk);
    if (i % 500 == 0) {
      port.Flush();
      fabric->WaitIdle();
    }
  }
  port.Flush();
  fabric->WaitIdle();
  EXPECT_TRUE(fabric->Counters().AddUp());
  port = Port();
  ASSERT_TRUE(fabric->Stop().ok());
  EXPECT_EQ(MustRead().records_read, 0u);
  fabric = Start(1);
  EXPECT_EQ(fabric->boot(), 2u);
  EXPECT_EQ(fabric->Find("a"), a.id);
}

TEST_F(DeliveryStateTest, AStartThatFailsWritesNothingIntoAnothersFolder) {
  auto fabric = Start(1);
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 70'000; ++i) {
    ASSERT_EQ(port.Post(a, Number{i}), SendResult::kOk);
    if (i % 500 != 0) continue;
    port.Flush();
    fabric->WaitIdle();
  }
  port.Flush();
  fabric->WaitIdle();
  const std::vector<std::string> before = files_.List("run").value();
  EXPECT_EQ(Fabric::Start(Options(1)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_.List("run").value(), before);
}

TEST_F(DeliveryStateTest, ADamagedSnapshotOrOneAheadOfTheJournalsIsNotUsed) {
  auto fabric = Start(2);
  Feed(*fabric, "a", 100);
  MustSave();
  ASSERT_TRUE(fabric->Stop().ok());
  const DeliveryReport all = MustReadAll();
  DeliveryState ahead = all.state;
  ahead.ends[0].last = Position(ahead.ends[0].last.value() + 1);
  ++ahead.last_boot;
  {
    auto store = SnapshotStore::Open("run/delivery", {.files = &files_});
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE(store->Write(0, Position(1'000'000), 1, ahead.ToBytes()).ok());
  }
  DeliveryReport report = MustRead();
  EXPECT_TRUE(report.from_snapshot);  // the one before it
  EXPECT_THAT(report.not_used.message(), HasSubstr("shard-00"));
  ExpectSame(report.state, all.state);
  // The next one takes its place.
  MustSave();
  report = MustRead();
  EXPECT_TRUE(report.from_snapshot);
  EXPECT_EQ(report.records_read, 0u);
  const std::vector<std::string> names = files_.List("run/delivery").value();
  for (const std::string& name : names) {
    if (name.find(".snap") != std::string::npos) {
      files_.FlipBit(absl::StrCat("run/delivery/", name), 300, 1);
    }
  }
  report = MustRead();
  EXPECT_FALSE(report.from_snapshot);
  EXPECT_EQ(report.not_used.code(), absl::StatusCode::kDataLoss);
  ExpectSame(report.state, all.state);
}

TEST_F(DeliveryStateTest, BytesThatAreNoStateAreRefused) {
  auto fabric = Start(2);
  Feed(*fabric, "a", 10);
  const std::vector<std::byte> bytes = MustRead().state.ToBytes();
  ASSERT_TRUE(DeliveryState::FromBytes(bytes).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<long>(size));
    ASSERT_EQ(DeliveryState::FromBytes(part).status().code(), absl::StatusCode::kDataLoss) << size;
  }
  std::vector<std::byte> more = bytes;
  more.push_back(std::byte{0});
  EXPECT_FALSE(DeliveryState::FromBytes(more).ok());
  std::vector<std::byte> newer = bytes;
  newer[0] = std::byte{2};
  EXPECT_THAT(DeliveryState::FromBytes(newer).status().message(), HasSubstr("version 2"));
}

TEST_F(DeliveryStateTest, RetentionForgetsNoNameAndNothingThatWasTaken) {
  {
    auto fabric = Start(1);
    EXPECT_EQ(Feed(*fabric, "a", 3'000), 3'000u);
    const auto reports = fabric->Retain({.before = fabric->shard(0).journal()->tail()});
    ASSERT_TRUE(reports.ok()) << reports.status();
    EXPECT_GT((*reports)[0].records, 1'000u);
    ASSERT_TRUE(fabric->Stop().ok());
  }
  auto fabric = Start(1);
  EXPECT_EQ(fabric->boot(), 2u);
  EXPECT_TRUE(fabric->Find("a").has_value());
  EXPECT_EQ(Feed(*fabric, "a", 3'005), 5u);
}

// What is read live may not be durable yet, and a machine may stop before it is.
TEST_F(DeliveryStateTest, AfterAPowerLossTheSnapshotBeforeTheOneThatIsAheadOfTheJournalsIsUsed) {
  for (const Durability durability : {Durability::kProcess, Durability::kGroup}) {
    SCOPED_TRACE(DurabilityName(durability));
    test::SimulatedFiles files;
    FabricOptions options = Options(2);
    options.journal.files = &files;
    options.journal.durability = durability;
    auto fabric = Start(options);
    EXPECT_EQ(Feed(*fabric, "a", 3'000), 3'000u);
    const uint32_t shard = fabric->ShardOf(fabric->Intern("a").id);
    const auto reports = fabric->Retain({.before = fabric->shard(shard).journal()->tail()});
    ASSERT_TRUE(reports.ok()) << reports.status();
    EXPECT_GT((*reports)[shard].records, 1'000u);
    {
      const Address a = fabric->Intern("a");
      Port port = fabric->OpenPort();
      for (uint64_t i = 0; i < 10; ++i) ASSERT_EQ(port.Send(a, Number{i}), SendResult::kOk);
      fabric->WaitIdle();
    }
    ASSERT_TRUE(SaveDeliveryState(files, "run", 1).ok());
    auto after = files.AfterLossOfAllUnsynced();
    options.journal.files = after.get();
    for (int again = 0; again < 3; ++again) {
      absl::StatusOr<std::unique_ptr<Fabric>> next = Fabric::Start(options);
      ASSERT_TRUE(next.ok()) << next.status();
      EXPECT_TRUE((*next)->Find("a").has_value());
      EXPECT_EQ(Feed(**next, "a", 3'001 + static_cast<uint64_t>(again)), 1u);
      if (again > 0) {
        ASSERT_TRUE((*next)->Retain({.before = (*next)->shard(shard).journal()->tail()}).ok());
      }
      ASSERT_TRUE((*next)->Stop().ok());
    }
  }
}

// Two snapshots are kept, and each stop of a long run makes one.
TEST_F(DeliveryStateTest, AfterRetentionSnapshotsOfStopsOutliveAPowerLoss) {
  auto fabric = Start(1);
  EXPECT_EQ(Feed(*fabric, "a", 3'000), 3'000u);
  ASSERT_TRUE(fabric->Retain({.before = fabric->shard(0).journal()->tail()}).ok());
  for (int run = 0; run < 3; ++run) {
    const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
    Port port = fabric->OpenPort();
    for (uint64_t i = 0; i < 66'000; ++i) {
      ASSERT_EQ(port.Post(a, Number{i}), SendResult::kOk);
      if (i % 500 != 0) continue;
      port.Flush();
      fabric->WaitIdle();
    }
    port.Flush();
    fabric->WaitIdle();
    port = Port();
    ASSERT_TRUE(fabric->Stop().ok());
    fabric = Start(1);
  }
  const auto after = files_.AfterLossOfAllUnsynced();
  FabricOptions options = Options(1);
  options.journal.files = after.get();
  const auto next = Fabric::Start(options);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_TRUE((*next)->Find("a").has_value());
}

TEST_F(DeliveryStateTest, AStartThatFailedKeepsNothing) {
  auto fabric = Start(1);
  const Address a = fabric->Serve("a", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 70'000; ++i) {
    ASSERT_EQ(port.Post(a, Number{i}), SendResult::kOk);
    if (i % 500 != 0) continue;
    port.Flush();
    fabric->WaitIdle();
  }
  EXPECT_FALSE(Fabric::Start(Options(1)).ok());  // it is in use
  EXPECT_FALSE(files_.Exists("run/delivery").value());
}

TEST_F(DeliveryStateTest, WhoeverReadsAllRecordsIsToldThatSomeWereRemoved) {
  auto fabric = Start(1);
  Feed(*fabric, "a", 3'000);
  ASSERT_TRUE(fabric->Retain({.before = fabric->shard(0).journal()->tail()}).ok());
  ASSERT_TRUE(fabric->Stop().ok());
  FabricOptions options = Options(1);
  options.on_recovered = [](const RecoveredFrame&) {};
  const absl::Status status = Fabric::Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("on_recovered"));
}

TEST_F(DeliveryStateTest, WhatWasRemovedWithoutASnapshotStopsTheStart) {
  {
    auto fabric = Start(1);
    Feed(*fabric, "a", 3'000);
    Journal& journal = *fabric->shard(0).journal();
    ASSERT_TRUE(journal.Retain({.before = journal.tail()}).ok());
  }
  const absl::Status status = ReadDeliveryState(files_, "run").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("was removed, and no snapshot tells"));
  EXPECT_THAT(status.message(), HasSubstr("Fabric::Retain"));
}

}  // namespace
}  // namespace bitactor
