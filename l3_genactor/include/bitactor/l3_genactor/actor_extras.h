// What few actors have, in an object that is made when it is first used: links, monitors of others,
// timers, an idle timeout, messages to go on with.
#ifndef BITACTOR_L3_GENACTOR_ACTOR_EXTRAS_H_
#define BITACTOR_L3_GENACTOR_ACTOR_EXTRAS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l3_genactor/actor_status.h"
#include "bitactor/l3_genactor/coroutine_pool.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/timer.h"
#include "bitactor/l3_genactor/timer_lists.h"

namespace bitactor {
class StateReader;
class StateWriter;
}  // namespace bitactor

namespace bitactor::internal {

class ActorCell;
class ShardRuntime;

// A timer that knows what to do when it is due.
class Alarm : public TimerNode {
 public:
  virtual ~Alarm() = default;
  virtual void Fire(ShardRuntime& runtime) = 0;
};

// A message that an actor sends to itself later, as bytes.
struct KeptMessage {
  uint32_t type = 0;
  uint8_t size_bytes = 0;
  std::byte payload[kMaxPayloadBytes] = {};

  template <typename M>
  static KeptMessage Of(const M& message) {
    CheckPayloadType<M>();
    KeptMessage kept;
    kept.type = TypeId<M>();
    kept.size_bytes = sizeof(M);
    std::memcpy(kept.payload, &message, sizeof(M));
#if __has_builtin(__builtin_clear_padding)
    if constexpr (!std::has_unique_object_representations_v<M>) {
      __builtin_clear_padding(reinterpret_cast<M*>(kept.payload));
    }
#endif
    return kept;
  }
};

// Order: what is due for an actor is a frame to itself, so that its place among the others is
//   journalled. Frames that came too late (a firing after its cancel, DOWN after Demonitor, EXIT
//   after Unlink) are known by their ids and passed over, in a replay as in the run.
// Threads: the owner shard's.
// Bounds: of one timer one firing is on its way at most: the next one is armed when that is handled.
// Cost: nothing for an actor without it but one look at a null pointer a message.
//
//   X1  All that decides which frames are passed over follows from the actor's own frames and sends.
//       What does not (deadlines, what is armed) is never seen by a handler.
//   X2  After a crash at a message it is as if that message had not come: what its handler did here
//       is undone (RollBack) where the state is copied back, and not done where it is replayed.
//       Links are gone: those they led to have been told.
class ActorExtras {
 public:
  // The message begun last, of an actor whose supervisor wants it when it fails (Poison). Outlives
  // restarts.
  struct Begun {
    Frame frame{};
    std::vector<std::byte>
        block;             // its payload, if that is a block: the block itself is gone by then
    uint32_t retries = 0;  // of this message
    bool is_owed = false;  // it is handled again, or its caller is told why not

    void Note(const Frame& next, std::span<const std::byte> bytes) {
      if (next.header.source != frame.header.source ||
          next.header.message_id != frame.header.message_id) {
        retries = 0;
      }
      frame = next;
      block.assign(bytes.begin(), bytes.end());
    }
  };
  std::unique_ptr<Begun> begun;  // null: nobody wants it

  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  explicit ActorExtras(ActorCell* cell);
  ~ActorExtras();

  // From inside a handler.
  void Link(Address peer);
  void Unlink(Address peer);
  void SetTrapExits(bool trap);
  uint64_t Monitor(Address target);
  void Demonitor(uint64_t id);
  // `delay_ns` kNever: no timer, TimerId::kNone. `period_ns` 0: it fires once.
  TimerId Arm(uint64_t delay_ns, uint64_t period_ns, const KeptMessage& message);
  // Whether it was still to come.
  bool Cancel(TimerId id);
  void Continue(const KeptMessage& message) { continues_.push_back(message); }
  // kNever: none.
  void SetIdleTimeout(uint64_t idle_ns);

  // Requests of other actors.
  void Linked(uint32_t peer, uint64_t link);
  void Unlinked(uint32_t peer);

