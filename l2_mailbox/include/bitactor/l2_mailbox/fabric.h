// The fabric: shards, ports, names and journals of one causal message space.
#ifndef BITACTOR_L2_MAILBOX_FABRIC_H_
#define BITACTOR_L2_MAILBOX_FABRIC_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l1_core/ticks.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/block.h"
#include "bitactor/l2_mailbox/dead_letters.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/overload.h"
#include "bitactor/l2_mailbox/port.h"
#include "bitactor/l2_mailbox/priority.h"
#include "bitactor/l2_mailbox/quarantine.h"
#include "bitactor/l2_mailbox/sampling.h"
#include "bitactor/l2_mailbox/send_result.h"
#include "bitactor/l2_mailbox/shard.h"
#include "bitactor/l2_mailbox/slot_table.h"
#include "bitactor/l2_mailbox/system_records.h"
#include "bitactor/persistence/group_commit.h"
#include "bitactor/tracing/span.h"
#include "bitactor/tracing/trace_roots.h"

namespace bitactor {

class Fabric;
namespace internal {
struct DeliveryState;
class StatsFile;
class StatsPublisher;
}  // namespace internal

struct FabricOptions {
  uint32_t shards = 1;           // threads, 1 to 64
  std::string journal_dir = {};  // one journal per shard below it; empty: nothing is journalled
  // Of each. At levels group and each they are a set, whatever `group` says here, and no answer to an
  // outside port goes before what it follows from is durable.
  JournalOptions journal = {};
  size_t lane_slots = 1024;  // of each lane, a power of two, 2 to 65,536
  uint32_t mailboxes = 64;   // partitions of the id space, 1 to 4,096
  // Answers that each shard holds at most until they are durable, at levels group and each, 1 to 2^20.
  size_t held_answers = 16384;
  size_t overflow_frames = 1u << 20;  // what a shard holds back at most when lanes are full
  Ticks budget{8};                    // of a handler, per dispatch
  size_t span_capacity = 65536;       // of each shard's trace ring, a power of two
  Sampling sampling = {};             // which messages leave a span there: all, unless it says less
  size_t quarantine_frames = 1024;    // of each shard's store, the oldest are overwritten
  // Memory for payloads over 128 bytes, 64 KiB to 64 GiB; 0: none, they are refused. The range is
  // reserved at the start, its pages are taken when they are first used, and kept.
  size_t block_bytes = size_t{64} << 20;
  // A port of which more frames than this cannot be trusted is cut off for good; 0: never.
  uint64_t corruption_limit = 0;
  // Runs each shard on a thread of its own. Without, whoever calls Poll() drives them all.
  bool threads = true;
  // Where other processes read what the fabric does (ReadFabricStats, `bitactor stat`); empty:
  // DIR/stats below journal_dir, or nowhere without one.
  std::string stats_file = {};
  // How old that is at most, 1 ms to 1 h; 0: nothing is published.
  uint64_t stats_interval_ns = 100'000'000;
  // Mailboxes neither join nor leave: endpoints stay on the shard where they began.
  bool fixed_routes = false;
  // Injected time; null: the machine's best clock. Must outlive the fabric.
  const TickClock* clock = nullptr;
  // The wall time at the start; unset: CLOCK_REALTIME, read once.
  std::optional<uint64_t> start_time_ns = {};
  // Called for every journalled frame, journal by journal in order, before the shards start.
  std::function<void(const RecoveredFrame&)> on_recovered = {};
  // Asked before that, when the journals are open: where on_recovered begins in each, because its
  // owner knows what was before. A journal that is not named is read from its beginning.
  std::function<absl::StatusOr<std::map<uint32_t, JournalPlace>>()> recover_from = {};
  // Called on the shard that refused a message after it was accepted, beside the counting.
  std::function<void(internal::Shard&, DeadLetterCause, const Frame&)> on_dead_letter = {};
  // Called when everything is there and no shard runs yet.
  std::function<void(Fabric&)> before_run = {};
};

// Exact when nothing moves: sent + replied = delivered + dead letters + read by ports + queued, and
// what was quarantined is a dead letter.
struct FabricCounters {
  uint64_t sent = 0;       // accepted from ports and shards, for endpoints
  uint64_t replied = 0;    // answers to outside ports
  uint64_t delivered = 0;  // handled
  uint64_t read_by_ports = 0;
  uint64_t queued = 0;  // in lanes, spills and mailbox queues, or held until it is durable
  std::array<uint64_t, kDeadLetterCauses> dead_letters{};
  std::array<uint64_t, kSendResults> refused{};  // by outside ports' sends; these were never sent
  uint64_t journalled = 0;
  uint64_t quarantined = 0;  // dead letters of cause kCorrupted, counted by the stores

