#include "bitactor/l1_core/signal_arrival.h"

namespace bitactor {

SignalArrival::~SignalArrival() {
  while (waiting_.linked()) Wake(static_cast<Awaiter&>(*waiting_.next));
}

void SignalArrival::Wake(Awaiter& awaiter) {
  awaiter.Unlink();
  awaiter.fiber->scheduler->MakeReady(*awaiter.fiber, "its turn");
}

size_t SignalArrival::Notify(const Signal& signal) {
  size_t woken = 0;
  for (; waiting_.linked(); ++woken) {
    auto& awaiter = static_cast<Awaiter&>(*waiting_.next);
    awaiter.signal_ = signal;
    Wake(awaiter);
  }
  if (woken == 0) ++missed_;
  return woken;
}

void SignalArrival::Awaiter::await_suspend(internal::FiberHandle waiting) noexcept {
  fiber = waiting.promise().record();
  fiber->waits_for = "signal";
  waiting_.Append(*this);
}

}  // namespace bitactor
