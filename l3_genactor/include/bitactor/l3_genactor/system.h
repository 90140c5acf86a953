// The actor system: actors by name on a fabric, supervised, durable, reachable from any thread.
#ifndef BITACTOR_L3_GENACTOR_SYSTEM_H_
#define BITACTOR_L3_GENACTOR_SYSTEM_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l3_genactor/actor.h"
#include "bitactor/l3_genactor/actor_status.h"
#include "bitactor/l3_genactor/handle.h"
#include "bitactor/l3_genactor/recovery.h"
#include "bitactor/l3_genactor/shard_runtime.h"
#include "bitactor/l3_genactor/snapshotter.h"
#include "bitactor/l3_genactor/supervision.h"
#include "bitactor/l3_genactor/supervision_driver.h"
#include "bitactor/l3_genactor/supervision_tree.h"
#include "bitactor/l3_genactor/supervisor_ref.h"
#include "bitactor/tracing/latency_histogram.h"
#include "bitactor/tracing/span.h"

namespace bitactor {

struct SystemOptions {
  uint32_t shards = 1;  // threads, 1 to 64
  // Directory of the journals; empty: nothing is journalled and a restarted actor begins afresh.
  // With it every actor is durable: a restart brings back the state from before the crash, and the
  // next start of the program the whole system.
  std::string durable = {};
  // A snapshot of all actors after so many records of a shard's journal, so that the next start replays
  // what came later alone; 0: only when Snapshot() is called. See docs/l3_genactor.md for what an actor
  // has to offer.
  uint64_t snapshot_every = 0;
  // False: after each of these, records that no snapshot needs are removed.
  bool keep_history = true;
  // After so many messages of each actor the digest of its state is journalled, and every start and replay
  // compares: for finding where a changed program, or one that is not deterministic, went another way.
  // 0: none are.
  uint64_t digest_every = 0;
  // False: every actor begins at Init and replays all of its history, as if there were no snapshot.
  bool from_snapshots = true;
  // How long Stop() waits for supervised actors to end, children before their supervisors, the last
  // one started first; 0: they are not asked to. Durable actors do not end: they live on in the next
  // run.
  absl::Duration shutdown_within = absl::Seconds(5);
  // Of the jitter of Backoff.
  uint64_t seed = 0;
  // Where other processes read the supervision tree (`bitactor tree`), which is at most 100 ms
  // behind; empty: DIR/tree below `durable`, or nowhere without one.
  std::string tree_file = {};
  // The rest is the fabric's: lane sizes, budgets, clocks, threads. Its shards and journal_dir are
  // taken from above.
  FabricOptions fabric = {};
};

// An actor in a replay, just before it handles a message.
struct ReplayStep {
  ActorId actor;
  uint32_t class_type;  // TypeId<A>()
  Place place;          // of the message
  const Frame& message;
  const void* state;  // an A
};

// Where a replay ends, and what it reads.
struct ReplaySpec {
  std::string journal_dir = {};
  std::optional<Place> until = {};  // the state before this frame; unset: all of it
  FileSystem* files = &PosixFiles();
  bool from_snapshots = true;  // as SystemOptions::from_snapshots
  // Called by Spawn() for every message of its history. A message that crashed the actor, and records of
  // the runtime, are among them.
  std::function<void(const ReplayStep&)> on_step = {};
};

// A durable actor that journals know of.
struct RecoveredActor {
  ActorId id;
  std::string name;
  uint32_t class_type;  // TypeId<A>()
};

// Threads: all methods, any thread that is not a shard's.
// Ownership: handles, supervisors and actors refer to it.
// Errors: Start names the option or the journal's damage. Stop() ends the shards and seals the
//   journals.
class System {
 public:
  static absl::StatusOr<std::unique_ptr<System>> Start(SystemOptions options = {});
  // Reads a journal set and runs nothing but what Spawn() applies: for looking at the past. No
  // journal is changed.
  static absl::StatusOr<std::unique_ptr<System>> Replay(const ReplaySpec& spec);
  ~System();

