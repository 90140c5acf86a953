#include "bitactor/l2_mailbox/shard.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "bitactor/l2_mailbox/block_frame.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l2_mailbox/message.h"
#include "bitactor/l2_mailbox/stats_publisher.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor::internal {
namespace {

thread_local Shard* current_shard = nullptr;

// Looks at the lanes in one Poll(): between two of them other pollers of the engine have their turn.
constexpr int kMaxPasses = 16;
// One in so many looks at all lanes; those between at the shard's own, if that has something.
constexpr int kPassesPerLook = 4;

// To seal and to check so many messages takes about a budget: it is charged to no handler.
constexpr uint64_t kMeteredSends = 64;

// An idle shard looks at the clock so rarely that it does not keep the next message waiting.
constexpr uint32_t kIdleRoundsPerLook = 64;

// Marks the shard whose round runs on this thread; one thread may drive several in turn.
class CurrentShardScope {
 public:
  explicit CurrentShardScope(Shard* shard) : before_(current_shard) { current_shard = shard; }
  ~CurrentShardScope() { current_shard = before_; }
  CurrentShardScope(const CurrentShardScope&) = delete;
  CurrentShardScope& operator=(const CurrentShardScope&) = delete;

 private:
  Shard* const before_;
};

}  // namespace

Shard* CurrentShard() { return current_shard; }

void RefuseType(const FrameHeader& header, uint32_t wanted_type, size_t wanted_bytes) {
  if (current_shard != nullptr) throw WrongType();
  BITACTOR_CHECK_EQ(header.type, wanted_type);
  BITACTOR_CHECK_EQ(size_t{header.size_bytes}, wanted_bytes);
  std::abort();
}

std::unique_ptr<Endpoint> EndpointTable::Exchange(uint32_t id, std::unique_ptr<Endpoint> endpoint) {
  const size_t page = id >> kPageBits;
  if (page >= pages_.size()) pages_.resize(page + 1);
  if (pages_[page] == nullptr) pages_[page] = std::make_unique<Page>();
  std::unique_ptr<Endpoint>& place = (*pages_[page])[id & (kPageSize - 1)];
  std::swap(place, endpoint);
  return endpoint;
}

void EndpointTable::ForEach(const std::function<void(Endpoint&)>& visit) const {
  for (const auto& page : pages_) {
    if (page == nullptr) continue;
    for (const auto& endpoint : *page) {
      if (endpoint != nullptr) visit(*endpoint);
    }
  }
}

Shard::Shard(FabricState* state, uint32_t index, const ShardOptions& options)
    : state_(state),
      index_(index),
      options_(options),
      port_(state, index, /*is_shard=*/true),
      spans_(options.span_capacity),
      meter_(*state->clock, options.ticks, options.budget) {
  ReadClock();
}

Shard::~Shard() = default;

void Shard::ReadClock() {
  const uint64_t now_cycles = state_->clock->Now();
  const uint64_t start_ns = port_.now_ns();
  const uint64_t now_ns = state_->clock->ToNanos(now_cycles) + state_->wall_offset_ns;
  port_.SetNow(now_ns);
  const BatchMeter::Batch batch = meter_.Close(now_cycles, /*watched=*/true);
  if (batch.dispatches == 0) return;
  const uint64_t each_ns = state_->clock->NanosIn(batch.cycles_each);
  const auto duration_ns =
      static_cast<uint32_t>(std::min<uint64_t>(each_ns, std::numeric_limits<uint32_t>::max()));
  if (batch.over) [[unlikely]] {
    // Each of them may have been it, and will be metered alone for a while.
    for (size_t i = 0; i < batch.dispatches; ++i) {
      timed_[i].endpoint->alone_left = BatchMeter::kExactDispatches;
    }
  }
  if (irregular_batch_) [[unlikely]]
    return CloseIrregularBatch(batch, start_ns, each_ns, duration_ns);
  for (size_t i = 0; i < batch.dispatches; ++i) {
    SpanRecord& span = spans_.Latest(batch.dispatches - i);
    span.start_ns = start_ns + i * each_ns;
    span.duration_ns = duration_ns;
    timed_[i].EndedAt(start_ns + (i + 1) * each_ns);
  }
  if (batch.over && batch.dispatches == 1) [[unlikely]] {
    SpanRecord& span = spans_.Latest(1);
    if (span.outcome == SpanOutcome::kOk) span.outcome = SpanOutcome::kOverrun;
  }
}

