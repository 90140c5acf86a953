#include "bitactor/l1_core/engine.h"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/placement.h"

namespace bitactor {
namespace {

// So many bypassed signals (about 3 ns each) are charged to the next dispatch at most.
constexpr uint32_t kMaxUnmeteredBypasses = 4;

// A busy engine asks this seldom whether its clock is due for a comparison, an idle one before it
// sleeps.
constexpr uint64_t kRoundsPerRecheck = 4096;

EngineOptions Checked(EngineOptions options) {
  BITACTOR_CHECK(std::has_single_bit(options.queue_capacity));
  BITACTOR_CHECK_LE(options.queue_capacity, size_t{1} << 20);
  BITACTOR_CHECK_LE(size_t{1}, options.round_signals);
  return options;
}

void CpuPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

uint64_t Context::now_ns() const { return engine_.clock_->ToNanos(start_cycles_); }

PushResult Context::Push(const Signal& signal) { return engine_.Push(signal); }

Engine::Engine(EngineOptions options)
    : options_(Checked(std::move(options))),
      own_clock_(options_.clock == nullptr ? std::make_unique<const TickClock>() : nullptr),
      clock_(options_.clock != nullptr ? options_.clock : own_clock_.get()),
      meter_(*clock_, options_.ticks, options_.budget),
      table_(options_.kinds),
      queue_(options_.queue_capacity),
      inlet_(options_.producers > 0
                 ? std::make_unique<Inlet>(options_.queue_capacity, options_.producers)
                 : nullptr),
      round_time_(*clock_) {}

Engine::~Engine() = default;

HandlerSetup Engine::On(SignalKind kind, SignalHandler handler) {
  return Registered(kind, table_.SetHandler(kind, std::move(handler)));
}

HandlerSetup Engine::Registered(SignalKind kind, RegisterResult result) {
  if (result == RegisterResult::kOk) return HandlerSetup(result, &table_.At(kind));
  ++refused_registrations_;
  return HandlerSetup(result, nullptr);
}

RegisterResult Engine::Ignore(SignalKind kind) {
  return Registered(kind, table_.SetBypassed(kind, Bypass::kIgnored)).result();
}

RegisterResult Engine::Unregister(SignalKind kind) {
  const RegisterResult result = table_.Unregister(kind);
  if (result != RegisterResult::kOk) {
    ++refused_registrations_;
    return result;
  }
  DispatchTable::Entry& entry = table_.At(kind);
  for (; !entry.set_aside.empty(); set_aside_.PopFront(entry.set_aside)) ++entry.unregistered;
  entry.debt_cycles = 0;
  return result;
}

PushResult Engine::PushUnknown() {
  const bool bypass = options_.unhandled == UnhandledPolicy::kBypass;
  std::atomic<uint64_t>& count = bypass ? bypassed_unhandled_ : refused_unknown_kind_;
  count.fetch_add(1, std::memory_order_relaxed);  // Relaxed: a statistic.
  return bypass ? PushResult::kOk : PushResult::kUnknownKind;
}

PushResult Engine::Push(const Signal& signal) {
  if (!table_.Knows(signal.kind)) [[unlikely]]
    return PushUnknown();
  return WakeAfter(queue_.TryPush(signal));
}

BatchPushResult Engine::PushBatch(std::span<const Signal> signals) {
  return PushBatchTo(queue_, signals);
}

void Engine::Start() {
  table_.Freeze();
  for (size_t i = 0; i < table_.kinds(); ++i) {
    if (table_.At(static_cast<SignalKind>(i)).on_overrun != OverrunPolicy::kDebt) continue;
    set_aside_ = internal::SetAside(options_.queue_capacity);
    debtors_.reserve(options_.kinds);
    return;
  }
}

size_t Engine::Poll() {
  if (!table_.frozen()) [[unlikely]]
    Start();
  size_t work = 0;
  // By index: a poller may add another one.
  for (size_t i = 0; i < pollers_.size(); ++i) {
    heartbeat_.BeginPoller(i);
    work += pollers_[i]->Poll();
  }
  work += DispatchRound();
  heartbeat_.Rest();
  if (++rounds_ % kRoundsPerRecheck == 0) clock_->Recheck();
  return work;
}

size_t Engine::Drain() {
  size_t total = 0;
  while (const size_t work = Poll()) total += work;
  return total;
}

void Engine::NoteBypass() {
  if (++since_boundary_ == kMaxUnmeteredBypasses && !meter_.empty()) meter_.Close(clock_->Now());
}

// This, Resolve() and Take() are inline in the loops over queues: the compiler by itself leaves two
// calls on every signal's way, 1 ns.
[[gnu::always_inline]] inline void Engine::Dispatch(const Signal& signal,
                                                    DispatchTable::Entry& entry) {
  const bool alone = entry.on_overrun != OverrunPolicy::kObserve;
  if (since_boundary_ >= kMaxUnmeteredBypasses) {
    meter_.Begin(clock_->Now());
  } else if (alone && !meter_.empty()) {
    meter_.Close(clock_->Now());
  }
  since_boundary_ = 0;
  if (alone && witness_.has_value()) witness_->LayMark();
  heartbeat_.BeginHandler(signal.kind);
  Context context(*this, meter_.start_cycles());
  bool threw = false;
  try {
    entry.handler(signal, context);
  } catch (...) {
    threw = true;
  }
  if (threw) [[unlikely]] {
    ++entry.faults;
    if (entry.filters != nullptr) entry.filters->Forget();
  }
  if (!meter_.Add(entry.stats) && !alone) return;
  const BatchMeter::Batch batch = meter_.Close(clock_->Now());
  if (alone && batch.over) [[unlikely]]
    ActOnOverrun(signal.kind, entry, batch.cycles);
}

// Returns whether a handler ran that owes nothing.
[[gnu::always_inline]] inline bool Engine::Resolve(const Signal& signal,
                                                   DispatchTable::Entry& entry) {
  if (entry.route.Get() == DispatchTable::Route::kUnknown) [[unlikely]] {
    ++entry.unregistered;
    NoteBypass();
    return false;
  }
  Bypass cause = entry.always;
  if (entry.filters != nullptr && cause == Bypass::kNone) {
    cause = entry.filters->Check(signal, round_time_);
  }
  if (cause != Bypass::kNone) {
    ++entry.bypassed[cause];
    NoteBypass();
    return false;
  }
  Dispatch(signal, entry);
  return !entry.is_debtor;
}

[[gnu::always_inline]] inline bool Engine::Take(const Signal& signal, bool& others_were_handled) {
  DispatchTable::Entry& entry = table_.At(signal.kind);
  if (MustWait(entry)) [[unlikely]]
    return set_aside_.PushBack(entry.set_aside, signal);
  others_were_handled |= Resolve(signal, entry);
  return true;
}

size_t Engine::DispatchRound() {
  round_time_.BeginRound();
  since_boundary_ = kMaxUnmeteredBypasses;  // the first dispatch reads the clock
  bool others_were_handled = false;
  size_t work = 0;
  if (inlet_ != nullptr) work += TakeFromInlet(others_were_handled);
  work += TakeFromQueue(others_were_handled);
  if (!debtors_.empty()) [[unlikely]]
    work += PayDebts(others_were_handled);
  if (!meter_.empty()) meter_.Close(clock_->Now());
  return work;
}

size_t Engine::TakeFromInlet(bool& others_were_handled) {
  const size_t waiting = inlet_->BeginRound(options_.round_signals);
  size_t taken = 0;
  for (; taken < waiting; ++taken) {
    if (!Take(*inlet_->Next(), others_were_handled)) {
      inlet_->Keep();
      break;
    }
  }
  inlet_->EndRound();
  return taken;
}

size_t Engine::TakeFromQueue(bool& others_were_handled) {
  const uint64_t begin = queue_.head();
  const uint64_t end = queue_.ReadTail(options_.round_signals);
  uint64_t i = begin;
  for (; i < end && Take(queue_.At(i), others_were_handled); ++i) queue_.Release(i + 1);
  return i - begin;
}

size_t Engine::PayDebts(bool others_were_handled) {
  size_t handled = 0;
  size_t kept = 0;
  // By index: a dispatch may add a debtor.
  for (size_t i = 0; i < debtors_.size(); ++i) {
    const SignalKind kind = debtors_[i];
    DispatchTable::Entry& entry = table_.At(kind);
    // A debt hurts nobody while nobody waits.
    const uint64_t budget = meter().budget_cycles();
    const uint64_t paid =
        others_were_handled ? std::min(entry.debt_cycles, budget) : entry.debt_cycles;
    entry.debt_cycles -= paid;
    round_allowance_cycles_ = others_were_handled ? budget - paid : budget;
    if (entry.debt_cycles == 0 && !entry.set_aside.empty()) {
      const Signal signal = set_aside_.Front(entry.set_aside);
      set_aside_.PopFront(entry.set_aside);
      Resolve(signal, entry);
      ++handled;
    }
    if (MustWait(entry)) {
      debtors_[kept++] = kind;
    } else {
      entry.is_debtor = false;
    }
  }
  debtors_.resize(kept);
  round_allowance_cycles_ = 0;
  return handled;
}

void Engine::ActOnOverrun(SignalKind kind, DispatchTable::Entry& entry, uint64_t cycles) {
  if (witness_.has_value() && witness_->WasPreempted()) {
    ++entry.exonerated;
    return;
  }
  if (entry.on_overrun == OverrunPolicy::kDebt) {
    entry.debt_cycles += cycles - std::min(cycles, round_allowance_cycles_);
    if (!entry.is_debtor) {
      entry.is_debtor = true;
      debtors_.push_back(kind);
    }
  } else if (options_.on_overrun) {
    options_.on_overrun(kind, meter().TicksBegun(cycles));
    meter_.Begin(clock_->Now());  // the report is not the next handler's time
  }
}

// Handles what waits now, but not what is pushed later.
void Engine::DrainWhatIsQueued() {
  const uint64_t tail = queue_.tail();
  while (queue_.head() < tail) Poll();
  for (size_t i = 0; inlet_ != nullptr && i < kSignalPriorities; ++i) {
    const MpscSignalQueue& queue = inlet_->At(static_cast<SignalPriority>(i));
    const uint64_t inlet_tail = queue.tail();
    while (queue.head() < inlet_tail) Poll();
  }
  // A round without others handles one signal, at least, of those set aside.
  for (size_t left = set_aside_.size(); left > 0 && set_aside_.size() > 0; --left) Poll();
}

size_t Engine::queued() const {
  return queue_.tail() - queue_.head() + (inlet_ != nullptr ? inlet_->size() : 0) +
         set_aside_.size();
}

size_t Engine::Run(std::stop_token stop) {
  const std::stop_callback wake_to_stop(stop, [this] { Wake(); });
  std::optional<ScopedPin> pin;
  if (options_.cpu.has_value()) placement_ = pin.emplace(*options_.cpu).status();
  witness_.emplace();
  heartbeat_.RunsHere();
  if (options_.on_start) options_.on_start(*this);
  const uint32_t park_after = options_.idle_pauses + options_.idle_yields;
  uint32_t idle_rounds = 0;
  while (!stop.stop_requested()) {
    if (Poll() != 0) {
      idle_rounds = 0;
    } else if (idle_rounds < park_after) {
      if (idle_rounds++ < options_.idle_pauses) {
        CpuPause();
      } else {
        ::sched_yield();
      }
    } else {
      Park(stop);
    }
  }
  if (options_.stop_policy == StopPolicy::kDrain) DrainWhatIsQueued();
  if (options_.on_stop) options_.on_stop(*this);
  witness_.reset();
  return queued();
}

bool Engine::HasWork() {
  if (!queue_.empty() || set_aside_.size() != 0) return true;
  if (inlet_ != nullptr && !inlet_->empty()) return true;
  return std::any_of(pollers_.begin(), pollers_.end(),
                     [](Poller* poller) { return poller->HasWork(); });
}

void Engine::Park(const std::stop_token& stop) {
  clock_->Recheck();
  // Work that no round can do now (its target is full) keeps the engine awake, at the lowest price.
  if (HasWork()) {
    ::sched_yield();
    return;
  }
  uint64_t deadline_ns = Poller::kNoDeadline;
  for (Poller* poller : pollers_) deadline_ns = std::min(deadline_ns, poller->NextDeadlineNs());
  std::optional<uint64_t> timeout_ns;
  if (deadline_ns != Poller::kNoDeadline) {
    const uint64_t now_ns = clock_->NowNanos();
    if (deadline_ns <= now_ns) return;
    timeout_ns = deadline_ns - now_ns;
  }
  parking_.Park([&] { return stop.stop_requested() || HasWork(); }, timeout_ns);
}

}  // namespace bitactor
