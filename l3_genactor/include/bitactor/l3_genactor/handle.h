// An actor as outside threads see it.
#ifndef BITACTOR_L3_GENACTOR_HANDLE_H_
#define BITACTOR_L3_GENACTOR_HANDLE_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/port.h"
#include "bitactor/l2_mailbox/send_result.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/ref.h"

namespace bitactor {

class System;

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
