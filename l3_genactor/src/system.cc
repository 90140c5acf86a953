#include "bitactor/l3_genactor/system.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l3_genactor/digest.h"
#include "bitactor/l3_genactor/link.h"

namespace bitactor {

using internal::ActorCell;
using internal::ActorClass;
using internal::Endpoint;
using internal::ShardRuntime;

namespace {

constexpr size_t kPoisonedKept = 256;

// The systems that are alive, so that a thread which ends knows whether its ports still exist.
struct LiveSystems {
  Mutex mutex;
  absl::flat_hash_map<uint64_t, System*> by_uid ABSL_GUARDED_BY(mutex);
};
LiveSystems& Live() {
  static LiveSystems* const live = new LiveSystems;
  return *live;
}

uint64_t NextUid() {
  static std::atomic<uint64_t> uid{0};
  // Relaxed: only uniqueness matters.
  return uid.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

// The ports of one thread, one per system; given back when the thread ends.
struct ThreadPorts {
  struct Entry {
    uint64_t uid;
    Port* port;
  };
  std::vector<Entry> entries;

  ~ThreadPorts() {
    MutexLock live_lock(&Live().mutex);
    for (const Entry& entry : entries) {
      const auto system = Live().by_uid.find(entry.uid);
      if (system == Live().by_uid.end()) continue;
      MutexLock lock(&system->second->mutex_);
      auto& ports = system->second->thread_ports_;
      std::erase_if(ports, [&entry](const auto& port) { return port.get() == entry.port; });
    }
  }
};

System::System(const SystemOptions& options)
    : uid_(NextUid()),
      shutdown_within_(options.shutdown_within),
      supervision_(this, options.seed) {}

System::~System() {
  {
    MutexLock lock(&Live().mutex);
    Live().by_uid.erase(uid_);
  }
  Stop().IgnoreError();
}

absl::StatusOr<std::unique_ptr<System>> System::Start(SystemOptions options) {
  std::unique_ptr<System> system(new System(options));
  system->files_ = options.fabric.journal.files;
  system->journal_dir_ = options.durable;
  FabricOptions fabric = std::move(options.fabric);
  fabric.shards = options.shards;
  fabric.journal_dir = options.durable;
  system->snapshot_every_ = options.snapshot_every;
  if (!system->journal_dir_.empty()) system->digest_every_ = options.digest_every;
  fabric.recover_from = [&]() -> absl::StatusOr<std::map<uint32_t, JournalPlace>> {
    if (!options.from_snapshots) return std::map<uint32_t, JournalPlace>();
    system->found_ = internal::FindSnapshot(*system->files_, system->journal_dir_);
    if (!system->found_.snapshot.has_value()) return std::map<uint32_t, JournalPlace>();
    system->recovery_.BeginWith(std::exchange(system->found_.snapshot->actors, {}));
    return system->found_.snapshot->need_from;
  };
  fabric.on_recovered = [&system](const RecoveredFrame& recovered) {
    ++system->recovered_frames_;
    system->recovery_.Note(recovered);
  };
  if (absl::Status status = system->StartFabric(std::move(fabric)); !status.ok()) return status;
  std::string tree_file = std::move(options.tree_file);
  if (tree_file.empty() && !options.durable.empty()) tree_file = JoinPath(options.durable, "tree");
  if (!tree_file.empty()) system->supervision_.PublishTo(system->files_, std::move(tree_file));
  if (!system->journal_dir_.empty()) {
    system->snapshotter_ = std::make_unique<internal::Snapshotter>(
        system.get(), system->files_, system->journal_dir_, system->found_, options.keep_history);
    for (uint32_t i = 0; i < system->fabric_->shards(); ++i) {
      system->fabric_->RunOnShard(
          i, [&] { system->runtimes_[i]->SnapshotEvery(options.snapshot_every); });
    }
  }
  return system;
}

absl::StatusOr<std::unique_ptr<System>> System::Replay(const ReplaySpec& spec) {
  std::unique_ptr<System> system(new System(SystemOptions{}));
  system->replaying_ = true;
  system->files_ = spec.files;
  system->journal_dir_ = spec.journal_dir;
  system->on_step_ = spec.on_step;
  std::map<uint32_t, internal::NameRecord> names;
  if (absl::Status status = system->ReadPast(spec, names); !status.ok()) return status;
  FabricOptions fabric;
  fabric.threads = false;
  fabric.mailboxes = 1;  // nothing is routed, and each further one makes the start slower
  if (absl::Status status = system->StartFabric(std::move(fabric)); !status.ok()) return status;
  for (const auto& [id, name] : names) system->fabric_->AdoptName(name);
  return system;
}

absl::Status System::StartFabric(FabricOptions options) {
  options.before_run = [this](Fabric& fabric) {
    recovery_.Finish();
    for (uint32_t i = 0; i < fabric.shards(); ++i) {
      runtimes_.push_back(std::make_unique<ShardRuntime>(this, &fabric.shard(i)));
      fabric.engine(i).AddPoller(runtimes_.back().get());
    }
    fabric.engine(0).AddPoller(&supervision_);
  };
  options.on_dead_letter = &System::OnDeadLetter;
  options.fixed_routes = true;  // an actor's timers and coroutines belong to its shard
  absl::StatusOr<std::unique_ptr<Fabric>> fabric = Fabric::Start(std::move(options));
  if (!fabric.ok()) return fabric.status();
  fabric_ = *std::move(fabric);
  MutexLock lock(&Live().mutex);
  Live().by_uid[uid_] = this;
  return absl::OkStatus();
}

void System::OnDeadLetter(internal::Shard& shard, DeadLetterCause, const Frame& frame) {
  const bool monitors = frame.header.type == TypeId<internal::MonitorRequest>();
  const bool links = frame.header.type == TypeId<internal::LinkRequest>();
  if (frame.header.kind != FrameKind::kSystem || (!monitors && !links)) return;
  // Monitoring nobody, or linking to nobody, is answered at once, as OTP does with noproc.
  internal::Envelope envelope;
  envelope.flags = kFlagSignal | (frame.header.flags & kFlagUnsampled);
  envelope.source = shard.port().id();
  envelope.target.id = ActorId{frame.header.source};
  envelope.message_id = shard.port().NextMessageId();
  envelope.correlation_id = frame.header.message_id;
  envelope.trace = frame.header.trace;
  const Address nobody{ActorId{frame.header.target}};
  const ExitReason noproc = ExitReason::Error(absl::NotFoundError("noproc"));
  if (monitors) {
    envelope.type = TypeId<Down>();
    shard.port().Send(envelope, Down{nobody, frame.header.message_id, noproc});
  } else {
    envelope.type = TypeId<Exit>();
    shard.port().Send(envelope, Exit{nobody, noproc});
  }
}

SupervisorRef System::Supervise(const SupervisorOptions& options) {
  return Supervise(
      absl::StrCat("supervisor-", supervision().CountChildren(*supervision().top()).specs + 1),
      options);
}

SupervisorRef System::Supervise(std::string_view name, const SupervisorOptions& options) {
  // What it cannot bear ends here.
  return SupervisorRef(this, supervision().top())
      .Add(name, options, {.restart = Restart::kTransient}, false);
}

uint64_t System::restarts() const { return supervision_.tree().restarts(); }

void System::WaitIdle() {
  // What a supervisor does makes messages, and these may make it do something: all is idle after a wait
  // in which it did nothing.
  while (true) {
    const internal::SupervisionTree::Actions before = supervision().actions();
    fabric_->WaitIdle();
    const internal::SupervisionTree::Actions after = supervision().actions();
    if (fabric_->stopped() || (after.pending == 0 && after == before)) return;
    if (after.pending == 0) continue;
    if (fabric_->threaded()) {
      std::this_thread::yield();
    } else {
      fabric_->Poll();
    }
  }
}

ActorCell* System::CellOf(ActorId id) {
  return dynamic_cast<ActorCell*>(fabric_->shard(fabric_->ShardOf(id)).Find(id));
}

void System::Stop(Address actor, const ExitReason& reason) {
  fabric_->RunOnShard(fabric_->ShardOf(actor.id), [&] {
    if (ActorCell* cell = CellOf(actor.id)) cell->ExitFromOutside(reason);
  });
}

void System::NoteEnded(ActorId id, uint64_t sequence) {
  MutexLock lock(&mutex_);
  ended_sequences_[static_cast<uint32_t>(id)] = sequence;
}

void System::NotePoisoned(PoisonedMessage message) {
  MutexLock lock(&mutex_);
  if (poisoned_.size() == kPoisonedKept) poisoned_.pop_front();
  poisoned_.push_back(std::move(message));
  ++poisoned_count_;
}

std::vector<PoisonedMessage> System::Poisoned() const {
  MutexLock lock(&mutex_);
  return {poisoned_.begin(), poisoned_.end()};
}

uint64_t System::poisoned() const {
  MutexLock lock(&mutex_);
  return poisoned_count_;
}

absl::StatusOr<Address> System::SpawnCell(std::string_view name, internal::ActorSpec actor,
                                          const std::shared_ptr<internal::Supervisor>& supervisor,
                                          const ChildOptions& options) {
  if (replaying_ && fabric_->Find(name) == std::nullopt) {
    return absl::NotFoundError(absl::StrCat("the journals in ", journal_dir_, " know no actor \"",
                                            std::string(name), "\" (before the place asked for)"));
  }
  if (options.poison.policy == PoisonPolicy::kRetry && !journal_dir_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "invalid_poison: child \"", std::string(name),
        "\": PoisonPolicy::kRetry, and it is durable: its handlers are deterministic, and "
        "from the same state it would fail again; give kSkip or kQuarantine"));
  }
  absl::StatusOr<Address> address = fabric_->TryIntern(name, actor.cls->type);
  if (!address.ok()) return address.status();
  internal::ChildPtr child;
  if (supervisor != nullptr) {
    absl::StatusOr<internal::ChildPtr> added =
        supervision().AddChild(supervisor, name, address->id, actor, options);
    if (!added.ok()) return added.status();
    child = *std::move(added);
  }
  const uint32_t owner = fabric_->ShardOf(address->id);
  absl::Status status;
  fabric_->RunOnShard(owner, [&] {
    status = PlaceActor(std::string(name), address->id, actor, child);
    if (!status.ok() && child != nullptr) {
      supervision().Started(child, status, fabric_->shard(owner).now_ns());
    }
  });
  if (!status.ok()) return status;
  return address;
}

absl::Status System::PlaceActor(const std::string& name, ActorId id,
                                const internal::ActorSpec& actor, const internal::ChildPtr& child) {
  const uint32_t owner = fabric_->ShardOf(id);
  internal::Shard& shard = fabric_->shard(owner);
  if (CellOf(id) != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("already_started: \"", name, "\" is alive; use Find or another name"));
  }
  const bool durable = !journal_dir_.empty();
  ShardRuntime& runtime = *runtimes_[owner];
  std::unique_ptr<ActorCell> cell = ActorCell::Make(runtime, id, *actor.cls, actor.construct);
  uint64_t sequence = 0;
  bool ended_before = false;
  {
    MutexLock lock(&mutex_);
    const auto ended = ended_sequences_.find(static_cast<uint32_t>(id));
    if (ended != ended_sequences_.end()) {
      sequence = ended->second;
      ended_before = true;
    }
  }
  cell->SetIdentity(name, durable, durable ? uint16_t{0} : fabric_->state().incarnation, sequence);
  cell->latency = &runtime.LatencyOf(actor.cls->type);
  if (ended_before && durable) {
    // What was before is another life; its journal goes on from here.
    auto ended = std::make_shared<internal::ActorSnapshot>();
    ended->id = static_cast<uint32_t>(id);
    ended->at = {fabric_->boot(), owner, shard.journal()->tail()};
    ended->sequence = sequence;
    ended->ended = true;
    cell->MakeHistory().base = std::move(ended);
  } else if (!ended_before) {
    cell->SetHistory(recovery_.HistoryOf(id));
  }
  absl::Status status = ended_before ? cell->StartAgain() : runtime.Recover(*cell);
  if (!status.ok()) {
    // What Init sent has its ids for good.
    if (ended_before || !durable) NoteEnded(id, cell->sequence());
    return status;
  }
  if (replaying_ && cell->ended()) {
    return absl::NotFoundError(absl::StrCat("\"", name, "\" had ended"));
  }
  cell->child = child;
  if (child != nullptr && child->options.poison.policy != PoisonPolicy::kSkip) {
    cell->extras().begun = std::make_unique<internal::ActorExtras::Begun>();
  }
  if (child != nullptr) supervision().Started(child, absl::OkStatus(), shard.now_ns());
  ActorCell& placed = *cell;
  const std::optional<ExitReason> crash = placed.TakePendingCrash();
  // Nothing is handled in the state that the crash left.
  if (crash.has_value()) placed.AcceptOnly(Endpoint::kNoKinds);
  shard.Add(std::move(cell));
  if (crash.has_value() && !replaying_) {
    placed.Crash(*crash);
    shard.DrainHeld(placed);
  }
  return absl::OkStatus();
}

