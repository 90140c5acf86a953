// The typed actor: a class that lists its messages and has an `On` for each.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_H_
#define BITACTOR_L3_GENACTOR_ACTOR_H_

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/call_waiter.h"
#include "bitactor/l3_genactor/codec.h"
#include "bitactor/l3_genactor/digest.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/link.h"
#include "bitactor/l3_genactor/monitor.h"
#include "bitactor/l3_genactor/ref.h"
#include "bitactor/l3_genactor/reply_to.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/state_archive.h"
#include "bitactor/l3_genactor/task.h"
#include "bitactor/l3_genactor/timer.h"

namespace bitactor {

namespace internal {

// Answers with what a handler returned; a failure is a crash with that reason.
template <typename R>
void Finish(ActorCell& cell, const R& result) {
  if constexpr (std::is_same_v<R, absl::Status>) {
    if (!result.ok()) cell.Fail(result);
  } else if constexpr (requires { result.status(); }) {
    if (result.ok()) {
      cell.ReplyWith(*result);
    } else {
      cell.Fail(result.status());
    }
  } else {
    cell.ReplyWith(result);
  }
}

// The coroutine of one message.
template <typename T>
class CoroutineHandler final : public RunningHandler {
 public:
  CoroutineHandler(ActorCell& cell, Task<T> task) : cell_(cell), task_(std::move(task)) {}

  void Start() { task_.Start(&OnDone, this); }
  bool done() const { return task_.done(); }

 private:
  static void OnDone(void* self) {
    auto& handler = *static_cast<CoroutineHandler*>(self);
    handler.cell_.HandlerEnded();
    if (const std::exception_ptr exception = handler.task_.Exception(); exception != nullptr) {
      handler.cell_.HandlerThrew(exception);
    } else if constexpr (!std::is_void_v<T>) {
      Finish(handler.cell_, handler.task_.Result());
    }
  }

  ActorCell& cell_;
  Task<T> task_;
};

template <typename T>
struct ResultOf {
  using type = T;
};
template <typename T>
struct ResultOf<Task<T>> : ResultOf<T> {};
template <typename T>
struct ResultOf<absl::StatusOr<T>> : ResultOf<T> {};
template <>
struct ResultOf<absl::Status> {
  using type = void;
};

// Runs the handler of a message: `A::On(message, later...)`, where `later` is its ReplyTo, if it takes
// one.
template <typename A, typename M, typename... Later>
void RunHandler(ActorCell& cell, A& actor, M& message, const Later&... later) {
  using Value = std::remove_const_t<M>;
  static_assert(
      requires { actor.On(std::declval<const Value&>(), later...); },
      "this actor lists a message that it has no On(const Message&) for");
  using R = decltype(actor.On(message, later...));
  if constexpr (sizeof...(Later) > 0) {
    static_assert(std::is_void_v<typename ResultOf<R>::type>,
                  "a handler that takes a ReplyTo answers by it and returns no value");
  } else if constexpr (kHasReply<Value>) {
    static_assert(std::is_same_v<typename ResultOf<R>::type, ReplyOf<Value>>,
                  "this handler's result is not the Reply that its message declares");
  } else {
    static_assert(std::is_void_v<typename ResultOf<R>::type>,
                  "this handler returns a value, but its message declares no Reply");
  }
  if constexpr (kIsTask<R>) {
    static_assert(
        requires { static_cast<R (A::*)(Value, Later...)>(&A::On); },
        "a coroutine takes its message by value: a reference dangles after the first co_await");
    using T = typename R::value_type;
    auto handler =
        std::make_unique<CoroutineHandler<T>>(cell, actor.On(std::move(message), later...));
    handler->Start();
    if (!handler->done()) cell.Suspend(std::move(handler));
  } else if constexpr (std::is_void_v<R>) {
    actor.On(std::as_const(message), later...);
  } else {
    Finish(cell, actor.On(std::as_const(message), later...));
  }
}

// How long from now; kNever: not at all.
inline uint64_t DelayNanos(absl::Duration delay) {
  if (delay == absl::InfiniteDuration()) return ActorExtras::kNever;
  return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(delay), 0));
}

// A cast that `actor` does not list, for its OnInfo(). False: it has none.
template <typename A>
bool HandleInfo(A& actor, const Frame& frame) {
  if constexpr (requires { actor.OnInfo(Message(frame)); }) {
    if (frame.header.kind != FrameKind::kCast) return false;
    actor.OnInfo(Message(frame));
    return true;
  }
  return false;
}

