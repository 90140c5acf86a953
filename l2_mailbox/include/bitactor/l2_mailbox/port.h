// An outside thread's handle to the fabric.
#ifndef BITACTOR_L2_MAILBOX_PORT_H_
#define BITACTOR_L2_MAILBOX_PORT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/answer.h"
#include "bitactor/l2_mailbox/block.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/owner_thread.h"
#include "bitactor/l2_mailbox/place.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/l2_mailbox/priority.h"
#include "bitactor/l2_mailbox/send_result.h"
#include "bitactor/tracing/trace_roots.h"

namespace bitactor {

class Fabric;

struct PortOptions {
  // A named port keeps its identity over restarts: its n-th send is the same message in every run,
  // and what its target journalled before a restart is not sent again (SendResult::kAlreadyTaken).
  // For feeds that can be read again; opened again in the same run, it begins with its first
  // message too. Named ports cannot call. Empty: a new identity with every fabric.
  std::string name = {};
};

// Order: what one port sends arrives in order at each target, and causally everywhere.
// Threads: its owner's alone: the first that uses it after it was opened or moved. To hand it to
//   another thread, move it; the destructor may run on any. Builds with assertions (without NDEBUG)
//   end the program where a second thread uses it.
// Bounds: one lane of FabricOptions::lane_slots to each shard; a full lane refuses with kFull.
// Ownership: must not outlive its Fabric. Destroying it publishes what was posted.
// Errors: a port of a fabric that has no more ports to give (256 less the shards, and less a port
//   for every name in this run), or whose name is open already, refuses everything with kClosed.
//   One that was cut off for its corrupted frames refuses with kCutOff from its next burst on.
class Port {
 public:
  Port() = default;
  Port(Port&& other) noexcept;
  Port& operator=(Port&& other) noexcept;
  ~Port();

  bool ok() const { return core_ != nullptr; }

  // Sends and publishes. With a timeout, waits for room as long as that may come and the fabric is
  // not idle without threads; then it is what the last attempt said. Every attempt that was refused
  // counts.
  template <typename M>
  SendResult Send(Address target, const M& message, const SendOptions& options = {}) {
    SendResult result = Post(target, message, options.priority);
    Flush();
    if (options.timeout_ns != 0 && HasRoomLater(result)) [[unlikely]] {
      const uint64_t start_ns = NowNanos();
      while (HasRoomLater(result) && WaitForRoom(target, start_ns, options.timeout_ns)) {
        result = Post(target, message, options.priority);
        Flush();
      }
    }
    return result;
  }
  // Sends; visible at the next Post to another shard, Flush or Send. For bursts.
  template <typename M>
  SendResult Post(Address target, const M& message, Priority priority = kDefaultPriority) {
    if (core_ == nullptr) return SendResult::kClosed;
    BITACTOR_DCHECK(owner_.IsCaller());
    internal::Envelope envelope;
    envelope.priority = priority;
    const SendResult result = Begin(envelope, FrameKind::kCast, target, TypeId<M>());
    if (result != SendResult::kOk) return result;
    return Finish(core_->Send(envelope, message));
  }
  // Sends and publishes up to 16 MiB under the name of `Tag`, a type of your own; its receiver asks
  // for IsBytes<Tag>(). Over 128 bytes they are copied into a block.
  template <typename Tag>
  SendResult SendBytes(Address target, std::span<const std::byte> bytes) {
    return SendAs(target, BytesTypeId<Tag>(),
                  [&](const internal::Envelope& e) { return core_->SendAnyBytes(e, bytes); });
  }
  // A block to fill, Seal() and send without a copy. kInvalidArgument, kResourceExhausted: see
  // Block::Make; kFailedPrecondition: this port is closed.
  absl::StatusOr<Block> NewBlock(size_t size_bytes);
  // The same as SendBytes, of a block of this fabric, to as many targets as you like. After a
  // refusal it is still yours to send. REQUIRES: block.ok().
  template <typename Tag>
  SendResult SendBlock(Address target, const SharedBlock& block) {
    return SendAs(target, BytesTypeId<Tag>(),
                  [&](const internal::Envelope& e) { return core_->SendBlock(e, block); });
  }
  // Makes everything posted visible. The next send begins a new burst: the time for stamps is read
  // once for each.
  void Flush();