  uint64_t dead_letters_total() const {
    uint64_t total = 0;
    for (const uint64_t count : dead_letters) total += count;
    return total;
  }
  bool AddUp() const {
    return sent + replied == delivered + dead_letters_total() + read_by_ports + queued &&
           quarantined == dead_letters[static_cast<size_t>(DeadLetterCause::kCorrupted)];
  }
};

// What a handler of Serve() sends with.
class Sender {
 public:
  Sender(internal::Shard& shard, ActorId self, const Message& cause)
      : shard_(shard), self_(self), cause_(cause) {}

  // Same trace, caused by the message being handled. What a full lane refuses is held back, never
  // lost; kMailboxFull and kJournalFull are dead letters already, without their payload.
  template <typename M>
  SendResult Send(Address target, const M& message, Priority priority = kDefaultPriority) {
    internal::Envelope envelope = Caused(FrameKind::kCast, target);
    envelope.priority = priority;
    envelope.type = TypeId<M>();
    return shard_.port().Send(envelope, message);
  }
  // As Port::SendBytes, NewBlock and SendBlock. What is refused here is dead-lettered as overflow.
  template <typename Tag>
  SendResult SendBytes(Address target, std::span<const std::byte> bytes) {
    internal::Envelope envelope = Caused(FrameKind::kCast, target);
    envelope.type = BytesTypeId<Tag>();
    return shard_.port().SendAnyBytes(envelope, bytes);
  }
  absl::StatusOr<Block> NewBlock(size_t size_bytes) {
    return Block::Make(shard_.state().blocks, size_bytes);
  }
  template <typename Tag>
  SendResult SendBlock(Address target, const SharedBlock& block) {
    internal::Envelope envelope = Caused(FrameKind::kCast, target);
    envelope.type = BytesTypeId<Tag>();
    return shard_.port().SendBlock(envelope, block);
  }
  // Sends the payload of `message`, which is being handled, on as it is. A block is shared.
  SendResult Forward(Address target, const Message& message);
  // Where the handler is in its trace, for requests to the outside: EmitTraceContext(context,
  // context.parent_id) makes their headers. Its trace id is zero when the message belongs to no trace.
  TraceContext trace_context() const;
  // Answers the message being handled, which must be a call.
  template <typename M>
  SendResult Reply(const M& message) {
    internal::Envelope envelope = Caused(FrameKind::kReply, Address{cause_.source()});
    envelope.correlation_id = cause_.message_id();
    envelope.type = TypeId<M>();
    return shard_.port().Send(envelope, message);
  }

 private:
  internal::Envelope Caused(FrameKind kind, Address target) {
    internal::Envelope envelope;
    envelope.kind = kind;
    envelope.source = static_cast<uint32_t>(self_);
    envelope.target = target;
    envelope.message_id = shard_.port().NextMessageId();
    envelope.flags = cause_.frame().header.flags & kFlagUnsampled;
    envelope.trace = cause_.trace();
    envelope.parent_span = cause_.span();
    return envelope;
  }

  internal::Shard& shard_;
  ActorId self_;
  const Message& cause_;
};

// Order: causal: if a happened before b, no mailbox sees b first, across shards.
// Threads: OpenPort, Intern, Serve, Suspend, Resume, Counters, WaitIdle and RunOnShard from any thread that is not a
//   shard's.
// Ownership: ports and addresses refer to it. Stop() ends the shards; the destructor does it too.
// Errors: Start names the option, its value and the allowed range; a journal that cannot be opened
//   is the journal's status.
class Fabric {
 public:
  using Handler = std::function<void(const Message&, Sender&)>;

  static absl::StatusOr<std::unique_ptr<Fabric>> Start(FabricOptions options);
  ~Fabric();

  // The address of a name, which it keeps for good in this journal. What is sent there before
  // somebody serves it waits. A name that cannot be taken (empty, over 116 bytes, no space to
  // journal it, new and asked for by a handler) gives the address of nobody, id 0; TryIntern says why.
  Address Intern(std::string_view name);
  absl::StatusOr<Address> TryIntern(std::string_view name, uint32_t class_type = 0);
  // The id of a name that was interned or journalled.
  std::optional<ActorId> Find(std::string_view name) const;
  // The name of an id, or "" if it has none.
  std::string NameOf(ActorId id) const;
  // Takes over a name from a journal that this fabric only reads.
  void AdoptName(const internal::NameRecord& record);
  // Every journalled or interned name with its record, in the order of their ids.
  std::vector<internal::NameRecord> Names() const;

