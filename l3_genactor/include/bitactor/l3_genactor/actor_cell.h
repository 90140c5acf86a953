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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/endpoint.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/l2_mailbox/send_result.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/l3_genactor/actor_extras.h"
#include "bitactor/l3_genactor/actor_history.h"
#include "bitactor/l3_genactor/actor_status.h"
#include "bitactor/l3_genactor/circuit_breaker.h"
#include "bitactor/l3_genactor/codec.h"
#include "bitactor/l3_genactor/coroutine_pool.h"
#include "bitactor/l3_genactor/digest.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/retry.h"
#include "bitactor/l3_genactor/timer_lists.h"
#include "bitactor/tracing/trace_context.h"

namespace bitactor {
class StateReader;
class StateWriter;
}  // namespace bitactor

namespace bitactor::internal {

class ActorCell;
class ShardRuntime;
struct Child;
struct CycleProbe;

// What the runtime knows of an actor's class. One constant per class.
struct ActorClass {
  std::string_view name;
  uint32_t type;
  size_t state_bytes;
  bool copied_before_messages;  // state small and plain enough that a copy brings back what was
                                // before a crash
  bool traps_exits;
  MailboxOptions mailbox;
  uint64_t start_timeout_ns;  // 0: none
  bool (*dispatch)(ActorCell& cell, void* state,
                   const Frame& frame);  // false: no handler for this type
  void (*init)(ActorCell& cell, void* state);
  void (*terminate)(void* state, const ExitReason& reason);  // null: it has none
  std::string (*format_status)(const void* state);           // null: it has none
  void (*destroy)(void* state);
  void (*digest)(const void* state, Digest& digest);
  bool (*takes_block)(uint32_t type);  // whether it handles this type at any length
  // The state as a snapshot keeps it; null: it cannot be brought back from bytes.
  uint64_t layout;
  void (*write_state)(const void* state, StateWriter& writer);
  void (*read_state)(void* state, StateReader& reader);
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
class Waiter : public Alarm {
 public:
  ~Waiter() override { Unlink(); }
  void Fire(ShardRuntime& runtime) override;

  virtual void OnReply(const Frame& reply) = 0;
  virtual void OnTimeout() = 0;

  // The actor whose answer the handler cannot go on without; 0: there is none, or not one alone.
  virtual uint32_t awaited_target() const { return 0; }

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
  uint8_t trace_flags = 0;  // kFlagUnsampled or 0, for what it causes
  uint32_t type = 0;
  uint32_t deadline_us = 0;
  uint64_t message_id = 0;
  uint64_t stamp_ns = 0;
  uint64_t trace = 0;
  uint64_t span = 0;

  // When nobody needs it any more; 0: never.
  uint64_t deadline_ns() const {
    return deadline_us == 0 ? 0 : stamp_ns + uint64_t{deadline_us} * 1000;
  }
};

// A call that was handled without an answer, for somebody has its ReplyTo.
struct PendingReply {
  uint32_t caller;
  uint64_t call_id;
  uint64_t deadline_ns;  // 0: none
};

// Threads: the owner shard's alone.
// Ownership: the shard's endpoint table.
// Layout: the state stands behind the cell in one allocation; behind it the copy from before the
//   running message, for durable actors whose class is copied.
class ActorCell : public Endpoint {
 public:
  using Construct = std::function<void(void* state)>;

  static std::unique_ptr<ActorCell> Make(ShardRuntime& runtime, ActorId id, const ActorClass& cls,
                                         Construct construct);
  ~ActorCell() override;
  static void operator delete(void* p) { ::operator delete(p); }

  // Runs Init on fresh state. An error is why the actor cannot start.
  absl::Status StartFresh();

  HandleOutcome Handle(const Frame& frame, Shard& shard) override;
  HandleOutcome HandleBlock(const Frame& frame, std::span<const std::byte> block,
                            Shard& shard) override;
  // A call that arrives while this actor waits in a call itself may close a ring of them.
  void OnCallHeld(const Frame& call, Shard& shard) override;

