// Who supervises whom, and what follows when one of them ends: decisions alone.
#ifndef BITACTOR_L3_GENACTOR_SUPERVISION_TREE_H_
#define BITACTOR_L3_GENACTOR_SUPERVISION_TREE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l3_genactor/exit_reason.h"
#include "bitactor/l3_genactor/restart_intensity.h"
#include "bitactor/l3_genactor/supervision.h"

namespace bitactor::internal {

struct ActorClass;
struct Supervisor;

// How an actor is made, each time anew.
struct ActorSpec {
  const ActorClass* cls = nullptr;
  std::function<void(void* state)> construct;
};

// One child of a supervisor: its specification, and what became of it.
struct Child : std::enable_shared_from_this<Child> {
  // Immutable.
  std::string name;
  ChildOptions options;
  ActorSpec actor;                            // of an actor
  std::shared_ptr<Supervisor> as_supervisor;  // of a supervisor
  ActorId id{};                               // of an actor

  // Guarded by the tree's mutex.
  Supervisor* parent = nullptr;  // null: its specification was deleted
  ChildState state = ChildState::kStarting;
  bool is_new = true;  // it was never started
  bool has_ended = false;
  ExitReason last_exit;
  uint64_t restarts = 0;
  uint32_t backoff_steps = 0;  // since it last ran for long enough
  uint64_t failed_at_ns = 0;   // its last failure, and how long it was kept down after that
  uint64_t kept_down_ns = 0;
  uint64_t timer = 0;  // number of its latest timer; an older one that fires is ignored
};
using ChildPtr = std::shared_ptr<Child>;

// What somebody outside waits for.
struct SupervisionRequest {
  bool done = false;
  absl::Status status;
};

// All members are guarded by the tree's mutex.
struct Supervisor : std::enable_shared_from_this<Supervisor> {
  Supervisor(std::string name_given, const SupervisorOptions& options_given, bool each_given)
      : name(std::move(name_given)),
        options(options_given),
        each(each_given),
        intensity(options.max_restarts, options.within) {}

  enum class State : uint8_t { kRunning, kStopping, kStopped };
  // What follows when the plan is done.
  enum class Then : uint8_t {
    kGoOn,
    kTellStarted,  // the supervisor was started by its own one
    kEnd,
    kTellFailed,  // the same, and that was the answer to its start: `failure`
  };
  struct Job {
    enum class Kind : uint8_t { kFailed, kTerminate, kStart } kind;
    ChildPtr child;
    std::shared_ptr<SupervisionRequest> request;  // null: nobody waits
  };

  const std::string name;
  const SupervisorOptions options;
  const bool each;        // all children are made by one specification
  Child* self = nullptr;  // as a child; null: the top, or its specification was deleted
  absl::flat_hash_map<std::string_view, Child*> by_name;
  std::vector<ChildPtr> children;  // in the order of their start
  State state = State::kRunning;
  bool gave_up = false;
  uint64_t restarts = 0;
  RestartIntensity intensity;

  // The plan: children are ended one after the other, from the back of to_stop; after delay_ns
  // those of to_start are started, from its front.
  std::vector<ChildPtr> to_stop;
  std::deque<ChildPtr> to_start;
  uint64_t delay_ns = 0;
  uint64_t timer = 0;  // as Child::timer
  bool delaying = false;
  ChildPtr awaited;  // its end or start is what the plan waits for
  Then then = Then::kGoOn;
  absl::Status failure;
  std::shared_ptr<SupervisionRequest> request;  // to be answered when the plan is done
  bool planned = false;                         // there is a plan
  std::deque<Job> jobs;                         // what comes after it, in order
};

// Does what the tree decides. Called under the tree's mutex: only notes what is to be done, which
// happens later, for each child in the order of these calls.
class SupervisionActions {
 public:
  virtual ~SupervisionActions() = default;
  // Answered by Started().
  virtual void StartChild(const ChildPtr& child) = 0;
  // Answered by Ended(), at the latest after ChildOptions::shutdown.
  virtual void EndChild(const ChildPtr& child, const ExitReason& reason) = 0;
  // Answered by TimerFired().
  virtual void Arm(uint64_t delay_ns, const ChildPtr& child, uint64_t number) = 0;
  virtual void Arm(uint64_t delay_ns, const std::shared_ptr<Supervisor>& supervisor,
                   uint64_t number) = 0;
  // What Describe() says has changed.
  virtual void Publish() = 0;
};

// What becomes of an actor that ended.
enum class Fate : uint8_t {
  kRestart,  // it is started again where it is, at once
  kWait,     // it stays down, with its mailbox, until StartChild or EndChild
  kGone,
};

// One tree for a system: one-for-one restarts are decided in one step on the shard where the child
// failed; what concerns several children is a plan that its supervisor follows child by child.
//
//   T1  A supervisor with a plan waits for one child (awaited), for a delay, or for nobody; each
//       event brings it on, and it does not wait without an action that will be answered.
//   T2  What comes while there is a plan and does not belong to it waits in jobs, in order. A
//       supervisor that must end takes back its plan and its jobs.
//   T3  Ended() of a child that is not running nor told to end changes nothing: an action that came
//       too late.
//
// Threads: all methods, any thread.
// Cost: a lock when children start and end, never on a message's way.
class SupervisionTree {
 public:
  // `seed`: of the jitter of Backoff.
  SupervisionTree(SupervisionActions* actions, uint64_t seed);

