// The engine: one thread's loop over signals and pollers.
#ifndef BITACTOR_L1_CORE_ENGINE_H_
#define BITACTOR_L1_CORE_ENGINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/batch_meter.h"
#include "bitactor/l1_core/dispatch_table.h"
#include "bitactor/l1_core/heartbeat.h"
#include "bitactor/l1_core/mpsc_signal_queue.h"
#include "bitactor/l1_core/parking_spot.h"
#include "bitactor/l1_core/preemption_witness.h"
#include "bitactor/l1_core/priority_signal_queues.h"
#include "bitactor/l1_core/set_aside.h"
#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/signal_queue.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l1_core/ticks.h"
#include "bitactor/l1_core/zero_tick.h"
#include "bitactor/l1_core/zero_tick_pass.h"

namespace bitactor {

// A source of work that an engine drives beside its own signals.
//
// Threads: the engine's alone. No exception leaves its methods.
class Poller {
 public:
  static constexpr uint64_t kNoDeadline = std::numeric_limits<uint64_t>::max();

  virtual ~Poller() = default;

  // One bounded round; returns the work seen. Called once per Engine::Poll().
  virtual size_t Poll() = 0;
  // Whether the next Poll() would find something. Asked before the engine sleeps: who makes this
  // true from another thread publishes first and calls Engine::Wake() if the engine is parked().
  virtual bool HasWork() = 0;
  // When Poll() is needed even if nobody wakes the engine, in nanoseconds of the engine's clock.
  virtual uint64_t NextDeadlineNs() { return kNoDeadline; }
};

class Engine;
class SignalProducer;

// What Run() does with what is queued when it is asked to stop.
enum class StopPolicy : uint8_t {
  kDrain,  // handles it, but not what is pushed later
  kLeave,  // leaves it: Run() says how much, and a later Run() or Poll() goes on with it
};

// What Push() does with a signal of a kind that nobody registered.
enum class UnhandledPolicy : uint8_t {
  kRefuse,  // refuses it: PushResult::kUnknownKind
  kBypass,  // counts it as Bypass::kUnhandled, at the price of a look-up; it is not queued
};

struct EngineOptions {
  size_t queue_capacity = SignalQueue::kDefaultCapacity;  // signals, a power of two, 2 to 2^20
  // Threads that push through a SignalProducer, beside the one that calls Push(): 0 to 1,024. With
  // any, four more queues of that capacity, one per priority, are made.
  size_t producers = 0;
  Ticks budget{8};  // of one dispatch, 1 to 10^9
  TickConfig ticks = {};
  // Injected time; null: the engine makes its own, which takes 0.2 ms. Must outlive the engine.
  const TickClock* clock = nullptr;
  size_t kinds = 256;  // signals are of kind 0 to kinds - 1; 1 to 65,536
  UnhandledPolicy unhandled = UnhandledPolicy::kRefuse;
  // Most signals resolved in one Poll(), at least 1; with producers, theirs and so many others.
  size_t round_signals = 256;
  uint32_t idle_pauses = 64;  // rounds without work before Run() yields the processor,
  uint32_t idle_yields = 16;  // and yields before it sleeps
  // Called on the engine's thread for overruns of handlers with OverrunPolicy::kReport. Must not
  // throw.
  std::function<void(SignalKind, Ticks used)> on_overrun = nullptr;
  // The processor that Run() keeps its thread on; none: any. Engine::placement() says whether it
  // could be had.
  std::optional<int> cpu = std::nullopt;
  // Called by Run() on its thread before its first and after its last round. Must not throw.
  std::function<void(Engine&)> on_start = nullptr;
  std::function<void(Engine&)> on_stop = nullptr;
  StopPolicy stop_policy = StopPolicy::kDrain;
};

// What a handler may use while it runs.
class Context {
 public:
  // When this dispatch began, in nanoseconds of the engine's clock, or when the first one began of
  // those that are metered together with it (BatchMeter).
  uint64_t now_ns() const;
  // As Engine::Push(), for engines whose only producer is their own thread.
  PushResult Push(const Signal& signal);

 private:
  friend class Engine;
  Context(Engine& engine, uint64_t start_cycles) : engine_(engine), start_cycles_(start_cycles) {}

  Engine& engine_;
  const uint64_t start_cycles_;
};

// What remains to be said about a handler: engine.On(...).ZeroTick(...).OnOverrun(...). Of a
// refused registration every call is ignored. Not to be kept.
class HandlerSetup {
 public:
  RegisterResult result() const { return result_; }
  // Filters that resolve signals without running the handler (zero_tick.h). Further ones add up; a
  // second one of the same cause replaces the first.
  template <typename... Filters>
  HandlerSetup& ZeroTick(const Filters&... filters) {
    if (entry_ == nullptr) return *this;
    if (entry_->filters == nullptr) entry_->filters = std::make_unique<ZeroTickPass>();
    (entry_->filters->Add(filters), ...);
    return *this;
  }
  HandlerSetup& OnOverrun(OverrunPolicy policy) {
    if (entry_ != nullptr) entry_->on_overrun = policy;
    return *this;
  }

