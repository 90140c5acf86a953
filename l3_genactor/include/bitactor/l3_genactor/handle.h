// An actor as outside threads see it.
#ifndef BITACTOR_L3_GENACTOR_HANDLE_H_
#define BITACTOR_L3_GENACTOR_HANDLE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/answer.h"
#include "bitactor/l2_mailbox/port.h"
#include "bitactor/l2_mailbox/send_result.h"
#include "bitactor/l3_genactor/codec.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/ref.h"

namespace bitactor {

class System;

namespace internal {

// As an outside thread waits: an infinite time is as long as can be said.
inline uint64_t WaitNanos(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return ~uint64_t{0};
  return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(timeout), 1000));
}

}  // namespace internal

// A call that an outside thread has made and not waited for yet.
//
// Threads: the one that made it.
// Ownership: movable. Destroyed before the answer came, it drops it. Must not outlive its thread's use
//   of the System.
template <typename R>
class [[nodiscard]] PendingCall {
 public:
  explicit PendingCall(absl::Status status) : status_(std::move(status)) {}
  PendingCall(Port* port, uint64_t call_id, uint32_t request_type)
      : port_(port), call_id_(call_id), request_type_(request_type) {}
  PendingCall(PendingCall&& other) noexcept { *this = std::move(other); }
  PendingCall& operator=(PendingCall&& other) noexcept {
    std::swap(port_, other.port_);
    std::swap(call_id_, other.call_id_);
    std::swap(request_type_, other.request_type_);
    std::swap(status_, other.status_);
    return *this;
  }
  ~PendingCall() {
    if (port_ != nullptr) port_->AbandonCall(call_id_);
  }

  // Whether Wait() returns at once.
  bool ready() const { return port_ == nullptr || port_->IsAnswered(call_id_); }
  // The answer, once; as Handle::Call() tells it. kFailedPrecondition: it was taken already.
  absl::StatusOr<R> Wait(absl::Duration timeout = absl::Seconds(5)) {
    if (port_ == nullptr) return std::exchange(status_, Taken());
    Port& port = *std::exchange(port_, nullptr);
    status_ = Taken();
    const absl::StatusOr<Answer> answer = port.FinishCall(call_id_, internal::WaitNanos(timeout));
    if (!answer.ok()) return answer.status();
    return internal::ReadAnswer<R>(answer->frame.header, answer->bytes(), request_type_);
  }

 private:
  static absl::Status Taken() {
    return absl::FailedPreconditionError("this call's answer was taken by an earlier Wait()");
  }

  Port* port_ = nullptr;  // null: nothing is awaited, and status_ says why
  uint64_t call_id_ = 0;
  uint32_t request_type_ = 0;
  absl::Status status_ = Taken();
};

// Converts to the Ref that travels in messages.
//
// Threads: any that is not a shard's; each thread sends through a port of its own, so what one
//   thread sends arrives in order.
// Ownership: must not outlive its System.
template <typename A>
class Handle {
 public:
  Handle() : status_(absl::NotFoundError("this handle was never given an actor")) {}
  Handle(System* system, const absl::StatusOr<Address>& address)
      : system_(system), status_(address.status()), address_(address.value_or(Address{})) {}

  // Whether there is an actor, and why not.
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

  Ref<A> ref() const { return Ref<A>{address_}; }
  operator Ref<A>() const {
    return ref();
  }  // NOLINT(google-explicit-constructor): a handle is a ref with a system

  // Sends one way, waiting up to `timeout` for room in the lane. Anything but kOk was not sent.
  template <typename M>
  SendResult Cast(const M& message, absl::Duration timeout = absl::Seconds(5)) const;

  // Sends a request and waits for its answer.
  // Errors: kNotFound (nobody there), kDeadlineExceeded, kUnavailable (not sent), or the reason why
  //   the actor crashed over it.
  template <typename M>
  absl::StatusOr<internal::ReplyOf<M>> Call(const M& request,
                                            absl::Duration timeout = absl::Seconds(5)) const;

  // Sends a request and returns at once: up to Port::kMaxOpenCalls of a thread may be open, and end in
  // any order. After `timeout` the actor need not begin it any more.
  template <typename M>
  PendingCall<internal::ReplyOf<M>> CallAsync(const M& request,
                                              absl::Duration timeout = absl::Seconds(5)) const;

  // Ends the actor; its supervisor may start it again. Returns when that is done.
  void Stop(const ExitReason& reason = ExitReason::Shutdown()) const;
  // The same, and whether it ended in time: see System::Stop().
  absl::Status Stop(const ExitReason& reason, absl::Duration timeout) const;

 private:
  System* system_ = nullptr;
  absl::Status status_;
  Address address_;
};

namespace internal {

// Tries again while the lane is full; in a system without threads the shards are driven meanwhile.
SendResult SendPatiently(System& system, absl::Duration timeout,
                         const std::function<SendResult(Port&)>& send);

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_HANDLE_H_
