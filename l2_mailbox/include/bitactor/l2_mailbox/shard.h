// One thread's part of the fabric: polls its lanes, journals, dispatches, traces.
#ifndef BITACTOR_L2_MAILBOX_SHARD_H_
#define BITACTOR_L2_MAILBOX_SHARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "bitactor/l1_core/batch_meter.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/ticks.h"
#include "bitactor/l2_mailbox/block.h"
#include "bitactor/l2_mailbox/causal_merge.h"
#include "bitactor/l2_mailbox/endpoint.h"
#include "bitactor/l2_mailbox/fabric_state.h"
#include "bitactor/l2_mailbox/handover.h"
#include "bitactor/l2_mailbox/held_answers.h"
#include "bitactor/l2_mailbox/port_core.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/tracing/span_ring.h"

namespace bitactor {
struct ShardCounts;
}  // namespace bitactor

namespace bitactor::internal {

class StatsPublisher;

// Endpoints of one shard by id, two loads away.
class EndpointTable {
 public:
  Endpoint* Find(uint32_t id) const {
    const size_t page = id >> kPageBits;
    if (page >= pages_.size() || pages_[page] == nullptr) return nullptr;
    return (*pages_[page])[id & (kPageSize - 1)].get();
  }
  // Puts `endpoint` (may be null) in place and returns what was there.
  std::unique_ptr<Endpoint> Exchange(uint32_t id, std::unique_ptr<Endpoint> endpoint);
  void ForEach(const std::function<void(Endpoint&)>& visit) const;
  // Visits the endpoints of at most so many places from `id` on. Returns where to go on, 0: all
  // were visited.
  template <typename Visit>
  uint32_t VisitFrom(uint32_t id, size_t places, Visit&& visit) const {
    for (; places > 0 && id >> kPageBits < pages_.size(); --places) {
      if (pages_[id >> kPageBits] == nullptr) {
        id = ((id >> kPageBits) + 1) << kPageBits;
        continue;
      }
      if (Endpoint* const endpoint = Find(id)) visit(*endpoint);
      ++id;
    }
    return id >> kPageBits < pages_.size() ? id : 0;
  }

 private:
  static constexpr unsigned kPageBits = 10;
  static constexpr size_t kPageSize = size_t{1} << kPageBits;
  using Page = std::array<std::unique_ptr<Endpoint>, kPageSize>;

  std::vector<std::unique_ptr<Page>> pages_;
};

// The shard that runs on this thread, or null on an outside thread.
Shard* CurrentShard();

struct ShardOptions {
  size_t batch_frames = 256;  // most frames delivered in one Poll()
  size_t span_capacity = 65536;
  TickConfig ticks;
  Ticks budget{8};
};

// Order: messages are journalled and dispatched in the order of the causal merge.
// Threads: one, which polls; RunSoon() may be called by any.
// Cost: one clock reading for up to eight messages (BatchMeter), whose spans share their time in
//   equal parts; no allocation and no lock on the way of a message.
class Shard final : public Poller {
 public:
  Shard(FabricState* state, uint32_t index, const ShardOptions& options);
  ~Shard() override;

  uint32_t index() const { return index_; }
  PortCore& port() { return port_; }
  CausalMerge& merge() { return merge_; }
  SpanRing& spans() { return spans_; }
  FabricState& state() { return *state_; }

  // The journal, if this fabric has one. Set before the first Poll().
  void SetJournal(Journal journal) {
    first_position_ = journal.tail();
    journal_ = std::move(journal);
  }
  // Answers to outside ports wait until what they follow from is durable, at most so many. After
  // SetJournal(), before the first Poll().
  void HoldAnswers(size_t capacity);
  // Gives away those that are durable by now; after a failed commit, gives up on all others. How many
  // those were.
  size_t ServeHeldAnswers();
  size_t held_answers() const { return held_answers_ != nullptr ? held_answers_->size() : 0; }
  // Where this start of the fabric began in the journal.
  Position first_position() const { return first_position_; }
  // Why its journal takes nothing more; OK while it does. Any thread.
  absl::Status journal_refusal() const {
    MutexLock lock(&refusal_mutex_);
    return journal_refusal_;
  }
  Journal* journal() { return journal_.has_value() ? &*journal_ : nullptr; }
  // Journals a record of the runtime itself (a name, a crash, a boot). False when there is no
  // space.
  bool JournalSystemRecord(uint32_t type, uint32_t target, const void* payload, size_t size_bytes);

