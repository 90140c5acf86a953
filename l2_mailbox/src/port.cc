#include "bitactor/l2_mailbox/port.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/block_frame.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor {
namespace {

// A waiting caller looks this often before it lets another thread run.
constexpr int kLooksPerYield = 256;
// After so many rounds in which no shard did anything, none will before somebody else acts.
constexpr int kIdleRounds = 4;
// No call has this id, and no other frame names it.
constexpr uint64_t kNoCall = ~uint64_t{0};

absl::Status ClosedError() {
  return absl::UnavailableError(
      "this port is closed: its fabric has stopped or had no more ports to give");
}
absl::Status CutOffError() {
  return absl::UnavailableError(
      "this port is cut off: more of its frames were corrupted than "
      "FabricOptions::corruption_limit allows; Fabric::Quarantined() has them");
}

}  // namespace

Port::Port(Fabric* fabric, internal::PortCore* core, internal::ReplyLanes* replies, uint32_t source,
           bool named)
    : fabric_(fabric), core_(core), replies_(replies), source_(source), named_(named) {
  const auto& taken = fabric->state().max_watermark_of_source;
  resuming_ = named && taken.contains(source);
  core_->SetNow(fabric->state().NowNanos());
}

Port::Port(Port&& other) noexcept { *this = std::move(other); }

Port& Port::operator=(Port&& other) noexcept {
  std::swap(fabric_, other.fabric_);
  std::swap(core_, other.core_);
  std::swap(replies_, other.replies_);
  std::swap(source_, other.source_);
  std::swap(named_, other.named_);
  std::swap(in_burst_, other.in_burst_);
  std::swap(resuming_, other.resuming_);
  std::swap(named_sequence_, other.named_sequence_);
  std::swap(late_replies_, other.late_replies_);
  std::swap(open_calls_, other.open_calls_);
  std::swap(unanswered_, other.unanswered_);
  std::swap(unknown_id_, other.unknown_id_);
  owner_.Reset();
  other.owner_.Reset();
  return *this;
}

Port::~Port() {
  if (core_ == nullptr) return;
  PublishAll();
  Answer unread;  // whoever has this port next may come late or never, and answers may hold blocks
  TakeReply(kNoCall, unread);
  fabric_->ClosePort(core_, replies_);
}

absl::StatusOr<Block> Port::NewBlock(size_t size_bytes) {
  if (fabric_ == nullptr) {
    return absl::FailedPreconditionError("this port is closed: it has no fabric to lend blocks");
  }
  return fabric_->NewBlock(size_bytes);
}

void Port::Flush() {
  if (core_ == nullptr) return;
  BITACTOR_DCHECK(owner_.IsCaller());
  PublishAll();
  in_burst_ = false;
}

void Port::PublishAll() {
  core_->Publish();
  // Held back where routes changed; accepted, so it has to go, whether or not another send follows.
  while (core_->congested() && !core_->FlushOverflow() && !fabric_->stopped()) {
    if (fabric_->threaded()) {
      std::this_thread::yield();
    } else {
      fabric_->Poll();
    }
  }
}

// At the first send and not at the last flush: a port that was idle must not stamp with the time
// when it fell idle, from which timeouts and deadlines would count.
bool Port::BeginBurst() {
  const internal::FabricState& state = fabric_->state();
  // Relaxed: a hint that comes after its limit was passed, see FabricState.
  if (state.cut_off[core_->index()].load(std::memory_order_relaxed)) [[unlikely]] {
    core_->CountRefusal(SendResult::kCutOff);
    return false;
  }
  in_burst_ = true;
  core_->SetNow(state.NowNanos());
  return true;
}

void Port::BeginTrace(internal::Envelope& envelope) {
  internal::FabricState& state = core_->state();
  bool sampled = true;
  if (TraceScope* const scope = TraceScope::Current()) {
    scope->NoteIn(state.trace_roots);
    envelope.trace = scope->trace();
    envelope.parent_span = scope->root().context.parent_id;
    sampled = scope->root().context.sampled;
  } else {
    sampled = state.sampler.Takes(envelope.trace, static_cast<uint32_t>(envelope.target.id));
  }
  if (!sampled) envelope.flags |= kFlagUnsampled;
}

uint64_t Port::NowNanos() const { return fabric_->clock().NowNanos(); }

bool Port::WaitForRoom(Address target, uint64_t start_ns, uint64_t timeout_ns) {
  int looks = 0;
  int idle_rounds = 0;
  while (core_->Room(target.id) != SendResult::kOk) {
    if (fabric_->stopped() || NowNanos() - start_ns >= timeout_ns) return false;
    if (!fabric_->threaded()) {
      // Nobody else drives the shards: when nothing moves any more, nothing makes room.
      idle_rounds = fabric_->Poll() == 0 ? idle_rounds + 1 : 0;
      if (idle_rounds > kIdleRounds) return false;
    } else if (++looks % kLooksPerYield == 0) {
      std::this_thread::yield();
    }
  }
  return true;
}

