#include "bitactor/l1_core/fiber_scheduler.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "absl/strings/str_format.h"

namespace bitactor {
namespace {

constexpr size_t kBlockAlignment = 64;

FiberOptions Checked(FiberOptions options) {
  BITACTOR_CHECK_LE(size_t{1}, options.fibers);
  BITACTOR_CHECK_LE(options.fibers, size_t{1} << 20);
  BITACTOR_CHECK_LE(size_t{64}, options.frame_bytes);
  BITACTOR_CHECK_LE(options.frame_bytes, size_t{65'536});
  BITACTOR_CHECK_EQ(options.frame_bytes % 64, size_t{0});
  BITACTOR_CHECK_LE(size_t{1}, options.round_turns);
  return options;
}

}  // namespace

void FiberScheduler::FreeBlocks::operator()(std::byte* blocks) const {
  ::operator delete (blocks, std::align_val_t{kBlockAlignment});
}

FiberScheduler::FiberScheduler(const TickClock& clock, FiberOptions options)
    : clock_(clock),
      options_(Checked(std::move(options))),
      meter_(clock, options_.ticks, options_.budget),
      accounts_(options_.names),
      block_bytes_(sizeof(Record) + options_.frame_bytes),
      blocks_(static_cast<std::byte*>(
          ::operator new (options_.fibers* block_bytes_, std::align_val_t{kBlockAlignment}))),
      timers_(clock.NowNanos()) {
  // Touches every page, so that no fiber has to.
  std::memset(blocks_.get(), 0, options_.fibers * block_bytes_);
  for (size_t i = options_.fibers; i > 0; --i) {
    Record* const record = ::new (static_cast<void*>(&BlockAt(i - 1))) Record;
    record->next_listed = std::exchange(free_, record);
  }
}

FiberScheduler::~FiberScheduler() {
  BITACTOR_CHECK(current_ == nullptr);
  closing_ = true;
  VisitLive([this](const Record& record, int) {
    if (options_.on_leak) {
      options_.on_leak(record.name, record.waits_for);
    } else {
      std::fprintf(stderr, "bitactor: fiber %s has not ended; it waits for %s\n", record.name,
                   record.waits_for);
    }
  });
  CancelAll();
  for (size_t i = 0; i < options_.fibers; ++i) {
    Record& record = BlockAt(i);
    if (record.handle != nullptr) {
      std::exchange(record.handle, nullptr)->record_ = nullptr;
      Cancel(record, FiberEnd::kCancelled);
    }
  }
  // Nobody is left to take these turns.
  while (ready_head_ != nullptr) RunTurns();
  for (size_t i = 0; i < options_.fibers; ++i) std::destroy_at(&BlockAt(i));
}

FiberScheduler::Record& FiberScheduler::BlockAt(size_t index) const {
  return *reinterpret_cast<Record*>(blocks_.get() + index * block_bytes_);
}

FiberScheduler::Record* FiberScheduler::TakeBlock() {
  if (free_ == nullptr || closing_) return nullptr;
  Record* const record = free_;
  free_ = std::exchange(record->next_listed, nullptr);
  record->scheduler = this;
  return record;
}

void FiberScheduler::FreeIfUnused(Record& record) {
  if (record.state != Record::State::kEnded || record.handle != nullptr || record.ready ||
      record.cancel_pending)
    return;
  const bool unjoined = record.end == FiberEnd::kFailed && !record.joined;
  const char* const name = record.name;
  std::exception_ptr error = std::move(record.error);
  std::destroy_at(&record);
  ::new (static_cast<void*>(&record)) Record;
  record.next_listed = std::exchange(free_, &record);
  if (!unjoined) return;
  ++counters_.failed_unjoined;
  if (options_.on_failure) options_.on_failure(name, std::move(error));
}

SpawnResult FiberScheduler::Spawn(const char* name, Fiber&& fiber) {
  const SpawnResult result = Spawn(name, fiber);
  if (result == SpawnResult::kOk) std::exchange(fiber.record_, nullptr)->handle = nullptr;
  return result;
}

SpawnResult FiberScheduler::Spawn(const char* name, Fiber& fiber) {
  if (fiber.record_ == nullptr) return fiber.refusal_;
  Record& record = *fiber.record_;
  BITACTOR_CHECK(record.scheduler == this);
  if (record.state != Record::State::kCreated) return SpawnResult::kNotAFiber;
  record.name = name;
  record.account = &accounts_.Open(name);
  record.state = Record::State::kLive;
  LinkChild(current_ != nullptr ? *current_ : root_, record);
  ++counters_.spawned;
  ++counters_.alive;
  MakeReady(record, "its first turn");
  return SpawnResult::kOk;
}

void FiberScheduler::LinkChild(Record& parent, Record& child) {
  child.parent = &parent;
  child.older = std::exchange(parent.last_child, &child);
  if (child.older != nullptr) child.older->younger = &child;
}

void FiberScheduler::UnlinkChild(Record& child) {
  if (child.parent == nullptr) return;
  if (child.older != nullptr) child.older->younger = child.younger;
  if (child.younger != nullptr) {
    child.younger->older = child.older;
  } else {
    child.parent->last_child = child.older;
  }
  child.parent = child.older = child.younger = nullptr;
}

size_t FiberScheduler::Poll() {
  BITACTOR_CHECK(current_ == nullptr);
  size_t work = 0;
  if (timers_.size() != 0) work += timers_.Advance(clock_.NowNanos());
  if (conditions_.linked()) work += CheckConditions();
  return work + RunTurns();
}

uint64_t FiberScheduler::NextDeadlineNs() {
  uint64_t next_ns = timers_.NextDeadlineNs();
  if (conditions_.linked()) next_ns = std::min(next_ns, clock_.NowNanos() + options_.condition_ns);
  return next_ns;
}

size_t FiberScheduler::CheckConditions() {
  size_t held = 0;
  busy_ = true;  // what is cancelled now may be the next node
  internal::WaitNode* node = conditions_.next;
  while (node != &conditions_) {
    auto& condition = static_cast<internal::ConditionNode&>(*node);
    node = node->next;
    if (!condition.Holds()) continue;
    condition.Unlink();
    MakeReady(*condition.fiber, "its turn");
    ++held;
  }
  busy_ = false;
  CancelPending();
  return held;
}

size_t FiberScheduler::RunTurns() {
  const size_t turns = std::min(ready_count_, options_.round_turns);
  if (turns == 0) return 0;
  meter_.Begin(clock_.Now());
  for (size_t i = 0; i < turns; ++i) {
    Record& record = *ready_head_;
    ready_head_ = record.next_ready;
    if (ready_head_ == nullptr) ready_tail_ = &ready_head_;
    --ready_count_;
    record.ready = false;
    if (record.state == Record::State::kLive) [[likely]] {
      RunTurn(record);
    } else {
      FreeIfUnused(record);
    }
  }
  if (!meter_.empty()) meter_.Close(clock_.Now());
  return turns;
}

void FiberScheduler::RunTurn(Record& record) {
  ++counters_.turns;
  // It may be gone after its turn.
  const char* const name = record.name;
  HandlerStats& stats = record.account->stats;
  if (record.timed) {
    if (!meter_.empty()) meter_.Close(clock_.Now());
    record.turn_start = meter_.start_cycles();
  }
  current_ = &record;
  record.frame.resume();
  current_ = nullptr;
  if (record.frame.done()) End(record, record.error ? FiberEnd::kFailed : FiberEnd::kDone);
  if (pending_ != nullptr) [[unlikely]]
    CancelPending();
  const bool alone = options_.on_overrun != nullptr;
  if (!meter_.Add(stats) && !alone) return;
  const BatchMeter::Batch batch = meter_.Close(clock_.Now());
  if (!alone || !batch.over) return;
  options_.on_overrun(name, meter().TicksBegun(batch.cycles));
  meter_.Begin(clock_.Now());  // the report is nobody's time
}

bool FiberScheduler::TurnIsOver() {
  BITACTOR_CHECK(current_ != nullptr);
  const uint64_t now = clock_.Now();
  if (!current_->timed) {
    current_->timed = true;
    current_->turn_start = now;
    return false;
  }
  if (now < current_->turn_start) return false;  // the clock stepped back
  if (!meter().IsOver(now - current_->turn_start)) return false;
  ++counters_.yields_over_budget;
  return true;
}

internal::SleepAwaiter FiberScheduler::Sleep(uint64_t duration_ns) {
  const uint64_t now_ns = clock_.NowNanos();
  return internal::SleepAwaiter(now_ns + std::min(duration_ns, TimerWheel::kNever - now_ns));
}

void FiberScheduler::Cancel(Record& record, FiberEnd as) {
  if (record.state == Record::State::kEnded) return FreeIfUnused(record);
  if (busy_ || record.IsSelfOrAncestorOf(current_)) {
    if (record.cancel_pending || record.state == Record::State::kEnding) return;
    record.cancel_pending = true;
    record.cancel_as = as;
    record.next_listed = std::exchange(pending_, &record);
    return;
  }
  End(record, as);
  CancelPending();
}

void FiberScheduler::CancelPending() {
  Record* kept = nullptr;
  while (pending_ != nullptr) {
    Record& record = *pending_;
    pending_ = std::exchange(record.next_listed, nullptr);
    if (record.state != Record::State::kEnded && record.IsSelfOrAncestorOf(current_)) {
      record.next_listed = std::exchange(kept, &record);
      continue;
    }
    record.cancel_pending = false;
    if (record.state == Record::State::kEnded) {
      FreeIfUnused(record);
    } else {
      End(record, record.cancel_as);
    }
  }
  pending_ = kept;
}

void FiberScheduler::CancelAll() {
  // Youngest first; what is under way may not go yet, nor those before it in its line.
  for (Record* record = root_.last_child; record != nullptr;) {
    Cancel(*record, FiberEnd::kCancelled);
    record = root_.last_child;
    while (record != nullptr && (record->cancel_pending || record->state == Record::State::kEnding))
      record = record->older;
  }
}

// Never runs inside itself: what the destructors of a frame cancel is pending until all is done, as
// it may be one of those that are being ended.
void FiberScheduler::End(Record& record, FiberEnd as) {
  busy_ = true;
  Record* leaf = &record;
  for (bool done = false; !done;) {
    while (leaf->last_child != nullptr) leaf = leaf->last_child;
    Record* const parent = leaf->parent;
    done = leaf == &record;
    EndAlone(*leaf, done ? as : FiberEnd::kCancelled);
    leaf = parent;
  }
  busy_ = false;
}

void FiberScheduler::EndAlone(Record& record, FiberEnd as) {
  const bool was_spawned = record.state == Record::State::kLive;
  record.state = Record::State::kEnding;
  timers_.Cancel(record);
  record.frame.destroy();
  record.frame = nullptr;
  record.end = as;
  record.state = Record::State::kEnded;
  UnlinkChild(record);
  if (was_spawned) CountEnd(as);
  ++ends_;
  while (record.joiners.linked()) {
    auto& joiner = static_cast<internal::JoinNode&>(*record.joiners.next);
    joiner.Unlink();
    joiner.result = {as, record.error};
    joiner.ended_nth = ends_;
    record.joined = true;
    MakeReady(*joiner.fiber, "its turn");
  }
  FreeIfUnused(record);
}

void FiberScheduler::CountEnd(FiberEnd end) {
  --counters_.alive;
  switch (end) {
    case FiberEnd::kDone:
      ++counters_.done;
      break;
    case FiberEnd::kFailed:
      ++counters_.failed;
      break;
    case FiberEnd::kDeadline:
      ++counters_.deadline;
      break;
    default:
      ++counters_.cancelled;
  }
}

// Parents before children, older before younger.
template <typename Visit>
void FiberScheduler::VisitLive(const Visit& visit) const {
  const auto oldest_child = [](const Record& parent) {
    const Record* child = parent.last_child;
    while (child != nullptr && child->older != nullptr) child = child->older;
    return child;
  };
  int depth = 0;
  for (const Record* record = oldest_child(root_); record != nullptr;) {
    visit(*record, depth);
    if (const Record* child = oldest_child(*record)) {
      record = child;
      ++depth;
      continue;
    }
    while (record->younger == nullptr && record->parent != &root_) {
      record = record->parent;
      --depth;
    }
    record = record->younger;
  }
}

FiberCounters FiberScheduler::counters() const {
  FiberCounters sum = counters_;
  sum.suspicions = meter_.suspicions();
  for (const internal::FiberAccount& account : accounts_.all()) {
    sum.overruns += account.stats.overruns;
    sum.worst_ticks = std::max(sum.worst_ticks, account.stats.worst_ticks);
  }
  return sum;
}

std::string FiberScheduler::Report() const {
  const FiberCounters c = counters();
  std::string text = absl::StrFormat(
      "fibers: %u spawned, %u done, %u failed (%u unjoined), %u cancelled, %u past their deadline, "
      "%u alive\nrefused: %u exhausted, %u frame too large (largest: %u bytes)\nturns: %u, budget "
      "%u ticks: %u overruns, worst %u ticks, %u batches suspected, %u yields over budget\n",
      c.spawned, c.done, c.failed, c.failed_unjoined, c.cancelled, c.deadline, c.alive,
      c.refused_exhausted, c.refused_frame_too_large, c.frame_bytes_max, c.turns,
      meter().budget().count(), c.overruns, c.worst_ticks, c.suspicions, c.yields_over_budget);
  VisitLive([&text](const Record& record, int depth) {
    absl::StrAppendFormat(&text, "%*s%s waits for %s\n", 2 * depth + 2, "", record.name,
                          record.waits_for);
  });
  for (const auto& [name, stats] : accounts_.all()) {
    if (stats.dispatches == 0) continue;
    absl::StrAppendFormat(
        &text, "turns of %s: %u; %.2f ticks a turn, worst %u; %u overruns, %u suspected\n", name,
        stats.dispatches, meter().MeanTicks(stats), stats.worst_ticks, stats.overruns,
        stats.suspected);
  }
  return text;
}

}  // namespace bitactor
