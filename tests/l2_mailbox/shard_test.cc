#include "bitactor/l2_mailbox/shard.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor::internal {
namespace {

struct Number {
  static constexpr std::string_view kTypeName = "test::ShardNumber";
  uint64_t value;
};

// Notes what it is given; can be told what it takes.
class NotingEndpoint final : public Endpoint {
 public:
  NotingEndpoint(ActorId id, uint16_t kinds, std::vector<FrameKind>* seen)
      : Endpoint(id), seen_(*seen) {
    AcceptOnly(kinds);
  }
  HandleOutcome Handle(const Frame& frame, Shard& shard) override {
    seen_.push_back(frame.header.kind);
    if (remove_at_first) shard.Remove(*this);
    return HandleOutcome::kDone;
  }
  bool remove_at_first = false;

 private:
  std::vector<FrameKind>& seen_;
};

class ShardTest : public ::testing::Test {
 protected:
  ShardTest() {
    FabricOptions options;
    options.threads = false;
    options.clock = &clock_;
    options.start_time_ns = 1'000'000'000;
    options.span_capacity = 64;
    options.mailboxes = 8;
    fabric_ = Fabric::Start(options).value();
    port_ = fabric_->OpenPort();
    address_ = fabric_->Intern("somebody");
  }
  void Send(FrameKind kind) {
    Envelope envelope;
    envelope.kind = kind;
    envelope.source = port_.core()->id();
    envelope.message_id = port_.core()->NextMessageId();
    envelope.target = address_;
    envelope.type = TypeId<Number>();
    ASSERT_EQ(port_.core()->Send(envelope, Number{1}), SendResult::kOk);
    port_.Flush();
    fabric_->WaitIdle();
  }
  NotingEndpoint& Add(uint16_t kinds, bool remove_at_first = false) {
    auto endpoint = std::make_unique<NotingEndpoint>(address_.id, kinds, &seen_);
    NotingEndpoint& added = *endpoint;
    added.remove_at_first = remove_at_first;
    fabric_->shard(0).Add(std::move(endpoint));
    return added;
  }

  TickClock clock_{TickClock::Source::kManual, 5'000};
  std::unique_ptr<Fabric> fabric_;
  Port port_;
  Address address_;
  std::vector<FrameKind> seen_;
};

TEST_F(ShardTest, AnAnswerDoesNotWaitBehindAMessageThatASuspendedHandlerCannotTake) {
  for (const FrameKind kind : {FrameKind::kCast, FrameKind::kReply, FrameKind::kCall}) Send(kind);
  EXPECT_EQ(fabric_->Counters().queued, 3u);
  NotingEndpoint& endpoint = Add(Endpoint::kWhileSuspended);
  EXPECT_EQ(seen_, std::vector<FrameKind>{FrameKind::kReply});
  endpoint.AcceptOnly(Endpoint::kAllKinds);
  fabric_->shard(0).DrainHeld(endpoint);
  EXPECT_EQ(seen_, (std::vector<FrameKind>{FrameKind::kReply, FrameKind::kCast, FrameKind::kCall}));
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(ShardTest, AMessageDoesNotOvertakeOneThatWaits) {
  NotingEndpoint& endpoint = Add(Endpoint::kWhileSuspended);
  Send(FrameKind::kCast);
  endpoint.AcceptOnly(Endpoint::kAllKinds);
  Send(FrameKind::kCall);
  EXPECT_TRUE(seen_.empty()) << "whoever lets it accept again drains what is held";
  fabric_->shard(0).DrainHeld(endpoint);
  EXPECT_EQ(seen_, (std::vector<FrameKind>{FrameKind::kCast, FrameKind::kCall}));
}

TEST_F(ShardTest, WhatWaitedForOneWhoEndsIsADeadLetter) {
  for (int i = 0; i < 3; ++i) Send(FrameKind::kCast);
  Add(Endpoint::kAllKinds, /*remove_at_first=*/true);
  EXPECT_EQ(seen_.size(), 1u);
  const FabricCounters counters = fabric_->Counters();
  EXPECT_EQ(counters.dead_letters[static_cast<size_t>(DeadLetterCause::kUnread)], 2u);
  EXPECT_EQ(counters.queued, 0u);
  EXPECT_TRUE(counters.AddUp());
}

}  // namespace
}  // namespace bitactor::internal