uint64_t Port::NamedMessageId(Address target, FrameKind kind, Priority priority) {
  const uint64_t sequence = named_sequence_ + 1;
  const uint64_t message_id = MakeMessageId(0, sequence);
  if (sequence <= core_->named_sequence()) {  // by this name's port before this one
    named_sequence_ = sequence;
    core_->CountRefusal(SendResult::kAlreadyTaken);
    return 0;
  }
  if (!resuming_) return message_id;
  const internal::FabricState& state = fabric_->state();
  const auto last = state.max_watermark_of_source.find(source_);
  if (sequence > last->second) {
    resuming_ = false;
    return message_id;
  }
  if (sequence > state.Watermark(source_, static_cast<uint32_t>(target.id), kind, priority)) {
    return message_id;
  }
  named_sequence_ = sequence;
  core_->CountRefusal(SendResult::kAlreadyTaken);
  return 0;
}

absl::Status Port::BeginCall(internal::Envelope& envelope, Address target, uint32_t type) {
  if (core_ == nullptr) return ClosedError();
  if (named_) {
    return absl::FailedPreconditionError(
        "a named port cannot call: an answer belongs to one run, the name to all; open a port "
        "without a name");
  }
  BITACTOR_DCHECK(owner_.IsCaller());
  unknown_id_ = 0;
  const SendResult begun = Begin(envelope, FrameKind::kCall, target, type);
  return begun == SendResult::kCutOff ? CutOffError() : absl::OkStatus();
}

absl::Status Port::ErrorOf(const absl::StatusOr<Answer>& answer) {
  if (!answer.ok()) return answer.status();
  if ((answer->frame.header.flags & kFlagError) == 0) return absl::OkStatus();
  return Message(answer->frame).As<ErrorReply>().ToStatus();
}

absl::StatusOr<Frame> Port::FrameOf(const absl::StatusOr<Answer>& answer) {
  if (absl::Status error = ErrorOf(answer); !error.ok()) return error;
  if (answer->block.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the answer has ", answer->bytes().size(),
                     " bytes, more than a frame: ask for it with CallWith() or StartCall()"));
  }
  return answer->frame;
}