  // Applies a journalled frame again. What comes back is a crash that no journalled record knows
  // of: the run ended between the crash and its record.
  // `block`: the payload of a frame with kFlagBlock.
  std::optional<ExitReason> Apply(const Frame& frame, std::span<const std::byte> block,
                                  const std::function<void()>& restore);
  // What a live crash does: answers the caller, tells monitors and supervisor, journals, restarts
  // or ends.
  void Crash(const ExitReason& reason);
  // Ends it, as its supervisor or its own Stop() wants: monitors and supervisor learn why.
  void Exit(const ExitReason& reason);
  // As Exit(), but what traps exits may end its suspended handler first. False: it does so, and the
  // end comes then.
  bool ShutDown(const ExitReason& reason);
  // It has ended and waits, with its mailbox, to be started again or to be ended for good.
  bool down() const { return down_; }
  // Starts it where it is. After an error it is down still. Before it handles anything again, GoOn().
  absl::Status StartWhereItIs();
  void GoOn();
  // Takes it away. REQUIRES: down().
  void EndWhileDown();
  // As Exit(), but not from a dispatch: if it is started again it goes on with what is queued.
  // Nothing happens to one that is down.
  void ExitFromOutside(const ExitReason& reason);
  // The actor's own last words, with no handler under way. What comes back is the reason to end with:
  // an exception inside becomes it.
  ExitReason RunTerminate(const ExitReason& reason);
  // From the signal being handled: it ends of it at once, without Terminate().
  void EndBySignal(const ExitReason& reason);
  // Applying its history left it ended: it takes no further part until it is started afresh.
  bool ended() const { return ended_; }

  // From inside a handler of this actor.
  ShardRuntime& runtime() const { return runtime_; }
  const ActorClass& cls() const { return cls_; }
  const Invocation& invocation() const { return invocation_; }
  // The latest stamp handled since the fresh start, 0 before the first: an actor's time, which
  // never goes back.
  uint64_t context_stamp_ns() const { return context_stamp_ns_; }
  uint64_t context_trace() const { return context_trace_; }
  uint8_t context_flags() const { return context_flags_; }
  uint64_t context_span() const { return context_span_; }
  // Where it is in its trace.
  TraceContext trace_context() const;
  uint64_t NextMessageId() { return MakeMessageId(incarnation_, ++sequence_); }
  uint64_t sequence() const { return sequence_; }

  template <typename M>
  SendResult Send(FrameKind kind, Address target, uint32_t type, uint64_t message_id,
                  uint64_t correlation_id, const M& payload, uint8_t flags = 0,
                  uint32_t deadline_us = 0);

  // A message to go on with: to itself, past what is queued.
  void SendKept(uint64_t message_id, const KeptMessage& message);

  // Answers the invocation. The type of an answer is that of its request.
  template <typename R>
  void ReplyWith(const R& value) {
    if (invocation_.kind != FrameKind::kCall || invocation_.replied) return;
    invocation_.replied = true;
    SendAnswer(invocation_.source, invocation_.type, invocation_.message_id, value);
  }
  // Answers a call that is not, or no longer, the invocation.
  template <typename V>
  void SendAnswer(uint32_t caller, uint32_t type, uint64_t call_id, const V& value,
                  uint8_t flags = 0) {
    const SendResult result = Send(FrameKind::kReply, Address{ActorId{caller}}, type,
                                   NextMessageId(), call_id, value, flags);
    if constexpr (HasCodec<V>) {
      if (result != SendResult::kOk) [[unlikely]]
        AnswerNotSent(caller, call_id, result);
    }
  }
  // The invocation's handler has its ReplyTo: the call stays open after the handler.
  void KeepCallOpen();
  // Whether an open call of `server` is still to be answered; from here on it is not.
  bool CloseCall(ActorId server, uint32_t caller, uint64_t call_id);
  // The payload of a message could not be decoded. False: nobody can be told.
  bool RefuseMalformed(std::string_view type_name, const absl::Status& error);
  // Calls that are open, oldest first.
  const std::vector<PendingReply>& open_calls() const;
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
  // `inherited`: the timeout is what is left of another one, so hardly any two are alike.
  void Wait(Waiter& waiter, uint64_t call_id, uint64_t timeout_ns, bool inherited = false);
  void RearmTimers();