  // Puts an endpoint in its place; the messages that waited for its id are handled first, in their
  // order.
  void Add(std::unique_ptr<Endpoint> endpoint);
  // Takes an endpoint out; what waits for it is dead-lettered. It is destroyed after the running
  // dispatch.
  void Remove(Endpoint& endpoint);
  Endpoint* Find(ActorId id) const { return endpoints_.Find(static_cast<uint32_t>(id)); }
  void ForEachEndpoint(const std::function<void(Endpoint&)>& visit) { endpoints_.ForEach(visit); }
  // As EndpointTable::VisitFrom().
  template <typename Visit>
  uint32_t VisitEndpoints(uint32_t from, size_t places, Visit&& visit) {
    return endpoints_.VisitFrom(from, places, visit);
  }

  // Handles what waits for an endpoint that accepts again; while sends of this shard are held back
  // no more of it, but the rest when they are gone.
  [[gnu::noinline]] void DrainHeld(Endpoint& endpoint);
  // Takes a call that waits there out, as a dead letter whose sender is told `answer`. False: it does
  // not wait (any more).
  bool RefuseHeldCall(Endpoint& endpoint, uint32_t source, uint64_t message_id,
                      DeadLetterCause cause, const absl::Status& answer);
  // Sets what an endpoint accepts, and handles what it can take now. Not in a dispatch.
  void SetAccepted(Endpoint& endpoint, uint16_t kinds);
  // Whether endpoints have yet to handle what they can take. This shard's thread.
  bool has_backlog() const { return !backlog_.empty(); }

  // Shows every frame that was published to this shard, or that its port holds back, and that has not
  // met its end yet. This shard's thread, between two dispatches.
  void VisitWaiting(const std::function<void(const Frame&)>& visit);

  // Handover, on this shard's thread (Fabric::ChangeRoutes says in which order). Messages for slots
  // that come in are kept from now on,
  void BeginIncoming(const SlotSet& slots);
  // and so are, with their endpoints, those for slots that go out.
  void BeginOutgoing(const SlotSet& slots);
  // What is kept of slots that went out; they are strangers from now on.
  Baggage EndOutgoing();
  // Takes `baggage`, and handles what was kept in the order of stamps.
  void EndIncoming(Baggage baggage);
  // Where lanes and overflow end now, and whether all before such a mark was taken from the lanes
  // and all that was held back is published.
  TakenMark Mark() const;
  bool HasTaken(const TakenMark& mark) const;

  // Runs `task` on this shard's thread at its next Poll(). For set-up and inspection. False: that
  // thread has ended (EndTasks), and nothing is done.
  bool RunSoon(std::function<void()> task);
  // Runs what still waits, and takes no task any more. REQUIRES: this shard's thread has ended.
  void EndTasks();
  // A task was run for this shard, by whoever drives it. What it had handled is metered now.
  void CountTask();

  // Poller.
  size_t Poll() override;
  bool HasWork() override;
  // Asked when the shard is about to sleep.
  uint64_t NextDeadlineNs() override;

  // Whom the shard tells of its rounds. Before the first Poll(); none without it.
  void PublishTo(StatsPublisher* stats) {
    stats_ = stats;
    stats_due_ns_ = 0;
  }

  void DeadLetterFrame(DeadLetterCause cause, const Frame& frame);

