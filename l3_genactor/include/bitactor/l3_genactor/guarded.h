// Calls through a circuit breaker, with retries and a timeout.
#ifndef BITACTOR_L3_GENACTOR_GUARDED_H_
#define BITACTOR_L3_GENACTOR_GUARDED_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bitactor/l3_genactor/actor.h"
#include "bitactor/l3_genactor/circuit_breaker.h"
#include "bitactor/l3_genactor/handle.h"
#include "bitactor/l3_genactor/ref.h"
#include "bitactor/l3_genactor/retry.h"
#include "bitactor/l3_genactor/task.h"

namespace bitactor {
namespace internal {

// One call that a breaker has admitted; its outcome is recorded once, also when the caller ends
// before the answer comes.
class AdmittedCall {
 public:
  AdmittedCall(CircuitBreaker& breaker, uint32_t epoch, const ActorCell& cell)
      : breaker_(breaker), epoch_(epoch), cell_(cell) {}
  ~AdmittedCall() { breaker_.Record(epoch_, outcome_, cell_.context_stamp_ns()); }
  AdmittedCall(const AdmittedCall&) = delete;
  AdmittedCall& operator=(const AdmittedCall&) = delete;

  // An answer that only says that the request was wrong says nothing about the target.
  void Ended(absl::StatusCode code) {
    switch (code) {
      case absl::StatusCode::kOk:
        outcome_ = CallOutcome::kSuccess;
        break;
      case absl::StatusCode::kInvalidArgument:
      case absl::StatusCode::kOutOfRange:
      case absl::StatusCode::kAlreadyExists:
      case absl::StatusCode::kPermissionDenied:
      case absl::StatusCode::kUnauthenticated:
      case absl::StatusCode::kFailedPrecondition:
        break;
      default:
        outcome_ = CallOutcome::kFailure;
    }
  }

 private:
  CircuitBreaker& breaker_;
  const uint32_t epoch_;
  const ActorCell& cell_;
  CallOutcome outcome_ = CallOutcome::kAbandoned;
};

}  // namespace internal

// Of each attempt.
struct Timeout {
  absl::Duration after = kDefaultCallTimeout;
};

// Calls `A` for one actor. The breaker and the retry budget belong to the calling actor and are
// named by the target: made anew in every handler they go on where they were, also after a restart
// of the caller. They run on the time of the messages, so replay decides as the run did.
//
// Threads: inside handlers of one actor.
// Ownership: must outlive the calls made through it.
template <typename A>
class GuardedRef {
 public:
  GuardedRef(Ref<A> target, const Breaker& breaker, const Retry& retry, const Timeout& timeout)
      : target_(target), breaker_(breaker), retry_(retry), timeout_(timeout) {
    status_.Update(Validate(breaker));
    status_.Update(Validate(retry));
  }

  // The answer, or the last attempt's error. kUnavailable of an open breaker says whose and until
  // when; kInvalidArgument: an option of the breaker or the retry is out of range.
  template <typename M>
  Task<absl::StatusOr<internal::ReplyOf<M>>> Call(M request) {
    internal::CheckCall<A, M>();
    if (!status_.ok()) co_return status_;
    internal::ActorCell& cell = internal::CurrentCell();
    internal::Guard& guard = cell.GuardOf(target_.address.id, breaker_, retry_);
    RetryPolicy::Call attempts = guard.retry.Begin();
    while (true) {
      const AdmissionDecision admission = guard.breaker.Admit(cell.context_stamp_ns());
      absl::Status status;
      if (admission.admission == Admission::kRefuse) {
        status = absl::UnavailableError(
            absl::StrCat("circuit breaker of actor ", static_cast<uint32_t>(target_.address.id),
                         admission.retry_at_ns != 0
                             ? absl::StrCat(" is open until ", admission.retry_at_ns, " ns")
                             : " waits for its probes"));
      } else {
        internal::AdmittedCall admitted(guard.breaker, admission.epoch, cell);
        internal::StatusCall<internal::ReplyOf<M>> call(target_.address, request, timeout_.after);
        const absl::StatusOr<internal::ReplyOf<M>> reply = co_await call;
        admitted.Ended(reply.status().code());
        if (reply.ok()) co_return reply;
        status = reply.status();
      }
      const RetryDecision next =
          guard.retry.Next(attempts, status.code(), cell.context_stamp_ns(), /*deadline_ns=*/0);
      if (next.verdict != RetryVerdict::kRetry) co_return status;
      internal::SleepWaiter pause(absl::Nanoseconds(next.delay_ns));
      co_await pause;
    }
  }

 private:
  Ref<A> target_;
  Breaker breaker_;
  Retry retry_;
  Timeout timeout_;
  absl::Status status_;
};

// `auto venue = Guarded(ref, Breaker{...}, Retry{...}, Timeout{...}); auto fill = co_await
// venue.Call(NewOrder{...});`
template <typename A>
GuardedRef<A> Guarded(const Ref<A>& target, const Breaker& breaker = {}, const Retry& retry = {},
                      const Timeout& timeout = {}) {
  return GuardedRef<A>(target, breaker, retry, timeout);
}
template <typename A>
GuardedRef<A> Guarded(const Handle<A>& target, const Breaker& breaker = {}, const Retry& retry = {},
                      const Timeout& timeout = {}) {
  return GuardedRef<A>(target.ref(), breaker, retry, timeout);
}

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_GUARDED_H_
