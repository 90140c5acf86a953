#include "bitactor/l2_mailbox/port.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/fabric.h"

namespace bitactor {
namespace {

// A waiting caller looks this often before it lets another thread run.
constexpr int kLooksPerYield = 256;

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
  owner_.Reset();
  other.owner_.Reset();
  return *this;
}

Port::~Port() {
  if (core_ == nullptr) return;
  PublishAll();
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

uint64_t Port::NamedMessageId(Address target, FrameKind kind) {
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
  if (sequence > state.Watermark(source_, static_cast<uint32_t>(target.id), kind)) {
    return message_id;
  }
  named_sequence_ = sequence;
  core_->CountRefusal(SendResult::kAlreadyTaken);
  return 0;
}

absl::Status Port::BeginCall(internal::Envelope& envelope, Address target, uint32_t type) {
  if (core_ == nullptr) {
    return absl::UnavailableError(
        "this port is closed: its fabric has stopped or had no more ports to give");
  }
  if (named_) {
    return absl::FailedPreconditionError(
        "a named port cannot call: an answer belongs to one run, the name to all; open a port "
        "without a name");
  }
  BITACTOR_DCHECK(owner_.IsCaller());
  if (Begin(envelope, FrameKind::kCall, target, type) == SendResult::kCutOff) {
    return absl::UnavailableError(
        "this port is cut off: more of its frames were corrupted than "
        "FabricOptions::corruption_limit allows; Fabric::Quarantined() has them");
  }
  return absl::OkStatus();
}

absl::StatusOr<Frame> Port::FinishCall(SendResult result, uint64_t message_id,
                                       uint64_t timeout_ns) {
  core_->Publish();  // and no waiting for room: that counts by the timeout
  in_burst_ = false;
  if (result != SendResult::kOk) {
    return absl::UnavailableError(
        absl::StrCat("the request was not sent: ", SendResultName(result)));
  }
  const TickClock& clock = fabric_->clock();
  const uint64_t start_ns = clock.NowNanos();
  Frame reply;
  int looks = 0;
  int idle_rounds = 0;
  while (!TakeReply(message_id, reply)) {
    if (core_->congested()) [[unlikely]]
      core_->FlushOverflow();  // the request itself may have been held back
    if (!fabric_->threaded()) {
      // Nobody else drives the shards. When nothing moves any more, nothing will answer at this
      // time.
      idle_rounds = fabric_->Poll() == 0 ? idle_rounds + 1 : 0;
      if (idle_rounds > 4)
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
  core_->Observe(reply.header.stamp_ns);
  return reply;
}

bool Port::TakeReply(uint64_t message_id, Frame& reply) {
  for (uint32_t shard = 0; shard < replies_->from_shard.size(); ++shard) {
    SpscLane<Frame>* const lane = replies_->from_shard[shard].get();
    const uint64_t tail = lane->ReadTail();
    for (uint64_t index = lane->released(); index < tail; ++index) {
      Frame& frame = lane->At(index);
      const FrameFault fault = CheckFrame(frame.header);
      const bool sound = fault == FrameFault::kOk;
      const bool wanted = sound && frame.header.correlation_id == message_id;
      if (wanted) internal::FrameQueue::CopyFrame(reply, frame);
      if (!sound) {
        fabric_->state().Quarantine(internal::LaneFaultOf(fault), {shard, 0}, shard, core_->index(),
                                    frame);
      }
      lane->Release(index + 1);
      if (sound) core_->CountRead();
      if (wanted) return true;
      if (sound) ++late_replies_;
    }
  }
  return false;
}

}  // namespace bitactor
