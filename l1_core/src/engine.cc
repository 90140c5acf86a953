#include "bitactor/l1_core/engine.h"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "bitactor/l1_core/check.h"

namespace bitactor {
namespace {

// So many bypassed signals (about 3 ns each) are charged to the next dispatch at most.
constexpr uint32_t kMaxUnmeteredBypasses = 4;

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
      queue_(options_.queue_capacity) {}

Engine::~Engine() = default;

HandlerSetup Engine::On(SignalKind kind, SignalHandler handler) {
  const RegisterResult result = table_.SetHandler(kind, std::move(handler));
  if (result == RegisterResult::kOk) return HandlerSetup(result, &table_.At(kind));
  ++refused_registrations_;
  return HandlerSetup(result, nullptr);
}

RegisterResult Engine::Ignore(SignalKind kind) {
  const RegisterResult result = table_.SetIgnored(kind);
  if (result != RegisterResult::kOk) ++refused_registrations_;
  return result;
}

PushResult Engine::Push(const Signal& signal) {
  if (!table_.Knows(signal.kind)) [[unlikely]] {
    // Relaxed: a statistic with one writer.
    refused_unknown_kind_.store(refused_unknown_kind_.load(std::memory_order_relaxed) + 1,
                                std::memory_order_relaxed);
    return PushResult::kUnknownKind;
  }
  const PushResult result = queue_.TryPush(signal);
  if (result != PushResult::kOk) [[unlikely]]
    return result;
  if (parked()) [[unlikely]]
    Wake();
  return PushResult::kOk;
}

size_t Engine::Poll() {
  table_.Freeze();
  size_t work = 0;
  // By index: a poller may add another one.
  for (size_t i = 0; i < pollers_.size(); ++i) work += pollers_[i]->Poll();
  return work + DispatchRound();
}

size_t Engine::Drain() {
  size_t total = 0;
  while (const size_t work = Poll()) total += work;
  return total;
}

size_t Engine::DispatchRound() {
  const uint64_t begin = queue_.head();
  const uint64_t end = queue_.ReadTail(options_.round_signals);
  since_boundary_ = kMaxUnmeteredBypasses;  // the first dispatch reads the clock
  for (uint64_t i = begin; i < end; ++i) {
    const Signal& signal = queue_.At(i);
    DispatchTable::Entry& entry = table_.At(signal.kind);
    if (entry.route == DispatchTable::Route::kIgnore) {
      ++entry.bypassed_ignored;
      NoteBypass();
    } else if (entry.unchanged.active() && entry.unchanged.Bypasses(signal)) {
      ++entry.bypassed_unchanged;
      NoteBypass();
    } else {
      Dispatch(signal, entry);
    }
    queue_.Release(i + 1);
  }
  if (!meter_.empty()) meter_.Close(clock_->Now());
  return end - begin;
}

void Engine::NoteBypass() {
  if (++since_boundary_ == kMaxUnmeteredBypasses && !meter_.empty()) meter_.Close(clock_->Now());
}

void Engine::Dispatch(const Signal& signal, DispatchTable::Entry& entry) {
  const bool alone = entry.on_overrun == OverrunPolicy::kReport;
  if (since_boundary_ >= kMaxUnmeteredBypasses) {
    meter_.Begin(clock_->Now());
  } else if (alone && !meter_.empty()) {
    meter_.Close(clock_->Now());
  }
  since_boundary_ = 0;
  Context context(*this, meter_.start_cycles());
  bool threw = false;
  try {
    entry.handler(signal, context);
  } catch (...) {
    threw = true;
  }
  if (threw) [[unlikely]] {
    ++entry.faults;
    entry.unchanged.Forget();
  }
  if (!meter_.Add(entry.stats) && !alone) return;
  const BatchMeter::Batch batch = meter_.Close(clock_->Now());
  if (alone && batch.over && options_.on_overrun) [[unlikely]] {
    options_.on_overrun(signal.kind, meter().TicksBegun(batch.cycles));
    meter_.Begin(clock_->Now());  // the report is not the next handler's time
  }
}

void Engine::Run(std::stop_token stop) {
  const std::stop_callback wake_to_stop(stop, [this] { Wake(); });
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
}

bool Engine::HasWork() {
  if (!queue_.empty()) return true;
  return std::any_of(pollers_.begin(), pollers_.end(),
                     [](Poller* poller) { return poller->HasWork(); });
}

void Engine::Park(const std::stop_token& stop) {
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
