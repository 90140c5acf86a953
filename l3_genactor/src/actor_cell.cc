#include "bitactor/l3_genactor/actor_cell.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/shard.h"
#include "bitactor/l3_genactor/call_failed.h"
#include "bitactor/l3_genactor/digest_record.h"
#include "bitactor/l3_genactor/link.h"
#include "bitactor/l3_genactor/monitor.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/supervision_tree.h"
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

// The payload of the block frame that is being handled.
thread_local std::span<const std::byte> current_block;

class CurrentBlockScope {
 public:
  explicit CurrentBlockScope(std::span<const std::byte> block) : before_(current_block) {
    current_block = block;
  }
  ~CurrentBlockScope() { current_block = before_; }
  CurrentBlockScope(const CurrentBlockScope&) = delete;
  CurrentBlockScope& operator=(const CurrentBlockScope&) = delete;

 private:
  const std::span<const std::byte> before_;
};

// Timers of one duration share a list (TimerLists). What is left of a timeout is hardly ever the same
// twice, so it goes with what is longer by less than an eighth.
uint64_t DurationClass(uint64_t duration_ns) {
  const uint64_t step_ns = std::max<uint64_t>(std::bit_floor(duration_ns) / 8, 1);
  return (duration_ns + step_ns - 1) / step_ns * step_ns;
}

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

std::span<const std::byte> PayloadOf(const Frame& frame) {
  if ((frame.header.flags & kFlagBlock) != 0) return current_block;
  return {frame.payload, frame.header.size_bytes};
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
  std::unique_ptr<ActorCell> cell(
      runtime.system().digest_every() != 0
          ? ::new (memory) DigestedActorCell(runtime, id, cls, std::move(construct))
          : ::new (memory) ActorCell(runtime, id, cls, std::move(construct)));
  cell->capacity_frames = cls.mailbox.capacity_frames;
  cell->overload = cls.mailbox.overload;
  return cell;
}

ActorCell::~ActorCell() {
  running_.reset();
  if (alive_) cls_.destroy(state());
}

absl::Status ActorCell::StartFresh() {
  const CurrentCellScope scope(this);
  if (extras_ != nullptr) extras_->Reset();
  EndHandler();
  if (alive_) cls_.destroy(state());
  alive_ = false;
  ended_ = false;
  context_stamp_ns_ = 0;  // replay knows no other time than that of messages
  context_trace_ = 0;
  context_span_ = 0;
  context_flags_ = 0;
  invocation_ = Invocation{};
  try {
    construct_(state());
    alive_ = true;
    RunInit();
  } catch (...) {
    thrown_ = std::current_exception();
  }
  stop_reason_.reset();
  ends_by_signal_ = false;
  const std::optional<ExitReason> failed = TakeFailure();
  if (failed.has_value()) {
    if (extras_ != nullptr) extras_->Reset();
    return failed->ToStatus();
  }
  if (extras_ != nullptr) extras_->AfterHandler();
  return absl::OkStatus();
}

void ActorCell::RunInit() {
  // In a replay it takes as long as it takes.
  const bool runs =
      runtime_.send_mode() == SendMode::kLive || (runtime_.send_mode() == SendMode::kUnlessTaken &&
                                                  (history_ == nullptr || history_->empty()));
  const bool timed = cls_.start_timeout_ns != 0 && runs;
  const FabricState& fabric = runtime_.shard().state();
  const uint64_t began_ns = timed ? fabric.NowNanos() : 0;
  cls_.init(*this, state());
  if (!timed) return;
  const uint64_t took_ns = fabric.NowNanos() - began_ns;
  if (took_ns <= cls_.start_timeout_ns) return;
  Fail(absl::DeadlineExceededError(absl::StrCat("timeout: Init of \"", name_, "\" took ",
                                                took_ns / 1000, " us; kStartTimeout allows ",
                                                cls_.start_timeout_ns / 1000, " us")));
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
  if (!handled) [[unlikely]] {
    invocation_.replied = true;  // the dead letter's answer is the answer
    return HandleOutcome::kUnhandled;
  }
  if (stop_reason_.has_value() && running_ == nullptr) [[unlikely]] {
    Exit(*std::exchange(stop_reason_, std::nullopt));
  }
  return HandleOutcome::kDone;
}

HandleOutcome ActorCell::HandleBlock(const Frame& frame, std::span<const std::byte> block,
                                     Shard& shard) {
  // An answer's waiter reads it or refuses it.
  if (IsQueuedClass(frame.header.kind) && !cls_.takes_block(frame.header.type)) {
    return HandleOutcome::kUnhandled;
  }
  const CurrentBlockScope scope(block);
  return Handle(frame, shard);
}

