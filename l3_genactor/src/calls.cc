// An actor's calls, both ends: what waits for answers, what owes them, and rings of calls that wait for
// each other.
#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/shard.h"
#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/call_waiter.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::internal {

// Somebody else answered an open call of the receiver.
struct CallAnswered {
  static constexpr std::string_view kTypeName = "bitactor::CallAnswered";

  uint64_t call_id;
  uint32_t caller;
  uint32_t reserved = 0;
};

// Follows "waits for the answer of" from actor to actor (Chandy, Misra and Haas 1983, for processes
// that wait for one other each). An actor that waits for an answer sends one when a call of another
// actor begins to wait for it. Each on the way passes it on to whom it waits for, if
//
//   C1  the sender's call is what it is handling, or waits for it, and
//   C2  it is suspended until one certain call of its own is answered.
//
// When it comes back to its origin with the very call that it was sent for, the ring is closed: by C1
// and C2 each member goes on only after the next one. The origin still waits in the same call, so
// nothing has moved since but what a timeout moved. A call whose ReplyTo was handed out does not count
// as being handled (C1): anybody may answer it.
struct CycleProbe {
  static constexpr std::string_view kTypeName = "bitactor::CycleProbe";
  static constexpr uint32_t kMaxMembers = 24;  // longer rings end by their timeouts

  uint64_t call_id;      // the call that began to wait for the origin,
  uint64_t first_id;     // the call that the origin waits in,
  uint64_t edge_id;      // and the last member's, which the receiver should be holding up
  uint32_t caller;       // of call_id
  uint32_t members = 0;  // so far; the first is the origin
  uint32_t ids[kMaxMembers] = {};
};
static_assert(sizeof(CycleProbe) == kMaxPayloadBytes);

// Waiting for an answer.

bool CallWait::Inherit(const ActorCell& cell, uint64_t& timeout_ns) {
  const uint64_t deadline_ns = cell.invocation().deadline_ns();
  const uint64_t now_ns = cell.context_stamp_ns();
  if (deadline_ns <= now_ns) {
    completed_ = true;
    return false;
  }
  const uint64_t left_ns = deadline_ns - now_ns;
  if (timeout_ns != 0 && timeout_ns <= left_ns) return false;
  timeout_ns = left_ns;
  return true;
}

bool CallWait::Refuse(bool calls_itself) {
  completed_ = true;
  // It could only be answered by the handler that waits for it (gen_server's calling_self).
  status_ = calls_itself
                ? absl::FailedPreconditionError("calling_self: an actor cannot call itself")
                : absl::DeadlineExceededError(
                      "timeout: who waits for this handler has given up, so nothing was sent");
  return false;
}

void CallWait::OnTimeout() { status_ = absl::DeadlineExceededError("timeout: no answer in time"); }

void CallWait::NotSent(SendResult result) {
  ActorCell& cell = CurrentCell();
  cell.runtime().AnswerUnsent(cell.id(), call_id_, result);
}

// Owing answers.

const std::vector<PendingReply>& ActorCell::open_calls() const {
  static const std::vector<PendingReply> kNone;
  return open_calls_ != nullptr ? *open_calls_ : kNone;
}

void ActorCell::KeepCallOpen() {
  if (invocation_.kind != FrameKind::kCall || invocation_.replied) return;
  invocation_.replied = true;
  if (open_calls_ == nullptr) open_calls_ = std::make_unique<std::vector<PendingReply>>();
  if (open_calls_->size() >= 16 && std::has_single_bit(open_calls_->size())) {
    // Whose callers have given up, and which nobody ever answered. When to look depends on what is
    // there alone, so that a replay from a snapshot looks at the same places.
    std::erase_if(*open_calls_, [this](const PendingReply& call) {
      return call.deadline_ns != 0 && call.deadline_ns < context_stamp_ns_;
    });
  }
  open_calls_->push_back({invocation_.source, invocation_.message_id, invocation_.deadline_ns()});
}

bool ActorCell::CloseCall(ActorId server, uint32_t caller, uint64_t call_id) {
  if (call_id == 0) return false;
  if (server != id()) {
    Send(FrameKind::kSystem, Address{server}, TypeId<CallAnswered>(), NextMessageId(), 0,
         CallAnswered{.call_id = call_id, .caller = caller});
    return true;
  }
  if (open_calls_ == nullptr) return false;
  const auto call = std::find_if(
      open_calls_->begin(), open_calls_->end(),
      [&](const PendingReply& open) { return open.caller == caller && open.call_id == call_id; });
  if (call == open_calls_->end()) return false;
  open_calls_->erase(call);
  return true;
}