  // A supervisor without one of its own: when it ends, it has ended. Its status() is kInvalidArgument
  // when an option is out of range (for max_restarts and within see RestartIntensity), kAlreadyExists
  // when the name is taken. Without a name it gets one: "supervisor-1", ...
  SupervisorRef Supervise(const SupervisorOptions& options = {});
  SupervisorRef Supervise(std::string_view name, const SupervisorOptions& options = {});
  // The last 256 messages that actors under PoisonPolicy::kQuarantine failed at, oldest first, and
  // how many there were in all.
  std::vector<PoisonedMessage> Poisoned() const;
  uint64_t poisoned() const;
  // All that is supervised, now. At most so many children of each supervisor.
  SupervisionNode Tree(size_t max_children = std::numeric_limits<size_t>::max()) {
    return supervision().Describe(max_children);
  }
  // Without a supervisor: when it ends it is gone.
  template <typename A, typename... Args>
  Handle<A> Spawn(std::string_view name, Args... args) {
    return SpawnUnder<A>(nullptr, name, {}, std::move(args)...);
  }
  // The handle of a living actor of class A; not ok() when nobody has the name or it is another
  // class's.
  template <typename A>
  Handle<A> Find(std::string_view name) {
    return Handle<A>(this, Lookup(name, internal::ClassOf<A>()));
  }

  // The actors that the journals name and that have not been spawned by this program yet or have,
  // in the order of ids.
  std::vector<RecoveredActor> RecoveredActors() const;
  bool replaying() const { return replaying_; }

  // Keeps the state of every actor, so that a start replays only what came after. While it is taken the
  // shards go on; each of them stops for some ten microseconds at a time. What it could not hold is in
  // the report. kFailedPrecondition: nothing is journalled, a replay, or stopped. Else why it could not
  // be written; the ones before it stay.
  absl::StatusOr<SnapshotReport> Snapshot();
  // OK, or why the newest snapshot was not used at the start, or the last one of snapshot_every could not
  // be written.
  absl::Status SnapshotStatus() const;
  // Removes records (Fabric::Retain) that neither a snapshot nor an actor without one needs:
  // {.before = Position::None()} asks for all of these. kFailedPrecondition: as Snapshot(), or there is
  // no snapshot yet.
  absl::StatusOr<std::vector<RetentionReport>> Retain(const RetentionOptions& options);
  // Frames that were read from the journals at the start.
  uint64_t recovered_frames() const { return recovered_frames_; }

  // Waits until no message is on its way and supervisors have done what they can do now.
  void WaitIdle();
  FabricCounters Counters() { return fabric_->Counters(); }
  // Of the state of all living actors, in the order of their names: the same for the same state in
  // any process, on any number of shards. REQUIRES for a meaningful value: idle.
  uint64_t Digest();
  // Runs `visit` with the state of a living actor, on its shard. False when there is none of that
  // name and class.
  template <typename A>
  bool Inspect(std::string_view name, const std::function<void(const A&)>& visit) {
    return InspectState(name, internal::ClassOf<A>(),
                        [&visit](const void* state) { visit(*static_cast<const A*>(state)); });
  }

  // The same to change it: on a copy of the state, which takes its place if `replace` returns OK and
  // does not throw. Also while the actor is suspended. kFailedPrecondition: it is down and has no
  // state, or the system is durable and a replay would not know of it.
  template <typename A>
  absl::Status ReplaceState(std::string_view name, const std::function<absl::Status(A&)>& replace) {
    static_assert(std::is_copy_constructible_v<A> && std::is_move_assignable_v<A>,
                  "the state is replaced by a copy of it");
    return ReplaceStateOf(name, internal::ClassOf<A>(), [&replace](void* state) {
      A& actor = *static_cast<A*>(state);
      A copy(actor);
      absl::Status status = replace(copy);
      if (status.ok()) actor = std::move(copy);
      return status;
    });
  }
  // `absl::Status A::CodeChange(uint64_t from_version)` on a copy of the state, in the same way.
  template <typename A>
  absl::Status ChangeCode(std::string_view name, uint64_t from_version) {
    return ReplaceState<A>(name, [from_version](A& a) { return a.CodeChange(from_version); });
  }
  // A suspended actor begins no cast or call: they wait. What is under way ends; timers run on, and
  // what they send waits too. A fresh start ends it. kNotFound: nobody has that name.
  absl::Status Suspend(std::string_view name);
  absl::Status Resume(std::string_view name);
  absl::StatusOr<ActorStatus> Status(std::string_view name);
  // Calls `tracer` on the actor's shard with each message that it handles, and with its crashes and
  // its end, until another one is set; an empty one: no more. It must not throw.
  absl::Status Trace(std::string_view name, ActorTracer tracer);