template <typename A>
constexpr bool TrapsExits() {
  if constexpr (requires { A::kTrapExits; }) {
    static_assert(!A::kTrapExits || A::template kHandles<Exit>,
                  "an actor that traps exits lists Exit among its messages");
    return A::kTrapExits;
  }
  return false;
}

template <typename A>
constexpr MailboxOptions MailboxOf() {
  if constexpr (requires { A::kMailbox; }) {
    static_assert(
        A::kMailbox.capacity_frames >= 1 && A::kMailbox.capacity_frames <= kMaxCapacityFrames,
        "kMailbox.capacity_frames is 1 to 1,048,576");
    return A::kMailbox;
  }
  return {};
}

template <typename A>
constexpr auto FormatStatusOf() -> std::string (*)(const void*) {
  if constexpr (requires(const A& actor) { std::string(actor.FormatStatus()); }) {
    return [](const void* state) { return static_cast<const A*>(state)->FormatStatus(); };
  }
  return nullptr;
}

template <typename A>
constexpr auto TerminateOf() -> void (*)(void*, const ExitReason&) {
  if constexpr (requires(A & actor, const ExitReason& reason) { actor.Terminate(reason); }) {
    static_assert(
        std::is_void_v<decltype(std::declval<A&>().Terminate(std::declval<const ExitReason&>()))>,
        "Terminate returns void: nobody waits for a coroutine of an actor that ends");
    return [](void* state, const ExitReason& reason) { static_cast<A*>(state)->Terminate(reason); };
  } else {
    static_assert(
        !requires { &A::Terminate; }, "Terminate takes a const ExitReason&");
    return nullptr;
  }
}

template <typename A>
constexpr uint64_t StartTimeoutOf() {
  if constexpr (requires { A::kStartTimeout; }) {
    static_assert(A::kStartTimeout > absl::ZeroDuration(), "kStartTimeout is above 0");
    return TimeoutNanos(A::kStartTimeout);
  }
  return 0;
}

template <typename A, typename M>
void RunHandlerOf(ActorCell& cell, A& actor, M& message) {
  using Value = std::remove_const_t<M>;
  if constexpr (requires { actor.On(message, std::declval<const ReplyTo<ReplyOf<Value>>&>()); }) {
    static_assert(kHasReply<Value>,
                  "a message without a Reply has no answer that could come later");
    const Invocation& call = cell.invocation();
    ReplyTo<ReplyOf<Value>> later;
    if (call.kind == FrameKind::kCall) {
      later = {ActorId{call.source}, cell.id(), call.message_id, call.type};
      cell.KeepCallOpen();
    }
    RunHandler(cell, actor, message, later);
  } else {
    RunHandler(cell, actor, message);
  }
}

// False: it could not be read, and nobody can be told.
template <typename A, typename M>
bool HandleMessage(ActorCell& cell, A& actor, const Frame& frame) {
  if constexpr (HasCodec<M>) {
    absl::StatusOr<M> message = Codec<M>::Decode(PayloadOf(frame));
    if (!message.ok()) return cell.RefuseMalformed(TypeName<M>(), message.status());
    RunHandlerOf(cell, actor, *message);
  } else {
    CheckPayloadType<M>();
    RunHandlerOf(cell, actor, *std::launder(reinterpret_cast<const M*>(frame.payload)));
  }
  return true;
}

template <typename M>
bool IsPayloadOf(const FrameHeader& header) {
  if constexpr (HasCodec<M>) {
    return header.type == TypeId<M>();
  } else {
    return header.type == TypeId<M>() && header.size_bytes == sizeof(M);
  }
}

// In bodies of calls, whose requests may be built inside a co_await expression.
template <typename Request>
constexpr void CheckAwaited() {
  using M = std::remove_cvref_t<Request>;
  static_assert(std::is_lvalue_reference_v<Request> || std::is_trivially_destructible_v<M> ||
                    !std::is_aggregate_v<M>,
                "name this request before the co_await, or give its type a constructor: g++ 12 "
                "destroys an aggregate with a destructor twice that is built inside a co_await");
}

}  // namespace internal