void ActorCell::RefuseOpenCalls(const ExitReason& reason) {
  if (open_calls_ == nullptr) return;
  const std::unique_ptr<std::vector<PendingReply>> calls = std::move(open_calls_);
  const ErrorReply error = ErrorReply::Of(reason.ToStatus());
  for (const PendingReply& call : *calls) {
    SendAnswer(call.caller, TypeId<ErrorReply>(), call.call_id, error, kFlagError);
  }
}

void ActorCell::AnswerNotSent(uint32_t caller, uint64_t call_id, SendResult why) {
  // There was no room for so many bytes, or they are too many: not a matter of the lane.
  if (why == SendResult::kNoBlock || why == SendResult::kTooLong) {
    runtime_.AnswerUnsent(ActorId{caller}, call_id, why);
  }
}

bool ActorCell::RefuseMalformed(std::string_view type_name, const absl::Status& error) {
  if (invocation_.kind != FrameKind::kCall) return false;
  invocation_.replied = true;
  const ErrorReply reply = ErrorReply::Of(
      absl::Status(error.code(),
                   absl::StrCat("malformed ", absl::string_view(type_name.data(), type_name.size()),
                                ": ", error.message())));
  SendAnswer(invocation_.source, TypeId<ErrorReply>(), invocation_.message_id, reply, kFlagError);
  return true;
}

// Rings.

bool ActorCell::HandleCallSystem(const Frame& frame) {
  if (frame.header.type == TypeId<CallAnswered>()) {
    const auto answered = Message(frame).As<CallAnswered>();
    CloseCall(id(), answered.caller, answered.call_id);
    return true;
  }
  if (frame.header.type == TypeId<CycleProbe>()) {
    // What a probe finds is said by messages, not by the state: replay passes over it.
    if (runtime_.send_mode() == SendMode::kLive) OnCycleProbe(Message(frame).As<CycleProbe>());
    return true;
  }
  return false;
}

const Waiter* ActorCell::AwaitedCall() const {
  const Waiter* waiter = waiters_;
  while (waiter != nullptr && waiter->awaited_target() == 0) waiter = waiter->next_;
  return waiter;
}

void ActorCell::OnCallHeld(const Frame& call, Shard&) {
  if (IsPort(ActorId{call.header.source})) return;  // nobody waits for a port
  const Waiter* const awaited = AwaitedCall();
  if (awaited == nullptr) return;
  SendCycleProbe(CycleProbe{.call_id = call.header.message_id,
                            .first_id = awaited->id(),
                            .edge_id = 0,
                            .caller = call.header.source},
                 *awaited);
}

void ActorCell::SendCycleProbe(CycleProbe probe, const Waiter& awaited) {
  if (probe.members == CycleProbe::kMaxMembers) return;
  probe.ids[probe.members++] = static_cast<uint32_t>(id());
  probe.edge_id = awaited.id();
  PortCore& port = runtime_.port();
  Envelope envelope;
  envelope.kind = FrameKind::kSystem;
  envelope.source = port.id();
  envelope.target.id = ActorId{awaited.awaited_target()};
  envelope.message_id = port.NextMessageId();
  envelope.flags = invocation_.trace_flags;
  envelope.trace = invocation_.trace;
  envelope.parent_span = invocation_.span;
  envelope.type = TypeId<CycleProbe>();
  port.Send(envelope, probe);
}

void ActorCell::OnCycleProbe(const CycleProbe& probe) {
  const Waiter* const awaited = AwaitedCall();
  if (awaited == nullptr || probe.members == 0 || probe.members > CycleProbe::kMaxMembers) return;
  const uint32_t sender = probe.ids[probe.members - 1];
  if (probe.ids[0] != static_cast<uint32_t>(id())) {
    const bool handled = running_ != nullptr && invocation_.kind == FrameKind::kCall &&
                         !invocation_.replied && invocation_.source == sender &&
                         invocation_.message_id == probe.edge_id;
    if (handled || held().Find(sender, probe.edge_id).has_value()) SendCycleProbe(probe, *awaited);
    return;
  }
  if (awaited->id() != probe.first_id || sender != probe.caller || probe.edge_id != probe.call_id) {
    return;
  }
  const Fabric& fabric = runtime_.system().fabric();
  std::string ring;
  for (uint32_t i = 0; i < probe.members; ++i) {
    absl::StrAppend(&ring, fabric.NameOf(ActorId{probe.ids[i]}), " -> ");
  }
  runtime_.shard().RefuseHeldCall(
      *this, probe.caller, probe.call_id, DeadLetterCause::kCycle,
      absl::FailedPreconditionError(absl::StrCat("calling_cycle: ", ring, name_)));
}

}  // namespace bitactor::internal
