#include "bitactor/l3_genactor/shard_runtime.h"

#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/digest_record.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::internal {

bool ShardRuntime::MaySend(const Envelope& envelope) const {
  if (send_mode_ == SendMode::kSuppressed || IsPort(envelope.target.id)) return false;
  return SequenceOf(envelope.message_id) >
         shard_.state().Watermark(envelope.source, static_cast<uint32_t>(envelope.target.id),
                                  envelope.kind, envelope.priority, envelope.flags);
}

LatencyHistogram& ShardRuntime::LatencyOf(uint32_t class_type) {
  std::unique_ptr<LatencyHistogram>& histogram = latencies_[class_type];
  if (histogram == nullptr) histogram = std::make_unique<LatencyHistogram>();
  return *histogram;
}

// The timeout is a message of the actor to itself, so that its place among the others is journalled.
void Waiter::Fire(ShardRuntime& runtime) {
  Envelope envelope;
  envelope.kind = FrameKind::kTimer;
  envelope.source = static_cast<uint32_t>(cell_->id());
  envelope.target = Address{cell_->id(), cell_->generation, {}};
  envelope.message_id = timer_id_;
  envelope.correlation_id = timer_id_;
  envelope.flags = cell_->invocation().trace_flags;
  envelope.trace = cell_->invocation().trace;
  envelope.parent_span = cell_->invocation().span;
  runtime.port().SendBytes(envelope, nullptr, 0);
}

void ShardRuntime::AnswerUnsent(ActorId caller, uint64_t call_id, SendResult why) {
  unsent_.push_back({caller, call_id, why});
}

size_t ShardRuntime::AnswerUnsentCalls() {
  PortCore& port = shard_.port();
  for (const UnsentCall& call : std::exchange(unsent_, {})) {
    Envelope envelope;
    envelope.kind = FrameKind::kReply;
    envelope.flags = kFlagError;
    envelope.source = port.id();
    envelope.target.id = call.caller;
    envelope.message_id = port.NextMessageId();
    envelope.correlation_id = call.call_id;
    envelope.type = TypeId<ErrorReply>();
    port.Send(envelope, ErrorReply::Of(absl::UnavailableError(absl::StrCat(
                            "request or answer could not be sent: ", SendResultName(call.why)))));
  }
  port.Publish();
  return 1;
}

void ShardRuntime::AskForSnapshot() {
  snapshot_due_ = shard_.journal()->appended() + system_.snapshot_every();
  system_.AskForSnapshot();
}

size_t ShardRuntime::Poll() {
  if (snapshot_due_ != kNever && shard_.journal()->appended() >= snapshot_due_) [[unlikely]]
    AskForSnapshot();
  PortCore& port = shard_.port();
  // Behind what is held back there may be no room for a timer's message, which must not be lost.
  if (port.congested()) [[unlikely]]
    return 0;
  if (!unsent_.empty()) [[unlikely]]
    return AnswerUnsentCalls();
  const uint64_t next_ns = timers_.NextDeadlineNs();
  if (next_ns == std::numeric_limits<uint64_t>::max()) [[likely]]
    return 0;
  if (!shard_.clock_is_fresh()) port.SetNow(shard_.state().NowNanos());
  size_t fired = 0;
  while (TimerNode* due = timers_.TakeDue(port.now_ns())) {
    static_cast<Alarm&>(*due).Fire(*this);
    ++fired;
  }
  port.Publish();
  return fired;
}

uint64_t ShardRuntime::NextDeadlineNs() {
  const uint64_t next_ns = timers_.NextDeadlineNs();
  if (next_ns == std::numeric_limits<uint64_t>::max()) return next_ns;
  const uint64_t offset_ns = shard_.state().wall_offset_ns;
  return next_ns > offset_ns ? next_ns - offset_ns : 0;
}

absl::Status ShardRuntime::BeginHistory(ActorCell& cell) {
  cell.BeginReplay();
  const ActorHistory* const history = cell.history();
  if (history == nullptr || history->base == nullptr) return cell.StartFresh();
  const ModeScope suppressed(*this, SendMode::kSuppressed);
  return cell.Load(*history->base);
}

void ShardRuntime::SendOutbox(const ActorSnapshot& snapshot) {
  for (const OutboxFrame& frame : snapshot.outbox) {
    const FrameHeader& header = frame.header;
    Envelope envelope;
    envelope.kind = header.kind;
    envelope.flags = header.flags & static_cast<uint8_t>(~kFlagBlock);
    envelope.priority = static_cast<Priority>(header.priority);
    envelope.source = header.source;
    envelope.target = Address{ActorId{header.target}, header.target_generation, {}};
    envelope.message_id = header.message_id;
    envelope.correlation_id = header.correlation_id;
    envelope.trace = header.trace;
    envelope.parent_span = header.parent_span;
    envelope.type = header.type;
    envelope.deadline_us = header.deadline_us;
    if (MaySend(envelope)) port().SendAnyBytes(envelope, frame.payload);
  }
}