// Base of every actor: an empty one, so that an actor object is its state and nothing else. List
// the messages and write an `On` for each:
//
//   class Account : public Actor<Account, Deposit, Balance> {
//    public:
//     void    On(const Deposit& d) { balance_ += d.cents; }
//     int64_t On(const Balance&)   { return balance_; }      // Balance declares `using Reply =
//     int64_t;`
//    private:
//     int64_t balance_ = 0;
//   };
//
// A handler returns void, a Reply, absl::Status, absl::StatusOr<Reply>, or a Task of these (a
// coroutine, which takes its message by value). One that takes a ReplyTo<Reply> beside its message
// may answer later (reply_to.h). An exception or an error status is a crash with that reason. `void
// Init()` or `absl::Status Init()` runs after each fresh start. Optional too:
//
//   void Terminate(const ExitReason&)        // last words of one that stops, crashes or is shut down,
//                                            // not of one that is killed or ends with a linked one
//   void OnInfo(const Message&)              // casts that are not listed
//   std::string FormatStatus() const         // for System::Status()
//   static constexpr bool kTrapExits         // whether Exit comes as a message: see Link()
//   static constexpr MailboxOptions kMailbox // how many messages may wait
//   static constexpr absl::Duration kStartTimeout  // an Init that took longer has failed
//
// Order: messages of one source in the order sent, causally across sources; while a coroutine is
//   suspended the next message waits.
// Threads: the owner shard's; a handler needs no lock for its actor's state.
// Determinism: handlers take time and randomness from Now() and Random() only, so that replay is
//   exact.
// State: plain members without padding are digest and copy for free; others need a const `State()`
//   that returns std::tie(members...), ordered containers allowed.
template <typename Self, typename... Messages>
class Actor {
 public:
  template <typename M>
  static constexpr bool kHandles = (std::is_same_v<M, Messages> || ...);

 protected:
  // Sends one way. A full lane holds it back, in order; what cannot be sent at all becomes a dead
  // letter with its cause.
  template <typename A, typename M>
  void Cast(const Ref<A>& to, const M& message) {
    internal::CheckCast<A, M>();
    internal::ActorCell& cell = internal::CurrentCell();
    cell.Send(FrameKind::kCast, to.address, TypeId<M>(), cell.NextMessageId(), 0, message);
  }

  // `co_await Call(to, Request{})`: the answer, or CallFailed with kNotFound (nobody there), the
  // server's crash, kDeadlineExceeded. The server still handles a request that timed out, unless it
  // was too late to begin.
  template <typename A, typename Request, typename M = std::remove_cvref_t<Request>>
  internal::ThrowingCall<internal::ReplyOf<M>> Call(const Ref<A>& to, Request&& request,
                                                    absl::Duration timeout = kDefaultCallTimeout) {
    internal::CheckCall<A, M>();
    internal::CheckAwaited<Request>();
    return internal::ThrowingCall<internal::ReplyOf<M>>(to.address, request, timeout);
  }
  // The same as absl::StatusOr<Reply>.
  template <typename A, typename Request, typename M = std::remove_cvref_t<Request>>
  internal::StatusCall<internal::ReplyOf<M>> TryCall(const Ref<A>& to, Request&& request,
                                                     absl::Duration timeout = kDefaultCallTimeout) {
    internal::CheckCall<A, M>();
    internal::CheckAwaited<Request>();
    return internal::StatusCall<internal::ReplyOf<M>>(to.address, request, timeout);
  }

  // Answers a call from a handler that took its ReplyTo, in this actor or any other: with a value or an
  // error. Only the first answer counts, and only while the caller waits.
  template <typename R>
  void Reply(const ReplyTo<R>& to, const std::type_identity_t<R>& value) {
    internal::ActorCell& cell = internal::CurrentCell();
    const auto caller = static_cast<uint32_t>(to.caller);
    if (!cell.CloseCall(to.server, caller, to.call_id)) return;
    cell.SendAnswer(caller, to.request_type, to.call_id, value);
  }
  template <typename R>
  void Reply(const ReplyTo<R>& to, const absl::Status& error) {
    internal::ActorCell& cell = internal::CurrentCell();
    const auto caller = static_cast<uint32_t>(to.caller);
    if (!cell.CloseCall(to.server, caller, to.call_id)) return;
    cell.SendAnswer(caller, TypeId<ErrorReply>(), to.call_id, ErrorReply::Of(error), kFlagError);
  }

  // `co_await Sleep(d)`. The next message waits meanwhile.
  internal::SleepWaiter Sleep(absl::Duration duration) { return internal::SleepWaiter(duration); }