void Shard::CloseIrregularBatch(const BatchMeter::Batch& batch, uint64_t start_ns, uint64_t each_ns,
                                uint32_t duration_ns) {
  irregular_batch_ = false;
  const uint32_t without_span = std::exchange(without_span_, 0);
  uint64_t nth = 0;
  for (size_t i = batch.dispatches; i-- > 0;) {
    if ((without_span >> i & 1) != 0) continue;
    SpanRecord& span = spans_.Latest(++nth);
    span.start_ns = start_ns + i * each_ns;
    span.duration_ns = duration_ns;
    if (batch.over && batch.dispatches == 1 && span.outcome == SpanOutcome::kOk) {
      span.outcome = SpanOutcome::kOverrun;
    }
  }
  for (size_t i = 0; i < batch.dispatches; ++i) {
    const uint64_t taken_ns = timed_[i].EndedAt(start_ns + (i + 1) * each_ns);
    if ((without_span >> i & 1) == 0 || taken_ns <= state_->sampler.slow_ns()) continue;
    const bool is_overrun = batch.over && batch.dispatches == 1;
    SpanRecord span = SpanOf(unsampled_[i], is_overrun ? SpanOutcome::kOverrun : SpanOutcome::kOk);
    span.start_ns = start_ns + i * each_ns;
    span.duration_ns = duration_ns;
    spans_.Record(span);
  }
  for (const SpanRecord& span : late_spans_) spans_.Record(span);
  late_spans_.clear();
}

SpanRecord Shard::SpanOf(const FrameHeader& header, SpanOutcome outcome) const {
  return {.trace = header.trace,
          .span = SpanIdOf(header.source, header.message_id),
          .parent_span = header.parent_span,
          .sent_ns = header.stamp_ns,
          .start_ns = std::max(port_.now_ns(), header.stamp_ns),
          .source = header.source,
          .target = header.target,
          .type = header.type,
          .shard = static_cast<uint16_t>(index_),
          .kind = static_cast<uint8_t>(header.kind),
          .outcome = outcome};
}

void Shard::RecordDeadLetter(const FrameHeader& header) {
  const SpanRecord span = SpanOf(header, SpanOutcome::kDeadLettered);
  if (meter_.empty()) {
    spans_.Record(span);
    return;
  }
  // The spans of the open batch have to be the last ones until it is closed.
  irregular_batch_ = true;
  late_spans_.push_back(span);
}

bool Shard::JournalSystemRecord(uint32_t type, uint32_t target, const void* payload,
                                size_t size_bytes) {
  if (!journal_.has_value()) return true;
  Frame frame{};
  frame.header.size_bytes = static_cast<uint8_t>(size_bytes);
  frame.header.kind = FrameKind::kSystem;
  frame.header.message_id = port_.NextMessageId();
  port_.Observe(std::max(port_.clock_ns() + 1, port_.now_ns()));
  frame.header.stamp_ns = port_.clock_ns();
  frame.header.type = type;
  frame.header.source = port_.id();
  frame.header.target = target;
  std::memcpy(frame.payload, payload, size_bytes);
  Seal(frame);
  if (journal_->AppendFrame(frame.header) != Position::None()) return true;
  NoteJournalFull();
  return false;
}

void Shard::NoteJournalFull() {
  {
    // A copy: the journal changes its own with each refusal.
    MutexLock lock(&refusal_mutex_);
    if (journal_refusal_.ok()) journal_refusal_ = journal_->last_refusal();
  }
  // Relaxed: a hint to producers, see FabricState.
  state_->journal_full[index_].store(true, std::memory_order_relaxed);
}

void Shard::HoldAnswers(size_t capacity) {
  held_answers_ = std::make_unique<HeldAnswers>(*journal_, capacity, state_->holds_answers[index_]);
  port_.SetHeldAnswers(held_answers_.get());
}

