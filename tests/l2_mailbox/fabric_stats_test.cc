#include "bitactor/l2_mailbox/fabric_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l2_mailbox/stats_format.h"
#include "support/faulty_files.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

using internal::StatsHeader;
using internal::StatsLayout;
using internal::StatsPlace;
using ::testing::HasSubstr;

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};
struct Unknown {
  static constexpr std::string_view kTypeName = "test::Unknown";
};

constexpr uint64_t kIntervalNs = 100'000'000;
constexpr char kFile[] = "run/stats";

void ExpectEqual(const FabricCounters& read, const FabricCounters& counted) {
  EXPECT_EQ(read.sent, counted.sent);
  EXPECT_EQ(read.replied, counted.replied);
  EXPECT_EQ(read.delivered, counted.delivered);
  EXPECT_EQ(read.read_by_ports, counted.read_by_ports);
  EXPECT_EQ(read.queued, counted.queued);
  EXPECT_EQ(read.dead_letters, counted.dead_letters);
  EXPECT_EQ(read.refused, counted.refused);
  EXPECT_EQ(read.journalled, counted.journalled);
  EXPECT_EQ(read.quarantined, counted.quarantined);
  EXPECT_TRUE(read.AddUp());
  EXPECT_TRUE(counted.AddUp());
}

// The sums over all mailboxes.
MailboxStats SumOf(const FabricReading& reading) {
  MailboxStats sum;
  for (const ShardStats& shard : reading.shards) {
    for (const MailboxStats& mailbox : shard.mailboxes) {
      sum.endpoints += mailbox.endpoints;
      sum.dispatched += mailbox.dispatched;
      sum.overruns += mailbox.overruns;
      sum.waiting += mailbox.waiting;
      sum.refused += mailbox.refused;
    }
  }
  return sum;
}

// A fabric that this thread drives, on files and a clock that it owns.
class FabricStatsTest : public ::testing::Test {
 protected:
  FabricOptions Options() {
    FabricOptions options;
    options.shards = 2;
    options.mailboxes = 8;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 64;
    options.quarantine_frames = 16;
    options.journal_dir = "run";
    options.journal.files = &files_;
    options.journal.prepare_ahead = false;
    options.journal.segment_bytes = 1 << 20;
    options.stats_interval_ns = kIntervalNs;
    return options;
  }
  FabricReading Read(FileSystem& files) {
    absl::StatusOr<FabricReading> reading = ReadFabricStats(files, kFile);
    EXPECT_TRUE(reading.ok()) << reading.status();
    return reading.value_or(FabricReading{});
  }
  FabricReading Read() { return Read(files_); }
  // Lets it fall asleep, publish and count its endpoints.
  void Rest(Fabric& fabric) {
    while (fabric.Poll() != 0) {
    }
    for (int i = 0; i < 20; ++i) {
      clock_.Advance(kIntervalNs / 10);
      fabric.Poll();
    }
  }
  void Settle(Fabric& fabric) {
    Rest(fabric);
    EXPECT_TRUE(fabric.Counters().AddUp());
  }
  StatsHeader Header() {
    StatsHeader header;
    std::memcpy(static_cast<void*>(&header), files_.Read(kFile).data(), sizeof(header));
    return header;
  }
  void SetHeader(StatsHeader header) {
    header.crc32c = header.Checksum();
    std::vector<std::byte> bytes(sizeof(header));
    std::memcpy(bytes.data(), &header, sizeof(header));
    files_.Write(kFile, 0, bytes);
  }

  test::SimulatedFiles files_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
};