  Guard& GuardOf(ActorId target, const Breaker& breaker, const Retry& retry);
  // What stands between it and each of its targets.
  template <typename Visit>
  void ForEachGuard(Visit&& visit) const {
    if (guards_ == nullptr) return;
    for (const auto& [target, guard] : *guards_) visit(target, guard);
  }
  ActorExtras& extras() {
    if (extras_ == nullptr) extras_ = std::make_unique<ActorExtras>(this);
    return *extras_;
  }
  // Null: it has none.
  const ActorExtras* extras_or_null() const { return extras_.get(); }
  uint64_t AddMonitor(Address target) { return extras().Monitor(target); }
  // Casts and calls too, if nothing speaks against it; nothing at all while it is down.
  uint16_t KindsThatMayCome() const {
    const bool open = running_ == nullptr && (extras_ == nullptr || extras_->open());
    return down_ ? kNoKinds : open ? kAllKinds : kWhileSuspended;
  }
  void AcceptWhatMayCome() { AcceptOnly(KindsThatMayCome()); }
  void Describe(ActorStatus& status);
  bool ActsAtOnce(const Frame& frame) const override;

  void* state() { return reinterpret_cast<std::byte*>(this) + kStateOffset; }
  const void* state() const { return reinterpret_cast<const std::byte*>(this) + kStateOffset; }
  // Whether there is a state: not of one that ended or is down.
  bool has_state() const { return alive_; }
  void FoldInto(Digest& digest) const { cls_.digest(state(), digest); }
  uint64_t StateDigest() const {
    Digest digest;
    FoldInto(digest);
    return digest.value();
  }
  bool traps_exits() const {
    return extras_ != nullptr ? extras_->traps_exits() : cls_.traps_exits;
  }

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
    open_calls_.reset();
    guards_.reset();
  }
  // A crash at the very end of its history, whose record is missing. Dealt with once the cell is in
  // its place.
  void SetPendingCrash(const ExitReason& reason) { pending_crash_ = reason; }
  // The same of an end that its history stops at.
  void NotePendingEnd();
  std::optional<ExitReason> TakePendingCrash() {
    return std::exchange(pending_crash_, std::nullopt);
  }
  // An actor that its history ended begins anew, and the journal says so.
  absl::Status StartAgain();
  const std::string& name() const { return name_; }
  bool durable() const { return durable_; }
  // Its state is copied before each message, and brought back from there.
  bool copied_before_messages() const { return durable_ && cls_.copied_before_messages; }
  std::shared_ptr<Child> child;  // null: nobody supervises it

  // Whether a snapshot could hold it as it is now: its class can be saved, and no handler is
  // suspended. Between dispatches.
  bool MayBeCaptured() const {
    return cls_.write_state != nullptr && running_ == nullptr && alive_ && !down_;
  }
  // REQUIRES: MayBeCaptured().
  std::shared_ptr<ActorSnapshot> Capture(const FrameRef& at) const;
  // Becomes what the snapshot holds, without sending. REQUIRES: SendMode::kSuppressed.
  absl::Status Load(const ActorSnapshot& snapshot);
  // Null: none yet.
  ActorHistory* history() const { return history_; }
  ActorHistory& MakeHistory() {
    if (history_ == nullptr) {
      own_history_ = std::make_unique<ActorHistory>();
      history_ = own_history_.get();
    }
    return *history_;
  }
  // One that outlives it.
  void SetHistory(ActorHistory* history) { history_ = history; }