size_t Shard::ServeHeldAnswers() {
  const size_t given = port_.GiveDurableAnswers();
  // Relaxed: see FabricState.
  if (!state_->commit_failed.load(std::memory_order_relaxed)) [[likely]]
    return given;
  journal_->LookForFailure();
  return given + port_.RefuseHeldAnswers();
}

void Shard::Add(std::unique_ptr<Endpoint> endpoint) {
  const CurrentShardScope scope(this);  // handlers run, whoever drives the shards
  const auto id = static_cast<uint32_t>(endpoint->id());
  Endpoint& added = *endpoint;
  std::unique_ptr<Endpoint> before = endpoints_.Exchange(id, std::move(endpoint));
  if (before != nullptr) added.credit = before->credit;  // it is the id's
  ReadClock();
  while (before != nullptr && !before->held().empty()) {
    const Frame frame = before->held().Front();
    before->held().PopFront();
    --held_frames_;
    HandOver(frame);
  }
  if (!meter_.empty()) ReadClock();  // before the handlers' stats can go away
  if (before != nullptr) graveyard_.push_back(std::move(before));
  if (!added.removed) DrainHeld(added);
  if (!meter_.empty()) ReadClock();
  port_.Publish();
}

void Shard::SetAccepted(Endpoint& endpoint, uint16_t kinds) {
  const CurrentShardScope scope(this);
  endpoint.AcceptOnly(kinds);
  ReadClock();
  DrainHeld(endpoint);
  if (!meter_.empty()) ReadClock();
  port_.Publish();
}

void Shard::HandOver(const Frame& frame) {
  Endpoint* endpoint = endpoints_.Find(frame.header.target);
  if (endpoint == nullptr) {
    DeadLetterFrame(DeadLetterCause::kUnread, frame);
    End(frame);
    return;
  }
  // An answer must not wait behind a message that waits for the handler which that answer resumes.
  if (MustWait(*endpoint, frame.header.kind) ||
      (port_.congested() && IsQueuedClass(frame.header.kind))) {
    endpoint->held().PushBack(frame);  // it waited before: beyond the capacity too
    ++held_frames_;
    return;
  }
  Dispatch(*endpoint, frame);
  if (!endpoint->removed && !endpoint->held().empty()) DrainHeld(*endpoint);
}

bool Shard::HasToHandle(Endpoint& endpoint) {
  return !endpoint.removed && !endpoint.held().empty() &&
         endpoint.Accepts(endpoint.held().Front().header.kind);
}

bool Shard::MustWait(Endpoint& endpoint, FrameKind kind) {
  return !endpoint.Accepts(kind) || (!endpoint.held().empty() && IsQueuedClass(kind));
}

void Shard::Remove(Endpoint& endpoint) {
  if (endpoint.removed) return;
  endpoint.removed = true;
  while (!endpoint.held().empty()) {
    DeadLetterFrame(DeadLetterCause::kUnread, endpoint.held().Front());
    End(endpoint.held().Front());
    --held_frames_;
    endpoint.held().PopFront();
  }
  PublishCredit(endpoint);
  graveyard_.push_back(endpoints_.Exchange(static_cast<uint32_t>(endpoint.id()), nullptr));
}

bool Shard::RunSoon(std::function<void()> task) {
  {
    MutexLock lock(&tasks_mutex_);
    if (tasks_ended_) return false;
    tasks_.push_back(std::move(task));
  }
  // SYNC(shard-tasks): release, though the mutex alone orders the task; the flag only says to look.
  has_tasks_.store(true, std::memory_order_release);
  state_->engines[index_]->Wake();
  return true;
}

void Shard::EndTasks() {
  const CurrentShardScope scope(this);
  for (bool ended = false; !ended;) {
    RunTasks();
    port_.Publish();
    MutexLock lock(&tasks_mutex_);
    ended = tasks_ended_ = tasks_.empty();  // whoever comes from here on does it himself
  }
}

