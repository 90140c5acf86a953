// Who handles which kind of signal.
#ifndef BITACTOR_L1_CORE_DISPATCH_TABLE_H_
#define BITACTOR_L1_CORE_DISPATCH_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

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
};
const char* RegisterResultName(RegisterResult result);

// What happens, beside counting, when a dispatch exceeds its budget.
enum class OverrunPolicy : uint8_t {
  kObserve,  // nothing
  kReport,   // EngineOptions::on_overrun is called
};

// Order: none.
// Threads: one, except that after Freeze() any thread may ask Knows().
// Bounds: kinds 0 to `kinds` - 1, fixed at construction.
// Cost: Find() is one compare and one load.
class DispatchTable {
 public:
  enum class Route : uint8_t { kUnknown, kHandler, kBypass };

  struct Entry {
    Route route = Route::kUnknown;
    OverrunPolicy on_overrun = OverrunPolicy::kObserve;
    // With Route::kBypass: why every signal is bypassed.
    Bypass always = Bypass::kNone;
    SignalHandler handler;
    std::unique_ptr<ZeroTickPass> filters;  // null: none
    // Counts, of the engine's thread.
    HandlerStats stats;
    BypassCounts bypassed;
    uint64_t faults = 0;  // dispatches that threw
  };

  // REQUIRES: 1 <= kinds <= 65,536.
  explicit DispatchTable(size_t kinds);

  RegisterResult SetHandler(SignalKind kind, SignalHandler handler);
  // Signals of this kind are bypassed, for this cause.
  RegisterResult SetBypassed(SignalKind kind, Bypass cause);
  // No registration succeeds from now on.
  void Freeze() { frozen_ = true; }
  bool frozen() const { return frozen_; }

  bool Knows(SignalKind kind) const {
    return kind < kinds_ && entries_[kind].route != Route::kUnknown;
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