  // Batches of several messages that together were over the budget of one.
  uint64_t suspicions() const { return meter_.suspicions(); }

  // Whether the last Poll() read the clock, so that now_ns() is of that round.
  bool clock_is_fresh() const { return clock_is_fresh_; }
  // Now, on the hybrid clock, as of the last reading: at most eight messages ago.
  uint64_t now_ns() const { return port_.now_ns(); }
  // The span id of the message that is being handled.
  uint64_t handled_span() const { return handled_span_; }
  // Frames that were taken from lanes and have met their end: delivered, dead-lettered.
  uint64_t taken() const { return taken_.Read(); }
  uint64_t delivered() const { return delivered_.Read(); }
  // Frames that wait for an endpoint that cannot take them yet. This shard's thread.
  uint64_t held_frames() const { return held_frames_; }
  // Frames that wait in lanes, spills, queues and the overflow, and answers that wait for the disk.
  // This shard's thread.
  uint64_t QueuedFrames();
  // Another number whenever a message was taken or put aside, or a task was run. This shard's thread.
  uint64_t Activity() const { return (tasks_run_ << 40) + 2 * taken() + held_frames_; }
  // What it has to tell at `now_ns`. This shard's thread.
  ShardCounts Counts(uint64_t now_ns);

 private:
  bool Deliver(Frame& frame);
  void Dispatch(Endpoint& endpoint, const Frame& frame);
  [[gnu::noinline]] void DispatchBlock(Endpoint& endpoint, const Frame& frame);
  // What both do. `block`: null for a message without one.
  void DispatchWith(Endpoint& endpoint, const Frame& frame, SharedBlock* block);
  // Before a block is handled: checks and journals it, and says where. Nothing: the message has
  // ended.
  std::optional<Position> AdmitBlock(const Frame& frame, SharedBlock& block);
  // A frame that was taken from a lane has met its end, undispatched.
  void End(const Frame& frame);
  // Queues a frame that its endpoint cannot take, by the endpoint's policy.
  [[gnu::noinline]] void Hold(Endpoint& endpoint, const Frame& frame);
  // Makes room in a full queue. False: `arriving` itself became a dead letter.
  bool MakeRoom(Endpoint& endpoint, const Frame& arriving);
  // Tells senders what they may send, where that has changed.
  void PublishCredit(Endpoint& endpoint);
  // Goes on where DrainHeld() had to stop.
  [[gnu::noinline]] void DrainBacklog();
  // Handles what was handed over; false when some is left.
  [[gnu::noinline]] bool DeliverArrived(size_t& left);
  // A frame for an id that nobody here serves.
  [[gnu::noinline]] void DeliverToNobody(const Frame& frame);
  // A frame that waited at an endpoint goes to the one that took its place.
  void HandOver(const Frame& frame);
  // A dispatch has ended, and is metered with others if nothing is against it.
  void Meter(Endpoint& endpoint, const FrameHeader& header, bool alone);
  // What follows when a frame is journalled. Inlined: it is the way of every message.
  [[gnu::always_inline]] HandleOutcome HandleFrame(Endpoint& endpoint, const Frame& frame,
                                                   SharedBlock* block);
  // The same, and tells the port that waits for this frame where it is journalled.
  [[gnu::noinline]] void HandleAndAcknowledge(Endpoint& endpoint, const Frame& frame,
                                              Position position, SharedBlock* block);
  // What becomes of a message that was handled well and whose trace is not sampled.
  [[gnu::noinline]] HandleOutcome FinishWithoutSpan(Endpoint& endpoint, const Frame& frame,
                                                    SharedBlock* block);
  // Of a message whose trace is not sampled.
  bool MustLeaveSpan(const FrameHeader& header, HandleOutcome outcome) const {
    return outcome != HandleOutcome::kDone ||
           (port_.now_ns() > header.stamp_ns &&
            port_.now_ns() - header.stamp_ns > state_->sampler.slow_ns());
  }
  // As ReadClock() does, where dispatches of the batch have no span or other spans wait for its end.
  [[gnu::noinline]] void CloseIrregularBatch(const BatchMeter::Batch& batch, uint64_t start_ns,
                                             uint64_t each_ns, uint32_t duration_ns);
  // As of now, without a duration.
  SpanRecord SpanOf(const FrameHeader& header, SpanOutcome outcome) const;
  void RecordDeadLetter(const FrameHeader& header);
  static bool HasToHandle(Endpoint& endpoint);
  static bool MustWait(Endpoint& endpoint, FrameKind kind);
  Envelope AnswerTo(const Frame& frame);
  void CountDeadLetter(DeadLetterCause cause, const Frame& frame);
  void AnswerError(const Frame& frame, const absl::Status& status);
  bool HasAnswersToServe() const;
  // Reads the clock. What was handled since the last reading is charged, its spans get their times
  // and its latencies are recorded; what is handled next begins now.
  void ReadClock();
  size_t RunTasks();
  void NoteJournalFull();
  [[gnu::noinline]] void BeginRoundOfStats();
  [[gnu::noinline]] void CountIdleRound();
  void Bury();