size_t Shard::RunTasks() {
  // SYNC(shard-tasks)
  if (!has_tasks_.load(std::memory_order_acquire)) [[likely]]
    return 0;
  std::vector<std::function<void()>> tasks;
  {
    MutexLock lock(&tasks_mutex_);
    tasks.swap(tasks_);
    // Relaxed: under the mutex that the next RunSoon() takes before it sets the flag again.
    has_tasks_.store(false, std::memory_order_relaxed);
  }
  ReadClock();
  for (const auto& task : tasks) {
    task();
    if (!meter_.empty()) ReadClock();  // it may have let an endpoint handle what it held
    CountTask();
  }
  return tasks.size();
}

// The next task may read spans, or take an endpoint away. Within a dispatch it waits: those before it
// would be charged for its time.
void Shard::CountTask() {
  ++tasks_run_;
  if (!meter_.empty() && current_shard != this) ReadClock();
}

bool Shard::HasAnswersToServe() const {
  if (held_answers_ == nullptr || held_answers_->empty()) return false;
  // Relaxed: see FabricState.
  return held_answers_->FrontMayGo() || state_->commit_failed.load(std::memory_order_relaxed);
}

bool Shard::HasWork() {
  // SYNC(shard-tasks)
  return has_tasks_.load(std::memory_order_acquire) || port_.congested() || !arrived_.empty() ||
         has_backlog() || merge_.HasFrames() || HasAnswersToServe();
}

size_t Shard::Poll() {
  const CurrentShardScope scope(this);
  if (port_.now_ns() >= stats_due_ns_) [[unlikely]]
    BeginRoundOfStats();
  const auto quarantine = [this](const Frame& frame, LaneFault fault, const LaneOrigin& origin) {
    state_->Quarantine(fault, origin, index_, index_, frame);
    taken_.Add(1);
  };
  clock_is_fresh_ = false;
  size_t work = RunTasks();
  if (held_answers_ != nullptr) [[unlikely]]
    work += ServeHeldAnswers();
  size_t left = options_.batch_frames;
  const auto deliver = [this, &left](Frame& frame) {
    if (!clock_is_fresh_) {
      ReadClock();
      clock_is_fresh_ = true;
    }
    --left;
    return Deliver(frame);
  };
  // What handlers send to this shard, and what needs a second look (CausalMerge), follows at once.
  int passes = 0;
  uint64_t sent = port_.sent().Read();
  do {
    const uint64_t sent_before = std::exchange(sent, port_.sent().Read());
    if (sent - sent_before >= kMeteredSends) [[unlikely]] {
      if (!meter_.empty()) ReadClock();
      clock_is_fresh_ = false;
    }
    port_.Publish();  // before this port's lanes are read again (M2)
    if (port_.congested() && !port_.FlushOverflow()) {
      // Nothing is dispatched while sends are held back, but room is made for the others, or two
      // full shards would wait for each other for ever. Outside ports feel the pressure.
      work += merge_.SpillAll(quarantine);
      CountIdleRound();
      break;
    }
    if (has_backlog()) [[unlikely]] {
      ++work;
      DrainBacklog();
      if (port_.congested()) continue;
    }
    if (!arrived_.empty()) [[unlikely]] {
      ++work;
      if (!DeliverArrived(left)) {
        work += merge_.SpillAll(quarantine);
        break;
      }
    }
    // What this shard sent to itself need not wait for a look at all lanes.
    work += passes % kPassesPerLook != 0 && merge_.OwnHasFrames()
                ? merge_.PassOwn(left, deliver, quarantine)
                : merge_.Pass(left, deliver, quarantine);
  } while (++passes < kMaxPasses && left > 0 && (port_.HasUnpublished() || merge_.HasFrames()));
  if (!meter_.empty()) {
    ReadClock();
  } else if (work == 0) {
    CountIdleRound();
  }
  port_.Publish();
  if (!graveyard_.empty()) [[unlikely]]
    Bury();
  return work;
}

void Shard::Bury() {
  if (stats_ != nullptr) {
    for (const auto& endpoint : graveyard_) stats_->NoteEnded(*endpoint);
  }
  graveyard_.clear();
}

// Rounds that handle nothing read no clock, and yet the engine may have other work that keeps it
// awake.
void Shard::CountIdleRound() {
  if (stats_ == nullptr || ++idle_rounds_ % kIdleRoundsPerLook != 0) return;
  stats_due_ns_ = stats_->BeginRound(state_->NowNanos());
}

