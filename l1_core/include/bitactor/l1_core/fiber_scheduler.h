// Fibers: coroutines that an engine runs beside its signals.
#ifndef BITACTOR_L1_CORE_FIBER_SCHEDULER_H_
#define BITACTOR_L1_CORE_FIBER_SCHEDULER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "bitactor/l1_core/batch_meter.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/fiber.h"
#include "bitactor/l1_core/fiber_accounts.h"
#include "bitactor/l1_core/fiber_waits.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l1_core/ticks.h"
#include "bitactor/l1_core/timer_wheel.h"

namespace bitactor {

struct FiberOptions {
  // Fibers at once, 1 to 2^20; one that has ended counts until its handle has gone.
  size_t fibers = 1024;
  size_t frame_bytes = 2048;  // of the largest coroutine frame, a multiple of 64, 64 to 65,536
  Ticks budget{8};            // of a turn, 1 to 10^9
  TickConfig ticks = {};
  size_t round_turns = 256;  // most turns in one Poll(), at least 1
  // An engine that sleeps wakes this often while a fiber waits in Until() or Push(), whose
  // conditions nobody announces.
  uint64_t condition_ns = 50'000;
  size_t names = 64;  // whose turns are counted each by itself, 1 to 65,536; all others together
  // A turn over budget. With it every turn is metered by itself, a clock reading each. Must not
  // throw. Null: counted only.
  std::function<void(const char* name, Ticks used)> on_overrun = nullptr;
  // A fiber that failed and was not joined by anybody. Must not throw. Null: counted only.
  std::function<void(const char* name, std::exception_ptr error)> on_failure = nullptr;
  // A fiber that has not ended when its scheduler goes. Must not throw. Null: a line on standard
  // error.
  std::function<void(const char* name, const char* waits_for)> on_leak = nullptr;
};

// spawned = done + failed + cancelled + deadline + alive.
struct FiberCounters {
  uint64_t spawned = 0;
  uint64_t done = 0;
  uint64_t failed = 0;
  uint64_t failed_unjoined = 0;  // of these, those whose error nobody was given
  uint64_t cancelled = 0;
  uint64_t deadline = 0;
  uint64_t alive = 0;
  uint64_t refused_exhausted = 0;
  uint64_t refused_frame_too_large = 0;
  uint64_t frame_bytes_max = 0;  // the largest frame asked for, refused or not
  uint64_t turns = 0;
  uint64_t overruns = 0;     // turns over budget
  uint64_t suspicions = 0;   // batches of turns that may hide one more each (BatchMeter)
  uint64_t worst_ticks = 0;  // of a turn, started ticks included; of no suspected one
  uint64_t yields_over_budget = 0;
};

// Runs fibers in turns: a turn lasts until the fiber waits or ends.
//
//   Fiber Ping(FiberScheduler& fibers, Engine& engine) {
//     co_await fibers.Sleep(1'000'000);
//     co_await fibers.Push(engine, Signal::Of(kPing));         // waits while the queue is full
//   }
//   Fiber Main(FiberScheduler& fibers, Engine& engine) {
//     Fiber ping = Ping(fibers, engine);
//     if (fibers.Spawn("ping", ping) != SpawnResult::kOk) co_return;
//     ping.SetDeadline(fibers.now_ns() + 5'000'000);
//     FiberResult result = co_await fibers.Join(ping);         // kDone, kDeadline, kFailed ...
//   }                                                          // what still runs is cancelled
//   ...
//   FiberScheduler fibers(engine.clock());
//   engine.AddPoller(&fibers);
//   fibers.Spawn("main", Main(fibers, engine));
//
// Order: fibers get their turns in the order in which they became ready. A round gives one turn to
//   each that was ready when it began; timers, then conditions come before. So a fiber that yields
//   lets all others and the engine's signals go first.
// Threads: one, the engine's.
// Progress: Poll() never blocks; a fiber that does not wait holds the engine.
// Bounds: FiberOptions::fibers and frame_bytes; all memory is taken at construction. A fiber beyond
//   is refused and counted.
// Ownership: a fiber spawned by another is its child. A fiber that ends or is cancelled cancels its
//   children first: no child outlives its parent. When the body returns or throws, though, its
//   locals go before children whose handles it does not hold: these must not use the locals.
//   The clock is the caller's and outlives the scheduler. Engine and scheduler go in any order, if
//   the engine does not poll any more.
// Errors: an exception that leaves a body ends that fiber alone and is given to who joins it, else
//   counted and reported. Nothing but what this header and signal_arrival.h offer may be awaited
//   in a fiber.
// Cost: a turn is a queue operation and an indirect call each way. The clock is read where a round's
//   turns begin and end, between them for each eight (BatchMeter), in rounds in which a timer is
//   armed, in turns of fibers that use YieldIfOver(), and by Sleep().
// Metering: a turn is charged to its fiber's name, with the destructors that run when it ends or
//   cancels; what Until() asks and timers are not. Preemption counts as the fiber's own doing.
class FiberScheduler final : public Poller {
 public:
  // REQUIRES: options in their ranges.
  explicit FiberScheduler(const TickClock& clock, FiberOptions options = {});
  // Reports fibers that have not ended, then cancels them.
  ~FiberScheduler() override;
  FiberScheduler(const FiberScheduler&) = delete;
  FiberScheduler& operator=(const FiberScheduler&) = delete;

  // Starts a fiber: its first turn comes in the next round. It is a child of the one that is
  // running, if any. `name` is kept, not copied: a literal.
  // Given a temporary, the scheduler keeps it; given a handle, that remains the owner.
  SpawnResult Spawn(const char* name, Fiber&& fiber);
  SpawnResult Spawn(const char* name, Fiber& fiber);
  // Cancels every fiber, as before a shutdown that shall report no leaks. From inside a fiber it
  // takes effect for that one and its ancestors when it next suspends.
  void CancelAll();

