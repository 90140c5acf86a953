#include "bitactor/l3_genactor/supervision_tree.h"

#include <algorithm>
#include <utility>

#include "supervision_words.h"

namespace bitactor::internal {
namespace {

bool IsWanted(const Child& child, const ExitReason& reason) {
  switch (child.options.restart) {
    case Restart::kPermanent:
      return true;
    case Restart::kTransient:
      return !reason.IsNormalForTransient();
    case Restart::kTemporary:
      return false;
  }
  return false;
}

}  // namespace

SupervisionTree::SupervisionTree(SupervisionActions* actions, uint64_t seed)
    : actions_(*actions),
      seed_(seed),
      top_(std::make_shared<Supervisor>("system", SupervisorOptions{}, false)) {}

absl::Status SupervisionTree::CheckNewChild(const Supervisor& parent, std::string_view name,
                                            const ChildOptions& options) const {
  if (absl::Status status = ValidateChild(name, options, parent.options); !status.ok()) {
    return status;
  }
  if (parent.state != Supervisor::State::kRunning) return HasEnded(parent);
  const ChildPtr known = Find(parent, name);
  if (known == nullptr) return absl::OkStatus();
  if (known->state != ChildState::kStopped) {
    return absl::AlreadyExistsError(absl::StrCat("already_started: \"", std::string(name),
                                                 "\" is alive; use Find or another name"));
  }
  return absl::AlreadyExistsError(
      absl::StrCat("already_present: \"", std::string(name),
                   "\" is known and not running; use RestartChild, or DeleteChild first"));
}

ChildPtr SupervisionTree::Find(const Supervisor& supervisor, std::string_view name) const {
  for (const ChildPtr& child : supervisor.children) {
    if (child->name == name) return child;
  }
  return nullptr;
}

absl::StatusOr<SupervisionTree::SupervisorPtr> SupervisionTree::AddSupervisor(
    const SupervisorPtr& parent, std::string_view name, const SupervisorOptions& options,
    const ChildOptions& as_child, bool each) {
  if (absl::Status status = ValidateSupervisor(options); !status.ok()) return status;
  auto child = std::make_shared<Child>();
  child->name = std::string(name);
  child->options = as_child;
  child->as_supervisor = std::make_shared<Supervisor>(child->name, options, each);
  child->as_supervisor->self = child.get();
  child->state = ChildState::kRunning;
  child->is_new = false;
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckNewChild(*parent, name, as_child); !status.ok()) return status;
  child->parent = parent.get();
  parent->children.push_back(child);
  NoteChange();
  return child->as_supervisor;
}

absl::StatusOr<ChildPtr> SupervisionTree::AddChild(const SupervisorPtr& parent,
                                                   std::string_view name, ActorId id,
                                                   ActorSpec actor, const ChildOptions& options) {
  auto child = std::make_shared<Child>();
  child->name = std::string(name);
  child->options = options;
  child->actor = std::move(actor);
  child->id = id;
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckNewChild(*parent, name, options); !status.ok()) return status;
  child->parent = parent.get();
  parent->children.push_back(child);
  NoteChange();
  return child;
}

void SupervisionTree::Started(const ChildPtr& child, const absl::Status& status, uint64_t now_ns) {
  MutexLock lock(&mutex_);
  now_ns_ = std::max(now_ns_, now_ns);
  OnStarted(child, status);
  Go();
}