void Shard::BeginRoundOfStats() { stats_due_ns_ = stats_->BeginRound(port_.now_ns()); }

uint64_t Shard::NextDeadlineNs() {
  if (stats_ == nullptr) return kNoDeadline;
  stats_due_ns_ = 0;  // the next round tells that it is awake
  const uint64_t deadline_ns = stats_->BeginSleep(state_->NowNanos());
  return deadline_ns != StatsPublisher::kNever ? deadline_ns - state_->wall_offset_ns : kNoDeadline;
}

bool Shard::Deliver(Frame& frame) {
  Endpoint* endpoint = endpoints_.Find(frame.header.target);
  if (endpoint == nullptr) [[unlikely]] {
    DeliverToNobody(frame);
    return !port_.congested();
  }
  if (MustWait(*endpoint, frame.header.kind)) [[unlikely]] {
    Hold(*endpoint, frame);
    return !port_.congested();
  }
  Dispatch(*endpoint, frame);
  if (!endpoint->removed && !endpoint->held().empty()) [[unlikely]]
    DrainHeld(*endpoint);
  return !port_.congested();
}

void Shard::DeliverToNobody(const Frame& frame) {
  for (MovingSlots* moving : {outgoing_.get(), incoming_.get()}) {
    if (moving == nullptr || !moving->Has(frame.header.target)) continue;
    moving->frames.PushBack(frame);
    ++held_frames_;
    return;
  }
  DeadLetterFrame(DeadLetterCause::kNoTarget, frame);
  End(frame);
}

void Shard::BeginIncoming(const SlotSet& slots) {
  incoming_ = std::make_unique<MovingSlots>(slots);
}

void Shard::BeginOutgoing(const SlotSet& slots) {
  outgoing_ = std::make_unique<MovingSlots>(slots);
  endpoints_.ForEach([&](Endpoint& endpoint) {
    const auto id = static_cast<uint32_t>(endpoint.id());
    if (!outgoing_->Has(id)) return;
    outgoing_->endpoints.push_back(endpoints_.Exchange(id, nullptr));
  });
}

Baggage Shard::EndOutgoing() {
  Baggage baggage;
  baggage.clock_ns = port_.clock_ns();
  baggage.endpoints = std::move(outgoing_->endpoints);
  for (const auto& endpoint : baggage.endpoints) held_frames_ -= endpoint->held().size();
  for (FrameQueue& frames = outgoing_->frames; !frames.empty(); frames.PopFront()) {
    baggage.frames.push_back(frames.Front());
    --held_frames_;
  }
  outgoing_.reset();
  return baggage;
}

void Shard::EndIncoming(Baggage baggage) {
  port_.Observe(baggage.clock_ns);
  for (auto& endpoint : baggage.endpoints) {
    held_frames_ += endpoint->held().size();
    const auto id = static_cast<uint32_t>(endpoint->id());
    if (endpoint->in_backlog) backlog_.push_back(endpoint->id());
    endpoints_.Exchange(id, std::move(endpoint));
  }
  for (FrameQueue& frames = incoming_->frames; !frames.empty(); frames.PopFront()) {
    baggage.frames.push_back(frames.Front());
    --held_frames_;
  }
  incoming_.reset();
  // A cause has a lower stamp than its effect, wherever the two were kept.
  std::stable_sort(baggage.frames.begin(), baggage.frames.end(),
                   [](const Frame& a, const Frame& b) {
                     return std::tie(a.header.stamp_ns, a.header.source, a.header.message_id) <
                            std::tie(b.header.stamp_ns, b.header.source, b.header.message_id);
                   });
  for (const Frame& frame : baggage.frames) arrived_.PushBack(frame);
}

bool Shard::DeliverArrived(size_t& left) {
  ReadClock();
  bool go_on = true;
  for (; go_on && left > 0 && !arrived_.empty(); --left) {
    Frame frame = arrived_.Front();
    arrived_.PopFront();
    go_on = Deliver(frame);
  }
  port_.Publish();  // before lanes are read again (M2)
  return arrived_.empty() && go_on;
}

