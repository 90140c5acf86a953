#include "bitactor/l3_genactor/snapshotter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l2_mailbox/block_frame.h"
#include "bitactor/l2_mailbox/delivery_state.h"
#include "bitactor/l3_genactor/system.h"
#include "bitactor/persistence/snapshot_store.h"
#include "snapshot_dir.h"

namespace bitactor::internal {
namespace {

constexpr uint32_t kKeptSnapshots = 3;
constexpr size_t kPlacesAtOnce = 1024;  // of a shard's table, in one task: some ten microseconds

OutboxFrame OutboxFrameOf(const Frame& frame, BlockPool& blocks) {
  OutboxFrame kept;
  kept.header = frame.header;
  std::span<const std::byte> bytes(frame.payload, frame.header.size_bytes);
  if (const std::optional<BlockNote> note = ReadBlockNote(frame); note.has_value()) {
    bytes = blocks.Lives(note->handle) ? blocks.BytesOf(note->handle).first(note->size_bytes)
                                       : std::span<std::byte>();
  }
  kept.payload.assign(bytes.begin(), bytes.end());
  return kept;
}

// A timer's message to its actor.
bool IsFiring(const FrameHeader& header) {
  return header.kind == FrameKind::kTimer ||
         (header.source == header.target && header.correlation_id != 0 &&
          (header.flags & kFlagSignal) != 0);
}

}  // namespace

// All of one Take(). Written by one shard's task at a time.
struct Snapshotter::Round {
  std::map<uint32_t, std::shared_ptr<ActorSnapshot>> captured;  // by id
  SystemSnapshot snapshot;
  SnapshotReport report;
  std::map<uint32_t, Position>
      first;  // by shard: where its journal begins, once records were removed

  void Need(const FrameRef& from) {
    const JournalPlace place{from.position, from.boot};
    const auto [need, is_new] = snapshot.need_from.try_emplace(from.journal, place);
    if (!is_new && place.position < need->second.position) need->second = place;
  }
  // Of a message that an actor had sent before it was captured. Timers are armed again, not sent again.
  void NoteWaiting(const Frame& frame, BlockPool& blocks) {
    const FrameHeader& header = frame.header;
    if (IncarnationOf(header.message_id) != 0 || IsFiring(header)) return;
    const auto source = captured.find(header.source);
    if (source == captured.end()) return;
    ActorSnapshot& actor = *source->second;
    if (SequenceOf(header.message_id) > actor.sequence) return;
    actor.outbox.push_back(OutboxFrameOf(frame, blocks));
  }
  void SortOutboxes() {
    for (auto& [id, actor] : captured) {
      std::vector<OutboxFrame>& outbox = actor->outbox;
      std::sort(outbox.begin(), outbox.end(), [](const OutboxFrame& a, const OutboxFrame& b) {
        return a.header.message_id < b.header.message_id;
      });
      // One may have been seen held back, and again in its lane.
      outbox.erase(std::unique(outbox.begin(), outbox.end(),
                               [](const OutboxFrame& a, const OutboxFrame& b) {
                                 return a.header.message_id == b.header.message_id;
                               }),
                   outbox.end());
      report.outbox_frames += outbox.size();
    }
  }
};

Snapshotter::Snapshotter(System* system, FileSystem* files, std::string set_dir,
                         const FoundSnapshot& found, bool keep_history)
    : system_(*system),
      files_(*files),
      set_dir_(std::move(set_dir)),
      keep_history_(keep_history),
      number_(found.snapshot.has_value() ? found.snapshot->number : 0),
      last_status_(found.not_used) {
  if (!found.not_used.ok()) set_aside_after_ = found.place;
  if (system_.fabric().threaded()) thread_ = std::thread([this] { Run(); });
}

void Snapshotter::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Snapshotter::Ask() {
  if (!system_.fabric().threaded()) return TakeAsAsked();
  MutexLock lock(&mutex_);
  asked_ = true;
  changed_.SignalAll();
}

void Snapshotter::Run() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      while (!asked_ && !stopping_) changed_.Wait(&mutex_);
      if (stopping_) return;
      asked_ = false;
    }
    TakeAsAsked();
  }
}

void Snapshotter::TakeAsAsked() {
  absl::Status status = Take().status();
  if (status.ok() && !keep_history_) status = Retain({.before = Position::None()}).status();
  MutexLock lock(&mutex_);
  last_status_ = status;
}

void Snapshotter::NoteHistory(uint32_t index, ActorId id, const ActorHistory* history, bool lives,
                              Round& round) {
  const Fabric& fabric = system_.fabric();
  const ActorSnapshot* const base = history != nullptr ? history->base.get() : nullptr;
  if (base != nullptr) {
    round.snapshot.actors[static_cast<uint32_t>(id)] = history->base;
    round.Need(base->at);
  }
  if (history != nullptr) {
    for (const FrameRef& frame : history->frames) round.Need(frame);
  }
  if (lives && (base == nullptr || base->at.boot != fabric.boot())) {
    // Of what was removed in this run, it needs nothing.
    const auto first = round.first.find(index);
    const Position begin = system_.fabric().shard(index).first_position();
    round.Need({fabric.boot(), index,
                first != round.first.end() ? std::max(begin, first->second) : begin});
  }
}

