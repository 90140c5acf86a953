// Nothing is lost silently: after random traffic every counter equals a model's, cause by cause.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"

namespace bitactor {
namespace {

enum class Action : uint32_t { kTake, kForward, kThrow };

struct Order {
  static constexpr std::string_view kTypeName = "test::Order";
  Action action;
  uint32_t hops;
};

// What the counters must be.
struct Model {
  uint64_t sent = 0;
  uint64_t replied = 0;
  uint64_t delivered = 0;
  uint64_t read_by_ports = 0;
  uint64_t queued = 0;
  uint64_t full = 0;
  uint64_t mailbox_full = 0;
  std::array<uint64_t, kDeadLetterCauses> dead{};

  uint64_t& Dead(DeadLetterCause cause) { return dead[static_cast<size_t>(cause)]; }
};

class Traffic {
 public:
  explicit Traffic(uint64_t seed) : random_(seed) {
    FabricOptions options;
    options.shards = 1 + Below(4);
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 64;
    options.mailboxes = 8;
    options.lane_slots = size_t{4} << Below(3);
    fabric_ = Fabric::Start(options).value();
    port_ = fabric_->OpenPort();
    silent_ = fabric_->OpenPort();
    for (uint32_t i = 0; i < kNodes; ++i) {
      nodes_.push_back(fabric_->Serve("node" + std::to_string(i),
                                      [this](const Message& m, Sender& out) { Take(m, out); }));
    }
    echo_ = fabric_->Serve("echo", [this](const Message& m, Sender& out) {
      out.Reply(m.As<Order>());
      ++model_.replied;
      ++model_.delivered;
    });
    awaited_ = fabric_->Intern("awaited");
    fabric_->shard(fabric_->ShardOf(awaited_.id)).Find(awaited_.id)->capacity_frames =
        kAwaitedFrames;
  }

  void Run(int steps) {
    for (int step = 0; step < steps; ++step) {
      clock_.Advance(1'000);
      Act();
      if (Below(3) == 0) fabric_->Poll();
    }
    fabric_->WaitIdle();
    const uint64_t kept = std::min(to_awaited_, kAwaitedFrames);
    model_.queued += kept;
    model_.Dead(DeadLetterCause::kMailboxFull) += to_awaited_ - kept;
    const uint64_t unread = std::min(silent_echoes_, kReplySlots);
    model_.queued += unread;
    model_.Dead(DeadLetterCause::kNoReader) += silent_echoes_ - unread;
  }

  void ExpectCountersAsInTheModel() {
    const FabricCounters counters = fabric_->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.sent, model_.sent);
    EXPECT_EQ(counters.replied, model_.replied);
    EXPECT_EQ(counters.delivered, model_.delivered);
    EXPECT_EQ(counters.read_by_ports, model_.read_by_ports);
    EXPECT_EQ(counters.queued, model_.queued);
    EXPECT_EQ(counters.refused[static_cast<size_t>(SendResult::kFull)], model_.full);
    EXPECT_EQ(counters.refused[static_cast<size_t>(SendResult::kMailboxFull)], model_.mailbox_full);
    for (size_t i = 0; i < kDeadLetterCauses; ++i) {
      EXPECT_EQ(counters.dead_letters[i], model_.dead[i])
          << DeadLetterCauseName(static_cast<DeadLetterCause>(i));
    }
  }
  const Model& model() const { return model_; }

 private:
  static constexpr uint32_t kNodes = 6;
  static constexpr uint64_t kAwaitedFrames = 20;
  static constexpr uint64_t kReplySlots = 256;  // of the lane from a shard back to a port

  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  Address AnyNode() { return nodes_[Below(kNodes)]; }

  void Take(const Message& m, Sender& out) {
    const Order order = m.As<Order>();
    if (order.action == Action::kThrow) {
      ++model_.Dead(DeadLetterCause::kHandlerFailed);
      throw std::runtime_error("not this one");
    }
    ++model_.delivered;
    if (order.action == Action::kTake) return;
    // More than one to somebody: bursts that the lanes between shards cannot hold.
    for (uint32_t i = 0; i < 1 + order.hops % 5; ++i) {
      const Action next = order.hops > 0 && Below(2) == 0 ? Action::kForward : Action::kTake;
      EXPECT_EQ(out.Send(AnyNode(), Order{next, order.hops - (order.hops > 0)}), SendResult::kOk);
      ++model_.sent;
    }
  }

  // To a mailbox that takes no more at some time.
  void NoteAwaited(SendResult result) {
    if (result == SendResult::kMailboxFull) {
      ++model_.mailbox_full;
    } else {
      Note(result, to_awaited_);
    }
  }
  void Note(SendResult result, uint64_t& where) {
    if (result == SendResult::kOk) {
      ++model_.sent;
      ++where;
    } else {
      EXPECT_EQ(result, SendResult::kFull);
      ++model_.full;
    }
  }