absl::StatusOr<Address> System::Lookup(std::string_view name, const ActorClass& cls) {
  const std::optional<ActorId> id = fabric_->Find(name);
  const ActorClass* found = nullptr;  // the actor itself may end at any time
  if (id.has_value()) {
    fabric_->RunOnShard(fabric_->ShardOf(*id), [&] {
      if (const ActorCell* cell = CellOf(*id)) found = &cell->cls();
    });
  }
  if (found == nullptr)
    return absl::NotFoundError(absl::StrCat("noproc: no actor \"", std::string(name), "\""));
  if (found->type != cls.type) {
    return absl::FailedPreconditionError(absl::StrCat("\"", std::string(name), "\" is a ",
                                                      std::string(found->name), ", not a ",
                                                      std::string(cls.name)));
  }
  return Address{*id};
}

bool System::InspectState(std::string_view name, const ActorClass& cls,
                          const std::function<void(const void*)>& visit) {
  const std::optional<ActorId> id = fabric_->Find(name);
  if (!id.has_value()) return false;
  bool found = false;
  fabric_->RunOnShard(fabric_->ShardOf(*id), [&] {
    ActorCell* cell = CellOf(*id);
    if (cell == nullptr || !cell->has_state() || cell->cls().type != cls.type) return;
    found = true;
    visit(cell->state());
  });
  return found;
}

