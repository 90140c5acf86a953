#include "bitactor/l3_genactor/actor_cell.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "bitactor/l2_mailbox/shard.h"
#include "bitactor/l3_genactor/call_failed.h"
#include "bitactor/l3_genactor/monitor.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/supervisor.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::internal {
namespace {

thread_local ActorCell* current_cell = nullptr;

class CurrentCellScope {
 public:
  explicit CurrentCellScope(ActorCell* cell) : before_(current_cell) { current_cell = cell; }
  ~CurrentCellScope() { current_cell = before_; }
  CurrentCellScope(const CurrentCellScope&) = delete;
  CurrentCellScope& operator=(const CurrentCellScope&) = delete;

 private:
  ActorCell* const before_;
};

ExitReason ReasonOf(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const CallFailed& failed) {
    return ExitReason::Error(failed.status());
  } catch (const std::exception& error) {
    return ExitReason::Error(absl::InternalError(error.what()));
  } catch (...) {
    return ExitReason::Error(absl::InternalError("an exception that is no std::exception"));
  }
}

constexpr size_t RoundUp(size_t bytes) { return (bytes + 15) / 16 * 16; }

}  // namespace

const size_t ActorCell::kStateOffset = RoundUp(sizeof(ActorCell));

ActorCell& CurrentCell() {
  BITACTOR_CHECK(current_cell != nullptr);
  return *current_cell;
}

void Waiter::Unlink() {
  if (cell_ == nullptr) return;
  (prev_ != nullptr ? prev_->next_ : cell_->waiters_) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  cell_ = nullptr;
  prev_ = next_ = nullptr;
}

std::unique_ptr<ActorCell> ActorCell::Make(ShardRuntime& runtime, ActorId id, const ActorClass& cls,
                                           Construct construct) {
  const size_t state_bytes = RoundUp(cls.state_bytes) * (cls.copied_before_messages ? 2 : 1);
  void* memory = ::operator new(kStateOffset + state_bytes);
  // Digests are over the state's bytes: padding is zero from the start.
  std::memset(static_cast<std::byte*>(memory) + kStateOffset, 0, state_bytes);
  return std::unique_ptr<ActorCell>(::new (memory)
                                        ActorCell(runtime, id, cls, std::move(construct)));
}

ActorCell::~ActorCell() {
  running_.reset();
  if (alive_) cls_.destroy(state());
}

absl::Status ActorCell::StartFresh() {
  const CurrentCellScope scope(this);
  EndHandler();
  if (alive_) cls_.destroy(state());
  alive_ = false;
  ended_ = false;
  context_stamp_ns_ = 0;  // replay knows no other time than that of messages
  context_trace_ = 0;
  context_span_ = 0;
  invocation_ = Invocation{};
  try {
    construct_(state());
    alive_ = true;
    cls_.init(*this, state());
  } catch (...) {
    thrown_ = std::current_exception();
  }
  stop_reason_.reset();
  const std::optional<ExitReason> failed = TakeFailure();
  return failed.has_value() ? failed->ToStatus() : absl::OkStatus();
}

std::optional<ExitReason> ActorCell::TakeFailure() {
  if (thrown_ != nullptr) {
    const std::exception_ptr thrown = std::exchange(thrown_, nullptr);
    failure_ = absl::OkStatus();
    return ReasonOf(thrown);
  }
  if (!failure_.ok()) return ExitReason::Error(std::exchange(failure_, absl::OkStatus()));
  return std::nullopt;
}

HandleOutcome ActorCell::Handle(const Frame& frame, Shard& shard) {
  bool handled = true;
  if (!RunCleanly(frame, shard.handled_span(), handled)) [[unlikely]] {
    Crash(*TakeFailure());
    return HandleOutcome::kCrashed;
  }
  if (!handled) [[unlikely]]
    return HandleOutcome::kUnhandled;
  if (stop_reason_.has_value() && running_ == nullptr) [[unlikely]] {
    Exit(*std::exchange(stop_reason_, std::nullopt));
  }
  return HandleOutcome::kDone;
}

bool ActorCell::MaySend(FrameKind kind, Address target, uint64_t message_id) const {
  Envelope envelope;
  envelope.kind = kind;
  envelope.source = static_cast<uint32_t>(id());
  envelope.target = target;
  envelope.message_id = message_id;
  return runtime_.MaySend(envelope);
}

std::optional<ExitReason> ActorCell::Run(const Frame& frame, bool& handled) {
  const uint64_t span = SpanIdOf(frame.header.source, frame.header.message_id);
  if (RunCleanly(frame, span, handled)) return std::nullopt;
  return TakeFailure();
}

