// The typed actor: a class that lists its messages and has an `On` for each.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_H_
#define BITACTOR_L3_GENACTOR_ACTOR_H_

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <cstring>
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
#include "bitactor/l3_genactor/call_failed.h"
#include "bitactor/l3_genactor/digest.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/monitor.h"
#include "bitactor/l3_genactor/ref.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/state_archive.h"
#include "bitactor/l3_genactor/task.h"

namespace bitactor {

// OTP's default for gen_server:call.
inline constexpr absl::Duration kDefaultCallTimeout = absl::Seconds(5);

namespace internal {

// 0 = no timeout; at least 1 us otherwise.
inline uint64_t TimeoutNanos(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return 0;
  return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(timeout), 1000));
}

// Sends a request and waits for its answer. Made in place by Actor::Call, awaited once.
template <typename R>
class CallWaiter : public Waiter {
 public:
  template <typename M>
  CallWaiter(Address target, const M& request, absl::Duration timeout)
      : request_type_(TypeId<M>()) {
    ActorCell& cell = CurrentCell();
    if (target.id == cell.id()) {
      // It could only be answered by the handler that waits for it (gen_server's calling_self).
      status_ = absl::FailedPreconditionError("calling_self: an actor cannot call itself");
      completed_ = true;
      return;
    }
    const uint64_t call_id = cell.NextMessageId();
    const uint64_t timeout_ns = TimeoutNanos(timeout);
    cell.Wait(*this, call_id, timeout_ns);
    // Nobody waits for the answer after the timeout, so the request need not be begun then.
    const uint64_t deadline_us = std::min<uint64_t>(timeout_ns / 1000, ~uint32_t{0});
    cell.Send(FrameKind::kCall, target, request_type_, call_id, 0, request, 0,
              static_cast<uint32_t>(deadline_us));
  }
  CallWaiter(const CallWaiter&) = delete;

  void OnReply(const Frame& reply) override {
    if ((reply.header.flags & kFlagError) != 0) {
      status_ = Message(reply).As<ErrorReply>().ToStatus();
    } else if (reply.header.type == request_type_ && reply.header.size_bytes == sizeof(R)) {
      std::memcpy(static_cast<void*>(&value_), reply.payload, sizeof(R));
    } else {
      status_ = absl::InternalError("the answer is not of the request's Reply type");
    }
  }
  void OnTimeout() override { status_ = absl::DeadlineExceededError("timeout: no answer in time"); }

  bool await_ready() const noexcept { return completed_; }
  void await_suspend(std::coroutine_handle<> handler) noexcept { resume_ = handler; }

 protected:
  static_assert(std::is_trivially_copyable_v<R>, "an answer travels as bytes");
  uint32_t request_type_;
  absl::Status status_;
  R value_{};
};

// `co_await Call(...)`: the value, or CallFailed.
template <typename R>
class [[nodiscard]] ThrowingCall final : public CallWaiter<R> {
 public:
  using CallWaiter<R>::CallWaiter;
  R await_resume() {
    if (!this->status_.ok()) throw CallFailed(this->status_);
    return this->value_;
  }
};

// `co_await TryCall(...)`: the value or the status.
template <typename R>
class [[nodiscard]] StatusCall final : public CallWaiter<R> {
 public:
  using CallWaiter<R>::CallWaiter;
  absl::StatusOr<R> await_resume() {
    if (!this->status_.ok()) return this->status_;
    return this->value_;
  }
};

class [[nodiscard]] SleepWaiter final : public Waiter {
 public:
  explicit SleepWaiter(absl::Duration duration) {
    if (duration <= absl::ZeroDuration()) {
      completed_ = true;
    } else {
      CurrentCell().Wait(*this, 0, TimeoutNanos(duration));
    }
  }
  void OnReply(const Frame&) override {}
  void OnTimeout() override {}
  bool await_ready() const noexcept { return completed(); }
  void await_suspend(std::coroutine_handle<> handler) noexcept { resume_ = handler; }
  void await_resume() const noexcept {}
};

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