void SupervisionTree::OnStarted(const ChildPtr& child, const absl::Status& status) {
  if (child->parent == nullptr) return;
  NoteChange();
  Supervisor& supervisor = *child->parent;
  const bool was_new = std::exchange(child->is_new, false);
  if (child->state == ChildState::kStopping) {  // while it started, it was told to end
    if (status.ok() || !was_new) {
      ++pending_;
      actions_.EndChild(child, ExitReason::Shutdown());
      return;
    }
    if (supervisor.awaited == child) supervisor.awaited = nullptr;
    Plan(supervisor);
    return Erase(child);
  }
  if (child->state != ChildState::kStarting) return;
  const bool planned = supervisor.awaited == child;
  if (planned) {
    supervisor.awaited = nullptr;
    Plan(supervisor);
  }
  if (status.ok()) {
    child->state = ChildState::kRunning;
    return;
  }
  if (IsIgnoreStart(status)) return Rest(child);
  if (was_new) return Erase(child);
  child->has_ended = true;
  child->last_exit = ExitReason::Error(status);
  if (planned && supervisor.request != nullptr) {  // somebody asked for this start, and is told
    supervisor.failure = status;
    return Rest(child);
  }
  if (planned && supervisor.then == Supervisor::Then::kTellStarted) {
    supervisor.failure =
        absl::Status(status.code(), absl::StrCat("failed_to_start_child \"", child->name,
                                                 "\": ", std::string(status.message())));
    child->state = ChildState::kDown;
    return ShutDown(supervisor, Supervisor::Then::kTellFailed);
  }
  child->state = ChildState::kDown;
  OnFailure(supervisor, child);
}

Fate SupervisionTree::Ended(const ChildPtr& child, const ExitReason& reason, uint64_t now_ns) {
  MutexLock lock(&mutex_);
  now_ns_ = std::max(now_ns_, now_ns);
  const Fate fate = OnEnd(child, reason);
  Go();
  return fate;
}

Fate SupervisionTree::OnEnd(const ChildPtr& child, const ExitReason& reason) {
  if (!IsActiveChild(child->state) || child->parent == nullptr) return Fate::kGone;  // T3
  NoteChange();
  child->has_ended = true;
  child->last_exit = reason;
  Supervisor& supervisor = *child->parent;
  if (child->state == ChildState::kRunning && !Contains(supervisor.to_stop, child.get())) {
    return OnOwnEnd(supervisor, child, reason);
  }
  // It was told to, or would have been soon (56).
  Remove(supervisor.to_stop, child.get());
  if (supervisor.awaited == child) {
    supervisor.awaited = nullptr;
    Plan(supervisor);
  }
  if (Contains(supervisor.to_start, child.get())) {
    child->state = ChildState::kDown;
    return Fate::kWait;
  }
  Rest(child);
  return Fate::kGone;
}

Fate SupervisionTree::OnOwnEnd(Supervisor& supervisor, const ChildPtr& child,
                               const ExitReason& reason) {
  if (!IsWanted(*child, reason)) {
    Rest(child);
    if (!child->options.significant) return Fate::kGone;
    const auto counts = [&child](const ChildPtr& other) {
      return other != child && other->options.significant && other->state != ChildState::kStopped;
    };
    const bool another =
        std::any_of(supervisor.children.begin(), supervisor.children.end(), counts);
    if (supervisor.options.auto_shutdown == AutoShutdown::kAnySignificant ||
        (supervisor.options.auto_shutdown == AutoShutdown::kAllSignificant && !another)) {
      ShutDown(supervisor, Supervisor::Then::kEnd);
    }
    return Fate::kGone;
  }
  if (supervisor.planned && supervisor.options.strategy != Strategy::kOneForOne) {
    child->state = ChildState::kDown;
    supervisor.jobs.push_back({Supervisor::Job::Kind::kFailed, child, nullptr});
    return Fate::kWait;
  }
  return OnFailure(supervisor, child);
}

Fate SupervisionTree::OnFailure(Supervisor& supervisor, const ChildPtr& child) {
  // Its shard asks, and can start it again at once.
  const bool is_there = child->state == ChildState::kRunning && child->as_supervisor == nullptr;
  if (!supervisor.intensity.Allow(now_ns_)) {
    supervisor.gave_up = true;
    if (is_there || child->as_supervisor != nullptr) Rest(child);
    ShutDown(supervisor, Supervisor::Then::kEnd);
    return Fate::kGone;
  }
  ++restarts_;
  ++supervisor.restarts;
  ++child->restarts;
  const uint64_t delay_ns = BackoffNs(*child);
  if (supervisor.options.strategy == Strategy::kOneForOne) {
    if (is_there && delay_ns == 0) return Fate::kRestart;
    child->state = ChildState::kDown;
    if (delay_ns == 0) {
      BeginStart(child);
    } else {
      Arm(child, delay_ns);
    }
    return Fate::kWait;
  }
  child->state = ChildState::kDown;
  supervisor.delay_ns = delay_ns;
  auto first = supervisor.children.begin();
  if (supervisor.options.strategy == Strategy::kRestForOne) {
    first = std::find(first, supervisor.children.end(), child);
  }
  supervisor.to_stop.assign(first, supervisor.children.end());
  Remove(supervisor.to_stop, child.get());
  supervisor.to_start.clear();
  for (auto i = first; i != supervisor.children.end(); ++i) {
    if ((*i)->options.restart != Restart::kTemporary) supervisor.to_start.push_back(*i);
  }
  Plan(supervisor);
  return Fate::kWait;
}

