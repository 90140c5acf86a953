#include "bitactor/l3_genactor/shard_runtime.h"

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::internal {

bool ShardRuntime::MaySend(Envelope envelope) const {
  if (send_mode_ == SendMode::kSuppressed || IsPort(envelope.target.id)) return false;
  return SequenceOf(envelope.message_id) >
         shard_.state().Watermark(envelope.source, static_cast<uint32_t>(envelope.target.id),
                                  envelope.kind, envelope.priority);
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

size_t ShardRuntime::Poll() {
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

absl::Status ShardRuntime::ApplyRecovered(ActorCell& cell, size_t count) {
  ActorHistory* history = system_.HistoryOf(cell.id());
  if (history == nullptr) return absl::OkStatus();
  Recovery::Reader reader = system_.NewHistoryReader();
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<const Record*> record = reader.Read(history->frames[i]);
    if (!record.ok()) return record.status();
    const FrameHeader& header = (*record)->frame().header;
    absl::Status restored;
    const std::optional<ExitReason> crash = cell.Apply((*record)->frame(), (*record)->bytes(), [&] {
      // The state before message i: everything before it again, without sending.
      const ModeScope suppressed(*this, SendMode::kSuppressed);
      const uint64_t sequence = cell.sequence();
      cell.BeginReplay();
      restored = cell.StartFresh();
      if (restored.ok()) restored = ApplyRecovered(cell, i);
      cell.SetSequence(sequence);
    });
    if (!restored.ok()) return restored;
    if (!crash.has_value()) continue;
    if (i + 1 == count) {
      cell.SetPendingCrash(*crash);
      return absl::OkStatus();
    }
    return absl::DataLossError(
        absl::StrCat("replay of \"", cell.name(), "\" differs from its run: message ",
                     header.source, ":", header.message_id, " at ", history->frames[i].journal, ":",
                     history->frames[i].position.ToString(), " now fails (", crash->ToString(),
                     ") where it did not; was the program changed since?"));
  }
  return absl::OkStatus();
}

absl::Status ShardRuntime::ApplyThisBoot(ActorCell& cell) {
  Journal* journal = shard_.journal();
  if (journal == nullptr) return absl::OkStatus();
  History history = journal->Replay({.from = shard_.first_position()});
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
  cell.BeginReplay();
  if (absl::Status status = cell.StartFresh(); !status.ok()) return status;
  const ActorHistory* history = system_.HistoryOf(cell.id());
  if (history != nullptr) {
    if (absl::Status status = ApplyRecovered(cell, history->frames.size()); !status.ok()) {
      return status;
    }
  }
  return ApplyThisBoot(cell);
}

absl::Status ShardRuntime::Recover(ActorCell& cell) {
  ActorHistory* history = system_.HistoryOf(cell.id());
  const bool has_history = history != nullptr && !history->frames.empty();
  {
    const ModeScope mode(*this, system_.replaying() ? SendMode::kSuppressed
                                : has_history       ? SendMode::kUnlessTaken
                                                    : SendMode::kLive);
    if (absl::Status status = cell.StartFresh(); !status.ok()) return status;
    if (has_history) {
      if (absl::Status status = ApplyRecovered(cell, history->frames.size()); !status.ok()) {
        return status;
      }
    }
  }
  if (system_.replaying()) return absl::OkStatus();
  if (cell.ended()) return cell.StartAgain();
  cell.NotePendingEnd();
  cell.RearmTimers();
  return absl::OkStatus();
}

}  // namespace bitactor::internal
