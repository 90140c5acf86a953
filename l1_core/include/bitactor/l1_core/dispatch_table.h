// Who handles which kind of signal.
#ifndef BITACTOR_L1_CORE_DISPATCH_TABLE_H_
#define BITACTOR_L1_CORE_DISPATCH_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "bitactor/l1_core/set_aside.h"
#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/ticks.h"
#include "bitactor/l1_core/zero_tick.h"
#include "bitactor/l1_core/zero_tick_pass.h"

namespace bitactor {

class Context;

// Runs on the engine's thread. One that throws has failed: counted, and its signal is dropped.
using SignalHandler = std::function<void(const Signal&, Context&)>;

// What became of a registration. A refusal changes nothing and is a mistake in the program.
enum class RegisterResult : uint8_t {
  kOk,
  kDuplicate,   // the kind has a handler or is ignored already; the first one stays
  kOutOfRange,  // the kind is not below the table's size (EngineOptions::kinds)
  kAfterStart,  // the engine has polled already; register before
  kNotFound,    // nothing to unregister
};
const char* RegisterResultName(RegisterResult result);

// What happens, beside counting, when a dispatch exceeds its budget.
enum class OverrunPolicy : uint8_t {
  kObserve,  // nothing
  // The time over budget is a debt. While there is one, the kind's signals wait behind those of all
  // others, and each round in which others were handled pays one budget of it.
  kDebt,
  kReport,  // EngineOptions::on_overrun is called, unless the operating system was to blame
};

// Order: none.
// Threads: one, except that after Freeze() any thread may ask Knows().
// Bounds: kinds 0 to `kinds` - 1, fixed at construction.
// Cost: Find() is one compare and one load.
class DispatchTable {
 public:
  enum class Route : uint8_t { kUnknown, kHandler, kBypass };

  // A route that its engine's thread may take back while producers ask for it.
  class SharedRoute {
   public:
    // Relaxed: a producer that misses a change pushes a signal that the engine then counts as
    // unregistered; nothing else hangs on it.
    Route Get() const { return route_.load(std::memory_order_relaxed); }
    void Set(Route route) { route_.store(route, std::memory_order_relaxed); }

   private:
    std::atomic<Route> route_{Route::kUnknown};
  };

  struct Entry {
    SharedRoute route;
    OverrunPolicy on_overrun = OverrunPolicy::kObserve;
    // With Route::kBypass: why every signal is bypassed.
    Bypass always = Bypass::kNone;
    SignalHandler handler;
    std::unique_ptr<ZeroTickPass> filters;  // null: none
    // Counts, of the engine's thread.
    HandlerStats stats;
    BypassCounts bypassed;
    uint64_t faults = 0;        // dispatches that threw
    uint64_t exonerated = 0;    // of stats.overruns, those that preemption explains
    uint64_t unregistered = 0;  // signals that were queued when their kind was unregistered
    // OverrunPolicy::kDebt: what the kind owes, and its signals that wait meanwhile.
    uint64_t debt_cycles = 0;
    bool is_debtor = false;
    internal::SetAside::List set_aside;
  };

  // REQUIRES: 1 <= kinds <= 65,536.
  explicit DispatchTable(size_t kinds);

  RegisterResult SetHandler(SignalKind kind, SignalHandler handler);
  // Signals of this kind are bypassed, for this cause.
  RegisterResult SetBypassed(SignalKind kind, Bypass cause);
  // Forgets who handles the kind; its counts stay. The engine's thread, also after Freeze().
  RegisterResult Unregister(SignalKind kind);
  // No registration succeeds from now on.
  void Freeze() { frozen_ = true; }
  bool frozen() const { return frozen_; }

  bool Knows(SignalKind kind) const {
    return kind < kinds_ && entries_[kind].route.Get() != Route::kUnknown;
  }
  // REQUIRES: Knows(kind).
  Entry& At(SignalKind kind) { return entries_[kind]; }
  const Entry& At(SignalKind kind) const { return entries_[kind]; }
  size_t kinds() const { return kinds_; }

 private:
  RegisterResult Register(SignalKind kind, Route route);

  const size_t kinds_;
  const std::unique_ptr<Entry[]> entries_;
  bool frozen_ = false;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_DISPATCH_TABLE_H_