uint64_t SupervisionTree::BackoffNs(Child& child) {
  const auto base_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(child.options.backoff.base));
  const auto cap_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(child.options.backoff.cap));
  if (base_ns == 0) return 0;
  const uint64_t up_at_ns = child.failed_at_ns + child.kept_down_ns;
  if (now_ns_ > up_at_ns && now_ns_ - up_at_ns > cap_ns) child.backoff_steps = 0;
  uint64_t delay_ns = base_ns;
  for (uint32_t i = 0; i < child.backoff_steps && delay_ns < cap_ns; ++i) delay_ns *= 2;
  delay_ns = std::min(delay_ns, cap_ns);
  ++child.backoff_steps;
  const uint64_t which = static_cast<uint64_t>(child.id) << 32 ^ child.restarts;
  delay_ns -= Mix64(seed_ ^ Mix64(which)) % (delay_ns / 2 + 1);
  child.failed_at_ns = now_ns_;
  child.kept_down_ns = delay_ns;
  return delay_ns;
}

void SupervisionTree::Arm(const ChildPtr& child, uint64_t delay_ns) {
  ++pending_;
  actions_.Arm(delay_ns, child, ++child->timer);
}

void SupervisionTree::Ignored(const ChildPtr& child) {
  MutexLock lock(&mutex_);
  if (child->state == ChildState::kRunning) {
    child->state = ChildState::kStarting;
    OnStarted(child, IgnoreStart());
  } else {
    OnEnd(child, ExitReason::Normal());
  }
  Go();
}

bool SupervisionTree::IsToEnd(const Child& child) const {
  MutexLock lock(&mutex_);
  return child.state == ChildState::kStopping;
}

void SupervisionTree::EndIsPutOff(const ChildPtr& child) {
  MutexLock lock(&mutex_);
  if (child->state != ChildState::kStopping) return;
  if (child->options.shutdown == absl::InfiniteDuration()) return;
  Arm(child, static_cast<uint64_t>(absl::ToInt64Nanoseconds(child->options.shutdown)));
}

void SupervisionTree::TimerFired(const ChildPtr& child, uint64_t number) {
  MutexLock lock(&mutex_);
  if (number != child->timer) return;
  if (child->state == ChildState::kDown) {
    BeginStart(child);
  } else if (child->state == ChildState::kStopping) {
    ++pending_;
    actions_.EndChild(child, ExitReason::Kill());
  }
  Go();
}

void SupervisionTree::TimerFired(const SupervisorPtr& supervisor, uint64_t number) {
  MutexLock lock(&mutex_);
  if (number != supervisor->timer || !supervisor->delaying) return;
  supervisor->delaying = false;
  Plan(*supervisor);
  Go();
}

void SupervisionTree::Rest(const ChildPtr& child) {
  ++child->timer;
  child->state = ChildState::kStopped;
  if (child->options.restart == Restart::kTemporary || child->parent->each) Erase(child);
}

void SupervisionTree::Erase(const ChildPtr& child) {
  NoteChange();
  Supervisor& parent = *child->parent;
  Remove(parent.to_stop, child.get());
  Remove(parent.to_start, child.get());
  child->state = ChildState::kStopped;
  child->parent = nullptr;
  Remove(parent.children, child.get());  // last: the tree may have kept it alive
  if (child->as_supervisor == nullptr) return;
  Supervisor& erased = *child->as_supervisor;
  erased.self = nullptr;
  while (!erased.children.empty()) Erase(ChildPtr(erased.children.back()));
}

}  // namespace bitactor::internal