void Snapshotter::CaptureShard(uint32_t index, Round& round) {
  Fabric& fabric = system_.fabric();
  Shard& shard = fabric.shard(index);
  uint32_t next_id = 0;
  bool begins = true;
  do {
    fabric.RunOnShard(index, [&] {
      shard.port().Publish();
      const FrameRef at{fabric.boot(), index, shard.journal()->tail()};
      // Who is spawned from here on has its whole history behind this place.
      if (std::exchange(begins, false)) round.Need(at);
      const uint64_t now_ns = fabric.state().NowNanos();
      next_id = shard.VisitEndpoints(next_id, kPlacesAtOnce, [&](Endpoint& endpoint) {
        const auto* const cell = dynamic_cast<ActorCell*>(&endpoint);
        if (cell == nullptr) return;
        if (cell->MayBeCaptured()) {
          std::shared_ptr<ActorSnapshot> actor = cell->Capture(at);
          actor->stamp_ns = now_ns;
          round.captured[static_cast<uint32_t>(cell->id())] = std::move(actor);
          return;
        }
        NoteHistory(index, cell->id(), cell->history(), /*lives=*/true, round);
        if (cell->cls().write_state == nullptr) {
          ++round.report.unsupported;
          return;
        }
        ++round.report.suspended;
        if (cell->history() == nullptr || cell->history()->base == nullptr) return;
        round.report.oldest_suspended_ns =
            std::max(round.report.oldest_suspended_ns, now_ns - cell->history()->base->stamp_ns);
      });
    });
  } while (next_id != 0);
}

// Those that have ended, and those that this run has not spawned.
void Snapshotter::CaptureTheRest(uint32_t index, Round& round) {
  Fabric& fabric = system_.fabric();
  const FrameRef at{fabric.boot(), index, fabric.shard(index).journal()->tail()};
  const auto lives = [&](uint32_t id) {
    return dynamic_cast<ActorCell*>(fabric.shard(index).Find(ActorId{id})) != nullptr;
  };
  for (const auto& [id, sequence] : system_.EndedSequences()) {
    if (fabric.ShardOf(ActorId{id}) != index || round.captured.contains(id)) continue;
    if (lives(id)) {  // spawned again since its place was visited
      NoteHistory(index, ActorId{id}, nullptr, /*lives=*/true, round);
      continue;
    }
    auto ended = std::make_shared<ActorSnapshot>();
    ended->id = id;
    ended->at = at;
    ended->sequence = sequence;
    ended->ended = true;
    round.captured[id] = std::move(ended);
  }
  system_.recovery().ForEach([&](ActorId id, const ActorHistory& history) {
    const auto key = static_cast<uint32_t>(id);
    if (fabric.ShardOf(id) != index || round.captured.contains(key) || lives(key)) return;
    NoteHistory(index, id, &history, /*lives=*/false, round);
  });
}

bool Snapshotter::Mark(uint32_t index, Round& round) {
  Fabric& fabric = system_.fabric();
  Shard& shard = fabric.shard(index);
  const SnapshotMark mark{round.snapshot.number, fabric.boot(), index};
  const Position at = shard.journal()->tail();
  round.snapshot.marks[index] = {fabric.boot(), index, at};
  return shard.JournalSystemRecord(TypeId<SnapshotMark>(), 0, &mark, sizeof(mark));
}

absl::Status Snapshotter::Write(Round& round) {
  absl::StatusOr<DeliveryState> delivered = system_.fabric().SaveDeliveryState();
  if (!delivered.ok()) return delivered.status();
  uint64_t grown = 0;
  for (const auto& [journal, end] : delivered->ends) {
    grown += end.last.value();
    // Of shards that earlier starts had: what no history needs.
    round.snapshot.need_from.try_emplace(journal, JournalPlace{end.last, end.boot});
  }
  round.snapshot.names = system_.fabric().Names();
  for (const auto& [id, actor] : round.captured) round.snapshot.actors[id] = actor;
  const std::vector<std::byte> bytes = round.snapshot.ToBytes();
  round.report.bytes = bytes.size();
  absl::StatusOr<SnapshotStore> store =
      SnapshotStore::Open(ActorSnapshotDir(set_dir_), {.keep = kKeptSnapshots, .files = &files_});
  if (!store.ok()) return store.status();
  if (set_aside_after_.has_value()) {
    absl::StatusOr<size_t> aside = store->SetAsideAfter(*set_aside_after_);
    if (!aside.ok()) return aside.status();
    set_aside_after_.reset();
  }
  return store->Write(kActorSnapshotKey, Position(grown), delivered->max_stamp_ns, bytes);
}

