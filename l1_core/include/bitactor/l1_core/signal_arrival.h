// Where fibers wait for a signal that a handler gets.
#ifndef BITACTOR_L1_CORE_SIGNAL_ARRIVAL_H_
#define BITACTOR_L1_CORE_SIGNAL_ARRIVAL_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "bitactor/l1_core/fiber_scheduler.h"
#include "bitactor/l1_core/signal.h"

namespace bitactor {

//   SignalArrival quotes;
//   engine.On(kQuote, [&](const Signal& s, Context&) { quotes.Notify(s); });
//   ...
//   std::optional<Signal> quote = co_await quotes.Next();
//
// Order: those that wait for the same signal get their turns in the order in which they began to.
// Threads: the engine's.
// Bounds: it keeps no signal: one that arrives while nobody waits is missed, and counted. A fiber
//   that must see every signal has the handler keep them.
// Ownership: a waiting fiber gets a copy. When the object goes, those that wait get none.
// Errors: none.
class SignalArrival {
 public:
  class Awaiter;

  SignalArrival() = default;
  ~SignalArrival();
  SignalArrival(const SignalArrival&) = delete;
  SignalArrival& operator=(const SignalArrival&) = delete;

  // Gives the signal to every fiber that waits; returns how many did.
  size_t Notify(const Signal& signal);
  // Signals that arrived while nobody waited.
  uint64_t missed() const { return missed_; }

  // Awaited by a fiber: the next signal, or nothing when this object went before there was one.
  Awaiter Next();

 private:
  void Wake(Awaiter& awaiter);

  internal::WaitNode waiting_;
  uint64_t missed_ = 0;
};

class SignalArrival::Awaiter final : private internal::WaitNode {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(internal::FiberHandle waiting) noexcept;
  std::optional<Signal> await_resume() const noexcept { return signal_; }

 private:
  friend class SignalArrival;
  explicit Awaiter(internal::WaitNode& waiting) : waiting_(waiting) {}

  internal::WaitNode& waiting_;
  std::optional<Signal> signal_;
};

inline SignalArrival::Awaiter SignalArrival::Next() { return Awaiter(waiting_); }

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SIGNAL_ARRIVAL_H_