  void Act() {
    uint64_t counted_when_handled = 0;
    switch (Below(10)) {
      case 0:
        Note(port_.Send(Address{ActorId{100'000 + Below(1000)}}, Order{}),
             model_.Dead(DeadLetterCause::kNoTarget));
        break;
      case 1: {
        Address stale = AnyNode();
        stale.generation = static_cast<uint8_t>(1 + Below(255));
        Note(port_.Send(stale, Order{}), model_.Dead(DeadLetterCause::kStaleTarget));
        break;
      }
      case 2:
        Note(port_.core()->SendDamaged(Cast(AnyNode())), model_.Dead(DeadLetterCause::kCorrupted));
        break;
      case 3:
        SendExpired();
        break;
      case 4:
        Note(port_.Send(AnyNode(), Order{Action::kThrow, 0}), counted_when_handled);
        break;
      case 5:
        NoteAwaited(port_.Send(awaited_, Order{}));
        break;
      case 6:
        Note(silent_.Send(echo_, Order{}), silent_echoes_);
        break;
      case 7:
        Call();
        break;
      default:
        Note(port_.Send(AnyNode(), Order{Action::kForward, Below(7)}), counted_when_handled);
    }
  }

  internal::Envelope Cast(Address target) {
    internal::Envelope envelope;
    envelope.source = port_.core()->id();
    envelope.message_id = port_.core()->NextMessageId();
    envelope.target = target;
    envelope.type = TypeId<Order>();
    return envelope;
  }

  void SendExpired() {
    internal::Envelope envelope = Cast(AnyNode());
    envelope.deadline_us = 10;
    Note(port_.core()->Send(envelope, Order{}), model_.Dead(DeadLetterCause::kExpired));
    port_.Flush();
    clock_.Advance(1'000'000);
  }

  // Answered by its handler, by nobody's shard, or by the shard whose handler threw.
  void Call() {
    const uint32_t kind = Below(3);
    const Address target = kind == 0 ? echo_ : kind == 1 ? Address{ActorId{200'000}} : AnyNode();
    const uint64_t refused = port_.refused(SendResult::kFull);
    const absl::StatusOr<Frame> reply = port_.Call(target, Order{Action::kThrow, 0}, 1'000'000'000);
    if (port_.refused(SendResult::kFull) != refused) {
      EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable) << reply.status();
      ++model_.full;
      return;
    }
    EXPECT_EQ(reply.status().code(), kind == 0   ? absl::StatusCode::kOk
                                     : kind == 1 ? absl::StatusCode::kNotFound
                                                 : absl::StatusCode::kInternal)
        << reply.status();
    ++model_.sent;
    ++model_.read_by_ports;
    if (kind == 0) return;  // counted when it was handled
    ++model_.replied;
    if (kind == 1) ++model_.Dead(DeadLetterCause::kNoTarget);
  }

  std::mt19937_64 random_;
  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<Fabric> fabric_;
  Port port_;
  Port silent_;  // never reads its answers
  std::vector<Address> nodes_;
  Address echo_;
  Address awaited_;
  uint64_t to_awaited_ = 0;
  uint64_t silent_echoes_ = 0;
  Model model_;
};

TEST(AccountingTest, EveryMessageIsCountedOnceUnderItsCause) {
  const uint64_t seed = test::Seed();
  uint64_t full = 0;
  uint64_t mailbox_full = 0;
  for (int round = 0; round < test::Rounds(40); ++round) {
    SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed + static_cast<uint64_t>(round)));
    Traffic traffic(seed + static_cast<uint64_t>(round));
    traffic.Run(4'000);
    traffic.ExpectCountersAsInTheModel();
    ASSERT_FALSE(testing::Test::HasFailure());
    full += traffic.model().full;
    mailbox_full += traffic.model().mailbox_full;
  }
  EXPECT_GT(full, 0u) << "the traffic fills lanes";
  EXPECT_GT(mailbox_full, 0u) << "and a mailbox";
}

TEST(AccountingTest, WhatAShardCannotHoldBackIsADeadLetter) {
  FabricOptions options;
  options.threads = false;
  options.lane_slots = 4;
  options.overflow_frames = 10;
  auto fabric = Fabric::Start(options).value();
  uint64_t handled = 0;
  uint64_t refused = 0;
  const Address store = fabric->Serve("store", [&](const Message&, Sender&) { ++handled; });
  const Address burst = fabric->Serve("burst", [&](const Message&, Sender& out) {
    for (int i = 0; i < 100; ++i) refused += out.Send(store, Order{}) == SendResult::kFull;
  });
  Port port = fabric->OpenPort();
  ASSERT_EQ(port.Send(burst, Order{}), SendResult::kOk);
  fabric->WaitIdle();
  const FabricCounters counters = fabric->Counters();
  EXPECT_EQ(handled, 14u) << "the lane's and what is held back";
  EXPECT_EQ(refused, 86u);
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kOverflow)], 86u);
  EXPECT_TRUE(counters.AddUp());
}

}  // namespace
}  // namespace bitactor
