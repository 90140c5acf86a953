#include "bitactor/l2_mailbox/port.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::PortNumber";
  uint64_t value;
};
struct Padded {
  static constexpr std::string_view kTypeName = "test::PortPadded";
  uint8_t small;
  uint64_t large;
};

class PortTest : public ::testing::Test {
 protected:
  std::unique_ptr<Fabric> Start(uint32_t shards = 1, size_t lane_slots = 8) {
    FabricOptions options;
    options.shards = shards;
    options.lane_slots = lane_slots;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 64;
    options.mailboxes = 8;
    return Fabric::Start(options).value();
  }
  // A served name on the wanted shard.
  static Address ServeOn(Fabric& fabric, uint32_t shard, const Fabric::Handler& handler) {
    for (int i = 0;; ++i) {
      const std::string name = "store" + std::to_string(i);
      if (fabric.ShardOf(fabric.Intern(name).id) == shard) return fabric.Serve(name, handler);
    }
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
};

TEST_F(PortTest, OneThatWasNeverOpenedRefusesEverything) {
  Port port;
  EXPECT_FALSE(port.ok());
  EXPECT_EQ(port.Send(Address{ActorId{1}}, Number{1}), SendResult::kClosed);
  EXPECT_EQ(port.Call(Address{ActorId{1}}, Number{1}, 1'000).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(port.sent(), 0u);
}

TEST_F(PortTest, APostIsNotVisibleBeforeTheFlush) {
  auto fabric = Start();
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Post(store, Number{1}), SendResult::kOk);
  for (int i = 0; i < 4; ++i) fabric->Poll();
  EXPECT_EQ(seen, 0u);
  port.Flush();
  fabric->WaitIdle();
  EXPECT_EQ(seen, 1u);
}

TEST_F(PortTest, APostToAnotherShardShowsWhatWasPostedBefore) {
  auto fabric = Start(/*shards=*/2);
  std::array<uint64_t, 2> seen{};
  const std::array<Address, 2> stores = {
      ServeOn(*fabric, 0, [&](const Message&, Sender&) { ++seen[0]; }),
      ServeOn(*fabric, 1, [&](const Message&, Sender&) { ++seen[1]; })};
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Post(stores[0], Number{1}), SendResult::kOk);
  ASSERT_EQ(port.Post(stores[1], Number{2}), SendResult::kOk);
  for (int i = 0; i < 4; ++i) fabric->Poll();
  EXPECT_EQ(seen, (std::array<uint64_t, 2>{1, 0}));
  port.Flush();
  fabric->WaitIdle();
  EXPECT_EQ(seen, (std::array<uint64_t, 2>{1, 1}));
}

TEST_F(PortTest, ClosingItPublishesWhatWasPosted) {
  auto fabric = Start();
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  {
    Port port = fabric->OpenPort();
    ASSERT_EQ(port.Post(store, Number{1}), SendResult::kOk);
  }
  fabric->WaitIdle();
  EXPECT_EQ(seen, 1u);
}

TEST_F(PortTest, AMoveHandsItOver) {
  auto fabric = Start();
  std::vector<uint64_t> seen;
  const Address store = fabric->Serve(
      "store", [&](const Message& m, Sender&) { seen.push_back(m.As<Number>().value); });
  Port first = fabric->OpenPort();
  ASSERT_EQ(first.Post(store, Number{1}), SendResult::kOk);
  Port second = std::move(first);
  ASSERT_EQ(second.Send(store, Number{2}), SendResult::kOk);
  EXPECT_EQ(first.Send(store, Number{3}), SendResult::kClosed);  // NOLINT(bugprone-use-after-move)
  fabric->WaitIdle();
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(second.sent(), 2u);
}

TEST_F(PortTest, StampsRiseStrictlyThoughTheClockStandsStill) {
  auto fabric = Start();
  std::vector<uint64_t> stamps;
  const Address store =
      fabric->Serve("store", [&](const Message& m, Sender&) { stamps.push_back(m.stamp_ns()); });
  Port port = fabric->OpenPort();
  for (uint64_t i = 0; i < 5; ++i) ASSERT_EQ(port.Send(store, Number{i}), SendResult::kOk);
  fabric->WaitIdle();
  ASSERT_EQ(stamps.size(), 5u);
  for (size_t i = 1; i < stamps.size(); ++i) EXPECT_GT(stamps[i], stamps[i - 1]);
}

TEST_F(PortTest, AfterAPauseItStampsWithThePresent) {
  auto fabric = Start();
  uint64_t stamp_ns = 0;
  const Address store =
      fabric->Serve("store", [&](const Message& m, Sender&) { stamp_ns = m.stamp_ns(); });
  Port port = fabric->OpenPort();
  port.Send(store, Number{1});
  clock_.Advance(7'000'000'000);
  port.Send(store, Number{2});
  fabric->WaitIdle();
  EXPECT_EQ(stamp_ns, fabric->state().NowNanos());
}

TEST_F(PortTest, WhatIsSentAfterAnAnswerIsStampedAfterIt) {
  auto fabric = Start();
  uint64_t stamp_ns = 0;
  const Address echo =
      fabric->Serve("echo", [&](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  const Address store =
      fabric->Serve("store", [&](const Message& m, Sender&) { stamp_ns = m.stamp_ns(); });
  Port port = fabric->OpenPort();
  const absl::StatusOr<Frame> reply = port.Call(echo, Number{1}, 1'000'000);
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(port.Send(store, Number{2}), SendResult::kOk);
  fabric->WaitIdle();
  EXPECT_GT(stamp_ns, reply->header.stamp_ns);
}

TEST_F(PortTest, EverySendFromOutsideIsTheRootOfATrace) {
  auto fabric = Start();
  std::vector<uint64_t> traces;
  const Address store =
      fabric->Serve("store", [&](const Message& m, Sender&) { traces.push_back(m.trace()); });
  Port port = fabric->OpenPort();
  port.Send(store, Number{1});
  port.Send(store, Number{2});
  fabric->WaitIdle();
  ASSERT_EQ(traces.size(), 2u);
  EXPECT_NE(traces[0], 0u);
  EXPECT_NE(traces[0], traces[1]);
}

TEST_F(PortTest, AFullLaneToOneShardDoesNotRefuseAnother) {
  auto fabric = Start(/*shards=*/2, /*lane_slots=*/4);
  const auto ignore = [](const Message&, Sender&) {};
  const std::array<Address, 2> stores = {ServeOn(*fabric, 0, ignore), ServeOn(*fabric, 1, ignore)};
  Port port = fabric->OpenPort();
  while (port.Send(stores[0], Number{1}) == SendResult::kOk) {
  }
  EXPECT_EQ(port.Send(stores[0], Number{1}), SendResult::kFull);
  EXPECT_EQ(port.Send(stores[1], Number{1}), SendResult::kOk);
  EXPECT_EQ(port.refused(SendResult::kFull), 2u);
  EXPECT_EQ(port.sent(), 5u);
}

TEST_F(PortTest, ACallWhoseRequestFindsNoRoomIsUnavailable) {
  auto fabric = Start(/*shards=*/1, /*lane_slots=*/2);
  const Address store = fabric->Serve("store", [](const Message&, Sender&) {});
  Port port = fabric->OpenPort();
  while (port.Send(store, Number{1}) == SendResult::kOk) {
  }
  const absl::Status status = port.Call(store, Number{2}, 1'000'000).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "the request was not sent: full");
}

TEST_F(PortTest, AnAnswerAfterTheTimeoutIsDroppedAndCounted) {
  auto fabric = Start();
  const Address late = fabric->Intern("late");
  Port port = fabric->OpenPort();
  EXPECT_EQ(port.Call(late, Number{1}, 1'000).status().code(), absl::StatusCode::kDeadlineExceeded);
  fabric->Serve("late", [](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  const absl::StatusOr<Frame> second = port.Call(late, Number{2}, 1'000);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(Message(*second).As<Number>().value, 2u) << "the answer to its own request";
  EXPECT_EQ(port.late_replies(), 1u);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

TEST_F(PortTest, AnswersOfCallsThatWereGivenUpDoNotTakeTheRoomOfOthers) {
  auto fabric = Start();
  const Address echo =
      ServeOn(*fabric, 0, [](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  Port port = fabric->OpenPort();
  const auto start = [&](uint64_t value) {
    return port
        .StartCall(echo, TypeId<Number>(), 1'000'000,
                   [value](internal::PortCore& core, const internal::Envelope& envelope) {
                     return core.Send(envelope, Number{value});
                   })
        .value();
  };
  for (size_t i = 0; i < 2 * internal::kReplySlots; ++i) {
    port.AbandonCall(start(1));
    fabric->WaitIdle();
  }
  const uint64_t call = start(2);
  fabric->WaitIdle();
  const absl::StatusOr<Answer> answer = port.FinishCall(call, 0);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(Message(answer->frame).As<Number>().value, 2u);
}

TEST_F(PortTest, AnAnswerToAPortThatIsClosedIsADeadLetter) {
  auto fabric = Start();
  const Address late = fabric->Intern("late");
  {
    Port port = fabric->OpenPort();
    EXPECT_FALSE(port.Call(late, Number{1}, 1'000).ok());
  }
  fabric->Serve("late", [](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  const FabricCounters counters = fabric->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kNoReader)], 1u);
  EXPECT_TRUE(counters.AddUp());
}

TEST_F(PortTest, AnAnswerToTheLastOwnerDoesNotReachTheNext) {
  auto fabric = Start();
  const Address late = fabric->Intern("late");
  {
    Port port = fabric->OpenPort();
    EXPECT_FALSE(port.Call(late, Number{1}, 1'000).ok());
  }
  Port next = fabric->OpenPort();  // has the closed one's lanes
  fabric->Serve("late", [](const Message& m, Sender& out) { out.Reply(m.As<Number>()); });
  const absl::StatusOr<Frame> reply = next.Call(late, Number{2}, 1'000);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(Message(*reply).As<Number>().value, 2u);
}

TEST_F(PortTest, ClosedPortsAreUsedAgain) {
  auto fabric = Start();
  uint64_t seen = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++seen; });
  for (int i = 0; i < 1'000; ++i) {
    Port port = fabric->OpenPort();
    ASSERT_TRUE(port.ok()) << i;
    ASSERT_EQ(port.Send(store, Number{1}), SendResult::kOk);
    fabric->WaitIdle();
  }
  EXPECT_EQ(seen, 1'000u);
}

TEST_F(PortTest, WhenThereAreNoMorePortsOneSaysSo) {
  auto fabric = Start();
  std::vector<Port> ports;
  for (uint32_t i = 1; i < internal::kMaxPorts; ++i) {
    ports.push_back(fabric->OpenPort());
    ASSERT_TRUE(ports.back().ok()) << i;
  }
  EXPECT_FALSE(fabric->OpenPort().ok());
  ports.pop_back();
  EXPECT_TRUE(fabric->OpenPort().ok());
}

TEST_F(PortTest, ANamedPortCannotCall) {
  auto fabric = Start();
  Port feed = fabric->OpenPort({.name = "feed"});
  EXPECT_EQ(feed.Call(Address{ActorId{1}}, Number{1}, 1'000).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(PortTest, ANamedPortsSequenceCountsOnlyWhatWasSent) {
  auto fabric = Start(/*shards=*/1, /*lane_slots=*/2);
  std::vector<uint64_t> ids;
  const Address store =
      fabric->Serve("store", [&](const Message& m, Sender&) { ids.push_back(m.message_id()); });
  Port feed = fabric->OpenPort({.name = "feed"});
  for (uint64_t i = 0; i < 3; ++i) {
    while (feed.Send(store, Number{i}) == SendResult::kOk) {
    }
    fabric->WaitIdle();
  }
  EXPECT_EQ(ids, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(PortTest, PaddingTravelsAsZeros) {
  auto fabric = Start();
  std::array<std::byte, sizeof(Padded)> bytes{};
  const Address store = fabric->Serve("store", [&](const Message& m, Sender&) {
    std::memcpy(bytes.data(), m.frame().payload, bytes.size());
  });
  Padded padded;
  std::memset(static_cast<void*>(&padded), 0xFF, sizeof(padded));
  padded.small = 1;
  padded.large = 2;
  Port port = fabric->OpenPort();
  port.Send(store, padded);
  fabric->WaitIdle();
  std::array<std::byte, sizeof(Padded)> expected{};
  expected[0] = std::byte{1};
  expected[8] = std::byte{2};
  EXPECT_EQ(bytes, expected);
}

}  // namespace
}  // namespace bitactor
