// One actor, described for those who look after a system; and what can be watched of it.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_STATUS_H_
#define BITACTOR_L3_GENACTOR_ACTOR_STATUS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l3_genactor/exit_reason.h"

namespace bitactor {

enum class ActorState : uint8_t {
  kReady,      // handles what comes
  kWaiting,    // a handler of it waits for an answer or a time
  kSuspended,  // System::Suspend
  kDown,       // it has ended and waits to be started again
};

struct ActorStatus {
  std::string name;
  std::string class_name;
  ActorId id{};
  uint32_t shard = 0;
  ActorState state = ActorState::kReady;
  uint64_t queued = 0;        // casts and calls that wait for it
  uint64_t links = 0;         // actors that it is linked to
  uint64_t monitors = 0;      // its own, whose Down has not come
  uint64_t monitored_by = 0;  // those of others on it
  uint64_t timers = 0;        // still to come
  uint64_t handled = 0;       // messages, answers and timeouts
  uint64_t restarts = 0;      // in this run of the program
  std::string text;  // its own FormatStatus(), or why that is not shown; empty: it has none

  // One line, and the text below it.
  std::string ToString() const;
  // An object of one line.
  std::string ToJson() const;
};

// What System::Trace() tells of an actor.
struct ActorEvent {
  enum class Kind : uint8_t {
    kBegin,  // a message is about to be handled
    kDone,   // its handler has ended, or waits
    kCrash,  // it failed
    kEnd,    // the actor ended without failing
  };
  Kind kind = Kind::kBegin;
  ActorId actor{};
  ActorId source{};         // kBegin: who sent it
  uint64_t message_id = 0;  // kBegin
  uint32_t type = 0;        // kBegin: TypeId<M>()
  uint64_t stamp_ns = 0;    // kBegin: when it was sent
  ExitReason reason;        // kCrash, kEnd

  // "17 begins 4:1042 type 9f3b22c1", "17 done", "17 crashed: error INTERNAL: ...".
  std::string ToString() const;
};
using ActorTracer = std::function<void(const ActorEvent&)>;

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_ACTOR_STATUS_H_
