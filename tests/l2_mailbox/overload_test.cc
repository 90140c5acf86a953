// Mailboxes that get ten times what they can hold: who gives way, who is told, and that all of it is
// counted.
#include "bitactor/l2_mailbox/overload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/slot_table.h"

namespace bitactor {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::OverloadNumber";
  uint64_t value;
};

constexpr uint32_t kCapacity = 16;
constexpr uint64_t kOverload = 10 * kCapacity;

class OverloadTest : public ::testing::Test {
 protected:
  void Start(uint32_t shards = 1, size_t lane_slots = 1024) {
    FabricOptions options;
    options.shards = shards;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 1024;
    options.lane_slots = lane_slots;
    fabric_ = Fabric::Start(options).value();
    port_ = fabric_->OpenPort();
  }
  // Serves "store", which notes what it is given and does not run yet.
  Address ServeSuspended(Overload overload, uint32_t capacity_frames = kCapacity) {
    const Address store = fabric_->Serve(
        "store", [this](const Message& m, Sender&) { seen_.push_back(m.As<Number>().value); },
        {.capacity_frames = capacity_frames, .overload = overload});
    EXPECT_TRUE(fabric_->Suspend(store).ok());
    return store;
  }
  uint64_t Dead(DeadLetterCause cause) {
    return fabric_->Counters().dead_letters[static_cast<size_t>(cause)];
  }
  void ExpectOnly(DeadLetterCause cause, uint64_t count) {
    const FabricCounters counters = fabric_->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.dead_letters[static_cast<size_t>(cause)], count)
        << DeadLetterCauseName(cause);
    EXPECT_EQ(counters.dead_letters_total(), count);
  }
  static std::vector<uint64_t> From(uint64_t first, uint64_t count) {
    std::vector<uint64_t> numbers(count);
    for (uint64_t i = 0; i < count; ++i) numbers[i] = first + i;
    return numbers;
  }
  // In one burst: the lane has it before the mailbox can tell anybody.
  void Burst(Address to, uint64_t count) {
    for (uint64_t i = 1; i <= count; ++i) ASSERT_EQ(port_.Post(to, Number{i}), SendResult::kOk);
    port_.Flush();
    fabric_->WaitIdle();
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<Fabric> fabric_;
  Port port_;
  std::vector<uint64_t> seen_;
};

TEST_F(OverloadTest, RefuseKeepsTheFirstAndRefusesWhatComesLater) {
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  Burst(store, kOverload);
  ExpectOnly(DeadLetterCause::kMailboxFull, kOverload - kCapacity);
  EXPECT_EQ(fabric_->Counters().queued, kCapacity);
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(seen_, From(1, kCapacity));
  ExpectOnly(DeadLetterCause::kMailboxFull, kOverload - kCapacity);
}

TEST_F(OverloadTest, ShedOldestKeepsTheLast) {
  Start();
  const Address store = ServeSuspended(Overload::kShedOldest);
  Burst(store, kOverload);
  ExpectOnly(DeadLetterCause::kShed, kOverload - kCapacity);
  EXPECT_EQ(port_.Send(store, Number{kOverload + 1}), SendResult::kOk) << "the new one is taken";
  fabric_->WaitIdle();
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(seen_, From(kOverload + 2 - kCapacity, kCapacity));
  ExpectOnly(DeadLetterCause::kShed, kOverload + 1 - kCapacity);
  // What gave way is kept whole, with its trace.
  const std::vector<DeadLetter> letters = fabric_->dead_letters().Letters();
  EXPECT_EQ(Message(letters[0].frame).As<Number>().value, 1u);
  EXPECT_NE(letters[0].frame.header.trace, 0u);
}