  FabricState* const state_;
  const uint32_t index_;
  const ShardOptions options_;
  PortCore port_;
  CausalMerge merge_;
  EndpointTable endpoints_;
  std::optional<Journal> journal_;
  Position first_position_;
  std::unique_ptr<HeldAnswers> held_answers_;  // null: at level process
  SpanRing spans_;
  BatchMeter meter_;
  // Of the open batch: S1  its dispatches have the last spans of the ring, in their order, but for those
  // whose bit is set in without_span_. Spans of others wait in late_spans_ until it is closed.
  bool irregular_batch_ = false;  // either is the case
  uint32_t without_span_ = 0;     // bit i: the batch's i-th dispatch
  std::vector<SpanRecord> late_spans_;
  // The dispatches of the open batch.
  struct Timed {
    Endpoint* endpoint;
    uint64_t stamp_ns;

    // Records it. How long it took.
    uint64_t EndedAt(uint64_t end_ns) const {
      const uint64_t taken_ns = end_ns > stamp_ns ? end_ns - stamp_ns : 0;
      if (endpoint->latency != nullptr) endpoint->latency->Record(taken_ns);
      return taken_ns;
    }
  };
  std::array<Timed, BatchMeter::kMaxTogether> timed_{};
  std::array<FrameHeader, BatchMeter::kMaxTogether>
      unsampled_{};  // of those without a span: for slow ones
  bool clock_is_fresh_ = false;
  uint64_t handled_span_ = 0;
  uint64_t stats_due_ns_ = kNoDeadline;  // of now_ns(); 0: at the next round
  StatsPublisher* stats_ = nullptr;
  uint32_t idle_rounds_ = 0;
  uint64_t tasks_run_ = 0;
  uint64_t held_frames_ = 0;
  std::vector<std::unique_ptr<Endpoint>> graveyard_;
  std::unique_ptr<MovingSlots> outgoing_;  // null: none
  std::unique_ptr<MovingSlots> incoming_;
  std::vector<ActorId> backlog_;  // whom DrainHeld() left with something that they can take
  FrameQueue arrived_;            // handed over, in order; before all that the lanes have
  OwnedCounter taken_;
  OwnedCounter delivered_;

  mutable Mutex refusal_mutex_;
  absl::Status journal_refusal_ ABSL_GUARDED_BY(refusal_mutex_);

  // SYNC(shard-tasks): set by RunSoon() after the task is queued, read by Poll().
  std::atomic<bool> has_tasks_{false};
  Mutex tasks_mutex_;
  std::vector<std::function<void()>> tasks_ ABSL_GUARDED_BY(tasks_mutex_);
  bool tasks_ended_ ABSL_GUARDED_BY(tasks_mutex_) = false;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_SHARD_H_
