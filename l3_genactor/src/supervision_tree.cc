#include "bitactor/l3_genactor/supervision_tree.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"

namespace bitactor::internal {
namespace {

constexpr bool IsActive(ChildState state) {
  return state == ChildState::kRunning || state == ChildState::kStopping;
}

bool Contains(const auto& children, const Child* child) {
  return std::any_of(children.begin(), children.end(),
                     [child](const ChildPtr& c) { return c.get() == child; });
}

void Remove(auto& children, const Child* child) {
  std::erase_if(children, [child](const ChildPtr& c) { return c.get() == child; });
}

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

absl::Status NoSuchChild(const Supervisor& supervisor, std::string_view name) {
  return absl::NotFoundError(absl::StrCat("not_found: the supervisor \"", supervisor.name,
                                          "\" has no child \"", std::string(name), "\""));
}

absl::Status HasEnded(const Supervisor& supervisor) {
  return absl::FailedPreconditionError(
      absl::StrCat("the supervisor \"", supervisor.name, "\" ",
                   supervisor.gave_up ? "gave up: its children failed too often (restarts)"
                                      : "has ended or is about to",
                   "; its own supervisor can start it again"));
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
  ++version_;
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
  ++version_;
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
  ++version_;
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
  if (!IsActive(child->state) || child->parent == nullptr) return Fate::kGone;  // T3
  ++version_;
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
  ++version_;
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

void SupervisionTree::Plan(Supervisor& supervisor) {
  supervisor.planned = true;
  ready_.push_back(supervisor.shared_from_this());
}

void SupervisionTree::ShutDown(Supervisor& supervisor, Supervisor::Then then) {
  if (supervisor.state != Supervisor::State::kRunning) {
    if (then == Supervisor::Then::kEnd) supervisor.then = then;
    if (supervisor.state == Supervisor::State::kStopped) Plan(supervisor);
    return;
  }
  supervisor.state = Supervisor::State::kStopping;
  // Its own supervisor waits for its start, and hears that it failed.
  if (supervisor.then == Supervisor::Then::kTellStarted && then == Supervisor::Then::kEnd &&
      supervisor.self != nullptr && supervisor.self->state == ChildState::kStarting) {
    then = Supervisor::Then::kTellFailed;
    supervisor.failure = HasEnded(supervisor);
  }
  supervisor.then = then;
  if (supervisor.request != nullptr) Answer(supervisor.request, HasEnded(supervisor));
  supervisor.request = nullptr;
  for (const Supervisor::Job& job : supervisor.jobs) {
    if (job.request != nullptr) Answer(job.request, HasEnded(supervisor));
  }
  supervisor.jobs.clear();
  supervisor.to_start.clear();
  supervisor.delay_ns = 0;
  supervisor.delaying = false;
  supervisor.to_stop = supervisor.children;
  // A supervisor that is being started is not waited for; an actor's Init is.
  if (supervisor.awaited != nullptr && supervisor.awaited->state == ChildState::kStarting &&
      supervisor.awaited->as_supervisor != nullptr) {
    supervisor.awaited = nullptr;
  }
  Plan(supervisor);
}

void SupervisionTree::BeginStop(Supervisor& supervisor, const ChildPtr& child) {
  ++version_;
  switch (child->state) {
    case ChildState::kStopped:
      return;
    case ChildState::kDown:
      if (Contains(supervisor.to_start, child.get())) return;
      if (child->as_supervisor != nullptr) return Rest(child);
      break;
    case ChildState::kStarting:
    case ChildState::kStopping:
    case ChildState::kRunning:
      break;
  }
  const ChildState before = std::exchange(child->state, ChildState::kStopping);
  supervisor.awaited = child;
  if (child->as_supervisor != nullptr) {
    if (before != ChildState::kStopping) ShutDown(*child->as_supervisor, Supervisor::Then::kEnd);
    return;
  }
  // What is being ended already is waited for, and so is Init.
  if (before == ChildState::kStopping || before == ChildState::kStarting) return;
  ++child->timer;
  ++pending_;
  actions_.EndChild(
      child, child->options.shutdown == kBrutalKill ? ExitReason::Kill() : ExitReason::Shutdown());
}

void SupervisionTree::BeginStart(const ChildPtr& child) {
  ++version_;
  ++child->timer;
  child->state = ChildState::kStarting;
  if (child->as_supervisor == nullptr) {
    ++pending_;
    actions_.StartChild(child);
    return;
  }
  Supervisor& supervisor = *child->as_supervisor;
  supervisor.state = Supervisor::State::kRunning;
  supervisor.gave_up = false;
  supervisor.intensity =
      RestartIntensity(supervisor.options.max_restarts, supervisor.options.within);
  supervisor.to_start.assign(supervisor.children.begin(), supervisor.children.end());
  supervisor.then = Supervisor::Then::kTellStarted;
  Plan(supervisor);
}

void SupervisionTree::Begin(Supervisor& supervisor, const Supervisor::Job& job) {
  const ChildPtr& child = job.child;
  const bool is_there = child->parent == &supervisor;
  switch (job.kind) {
    case Supervisor::Job::Kind::kFailed:
      if (is_there && child->state == ChildState::kDown) OnFailure(supervisor, child);
      return;
    case Supervisor::Job::Kind::kTerminate:
      if (!is_there || child->state == ChildState::kStopped) {
        return Answer(job.request, absl::OkStatus());
      }
      supervisor.to_stop = {child};
      break;
    case Supervisor::Job::Kind::kStart:
      if (!is_there) return Answer(job.request, NoSuchChild(supervisor, child->name));
      if (child->state != ChildState::kStopped) {
        const bool waits = child->state == ChildState::kDown;
        return Answer(job.request, absl::FailedPreconditionError(absl::StrCat(
                                       waits ? "restarting" : "running", ": \"", child->name,
                                       "\" is ", ChildStateName(child->state))));
      }
      supervisor.to_start = {child};
      break;
  }
  supervisor.request = job.request;
  Plan(supervisor);
}

void SupervisionTree::Go() {
  while (!ready_.empty()) {
    const SupervisorPtr supervisor = std::move(ready_.back());
    ready_.pop_back();
    Follow(*supervisor);
  }
}

void SupervisionTree::Follow(Supervisor& supervisor) {
  while (supervisor.planned && supervisor.awaited == nullptr && !supervisor.delaying) {
    if (!supervisor.to_stop.empty()) {
      const ChildPtr child = std::move(supervisor.to_stop.back());
      supervisor.to_stop.pop_back();
      BeginStop(supervisor, child);
    } else if (supervisor.to_start.empty()) {
      Finish(supervisor);
    } else if (supervisor.delay_ns > 0) {
      supervisor.delaying = true;
      ++pending_;
      actions_.Arm(std::exchange(supervisor.delay_ns, 0), supervisor.shared_from_this(),
                   ++supervisor.timer);
    } else {
      const ChildPtr child = std::move(supervisor.to_start.front());
      supervisor.to_start.pop_front();
      if (child->state != ChildState::kStopped && child->state != ChildState::kDown) continue;
      supervisor.awaited = child;
      BeginStart(child);
    }
  }
}

void SupervisionTree::Finish(Supervisor& supervisor) {
  supervisor.planned = false;
  const absl::Status failure = std::exchange(supervisor.failure, absl::OkStatus());
  const Supervisor::Then then = std::exchange(supervisor.then, Supervisor::Then::kGoOn);
  const auto request = std::exchange(supervisor.request, nullptr);
  const ChildPtr self = supervisor.self != nullptr ? supervisor.self->shared_from_this() : nullptr;
  const bool ends = then == Supervisor::Then::kEnd || then == Supervisor::Then::kTellFailed;
  if (ends) supervisor.state = Supervisor::State::kStopped;
  if (self != nullptr && then == Supervisor::Then::kEnd) OnEnd(self, ExitReason::Shutdown());
  if (self != nullptr && then == Supervisor::Then::kTellFailed) OnStarted(self, failure);
  if (self != nullptr && then == Supervisor::Then::kTellStarted) OnStarted(self, absl::OkStatus());
  if (request != nullptr) Answer(request, failure);
  while (!supervisor.planned && !supervisor.jobs.empty()) {
    const Supervisor::Job job = std::move(supervisor.jobs.front());
    supervisor.jobs.pop_front();
    Begin(supervisor, job);
  }
}

void SupervisionTree::Answer(const std::shared_ptr<SupervisionRequest>& request,
                             const absl::Status& status) {
  request->done = true;
  request->status = status;
  answered_.SignalAll();
}

std::shared_ptr<SupervisionRequest> SupervisionTree::Ask(Supervisor& supervisor,
                                                         std::string_view name,
                                                         Supervisor::Job::Kind kind) {
  auto request = std::make_shared<SupervisionRequest>();
  MutexLock lock(&mutex_);
  const ChildPtr child = Find(supervisor, name);
  if (child == nullptr) {
    Answer(request, NoSuchChild(supervisor, name));
  } else if (supervisor.state != Supervisor::State::kRunning || closed_) {
    Answer(request, HasEnded(supervisor));
  } else if (supervisor.planned) {
    supervisor.jobs.push_back({kind, child, request});
  } else {
    Begin(supervisor, {kind, child, request});
    Go();
  }
  return request;
}

std::shared_ptr<SupervisionRequest> SupervisionTree::Terminate(Supervisor& supervisor,
                                                               std::string_view name) {
  return Ask(supervisor, name, Supervisor::Job::Kind::kTerminate);
}

std::shared_ptr<SupervisionRequest> SupervisionTree::StartAgain(Supervisor& supervisor,
                                                                std::string_view name) {
  return Ask(supervisor, name, Supervisor::Job::Kind::kStart);
}

std::shared_ptr<SupervisionRequest> SupervisionTree::StopAll() {
  auto request = std::make_shared<SupervisionRequest>();
  MutexLock lock(&mutex_);
  if (closed_ || top_->state != Supervisor::State::kRunning) {
    Answer(request, absl::OkStatus());
    return request;
  }
  ShutDown(*top_, Supervisor::Then::kEnd);
  top_->request = request;
  Go();
  return request;
}

absl::Status SupervisionTree::Delete(Supervisor& supervisor, std::string_view name) {
  MutexLock lock(&mutex_);
  const ChildPtr child = Find(supervisor, name);
  if (child == nullptr) return NoSuchChild(supervisor, name);
  if (child->state != ChildState::kStopped) {
    return absl::FailedPreconditionError(absl::StrCat(
        child->state == ChildState::kDown ? "restarting" : "running", ": \"", child->name, "\" is ",
        ChildStateName(child->state), "; use TerminateChild first"));
  }
  Erase(child);
  return absl::OkStatus();
}

void SupervisionTree::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
  const absl::Status status = absl::AbortedError("the system has stopped");
  const auto close = [this, &status](const auto& self, Supervisor& supervisor) -> void {
    if (supervisor.request != nullptr) Answer(supervisor.request, status);
    supervisor.request = nullptr;
    for (const Supervisor::Job& job : supervisor.jobs) {
      if (job.request != nullptr) Answer(job.request, status);
    }
    supervisor.jobs.clear();
    for (const ChildPtr& child : supervisor.children) {
      if (child->as_supervisor != nullptr) self(self, *child->as_supervisor);
    }
  };
  close(close, *top_);
}

bool SupervisionTree::Wait(const SupervisionRequest& request,
                           std::chrono::steady_clock::time_point until) {
  MutexLock lock(&mutex_);
  while (!request.done && std::chrono::steady_clock::now() < until) {
    if (until == std::chrono::steady_clock::time_point::max()) {
      answered_.Wait(&mutex_);
    } else {
      answered_.WaitUntil(&mutex_, until);
    }
  }
  return request.done;
}

bool SupervisionTree::IsDone(const SupervisionRequest& request) const {
  MutexLock lock(&mutex_);
  return request.done;
}

absl::Status SupervisionTree::StatusOf(const SupervisionRequest& request) const {
  MutexLock lock(&mutex_);
  return request.status;
}

size_t SupervisionTree::pending() const {
  MutexLock lock(&mutex_);
  return pending_;
}

void SupervisionTree::ActionIsDone() {
  MutexLock lock(&mutex_);
  --pending_;
}

namespace {

ChildInfo InfoOf(const Child& child) {
  ChildInfo info;
  info.name = child.name;
  info.address = Address{child.id};
  info.is_supervisor = child.as_supervisor != nullptr;
  info.state = child.state;
  info.restart = child.options.restart;
  info.restarts = child.restarts;
  info.has_ended = child.has_ended;
  info.last_exit = child.last_exit;
  return info;
}

}  // namespace

std::vector<ChildInfo> SupervisionTree::WhichChildren(const Supervisor& supervisor) const {
  MutexLock lock(&mutex_);
  std::vector<ChildInfo> children;
  for (auto child = supervisor.children.rbegin(); child != supervisor.children.rend(); ++child) {
    children.push_back(InfoOf(**child));
  }
  return children;
}

ChildCounts SupervisionTree::CountChildren(const Supervisor& supervisor) const {
  MutexLock lock(&mutex_);
  ChildCounts counts;
  counts.specs = supervisor.each ? 1 : supervisor.children.size();
  for (const ChildPtr& child : supervisor.children) {
    counts.active += IsActive(child->state) ? 1 : 0;
    ++(child->as_supervisor != nullptr ? counts.supervisors : counts.workers);
  }
  return counts;
}

uint64_t SupervisionTree::RestartsOf(const Supervisor& supervisor) const {
  MutexLock lock(&mutex_);
  return supervisor.restarts;
}

bool SupervisionTree::GaveUp(const Supervisor& supervisor) const {
  MutexLock lock(&mutex_);
  return supervisor.gave_up;
}

bool SupervisionTree::IsRunning(const Supervisor& supervisor) const {
  MutexLock lock(&mutex_);
  return supervisor.state == Supervisor::State::kRunning;
}

uint64_t SupervisionTree::restarts() const {
  MutexLock lock(&mutex_);
  return restarts_;
}

uint64_t SupervisionTree::version() const {
  MutexLock lock(&mutex_);
  return version_ + restarts_;
}

SupervisionNode SupervisionTree::Describe(size_t max_children) const {
  MutexLock lock(&mutex_);
  return DescribeOne(*top_, max_children);
}

SupervisionNode SupervisionTree::DescribeOne(const Supervisor& supervisor,
                                             size_t max_children) const {
  SupervisionNode node;
  if (supervisor.self != nullptr) {
    node.self = InfoOf(*supervisor.self);
  } else {
    node.self.name = supervisor.name;
    node.self.is_supervisor = true;
    node.self.state = supervisor.state == Supervisor::State::kRunning    ? ChildState::kRunning
                      : supervisor.state == Supervisor::State::kStopping ? ChildState::kStopping
                                                                         : ChildState::kStopped;
  }
  node.strategy = supervisor.options.strategy;
  node.each = supervisor.each;
  node.gave_up = supervisor.gave_up;
  node.restarts_made = supervisor.restarts;
  for (const ChildPtr& child : supervisor.children) {
    if (node.children.size() == max_children) {
      node.children_left_out = supervisor.children.size() - max_children;
      break;
    }
    if (child->as_supervisor != nullptr) {
      node.children.push_back(DescribeOne(*child->as_supervisor, max_children));
    } else {
      node.children.emplace_back().self = InfoOf(*child);
    }
  }
  return node;
}

}  // namespace bitactor::internal