TEST_F(FabricStatsTest, AtRestItSaysWhatTheCountersSay) {
  std::mt19937_64 random(test::Seed());
  FabricOptions options = Options();
  options.lane_slots = 8;
  auto fabric = Fabric::Start(options).value();
  std::vector<Address> targets;
  for (int i = 0; i < 6; ++i) {
    targets.push_back(fabric->Serve("node" + std::to_string(i), [&](const Message& m, Sender& out) {
      const uint64_t value = m.As<Number>().value;
      if (value % 11 == 0) throw std::runtime_error("no");
      if (value % 3 == 0) out.Send(targets[value % targets.size()], Number{value / 3 + 1});
    }));
  }
  targets.push_back(fabric->Intern("nobody serves this"));
  targets.push_back(Address{ActorId{4711}});
  const Address echo = fabric->Serve(
      "echo", [](const Message& m, Sender& out) { out.Reply(Number{m.As<Number>().value}); });
  Port port = fabric->OpenPort();
  Port other = fabric->OpenPort();
  for (int i = 0; i < 2'000; ++i) {
    const Address to = targets[random() % targets.size()];
    switch (random() % 8) {
      case 0:
        other.Send(to, Unknown{});
        break;
      case 1:
        port.Call(echo, Number{1}, 1'000).IgnoreError();
        break;
      case 2:
        fabric->Poll();
        break;
      case 3:
        clock_.Advance(random() % kIntervalNs);
        break;
      default:
        port.Post(to, Number{random() % 1'000});
    }
  }
  port.Flush();
  fabric->WaitIdle();
  Settle(*fabric);
  const FabricCounters counted = fabric->Counters();
  ASSERT_GT(counted.refused[static_cast<size_t>(SendResult::kFull)], 0u);
  ASSERT_GT(counted.queued, 0u);
  const FabricReading reading = Read();
  EXPECT_EQ(reading.state, WriterState::kRunning);
  EXPECT_TRUE(reading.damages.empty());
  ExpectEqual(reading.Counters(), counted);
  const auto dead = [&](DeadLetterCause cause) {
    return counted.dead_letters[static_cast<size_t>(cause)];
  };
  const MailboxStats sum = SumOf(reading);
  EXPECT_EQ(sum.dispatched, counted.delivered + dead(DeadLetterCause::kHandlerFailed) +
                                dead(DeadLetterCause::kUnhandled));
  EXPECT_EQ(sum.waiting, counted.queued) << "all that waits does so at an endpoint";
  EXPECT_EQ(sum.endpoints, 8u);
  EXPECT_EQ(sum.refused, dead(DeadLetterCause::kNoTarget) + dead(DeadLetterCause::kHandlerFailed) +
                             dead(DeadLetterCause::kUnhandled) +
                             dead(DeadLetterCause::kMailboxFull));

  ASSERT_TRUE(fabric->Stop().ok());
  const FabricReading last = Read();
  EXPECT_EQ(last.state, WriterState::kStopped);
  EXPECT_NE(last.totals.ended_ns, 0u);
  ExpectEqual(last.Counters(), counted);
}

TEST_F(FabricStatsTest, SaysWhoWritesIt) {
  auto fabric = Fabric::Start(Options()).value();
  const FabricReading reading = Read();
  EXPECT_EQ(reading.state, WriterState::kRunning);
  EXPECT_EQ(reading.pid, getpid());
  EXPECT_EQ(reading.boot, 1u);
  EXPECT_EQ(reading.start_ns, 1'000'000'000u);
  EXPECT_EQ(reading.interval_ns, kIntervalNs);
  EXPECT_TRUE(reading.same_machine_start);
  ASSERT_EQ(reading.shards.size(), 2u);
  ASSERT_EQ(reading.ports.size(), 2u) << "the shards' own";
  EXPECT_EQ(reading.NowNs(clock_.NowNanos()), fabric->state().NowNanos());
}

TEST_F(FabricStatsTest, PublishesNoSoonerThanAfterTheInterval) {
  auto fabric = Fabric::Start(Options()).value();
  const Address node = fabric->Serve("node", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  port.Send(node, Number{1});
  while (fabric->Poll() != 0) {
  }
  ASSERT_EQ(fabric->shard(fabric->ShardOf(node.id)).delivered(), 1u);
  EXPECT_EQ(Read().Counters().delivered, 0u);
  clock_.Advance(kIntervalNs - 1);
  fabric->Poll();
  EXPECT_EQ(Read().Counters().delivered, 0u);
  clock_.Advance(1);
  fabric->Poll();
  EXPECT_EQ(Read().Counters().delivered, 1u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, AShardThatIsNeverIdlePublishesAllTheSame) {
  auto fabric = Fabric::Start(Options()).value();
  Address again;
  again = fabric->Serve("again", [&](const Message& m, Sender& out) {
    clock_.Advance(1'000'000);
    out.Send(again, Number{m.As<Number>().value + 1});
  });
  Port port = fabric->OpenPort();
  port.Send(again, Number{0});
  for (int i = 0; i < 500; ++i) ASSERT_NE(fabric->Poll(), 0u);
  const FabricReading reading = Read();
  const uint64_t delivered = fabric->Counters().delivered;
  EXPECT_GT(reading.Counters().delivered, delivered - 2 * kIntervalNs / 1'000'000);
  EXPECT_LE(reading.Counters().delivered, delivered);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

// Counts as work that is none of the shard's.
class BusyPoller final : public Poller {
 public:
  size_t Poll() override { return 1; }
  bool HasWork() override { return true; }
};

TEST_F(FabricStatsTest, AShardWithoutMessagesOnABusyEngineIsNotSilent) {
  BusyPoller busy;
  FabricOptions options = Options();
  options.before_run = [&](Fabric& fabric) {
    for (uint32_t i = 0; i < 2; ++i) fabric.engine(i).AddPoller(&busy);
  };
  auto fabric = Fabric::Start(options).value();
  fabric->shard(0).NextDeadlineNs();  // it has slept
  for (int i = 0; i < 1'000; ++i) {
    clock_.Advance(10'000'000);
    fabric->Poll();
  }
  const FabricReading reading = Read();
  EXPECT_NE(reading.shards[0].awake_since_ns, 0u);
  EXPECT_EQ(reading.SilentNs(0, reading.NowNs(clock_.NowNanos())), 0u);
}

TEST_F(FabricStatsTest, AShardThatCannotSendIsNotSilentAndSaysWhatItHoldsBack) {
  FabricOptions options = Options();
  options.lane_slots = 4;
  auto fabric = Fabric::Start(options).value();
  std::vector<Address> sinks;  // on the other shard
  const Address source = fabric->Serve("source", [&](const Message&, Sender& out) {
    for (uint64_t i = 0; i < 20; ++i) out.Send(sinks[0], Number{i});
  });
  const uint32_t shard = fabric->ShardOf(source.id);
  for (int i = 0; sinks.empty(); ++i) {
    const Address sink = fabric->Serve("sink" + std::to_string(i), [](const Message&, Sender&) {});
    if (fabric->ShardOf(sink.id) != shard) sinks.push_back(sink);
  }
  Port port = fabric->OpenPort();
  port.Send(source, Number{1});
  for (int i = 0; i < 1'000; ++i) {  // the other shard does not run
    clock_.Advance(10'000'000);
    fabric->engine(shard).Poll();
  }
  const FabricReading reading = Read();
  EXPECT_EQ(reading.shards[shard].counts.held_back, 16u);
  EXPECT_EQ(reading.SilentNs(shard, reading.NowNs(clock_.NowNanos())), 0u);
  EXPECT_NE(reading.SilentNs(1 - shard, reading.NowNs(clock_.NowNanos())), 0u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, AFabricThatSleepsPublishesOnceAndNoMore) {
  auto fabric = Fabric::Start(Options()).value();
  const Address node = fabric->Serve("node", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  port.Send(node, Number{1});
  Rest(*fabric);
  const uint32_t owner = fabric->ShardOf(node.id);
  const uint64_t published_ns = Read().shards[owner].counts.published_ns;
  Rest(*fabric);
  EXPECT_EQ(Read().shards[owner].counts.published_ns, published_ns);
  // Whoever has timers sets the time in every round; that alone keeps nobody awake.
  fabric->shard(owner).port().SetNow(fabric->state().NowNanos());
  fabric->shard(owner).Poll();
  EXPECT_EQ(fabric->shard(owner).NextDeadlineNs(), Poller::kNoDeadline);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, AnAnswerThatIsReadAfterTheShardFellAsleepIsNotShownAsWaiting) {
  auto fabric = Fabric::Start(Options()).value();
  const Address echo = fabric->Serve(
      "echo", [](const Message& m, Sender& out) { out.Reply(Number{m.As<Number>().value}); });
  Port port = fabric->OpenPort();
  ASSERT_TRUE(port.Call(echo, Number{1}, 1'000).ok());
  Settle(*fabric);
  const FabricReading reading = Read();
  EXPECT_EQ(reading.Counters().read_by_ports, 1u);
  EXPECT_EQ(reading.Counters().queued, 0u);
}

TEST_F(FabricStatsTest, LanesSayWhatWaitsInThem) {
  FabricOptions options = Options();
  options.shards = 1;
  auto fabric = Fabric::Start(options).value();
  const Address slow =
      fabric->Serve("slow", [&](const Message&, Sender&) { clock_.Advance(kIntervalNs / 256); });
  Port port = fabric->OpenPort();
  std::vector<uint64_t> stamps;
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(port.Post(slow, Number{}), SendResult::kOk);
    stamps.push_back(port.core()->clock_ns());
  }
  port.Flush();
  fabric->Poll();  // 256 of them
  fabric->Poll();  // publishes as it begins
  const FabricReading reading = Read();
  const std::vector<LaneStats>& lanes = reading.shards[0].lanes;
  ASSERT_EQ(lanes.size(), 2u);
  EXPECT_EQ(lanes[0].port, 0u);
  EXPECT_EQ(lanes[0].waiting, 0u);
  EXPECT_EQ(lanes[0].oldest_ns, 0u);
  EXPECT_EQ(lanes[1].port, 1u);
  EXPECT_EQ(lanes[1].published, 300u);
  EXPECT_EQ(lanes[1].waiting, 44u);
  EXPECT_EQ(lanes[1].oldest_ns, stamps[256]);
  EXPECT_EQ(reading.shards[0].counts.queued, 44u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, MailboxesSayWhatWaitsAndSinceWhen) {
  auto fabric = Fabric::Start(Options()).value();
  const Address first = fabric->Intern("first");
  const Address second = fabric->Intern("second");
  Port port = fabric->OpenPort();
  port.Send(first, Number{1});
  const uint64_t oldest_ns = port.core()->clock_ns();
  clock_.Advance(1'000);
  port.Send(first, Number{2});
  port.Send(second, Number{3});
  Settle(*fabric);
  const SlotTable table = fabric->slot_table();
  const uint32_t number = table.MailboxOf(first.id);
  ASSERT_NE(number, table.MailboxOf(second.id));
  const FabricReading reading = Read();
  bool found = false;
  for (const MailboxStats& mailbox : reading.shards[fabric->ShardOf(first.id)].mailboxes) {
    if (mailbox.mailbox != number) continue;
    found = true;
    EXPECT_EQ(mailbox.endpoints, 1u);
    EXPECT_EQ(mailbox.waiting, 2u);
    EXPECT_EQ(mailbox.oldest_ns, oldest_ns);
    EXPECT_EQ(mailbox.dispatched, 0u);
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(SumOf(reading).waiting, 3u);
}

TEST_F(FabricStatsTest, ManyEndpointsAreCountedInSlices) {
  FabricOptions options = Options();
  options.shards = 1;
  auto fabric = Fabric::Start(options).value();
  Address last;
  for (int i = 0; i < 2'500; ++i) {
    last = fabric->Serve("node" + std::to_string(i), [](const Message&, Sender&) {});
  }
  Port port = fabric->OpenPort();
  port.Send(last, Number{1});
  while (fabric->Poll() != 0) {
  }
  clock_.Advance(kIntervalNs);
  fabric->Poll();
  EXPECT_EQ(SumOf(Read()).endpoints, 0u) << "they are not all counted at once";
  for (int i = 0; i < 12; ++i) {
    clock_.Advance(1'000'000);
    fabric->Poll();
  }
  const MailboxStats sum = SumOf(Read());
  EXPECT_EQ(sum.endpoints, 2'500u);
  EXPECT_EQ(sum.dispatched, 1u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, WhatAnEndpointDidIsKeptWhenItEnds) {
  auto fabric = Fabric::Start(Options()).value();
  const Address node = fabric->Serve("node", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  port.Send(node, Number{1});
  fabric->WaitIdle();
  internal::Shard& owner = fabric->shard(fabric->ShardOf(node.id));
  owner.Remove(*owner.Find(node.id));
  port.Send(node, Number{2});
  Settle(*fabric);
  const MailboxStats sum = SumOf(Read());
  EXPECT_EQ(sum.endpoints, 0u);
  EXPECT_EQ(sum.dispatched, 1u);
  EXPECT_EQ(sum.refused, 1u) << "nobody has the id any more";
}

TEST_F(FabricStatsTest, AnEndpointThatEndsDuringASweepIsCountedOnce) {
  FabricOptions options = Options();
  options.shards = 1;
  options.mailboxes = 1;
  auto fabric = Fabric::Start(options).value();
  std::vector<Address> nodes;
  for (int i = 0; i < 1'000; ++i) {
    nodes.push_back(fabric->Serve("node" + std::to_string(i), [](const Message&, Sender&) {}));
  }
  Port port = fabric->OpenPort();
  for (const size_t node : {10, 900}) port.Send(nodes[node], Number{1});
  while (fabric->Poll() != 0) {
  }
  clock_.Advance(kIntervalNs);
  fabric->Poll();  // the first slice
  ASSERT_EQ(SumOf(Read()).endpoints, 0u);
  internal::Shard& shard = fabric->shard(0);
  for (const size_t node : {10, 900}) shard.Remove(*shard.Find(nodes[node].id));
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(1'000'000);
    fabric->Poll();
  }
  const MailboxStats sum = SumOf(Read());
  EXPECT_EQ(sum.endpoints, 998u);
  EXPECT_EQ(sum.dispatched, 2u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, AnEndpointTakesItsHistoryToAnotherMailbox) {
  auto fabric = Fabric::Start(Options()).value();
  std::vector<Address> nodes;
  for (int i = 0; i < 64; ++i) {
    nodes.push_back(fabric->Serve("node" + std::to_string(i), [](const Message&, Sender&) {}));
  }
  Port port = fabric->OpenPort();
  for (const Address& node : nodes) port.Send(node, Number{1});
  fabric->WaitIdle();
  ASSERT_TRUE(fabric->AddMailbox(9, 8).ok());
  Settle(*fabric);
  const FabricReading reading = Read();
  EXPECT_EQ(SumOf(reading).endpoints, 64u);
  EXPECT_EQ(SumOf(reading).dispatched, 64u);
  const MailboxStats& joined = reading.shards[1].mailboxes.back();
  EXPECT_EQ(joined.mailbox, 9u);
  EXPECT_GT(joined.dispatched, 0u);
  EXPECT_EQ(reading.totals.routing_epoch, 1u);
}

TEST_F(FabricStatsTest, AShardThatDoesNotComeBackFromAHandlerIsSilent) {
  FabricOptions options = Options();
  options.shards = 1;
  auto fabric = Fabric::Start(options).value();
  uint64_t silent_ns = 1;
  uint64_t silent_at_first_ns = 1;
  const Address stuck = fabric->Serve("stuck", [&](const Message&, Sender&) {
    FabricReading reading = Read();
    silent_at_first_ns = reading.SilentNs(0, reading.NowNs(clock_.NowNanos()));
    clock_.Advance(3'000'000'000);
    reading = Read();
    silent_ns = reading.SilentNs(0, reading.NowNs(clock_.NowNanos()));
  });
  Settle(*fabric);
  clock_.Advance(60'000'000'000);  // asleep: not silent
  EXPECT_EQ(Read().shards[0].awake_since_ns, 0u);
  EXPECT_EQ(Read().SilentNs(0, Read().NowNs(clock_.NowNanos())), 0u);
  Port port = fabric->OpenPort();
  port.Send(stuck, Number{1});
  fabric->Poll();
  EXPECT_EQ(silent_at_first_ns, 0u);
  EXPECT_EQ(silent_ns, 3'000'000'000u);
  while (fabric->Poll() != 0) {
  }
  EXPECT_EQ(Read().shards[0].awake_since_ns, 0u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(FabricStatsTest, OfAKilledWriterTheLastPublicationIsLeft) {
  auto fabric = Fabric::Start(Options()).value();
  const Address node = fabric->Serve("node", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  port.Send(node, Number{1});
  Settle(*fabric);
  const auto killed = files_.AfterKill();
  const FabricReading reading = Read(*killed);
  EXPECT_EQ(reading.state, WriterState::kGone);
  EXPECT_EQ(reading.Counters().delivered, 1u);
  EXPECT_LE(reading.NowNs(~uint64_t{0} / 2), fabric->state().NowNanos());
}

TEST_F(FabricStatsTest, AfterTheMachinesStartTheWriterIsGone) {
  auto fabric = Fabric::Start(Options()).value();
  files_.RestartMachine();
  const FabricReading reading = Read();
  EXPECT_FALSE(reading.same_machine_start);
  EXPECT_EQ(reading.state, WriterState::kGone);
}

TEST_F(FabricStatsTest, TheNextStartMakesANewFile) {
  { auto fabric = Fabric::Start(Options()).value(); }
  EXPECT_EQ(Read().state, WriterState::kStopped);
  FabricOptions options = Options();
  options.before_run = [&](Fabric&) {
    EXPECT_EQ(Read().boot, 1u) << "the one before, until there is something to read";
  };
  auto fabric = Fabric::Start(options).value();
  EXPECT_EQ(Read().state, WriterState::kRunning);
  EXPECT_EQ(Read().boot, 2u);
}

// The lock is held again before there is something new to read.
TEST_F(FabricStatsTest, AKilledWriterIsGoneAlsoWhileTheNextOneStarts) {
  auto killed = Fabric::Start(Options()).value();
  const auto after = files_.AfterKill();
  FabricOptions options = Options();
  options.journal.files = after.get();
  options.before_run = [&](Fabric&) {
    const FabricReading reading = Read(*after);
    EXPECT_EQ(reading.boot, 1u);
    EXPECT_EQ(reading.state, WriterState::kGone);
  };
  auto fabric = Fabric::Start(options).value();
  EXPECT_EQ(Read(*after).state, WriterState::kRunning);
  EXPECT_EQ(Read(*after).boot, 2u);
}

// Of the lock it is asked before the file is there.
TEST_F(FabricStatsTest, AWriterThatBeginsWhileItIsReadIsNotGone) {
  { auto fabric = Fabric::Start(Options()).value(); }
  std::unique_ptr<Fabric> fabric;
  test::FaultyFiles live(files_, [&](test::FileStep, const std::string& path) {
    if (fabric == nullptr && path == kFile) fabric = Fabric::Start(Options()).value();
    return absl::OkStatus();
  });
  const FabricReading reading = Read(live);
  EXPECT_EQ(reading.boot, 2u);
  EXPECT_EQ(reading.state, WriterState::kRunning);
}

TEST_F(FabricStatsTest, NeedsNoJournal) {
  FabricOptions options = Options();
  options.journal_dir = "";
  ASSERT_TRUE(files_.CreateDir("run").ok());
  options.stats_file = kFile;
  auto fabric = Fabric::Start(options).value();
  EXPECT_EQ(Read().Counters().journalled, 0u);
}

TEST_F(FabricStatsTest, WithoutAnIntervalNothingIsPublished) {
  FabricOptions options = Options();
  options.stats_interval_ns = 0;
  auto fabric = Fabric::Start(options).value();
  EXPECT_TRUE(absl::IsNotFound(ReadFabricStats(files_, kFile).status()));
}

TEST_F(FabricStatsTest, AnIntervalOutOfRangeIsNamed) {
  for (const uint64_t interval_ns : {uint64_t{999'999}, uint64_t{3'600'000'000'001}}) {
    FabricOptions options = Options();
    options.stats_interval_ns = interval_ns;
    const absl::Status status = Fabric::Start(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("stats_interval_ns is " + std::to_string(interval_ns)));
  }
}

TEST_F(FabricStatsTest, TwoFabricsDoNotPublishInOneFile) {
  FabricOptions options = Options();
  options.journal_dir = "";
  ASSERT_TRUE(files_.CreateDir("run").ok());
  options.stats_file = kFile;
  auto fabric = Fabric::Start(options).value();
  const absl::Status status = Fabric::Start(options).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("run/stats: another fabric"));
  EXPECT_EQ(Read().state, WriterState::kRunning);
  ASSERT_TRUE(fabric->Stop().ok());
  EXPECT_TRUE(Fabric::Start(options).ok()) << "free again, though the object is still there";
}

TEST_F(FabricStatsTest, ASecondOneThatIsRefusedLeavesTheFirstOnesFile) {
  auto fabric = Fabric::Start(Options()).value();
  EXPECT_FALSE(Fabric::Start(Options()).ok());
  EXPECT_EQ(Read().state, WriterState::kRunning);
}

class FabricStatsDamageTest : public FabricStatsTest {
 protected:
  void SetUp() override {
    auto fabric = Fabric::Start(Options()).value();
    const Address node = fabric->Serve("node", [](const Message&, Sender&) {});
    Port port = fabric->OpenPort();
    for (int i = 0; i < 3; ++i) {
      port.Send(node, Number{1});
      Settle(*fabric);
    }
  }
  absl::Status Status() { return ReadFabricStats(files_, kFile).status(); }
};

TEST_F(FabricStatsDamageTest, EveryBitOfTheHeaderCounts) {
  ASSERT_TRUE(Status().ok());
  for (uint64_t offset = 0; offset < sizeof(StatsHeader); ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      files_.FlipBit(kFile, offset, bit);
      const absl::Status status = Status();
      EXPECT_FALSE(status.ok()) << "byte " << offset << " bit " << bit;
      EXPECT_THAT(std::string(status.message()), HasSubstr("run/stats: "));
      files_.FlipBit(kFile, offset, bit);
    }
  }
  EXPECT_TRUE(Status().ok());
}

TEST_F(FabricStatsDamageTest, EveryBitOfTheNewestCopyIsReportedAndTheOneBeforeIsRead) {
  const StatsPlace place = StatsLayout(2).Totals();
  const FabricReading whole = Read();
  const std::vector<std::byte> bytes = files_.Read(kFile);
  const auto word = [&](size_t at_words) {
    uint64_t value;
    std::memcpy(&value, bytes.data() + at_words * sizeof(value), sizeof(value));
    return value;
  };
  const uint64_t newest = word(place.copy_at(1)) > word(place.copy_at(0)) ? 1 : 0;
  const size_t words = StatsPlace::kHeadWords + (word(place.copy_at(newest) + 1) >> 32);
  ASSERT_GT(words, 20u);
  for (size_t offset = 8; offset < words * 8; ++offset) {
    files_.FlipBit(kFile, place.copy_at(newest) * 8 + offset, static_cast<int>(offset % 8));
    const FabricReading reading = Read();
    ASSERT_EQ(reading.damages.size(), 1u) << offset;
    EXPECT_THAT(reading.damages[0], HasSubstr("run/stats: bytes "));
    EXPECT_LE(reading.totals.published_ns, whole.totals.published_ns);
    files_.FlipBit(kFile, place.copy_at(newest) * 8 + offset, static_cast<int>(offset % 8));
  }
  // With the other copy damaged as well there is nothing to read.
  files_.FlipBit(kFile, place.copy_at(0) * 8 + 16, 0);
  files_.FlipBit(kFile, place.copy_at(1) * 8 + 16, 0);
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
}

TEST_F(FabricStatsDamageTest, SectionsInEachOthersPlacesAreDamaged) {
  const StatsLayout layout(2);
  const std::vector<std::byte> bytes = files_.Read(kFile);
  const auto at = [&](const StatsPlace& place) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(place.at_words * 8);
  };
  const std::vector<std::byte> second(
      at(layout.Counts(1)),
      at(layout.Counts(1)) + static_cast<std::ptrdiff_t>(
                                 (layout.Counts(1).end_words() - layout.Counts(1).at_words) * 8));
  files_.Write(kFile, layout.Counts(0).at_words * 8, second);
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
}

TEST_F(FabricStatsDamageTest, NoRandomDamageIsFatal) {
  std::mt19937_64 random(test::Seed());
  const size_t size_bytes = files_.Read(kFile).size();
  for (int i = 0; i < 500; ++i) {
    for (uint64_t flips = random() % 50; flips > 0; --flips) {
      // Most of the file is room for more; what is used is at the beginnings of the copies.
      const uint64_t offset = random() % 2 == 0 ? random() % 2'048 : random() % size_bytes;
      files_.FlipBit(kFile, std::max<uint64_t>(offset, sizeof(StatsHeader)),
                     static_cast<int>(random() % 8));
    }
    const absl::StatusOr<FabricReading> reading = ReadFabricStats(files_, kFile);
    EXPECT_TRUE(reading.ok() || absl::IsDataLoss(reading.status())) << reading.status();
  }
}

TEST_F(FabricStatsDamageTest, CutShortItSaysHowLongItShouldBe) {
  const uint64_t size_bytes = files_.Read(kFile).size();
  for (const uint64_t left : {size_bytes - 1, size_bytes / 2, uint64_t{4096}, uint64_t{96},
                              uint64_t{95}, uint64_t{1}, uint64_t{0}}) {
    files_.Truncate(kFile, left);
    EXPECT_TRUE(absl::IsDataLoss(Status())) << left << ": " << Status();
    EXPECT_THAT(std::string(Status().message()), HasSubstr(std::to_string(left) + " bytes long"));
  }
}

TEST_F(FabricStatsDamageTest, AFileOfAnotherVersionSaysSo) {
  const StatsHeader sound = Header();
  StatsHeader header = sound;
  header.magic += uint64_t{1} << 56;
  SetHeader(header);
  EXPECT_TRUE(absl::IsUnimplemented(Status())) << Status();
  header = sound;
  header.dead_letter_causes += 1;
  SetHeader(header);
  EXPECT_TRUE(absl::IsUnimplemented(Status())) << Status();
  header = sound;
  header.magic ^= 1;
  SetHeader(header);
  EXPECT_TRUE(absl::IsInvalidArgument(Status())) << Status();
  header = sound;
  header.shards = 65;
  SetHeader(header);
  EXPECT_TRUE(absl::IsDataLoss(Status())) << Status();
  SetHeader(sound);
  EXPECT_TRUE(Status().ok());
}

TEST_F(FabricStatsDamageTest, AFileThatIsNotThereIsNotFound) {
  const absl::Status status = ReadFabricStats(files_, "run/other").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
}

TEST(StatsSectionTest, AWriterThatDiesInTheMiddleLeavesTheOneBefore) {
  const StatsPlace place{0, 8, 7};
  std::vector<uint64_t> file(place.end_words());
  internal::StatsSection section(file.data(), place);
  section.Begin();
  section.Put(uint64_t{1});
  section.End();
  section.Begin();
  section.Put(uint64_t{2});
  std::vector<uint64_t> payload;
  EXPECT_EQ(ReadStatsCopy(file.data() + place.copy_at(2), place, payload),
            internal::StatsCopyState::kNotWhole);
  ASSERT_EQ(ReadStatsCopy(file.data() + place.copy_at(1), place, payload),
            internal::StatsCopyState::kWhole);
  EXPECT_EQ(payload, std::vector<uint64_t>{1});
}

}  // namespace
}  // namespace bitactor