bool ActorCell::MaySend(FrameKind kind, uint8_t flags, Address target, uint64_t message_id) const {
  Envelope envelope;
  envelope.kind = kind;
  envelope.flags = flags;
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
  context_flags_ = header.flags & kFlagUnsampled;
  try {
    switch (header.kind) {
      case FrameKind::kReply:
      case FrameKind::kTimer:
        Complete(frame);
        break;
      case FrameKind::kSystem:
        if (HandleSystem(frame)) break;
        [[fallthrough]];
      default:
        if (extras_ != nullptr || (header.flags & kFlagSignal) != 0) [[unlikely]] {
          if (!BeginWithExtras(frame)) break;
        }
        invocation_ = {
            header.source,      header.kind,       false,           context_flags_, header.type,
            header.deadline_us, header.message_id, header.stamp_ns, header.trace,   context_span_};
        if (copied_before_messages()) std::memcpy(backup(), state(), cls_.state_bytes);
        handled = cls_.dispatch(*this, state(), frame);
    }
  } catch (...) {
    thrown_ = std::current_exception();
  }
  if (handler_ended_) {
    handler_ended_ = false;
    running_.reset();
    AcceptWhatMayCome();
  }
  if (thrown_ == nullptr && failure_.ok()) [[likely]] {
    if (extras_ != nullptr && running_ == nullptr && !stop_reason_.has_value()) [[unlikely]]
      extras_->AfterHandler();
    return true;
  }
  return false;
}

TraceContext ActorCell::trace_context() const {
  const bool sampled = (context_flags_ & kFlagUnsampled) == 0;
  return runtime_.shard().state().trace_roots.ContextAt(context_trace_, context_span_, sampled);
}

void ActorCell::Suspend(std::unique_ptr<RunningHandler> running) {
  running_ = std::move(running);
  AcceptOnly(kWhileSuspended);
}

void ActorCell::Wait(Waiter& waiter, uint64_t call_id, uint64_t timeout_ns, bool inherited) {
  waiter.cell_ = this;
  waiter.next_ = waiters_;
  if (waiters_ != nullptr) waiters_->prev_ = &waiter;
  waiters_ = &waiter;
  waiter.id_ = call_id;
  if (timeout_ns == 0) return;
  // The timer's message gets its id here, where replay gives it the same one.
  waiter.timer_id_ = NextMessageId();
  waiter.timeout_ns_ = inherited ? DurationClass(timeout_ns) : timeout_ns;
  waiter.timeout_at_ns_ = context_stamp_ns_ + timeout_ns;
  if (runtime_.send_mode() == SendMode::kLive) runtime_.Arm(waiter);
}

void ActorCell::SendKept(uint64_t message_id, const KeptMessage& message) {
  Envelope envelope;
  envelope.kind = FrameKind::kSystem;
  envelope.flags = kFlagSignal | context_flags_;
  envelope.source = static_cast<uint32_t>(id());
  envelope.target = Address{id(), generation, {}};
  envelope.message_id = message_id;
  envelope.trace = context_trace_;
  envelope.parent_span = context_span_;
  envelope.type = message.type;
  if (runtime_.send_mode() != SendMode::kLive && !runtime_.MaySend(envelope)) return;
  runtime_.port().SendBytes(envelope, message.payload, message.size_bytes);
}

