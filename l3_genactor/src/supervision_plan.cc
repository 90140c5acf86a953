// How plans are made and followed.
#include <utility>

#include "bitactor/l3_genactor/supervision_tree.h"
#include "supervision_words.h"

namespace bitactor::internal {

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
  NoteChange();
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
  NoteChange();
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

}  // namespace bitactor::internal