void Shard::VisitWaiting(const std::function<void(const Frame&)>& visit) {
  port_.VisitHeldBack(visit);
  for (const auto& lane : merge_.lanes()) lane->VisitWaiting(visit);
  for (size_t i = 0; i < arrived_.size(); ++i) visit(arrived_.At(i));
  endpoints_.ForEach([&](Endpoint& endpoint) { endpoint.held().ForEach(visit); });
}

TakenMark Shard::Mark() const {
  TakenMark mark;
  for (const auto& lane : merge_.lanes()) mark.tails.push_back(lane->published());
  mark.overflow_end = port_.OverflowEnd();
  return mark;
}

bool Shard::HasTaken(const TakenMark& mark) const {
  if (!arrived_.empty() || !port_.HasFlushed(mark.overflow_end)) return false;
  for (size_t i = 0; i < mark.tails.size(); ++i) {
    if (merge_.lanes()[i]->next() < mark.tails[i]) return false;
  }
  return true;
}

void Shard::DrainHeld(Endpoint& endpoint) {
  while (HasToHandle(endpoint) && !port_.congested()) {
    const Frame frame = endpoint.held().Front();  // a copy: the handler may make the queue grow
    endpoint.held().PopFront();
    --held_frames_;
    Dispatch(endpoint, frame);
  }
  if (endpoint.removed) return;
  if (HasToHandle(endpoint) && !endpoint.in_backlog) {
    endpoint.in_backlog = true;
    backlog_.push_back(endpoint.id());
  }
  PublishCredit(endpoint);
}

void Shard::DrainBacklog() {
  ReadClock();
  for (const ActorId id : std::exchange(backlog_, {})) {
    Endpoint* const endpoint = Find(id);
    if (endpoint == nullptr) continue;  // it ended, or serves elsewhere
    endpoint->in_backlog = false;
    DrainHeld(*endpoint);
  }
  port_.Publish();  // before lanes are read again (M2)
}

[[gnu::always_inline]] inline void Shard::DispatchWith(Endpoint& endpoint, const Frame& frame,
                                                       SharedBlock* block) {
  const FrameHeader& header = frame.header;
  if (header.target_generation != endpoint.generation) [[unlikely]] {
    DeadLetterFrame(DeadLetterCause::kStaleTarget, frame);
    if (block != nullptr) *block = {};  // what counts as taken has no block any more
    taken_.Add(1);
    return;
  }
  // Metered alone: blocks, which take as long as they are, and who may have been over the budget lately.
  if ((block != nullptr || endpoint.alone_left != 0) && !meter_.empty()) ReadClock();
  if (header.deadline_us != 0 &&
      port_.now_ns() > header.stamp_ns + uint64_t{header.deadline_us} * 1000) [[unlikely]] {
    DeadLetterFrame(DeadLetterCause::kExpired, frame);
    if (block != nullptr) *block = {};
    taken_.Add(1);
    return;
  }
  Position position;
  if (block != nullptr) {
    const std::optional<Position> admitted = AdmitBlock(frame, *block);
    if (!admitted.has_value()) return;
    position = *admitted;
    ReadClock();  // to check and to store it is not its handler's time
  } else if (journal_.has_value()) {
    position = journal_->AppendFrame(header);
    if (position == Position::None()) [[unlikely]] {
      NoteJournalFull();
      DeadLetterFrame(state_->JournalRefusal(), frame);
      taken_.Add(1);
      return;
    }
  }
  if ((header.flags & kFlagAcknowledge) != 0) [[unlikely]]
    return HandleAndAcknowledge(endpoint, frame, position, block);
  HandleFrame(endpoint, frame, block);
}

void Shard::HandleAndAcknowledge(Endpoint& endpoint, const Frame& frame, Position position,
                                 SharedBlock* block) {
  const HandleOutcome outcome = HandleFrame(endpoint, frame, block);
  // Else it is a dead letter, which answers.
  if (outcome != HandleOutcome::kDone && outcome != HandleOutcome::kCrashed) return;
  Envelope reply = AnswerTo(frame);
  reply.type = TypeId<Acknowledgement>();
  port_.Send(reply, Acknowledgement{.position = position.value(), .shard = index_});
}

