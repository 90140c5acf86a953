// What a shard does with messages that their endpoints cannot take yet.
#include "bitactor/l2_mailbox/overload.h"
#include "bitactor/l2_mailbox/shard.h"

namespace bitactor::internal {

void Shard::Hold(Endpoint& endpoint, const Frame& frame) {
  if ((frame.header.flags & kFlagSignal) != 0 && endpoint.ActsAtOnce(frame)) {
    Dispatch(endpoint, frame);
    if (!endpoint.removed && !endpoint.held().empty()) DrainHeld(endpoint);
    return;
  }
  if (IsOrdinary(frame.header) && endpoint.held().size() >= endpoint.capacity_frames &&
      !MakeRoom(endpoint, frame)) {
    return;
  }
  endpoint.held().PushBack(frame);
  ++held_frames_;
  PublishCredit(endpoint);
  if (frame.header.kind == FrameKind::kCall) endpoint.OnCallHeld(frame, *this);
}

bool Shard::MakeRoom(Endpoint& endpoint, const Frame& arriving) {
  if (endpoint.overload == Overload::kRefuse) {
    DeadLetterFrame(DeadLetterCause::kMailboxFull, arriving);
    End(arriving);
    return false;
  }
  MailboxQueue& queue = endpoint.held();
  const std::optional<MailboxQueue::Place> first = queue.FirstToShed(endpoint.overload);
  const bool arriving_is_first =
      !first.has_value() || (endpoint.overload == Overload::kShedLowestPriority &&
                             arriving.header.priority < queue.At(*first).header.priority);
  const Frame shed = arriving_is_first ? arriving : queue.At(*first);
  if (!arriving_is_first) {
    queue.Erase(*first);
    --held_frames_;
  }
  DeadLetterFrame(DeadLetterCause::kShed, shed);
  End(shed);
  return !arriving_is_first;
}

bool Shard::RefuseHeldCall(Endpoint& endpoint, uint32_t source, uint64_t message_id,
                           DeadLetterCause cause, const absl::Status& answer) {
  const std::optional<MailboxQueue::Place> place = endpoint.held().Find(source, message_id);
  if (!place.has_value()) return false;
  const Frame frame = endpoint.held().At(*place);
  endpoint.held().Erase(*place);
  --held_frames_;
  CountDeadLetter(cause, frame);
  AnswerError(frame, answer);
  End(frame);
  PublishCredit(endpoint);
  return true;
}

void Shard::PublishCredit(Endpoint& endpoint) {
  const Credit credit =
      endpoint.overload == Overload::kRefuse
          ? NextCredit(endpoint.credit, endpoint.held().size(), endpoint.capacity_frames)
          : Credit::kAll;  // others give way, so it takes all
  if (credit == endpoint.credit) return;
  endpoint.credit = credit;
  state_->credits.Set(endpoint.id(), credit);
}

}  // namespace bitactor::internal
