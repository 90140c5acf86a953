#include "bitactor/l2_mailbox/port_core.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/l2_mailbox/block_frame.h"

namespace bitactor::internal {
namespace {

// Of what a handler could not send.
DeadLetterCause CauseOfRefusal(const FabricState& state, SendResult result) {
  switch (result) {
    case SendResult::kJournalFull:
      return state.JournalRefusal();
    case SendResult::kMailboxFull:
      return DeadLetterCause::kMailboxFull;
    default:
      return DeadLetterCause::kOverflow;
  }
}

}  // namespace

SendResult PortCore::SendBytes(const Envelope& envelope, const void* payload, size_t size_bytes) {
  BITACTOR_CHECK_LE(size_bytes, kMaxPayloadBytes);
  // The frame is padded with zeros to its stored length; 128 covers every length.
  std::byte bytes[kMaxPayloadBytes] = {};
  if (size_bytes > 0) std::memcpy(bytes, payload, size_bytes);
  if (IsPort(envelope.target.id)) return Reply(envelope, bytes, size_bytes);
  uint32_t shard = Route(envelope.target.id);
  if (state_->journal_full[shard].load(std::memory_order_relaxed)) {
    const SendResult result = AskForCredit(shard, envelope);
    if (result != SendResult::kOk) return result;
    shard &= Routes::kShardMask;
  }
  SpscLane<Frame>* lane = lanes_[shard];
  if (dirty_ != lane) Publish();  // P2
  Frame* slot = overflow_.empty() ? lane->Claim() : nullptr;
  if (slot == nullptr && !is_shard_) {
    if (congested() && FlushOverflow()) return SendBytes(envelope, payload, size_bytes);
    return Refuse(SendResult::kFull, envelope);
  }
  Frame held;
  Frame& frame = slot != nullptr ? *slot : held;
  FillHeader(frame.header, envelope, size_bytes);
  std::memcpy(frame.payload, bytes, sizeof(bytes));
  if (slot == nullptr) return HoldBack(held);
  lane->Advance();
  dirty_ = lane;
  dirty_shard_ = shard;
  sent_.Add(1);
  return SendResult::kOk;
}

SendResult PortCore::CreditOf(uint32_t route, const Envelope& envelope) const {
  if (state_->journal_full[route & Routes::kShardMask].load(std::memory_order_relaxed)) {
    return SendResult::kJournalFull;
  }
  if (!IsOrdinary(envelope.kind, envelope.flags)) return SendResult::kOk;
  // A handler's call goes to its target's shard even so, which answers it.
  if (is_shard_ && envelope.kind == FrameKind::kCall) return SendResult::kOk;
  const Credit least = is_shard_ ? Credit::kNone : Credit::kShardsOnly;
  return state_->credits.Of(envelope.target.id) >= least ? SendResult::kMailboxFull
                                                         : SendResult::kOk;
}

SendResult PortCore::AskForCredit(uint32_t route, Envelope envelope) {
  const SendResult result = CreditOf(route, envelope);
  return result == SendResult::kOk ? result : Refuse(result, envelope);
}

SendResult PortCore::Room(ActorId target) {
  const uint32_t route = state_->routes.RouteOf(target);
  if (state_->journal_full[route].load(std::memory_order_relaxed)) {
    Envelope cast;
    cast.target.id = target;
    const SendResult result = CreditOf(route, cast);
    if (result != SendResult::kOk) return result;
  }
  if (congested() && !FlushOverflow()) return SendResult::kFull;
  return lanes_[route & Routes::kShardMask]->Claim() != nullptr ? SendResult::kOk
                                                                : SendResult::kFull;
}

SendResult PortCore::SendBlock(Envelope envelope, SharedBlock block) {
  BITACTOR_CHECK(block.IsIn(*state_->blocks));
  if (IsPort(envelope.target.id) && envelope.kind != FrameKind::kReply) {
    return Refuse(SendResult::kTooLong, envelope);  // nobody there reads anything but answers
  }
  const std::span<const std::byte> bytes = block.bytes();
  const BlockNote note{.handle = block.handle(),
                       .size_bytes = static_cast<uint32_t>(bytes.size()),
                       .crc32c = block.crc32c(),
                       .from_port = index_};
  envelope.flags |= kFlagBlock;
  const SendResult result = Send(envelope, note);
  if (result == SendResult::kOk) std::move(block).Release();  // to the frame
  return result;
}

SendResult PortCore::SendAnyBytes(const Envelope& envelope, std::span<const std::byte> bytes) {
  return SendWritten(
      envelope, bytes.size(),
      [](const void* from, std::span<std::byte> to) {
        std::memcpy(to.data(), static_cast<const std::span<const std::byte>*>(from)->data(),
                    to.size());
      },
      &bytes);
}

SendResult PortCore::SendWritten(const Envelope& envelope, size_t size_bytes, Writer write,
                                 const void* value) {
  if (size_bytes <= kMaxPayloadBytes) {
    std::byte bytes[kMaxPayloadBytes];
    if (size_bytes > 0) write(value, {bytes, size_bytes});
    return SendBytes(envelope, bytes, size_bytes);
  }
  absl::StatusOr<Block> block = Block::Make(state_->blocks, size_bytes);
  if (!block.ok()) {
    return Refuse(
        absl::IsResourceExhausted(block.status()) ? SendResult::kNoBlock : SendResult::kTooLong,
        envelope);
  }
  write(value, block->bytes());
  return SendBlock(envelope, block->Seal());
}

SendResult PortCore::SendDamaged(const Envelope& envelope) {
  Frame frame{};
  FillHeader(frame.header, envelope, 0);
  Seal(frame);
  frame.header.message_id ^= 1;
  return SendRaw(Route(envelope.target.id) & Routes::kShardMask, frame);
}

SendResult PortCore::SendRaw(uint32_t shard, const Frame& frame) {
  BITACTOR_CHECK(!is_shard_);
  Publish();  // P2, and so that the frame is not sealed again
  SpscLane<Frame>* lane = lanes_[shard];
  Frame* slot = overflow_.empty() ? lane->Claim() : nullptr;
  if (slot == nullptr) {
    CountRefusal(SendResult::kFull);
    return SendResult::kFull;
  }
  std::memcpy(static_cast<void*>(slot), &frame, sizeof(frame));
  lane->Advance();
  lane->Publish();
  dirty_shard_ = shard;
  sent_.Add(1);
  WakeReader();
  return SendResult::kOk;
}

SendResult PortCore::Refuse(SendResult result, Envelope envelope) {
  CountRefusal(result);
  if (is_shard_) {
    // A handler does not wait, so what it could not send is accounted for here.
    Frame frame{};
    FillHeader(frame.header, envelope, 0);
    Seal(frame);
    state_->dead_letters.Add(CauseOfRefusal(*state_, result), index_, frame);
    sent_.Add(1);
  }
  return result;
}

SendResult PortCore::HoldBack(Frame& frame) {
  Seal(frame);
  sent_.Add(1);
  if (overflow_.size() >= state_->overflow_limit_frames) {
    CountRefusal(SendResult::kFull);
    state_->dead_letters.Add(DeadLetterCause::kOverflow, index_, frame);
    return SendResult::kFull;
  }
  overflow_.PushBack(frame);
  return SendResult::kOk;
}

bool PortCore::FlushOverflow() {
  // More than once only where routes change meanwhile.
  while (MoveOverflow()) {
    Publish();
    if (overflow_.empty()) return true;
  }
  Publish();
  return false;
}

bool PortCore::MoveOverflow() {
  while (!overflow_.empty()) {
    const ActorId target{overflow_.Front().header.target};
    const bool is_answer = IsPort(target);
    const uint32_t shard = is_answer ? 0 : Route(target) & Routes::kShardMask;
    SpscLane<Frame>* lane = is_answer ? nullptr : lanes_[shard];
    if (dirty_ != nullptr && dirty_ != lane) {
      const size_t before = overflow_.size();
      Publish();                                 // P2
      if (overflow_.size() != before) continue;  // it held back what comes before this frame
    }
    if (is_answer) {
      if (!HasRoomForAnswer()) return false;
      const bool given = GiveAnswer(overflow_.Front()) == SendResult::kOk;
      if (!given && HasBlock(overflow_.Front().header)) {
        DropBlock(*state_->blocks, overflow_.Front());
      }
      overflow_.PopFront();
      ++overflow_gone_;
      continue;
    }
    Frame* slot = lane->Claim();
    if (slot == nullptr) return false;
    FrameQueue::CopyFrame(*slot, overflow_.Front());
    lane->Advance();
    dirty_ = lane;
    dirty_shard_ = shard;
    overflow_.PopFront();
    ++overflow_gone_;
  }
  return true;
}

void PortCore::RouteAnew() {
  SpscLane<Frame>& lane = *dirty_;
  FrameQueue frames;
  for (uint64_t index = lane.published(); index < lane.claimed(); ++index) {
    frames.PushBack(lane.Filled(index));
  }
  overflow_gone_ -= frames.size();
  lane.Retract();
  dirty_ = nullptr;
  for (; !overflow_.empty(); overflow_.PopFront()) frames.PushBack(overflow_.Front());
  overflow_ = std::move(frames);
}

SendResult PortCore::Reply(Envelope envelope, const void* payload, size_t size_bytes) {
  Frame frame;
  FillHeader(frame.header, envelope, size_bytes);
  std::memset(frame.payload, 0, sizeof(frame.payload));
  if (size_bytes > 0) std::memcpy(frame.payload, payload, size_bytes);
  Seal(frame);
  replied_.Add(1);
  Publish();  // P2: what was sent before this answer is visible before it
  if (overflow_.empty() && HasRoomForAnswer()) [[likely]]
    return GiveAnswer(frame);
  // P4: whoever reads the answer may send where the frames before it are still to arrive.
  if (overflow_.size() >= state_->overflow_limit_frames) {
    state_->dead_letters.Add(DeadLetterCause::kOverflow, index_, frame);
    return SendResult::kFull;
  }
  overflow_.PushBack(frame);
  return SendResult::kOk;
}

SendResult PortCore::GiveAnswer(const Frame& answer) {
  if (held_answers_ == nullptr || held_answers_->MayPass()) return PutAnswer(answer);
  held_answers_->PushBack(answer);  // D1
  return SendResult::kOk;
}

size_t PortCore::GiveDurableAnswers() {
  size_t given = 0;
  for (; held_answers_->FrontMayGo(); held_answers_->PopFront(), ++given) {
    if (PutAnswer(held_answers_->Front()) != SendResult::kOk) {
      DropBlock(*state_->blocks, held_answers_->Front());
    }
  }
  return given;
}

size_t PortCore::RefuseHeldAnswers() {
  const ErrorReply error = ErrorReply::Of(
      absl::AbortedError("not_durable: a commit failed (Fabric::Health() says why); this was "
                         "handled, and may be gone after a restart"));
  size_t refused = 0;
  for (; !held_answers_->empty(); held_answers_->PopFront(), ++refused) {
    const Frame& held = held_answers_->Front();
    state_->dead_letters.Add(DeadLetterCause::kNotDurable, index_, held);
    DropBlock(*state_->blocks, held);
    Envelope envelope;
    envelope.kind = FrameKind::kReply;
    envelope.flags = kFlagError;
    envelope.source = id();
    envelope.target.id = ActorId{held.header.target};
    envelope.message_id = NextMessageId();
    envelope.correlation_id = held.header.correlation_id;
    envelope.trace = held.header.trace;
    envelope.parent_span = held.header.parent_span;
    envelope.type = TypeId<ErrorReply>();
    Frame answer;
    FillHeader(answer.header, envelope, sizeof(error));
    std::memcpy(answer.payload, &error, sizeof(error));
    Seal(answer);
    replied_.Add(1);
    PutAnswer(answer);
  }
  return refused;
}

SendResult PortCore::PutAnswer(const Frame& frame) {
  const uint32_t port = frame.header.target & ~kPortIdBit;
  // SYNC(reply-lanes): pairs with the store when the port is opened; the lanes are built before
  // they are seen.
  ReplyLanes* lanes =
      port < kMaxPorts ? state_->reply_lanes[port].load(std::memory_order_acquire) : nullptr;
  // Relaxed: see ReplyLanes::open.
  Frame* slot = lanes != nullptr && is_shard_ && lanes->open.load(std::memory_order_relaxed)
                    ? lanes->from_shard[index_]->Claim()
                    : nullptr;
  if (slot == nullptr) {
    state_->dead_letters.Add(DeadLetterCause::kNoReader, index_, frame);
    return SendResult::kFull;
  }
  FrameQueue::CopyFrame(*slot, frame);
  lanes->from_shard[index_]->Advance();
  lanes->from_shard[index_]->Publish();
  return SendResult::kOk;
}

}  // namespace bitactor::internal