  uint64_t restarts() const;
  // From a message's stamp to the end of its handler, over all actors of class A.
  template <typename A>
  LatencyHistogram Latency() {
    return LatencyOf(internal::ClassOf<A>().type);
  }
  std::vector<SpanRecord> Spans() { return fabric_->Spans(); }

  // Ends an actor as if its supervisor had said so.
  void Stop(Address actor, const ExitReason& reason);
  // The same, and whether it ended: kNotFound (nobody is there), kDeadlineExceeded (not within
  // `timeout`: it ends when its shard comes to it), kInvalidArgument (a timeout below 0: it lives on).
  absl::Status Stop(Address actor, const ExitReason& reason, absl::Duration timeout);
  // Ends what is supervised (SystemOptions::shutdown_within), stops the shards, seals the journals.
  // The first error of the journals.
  absl::Status Stop();

  Fabric& fabric() { return *fabric_; }
  // This thread's own port, opened at its first use.
  Port& ThreadPort();

  // For the runtime.
  internal::ActorHistory* HistoryOf(ActorId id) { return recovery_.HistoryOf(id); }
  const internal::Recovery& recovery() const { return recovery_; }
  absl::flat_hash_map<uint32_t, uint64_t> EndedSequences() const {
    MutexLock lock(&mutex_);
    return ended_sequences_;
  }
  const std::function<void(const ReplayStep&)>& on_step() const { return on_step_; }
  uint64_t digest_every() const { return digest_every_; }
  uint64_t snapshot_every() const { return snapshot_every_; }
  void AskForSnapshot();
  internal::Recovery::Reader NewHistoryReader() const { return {files_, journal_dir_}; }
  void NoteEnded(ActorId id, uint64_t sequence);
  void NotePoisoned(PoisonedMessage message);

  internal::SupervisionTree& supervision() { return supervision_.tree(); }
  internal::SupervisionDriver& supervision_driver() { return supervision_; }
  // The actor of this id, or null. On its shard.
  internal::ActorCell* CellOf(ActorId id);
  // Makes an actor and puts it in its place, on its shard. A supervised one is told of as started.
  absl::Status PlaceActor(const std::string& name, ActorId id, const internal::ActorSpec& actor,
                          const internal::ChildPtr& child);

  // `supervisor` null: none.
  template <typename A, typename... Args>
  Handle<A> SpawnUnder(const std::shared_ptr<internal::Supervisor>& supervisor,
                       std::string_view name, const ChildOptions& options, Args... args) {
    auto construct = [kept = std::make_tuple(std::move(args)...)](void* state) {
      std::apply([state](const auto&... each) { ::new (state) A(each...); }, kept);
    };
    return Handle<A>(this, SpawnCell(name, {&internal::ClassOf<A>(), std::move(construct)},
                                     supervisor, options));
  }

 private:
  explicit System(const SystemOptions& options);
  absl::Status StartFabric(FabricOptions options);
  // A replay's part of the journals: behind the snapshot, up to the cut. Names the actors.
  absl::Status ReadPast(const ReplaySpec& spec, std::map<uint32_t, internal::NameRecord>& names);
  absl::Status CheckSnapshots() const;
  absl::StatusOr<Address> SpawnCell(const internal::ActorClass& cls, std::string_view name,
                                    internal::ActorCell::Construct construct,
                                    internal::Supervisor* supervisor, Restart restart);
  absl::StatusOr<Address> SpawnCell(std::string_view name, internal::ActorSpec actor,
                                    const std::shared_ptr<internal::Supervisor>& supervisor,
                                    const ChildOptions& options);
  absl::StatusOr<Address> Lookup(std::string_view name, const internal::ActorClass& cls);
  absl::Status WithActor(std::string_view name,
                         const std::function<absl::Status(internal::ActorCell&)>& act);
  absl::Status ReplaceStateOf(std::string_view name, const internal::ActorClass& cls,
                              const std::function<absl::Status(void*)>& replace);
  bool InspectState(std::string_view name, const internal::ActorClass& cls,
                    const std::function<void(const void*)>& visit);
  LatencyHistogram LatencyOf(uint32_t class_type);
  static void OnDeadLetter(internal::Shard& shard, DeadLetterCause cause, const Frame& frame);

  const uint64_t uid_;
  bool replaying_ = false;
  FileSystem* files_ = nullptr;
  std::string journal_dir_;
  internal::Recovery recovery_;
  uint64_t recovered_frames_ = 0;
  uint64_t snapshot_every_ = 0;
  uint64_t digest_every_ = 0;
  std::function<void(const ReplayStep&)> on_step_;  // of a replay; empty: nobody looks
  internal::FoundSnapshot found_;                   // its actors are handed to recovery_