absl::Status ShardRuntime::CheckDigest(const ActorCell& cell, const Frame& frame,
                                       const FrameRef& at, std::optional<FrameRef>& agreed) {
  DigestRecord record;
  std::memcpy(&record, frame.payload, sizeof(record));
  const uint64_t digest = cell.StateDigest();
  if (digest == record.digest) {
    agreed = at;
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "replay of \"", cell.name(), "\" differs from its run: behind message ", record.source, ":",
      record.message_id, ", before ", at.journal, ":", at.position.ToString(),
      ", the digest of its state is ", absl::Hex(digest), ", and was ", absl::Hex(record.digest),
      agreed.has_value()
          ? absl::StrCat("; it agreed at ", agreed->journal, ":", agreed->position.ToString())
          : "; no digest before it was compared",
      ". Was the program changed since, or is a handler not deterministic?"));
}

absl::Status ShardRuntime::ApplyRecovered(ActorCell& cell, size_t count) {
  const ActorHistory* const history = cell.history();
  if (history == nullptr) return absl::OkStatus();
  Recovery::Reader reader = system_.NewHistoryReader();
  std::optional<FrameRef> agreed;
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<const Record*> record = reader.Read(history->frames[i]);
    if (!record.ok()) return record.status();
    const Frame& frame = (*record)->frame();
    if (IsDigestRecord(frame)) [[unlikely]] {
      absl::Status same = CheckDigest(cell, frame, history->frames[i], agreed);
      if (!same.ok()) return same;
      continue;
    }
    if (system_.on_step() && cell.has_state()) {
      const FrameRef& at = history->frames[i];
      system_.on_step()(
          {cell.id(), cell.cls().type, {at.journal, at.position}, frame, cell.state()});
    }
    absl::Status restored;
    const std::optional<ExitReason> crash = cell.Apply(frame, (*record)->bytes(), [&] {
      // Everything up to here again, without sending: the message that it crashed at is passed over, as
      // by RestoreFromJournal() in the run.
      const ModeScope suppressed(*this, SendMode::kSuppressed);
      const uint64_t sequence = cell.sequence();
      restored = BeginHistory(cell);
      if (restored.ok()) restored = ApplyRecovered(cell, i + 1);
      cell.SetSequence(sequence);
    });
    if (!restored.ok()) return restored;
    if (!crash.has_value()) continue;
    if (i + 1 == count) {
      cell.SetPendingCrash(*crash);
      return absl::OkStatus();
    }
    return absl::DataLossError(absl::StrCat(
        "replay of \"", cell.name(), "\" differs from its run: message ", frame.header.source, ":",
        frame.header.message_id, " at ", history->frames[i].journal, ":",
        history->frames[i].position.ToString(), " now fails (", crash->ToString(),
        ") where it did not; was the program changed since?"));
  }
  return absl::OkStatus();
}

absl::Status ShardRuntime::ApplyThisBoot(ActorCell& cell) {
  if (shard_.journal() == nullptr) return absl::OkStatus();
  Position from = shard_.first_position();
  if (cell.history() != nullptr && cell.history()->base != nullptr &&
      cell.history()->base->at.boot == system_.fabric().boot()) {
    from = cell.history()->base->at.position;
  }
  absl::Status status = ApplyThisBootFrom(cell, from);
  // Records before the first message of one that was spawned later may be gone.
  if (absl::IsOutOfRange(status)) status = ApplyThisBootFrom(cell, Position::Begin());
  return status;
}

absl::Status ShardRuntime::ApplyThisBootFrom(ActorCell& cell, Position from) {
  History history = shard_.journal()->Replay({.from = from});
  for (const Record& record : history) {
    if (record.frame().header.target != static_cast<uint32_t>(cell.id())) continue;
    if (cell.Apply(record.frame(), record.bytes(), [] {}).has_value()) {
      return absl::DataLossError(
          absl::StrCat("the state of \"", cell.name(), "\" cannot be rebuilt: the message at ",
                       shard_.index(), ":", record.position().ToString(),
                       " fails when it is applied again; are its handlers deterministic?"));
    }
  }
  return history.status();
}

absl::Status ShardRuntime::RestoreFromJournal(ActorCell& cell) {
  const ModeScope suppressed(*this, SendMode::kSuppressed);
  if (absl::Status status = BeginHistory(cell); !status.ok()) return status;
  if (cell.history() != nullptr) {
    if (absl::Status status = ApplyRecovered(cell, cell.history()->frames.size()); !status.ok()) {
      return status;
    }
  }
  return ApplyThisBoot(cell);
}

absl::Status ShardRuntime::Recover(ActorCell& cell) {
  const ActorHistory* const history = cell.history();
  if (history == nullptr || history->empty()) {
    // An earlier run may have started it, and what its Init sent then has been taken.
    const ModeScope mode(*this, system_.replaying() ? SendMode::kSuppressed
                                : cell.durable()    ? SendMode::kUnlessTaken
                                                    : SendMode::kLive);
    if (absl::Status status = cell.StartFresh(); !status.ok()) return status;
  } else {
    const ModeScope mode(*this,
                         system_.replaying() ? SendMode::kSuppressed : SendMode::kUnlessTaken);
    if (absl::Status status = BeginHistory(cell); !status.ok()) return status;
    if (history->base != nullptr) SendOutbox(*history->base);
    if (absl::Status status = ApplyRecovered(cell, history->frames.size()); !status.ok()) {
      return status;
    }
  }
  if (system_.replaying()) return absl::OkStatus();
  if (cell.ended()) return cell.StartAgain();
  cell.NotePendingEnd();
  cell.RearmTimers();
  return absl::OkStatus();
}

}  // namespace bitactor::internal
