#include "bitactor/l3_genactor/supervision_driver.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/system.h"

namespace bitactor::internal {
namespace {

constexpr uint64_t kPublishIntervalNs = 100'000'000;
// More of one supervisor are counted only: who looks wants to see who fails.
constexpr size_t kPublishedChildren = 100;

}  // namespace

absl::Status SupervisionDriver::Await(const std::shared_ptr<SupervisionRequest>& request,
                                      absl::Duration within) {
  Fabric& fabric = system_.fabric();
  if (fabric.threaded()) {
    const bool done =
        within == absl::InfiniteDuration()
            ? tree_.Wait(*request)
            : tree_.Wait(*request, std::chrono::steady_clock::now() +
                                       std::chrono::nanoseconds(absl::ToInt64Nanoseconds(within)));
    if (!done) {
      return absl::DeadlineExceededError(
          absl::StrCat("not done within ", absl::FormatDuration(within), "; it goes on"));
    }
    return tree_.StatusOf(*request);
  }
  while (!tree_.IsDone(*request)) {
    if (fabric.Poll() == 0 && tree_.pending() == 0 && !tree_.IsDone(*request)) {
      return absl::UnavailableError(
          "not done: a child takes its time to end or to start again; it goes on when the clock "
          "does");
    }
  }
  return tree_.StatusOf(*request);
}

void SupervisionDriver::Post(uint32_t shard, std::function<void()> action) {
  // Where no thread is left to do it, the system has stopped: the tree is closed.
  system_.fabric().shard(shard).RunSoon([this, action = std::move(action)] {
    action();
    tree_.ActionIsDone();
  });
}

void SupervisionDriver::StartChild(const ChildPtr& child) {
  Post(system_.fabric().ShardOf(child->id), [this, child] { StartOnShard(child); });
}

void SupervisionDriver::EndChild(const ChildPtr& child, const ExitReason& reason) {
  Post(system_.fabric().ShardOf(child->id), [this, child, reason] { EndOnShard(child, reason); });
}

void SupervisionDriver::Arm(uint64_t delay_ns, const ChildPtr& child, uint64_t number) {
  ArmTask(delay_ns, [this, child, number] { tree_.TimerFired(child, number); });
}

void SupervisionDriver::Arm(uint64_t delay_ns, const std::shared_ptr<Supervisor>& supervisor,
                            uint64_t number) {
  ArmTask(delay_ns, [this, supervisor, number] { tree_.TimerFired(supervisor, number); });
}

void SupervisionDriver::PublishTo(FileSystem* files, std::string path) {
  files_ = files;
  path_ = std::move(path);
  tree_.PublishChanges();
}

void SupervisionDriver::Publish() {
  Post(0, [this] {
    const uint64_t now_ns = system_.fabric().clock().NowNanos();
    timers_.emplace(std::max(now_ns, next_publish_ns_), [this] {
      next_publish_ns_ = system_.fabric().clock().NowNanos() + kPublishIntervalNs;
      tree_.Published();
      WriteTree(/*running=*/true);
    });
  });
}

void SupervisionDriver::PublishEnd() {
  if (files_ != nullptr) WriteTree(/*running=*/false);
}

// Not synced: it is for those who look now. What cannot be written is written with the next change.
void SupervisionDriver::WriteTree(bool running) {
  const SupervisionNode top = tree_.Describe(kPublishedChildren);
  const std::string json =
      absl::StrCat("{\"format\":\"bitactor tree 1\",\"pid\":", getpid(),
                   ",\"running\":", running ? "true" : "false",
                   ",\"written_ns\":", system_.fabric().shard(0).state().NowNanos(),
                   ",\"tree\":", TreeJson(top), ",\"text\":", QuotedJson(TreeText(top)), "}\n");
  const std::string aside = path_ + ".new";
  absl::StatusOr<std::unique_ptr<File>> file = files_->Open(aside, FileSystem::OpenMode::kCreate);
  if (!file.ok() || !(*file)->WriteAt(0, std::as_bytes(std::span(json))).ok()) return;
  file->reset();
  files_->Rename(aside, path_).IgnoreError();
}

void SupervisionDriver::ArmTask(uint64_t delay_ns, std::function<void()> fire) {
  Post(0, [this, delay_ns, fire = std::move(fire)] {
    timers_.emplace(system_.fabric().clock().NowNanos() + delay_ns, fire);
  });
}

size_t SupervisionDriver::Poll() {
  if (timers_.empty()) [[likely]]
    return 0;
  const uint64_t now_ns = system_.fabric().clock().NowNanos();
  size_t fired = 0;
  while (!timers_.empty() && timers_.begin()->first <= now_ns) {
    const std::function<void()> fire = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    fire();
    ++fired;
  }
  return fired;
}

uint64_t SupervisionDriver::NextDeadlineNs() {
  return timers_.empty() ? kNoDeadline : timers_.begin()->first;
}

void SupervisionDriver::StartOnShard(const ChildPtr& child) {
  Shard& shard = system_.fabric().shard(system_.fabric().ShardOf(child->id));
  ActorCell* cell = system_.CellOf(child->id);
  if (cell == nullptr || cell->child != child) {
    const absl::Status status = system_.PlaceActor(child->name, child->id, child->actor, child);
    if (!status.ok()) tree_.Started(child, status, shard.now_ns());
    return;
  }
  const absl::Status status = cell->StartWhereItIs();
  if (IsIgnoreStart(status)) cell->EndWhileDown();
  tree_.Started(child, status, shard.now_ns());
  if (status.ok()) cell->GoOn();
}

void SupervisionDriver::EndOnShard(const ChildPtr& child, const ExitReason& reason) {
  if (!tree_.IsToEnd(*child)) return;  // it ended by itself meanwhile
  ActorCell* cell = system_.CellOf(child->id);
  if (cell == nullptr || cell->child != child) {
    tree_.Ended(child, reason, system_.fabric().shard(0).state().NowNanos());
  } else if (cell->down()) {
    cell->EndWhileDown();
    tree_.Ended(child, reason, cell->runtime().shard().now_ns());
  } else if (!cell->ShutDown(reason)) {
    tree_.EndIsPutOff(child);
  }
}

}  // namespace bitactor::internal
