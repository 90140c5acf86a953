// One of many threads that push signals to an engine.
#ifndef BITACTOR_L1_CORE_SIGNAL_PRODUCER_H_
#define BITACTOR_L1_CORE_SIGNAL_PRODUCER_H_

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/mpsc_signal_queue.h"
#include "bitactor/l1_core/priority_signal_queues.h"
#include "bitactor/l1_core/signal.h"

namespace bitactor {

// The right of one thread to push, beside others, to an engine that was made with
// EngineOptions::producers. Engine::AddProducer() gives it out.
//
//   auto producer = engine.AddProducer();
//   if (!producer.ok()) return producer.status();
//   producer->Push(kQuote, quote, SignalPriority::kHigh);
//
// Order: PrioritySignalQueues's: within a priority, in the order in which room was claimed.
// Threads: one at a time.
// Progress: lock-free.
// Bounds: EngineOptions::queue_capacity signals wait in each priority, of all producers together.
// Ownership: gives its place back at its end, which is before the engine's.
// Errors: as Engine::Push().
// Cost: that of MpscSignalQueue.
class SignalProducer {
 public:
  // Copies `signal` into the queue of its priority, and wakes the engine if it sleeps.
  PushResult Push(const Signal& signal, SignalPriority priority = SignalPriority::kNormal);
  // The same for Signal::Of(kind, value), built where it will lie.
  template <typename T>
  PushResult Push(SignalKind kind, const T& value,
                  SignalPriority priority = SignalPriority::kNormal) {
    if (!engine_->table_.Knows(kind)) [[unlikely]]
      return engine_->PushUnknown();
    return engine_->WakeAfter(PlaceIn(priority).Emplace(kind, value));
  }
  // As many of the first `signals` as are known and have room, with nothing of others between.
  BatchPushResult PushBatch(std::span<const Signal> signals,
                            SignalPriority priority = SignalPriority::kNormal);

 private:
  friend class Engine;
  using Places = std::array<MpscSignalQueue::Producer, kSignalPriorities>;

  SignalProducer(Engine& engine, Places places) : engine_(&engine), places_(std::move(places)) {}
  MpscSignalQueue::Producer& PlaceIn(SignalPriority priority) {
    return places_[static_cast<size_t>(priority)];
  }

  Engine* engine_;
  Places places_;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SIGNAL_PRODUCER_H_