void Snapshotter::LetHistoriesBegin(const Round& round) {
  Fabric& fabric = system_.fabric();
  std::vector<std::vector<std::shared_ptr<const ActorSnapshot>>> by_shard(fabric.shards());
  for (const auto& [id, actor] : round.captured) {
    by_shard[fabric.ShardOf(ActorId{id})].push_back(actor);
  }
  for (uint32_t i = 0; i < fabric.shards(); ++i) {
    for (size_t begin = 0; begin < by_shard[i].size(); begin += kPlacesAtOnce) {
      fabric.RunOnShard(i, [&] {
        const size_t end = std::min(begin + kPlacesAtOnce, by_shard[i].size());
        for (size_t at = begin; at < end; ++at) {
          const std::shared_ptr<const ActorSnapshot>& actor = by_shard[i][at];
          auto* const cell = dynamic_cast<ActorCell*>(fabric.shard(i).Find(ActorId{actor->id}));
          ActorHistory* const history =
              cell != nullptr ? &cell->MakeHistory() : system_.HistoryOf(ActorId{actor->id});
          // One that was spawned again meanwhile begins later.
          if (history == nullptr || (history->base != nullptr && actor->at < history->base->at)) {
            continue;
          }
          history->base = actor;
          history->frames = {};
        }
      });
    }
  }
}

absl::StatusOr<SnapshotReport> Snapshotter::Take() {
  MutexLock lock(&taking_);
  return TakeLocked();
}

absl::StatusOr<SnapshotReport> Snapshotter::TakeLocked() {
  Fabric& fabric = system_.fabric();
  Round round;
  round.first = first_;
  round.snapshot.number = round.report.number = ++number_;
  for (uint32_t i = 0; i < fabric.shards(); ++i) CaptureShard(i, round);
  for (uint32_t i = 0; i < fabric.shards(); ++i) {
    fabric.RunOnShard(i, [&] { CaptureTheRest(i, round); });
  }
  round.report.actors = round.captured.size();
  BlockPool& blocks = *fabric.state().blocks;
  const auto note = [&](const Frame& frame) { round.NoteWaiting(frame, blocks); };
  for (uint32_t i = 0; i < fabric.shards(); ++i) {
    fabric.RunOnShard(i, [&] { fabric.shard(i).port().VisitHeldBack(note); });
  }
  absl::Status marked;
  for (uint32_t i = 0; i < fabric.shards(); ++i) {
    fabric.RunOnShard(i, [&] {
      fabric.shard(i).VisitWaiting(note);
      if (!Mark(i, round)) marked.Update(fabric.shard(i).journal()->last_refusal());
    });
  }
  if (!marked.ok()) return marked;
  round.SortOutboxes();
  if (absl::Status status = Write(round); !status.ok()) return status;
  LetHistoriesBegin(round);
  return round.report;
}

absl::StatusOr<std::vector<RetentionReport>> Snapshotter::Retain(const RetentionOptions& options) {
  MutexLock lock(&taking_);
  std::map<uint32_t, Position> keep_from;
  size_t snapshots = 0;
  {
    absl::StatusOr<SnapshotStore> store =
        SnapshotStore::Open(ActorSnapshotDir(set_dir_), {.read_only = true, .files = &files_});
    if (!store.ok() && !absl::IsNotFound(store.status())) return store.status();
    std::vector<SnapshotFile> kept;
    if (store.ok()) {
      absl::StatusOr<std::vector<SnapshotFile>> list = store->List();
      if (!list.ok()) return list.status();
      kept = *std::move(list);
    }
    for (const SnapshotFile& file : kept) {
      // One that cannot be read is of no use to any start.
      const absl::StatusOr<Snapshot> read = store->Read(file.key, file.position);
      if (!read.ok()) continue;
      const absl::StatusOr<SystemSnapshot> snapshot = SystemSnapshot::FromBytes(read->state);
      if (!snapshot.ok()) continue;
      ++snapshots;
      for (const auto& [journal, from] : snapshot->need_from) {
        const auto [at, is_new] = keep_from.try_emplace(journal, from.position);
        if (!is_new) at->second = std::min(at->second, from.position);
      }
    }
  }
  if (snapshots == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        set_dir_,
        ": no record may be removed, for there is no snapshot of the actors: call Snapshot()"));
  }
  absl::StatusOr<std::vector<RetentionReport>> reports =
      system_.fabric().Retain(options, keep_from);
  if (!reports.ok()) return reports;
  for (uint32_t i = 0; i < reports->size(); ++i) first_[i] = (*reports)[i].first;
  return reports;
}

}  // namespace bitactor::internal