  // A message is about to be handled. False: it is nothing for the actor.
  bool Begin(const Frame& frame);
  // A handler has ended, or the actor has started: goes on with the next message of Continue(), or
  // begins to wait for silence.
  void AfterHandler();
  // Tells who is linked; nobody is any more.
  void TellLinks(const ExitReason& reason);

  // A fresh start: nothing is left.
  void Reset();
  // Undoes what was done here since the last Begin().
  void RollBack();
  // A crash is over: nothing is left to go on with, and silence begins.
  void AfterCrash();
  // Arms what a replay left unarmed.
  void ArmAll();
  // For a snapshot, between dispatches: all but what is from outside (suspended). Load() arms nothing; a
  // firing that was on its way fires again.
  void Save(StateWriter& writer) const;
  void Load(StateReader& reader);

  // From outside (System::Trace, System::Suspend). A tracer stays over restarts.
  void SetTracer(ActorTracer tracer) { tracer_ = std::move(tracer); }
  // Of a crash or an end.
  void TellTracer(ActorEvent::Kind kind, const ExitReason& reason) const;
  void set_suspended(bool suspended) { suspended_ = suspended; }
  bool suspended() const { return suspended_; }
  // Whether casts and calls may be handled, as far as this object knows.
  bool open() const { return !suspended_ && continue_id_ == 0; }
  bool traps_exits() const { return trap_exits_; }
  size_t links() const { return links_.size(); }
  size_t monitored() const { return watched_.size(); }
  size_t timers() const { return timers_.size(); }

 private:
  // Both sides may have asked; an EXIT names one of the two requests.
  struct PeerLink {
    uint32_t peer;
    uint64_t asked;      // the id of this actor's request, 0: none
    uint64_t was_asked;  // of the peer's
  };
  struct Watch {
    uint64_t id;
    Address target;
  };
  struct MessageTimer final : Alarm {
    void Fire(ShardRuntime& runtime) override;
    static void* operator new(size_t size_bytes) { return CoroutinePool::Allocate(size_bytes); }
    static void operator delete(void* p, size_t size_bytes) { CoroutinePool::Free(p, size_bytes); }

    ActorCell* cell = nullptr;
    TimerId id = TimerId::kNone;
    uint64_t message_id = 0;  // of the next firing
    uint64_t delay_ns = 0;
    uint64_t period_ns = 0;
    uint64_t due_ns = 0;      // 0: counts from the first message, or from when it is armed
    bool fired = false;       // the firing is on its way
    uint8_t trace_flags = 0;  // of what it was armed by: kFlagUnsampled or 0
    uint64_t trace = 0;
    uint64_t span = 0;
    KeptMessage message;
  };

  bool AdmitExit(const Frame& frame);
  bool AdmitTimer(const Frame& frame);
  PeerLink* LinkTo(uint32_t peer);
  std::vector<std::unique_ptr<MessageTimer>>::iterator Find(TimerId id);
  void ArmNow(MessageTimer& timer);
  void StopIdle();
  void NoteUndo(std::function<void()> undo);
  bool live() const;
  static void SaveTimer(const MessageTimer& timer, StateWriter& writer);
  static void LoadTimer(MessageTimer& timer, StateReader& reader);

  ActorCell& cell_;
  bool trap_exits_ = false;
  bool suspended_ = false;
  bool idle_is_over_ = false;  // IdleTimeout came for this silence
  bool has_unanchored_ = false;
  bool is_shut_ = false;     // while a message to go on with is on its way
  bool told_begin_ = false;  // the tracer
  std::vector<PeerLink> links_;
  std::vector<Watch> watched_;  // monitors whose DOWN has not come
  std::vector<std::unique_ptr<MessageTimer>> timers_;
  std::deque<KeptMessage> continues_;
  uint64_t continue_id_ = 0;  // of the first of them, which is on its way; 0: it is not
  uint64_t idle_ns_ = kNever;
  MessageTimer idle_;  // its message id is 0 while it is not running
  ActorTracer tracer_;
  std::vector<std::function<void()>> undo_;
  std::vector<std::unique_ptr<MessageTimer>> cancelled_;  // since the last Begin()
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_ACTOR_EXTRAS_H_
