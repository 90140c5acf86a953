// L3's part of one shard: timers, latencies, and the way back through the journal.
#ifndef BITACTOR_L3_GENACTOR_SHARD_RUNTIME_H_
#define BITACTOR_L3_GENACTOR_SHARD_RUNTIME_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l2_mailbox/shard.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/codec.h"
#include "bitactor/l3_genactor/recovery.h"
#include "bitactor/l3_genactor/timer_lists.h"
#include "bitactor/tracing/latency_histogram.h"

namespace bitactor {
class System;
}

namespace bitactor::internal {

// What becomes of what handlers send.
enum class SendMode : uint8_t {
  kLive,         // it is sent
  kSuppressed,   // it was sent before, or nobody is there: nothing is sent
  kUnlessTaken,  // it is sent unless its target has journalled it
};

// Threads: its shard's.
class ShardRuntime final : public Poller {
 public:
  ShardRuntime(System* system, Shard* shard) : system_(*system), shard_(*shard) {}

  System& system() const { return system_; }
  Shard& shard() const { return shard_; }
  PortCore& port() const { return shard_.port(); }

  SendMode send_mode() const { return send_mode_; }
  bool MaySend(const Envelope& envelope) const;

  void Arm(Waiter& waiter) { Arm(waiter, waiter.timeout_ns_, waiter.timeout_at_ns_); }
  // `due_ns`: on the hybrid clock.
  void Arm(Alarm& alarm, uint64_t delay_ns, uint64_t due_ns) {
    timers_.Arm(alarm, delay_ns, due_ns);
  }

  // Brings a durable actor's state back to what its history says, without sending anything. For a
  // restart in mid-run.
  absl::Status RestoreFromJournal(ActorCell& cell);
  // Brings a new cell to the end of its recovered history and sends again what its targets have not
  // taken.
  absl::Status Recover(ActorCell& cell);

  // Asks for a snapshot after so many records of its journal, and again and again; 0: never.
  void SnapshotEvery(uint64_t records) { snapshot_due_ = records == 0 ? kNever : records; }
  // A call that could not even be sent, or whose answer could not, is answered as soon as there is room for that, by a message,
  // as replay needs it.
  void AnswerUnsent(ActorId caller, uint64_t call_id, SendResult why);

  LatencyHistogram& LatencyOf(uint32_t class_type);
  const absl::flat_hash_map<uint32_t, std::unique_ptr<LatencyHistogram>>& latencies() const {
    return latencies_;
  }

  // Poller: sends the timers that are due.
  size_t Poll() override;
  bool HasWork() override { return !unsent_.empty(); }
  uint64_t NextDeadlineNs() override;

 private:
  class ModeScope {
   public:
    ModeScope(ShardRuntime& runtime, SendMode mode)
        : runtime_(runtime), before_(runtime.send_mode_) {
      runtime_.send_mode_ = mode;
    }
    ~ModeScope() { runtime_.send_mode_ = before_; }
    ModeScope(const ModeScope&) = delete;
    ModeScope& operator=(const ModeScope&) = delete;

   private:
    ShardRuntime& runtime_;
    const SendMode before_;
  };

  static constexpr uint64_t kNever = ~uint64_t{0};

  // The state in which its history begins: from its snapshot, or Init.
  absl::Status BeginHistory(ActorCell& cell);
  // What its targets had not taken when the snapshot was made, and have not since.
  void SendOutbox(const ActorSnapshot& snapshot);
  [[gnu::noinline]] void AskForSnapshot();
  // Compares a journalled digest of `cell` with that of its state. `agreed`: where it did last, then here.
  static absl::Status CheckDigest(const ActorCell& cell, const Frame& frame, const FrameRef& at,
                                  std::optional<FrameRef>& agreed);
  struct UnsentCall {
    ActorId caller;
    uint64_t call_id;
    SendResult why;
  };

  size_t AnswerUnsentCalls();
  absl::Status ApplyRecovered(ActorCell& cell, size_t count);
  absl::Status ApplyThisBoot(ActorCell& cell);
  absl::Status ApplyThisBootFrom(ActorCell& cell, Position from);

  System& system_;
  Shard& shard_;
  SendMode send_mode_ = SendMode::kLive;
  uint64_t snapshot_due_ = kNever;  // asked for when its journal has so many records of this start
  TimerLists timers_;
  std::vector<UnsentCall> unsent_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<LatencyHistogram>> latencies_;
};

template <typename M>
SendResult ActorCell::Send(FrameKind kind, Address target, uint32_t type, uint64_t message_id,
                           uint64_t correlation_id, const M& payload, uint8_t flags,
                           uint32_t deadline_us) {
  if (runtime_.send_mode() != SendMode::kLive && !MaySend(kind, flags, target, message_id))
      [[unlikely]]
    return SendResult::kOk;
  Envelope envelope;
  envelope.kind = kind;
  envelope.flags = flags | context_flags_;
  envelope.source = static_cast<uint32_t>(id());
  envelope.target = target;
  envelope.message_id = message_id;
  envelope.correlation_id = correlation_id;
  envelope.trace = context_trace_;
  envelope.parent_span = context_span_;
  envelope.type = type;
  envelope.deadline_us = deadline_us;
  return SendPayload(runtime_.port(), envelope, payload);
}

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SHARD_RUNTIME_H_