  // Handles every message to `name` with `handler`, on the shard that owns it. A handler that
  // throws loses that message to the dead letters. A name that cannot be taken, or a capacity out of
  // range, gives the address of nobody, id 0; so does a handler's asking, which does nothing. TryServe
  // says why.
  Address Serve(std::string_view name, Handler handler, const MailboxOptions& options = {});
  absl::StatusOr<Address> TryServe(std::string_view name, Handler handler,
                                   const MailboxOptions& options = {});
  // What comes for a served name waits (all but answers, timers and the runtime's own messages),
  // until Resume() has it handled: it returns when that is done. Not from a handler. kNotFound:
  // nobody has this address. kFailedPrecondition: not served by Serve().
  absl::Status Suspend(Address address);
  absl::Status Resume(Address address);

  Port OpenPort(const PortOptions& options = {});

  // As Port::NewBlock. Any thread.
  absl::StatusOr<Block> NewBlock(size_t size_bytes) {
    return Block::Make(state_.blocks, size_bytes);
  }
  // With nothing on its way, the blocks in use are those that somebody keeps. Any thread.
  BlockCounters Blocks() const { return state_.blocks->Counters(); }

  // A mailbox joins or leaves while messages fly: the slots that it takes or gives move with what
  // stands behind them and all that is on its way there, in causal order, and nothing is lost or
  // delivered twice. Slots of others stay where they are. Returns when the change is complete.
  // kInvalidArgument: not a change that SlotTable allows. kFailedPrecondition: fixed_routes, or
  // stopped. kResourceExhausted: a journal has no space for the record of the change. Another: it is
  // made, but a commit failed (Health).
  absl::Status AddMailbox(uint32_t mailbox, uint32_t weight = 1);
  absl::Status RemoveMailbox(uint32_t mailbox);
  // Changes of the routes so far, over all starts of this journal.
  uint64_t routing_epoch() const { return state_.routes.epoch(); }

  uint32_t shards() const { return state_.shards; }
  uint32_t ShardOf(ActorId id) const { return state_.routes.ShardOf(id); }
  // The table as it is now.
  SlotTable slot_table() const;
  const TickClock& clock() const { return *state_.clock; }
  // Number of times that this journal was opened; 1 for a new or no journal.
  uint32_t boot() const { return state_.incarnation; }
  const DeadLetterLog& dead_letters() const { return state_.dead_letters; }
  // Copies of the frames that could not be trusted, shard by shard, oldest first; the last
  // quarantine_frames of each. Any thread. Stop() writes them below journal_dir (QuarantineFile).
  std::vector<QuarantinedFrame> Quarantined() const;
  // How many there were, by the port that wrote the lane and by the source as far as it can be
  // believed. Any thread.
  CorruptionReport Corruption() const;
  // OK, or what keeps a shard from going on: its journal has no space left, or a commit failed.
  absl::Status Health() const;
  // Makes durable what is journalled by now, unless the level is process. Without threads, Poll() does
  // so when answers wait for it and nothing else moves. Any thread that is not a shard's.
  absl::Status Commit();

  // One round of every shard on the calling thread; the work seen. REQUIRES: started without
  // threads.
  size_t Poll();
  // Waits until nothing is on its way: every message sent has been handled, dead-lettered or waits
  // for an actor, and no answer waits for the disk.
  void WaitIdle();
  FabricCounters Counters();
  // Dispatches over budget, of all that are served now.
  uint64_t Overruns();
  // Batches of messages that together were over the budget of one: each may hide one overrun, whose
  // handler is unknown (BatchMeter).
  uint64_t Suspicions();
  // Runs `task` on a shard's thread and waits for it.
  void RunOnShard(uint32_t shard, const std::function<void()>& task);
  // The trace rings' spans, oldest first within a shard.
  std::vector<SpanRecord> Spans();
  uint64_t spans_dropped() const { return spans_dropped_; }
  // What was recorded since the last call with this cursor, appended to `spans`, oldest first within a
  // shard, by short tasks of the shards: none copies more than 4,096 spans.
  void ReadSpans(SpanCursor& cursor, std::vector<SpanRecord>& spans);
  // The contexts that traces came with.
  const TraceRoots& trace_roots() const { return state_.trace_roots; }