  // One Down message when `who` ends or crashes. Returns the id that it will carry.
  template <typename A>
  uint64_t Monitor(const Ref<A>& who) {
    static_assert(Self::template kHandles<Down>,
                  "an actor that monitors lists Down among its messages");
    return internal::CurrentCell().AddMonitor(who.address);
  }
  // No Down of that monitor is seen any more, also if it is on its way.
  void Demonitor(uint64_t monitor) { internal::CurrentCell().extras().Demonitor(monitor); }

  // When either of the two ends, so does the other one, with the same reason and without Terminate();
  // unless the reason is normal, or the other one traps exits and gets Exit as a message. Linking
  // twice is linking once; a crash or an end takes all links away, a restart brings none back.
  template <typename A>
  void Link(const Ref<A>& peer) {
    internal::CurrentCell().extras().Link(peer.address);
  }
  // No Exit of that link is seen any more, also if it is on its way.
  template <typename A>
  void Unlink(const Ref<A>& peer) {
    internal::CurrentCell().extras().Unlink(peer.address);
  }
  // Whether Exit comes as a message instead of ending this actor. It must list Exit.
  void SetTrapExits(bool trap) {
    static_assert(Self::template kHandles<Exit>,
                  "an actor that traps exits lists Exit among its messages");
    internal::CurrentCell().extras().SetTrapExits(trap);
  }
  // To `who` as if it were linked to this actor, and this one ended. Nothing withstands
  // ExitReason::Kill().
  template <typename A>
  void SendExit(const Ref<A>& who, const ExitReason& reason) {
    internal::ActorCell& cell = internal::CurrentCell();
    cell.Send(FrameKind::kCast, who.address, TypeId<Exit>(), cell.NextMessageId(), 0,
              Exit{self().address, reason}, kFlagSignal);
  }

  // `message` comes to this actor after `delay` (0: as soon as possible; InfiniteDuration: never),
  // counted from the message being handled, behind what is queued. A fresh start ends all timers;
  // a durable actor has those from before a crash, and after a start of the program those that were
  // left, at their times.
  template <typename M>
  TimerId SendAfter(absl::Duration delay, const M& message) {
    return Arm(delay, 0, message);
  }
  // The same again and again, `period` (at least 1 us) apart. While one is waiting to be handled the
  // next ones are left out.
  template <typename M>
  TimerId SendEvery(absl::Duration period, const M& message) {
    return Arm(period, std::max<uint64_t>(internal::TimeoutNanos(period), 1), message);
  }
  // No message of that timer is seen any more, also if it is on its way. Whether one was still to
  // come.
  bool CancelTimer(TimerId timer) { return internal::CurrentCell().extras().Cancel(timer); }

  // `message` is handled next, when the running handler is done: before all that is queued. Several
  // of one handler come in their order. A crash drops them.
  template <typename M>
  void Continue(const M& message) {
    CheckOwn<M>();
    internal::CurrentCell().extras().Continue(internal::KeptMessage::Of(message));
  }

  // IdleTimeout comes whenever no message has come for `idle`, until this is called again. 0: as soon
  // as nothing is queued. InfiniteDuration: never.
  void SetIdleTimeout(absl::Duration idle) {
    static_assert(Self::template kHandles<IdleTimeout>,
                  "an actor that waits for silence lists IdleTimeout");
    internal::CurrentCell().extras().SetIdleTimeout(internal::DelayNanos(idle));
  }

  // Ends this actor when the running handler is done.
  void Stop(const ExitReason& reason = ExitReason::Normal()) {
    internal::CurrentCell().RequestStop(reason);
  }

  Ref<Self> self() const {
    const internal::ActorCell& cell = internal::CurrentCell();
    return Ref<Self>{Address{cell.id(), cell.generation, {}}};
  }
  // An actor's time, ns since 1970, the same in every replay: the stamp of the message being
  // handled, or of a later one handled before. 0 in Init.
  uint64_t Now() const { return internal::CurrentCell().context_stamp_ns(); }
  // When nobody waits any more for what this handler does, ns since 1970; 0: nothing is said. Calls made
  // here end by then.
  uint64_t Deadline() const { return internal::CurrentCell().invocation().deadline_ns(); }
  // Where the handler is in its trace, for requests to the outside: EmitTraceContext(context,
  // context.parent_id) makes their headers. Its trace id is zero where there is none, as in Init. In
  // a replay there are the ids alone: the rest is not journalled, so it may not decide anything.
  TraceContext trace_context() const { return internal::CurrentCell().trace_context(); }
  // 64 random bits, the same in every replay: a function of actor and message.
  uint64_t Random() {
    internal::ActorCell& cell = internal::CurrentCell();
    return Mix64(cell.NextMessageId() ^ Mix64(static_cast<uint64_t>(cell.id()) << 32));
  }

