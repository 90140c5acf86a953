// What a handler awaits: the answer to a call, or a time.
#ifndef BITACTOR_L3_GENACTOR_CALL_WAITER_H_
#define BITACTOR_L3_GENACTOR_CALL_WAITER_H_

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/l2_mailbox/send_result.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/call_failed.h"
#include "bitactor/l3_genactor/codec.h"
#include "bitactor/l3_genactor/shard_runtime.h"

namespace bitactor {

// OTP's default for gen_server:call.
inline constexpr absl::Duration kDefaultCallTimeout = absl::Seconds(5);

namespace internal {

// 0 = no timeout; at least 1 us otherwise.
inline uint64_t TimeoutNanos(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return 0;
  return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(timeout), 1000));
}

// The part of a call that does not depend on its types.
class CallWait : public Waiter {
 public:
  void OnTimeout() override;
  uint32_t awaited_target() const override { return resume_ ? static_cast<uint32_t>(target_) : 0; }

 protected:
  // Waits for an answer of `target` and gives the request its id and deadline. False: it failed already.
  // A handler that somebody waits for has no longer than he waits.
  bool Begin(Address target, absl::Duration timeout) {
    ActorCell& cell = CurrentCell();
    uint64_t timeout_ns = TimeoutNanos(timeout);
    const bool inherited = cell.invocation().deadline_us != 0 && Inherit(cell, timeout_ns);
    if (target.id == cell.id() || completed_) [[unlikely]]
      return Refuse(target.id == cell.id());
    target_ = target.id;
    call_id_ = cell.NextMessageId();
    // Nobody waits for the answer after the timeout, so the request need not be begun then.
    deadline_us_ = DeadlineMicros(timeout_ns);
    cell.Wait(*this, call_id_, timeout_ns, inherited);
    return true;
  }
  void Sent(SendResult result) {
    if (result != SendResult::kOk) [[unlikely]]
      NotSent(result);
  }

  ActorId target_{};
  uint32_t deadline_us_ = 0;
  uint64_t call_id_ = 0;
  absl::Status status_;

 private:
  // Whether less time than `timeout_ns` is left for the message being handled; that is the timeout
  // then. With none left the call fails.
  bool Inherit(const ActorCell& cell, uint64_t& timeout_ns);
  bool Refuse(bool calls_itself);
  void NotSent(SendResult result);
};

// Sends a request and waits for its answer. Made in place by Actor::Call, awaited once.
template <typename R>
class CallWaiter : public CallWait {
 public:
  template <typename M>
  CallWaiter(Address target, const M& request, absl::Duration timeout)
      : request_type_(TypeId<M>()) {
    if (!Begin(target, timeout)) return;
    Sent(CurrentCell().Send(FrameKind::kCall, target, request_type_, call_id_, 0, request, 0,
                            deadline_us_));
  }
  CallWaiter(const CallWaiter&) = delete;

  void OnReply(const Frame& reply) override {
    if ((reply.header.flags & kFlagError) != 0) {
      status_ = Message(reply).As<ErrorReply>().ToStatus();
      return;
    }
    absl::StatusOr<R> value = ReadAnswer<R>(reply.header, PayloadOf(reply), request_type_);
    if (value.ok()) {
      value_ = *std::move(value);
    } else {
      status_ = value.status();
    }
  }

  bool await_ready() const noexcept { return completed_; }
  void await_suspend(std::coroutine_handle<> handler) noexcept { resume_ = handler; }

 protected:
  uint32_t request_type_;
  R value_{};
};

// `co_await Call(...)`: the value, or CallFailed.
template <typename R>
class [[nodiscard]] ThrowingCall final : public CallWaiter<R> {
 public:
  using CallWaiter<R>::CallWaiter;
  R await_resume() {
    if (!this->status_.ok()) throw CallFailed(this->status_);
    return std::move(this->value_);
  }
};

// `co_await TryCall(...)`: the value or the status.
template <typename R>
class [[nodiscard]] StatusCall final : public CallWaiter<R> {
 public:
  using CallWaiter<R>::CallWaiter;
  absl::StatusOr<R> await_resume() {
    if (!this->status_.ok()) return this->status_;
    return std::move(this->value_);
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

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_CALL_WAITER_H_