std::vector<RecoveredActor> System::RecoveredActors() const {
  std::vector<RecoveredActor> actors;
  for (const internal::NameRecord& record : fabric_->Names()) {
    actors.push_back({ActorId{record.id}, std::string(record.name_view()), record.class_type});
  }
  return actors;
}

uint64_t System::Digest() {
  std::map<std::string, uint64_t> by_name;
  for (uint32_t i = 0; i < fabric_->shards(); ++i) {
    fabric_->RunOnShard(i, [&] {
      fabric_->shard(i).ForEachEndpoint([&](Endpoint& endpoint) {
        auto* cell = dynamic_cast<ActorCell*>(&endpoint);
        if (cell == nullptr || !cell->has_state()) return;
        bitactor::Digest digest;
        cell->FoldInto(digest);
        by_name[cell->name()] = digest.value();
      });
    });
  }
  bitactor::Digest all;
  for (const auto& [name, value] : by_name) {
    DigestAppend(all, name);
    all.Add(value);
  }
  return all.value();
}

LatencyHistogram System::LatencyOf(uint32_t class_type) {
  LatencyHistogram merged;
  for (uint32_t i = 0; i < fabric_->shards(); ++i) {
    fabric_->RunOnShard(i, [&] {
      const auto found = runtimes_[i]->latencies().find(class_type);
      if (found != runtimes_[i]->latencies().end()) merged.Merge(*found->second);
    });
  }
  return merged;
}

