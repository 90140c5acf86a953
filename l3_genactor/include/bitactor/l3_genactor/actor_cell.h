// What the runtime keeps of one actor: its context, and behind it the actor's state.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_CELL_H_
#define BITACTOR_L3_GENACTOR_ACTOR_CELL_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/endpoint.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/l3_genactor/circuit_breaker.h"
#include "bitactor/l3_genactor/coroutine_pool.h"
#include "bitactor/l3_genactor/digest.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/retry.h"
#include "bitactor/l3_genactor/timer_lists.h"

namespace bitactor::internal {

class ActorCell;
class ShardRuntime;
class Supervisor;

// A message that crashed its actor, in a journal: replay passes over it.
struct MessageKey {
  uint32_t source;
  uint64_t message_id;

  friend bool operator==(const MessageKey&, const MessageKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const MessageKey& k) {
    return H::combine(std::move(h), k.source, k.message_id);
  }
};

// What the runtime knows of an actor's class. One constant per class.
struct ActorClass {
  std::string_view name;
  uint32_t type;
  size_t state_bytes;
  bool copied_before_messages;  // state small and plain enough that a copy brings back what was
                                // before a crash
  bool (*dispatch)(ActorCell& cell, void* state,
                   const Frame& frame);  // false: no handler for this type
  void (*init)(ActorCell& cell, void* state);
  void (*destroy)(void* state);
  void (*digest)(const void* state, Digest& digest);
};

// A handler that is suspended or running as a coroutine.
class RunningHandler {
 public:
  virtual ~RunningHandler() = default;
  static void* operator new(size_t size_bytes) { return CoroutinePool::Allocate(size_bytes); }
  static void operator delete(void* p, size_t size_bytes) { CoroutinePool::Free(p, size_bytes); }
};

// What a suspended handler waits for: an answer, a time, or the first of both. Lives in the
// coroutine's frame.
class Waiter : public TimerNode {
 public:
  virtual ~Waiter() { Unlink(); }

  virtual void OnReply(const Frame& reply) = 0;
  virtual void OnTimeout() = 0;

  bool completed() const { return completed_; }
  uint64_t id() const { return id_; }
  ActorCell* cell() const { return cell_; }

 protected:
  void Unlink();

  friend class ActorCell;
  friend class ShardRuntime;
  ActorCell* cell_ = nullptr;
  Waiter* prev_ = nullptr;
  Waiter* next_ = nullptr;
  uint64_t id_ = 0;        // of the call, 0 if it waits for no answer
  uint64_t timer_id_ = 0;  // of the timer, 0 if it waits for no time
  uint64_t timeout_ns_ = 0;
  uint64_t timeout_at_ns_ = 0;
  bool completed_ = false;
  std::coroutine_handle<> resume_;
};

// What stands between an actor and one target that it calls through Guarded().
struct Guard {
  CircuitBreaker breaker;
  RetryPolicy retry;
};

// The message that started the handler which is running or suspended.
struct Invocation {
  uint32_t source = 0;
  FrameKind kind = FrameKind::kNone;
  bool replied = false;
  uint32_t type = 0;
  uint64_t message_id = 0;
  uint64_t stamp_ns = 0;
  uint64_t trace = 0;
  uint64_t span = 0;
};

// Threads: the owner shard's alone.
// Ownership: the shard's endpoint table.
// Layout: the state stands behind the cell in one allocation; behind it the copy from before the
//   running message, for durable actors whose class is copied.
class ActorCell final : public Endpoint {
 public:
  using Construct = std::function<void(void* state)>;

  static std::unique_ptr<ActorCell> Make(ShardRuntime& runtime, ActorId id, const ActorClass& cls,
                                         Construct construct);
  ~ActorCell() override;
  static void operator delete(void* p) { ::operator delete(p); }

  // Runs Init on fresh state. An error is why the actor cannot start.
  absl::Status StartFresh();

  HandleOutcome Handle(const Frame& frame, Shard& shard) override;

  // Applies a journalled frame again. What comes back is a crash that no journalled record knows
  // of: the run ended between the crash and its record.
  std::optional<ExitReason> Apply(const Frame& frame, const std::function<void()>& restore);
  // What a live crash does: answers the caller, tells monitors and supervisor, journals, restarts
  // or ends.
  void Crash(const ExitReason& reason);
  // Ends it, as its supervisor or its own Stop() wants: monitors and supervisor learn why.
  void Exit(const ExitReason& reason);
  // Applying its history left it ended: it takes no further part until it is started afresh.
  bool ended() const { return ended_; }

  // From inside a handler of this actor.
  ShardRuntime& runtime() const { return runtime_; }
  const ActorClass& cls() const { return cls_; }
  const Invocation& invocation() const { return invocation_; }
  // The latest stamp handled since the fresh start, 0 before the first: an actor's time, which
  // never goes back.
  uint64_t context_stamp_ns() const { return context_stamp_ns_; }
  uint64_t NextMessageId() { return MakeMessageId(incarnation_, ++sequence_); }
  uint64_t sequence() const { return sequence_; }

  template <typename M>
  void Send(FrameKind kind, Address target, uint32_t type, uint64_t message_id,
            uint64_t correlation_id, const M& payload, uint8_t flags = 0, uint32_t deadline_us = 0);

