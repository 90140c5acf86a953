// What is asked of the tree from outside.
#include <utility>

#include "bitactor/l3_genactor/supervision_tree.h"
#include "supervision_words.h"

namespace bitactor::internal {

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
  RefuseRequests(*top_, absl::AbortedError("the system has stopped"));
}

void SupervisionTree::RefuseRequests(Supervisor& supervisor, const absl::Status& status) {
  if (supervisor.request != nullptr) Answer(supervisor.request, status);
  supervisor.request = nullptr;
  for (const Supervisor::Job& job : supervisor.jobs) {
    if (job.request != nullptr) Answer(job.request, status);
  }
  supervisor.jobs.clear();
  for (const ChildPtr& child : supervisor.children) {
    if (child->as_supervisor != nullptr) RefuseRequests(*child->as_supervisor, status);
  }
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

SupervisionTree::Actions SupervisionTree::actions() const {
  MutexLock lock(&mutex_);
  return {pending_, actions_done_};
}

void SupervisionTree::ActionIsDone() {
  MutexLock lock(&mutex_);
  --pending_;
  ++actions_done_;
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
    counts.active += IsActiveChild(child->state) ? 1 : 0;
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

void SupervisionTree::NoteChange() {
  if (!wants_publish_) [[likely]]
    return;
  wants_publish_ = false;
  ++pending_;
  actions_.Publish();
}

void SupervisionTree::PublishChanges() {
  MutexLock lock(&mutex_);
  wants_publish_ = true;
  NoteChange();
}

void SupervisionTree::Published() {
  MutexLock lock(&mutex_);
  wants_publish_ = true;
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