Port& System::ThreadPort() {
  thread_local ThreadPorts ports;
  for (const ThreadPorts::Entry& entry : ports.entries) {
    if (entry.uid == uid_) return *entry.port;
  }
  auto port = std::make_unique<Port>(fabric_->OpenPort());
  ports.entries.push_back({uid_, port.get()});
  MutexLock lock(&mutex_);
  thread_ports_.push_back(std::move(port));
  return *thread_ports_.back();
}

absl::Status System::Stop() {
  if (fabric_ == nullptr) return absl::OkStatus();
  if (snapshotter_ != nullptr) snapshotter_->Stop();
  const bool end_actors = journal_dir_.empty() && shutdown_within_ > absl::ZeroDuration();
  if (end_actors && !fabric_->stopped()) {
    // What does not end in time is left where it is.
    supervision_.Await(supervision().StopAll(), shutdown_within_).IgnoreError();
  }
  if (fabric_->stopped()) return absl::OkStatus();
  absl::Status status = fabric_->Stop();
  supervision().Close();
  supervision_.PublishEnd();
  return status;
}

namespace internal {

SendResult SendPatiently(System& system, absl::Duration timeout,
                         const std::function<SendResult(Port&)>& send) {
  Port& port = system.ThreadPort();
  Fabric& fabric = system.fabric();
  const uint64_t start_ns = fabric.clock().NowNanos();
  const uint64_t timeout_ns = TimeoutNanos(timeout);
  while (true) {
    const SendResult result = send(port);
    if (!HasRoomLater(result)) return result;
    if (timeout_ns != 0 && fabric.clock().NowNanos() - start_ns >= timeout_ns) return result;
    if (fabric.threaded()) {
      std::this_thread::yield();
    } else if (fabric.Poll() == 0) {
      return result;
    }
  }
}

}  // namespace internal
}  // namespace bitactor