[[gnu::always_inline]] inline void Shard::Meter(Endpoint& endpoint, const FrameHeader& header,
                                                bool alone) {
  timed_[meter_.size()] = {&endpoint, header.stamp_ns};
  bool is_end = meter_.Add(endpoint.stats()) || alone;
  if (endpoint.alone_left != 0) [[unlikely]] {
    --endpoint.alone_left;
    is_end = true;
  }
  if (is_end) ReadClock();  // its span gets its times there
}

inline HandleOutcome Shard::HandleFrame(Endpoint& endpoint, const Frame& frame,
                                        SharedBlock* block) {
  const FrameHeader& header = frame.header;
  port_.Observe(header.stamp_ns);  // before the handler may send (M1)
  const uint64_t span_id = SpanIdOf(header.source, header.message_id);
  handled_span_ = span_id;

  const HandleOutcome outcome = block == nullptr
                                    ? endpoint.Handle(frame, *this)
                                    : endpoint.HandleBlock(frame, block->bytes(), *this);

  const bool leaves_span = (header.flags & kFlagUnsampled) == 0 || MustLeaveSpan(header, outcome);
  if (!leaves_span) [[unlikely]] {
    return FinishWithoutSpan(endpoint, frame, block);
  }
  SpanRecord& span = spans_.Next();
  span.trace = header.trace;
  span.span = span_id;
  span.parent_span = header.parent_span;
  span.sent_ns = header.stamp_ns;
  span.source = header.source;
  span.target = header.target;
  span.type = header.type;
  span.shard = static_cast<uint16_t>(index_);
  span.kind = static_cast<uint8_t>(header.kind);
  span.outcome = outcome == HandleOutcome::kDone ? SpanOutcome::kOk : SpanOutcome::kCrashed;
  span.reserved = 0;
  Meter(endpoint, header, block != nullptr);
  switch (outcome) {
    case HandleOutcome::kDone:
    case HandleOutcome::kCrashed:
      delivered_.Add(1);
      break;
    case HandleOutcome::kFailed:
      DeadLetterFrame(DeadLetterCause::kHandlerFailed, frame);
      break;
    case HandleOutcome::kUnhandled:
      DeadLetterFrame(DeadLetterCause::kUnhandled, frame);
      break;
  }
  if (block != nullptr) *block = {};
  taken_.Add(1);
  return outcome;
}

HandleOutcome Shard::FinishWithoutSpan(Endpoint& endpoint, const Frame& frame, SharedBlock* block) {
  without_span_ |= 1u << meter_.size();
  irregular_batch_ = true;
  unsampled_[meter_.size()] = frame.header;
  Meter(endpoint, frame.header, block != nullptr);
  delivered_.Add(1);
  if (block != nullptr) *block = {};
  taken_.Add(1);
  return HandleOutcome::kDone;
}

void Shard::Dispatch(Endpoint& endpoint, const Frame& frame) {
  if (HasBlock(frame.header)) [[unlikely]]
    return DispatchBlock(endpoint, frame);
  DispatchWith(endpoint, frame, nullptr);
}

void Shard::DispatchBlock(Endpoint& endpoint, const Frame& frame) {
  SharedBlock block = TakeBlock(state_->blocks, frame);
  DispatchWith(endpoint, frame, &block);
}

std::optional<Position> Shard::AdmitBlock(const Frame& frame, SharedBlock& block) {
  const std::optional<BlockNote> note = ReadBlockNote(frame);
  if (!IsSound(block, frame)) {
    const uint32_t port =
        note.has_value() && note->from_port < kMaxPorts ? note->from_port : index_;
    state_->Quarantine(LaneFault::kBlock, {.port = port, .source = frame.header.source}, index_,
                       index_, frame);
    block = {};
    taken_.Add(1);
    return std::nullopt;
  }
  if (!journal_.has_value()) return Position();
  const absl::StatusOr<Position> position =
      journal_->AppendBlock(frame.header, block.bytes(), note->crc32c);
  if (position.ok()) return *position;
  NoteJournalFull();
  DeadLetterFrame(state_->JournalRefusal(), frame);
  block = {};
  taken_.Add(1);
  return std::nullopt;
}