inline bool ActorCell::RunCleanly(const Frame& frame, uint64_t span, bool& handled) {
  const CurrentCellScope scope(this);
  const FrameHeader& header = frame.header;
  context_stamp_ns_ = std::max(context_stamp_ns_, header.stamp_ns);
  context_trace_ = header.trace;
  context_span_ = span;
  try {
    switch (header.kind) {
      case FrameKind::kReply:
      case FrameKind::kTimer:
        Complete(frame);
        break;
      case FrameKind::kSystem:
        HandleSystem(frame);
        break;
      default:
        invocation_ = {header.source,     header.kind,     false,        header.type,
                       header.message_id, header.stamp_ns, header.trace, context_span_};
        if (durable_ && cls_.copied_before_messages) {
          std::memcpy(backup(), state(), cls_.state_bytes);
        }
        handled = cls_.dispatch(*this, state(), frame);
    }
  } catch (...) {
    thrown_ = std::current_exception();
  }
  if (handler_ended_) {
    handler_ended_ = false;
    running_.reset();
    AcceptOnly(kAllKinds);
  }
  return thrown_ == nullptr && failure_.ok();
}

void ActorCell::Suspend(std::unique_ptr<RunningHandler> running) {
  running_ = std::move(running);
  AcceptOnly(kWhileSuspended);
}

void ActorCell::Wait(Waiter& waiter, uint64_t call_id, uint64_t timeout_ns) {
  waiter.cell_ = this;
  waiter.next_ = waiters_;
  if (waiters_ != nullptr) waiters_->prev_ = &waiter;
  waiters_ = &waiter;
  waiter.id_ = call_id;
  if (timeout_ns == 0) return;
  // The timer's message gets its id here, where replay gives it the same one.
  waiter.timer_id_ = NextMessageId();
  waiter.timeout_ns_ = timeout_ns;
  waiter.timeout_at_ns_ = context_stamp_ns_ + timeout_ns;
  if (runtime_.send_mode() == SendMode::kLive) runtime_.Arm(waiter);
}

void ActorCell::RearmTimers() {
  for (Waiter* waiter = waiters_; waiter != nullptr; waiter = waiter->next_) {
    if (waiter->timer_id_ != 0 && !waiter->completed_ && !waiter->armed()) runtime_.Arm(*waiter);
  }
}

void ActorCell::Complete(const Frame& frame) {
  if (frame.header.correlation_id == 0) return;  // waits that expect no answer have no id
  const bool is_timer = frame.header.kind == FrameKind::kTimer;
  Waiter* waiter = waiters_;
  while (waiter != nullptr &&
         (is_timer ? waiter->timer_id_ : waiter->id_) != frame.header.correlation_id) {
    waiter = waiter->next_;
  }
  if (waiter == nullptr) return;  // late: the wait is over, by the answer or by the timeout
  waiter->Cancel();
  waiter->completed_ = true;
  if (is_timer) {
    waiter->OnTimeout();
  } else {
    waiter->OnReply(frame);
  }
  waiter->Unlink();
  if (waiter->resume_) waiter->resume_.resume();
}

uint64_t ActorCell::AddMonitor(Address target) {
  const uint64_t id = NextMessageId();
  Send(FrameKind::kSystem, target, TypeId<MonitorRequest>(), id, 0, MonitorRequest{});
  return id;
}

void ActorCell::HandleSystem(const Frame& frame) {
  if (frame.header.type == TypeId<MonitorRequest>()) {
    monitors_.push_back({Address{ActorId{frame.header.source}}, frame.header.message_id});
  }
}

Guard& ActorCell::GuardOf(ActorId target, const Breaker& breaker, const Retry& retry) {
  if (guards_ == nullptr) guards_ = std::make_unique<absl::node_hash_map<uint32_t, Guard>>();
  const auto key = static_cast<uint32_t>(target);
  const auto found = guards_->find(key);
  if (found != guards_->end()) return found->second;
  const uint64_t seed = Mix64(static_cast<uint64_t>(id()) << 32 | key);
  return guards_->try_emplace(key, Guard{CircuitBreaker(breaker), RetryPolicy(retry, seed)})
      .first->second;
}

void ActorCell::EndHandler() {
  handler_ended_ = false;
  running_.reset();
  AcceptOnly(kAllKinds);
}