TEST_F(OverloadTest, ShedLowestPriorityKeepsTheFirstOfTheHighest) {
  Start();
  const Address store = ServeSuspended(Overload::kShedLowestPriority);
  // 160 messages, a quarter of each priority: 16 of the 40 urgent ones fit.
  for (uint64_t i = 1; i <= kOverload; ++i) {
    ASSERT_EQ(port_.Post(store, Number{i}, static_cast<Priority>(i % 4)), SendResult::kOk);
  }
  port_.Flush();
  fabric_->WaitIdle();
  ExpectOnly(DeadLetterCause::kShed, kOverload - kCapacity);
  ASSERT_TRUE(fabric_->Resume(store).ok());
  ASSERT_EQ(seen_.size(), kCapacity);
  for (size_t i = 0; i < seen_.size(); ++i) {
    EXPECT_EQ(seen_[i] % 4, 3u);
    // Among equals the older one gives way, so these are the last urgent ones, in order.
    EXPECT_EQ(seen_[i], kOverload - 4 * kCapacity + 3 + 4 * i);
  }
}

TEST_F(OverloadTest, TheOneThatComesIsShedWhenAllThatWaitAreAboveIt) {
  Start();
  const Address store = ServeSuspended(Overload::kShedLowestPriority);
  for (uint64_t i = 1; i <= kCapacity; ++i) {
    ASSERT_EQ(port_.Post(store, Number{i}, Priority::kRaised), SendResult::kOk);
  }
  for (uint64_t i = 1; i < kOverload; ++i) {
    ASSERT_EQ(port_.Post(store, Number{1000 + i}), SendResult::kOk);
  }
  port_.Flush();
  fabric_->WaitIdle();
  ExpectOnly(DeadLetterCause::kShed, kOverload - 1);
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(seen_, From(1, kCapacity));
}

TEST_F(OverloadTest, ACallThatGivesWayIsAnswered) {
  for (const Overload overload : {Overload::kRefuse, Overload::kShedLowestPriority}) {
    SCOPED_TRACE(static_cast<int>(overload));
    port_ = Port();
    Start();
    const Address store = ServeSuspended(overload);
    for (uint64_t i = 1; i <= kCapacity; ++i) {
      ASSERT_EQ(port_.Post(store, Number{i}, Priority::kRaised), SendResult::kOk);
    }
    const absl::StatusOr<Frame> answer = port_.Call(store, Number{}, 1'000'000);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted) << answer.status();
    ExpectOnly(
        overload == Overload::kRefuse ? DeadLetterCause::kMailboxFull : DeadLetterCause::kShed, 1);
    // And the next is not even sent where its sender can know.
    if (overload != Overload::kRefuse) continue;
    const absl::StatusOr<Frame> next = port_.Call(store, Number{}, 1'000'000);
    EXPECT_EQ(next.status().code(), absl::StatusCode::kResourceExhausted) << next.status();
    EXPECT_EQ(port_.refused(SendResult::kMailboxFull), 1u);
  }
}

TEST_F(OverloadTest, NeitherAnswersNorTimersNorTheRuntimesMessagesAreRefusedOrShed) {
  for (const Overload overload :
       {Overload::kRefuse, Overload::kShedOldest, Overload::kShedLowestPriority}) {
    SCOPED_TRACE(static_cast<int>(overload));
    port_ = Port();
    Start();
    const Address awaited = fabric_->Intern("awaited");
    internal::Endpoint& endpoint = *fabric_->shard(0).Find(awaited.id);
    endpoint.capacity_frames = kCapacity;
    endpoint.overload = overload;
    const std::vector<FrameKind> kinds = {FrameKind::kReply, FrameKind::kTimer, FrameKind::kSystem,
                                          FrameKind::kCast};
    for (uint64_t i = 0; i < kOverload; ++i) {
      internal::Envelope envelope;
      envelope.kind = kinds[i % 4];
      envelope.flags = envelope.kind == FrameKind::kCast ? kFlagSignal : 0;
      envelope.source = port_.core()->id();
      envelope.target = awaited;
      envelope.message_id = port_.core()->NextMessageId();
      ASSERT_EQ(port_.core()->Send(envelope, Number{i}), SendResult::kOk);
      port_.Flush();
      fabric_->WaitIdle();  // credit is withdrawn long since, but not from these
    }
    EXPECT_EQ(fabric_->Counters().queued, kOverload);
    ExpectOnly(DeadLetterCause::kShed, 0);
    // An ordinary message finds no room then.
    EXPECT_EQ(port_.Send(awaited, Number{}),
              overload == Overload::kRefuse ? SendResult::kMailboxFull : SendResult::kOk);
    fabric_->WaitIdle();
    ExpectOnly(DeadLetterCause::kShed, overload == Overload::kRefuse ? 0 : 1);
  }
}

