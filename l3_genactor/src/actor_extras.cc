#include "bitactor/l3_genactor/actor_extras.h"

#include <algorithm>
#include <utility>

#include "bitactor/l3_genactor/actor_cell.h"
#include "bitactor/l3_genactor/link.h"
#include "bitactor/l3_genactor/monitor.h"
#include "bitactor/l3_genactor/shard_runtime.h"

namespace bitactor::internal {

ActorExtras::ActorExtras(ActorCell* cell) : cell_(*cell), trap_exits_(cell->cls().traps_exits) {
  idle_.cell = cell;
  idle_.message = KeptMessage::Of(IdleTimeout{});
}

ActorExtras::~ActorExtras() = default;

bool ActorExtras::live() const { return cell_.runtime().send_mode() == SendMode::kLive; }

void ActorExtras::NoteUndo(std::function<void()> undo) {
  if (cell_.copied_before_messages()) undo_.push_back(std::move(undo));
}

// ---- links and monitors

ActorExtras::PeerLink* ActorExtras::LinkTo(uint32_t peer) {
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [peer](const PeerLink& link) { return link.peer == peer; });
  return found != links_.end() ? &*found : nullptr;
}

void ActorExtras::Link(Address peer) {
  const auto id = static_cast<uint32_t>(peer.id);
  if (peer.id == cell_.id() || LinkTo(id) != nullptr) return;
  const uint64_t link = cell_.NextMessageId();
  links_.push_back({id, link, 0});
  cell_.Send(FrameKind::kSystem, peer, TypeId<LinkRequest>(), link, 0, LinkRequest{});
}

void ActorExtras::Unlink(Address peer) {
  const auto id = static_cast<uint32_t>(peer.id);
  if (LinkTo(id) == nullptr) return;
  Unlinked(id);
  cell_.Send(FrameKind::kSystem, peer, TypeId<UnlinkRequest>(), cell_.NextMessageId(), 0,
             UnlinkRequest{});
}

void ActorExtras::Linked(uint32_t peer, uint64_t link) {
  if (PeerLink* known = LinkTo(peer)) {
    known->was_asked = link;
  } else {
    links_.push_back({peer, 0, link});
  }
}

void ActorExtras::Unlinked(uint32_t peer) {
  std::erase_if(links_, [peer](const PeerLink& link) { return link.peer == peer; });
}

void ActorExtras::TellLinks(const ExitReason& reason) {
  for (const PeerLink& link : std::exchange(links_, {})) {
    cell_.Send(FrameKind::kCast, Address{ActorId{link.peer}}, TypeId<Exit>(), cell_.NextMessageId(),
               link.asked != 0 ? link.asked : link.was_asked,
               Exit{Address{cell_.id(), cell_.generation, {}}, reason}, kFlagSignal);
  }
}

void ActorExtras::SetTrapExits(bool trap) {
  NoteUndo([this, before = trap_exits_] { trap_exits_ = before; });
  trap_exits_ = trap;
}

bool ActorExtras::AdmitExit(const Frame& frame) {
  const uint64_t link = frame.header.correlation_id;  // 0: SendExit()
  const Exit exit = Message(frame).As<Exit>();
  const ExitReason::Kind kind = exit.reason.kind();
  if (link != 0) {
    const auto from = static_cast<uint32_t>(exit.from.id);
    const PeerLink* known = LinkTo(from);
    if (known == nullptr || (known->asked != link && known->was_asked != link)) return false;
    Unlinked(from);
  }
  const bool kills = link == 0 && kind == ExitReason::Kind::kKill;
  if (trap_exits_ && !kills) return true;
  if (kind != ExitReason::Kind::kNormal) cell_.EndBySignal(exit.reason);
  return false;
}

uint64_t ActorExtras::Monitor(Address target) {
  const uint64_t id = cell_.NextMessageId();
  watched_.push_back({id, target});
  NoteUndo([this, id] { std::erase_if(watched_, [id](const Watch& w) { return w.id == id; }); });
  cell_.Send(FrameKind::kSystem, target, TypeId<MonitorRequest>(), id, 0, MonitorRequest{});
  return id;
}