 private:
  friend class Engine;
  HandlerSetup(RegisterResult result, DispatchTable::Entry* entry)
      : result_(result), entry_(entry) {}

  const RegisterResult result_;
  DispatchTable::Entry* const entry_;
};

// Sums over all kinds; by kind: Engine::CountersOf().
// pushed = dispatched + bypassed.total() + unregistered + queued.
struct EngineCounters {
  uint64_t pushed = 0;
  uint64_t refused_full = 0;
  uint64_t refused_unknown_kind = 0;
  uint64_t refused_bad_size = 0;
  uint64_t refused_registrations = 0;
  uint64_t dispatched = 0;
  uint64_t unregistered = 0;  // queued when their kind was unregistered, and dropped
  BypassCounts bypassed;
  uint64_t queued = 0;  // of these set_aside in debt
  uint64_t set_aside = 0;
  uint64_t overruns = 0;
  uint64_t exonerated = 0;  // overruns of reporting handlers that preemption explains
  // Batches of several dispatches that together were over the budget of one: each may hide one
  // overrun, whose handler is unknown (BatchMeter).
  uint64_t suspicions = 0;
  uint64_t faults = 0;
};

// Order: signals are handled in the order in which they were pushed, but those of a kind in debt
//   come later (in their order). A round takes those of the pollers first, in the order of
//   AddPoller(), then those of SignalProducers by priority, then those of Push().
// Fairness: with OverrunPolicy::kDebt, over R rounds in which others are handled, what a kind has
//   set aside is given at most R budgets and one dispatch. So a signal of another kind waits for
//   the signals of others before it, and for that.
// Threads: one, the engine's, calls everything but: Push() and PushBatch(), by one producer thread
//   at a time (the engine's or another); AddProducer(), parked() and Wake(), by any. Set-up happens
//   before the first Poll() and the first push.
// Progress: Poll() never blocks; Run() sleeps when idle, using no processor, and no wake-up is
//   lost.
// Bounds: queue_capacity signals wait in a queue; a full one refuses. Nothing is allocated after
//   set-up.
// Ownership: signals are copied in; pollers and the clock are the caller's and outlive the engine.
// Errors: refusals are typed and counted. A handler that throws is counted as a fault, its signal
//   dropped, and the engine goes on.
// Cost: one clock reading for up to eight dispatches (BatchMeter); a bypassed signal reads none,
//   but filters that ask for the time read it once a round.
class Engine {
 public:
  // REQUIRES: options in their ranges.
  explicit Engine(EngineOptions options = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Set-up, before the first Poll().
  HandlerSetup On(SignalKind kind, SignalHandler handler);
  // A handler that nobody would notice is not kept.
  template <typename Handler>
  requires kEffectFree<std::decay_t<Handler>> HandlerSetup On(SignalKind kind, Handler&&) {
    return Registered(kind, table_.SetBypassed(kind, Bypass::kEffectFree));
  }
  // Signals of this kind cost nothing: taken, counted, dropped.
  RegisterResult Ignore(SignalKind kind);
  // Engine's thread, at any time: the kind is unknown from now on. What is queued of it is dropped
  // and counted when its turn comes; its counts stay. kOutOfRange or kNotFound change nothing.
  RegisterResult Unregister(SignalKind kind);
  // Drives `poller` from now on.
  void AddPoller(Poller* poller) { pollers_.push_back(poller); }

  // Producer: copies `signal` into the queue, and wakes the engine if it sleeps.
  PushResult Push(const Signal& signal);

  // Producer: as Push(Signal::Of(kind, value)), built where it will lie; about 5 ns less.
  template <typename T>
  PushResult Push(SignalKind kind, const T& value) {
    if (!table_.Knows(kind)) [[unlikely]]
      return PushUnknown();
    return WakeAfter(queue_.Emplace(kind, value));
  }

  // Producer: as many of the first `signals` as there is room for; the rest is refused, of which one
  // of an unknown kind or a bad size is counted once and stops the batch.
  BatchPushResult PushBatch(std::span<const Signal> signals);

  // Any thread: a place for one more producer (signal_producer.h). kFailedPrecondition: none were
  // declared in EngineOptions::producers. kResourceExhausted: all that were declared are there.
  absl::StatusOr<SignalProducer> AddProducer();

  // One bounded round over all pollers and queues; returns the work seen.
  size_t Poll();
  // Polls until a round sees no work; returns all the work seen.
  size_t Drain();
  // Polls until `stop` is requested; idle, it goes down the ladder pause, yield, sleep. Then it does
  // what EngineOptions::stop_policy says. Returns how many signals it left.
  size_t Run(std::stop_token stop);
  // What became of EngineOptions::cpu. Written when Run() begins; read it there or after.
  const absl::Status& placement() const { return placement_; }

  // Any thread: whether Run() sleeps or is about to. A producer publishes, then asks.
  bool parked() const { return parking_.parked(); }
  // Any thread: makes Run() look for work again.
  void Wake() { parking_.Wake(); }
  uint64_t sleeps() const { return parking_.sleeps(); }

  const TickClock& clock() const { return *clock_; }
  const DispatchMeter& meter() const { return meter_.dispatch_meter(); }
  // For a Watchdog: what this engine is doing.
  const Heartbeat& heartbeat() const { return heartbeat_; }
  EngineCounters counters() const;
  // The counts of one kind, or null when it is not registered.
  const DispatchTable::Entry* CountersOf(SignalKind kind) const {
    return table_.Knows(kind) ? &table_.At(kind) : nullptr;
  }
  // For people: dispatched, bypassed by cause, ticks per signal, overruns, by kind.
  std::string Report() const;

 private:
  friend class Context;
  friend class SignalProducer;
  using Inlet = PrioritySignalQueues<MpscSignalQueue>;

  // Producer: refuses or bypasses a signal of a kind that is not registered, and counts it.
  PushResult PushUnknown();
  // Producer: pushes to `queue` what comes before the first signal of a kind that is not registered,
  // which is refused.
  template <typename Queue>
  BatchPushResult PushBatchTo(Queue& queue, std::span<const Signal> signals) {
    size_t known = 0;
    while (known < signals.size() && table_.Knows(signals[known].kind)) ++known;
    BatchPushResult batch = queue.PushBatch(signals.first(known));
    if (batch.taken > 0) WakeAfter(PushResult::kOk);
    if (batch.taken < signals.size() && batch.taken == known) batch.result = PushUnknown();
    return batch;
  }
  // Producer: a sleeping engine hears of what was queued.
  PushResult WakeAfter(PushResult result) {
    if (result == PushResult::kOk && parked()) [[unlikely]]
      Wake();
    return result;
  }
  // The first round: registrations end, and what they need is allocated.
  void Start();
  HandlerSetup Registered(SignalKind kind, RegisterResult result);
  size_t DispatchRound();
  size_t TakeFromInlet(bool& others_were_handled);
  size_t TakeFromQueue(bool& others_were_handled);
  // Handles a signal or sets it aside; false: there is no room for that, it stays where it is.
  bool Take(const Signal& signal, bool& others_were_handled);
  void Dispatch(const Signal& signal, DispatchTable::Entry& entry);
  bool Resolve(const Signal& signal, DispatchTable::Entry& entry);
  void NoteBypass();
  // What is done with an overrun of a dispatch that was metered alone.
  void ActOnOverrun(SignalKind kind, DispatchTable::Entry& entry, uint64_t cycles);
  bool MustWait(const DispatchTable::Entry& entry) const {
    return entry.debt_cycles > 0 || !entry.set_aside.empty();
  }
  // The round's end for kinds in debt; returns how many of their signals it handled.
  size_t PayDebts(bool others_were_handled);
  void DrainWhatIsQueued();
  size_t queued() const;
  bool HasWork();
  void Park(const std::stop_token& stop);

  const EngineOptions options_;
  const std::unique_ptr<const TickClock> own_clock_;
  const TickClock* const clock_;
  BatchMeter meter_;
  std::vector<Poller*> pollers_;
  DispatchTable table_;
  SignalQueue queue_;
  const std::unique_ptr<Inlet> inlet_;  // of the producers; null: none were declared
  internal::SetAside set_aside_;        // of queue_capacity places where a kind can be in debt
  // What is left of a debtor's budget of this round for a dispatch at its end. Before that it is 0:
  // the round's end pays.
  uint64_t round_allowance_cycles_ = 0;
  std::vector<SignalKind> debtors_;           // kinds that owe or have signals set aside
  std::optional<PreemptionWitness> witness_;  // of the thread that polls
  absl::Status placement_;
  uint64_t refused_registrations_ = 0;
  RoundTime round_time_;
  uint32_t since_boundary_ = 0;  // signals bypassed since the last dispatch of this round
  uint64_t rounds_ = 0;
  Heartbeat heartbeat_;
  internal::ParkingSpot parking_;
  // Written by producers.
  alignas(kCacheLineBytes) std::atomic<uint64_t> refused_unknown_kind_{0};
  std::atomic<uint64_t> bypassed_unhandled_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_ENGINE_H_