void ActorCell::Announce(const ExitReason& reason) {
  if (invocation_.kind == FrameKind::kCall && !invocation_.replied) {
    invocation_.replied = true;
    Send(FrameKind::kReply, Address{ActorId{invocation_.source}}, TypeId<ErrorReply>(),
         NextMessageId(), invocation_.message_id, ErrorReply::Of(reason.ToStatus()), kFlagError);
  }
  const std::vector<Monitor> monitors = std::exchange(monitors_, {});
  for (const Monitor& monitor : monitors) {
    Send(FrameKind::kCast, monitor.watcher, TypeId<Down>(), NextMessageId(), monitor.id,
         Down{Address{id(), generation, {}}, monitor.id, reason}, kFlagSignal);
  }
}

void ActorCell::Crash(const ExitReason& reason) {
  EndHandler();
  Announce(reason);
  Conclude(reason, /*crashed=*/true);
}

void ActorCell::Exit(const ExitReason& reason) {
  EndHandler();
  Announce(reason);
  Conclude(reason, /*crashed=*/false);
}

void ActorCell::Record(CrashAction action, bool crashed) {
  CrashRecord record;
  record.action = action;
  record.next_sequence = sequence_;
  if (crashed) {
    record.source = invocation_.source;
    record.message_id = invocation_.message_id;
    if (crashes != nullptr) (*crashes)[{record.source, record.message_id}] = sequence_;
  }
  runtime_.shard().JournalSystemRecord(TypeId<CrashRecord>(), static_cast<uint32_t>(id()), &record,
                                       sizeof(record));
}

void ActorCell::Conclude(const ExitReason& first_reason, bool crashed) {
  ExitReason reason = first_reason;
  while (supervisor != nullptr && supervisor->ChildEnded(id(), reason, runtime_.shard().now_ns())) {
    const bool restore = crashed && durable_;
    Record(restore ? CrashAction::kRestored : CrashAction::kFresh, crashed);
    const absl::Status status = restore ? Restore() : StartFresh();
    if (status.ok()) return;
    reason = ExitReason::Error(status);
  }
  Record(CrashAction::kStopped, crashed);
  runtime_.system().NoteEnded(id(), sequence_);
  runtime_.shard().Remove(*this);
}

absl::Status ActorCell::Restore() {
  if (cls_.copied_before_messages) {
    std::memcpy(state(), backup(), cls_.state_bytes);
    return absl::OkStatus();
  }
  const uint64_t sequence = sequence_;
  absl::Status status = runtime_.RestoreFromJournal(*this);
  sequence_ = sequence;
  return status;
}

absl::Status ActorCell::StartAgain() {
  monitors_.clear();
  Record(CrashAction::kFresh, /*crashed=*/false);
  return StartFresh();
}

std::optional<ExitReason> ActorCell::Apply(const Frame& frame,
                                           const std::function<void()>& restore) {
  if (frame.header.kind == FrameKind::kSystem && frame.header.type == TypeId<CrashRecord>()) {
    CrashRecord record;
    std::memcpy(&record, frame.payload, sizeof(record));
    monitors_.clear();
    sequence_ = record.next_sequence;
    // An Init that failed was followed by a record of what was done about it.
    if (record.action == CrashAction::kFresh) StartFresh().IgnoreError();
    if (record.action == CrashAction::kStopped) {
      EndHandler();
      ended_ = true;
    }
    return std::nullopt;
  }
  // No actor handles a block: it was refused as unhandled, after it was journalled.
  if ((frame.header.flags & kFlagBlock) != 0) return std::nullopt;
  const bool begins = IsQueuedClass(frame.header.kind);
  const auto crashed = [this](uint32_t source, uint64_t message_id) {
    return crashes != nullptr && crashes->contains({source, message_id});
  };
  if (begins && runtime_.send_mode() == SendMode::kSuppressed &&
      crashed(frame.header.source, frame.header.message_id)) {
    return std::nullopt;
  }
  bool handled = true;
  const std::optional<ExitReason> crash = Run(frame, handled);
  stop_reason_.reset();  // if it ended, a record says so
  if (!crash.has_value()) return std::nullopt;
  if (!crashed(invocation_.source, invocation_.message_id)) return crash;
  // The same crash as before: what it had sent may be missing at its targets, and so may the news
  // of it.
  EndHandler();
  Announce(*crash);
  if (durable_ && cls_.copied_before_messages) {
    std::memcpy(state(), backup(), cls_.state_bytes);
  } else {
    restore();
  }
  return std::nullopt;
}

}  // namespace bitactor::internal