  // What follows is awaited by fibers of this scheduler.

  // Goes to the end of the run queue.
  internal::YieldAwaiter Yield() { return {}; }
  // Yields if this turn has used more than its budget, and says whether it did. Costs a clock
  // reading. A fiber's turns are measured from its first call on.
  internal::BudgetAwaiter YieldIfOver() { return internal::BudgetAwaiter(*this); }
  // Waits for so long, or until a moment of the clock; never shorter. Lets others go first even if
  // that has passed.
  internal::SleepAwaiter Sleep(uint64_t duration_ns);
  internal::SleepAwaiter SleepUntil(uint64_t deadline_ns) {
    return internal::SleepAwaiter(deadline_ns);
  }
  // Waits until `child` has ended and says how; at once if it has, or never ran. Any number of
  // fibers may join one. REQUIRES: the handle stays where it is meanwhile.
  internal::JoinAwaiter Join(Fiber& child) { return internal::JoinAwaiter(child); }
  // The same with a deadline, at which the child is cancelled.
  internal::JoinAwaiter Join(Fiber& child, uint64_t deadline_ns) {
    child.SetDeadline(deadline_ns);
    return internal::JoinAwaiter(child);
  }
  // Waits until the first of them has ended and cancels the others.
  template <typename... Fibers>
  auto Race(Fibers&... fibers) {
    return internal::RaceAwaiter<sizeof...(Fibers)>(
        std::array<Fiber*, sizeof...(Fibers)>{&fibers...});
  }
  // Waits until `condition()` is true, which is asked at once and then once a round. Rethrows what
  // it throws. `what`: for reports, a literal.
  template <typename Condition>
  internal::UntilAwaiter<Condition> Until(const char* what, Condition condition) {
    return internal::UntilAwaiter<Condition>(what, std::move(condition));
  }
  // Waits for room in the queue of an engine and pushes, once; each attempt that finds it full is
  // one of the engine's counted refusals. As Until(), fit for any thread's engine. Gives the
  // PushResult, never kFull.
  template <typename Target>
  internal::PushAwaiter<Target> Push(Target& target, const Signal& signal) {
    return internal::PushAwaiter<Target>(target, signal);
  }

  // Poller.
  size_t Poll() override;
  bool HasWork() override { return ready_count_ != 0; }
  uint64_t NextDeadlineNs() override;

  uint64_t now_ns() const { return clock_.NowNanos(); }
  FiberCounters counters() const;
  // The turns of all fibers of this name; null when none was spawned, or beyond FiberOptions::names.
  const HandlerStats* StatsOf(std::string_view name) const {
    const internal::FiberAccount* account = accounts_.Find(name);
    return account != nullptr ? &account->stats : nullptr;
  }
  const DispatchMeter& meter() const { return meter_.dispatch_meter(); }
  // For people: the counters, what each fiber waits for, what turns cost by name.
  std::string Report() const;

 private:
  friend class Fiber;
  friend class SignalArrival;
  friend class internal::YieldAwaiter;
  friend class internal::BudgetAwaiter;
  friend class internal::SleepAwaiter;
  friend class internal::ConditionNode;
  friend class internal::RaceAwaiterBase;
  friend struct internal::FiberRecord;
  friend void* internal::AllocateFiberFrame(FiberScheduler&, size_t) noexcept;
  using Record = internal::FiberRecord;

  struct FreeBlocks {
    void operator()(std::byte* blocks) const;
  };

  Record& BlockAt(size_t index) const;
  Record* TakeBlock();
  void FreeIfUnused(Record& record);
  void MakeReady(Record& record, const char* waits_for) {
    if (record.ready || record.state != Record::State::kLive) return;
    record.ready = true;
    record.waits_for = waits_for;
    record.next_ready = nullptr;
    *ready_tail_ = &record;
    ready_tail_ = &record.next_ready;
    ++ready_count_;
  }
  size_t CheckConditions();
  size_t RunTurns();
  void RunTurn(Record& record);
  bool TurnIsOver();
  static void LinkChild(Record& parent, Record& child);
  static void UnlinkChild(Record& child);
  void Cancel(Record& record, FiberEnd as);
  void CancelPending();
  void End(Record& record, FiberEnd as);
  void EndAlone(Record& record, FiberEnd as);
  void CountEnd(FiberEnd end);
  template <typename Visit>
  void VisitLive(const Visit& visit) const;

  const TickClock& clock_;
  const FiberOptions options_;
  BatchMeter meter_;
  internal::FiberAccounts accounts_;
  const size_t block_bytes_;
  const std::unique_ptr<std::byte, FreeBlocks> blocks_;

  Record* current_ = nullptr;  // whose turn it is
  Record* ready_head_ = nullptr;
  Record** ready_tail_ = &ready_head_;
  size_t ready_count_ = 0;
  TimerWheel timers_;
  internal::WaitNode conditions_;
  Record* free_ = nullptr;
  Record* pending_ = nullptr;  // to be cancelled when nothing stands in the way
  bool busy_ = false;          // with what a cancellation could pull away: it is pending
  bool closing_ = false;
  Record root_;
  uint64_t ends_ = 0;
  FiberCounters counters_;
};

namespace internal {

inline void YieldAwaiter::await_suspend(FiberHandle fiber) const noexcept {
  FiberRecord& record = *fiber.promise().record();
  record.scheduler->MakeReady(record, "its turn");
}

}  // namespace internal

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_FIBER_SCHEDULER_H_