void Shard::End(const Frame& frame) {
  if (HasBlock(frame.header)) DropBlock(*state_->blocks, frame);
  taken_.Add(1);
}

void Shard::CountDeadLetter(DeadLetterCause cause, const Frame& frame) {
  state_->dead_letters.Add(cause, index_, frame);
  if (stats_ != nullptr) stats_->CountRefusal(ActorId{frame.header.target});
  // What was handled has its span.
  if (cause != DeadLetterCause::kHandlerFailed && cause != DeadLetterCause::kUnhandled) {
    RecordDeadLetter(frame.header);
  }
  port_.Observe(frame.header.stamp_ns);  // before anybody answers it (M1)
  if (state_->on_dead_letter) state_->on_dead_letter(*this, cause, frame);
}

void Shard::AnswerError(const Frame& frame, const absl::Status& status) {
  Envelope reply = AnswerTo(frame);
  reply.flags |= kFlagError;
  reply.type = TypeId<ErrorReply>();
  port_.Send(reply, ErrorReply::Of(status));
}

void Shard::DeadLetterFrame(DeadLetterCause cause, const Frame& frame) {
  CountDeadLetter(cause, frame);
  const bool awaited = (frame.header.flags & kFlagAcknowledge) != 0;
  if (frame.header.kind != FrameKind::kCall && !awaited) return;
  // Every call is answered: its caller learns at once that nobody will.
  AnswerError(frame, [&]() -> absl::Status {
    const char* name = DeadLetterCauseName(cause);
    switch (cause) {
      case DeadLetterCause::kExpired:
        return absl::DeadlineExceededError(name);
      case DeadLetterCause::kMailboxFull:
      case DeadLetterCause::kShed:
      case DeadLetterCause::kJournalFull:
        return absl::ResourceExhaustedError(name);
      case DeadLetterCause::kUnhandled:
        return absl::UnimplementedError(name);
      case DeadLetterCause::kHandlerFailed:
        return absl::InternalError(name);
      case DeadLetterCause::kNotDurable:
        return absl::AbortedError(name);
      default:
        return absl::NotFoundError(name);
    }
  }());
}

// To who called, or to the port that waits.
Envelope Shard::AnswerTo(const Frame& frame) {
  const bool awaited = (frame.header.flags & kFlagAcknowledge) != 0;
  Envelope reply;
  reply.kind = FrameKind::kReply;
  reply.source = port_.id();
  reply.target.id =
      ActorId{awaited ? static_cast<uint32_t>(frame.header.correlation_id) : frame.header.source};
  reply.message_id = port_.NextMessageId();
  reply.correlation_id = frame.header.message_id;
  reply.flags = frame.header.flags & kFlagUnsampled;
  reply.trace = frame.header.trace;
  reply.parent_span = SpanIdOf(frame.header.source, frame.header.message_id);
  return reply;
}

uint64_t Shard::QueuedFrames() {
  uint64_t queued = held_frames_ + arrived_.size() + port_.overflow_frames() + held_answers();
  for (const auto& lane : merge_.lanes()) queued += lane->Waiting();
  return queued;
}

ShardCounts Shard::Counts(uint64_t now_ns) {
  ShardCounts counts;
  counts.published_ns = now_ns;
  counts.delivered = delivered();
  counts.queued = QueuedFrames();
  counts.held = held_frames_;
  counts.held_back = port_.overflow_frames();
  if (journal_.has_value()) {
    counts.journalled = journal_->appended();
    counts.journal_tail_bytes = journal_->tail().value() * kFrameUnitBytes;
  }
  // Relaxed: a hint to producers, see FabricState.
  counts.journal_full = state_->journal_full[index_].load(std::memory_order_relaxed) ? 1 : 0;
  counts.suspicions = meter_.suspicions();
  counts.spans_dropped = spans_.dropped();
  counts.sleeps = state_->engines[index_]->sleeps();
  return counts;
}

}  // namespace bitactor::internal