 protected:
  ActorCell(ShardRuntime& runtime, ActorId id, const ActorClass& cls, Construct construct)
      : Endpoint(id), runtime_(runtime), cls_(cls), construct_(std::move(construct)) {}

 private:
  struct Monitor {
    Address watcher;
    uint64_t id;
  };

  static const size_t kStateOffset;

  // Whether the runtime lets this message out, while a history is applied.
  bool MaySend(FrameKind kind, uint8_t flags, Address target, uint64_t message_id) const;
  // Handles a frame, whose span is `span`. False: its handler threw or returned a failure
  // (TakeFailure).
  [[gnu::always_inline]] bool RunCleanly(const Frame& frame, uint64_t span, bool& handled);
  // The same; what it threw or returned comes back as the reason of the crash.
  std::optional<ExitReason> Run(const Frame& frame, bool& handled);
  std::optional<ExitReason> TakeFailure();
  void RunInit();
  // False: `frame` is a message for the actor itself.
  bool HandleSystem(const Frame& frame);
  // Before a message of an actor with extras, and before a signal. False: it is not for the actor.
  [[gnu::noinline]] bool BeginWithExtras(const Frame& frame);
  // What a message that crashed its actor does although its handler is passed over.
  void PassOver(const Frame& frame);
  void BringBackCopy();
  void AnswerNotSent(uint32_t caller, uint64_t call_id, SendResult why);
  // System messages that concern calls. False: it is another.
  bool HandleCallSystem(const Frame& frame);
  void OnCycleProbe(const CycleProbe& probe);
  void SendCycleProbe(CycleProbe probe, const Waiter& awaited);
  const Waiter* AwaitedCall() const;
  // Tells all callers whose calls are open that there will be no answer.
  void RefuseOpenCalls(const ExitReason& reason);
  void Complete(const Frame& frame);
  // The part of a crash that others see and that replay repeats: the error answer and the DOWN
  // messages.
  void Announce(const ExitReason& reason);
  void EndHandler();
  void Conclude(const ExitReason& reason, bool crashed);
  void GoDown(bool crashed);
  // Deals with the message that it failed at, by the policy of its supervisor. Whether it is handled
  // again if the actor is started again.
  bool KeepPoison(const ExitReason& reason);
  // Handles what is owed.
  void HandleAgain();
  void DestroyState();
  void Leave();
  absl::Status Restore();
  // What the runtime keeps beside the state, for a snapshot.
  void SaveContext(StateWriter& writer) const;
  void LoadContext(StateReader& reader);
  void Record(CrashAction action, bool crashed);
  void* backup() { return static_cast<std::byte*>(state()) + (cls_.state_bytes + 15) / 16 * 16; }

  ShardRuntime& runtime_;
  const ActorClass& cls_;
  Construct construct_;
  std::string name_;
  bool durable_ = false;
  bool alive_ = false;  // the state is constructed
  bool ended_ = false;
  bool down_ = false;
  bool restore_when_started_ = false;  // of one that is down
  bool handler_ended_ = false;
  bool ends_by_signal_ = false;
  bool pending_is_end_ = false;  // pending_crash_ is no crash: it was about to end
  uint8_t context_flags_ = 0;    // of the frame being handled: kFlagUnsampled or 0
  uint16_t incarnation_ = 0;
  uint64_t sequence_ = 0;
  std::unique_ptr<ActorExtras> extras_;  // null: never used
  uint64_t restarts_ = 0;                // in this run of the program

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
  ActorHistory* history_ = nullptr;
  std::unique_ptr<ActorHistory> own_history_;  // of one that the journals did not know at the start
  std::unique_ptr<std::vector<PendingReply>> open_calls_;
  std::unique_ptr<absl::node_hash_map<uint32_t, Guard>> guards_;  // by target

  friend class Waiter;
};

// The actor whose handler runs on this thread. REQUIRES: there is one.
ActorCell& CurrentCell();

// The whole payload of the frame that is being handled on this thread.
std::span<const std::byte> PayloadOf(const Frame& frame);

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_ACTOR_CELL_H_
