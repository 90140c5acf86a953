// What stands behind an address: something that handles messages, and the queue of those it cannot
// take yet.
#ifndef BITACTOR_L2_MAILBOX_ENDPOINT_H_
#define BITACTOR_L2_MAILBOX_ENDPOINT_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/ticks.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/mailbox_queue.h"
#include "bitactor/l2_mailbox/overload.h"
#include "bitactor/tracing/latency_histogram.h"

namespace bitactor::internal {

class Shard;

// How a handler left.
enum class HandleOutcome : uint8_t {
  kDone,
  kCrashed,    // it failed and its supervision has dealt with that
  kFailed,     // it failed and nobody supervises it: the message is dead-lettered
  kUnhandled,  // nothing handles this type: the message is dead-lettered
};

// Threads: the owner shard's alone.
// Ownership: the shard's, from Shard::Add() until Shard::Remove().
class Endpoint {
 public:
  static constexpr uint16_t kAllKinds = 0xFFFF;
  static constexpr uint16_t kNoKinds = 0;
  // What a suspended coroutine can take: the answer it waits for, a timeout, the runtime's own
  // messages.
  static constexpr uint16_t kWhileSuspended = (1u << static_cast<unsigned>(FrameKind::kReply)) |
                                              (1u << static_cast<unsigned>(FrameKind::kTimer)) |
                                              (1u << static_cast<unsigned>(FrameKind::kSystem));

  explicit Endpoint(ActorId id) : id_(id) {}
  virtual ~Endpoint() = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Handles one message, which is journalled already. No exception leaves it.
  virtual HandleOutcome Handle(const Frame& frame, Shard& shard) = 0;
  // The same for a message whose payload is a block. By default nothing handles these.
  virtual HandleOutcome HandleBlock(const Frame& /*frame*/, std::span<const std::byte> /*block*/,
                                    Shard& /*shard*/) {
    return HandleOutcome::kUnhandled;
  }

  // Whether a signal (kFlagSignal) ends what it would have to wait for: it is handled at once.
  virtual bool ActsAtOnce(const Frame& /*signal*/) const { return false; }
  // A call has begun to wait here.
  virtual void OnCallHeld(const Frame& /*call*/, Shard& /*shard*/) {}

  ActorId id() const { return id_; }
  bool Accepts(FrameKind kind) const {
    return (accepted_kinds_ >> static_cast<unsigned>(kind) & 1u) != 0;
  }
  void AcceptOnly(uint16_t kinds) { accepted_kinds_ = kinds; }
  MailboxQueue& held() { return held_; }
  HandlerStats& stats() { return stats_; }

  // Where the time from a message's stamp to its end is recorded; may be shared by endpoints of one
  // shard. Null: nowhere.
  LatencyHistogram* latency = nullptr;
  // How many frames may wait here, and which give way.
  uint32_t capacity_frames = MailboxOptions{}.capacity_frames;
  Overload overload = MailboxOptions{}.overload;
  Credit credit = Credit::kAll;  // as published
  uint8_t generation = 0;
  bool removed = false;
  bool in_backlog = false;        // of its shard: what waits here waits for room in lanes alone
  bool may_be_suspended = false;  // from outside (Fabric::Suspend)
  uint16_t alone_left = 0;        // dispatches to be metered alone, after a batch over budget
  uint16_t swept = 0;             // the last sweep that counted it (StatsPublisher)

 private:
  const ActorId id_;
  uint16_t accepted_kinds_ = kAllKinds;
  MailboxQueue held_;
  HandlerStats stats_;
};

// Stands where a name is known but nobody serves it yet: keeps what arrives.
class AwaitingEndpoint final : public Endpoint {
 public:
  explicit AwaitingEndpoint(ActorId id) : Endpoint(id) {
    AcceptOnly(kNoKinds);
    capacity_frames = kMaxCapacityFrames;
  }
  HandleOutcome Handle(const Frame&, Shard&) override { return HandleOutcome::kUnhandled; }
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_ENDPOINT_H_