  // Removes old records of every shard's journal (Journal::Retain; positions are of each), after a
  // snapshot of what the start needs of them: names, routes, and what was taken from named ports. By
  // shard, what was removed. `keep_from`: records of these journals that stay, whatever the options
  // say. kFailedPrecondition: no journals, stopped, or on_recovered without keep_from, for its
  // owner needs records. Else the file system's error.
  absl::StatusOr<std::vector<RetentionReport>> Retain(
      const RetentionOptions& options, const std::map<uint32_t, Position>& keep_from = {});
  // Makes durable what is journalled by now, and keeps that snapshot; what it says. Errors: as Retain.
  absl::StatusOr<internal::DeliveryState> SaveDeliveryState();

  // Stops the shards' threads, commits, gives away what answers were held, and seals the journals.
  // What is queued stays unhandled. The first error of the journals.
  absl::Status Stop();

  internal::Shard& shard(uint32_t index) { return *shards_[index]; }
  Engine& engine(uint32_t index) { return *engines_[index]; }
  internal::FabricState& state() { return state_; }
  bool journals() const { return !options_.journal_dir.empty(); }
  bool threaded() const { return options_.threads; }
  bool stopped() const {
    // SYNC(fabric-stopped): pairs with Stop(); the shards' threads have ended.
    return stopped_.load(std::memory_order_acquire);
  }

 private:
  friend class Port;

  explicit Fabric(FabricOptions options);
  absl::Status Validate() const;
  absl::Status OpenJournals();
  // The set that the journals commit in, at levels group and each.
  absl::Status OpenGroup();
  // Journals of shards that an earlier start had: the cut names them, so they have to be there once.
  absl::Status OpenAndCloseOthers(const JournalOptions& options);
  void NoteCommit(const absl::Status& status);
  // Waits until what a shard has journalled by now is durable.
  absl::Status WaitDurable(uint32_t shard);
  // Commits, if any answer waits for that; the work done.
  size_t CommitForAnswers();
  absl::Status CommitForTheLastTime();
  absl::StatusOr<internal::DeliveryState> SaveDeliveryStateLocked()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(routing_mutex_);
  absl::Status StartShards();
  absl::Status MakeRoutes();
  absl::Status StartStats(uint64_t start_ns);
  void SetRoutes(const SlotTable& table, uint64_t epoch);
  absl::Status ChangeRoutes(uint32_t mailbox, uint32_t weight);
  absl::Status SetAccepted(Address address, uint16_t kinds, const char* what);
  void WaitUntilNoPortPublishes();
  void WaitUntilTaken(uint32_t shard);
  // A closed port's core for a new one that sends as `source` (0: as itself), or a new one;
  // nullptr when there is none to give.
  internal::PortCore* TakePortCore(uint32_t source, bool& is_new)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ClosePort(internal::PortCore* core, internal::ReplyLanes* replies);

  FabricOptions options_;
  std::unique_ptr<TickClock> own_clock_;
  internal::FabricState state_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::unique_ptr<GroupCommit> group_;  // null: at level process; outlives the journals
  std::vector<std::unique_ptr<internal::Shard>> shards_;
  std::vector<std::unique_ptr<SpscLane<Frame>>> lanes_;
  std::unique_ptr<internal::StatsFile> stats_file_;               // null: nothing is published
  std::vector<std::unique_ptr<internal::StatsPublisher>> stats_;  // by shard
  std::vector<std::jthread> threads_;
  uint32_t last_boot_ = 0;
  uint32_t max_id_seen_ = 0;
  uint64_t max_stamp_ns_ = 0;
  uint64_t spans_dropped_ = 0;
  bool running_ = false;              // since before the shards' threads began
  std::atomic<bool> stopped_{false};  // SYNC(fabric-stopped)

  // Held by whoever needs an id to stay on its shard for a while, and by who moves it. Fair, so that
  // changes back to back let the others in. Never taken on a shard's thread, for which its holder may wait.
  FairMutex routing_mutex_;                                        // before mutex_
  std::map<uint64_t, internal::RoutingRecord> recovered_routing_;  // by epoch; for the start

  mutable Mutex mutex_;  // set-up: names and ports
  SlotTable slots_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint32_t> id_of_name_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<uint32_t, internal::NameRecord> names_ ABSL_GUARDED_BY(mutex_);  // by id
  uint32_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::vector<std::unique_ptr<internal::PortCore>> port_cores_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<internal::ReplyLanes>> reply_lanes_ ABSL_GUARDED_BY(mutex_);
  std::vector<internal::PortCore*> free_ports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_FABRIC_H_