  // Answers the invocation. The type of an answer is that of its request.
  template <typename R>
  void ReplyWith(const R& value) {
    if (invocation_.kind != FrameKind::kCall || invocation_.replied) return;
    invocation_.replied = true;
    Send(FrameKind::kReply, Address{ActorId{invocation_.source}}, invocation_.type, NextMessageId(),
         invocation_.message_id, value);
  }
  // The handler ends with this failure: a crash with that reason.
  void Fail(absl::Status status) { failure_ = std::move(status); }
  // The handler asked to end when it is done.
  void RequestStop(const ExitReason& reason) { stop_reason_ = reason; }

  // Takes over a coroutine that its first run left suspended.
  void Suspend(std::unique_ptr<RunningHandler> running);
  // The running coroutine has ended: its holder is destroyed at the end of this dispatch.
  void HandlerEnded() { handler_ended_ = true; }
  void HandlerThrew(std::exception_ptr exception) { thrown_ = std::move(exception); }

  // Links a waiter, arms its timer. `timeout_ns` 0: none.
  void Wait(Waiter& waiter, uint64_t call_id, uint64_t timeout_ns);
  void RearmTimers();

  Guard& GuardOf(ActorId target, const Breaker& breaker, const Retry& retry);
  // What stands between it and each of its targets.
  template <typename Visit>
  void ForEachGuard(Visit&& visit) const {
    if (guards_ == nullptr) return;
    for (const auto& [target, guard] : *guards_) visit(target, guard);
  }
  uint64_t AddMonitor(Address target);

  void* state() { return reinterpret_cast<std::byte*>(this) + kStateOffset; }
  void FoldInto(Digest& digest) { cls_.digest(state(), digest); }

  // Set-up, by the runtime.
  void SetIdentity(std::string name, bool durable, uint16_t incarnation, uint64_t sequence) {
    name_ = std::move(name);
    durable_ = durable;
    incarnation_ = incarnation;
    sequence_ = sequence;
  }
  void SetSequence(uint64_t sequence) { sequence_ = sequence; }
  // Its whole history is about to be applied: ids count from the first again, for journalled
  // answers and timers name them, and what stands between it and its targets is built up again.
  void BeginReplay() {
    sequence_ = 0;
    guards_.reset();
  }
  // A crash at the very end of its history, whose record is missing. Dealt with once the cell is in
  // its place.
  void SetPendingCrash(const ExitReason& reason) { pending_crash_ = reason; }
  std::optional<ExitReason> TakePendingCrash() {
    return std::exchange(pending_crash_, std::nullopt);
  }
  // An actor that its history ended begins anew, and the journal says so.
  absl::Status StartAgain();
  const std::string& name() const { return name_; }
  bool durable() const { return durable_; }
  Supervisor* supervisor = nullptr;
  using Crashes = absl::flat_hash_map<MessageKey, uint64_t>;
  Crashes* crashes = nullptr;  // the messages it crashed at, with the sequence to go on with
  Crashes& own_crashes() { return own_crashes_; }

 private:
  struct Monitor {
    Address watcher;
    uint64_t id;
  };

  static const size_t kStateOffset;

  ActorCell(ShardRuntime& runtime, ActorId id, const ActorClass& cls, Construct construct)
      : Endpoint(id), runtime_(runtime), cls_(cls), construct_(std::move(construct)) {}

  // Handles a frame; what it threw or returned as a failure comes back as the reason of the crash.
  std::optional<ExitReason> Run(const Frame& frame, bool& handled);
  std::optional<ExitReason> TakeFailure();
  void HandleSystem(const Frame& frame);
  void Complete(const Frame& frame);
  // The part of a crash that others see and that replay repeats: the error answer and the DOWN
  // messages.
  void Announce(const ExitReason& reason);
  void EndHandler();
  void Conclude(const ExitReason& reason, bool crashed);
  absl::Status Restore();
  void Record(CrashAction action, bool crashed);
  void* backup() { return static_cast<std::byte*>(state()) + (cls_.state_bytes + 15) / 16 * 16; }

  ShardRuntime& runtime_;
  const ActorClass& cls_;
  Construct construct_;
  std::string name_;
  bool durable_ = false;
  bool alive_ = false;  // the state is constructed
  bool ended_ = false;
  bool handler_ended_ = false;
  uint16_t incarnation_ = 0;
  uint64_t sequence_ = 0;

  // Of the frame being handled.
  uint64_t context_stamp_ns_ = 0;
  uint64_t context_trace_ = 0;
  uint64_t context_span_ = 0;
  Invocation invocation_;
  std::unique_ptr<RunningHandler> running_;
  Waiter* waiters_ = nullptr;
  std::exception_ptr thrown_;
  absl::Status failure_;
  std::optional<ExitReason> stop_reason_;
  std::optional<ExitReason> pending_crash_;

  std::vector<Monitor> monitors_;
  Crashes own_crashes_;
  std::unique_ptr<absl::node_hash_map<uint32_t, Guard>> guards_;  // by target

  friend class Waiter;
};

// The actor whose handler runs on this thread. REQUIRES: there is one.
ActorCell& CurrentCell();

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_ACTOR_CELL_H_