absl::Status Port::PublishCall(SendResult result) {
  core_->Publish();  // and no waiting for room: that counts by the timeout
  in_burst_ = false;
  if (result == SendResult::kMailboxFull || result == SendResult::kNoBlock) {
    return absl::ResourceExhaustedError(SendResultName(result));
  }
  if (result != SendResult::kOk) {
    return absl::UnavailableError(
        absl::StrCat("the request was not sent: ", SendResultName(result)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Answer> Port::FinishSend(SendResult result, uint64_t message_id,
                                        uint64_t timeout_ns) {
  if (absl::Status status = PublishCall(result); !status.ok()) return status;
  return AwaitAnswer(message_id, timeout_ns);
}

bool Port::IsAnswered(uint64_t call_id) {
  BITACTOR_DCHECK(owner_.IsCaller());
  Answer unused;
  TakeReply(kNoCall, unused);
  const auto call = open_calls_.find(call_id);
  return call != open_calls_.end() && call->second.has_value();
}

absl::Status Port::RoomForOpenCall() {
  if (core_ == nullptr) return ClosedError();
  // Also those for calls that were given up, which would fill the lane in the end.
  Answer unused;
  TakeReply(kNoCall, unused);
  if (unanswered_ < kMaxOpenCalls) [[likely]]
    return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      unanswered_, " calls of this port are open, and no more may be: finish or abandon some"));
}

void Port::NoteOpenCall(uint64_t call_id) {
  open_calls_[call_id];
  ++unanswered_;
}

void Port::AbandonCall(uint64_t call_id) {
  const auto call = open_calls_.find(call_id);
  if (call == open_calls_.end()) return;
  if (!call->second.has_value()) --unanswered_;
  open_calls_.erase(call);
}

absl::StatusOr<Answer> Port::FinishCall(uint64_t call_id, uint64_t timeout_ns) {
  BITACTOR_DCHECK(owner_.IsCaller());
  const auto call = open_calls_.find(call_id);
  BITACTOR_CHECK(call != open_calls_.end());
  std::optional<Answer> kept = std::move(call->second);
  AbandonCall(call_id);
  absl::StatusOr<Answer> answer =
      kept.has_value() ? *std::move(kept) : AwaitAnswer(call_id, timeout_ns);
  if (kept.has_value()) core_->Observe(answer->frame.header.stamp_ns);
  if (absl::Status error = ErrorOf(answer); !error.ok()) return error;
  return answer;
}

absl::StatusOr<Answer> Port::AwaitAnswer(uint64_t message_id, uint64_t timeout_ns) {
  const TickClock& clock = fabric_->clock();
  const uint64_t start_ns = clock.NowNanos();
  Answer reply;
  int looks = 0;
  int idle_rounds = 0;
  while (!TakeReply(message_id, reply)) {
    if (core_->congested()) [[unlikely]]
      core_->FlushOverflow();  // the request itself may have been held back
    if (!fabric_->threaded()) {
      // Nobody else drives the shards. When nothing moves any more, nothing will answer at this
      // time.
      idle_rounds = fabric_->Poll() == 0 ? idle_rounds + 1 : 0;
      if (idle_rounds > kIdleRounds)
        return absl::DeadlineExceededError("the fabric is idle and nobody answered");
      continue;
    }
    if (++looks % kLooksPerYield != 0) continue;
    if (clock.NowNanos() - start_ns >= timeout_ns) {
      return absl::DeadlineExceededError(absl::StrCat("no answer within ", timeout_ns / 1000,
                                                      " us; the request may still be handled"));
    }
    std::this_thread::yield();
  }
  core_->Observe(reply.frame.header.stamp_ns);
  return reply;
}

absl::Status Port::BeginDurable(internal::Envelope& envelope, Address target, uint32_t type) {
  if (core_ == nullptr) return ClosedError();
  if (!fabric_->journals()) {
    return absl::FailedPreconditionError(
        "nothing is journalled here, so nothing can be durable: name a folder in "
        "FabricOptions::journal_dir");
  }
  BITACTOR_DCHECK(owner_.IsCaller());
  unknown_id_ = 0;
  switch (Begin(envelope, FrameKind::kCast, target, type)) {
    case SendResult::kCutOff:
      return CutOffError();
    case SendResult::kAlreadyTaken:
      // In the run before: all that is recovered is durable before a fabric runs.
      if (named_sequence_ > core_->named_sequence()) {
        return absl::AlreadyExistsError(absl::StrCat("message ", named_sequence_,
                                                     " of this name is durable since an earlier "
                                                     "run: go on with the next"));
      }
      return absl::FailedPreconditionError(absl::StrCat(
          "message ", named_sequence_,
          " of this name was sent earlier in this run, by the port "
          "before this one, and whether it is durable is not known here: a later one to the same "
          "target vouches for it"));
    default:
      break;
  }
  envelope.flags |= kFlagAcknowledge;
  envelope.correlation_id = core_->id();  // a named port sends as its name, which is no port
  return absl::OkStatus();
}

absl::StatusOr<Place> Port::FinishDurable(SendResult result, uint64_t message_id,
                                          uint64_t timeout_ns) {
  const absl::StatusOr<Answer> answer = FinishSend(result, message_id, timeout_ns);
  unknown_id_ = result == SendResult::kOk ? message_id : 0;
  if (!answer.ok()) return answer.status();
  const Message message(answer->frame);
  if (!message.Is<ErrorReply>() && !message.Is<internal::Acknowledgement>()) {
    return absl::InternalError(
        "the handler answered a message that is no call; AwaitDurable() waits for what was asked");
  }
  unknown_id_ = 0;
  if (message.Is<ErrorReply>()) return message.As<ErrorReply>().ToStatus();
  const auto taken = message.As<internal::Acknowledgement>();
  return Place{taken.shard, Position(taken.position)};
}

absl::StatusOr<Place> Port::AwaitDurable(uint64_t timeout_ns) {
  if (core_ == nullptr) return ClosedError();
  if (unknown_id_ == 0) {
    return absl::FailedPreconditionError(
        "no SendDurable() of this port waits for its answer: the last one has it, or another call "
        "took its place");
  }
  BITACTOR_DCHECK(owner_.IsCaller());
  return FinishDurable(SendResult::kOk, unknown_id_, timeout_ns);
}

bool Port::TakeReply(uint64_t message_id, Answer& reply) {
  for (uint32_t shard = 0; shard < replies_->from_shard.size(); ++shard) {
    SpscLane<Frame>* const lane = replies_->from_shard[shard].get();
    const uint64_t tail = lane->ReadTail();
    for (uint64_t index = lane->released(); index < tail; ++index) {
      Frame& frame = lane->At(index);
      const FrameFault fault = CheckFrame(frame.header);
      const bool sound = fault == FrameFault::kOk;
      bool wanted = sound && frame.header.correlation_id == message_id;
      if (!sound) {
        fabric_->state().Quarantine(internal::LaneFaultOf(fault), {shard, 0}, shard, core_->index(),
                                    frame);
      } else if (wanted) {
        wanted = TakeFrame(frame, shard, reply);
      } else if (const auto open = open_calls_.find(frame.header.correlation_id);
                 open != open_calls_.end() && !open->second.has_value()) {
        if (TakeFrame(frame, shard, open->second.emplace())) {
          --unanswered_;
        } else {
          open->second.reset();
        }
      } else {
        internal::DropBlock(*fabric_->state().blocks, frame);
        ++late_replies_;
      }
      lane->Release(index + 1);
      if (sound) core_->CountRead();
      if (wanted) return true;
    }
  }
  return false;
}

bool Port::TakeFrame(const Frame& frame, uint32_t shard, Answer& answer) {
  answer.block = {};
  if (internal::HasBlock(frame.header)) [[unlikely]] {
    answer.block = internal::TakeBlock(fabric_->state().blocks, frame);
    if (!internal::IsSound(answer.block, frame)) {
      answer.block = {};
      fabric_->state().Quarantine(LaneFault::kBlock, {shard, 0}, shard, core_->index(), frame);
      return false;
    }
  }
  internal::FrameQueue::CopyFrame(answer.frame, frame);
  return true;
}

}  // namespace bitactor