template <typename A, typename M>
void HandleMessage(ActorCell& cell, A& actor, const Frame& frame) {
  CheckPayloadType<M>();
  static_assert(
      requires { actor.On(std::declval<const M&>()); },
      "this actor lists a message that it has no On(const Message&) for");
  const M& message = *std::launder(reinterpret_cast<const M*>(frame.payload));
  using R = decltype(actor.On(message));
  if constexpr (kHasReply<M>) {
    static_assert(std::is_same_v<typename ResultOf<R>::type, typename M::Reply>,
                  "this handler's result is not the Reply that its message declares");
  } else {
    static_assert(std::is_void_v<typename ResultOf<R>::type>,
                  "this handler returns a value, but its message declares no Reply");
  }
  if constexpr (kIsTask<R>) {
    static_assert(
        requires { static_cast<R (A::*)(M)>(&A::On); },
        "a coroutine takes its message by value: a reference dangles after the first co_await");
    using T = typename R::value_type;
    auto handler = std::make_unique<CoroutineHandler<T>>(cell, actor.On(message));
    handler->Start();
    if (!handler->done()) cell.Suspend(std::move(handler));
  } else if constexpr (std::is_void_v<R>) {
    actor.On(message);
  } else {
    Finish(cell, actor.On(message));
  }
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
// coroutine, which takes its message by value). An exception or an error status is a crash with
// that reason. `void Init()` or `absl::Status Init()` runs after each fresh start.
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
  template <typename A, typename M>
  internal::ThrowingCall<internal::ReplyOf<M>> Call(const Ref<A>& to, const M& request,
                                                    absl::Duration timeout = kDefaultCallTimeout) {
    internal::CheckCall<A, M>();
    return internal::ThrowingCall<internal::ReplyOf<M>>(to.address, request, timeout);
  }
  // The same as absl::StatusOr<Reply>.
  template <typename A, typename M>
  internal::StatusCall<internal::ReplyOf<M>> TryCall(const Ref<A>& to, const M& request,
                                                     absl::Duration timeout = kDefaultCallTimeout) {
    internal::CheckCall<A, M>();
    return internal::StatusCall<internal::ReplyOf<M>>(to.address, request, timeout);
  }

  // `co_await Sleep(d)`. The next message waits meanwhile.
  internal::SleepWaiter Sleep(absl::Duration duration) { return internal::SleepWaiter(duration); }

  // One Down message when `who` ends or crashes. Returns the id that it will carry.
  template <typename A>
  uint64_t Monitor(const Ref<A>& who) {
    static_assert(kHandles<Down>, "an actor that monitors lists Down among its messages");
    return internal::CurrentCell().AddMonitor(who.address);
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
  // 64 random bits, the same in every replay: a function of actor and message.
  uint64_t Random() {
    internal::ActorCell& cell = internal::CurrentCell();
    return Mix64(cell.NextMessageId() ^ Mix64(static_cast<uint64_t>(cell.id()) << 32));
  }

 private:
  friend Self;
  Actor() = default;

 public:
  // For the runtime: handles `frame` if its type is listed.
  static bool Dispatch(internal::ActorCell& cell, void* state, const Frame& frame) {
    Self& actor = *static_cast<Self*>(state);
    return ((frame.header.type == TypeId<Messages>() &&
             frame.header.size_bytes == sizeof(Messages) &&
             (internal::HandleMessage<Self, Messages>(cell, actor, frame), true)) ||
            ...);
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
      &A::Dispatch,
      [](ActorCell& cell, void* state) {
        A& actor = *static_cast<A*>(state);
        if constexpr (requires { Finish(cell, actor.Init()); }) {
          Finish(cell, actor.Init());
        } else if constexpr (requires { actor.Init(); }) {
          actor.Init();
        }
      },
      [](void* state) { static_cast<A*>(state)->~A(); },
      [](const void* state, Digest& digest) {
        if constexpr (!std::is_empty_v<A>) DigestAppend(digest, *static_cast<const A*>(state));
      },
      ArchiveOf<A>::kLayout,
      ArchiveOf<A>::kSave,
      ArchiveOf<A>::kLoad,
  };
  return cls;
}

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_ACTOR_H_