  // Sends a request and waits for its answer: the answer's frame, or why there is none (the status
  // of the error reply, kDeadlineExceeded after `timeout_ns`, kResourceExhausted when the mailbox is
  // full, kUnavailable when it could not be sent for another reason).
  template <typename M>
  absl::StatusOr<Frame> Call(Address target, const M& request, uint64_t timeout_ns,
                             Priority priority = kDefaultPriority) {
    internal::Envelope envelope;
    envelope.priority = priority;
    if (absl::Status status = BeginCall(envelope, target, TypeId<M>()); !status.ok()) return status;
    const SendResult result = core_->Send(envelope, request);
    return FrameOf(FinishSend(result, envelope.message_id, timeout_ns));
  }

  // The same of whatever `send(core, envelope)` sends, for typed layers. Its receiver need not begin
  // it after the timeout: the frame carries it as its deadline. The answer may have any length.
  template <typename SendIt>
  absl::StatusOr<Answer> CallWith(Address target, uint32_t type, uint64_t timeout_ns,
                                  SendIt&& send) {
    internal::Envelope envelope;
    if (absl::Status status = BeginCall(envelope, target, type); !status.ok()) return status;
    envelope.deadline_us = internal::DeadlineMicros(timeout_ns);
    const SendResult result = send(*core_, envelope);
    if (absl::Status status = PublishCall(result); !status.ok()) return status;
    absl::StatusOr<Answer> answer = AwaitAnswer(envelope.message_id, timeout_ns);
    if (absl::Status error = ErrorOf(answer); !error.ok()) return error;
    return answer;
  }
  // Started calls that have no answer yet, at most: theirs and those of calls that were given up find
  // room.
  static constexpr size_t kMaxOpenCalls = internal::kReplySlots / 2;
  // As CallWith(), without waiting: the call's id. Its answer is kept until FinishCall() or
  // AbandonCall(), whatever this port calls or awaits meanwhile. kResourceExhausted: kMaxOpenCalls are
  // open.
  template <typename SendIt>
  absl::StatusOr<uint64_t> StartCall(Address target, uint32_t type, uint64_t timeout_ns,
                                     SendIt&& send) {
    internal::Envelope envelope;
    if (absl::Status status = RoomForOpenCall(); !status.ok()) return status;
    if (absl::Status status = BeginCall(envelope, target, type); !status.ok()) return status;
    envelope.deadline_us = internal::DeadlineMicros(timeout_ns);
    const SendResult result = send(*core_, envelope);
    if (absl::Status status = PublishCall(result); !status.ok()) return status;
    NoteOpenCall(envelope.message_id);
    return envelope.message_id;
  }
  // Whether the answer is there.
  bool IsAnswered(uint64_t call_id);
  // Waits for the answer, as Call() tells it. After kDeadlineExceeded, an answer that comes later is
  // dropped. REQUIRES: the id of a call that was started and neither finished nor abandoned.
  absl::StatusOr<Answer> FinishCall(uint64_t call_id, uint64_t timeout_ns);
  void AbandonCall(uint64_t call_id);

  // As SendBytes(), of whatever `send(core, envelope)` sends, for typed layers.
  template <typename SendIt>
  SendResult SendWith(Address target, uint32_t type, SendIt&& send) {
    return SendAs(target, type,
                  [&](const internal::Envelope& envelope) { return send(*core_, envelope); });
  }

  // Sends, and waits until the message is handled and journalled, at levels group and each also
  // durable: where. It comes after all that this port had sent to the same target, so one of these
  // vouches for a burst. Errors:
  // - kDeadlineExceeded: sent, and nothing known of it yet. AwaitDurable() waits on. After a restart a
  //   named port sends it again, under the same id.
  // - kAlreadyExists: a named port sent it before a restart, and it is durable: go on with the next.
  // - kUnavailable: not sent. kFailedPrecondition: not sent for good: nothing is journalled here, or
  //   this name's port sent it earlier in this run.
  // - kAborted: a commit failed; after a restart it may be there or not.
  // - else it was refused or its handler failed, as Call() tells it.
  template <typename M>
  absl::StatusOr<Place> SendDurable(Address target, const M& message, uint64_t timeout_ns) {
    internal::Envelope envelope;
    if (absl::Status status = BeginDurable(envelope, target, TypeId<M>()); !status.ok()) {
      return status;
    }
    const SendResult result = Finish(core_->Send(envelope, message));
    return FinishDurable(result, envelope.message_id, timeout_ns);
  }
  // Waits on for the last SendDurable() that ended with kDeadlineExceeded, if nothing was called
  // since (else kFailedPrecondition).
  absl::StatusOr<Place> AwaitDurable(uint64_t timeout_ns);