 private:
  friend Self;
  template <typename>
  friend class GenActor;
  Actor() = default;

  template <typename M>
  static constexpr void CheckOwn() {
    static_assert(Self::template kHandles<M>,
                  "this actor sends itself a message that it does not list");
    static_assert(!internal::kHasReply<M>, "nobody waits for the Reply of this message");
  }
  template <typename M>
  TimerId Arm(absl::Duration delay, uint64_t period_ns, const M& message) {
    CheckOwn<M>();
    return internal::CurrentCell().extras().Arm(internal::DelayNanos(delay), period_ns,
                                                internal::KeptMessage::Of(message));
  }

 public:
  // For the runtime: handles `frame` if its type is listed.
  static bool Dispatch(internal::ActorCell& cell, void* state, const Frame& frame) {
    Self& actor = *static_cast<Self*>(state);
    return ((internal::IsPayloadOf<Messages>(frame.header) &&
             internal::HandleMessage<Self, Messages>(cell, actor, frame)) ||
            ...) ||
           internal::HandleInfo(actor, frame);
  }
  // For the runtime: whether messages of this type have a codec, and so any length.
  static bool TakesBlock([[maybe_unused]] uint32_t type) {
    return ((internal::HasCodec<Messages> && type == TypeId<Messages>()) || ...);
  }
};

namespace internal {

// How a state gets into a snapshot and out of it, if it can.
template <typename A, bool kArchivable = IsArchivable<A>()>
struct ArchiveOf {
  static constexpr uint64_t kLayout = 0;
  static constexpr decltype(ActorClass::write_state) kSave = nullptr;
  static constexpr decltype(ActorClass::read_state) kLoad = nullptr;
};
template <typename A>
struct ArchiveOf<A, true> {
  static constexpr uint64_t kLayout = LayoutOf<A>(std::is_empty_v<A> ? 0 : 1);
  static constexpr decltype(ActorClass::write_state) kSave = [](const void* state,
                                                                StateWriter& writer) {
    if constexpr (!std::is_empty_v<A>) writer.Add(*static_cast<const A*>(state));
  };
  static constexpr decltype(ActorClass::read_state) kLoad = [](void* state, StateReader& reader) {
    if constexpr (!std::is_empty_v<A>) reader.Read(*static_cast<A*>(state));
  };
};
// Nothing to save, whatever else it says.
template <typename A>
requires std::is_empty_v<A>
struct ArchiveOf<A, false> : ArchiveOf<A, true> {
};

template <typename A>
const ActorClass& ClassOf() {
  static_assert(std::is_nothrow_destructible_v<A>, "an actor's destructor must not throw");
  static_assert(alignof(A) <= 16, "an actor's state is aligned to 16 bytes at most");
  static const ActorClass cls = {
      TypeName<A>(),
      TypeId<A>(),
      sizeof(A),
      std::is_trivially_copyable_v<A> && sizeof(A) <= 256,
      TrapsExits<A>(),
      MailboxOf<A>(),
      StartTimeoutOf<A>(),
      &A::Dispatch,
      [](ActorCell& cell, void* state) {
        A& actor = *static_cast<A*>(state);
        if constexpr (requires { Finish(cell, actor.Init()); }) {
          Finish(cell, actor.Init());
        } else if constexpr (requires { actor.Init(); }) {
          actor.Init();
        }
      },
      TerminateOf<A>(),
      FormatStatusOf<A>(),
      [](void* state) { static_cast<A*>(state)->~A(); },
      [](const void* state, Digest& digest) {
        if constexpr (!std::is_empty_v<A>) DigestAppend(digest, *static_cast<const A*>(state));
      },
      &A::TakesBlock,
      ArchiveOf<A>::kLayout,
      ArchiveOf<A>::kSave,
      ArchiveOf<A>::kLoad,
  };
  return cls;
}

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_ACTOR_H_