void ActorExtras::Demonitor(uint64_t id) {
  const auto found =
      std::find_if(watched_.begin(), watched_.end(), [id](const Watch& w) { return w.id == id; });
  if (found == watched_.end()) return;
  const Address target = found->target;
  watched_.erase(found);
  NoteUndo([this, id, target] { watched_.push_back({id, target}); });
  cell_.Send(FrameKind::kSystem, target, TypeId<DemonitorRequest>(), cell_.NextMessageId(), id,
             DemonitorRequest{});
}

// ---- timers

auto ActorExtras::Find(TimerId id) -> std::vector<std::unique_ptr<MessageTimer>>::iterator {
  return std::find_if(timers_.begin(), timers_.end(),
                      [id](const auto& timer) { return timer->id == id; });
}

void ActorExtras::ArmNow(MessageTimer& timer) {
  if (timer.armed() || timer.fired || !live()) return;
  if (timer.due_ns == 0) timer.due_ns = cell_.runtime().shard().state().NowNanos() + timer.delay_ns;
  cell_.runtime().Arm(timer, timer.delay_ns, timer.due_ns);
}

TimerId ActorExtras::Arm(uint64_t delay_ns, uint64_t period_ns, const KeptMessage& message) {
  if (delay_ns == kNever) return TimerId::kNone;
  auto timer = std::make_unique<MessageTimer>();
  timer->cell = &cell_;
  timer->message_id = cell_.NextMessageId();
  timer->id = TimerId{timer->message_id};
  timer->delay_ns = delay_ns;
  timer->period_ns = period_ns;
  // Init has no message whose stamp it could count from.
  const uint64_t now_ns = cell_.context_stamp_ns();
  if (now_ns != 0) timer->due_ns = now_ns + delay_ns;
  timer->trace_flags = cell_.context_flags();
  timer->trace = cell_.context_trace();
  timer->span = cell_.context_span();
  timer->message = message;
  ArmNow(*timer);
  has_unanchored_ |= timer->due_ns == 0;
  const TimerId id = timer->id;
  timers_.push_back(std::move(timer));
  NoteUndo([this, id] {
    if (const auto found = Find(id); found != timers_.end()) timers_.erase(found);
  });
  return id;
}

bool ActorExtras::Cancel(TimerId id) {
  const auto found = Find(id);
  if (found == timers_.end()) return false;
  std::unique_ptr<MessageTimer> timer = std::move(*found);
  timers_.erase(found);
  timer->Cancel();
  if (cell_.copied_before_messages()) {
    cancelled_.push_back(std::move(timer));
    NoteUndo([this] {
      timers_.push_back(std::move(cancelled_.back()));
      cancelled_.pop_back();
      ArmNow(*timers_.back());
    });
  }
  return true;
}

void ActorExtras::SetIdleTimeout(uint64_t idle_ns) {
  NoteUndo([this, before = idle_ns_, was_over = idle_is_over_] {
    idle_ns_ = before;
    idle_is_over_ = was_over;
  });
  idle_ns_ = idle_ns;
  idle_is_over_ = false;
}

void ActorExtras::StopIdle() {
  idle_.Cancel();
  idle_.fired = false;
  idle_.message_id = 0;
}

void ActorExtras::MessageTimer::Fire(ShardRuntime& runtime) {
  fired = true;
  Envelope envelope;
  envelope.flags = kFlagSignal | trace_flags;  // bounded by the timers: never refused
  envelope.source = static_cast<uint32_t>(cell->id());
  envelope.target = Address{cell->id(), cell->generation, {}};
  envelope.message_id = message_id;
  envelope.correlation_id = static_cast<uint64_t>(id);
  envelope.trace = trace;
  envelope.parent_span = span;
  envelope.type = message.type;
  runtime.port().SendBytes(envelope, message.payload, message.size_bytes);
}

bool ActorExtras::AdmitTimer(const Frame& frame) {
  const FrameHeader& header = frame.header;
  if (header.message_id == idle_.message_id) return true;
  const auto found = Find(TimerId{header.correlation_id});
  if (found == timers_.end() || (*found)->message_id != header.message_id) return false;
  MessageTimer& timer = **found;
  if (timer.period_ns == 0) {
    timers_.erase(found);
    return true;
  }
  // Keeps its beat; beats that were missed meanwhile are left out.
  timer.Cancel();
  timer.fired = false;
  timer.message_id = cell_.NextMessageId();
  timer.delay_ns = timer.period_ns;
  const uint64_t late_ns = header.stamp_ns > timer.due_ns ? header.stamp_ns - timer.due_ns : 0;
  timer.due_ns += (late_ns / timer.period_ns + 1) * timer.period_ns;
  ArmNow(timer);
  return true;
}