TEST_F(OverloadTest, APortThatWaitsWhenItIsToldLosesNothing) {
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  uint64_t accepted = 0;
  uint64_t refused = 0;
  for (uint64_t i = 1; i <= kOverload; ++i) {
    const SendResult result = port_.Send(store, Number{i});
    accepted += result == SendResult::kOk;
    refused += result == SendResult::kMailboxFull;
    fabric_->WaitIdle();
  }
  EXPECT_EQ(accepted, kCapacity / 2) << "the other half is for what is on its way";
  EXPECT_EQ(refused, kOverload - accepted);
  EXPECT_EQ(fabric_->Counters().refused[static_cast<size_t>(SendResult::kMailboxFull)], refused);
  ExpectOnly(DeadLetterCause::kMailboxFull, 0);
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(seen_, From(1, accepted));
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kOk);
  fabric_->WaitIdle();
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(OverloadTest, CreditIsOfOneMailboxEvenWhereSlotsAreShared) {
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  const uint32_t slot = SlotTable::SlotOf(store.id);
  uint32_t other = static_cast<uint32_t>(store.id) + 1;
  while (SlotTable::SlotOf(ActorId{other}) != slot) ++other;
  fabric_->shard(0).Add(std::make_unique<internal::AwaitingEndpoint>(ActorId{other}));
  Burst(store, kCapacity);
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kMailboxFull);
  EXPECT_EQ(port_.Send(Address{ActorId{other}}, Number{}), SendResult::kOk);
  // The mark of the slot stays while one of its mailboxes needs it.
  fabric_->state().credits.Set(ActorId{other}, internal::Credit::kNone);
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kOk);
  EXPECT_EQ(port_.Send(Address{ActorId{other}}, Number{}), SendResult::kMailboxFull);
  fabric_->state().credits.Set(ActorId{other}, internal::Credit::kAll);
  EXPECT_EQ(port_.Send(Address{ActorId{other}}, Number{}), SendResult::kOk);
  EXPECT_EQ(fabric_->state().routes.RouteOf(store.id), fabric_->ShardOf(store.id));
  fabric_->WaitIdle();
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(OverloadTest, AHandlerIsToldWhenTheQueueIsFullAndWhatItSentIsADeadLetter) {
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  std::vector<SendResult> results;
  const Address source = fabric_->Serve("source", [&](const Message& m, Sender& out) {
    results.push_back(out.Send(store, m.As<Number>()));
  });
  for (uint64_t i = 1; i <= kOverload; ++i) {
    ASSERT_EQ(port_.Send(source, Number{i}), SendResult::kOk);
    fabric_->WaitIdle();
  }
  // Handlers cannot wait, so they may fill all of it.
  std::vector<SendResult> expected(kOverload, SendResult::kMailboxFull);
  std::fill_n(expected.begin(), kCapacity, SendResult::kOk);
  EXPECT_EQ(results, expected);
  ExpectOnly(DeadLetterCause::kMailboxFull, kOverload - kCapacity);
  EXPECT_EQ(fabric_->Counters().refused[static_cast<size_t>(SendResult::kMailboxFull)], 0u)
      << "of outside ports";
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(seen_, From(1, kCapacity));
}