void ActorCell::RearmTimers() {
  if (extras_ != nullptr) extras_->ArmAll();
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

bool ActorCell::HandleSystem(const Frame& frame) {
  const FrameHeader& header = frame.header;
  if ((header.flags & kFlagSignal) != 0) return false;
  if (HandleCallSystem(frame)) return true;
  if (header.type == TypeId<MonitorRequest>()) {
    monitors_.push_back({Address{ActorId{header.source}}, header.message_id});
  } else if (header.type == TypeId<DemonitorRequest>()) {
    std::erase_if(monitors_, [&header](const Monitor& monitor) {
      return static_cast<uint32_t>(monitor.watcher.id) == header.source &&
             monitor.id == header.correlation_id;
    });
  } else if (header.type == TypeId<LinkRequest>()) {
    extras().Linked(header.source, header.message_id);
  } else if (header.type == TypeId<UnlinkRequest>()) {
    extras().Unlinked(header.source);
  }
  return true;
}

bool ActorCell::BeginWithExtras(const Frame& frame) {
  // Without extras it has asked for no signal in this life, but anybody may send an EXIT.
  if (extras_ == nullptr && frame.header.type != TypeId<bitactor::Exit>()) return false;
  if (!extras().Begin(frame)) return false;
  if (extras_->begun != nullptr) [[unlikely]] {
    const bool is_block = (frame.header.flags & kFlagBlock) != 0;
    extras_->begun->Note(frame, is_block ? current_block : std::span<const std::byte>());
  }
  return true;
}

void ActorCell::PassOver(const Frame& frame) {
  if (extras_ != nullptr || (frame.header.flags & kFlagSignal) != 0) BeginWithExtras(frame);
}

bool ActorCell::ActsAtOnce(const Frame& frame) const {
  if (down_ || frame.header.type != TypeId<bitactor::Exit>()) return false;
  const ExitReason::Kind kind = Message(frame).As<bitactor::Exit>().reason.kind();
  // Of a link that is gone it is passed over, now or later.
  if (frame.header.correlation_id == 0 && kind == ExitReason::Kind::kKill) return true;
  const bool traps = extras_ != nullptr ? extras_->traps_exits() : cls_.traps_exits;
  return !traps && kind != ExitReason::Kind::kNormal;
}

void ActorCell::Describe(ActorStatus& status) {
  status.name = name_;
  status.class_name = std::string(cls_.name);
  status.id = id();
  status.shard = runtime_.shard().index();
  if (extras_ != nullptr) {
    status.links = extras_->links();
    status.monitors = extras_->monitored();
    status.timers = extras_->timers();
  }
  if (down_) {
    status.state = ActorState::kDown;
  } else if (extras_ != nullptr && extras_->suspended()) {
    status.state = ActorState::kSuspended;
  } else if (running_ != nullptr) {
    status.state = ActorState::kWaiting;
  }
  status.queued = held().size();
  status.monitored_by = monitors_.size();
  status.handled = stats().dispatches;
  status.restarts = restarts_;
  if (cls_.format_status == nullptr || !alive_) return;
  const CurrentCellScope scope(this);
  try {
    status.text = cls_.format_status(state());
  } catch (...) {
    status.text = "(FormatStatus failed: " + ReasonOf(std::current_exception()).ToString() +
                  "; the state is hidden)";
  }
}

void ActorCell::EndBySignal(const ExitReason& reason) {
  EndHandler();
  stop_reason_ = reason;
  ends_by_signal_ = true;
}

ExitReason ActorCell::RunTerminate(const ExitReason& reason) {
  const bool silent =
      std::exchange(ends_by_signal_, false) || reason.kind() == ExitReason::Kind::kKill;
  if (silent || cls_.terminate == nullptr || !alive_) return reason;
  const CurrentCellScope scope(this);
  try {
    cls_.terminate(state(), reason);
  } catch (...) {
    return ReasonOf(std::current_exception());
  }
  return reason;
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
  AcceptWhatMayCome();
}

void ActorCell::Announce(const ExitReason& first_reason) {
  // `kill` cannot be trapped; what others learn of it can.
  const ExitReason reason =
      first_reason.kind() == ExitReason::Kind::kKill ? ExitReason::Killed() : first_reason;
  if (invocation_.kind == FrameKind::kCall && !invocation_.replied) {
    invocation_.replied = true;
    Send(FrameKind::kReply, Address{ActorId{invocation_.source}}, TypeId<ErrorReply>(),
         NextMessageId(), invocation_.message_id, ErrorReply::Of(reason.ToStatus()), kFlagError);
  }
  RefuseOpenCalls(reason);
  const std::vector<Monitor> monitors = std::exchange(monitors_, {});
  for (const Monitor& monitor : monitors) {
    Send(FrameKind::kCast, monitor.watcher, TypeId<Down>(), NextMessageId(), monitor.id,
         Down{Address{id(), generation, {}}, monitor.id, reason}, kFlagSignal);
  }
  if (extras_ != nullptr) extras_->TellLinks(reason);
}

void ActorCell::Crash(const ExitReason& first_reason) {
  if (std::exchange(pending_is_end_, false)) return Exit(first_reason);
  stop_reason_.reset();  // it asked to end, and then failed
  EndHandler();
  const ExitReason reason = RunTerminate(first_reason);
  if (extras_ != nullptr) extras_->TellTracer(ActorEvent::Kind::kCrash, reason);
  const bool owed = KeepPoison(reason);
  const bool replied = std::exchange(invocation_.replied, owed || invocation_.replied);
  Announce(reason);
  if (owed) invocation_.replied = replied;
  Conclude(reason, /*crashed=*/true);
  if (!removed) ++restarts_;
}

void ActorCell::Exit(const ExitReason& first_reason) {
  EndHandler();
  const ExitReason reason = RunTerminate(first_reason);
  if (extras_ != nullptr) extras_->TellTracer(ActorEvent::Kind::kEnd, reason);
  Announce(reason);
  Conclude(reason, /*crashed=*/false);
  if (!removed) ++restarts_;
}

void ActorCell::ExitFromOutside(const ExitReason& reason) {
  if (down_) return;
  Exit(reason);
  if (!removed) runtime_.shard().SetAccepted(*this, KindsThatMayCome());
}

void ActorCell::Record(CrashAction action, bool crashed) {
  CrashRecord record;
  record.action = action;
  record.next_sequence = sequence_;
  if (crashed) {
    record.source = invocation_.source;
    record.message_id = invocation_.message_id;
    if (durable_) MakeHistory().crashes[{record.source, record.message_id}] = sequence_;
  }
  runtime_.shard().JournalSystemRecord(TypeId<CrashRecord>(), static_cast<uint32_t>(id()), &record,
                                       sizeof(record));
}

void ActorCell::Conclude(const ExitReason& first_reason, bool crashed) {
  Shard& shard = runtime_.shard();
  SupervisionTree& supervision = runtime_.system().supervision();
  ExitReason reason = first_reason;
  Fate fate = Fate::kGone;
  while (child != nullptr &&
         (fate = supervision.Ended(child, reason, shard.now_ns())) == Fate::kRestart) {
    const bool restore = crashed && durable_;
    Record(restore ? CrashAction::kRestored : CrashAction::kFresh, crashed);
    const absl::Status status = restore ? Restore() : StartFresh();
    if (status.ok()) return HandleAgain();
    if (IsIgnoreStart(status)) {
      supervision.Ignored(child);
      fate = Fate::kGone;
      break;
    }
    reason = ExitReason::Error(status);
  }
  if (fate == Fate::kWait) return GoDown(crashed);
  Record(CrashAction::kStopped, crashed);
  Leave();
}

// What the state holds is given back before the next child ends or starts.
void ActorCell::DestroyState() {
  if (extras_ != nullptr) extras_->Reset();
  if (std::exchange(alive_, false)) cls_.destroy(state());
}

bool ActorCell::KeepPoison(const ExitReason& reason) {
  if (child == nullptr || extras_ == nullptr || extras_->begun == nullptr) return false;
  ActorExtras::Begun& begun = *extras_->begun;
  if (begun.frame.header.message_id != invocation_.message_id) return false;
  const Poison& poison = child->options.poison;
  if (poison.policy == PoisonPolicy::kQuarantine) {
    runtime_.system().NotePoisoned({name_, reason, begun.frame, begun.block});
    return false;
  }
  begun.is_owed = begun.retries < poison.retries;
  if (begun.is_owed) ++begun.retries;
  return begun.is_owed;
}

void ActorCell::HandleAgain() {
  if (extras_ == nullptr || extras_->begun == nullptr) [[likely]]
    return;
  if (!std::exchange(extras_->begun->is_owed, false)) return;
  const Frame frame = extras_->begun->frame;
  const std::vector<std::byte> block = extras_->begun->block;
  const CurrentBlockScope scope(block);
  bool handled = true;
  const std::optional<ExitReason> crash = Run(frame, handled);
  if (crash.has_value()) return Crash(*crash);
  if (stop_reason_.has_value() && running_ == nullptr)
    Exit(*std::exchange(stop_reason_, std::nullopt));
}

void ActorCell::Leave() {
  if (extras_ != nullptr && extras_->begun != nullptr && extras_->begun->is_owed) {
    const FrameHeader& header = extras_->begun->frame.header;
    invocation_ = Invocation{};
    invocation_.source = header.source;
    invocation_.kind = header.kind;
    invocation_.type = header.type;
    invocation_.message_id = header.message_id;
    invocation_.stamp_ns = header.stamp_ns;
    invocation_.trace = header.trace;
    Announce(child->last_exit);
  }
  DestroyState();
  runtime_.system().NoteEnded(id(), sequence_);
  runtime_.shard().Remove(*this);
}

// What it did is over; what it will begin with is journalled when it begins, for it may not come to
// that.
void ActorCell::GoDown(bool crashed) {
  restore_when_started_ = crashed && durable_;
  Record(restore_when_started_ ? CrashAction::kRestored : CrashAction::kStopped, crashed);
  down_ = true;
  AcceptWhatMayCome();
  if (restore_when_started_ && cls_.copied_before_messages) {
    Restore().IgnoreError();  // copies
  } else {
    DestroyState();
  }
}

absl::Status ActorCell::StartWhereItIs() {
  BITACTOR_CHECK(down_);
  absl::Status status;
  if (!restore_when_started_) {
    status = StartAgain();
  } else if (!cls_.copied_before_messages) {
    status = Restore();
  }
  if (!status.ok()) DestroyState();
  return status;
}

void ActorCell::GoOn() {
  down_ = false;
  AcceptWhatMayCome();
  HandleAgain();
  if (!removed) runtime_.shard().DrainHeld(*this);
}

void ActorCell::EndWhileDown() {
  BITACTOR_CHECK(down_);
  Record(CrashAction::kStopped, /*crashed=*/false);
  Leave();
}

bool ActorCell::ShutDown(const ExitReason& reason) {
  if (running_ != nullptr && traps_exits() && reason.kind() != ExitReason::Kind::kKill) {
    stop_reason_ = reason;
    return false;
  }
  Exit(reason);
  return true;
}

absl::Status ActorCell::Restore() {
  absl::Status status;
  if (cls_.copied_before_messages) {
    BringBackCopy();
  } else {
    const uint64_t sequence = sequence_;
    status = runtime_.RestoreFromJournal(*this);
    sequence_ = sequence;
  }
  if (status.ok() && extras_ != nullptr) {
    extras_->AfterCrash();
    extras_->ArmAll();
  }
  return status;
}

void ActorCell::BringBackCopy() {
  std::memcpy(state(), backup(), cls_.state_bytes);
  if (extras_ != nullptr) extras_->RollBack();
}

void ActorCell::NotePendingEnd() {
  if (!stop_reason_.has_value() || running_ != nullptr) return;
  pending_crash_ = *std::exchange(stop_reason_, std::nullopt);
  pending_is_end_ = true;
}

absl::Status ActorCell::StartAgain() {
  monitors_.clear();
  Record(CrashAction::kFresh, /*crashed=*/false);
  absl::Status status = StartFresh();
  if (!status.ok()) Record(CrashAction::kStopped, /*crashed=*/false);
  return status;
}

std::optional<ExitReason> ActorCell::Apply(const Frame& frame, std::span<const std::byte> block,
                                           const std::function<void()>& restore) {
  if (frame.header.kind == FrameKind::kSystem && frame.header.type == TypeId<CrashRecord>()) {
    CrashRecord record;
    std::memcpy(&record, frame.payload, sizeof(record));
    // What it sent when it ended may be missing at its targets.
    if (stop_reason_.has_value() && running_ == nullptr &&
        runtime_.send_mode() == SendMode::kUnlessTaken) {
      Announce(RunTerminate(*stop_reason_));
    }
    stop_reason_.reset();
    monitors_.clear();
    open_calls_.reset();
    sequence_ = record.next_sequence;
    // An Init that failed was followed by a record of what was done about it.
    if (record.action == CrashAction::kFresh) StartFresh().IgnoreError();
    if (record.action == CrashAction::kRestored && extras_ != nullptr) extras_->AfterCrash();
    if (record.action == CrashAction::kStopped) {
      EndHandler();
      ended_ = true;
    }
    return std::nullopt;
  }
  if (IsDigestRecord(frame)) return std::nullopt;
  const bool begins = IsQueuedClass(frame.header.kind) || (frame.header.flags & kFlagSignal) != 0;
  const bool is_block = (frame.header.flags & kFlagBlock) != 0;
  // It was refused as unhandled, after it was journalled.
  if (is_block && begins && !cls_.takes_block(frame.header.type)) return std::nullopt;
  const CurrentBlockScope scope(block);
  const auto crashed = [this](uint32_t source, uint64_t message_id) {
    return history_ != nullptr && history_->crashes.contains({source, message_id});
  };
  if (begins && runtime_.send_mode() == SendMode::kSuppressed &&
      crashed(frame.header.source, frame.header.message_id)) {
    PassOver(frame);
    return std::nullopt;
  }
  bool handled = true;
  const std::optional<ExitReason> crash = Run(frame, handled);
  if (!handled) invocation_.replied = true;
  if (!crash.has_value()) return std::nullopt;  // if it ended, a record says so
  if (!crashed(invocation_.source, invocation_.message_id)) return crash;
  // The same crash as before: what it had sent may be missing at its targets, and so may the news
  // of it.
  stop_reason_.reset();
  EndHandler();
  Announce(RunTerminate(*crash));
  if (copied_before_messages()) {
    BringBackCopy();
  } else {
    restore();
  }
  return std::nullopt;
}

}  // namespace bitactor::internal