  absl::Duration shutdown_within_;
  // These outlive the cells in the fabric.
  internal::SupervisionDriver supervision_;
  std::vector<std::unique_ptr<internal::ShardRuntime>> runtimes_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uint32_t, uint64_t> ended_sequences_ ABSL_GUARDED_BY(mutex_);
  std::deque<PoisonedMessage> poisoned_ ABSL_GUARDED_BY(mutex_);
  uint64_t poisoned_count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Fabric> fabric_;
  std::vector<std::unique_ptr<Port>> thread_ports_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<internal::Snapshotter> snapshotter_;  // null: nothing is journalled

  friend struct ThreadPorts;
};

template <typename A, typename... Args>
Handle<A> SupervisorRef::Spawn(std::string_view name, Restart restart, Args... args) const {
  return Spawn<A>(name, ChildOptions{.restart = restart}, std::move(args)...);
}

template <typename A, typename... Args>
Handle<A> SupervisorRef::Spawn(std::string_view name, const ChildOptions& options,
                               Args... args) const {
  if (!status_.ok()) return Handle<A>(nullptr, status_);
  return system_->SpawnUnder<A>(supervisor_, name, options, std::move(args)...);
}

template <typename A, typename... Given>
SupervisorOfEach<A, Given...> SupervisorRef::SuperviseEach(std::string_view name,
                                                           const SupervisorOptions& options,
                                                           const ChildOptions& of_each,
                                                           Given... given) const {
  return {AddOfEach(name, options, of_each), of_each, std::make_tuple(std::move(given)...)};
}

template <typename A, typename... Given>
template <typename... Args>
Handle<A> SupervisorOfEach<A, Given...>::Spawn(std::string_view name, Args... args) const {
  return std::apply(
      [&](const Given&... given) {
        return SupervisorRef::template Spawn<A>(name, options_, given..., std::move(args)...);
      },
      given_);
}

// Handle's members, which need the system.

template <typename A>
template <typename M>
SendResult Handle<A>::Cast(const M& message, absl::Duration timeout) const {
  internal::CheckCast<A, M>();
  if (!ok()) return SendResult::kClosed;
  return internal::SendPatiently(*system_, timeout, [this, &message](Port& port) {
    return port.SendWith(address_, TypeId<M>(), [&message](auto& core, const auto& envelope) {
      return internal::SendPayload(core, envelope, message);
    });
  });
}

template <typename A>
template <typename M>
absl::StatusOr<internal::ReplyOf<M>> Handle<A>::Call(const M& request,
                                                     absl::Duration timeout) const {
  internal::CheckCall<A, M>();
  if (!ok()) return status_;
  const absl::StatusOr<Answer> answer =
      system_->ThreadPort().CallWith(address_, TypeId<M>(), internal::WaitNanos(timeout),
                                     [&request](auto& core, const auto& envelope) {
                                       return internal::SendPayload(core, envelope, request);
                                     });
  if (!answer.ok()) return answer.status();
  return internal::ReadAnswer<internal::ReplyOf<M>>(answer->frame.header, answer->bytes(),
                                                    TypeId<M>());
}

template <typename A>
template <typename M>
PendingCall<internal::ReplyOf<M>> Handle<A>::CallAsync(const M& request,
                                                       absl::Duration timeout) const {
  internal::CheckCall<A, M>();
  using Pending = PendingCall<internal::ReplyOf<M>>;
  if (!ok()) return Pending(status_);
  Port& port = system_->ThreadPort();
  const uint64_t timeout_ns = internal::WaitNanos(timeout);
  const absl::StatusOr<uint64_t> call_id = port.StartCall(
      address_, TypeId<M>(), timeout_ns, [&request](auto& core, const auto& envelope) {
        return internal::SendPayload(core, envelope, request);
      });
  if (!call_id.ok()) return Pending(call_id.status());
  return Pending(&port, *call_id, TypeId<M>());
}

template <typename A>
void Handle<A>::Stop(const ExitReason& reason) const {
  if (ok()) system_->Stop(address_, reason);
}

template <typename A>
absl::Status Handle<A>::Stop(const ExitReason& reason, absl::Duration timeout) const {
  return ok() ? system_->Stop(address_, reason, timeout) : status_;
}

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_SYSTEM_H_
