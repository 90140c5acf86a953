// What a handler awaits: the answer to a call, or a time.
#ifndef BITACTOR_L3_GENACTOR_CALL_WAITER_H_
#define BITACTOR_L3_GENACTOR_CALL_WAITER_H_

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/call_failed.h"
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

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_CALL_WAITER_H_