TEST_F(OverloadTest, CreditMovesWithItsMailboxToAnotherShard) {
  Start(/*shards=*/2);
  const Address store = ServeSuspended(Overload::kRefuse);
  Burst(store, kCapacity);
  const uint32_t before = fabric_->ShardOf(store.id);
  // Mailboxes of the other shard join until the slot has moved there.
  uint32_t mailbox = 64 + (before == 0 ? 1 : 0);
  for (; fabric_->ShardOf(store.id) == before && mailbox < 1000; mailbox += 2) {
    ASSERT_TRUE(fabric_->AddMailbox(mailbox, 50).ok());
    EXPECT_EQ(port_.Send(store, Number{}), SendResult::kMailboxFull) << "at mailbox " << mailbox;
  }
  ASSERT_NE(fabric_->ShardOf(store.id), before);
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kMailboxFull);
  ASSERT_TRUE(fabric_->Resume(store).ok());
  EXPECT_EQ(seen_, From(1, kCapacity));
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kOk);
  fabric_->WaitIdle();
  EXPECT_EQ(seen_.size(), kCapacity + 1);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(OverloadTest, WhoeverTakesTheNameGivesTheCreditBack) {
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  Burst(store, kCapacity);
  ASSERT_EQ(port_.Send(store, Number{}), SendResult::kMailboxFull);
  uint64_t handled = 0;
  fabric_->Serve("store", [&](const Message&, Sender&) { ++handled; },
                 {.overload = Overload::kShedOldest});
  EXPECT_EQ(handled, kCapacity);
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kOk);
  fabric_->WaitIdle();
  // So does whoever takes it out.
  ASSERT_TRUE(fabric_->Suspend(ServeSuspended(Overload::kRefuse)).ok());
  Burst(store, kCapacity);
  ASSERT_EQ(port_.Send(store, Number{}), SendResult::kMailboxFull);
  fabric_->shard(0).Remove(*fabric_->shard(0).Find(store.id));
  EXPECT_EQ(port_.Send(store, Number{}), SendResult::kOk) << "it becomes a dead letter";
  fabric_->WaitIdle();
  EXPECT_EQ(Dead(DeadLetterCause::kNoTarget), 1u);
  EXPECT_EQ(Dead(DeadLetterCause::kUnread), kCapacity);
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(OverloadTest, ASendThatWaitsGoesWhenTheLaneHasRoom) {
  Start(/*shards=*/1, /*lane_slots=*/4);
  const Address store = fabric_->Serve(
      "store", [this](const Message& m, Sender&) { seen_.push_back(m.As<Number>().value); });
  for (uint64_t i = 1; i <= 100; ++i) {
    ASSERT_EQ(port_.Send(store, Number{i}, {.timeout_ns = 1'000'000}), SendResult::kOk);
  }
  fabric_->WaitIdle();
  EXPECT_EQ(seen_, From(1, 100));
  EXPECT_EQ(port_.refused(SendResult::kFull), 24u) << "each time the lane was full, once";
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(OverloadTest, ASendThatWaitsGivesUpWhenNothingMovesAndNobodyElseDrives) {
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  Burst(store, kCapacity);
  EXPECT_EQ(port_.Send(store, Number{}, {.timeout_ns = 1'000'000'000}), SendResult::kMailboxFull);
  EXPECT_EQ(port_.refused(SendResult::kMailboxFull), 1u);
  EXPECT_EQ(fabric_->Counters().queued, kCapacity);
}

TEST_F(OverloadTest, ASendThatWaitsEndsWithItsTimeOnTheInjectedClock) {
  // A handler of another name keeps the fabric busy and the clock going.
  Start();
  const Address store = ServeSuspended(Overload::kRefuse);
  Burst(store, kCapacity);
  Address busy;
  busy = fabric_->Serve("busy", [&](const Message& m, Sender& out) {
    clock_.Advance(1'000);
    if (m.As<Number>().value > 0) out.Send(busy, Number{m.As<Number>().value - 1});
  });
  ASSERT_EQ(port_.Send(busy, Number{100'000}), SendResult::kOk);
  const uint64_t before_ns = clock_.NowNanos();
  EXPECT_EQ(port_.Send(store, Number{}, {.timeout_ns = 1'000'000}), SendResult::kMailboxFull);
  const uint64_t waited_ns = clock_.NowNanos() - before_ns;
  EXPECT_GE(waited_ns, 1'000'000u);
  EXPECT_LT(waited_ns, 2'000'000u) << "looks at the clock after every round";
}

TEST_F(OverloadTest, ASendThatWaitsGoesWhenTheMailboxRunsAgain) {
  FabricOptions options;
  auto fabric = Fabric::Start(options).value();
  std::atomic<uint64_t> handled{0};
  const Address store = fabric->Serve(
      "store", [&](const Message&, Sender&) { handled.fetch_add(1); }, {.capacity_frames = 8});
  ASSERT_TRUE(fabric->Suspend(store).ok());
  Port port = fabric->OpenPort();
  uint64_t sent = 0;
  while (port.Send(store, Number{}) == SendResult::kOk) {
    ++sent;
    fabric->WaitIdle();
  }
  std::atomic<bool> waits{false};
  std::jthread resumer([&] {
    while (!waits.load()) std::this_thread::yield();
    EXPECT_TRUE(fabric->Resume(store).ok());
  });
  waits.store(true);
  EXPECT_EQ(port.Send(store, Number{}, {.timeout_ns = 120'000'000'000}), SendResult::kOk);
  resumer.join();
  fabric->WaitIdle();
  EXPECT_EQ(handled.load(), sent + 1);
  EXPECT_TRUE(fabric->Counters().AddUp());
}

// Lanes of four slots and ten frames held back at most: a shard that handled all that waits in one go
// would lose most of what its handlers send.
TEST_F(OverloadTest, WhatWaitedIsHandledAsFastAsItsHandlersCanSend) {
  constexpr uint64_t kWaiting = 60;
  for (const bool served_late : {false, true}) {
    for (const uint32_t shards : {1u, 2u}) {
      SCOPED_TRACE(shards * 2 + (served_late ? 1 : 0));
      FabricOptions options;
      options.shards = shards;
      options.threads = false;
      options.lane_slots = 4;
      options.overflow_frames = 10;
      auto fabric = Fabric::Start(options).value();
      std::vector<uint64_t> seen;
      const Address sink = fabric->Serve(
          "sink", [&](const Message& m, Sender&) { seen.push_back(m.As<Number>().value); });
      const auto relay = [&](const Message& m, Sender& out) {
        for (int i = 0; i < 3; ++i) out.Send(sink, m.As<Number>());
      };
      // On another shard than the sink, if there is one.
      std::string name = "relay";
      while (shards > 1 && fabric->ShardOf(fabric->Intern(name).id) == fabric->ShardOf(sink.id)) {
        name += "'";
      }
      if (!served_late) {
        ASSERT_TRUE(fabric->Suspend(fabric->Serve(name, relay)).ok());
      }
      Port port = fabric->OpenPort();
      for (uint64_t i = 0; i < kWaiting; ++i) {
        ASSERT_EQ(port.Send(fabric->Intern(name), Number{i}), SendResult::kOk);
        fabric->WaitIdle();
      }
      if (served_late) {
        fabric->Serve(name, relay);
      } else {
        ASSERT_TRUE(fabric->Resume(fabric->Intern(name)).ok());
        EXPECT_GE(fabric->Counters().delivered, kWaiting) << "it returns when that is done";
      }
      fabric->WaitIdle();
      EXPECT_EQ(seen.size(), 3 * kWaiting);
      EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
      EXPECT_EQ(fabric->Counters().dead_letters_total(), 0u);
      EXPECT_EQ(fabric->Counters().queued, 0u);
      EXPECT_TRUE(fabric->Counters().AddUp());
    }
  }
}

TEST_F(OverloadTest, OnlyWhatIsServedCanBeSuspendedAndOnlyFromOutside) {
  Start();
  EXPECT_EQ(fabric_->Suspend(Address{ActorId{4711}}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fabric_->Suspend(fabric_->Intern("nobody yet")).code(),
            absl::StatusCode::kFailedPrecondition);
  absl::Status from_handler;
  Address self;
  self = fabric_->Serve("self",
                        [&](const Message&, Sender&) { from_handler = fabric_->Suspend(self); });
  ASSERT_EQ(port_.Send(self, Number{}), SendResult::kOk);
  fabric_->WaitIdle();
  EXPECT_EQ(from_handler.code(), absl::StatusCode::kFailedPrecondition);
  Address stale = self;
  stale.generation = 1;
  EXPECT_EQ(fabric_->Resume(stale).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(fabric_->Suspend(self).ok());
  EXPECT_TRUE(fabric_->Suspend(self).ok()) << "twice is once";
  EXPECT_TRUE(fabric_->Resume(self).ok());
  ASSERT_TRUE(fabric_->Stop().ok());
  EXPECT_EQ(fabric_->Suspend(self).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(OverloadTest, ACapacityOutOfRangeIsNamedWithItsRange) {
  Start();
  const Fabric::Handler ignore = [](const Message&, Sender&) {};
  for (const uint32_t capacity : {0u, kMaxCapacityFrames + 1}) {
    const absl::Status status =
        fabric_->TryServe("store", ignore, {.capacity_frames = capacity}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), "MailboxOptions::capacity_frames of \"store\" is " +
                                    std::to_string(capacity) + "; allowed is 1 to 1048576");
    EXPECT_EQ(fabric_->Serve("store", ignore, {.capacity_frames = capacity}), Address{});
  }
  EXPECT_TRUE(fabric_->TryServe("store", ignore, {.capacity_frames = 1}).ok());
  EXPECT_EQ(fabric_->TryServe("", ignore).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CreditTest, IsWithdrawnAtHalfAndGivenBackBelowAQuarter) {
  using internal::Credit;
  using internal::NextCredit;
  for (const uint32_t capacity : {1u, 2u, 3u, 4u, 7u, 16u, 1000u}) {
    SCOPED_TRACE(capacity);
    Credit credit = Credit::kAll;
    for (size_t waiting = 1; waiting <= capacity; ++waiting) {
      credit = NextCredit(credit, waiting, capacity);
      EXPECT_EQ(credit == Credit::kNone, waiting == capacity);
      if (waiting < capacity) {
        EXPECT_EQ(credit == Credit::kShardsOnly, waiting >= capacity / 2);
      }
    }
    for (size_t waiting = capacity; waiting-- > 0;) {
      const Credit before = credit;
      credit = NextCredit(credit, waiting, capacity);
      EXPECT_LE(credit, before) << "room never takes credit";
      if (waiting * 4 >= capacity) {
        EXPECT_NE(credit, Credit::kAll) << waiting;
      }
      if (waiting * 2 + 1 < capacity) {
        EXPECT_NE(credit, Credit::kNone) << waiting;
      }
    }
    EXPECT_EQ(credit, Credit::kAll);
  }
}

TEST(SendAdviceTest, EveryResultSaysWhatToDo) {
  const std::vector<SendAdvice> expected = {
      SendAdvice::kGoOn, SendAdvice::kRetry,  SendAdvice::kGiveUp,
      SendAdvice::kGoOn, SendAdvice::kGiveUp, SendAdvice::kGiveUp,
      SendAdvice::kWait, SendAdvice::kWait,   SendAdvice::kGiveUp};
  ASSERT_EQ(expected.size(), kSendResults);
  for (size_t i = 0; i < kSendResults; ++i) {
    const auto result = static_cast<SendResult>(i);
    EXPECT_EQ(RetryAdvice(result), expected[i]) << SendResultName(result);
    EXPECT_STRNE(SendResultName(result), "unknown");
  }
  for (size_t i = 0; i < kDeadLetterCauses; ++i) {
    EXPECT_STRNE(DeadLetterCauseName(static_cast<DeadLetterCause>(i)), "unknown");
  }
}

}  // namespace
}  // namespace bitactor
