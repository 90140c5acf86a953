// The raw actor: callbacks on messages of any type, as a gen_server module has them.
#ifndef BITACTOR_L3_GENACTOR_GENACTOR_H_
#define BITACTOR_L3_GENACTOR_GENACTOR_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l3_genactor/actor.h"

namespace bitactor {

// What HandleCast, HandleInfo and HandleContinue return: made by GenActor::NoReply() or Stop(), and
// returned at once.
class [[nodiscard]] GenResult {
 public:
  // `message` is handled next, by HandleContinue.
  template <typename M>
  GenResult Continue(const M& message) && {
    internal::CurrentCell().extras().Continue(internal::KeptMessage::Of(message));
    return *this;
  }
  // IdleTimeout comes to HandleInfo when no other message comes for `idle`.
  GenResult Timeout(absl::Duration idle) && {
    internal::CurrentCell().extras().SetIdleTimeout(internal::DelayNanos(idle));
    return *this;
  }

 private:
  template <typename Self>
  friend class GenActor;
  GenResult() = default;
};

// What HandleCall returns: one of these, or Reply().
class [[nodiscard]] GenCallResult {
 public:
  GenCallResult(GenResult) {}  // NOLINT(google-explicit-constructor): the caller waits on
  template <typename M>
  GenCallResult Continue(const M& message) && {
    internal::CurrentCell().extras().Continue(internal::KeptMessage::Of(message));
    return *this;
  }
  GenCallResult Timeout(absl::Duration idle) && {
    internal::CurrentCell().extras().SetIdleTimeout(internal::DelayNanos(idle));
    return *this;
  }

 private:
  template <typename Self>
  friend class GenActor;
  GenCallResult() = default;
};

// An actor that takes messages of all types:
//
//   class Store : public GenActor<Store> {
//    public:
//     GenCallResult HandleCall(const Message& m) {
//       if (m.Is<Get>()) return Reply(value_);
//       return Stop(ExitReason::Error(absl::InvalidArgumentError("bad_call")));
//     }
//     GenResult HandleCast(const Message& m) {
//       value_ = m.As<Set>().value;
//       return NoReply().Timeout(absl::Seconds(1));
//     }
//    private:
//     int64_t value_ = 0;
//   };
//
// HandleCall and HandleCast are there always. Optional: HandleInfo (timers, Down, Exit, IdleTimeout;
// without it they are dead letters), HandleContinue (without it a message to go on with is a crash),
// Init, Terminate, CodeChange (see System::ChangeCode), and all that an Actor may do and have. A
// Reply has to be of the type that the request declares. A message read as a type that it is not of
// (Message::As) is a crash.
//
// Order, Threads, Determinism, State: as of Actor.
template <typename Self>
class GenActor : public Actor<Self> {
 public:
  template <typename M>
  static constexpr bool kHandles = true;

 protected:
  static GenResult NoReply() { return GenResult(); }
  template <typename R>
  static GenCallResult Reply(const R& value) {
    internal::CurrentCell().ReplyWith(value);
    return GenCallResult();
  }
  // Ends this actor after the callback. In HandleCall the caller learns the reason.
  static GenResult Stop(const ExitReason& reason) {
    internal::CurrentCell().RequestStop(reason);
    return GenResult();
  }
  // The caller has its answer first.
  template <typename R>
  static GenCallResult Stop(const ExitReason& reason, const R& value) {
    internal::CurrentCell().ReplyWith(value);
    internal::CurrentCell().RequestStop(reason);
    return GenCallResult();
  }

 private:
  friend Self;
  GenActor() = default;

 public:
  // For the runtime.
  static bool Dispatch(internal::ActorCell& cell, void* state, const Frame& frame) {
    Self& self = *static_cast<Self*>(state);
    const Message message(frame);
    // A timeout is of one return, as of gen_server.
    if (cell.extras_or_null() != nullptr) {
      cell.extras().SetIdleTimeout(internal::ActorExtras::kNever);
    }
    if (frame.header.kind == FrameKind::kCall) {
      [[maybe_unused]] const GenCallResult result = self.HandleCall(message);
    } else if (frame.header.kind == FrameKind::kSystem) {
      if constexpr (requires { self.HandleContinue(message); }) {
        [[maybe_unused]] const GenResult result = self.HandleContinue(message);
      } else {
        cell.Fail(absl::UnimplementedError("undef: HandleContinue"));
      }
    } else if ((frame.header.flags & kFlagSignal) != 0) {
      if constexpr (requires { self.HandleInfo(message); }) {
        [[maybe_unused]] const GenResult result = self.HandleInfo(message);
      } else {
        return false;
      }
    } else {
      [[maybe_unused]] const GenResult result = self.HandleCast(message);
    }
    return true;
  }
};

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_GENACTOR_H_