// ---- messages

bool ActorExtras::Begin(const Frame& frame) {
  const FrameHeader& header = frame.header;
  const bool is_own = header.source == static_cast<uint32_t>(cell_.id());
  if (has_unanchored_) {
    has_unanchored_ = false;
    for (const auto& timer : timers_) {
      if (timer->due_ns != 0) continue;
      const bool is_due = is_own && header.message_id == timer->message_id;
      timer->due_ns = header.stamp_ns + (is_due ? 0 : timer->delay_ns);
    }
  }
  if (header.kind == FrameKind::kSystem) {
    if (header.message_id != continue_id_) return false;
    continue_id_ = 0;
    continues_.pop_front();
  } else if ((header.flags & kFlagSignal) != 0) {
    if (is_own && header.correlation_id != 0) {
      if (!AdmitTimer(frame)) return false;
    } else if (header.type == TypeId<Exit>()) {
      if (!AdmitExit(frame)) return false;
    } else if (header.type == TypeId<Down>()) {
      const uint64_t id = Message(frame).As<Down>().monitor;
      if (std::erase_if(watched_, [id](const Watch& w) { return w.id == id; }) == 0) return false;
    }
  }
  idle_is_over_ = is_own && header.message_id == idle_.message_id;
  StopIdle();
  undo_.clear();
  cancelled_.clear();
  if (tracer_ && live()) {
    ActorEvent event;
    event.actor = cell_.id();
    event.source = ActorId{header.source};
    event.message_id = header.message_id;
    event.type = header.type;
    event.stamp_ns = header.stamp_ns;
    tracer_(event);
    told_begin_ = true;
  }
  return true;
}

void ActorExtras::TellTracer(ActorEvent::Kind kind, const ExitReason& reason) const {
  if (!tracer_ || !live()) return;
  ActorEvent event;
  event.kind = kind;
  event.actor = cell_.id();
  event.reason = reason;
  tracer_(event);
}

void ActorExtras::AfterHandler() {
  if (!continues_.empty() && continue_id_ == 0) {
    continue_id_ = cell_.NextMessageId();
    cell_.SendKept(continue_id_, continues_.front());
    is_shut_ = true;
    cell_.AcceptWhatMayCome();
  } else if (is_shut_ && continue_id_ == 0) {
    is_shut_ = false;
    cell_.AcceptWhatMayCome();
  }
  if (std::exchange(told_begin_, false)) TellTracer(ActorEvent::Kind::kDone, {});
  if (idle_ns_ == kNever || idle_is_over_ || idle_.message_id != 0 || !continues_.empty()) return;
  idle_.message_id = cell_.NextMessageId();
  idle_.id = TimerId{idle_.message_id};
  idle_.delay_ns = idle_ns_;
  idle_.due_ns = 0;  // silence begins now
  idle_.trace_flags = cell_.context_flags();
  idle_.trace = cell_.context_trace();
  idle_.span = cell_.context_span();
  ArmNow(idle_);
}

void ActorExtras::Reset() {
  trap_exits_ = cell_.cls().traps_exits;
  suspended_ = false;
  idle_is_over_ = false;
  has_unanchored_ = false;
  links_.clear();
  watched_.clear();
  timers_.clear();
  continues_.clear();
  continue_id_ = 0;
  is_shut_ = false;
  told_begin_ = false;
  idle_ns_ = kNever;
  StopIdle();
  undo_.clear();
  cancelled_.clear();
}

void ActorExtras::RollBack() {
  while (!undo_.empty()) {
    const std::function<void()> undo = std::move(undo_.back());
    undo_.pop_back();
    undo();
  }
}

void ActorExtras::AfterCrash() {
  links_.clear();
  continues_.clear();
  continue_id_ = 0;
  told_begin_ = false;
  undo_.clear();
  cancelled_.clear();
  StopIdle();
  AfterHandler();
}

void ActorExtras::ArmAll() {
  for (const auto& timer : timers_) ArmNow(*timer);
  if (idle_.message_id != 0) ArmNow(idle_);
}

}  // namespace bitactor::internal