  // Sends that were refused with this result.
  uint64_t refused(SendResult result) const {
    return core_ != nullptr ? core_->refused(result) : 0;
  }
  // Answers that came after their call had timed out; they are dropped here.
  uint64_t late_replies() const { return late_replies_; }
  uint64_t sent() const { return core_ != nullptr ? core_->sent().Read() : 0; }
  internal::PortCore* core() { return core_; }

 private:
  friend class Fabric;
  Port(Fabric* fabric, internal::PortCore* core, internal::ReplyLanes* replies, uint32_t source,
       bool named);

  SendResult Begin(internal::Envelope& envelope, FrameKind kind, Address target, uint32_t type) {
    envelope.kind = kind;
    envelope.target = target;
    envelope.type = type;
    envelope.source = source_;
    if (!in_burst_ && !BeginBurst()) [[unlikely]]
      return SendResult::kCutOff;
    envelope.message_id =
        named_ ? NamedMessageId(target, kind, envelope.priority) : core_->NextMessageId();
    if (envelope.message_id == 0) [[unlikely]]
      return SendResult::kAlreadyTaken;
    envelope.trace = SpanIdOf(source_, envelope.message_id);  // each send from outside is a root
    if (TraceScope::Current() != nullptr || !core_->state().sampler.takes_all()) [[unlikely]]
      BeginTrace(envelope);
    return SendResult::kOk;
  }
  template <typename SendWith>
  SendResult SendAs(Address target, uint32_t type, SendWith&& send_with) {
    if (core_ == nullptr) return SendResult::kClosed;
    BITACTOR_DCHECK(owner_.IsCaller());
    internal::Envelope envelope;
    SendResult result = Begin(envelope, FrameKind::kCast, target, type);
    if (result == SendResult::kOk) result = Finish(send_with(envelope));
    Flush();
    return result;
  }
  // Puts the message into this thread's TraceScope, and decides whether its trace is sampled.
  void BeginTrace(internal::Envelope& envelope);
  void PublishAll();
  // False: this port is cut off.
  bool BeginBurst();
  // The id of a named port's next message, or 0: it was sent in this run, or its target has taken it
  // before the restart.
  uint64_t NamedMessageId(Address target, FrameKind kind, Priority priority);
  uint64_t NowNanos() const;
  // Until a send to `target` is worth a try (true), or the time or the work is over.
  bool WaitForRoom(Address target, uint64_t start_ns, uint64_t timeout_ns);
  SendResult Finish(SendResult result) {
    // A named port's sequence counts what was sent, so that the n-th send is the same in every run.
    if (named_ && result == SendResult::kOk) core_->NoteNamedSequence(++named_sequence_);
    return result;
  }
  absl::Status BeginCall(internal::Envelope& envelope, Address target, uint32_t type);
  absl::Status RoomForOpenCall();
  void NoteOpenCall(uint64_t call_id);
  // Publishes a request; why it was not sent.
  absl::Status PublishCall(SendResult result);
  // An error that was answered is an answer,
  absl::StatusOr<Answer> FinishSend(SendResult result, uint64_t message_id, uint64_t timeout_ns);
  // and this is it; OK for any other.
  static absl::Status ErrorOf(const absl::StatusOr<Answer>& answer);
  // For callers that know of up to 128 bytes.
  static absl::StatusOr<Frame> FrameOf(const absl::StatusOr<Answer>& answer);
  absl::Status BeginDurable(internal::Envelope& envelope, Address target, uint32_t type);
  absl::StatusOr<Place> FinishDurable(SendResult result, uint64_t message_id, uint64_t timeout_ns);
  absl::StatusOr<Answer> AwaitAnswer(uint64_t message_id, uint64_t timeout_ns);
  // Reads what has come, up to that answer; keeps those of open calls and drops the late ones.
  bool TakeReply(uint64_t message_id, Answer& reply);
  // Takes an answer over from its lane. False: its bytes are not those that were sent.
  bool TakeFrame(const Frame& frame, uint32_t shard, Answer& answer);

  Fabric* fabric_ = nullptr;
  internal::PortCore* core_ = nullptr;
  internal::ReplyLanes* replies_ = nullptr;
  uint32_t source_ = 0;
  bool named_ = false;
  bool in_burst_ = false;
  bool resuming_ = false;  // a send may still have been taken before the restart
  uint64_t named_sequence_ = 0;
  uint64_t late_replies_ = 0;
  absl::node_hash_map<uint64_t, std::optional<Answer>> open_calls_;  // by id, with what has come
  size_t unanswered_ = 0;                                            // of open_calls_
  uint64_t unknown_id_ = 0;  // of the SendDurable() of which nothing is known yet; 0: none
  internal::OwnerThread owner_;
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_PORT_H_