  const std::shared_ptr<Supervisor>& top() const { return top_; }

  absl::StatusOr<std::shared_ptr<Supervisor>> AddSupervisor(
      const std::shared_ptr<Supervisor>& parent, std::string_view name,
      const SupervisorOptions& options, const ChildOptions& as_child, bool each);
  // The name is taken and the child is starting: Started() follows. A start that fails leaves
  // nothing (59).
  absl::StatusOr<ChildPtr> AddChild(const std::shared_ptr<Supervisor>& parent,
                                    std::string_view name, ActorId id, ActorSpec actor,
                                    const ChildOptions& options);

  // Events.
  void Started(const ChildPtr& child, const absl::Status& status, uint64_t now_ns);
  Fate Ended(const ChildPtr& child, const ExitReason& reason, uint64_t now_ns);
  // A child that was about to be restarted at once has nothing to do.
  void Ignored(const ChildPtr& child);
  // Whether it was told to end and has not done so yet.
  bool IsToEnd(const Child& child) const;
  // Its end, which was asked for, waits for a handler: it has until ChildOptions::shutdown.
  void EndIsPutOff(const ChildPtr& child);
  void TimerFired(const ChildPtr& child, uint64_t number);
  void TimerFired(const std::shared_ptr<Supervisor>& supervisor, uint64_t number);

  // Each is done when the request says so.
  std::shared_ptr<SupervisionRequest> Terminate(Supervisor& supervisor, std::string_view name);
  std::shared_ptr<SupervisionRequest> StartAgain(Supervisor& supervisor, std::string_view name);
  std::shared_ptr<SupervisionRequest> StopAll();
  absl::Status Delete(Supervisor& supervisor, std::string_view name);
  // Nothing will be done any more: who waits is told so.
  void Close();

  // Waits for a request. False: not before `until`.
  bool Wait(const SupervisionRequest& request, std::chrono::steady_clock::time_point until =
                                                   std::chrono::steady_clock::time_point::max());
  bool IsDone(const SupervisionRequest& request) const;
  absl::Status StatusOf(const SupervisionRequest& request) const;

  struct Actions {
    size_t pending = 0;  // asked for and not done yet
    uint64_t done = 0;
    friend bool operator==(const Actions&, const Actions&) = default;
  };
  Actions actions() const;
  size_t pending() const { return actions().pending; }
  void ActionIsDone();

  std::vector<ChildInfo> WhichChildren(const Supervisor& supervisor) const;
  ChildCounts CountChildren(const Supervisor& supervisor) const;
  uint64_t RestartsOf(const Supervisor& supervisor) const;
  bool GaveUp(const Supervisor& supervisor) const;
  bool IsRunning(const Supervisor& supervisor) const;
  uint64_t restarts() const;
  // At most so many children of each supervisor.
  SupervisionNode Describe(size_t max_children) const;
  // From now on each change is answered by SupervisionActions::Publish(), once until Published().
  void PublishChanges();
  void Published();

 private:
  using SupervisorPtr = std::shared_ptr<Supervisor>;

  absl::Status CheckNewChild(const Supervisor& parent, std::string_view name,
                             const ChildOptions& options) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ChildPtr Find(const Supervisor& supervisor, std::string_view name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<SupervisionRequest> Ask(Supervisor& supervisor, std::string_view name,
                                          Supervisor::Job::Kind kind);
  Fate OnEnd(const ChildPtr& child, const ExitReason& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A child ended by itself.
  Fate OnOwnEnd(Supervisor& supervisor, const ChildPtr& child, const ExitReason& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // It has to be restarted, or that failed.
  Fate OnFailure(Supervisor& supervisor, const ChildPtr& child)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnStarted(const ChildPtr& child, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The child has ended; its specification goes, too, if it is not kept.
  void Rest(const ChildPtr& child) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(Supervisor& parent, const ChildPtr& child) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(const ChildPtr& child) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Follows the plan from the next Go() on.
  void Plan(Supervisor& supervisor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShutDown(Supervisor& supervisor, Supervisor::Then then)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginStop(Supervisor& supervisor, const ChildPtr& child)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Arm(const ChildPtr& child, uint64_t delay_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginStart(const ChildPtr& child) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Begin(Supervisor& supervisor, const Supervisor::Job& job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Brings plans on until all wait.
  void Go() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Follow(Supervisor& supervisor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(Supervisor& supervisor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(const std::shared_ptr<SupervisionRequest>& request, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of all that wait below it.
  void RefuseRequests(Supervisor& supervisor, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t BackoffNs(Child& child) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SupervisionNode DescribeOne(const Supervisor& supervisor, size_t max_children) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SupervisionActions& actions_;
  const uint64_t seed_;
  const SupervisorPtr top_;
  mutable Mutex mutex_;
  CondVar answered_;
  std::vector<SupervisorPtr> ready_ ABSL_GUARDED_BY(mutex_);  // whose plans can be brought on
  uint64_t now_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // the latest; shards' clocks differ by a little
  uint64_t restarts_ ABSL_GUARDED_BY(mutex_) = 0;
  // Whether a change is to be published, and has not been asked for yet.
  bool wants_publish_ ABSL_GUARDED_BY(mutex_) = false;
  size_t pending_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t actions_done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_SUPERVISION_TREE_H_
