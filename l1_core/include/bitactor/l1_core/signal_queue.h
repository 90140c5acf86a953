// The bounded queue in front of an engine: one producer.
#ifndef BITACTOR_L1_CORE_SIGNAL_QUEUE_H_
#define BITACTOR_L1_CORE_SIGNAL_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/signal_ring.h"

namespace bitactor {

// Order: first in, first out.
// Threads: one producer (TryPush, Emplace, PushBatch), one consumer (those of SignalRing); they may
//   be the same thread.
// Progress: wait-free.
// Bounds: `capacity` signals, a power of two; a full queue refuses and counts.
// Errors: refusals are typed and counted; what is refused was never queued.
// Cost: one cache line written and read; between threads one line moves per signal. No allocation
//   after construction.
class SignalQueue : public internal::SignalRing {
 public:
  static constexpr size_t kDefaultCapacity = 1024;

  // REQUIRES: capacity is a power of two, 2 to 2^31.
  explicit SignalQueue(size_t capacity = kDefaultCapacity) : SignalRing(capacity) {}

  // Producer. kOk, kFull or kBadSize.
  PushResult TryPush(const Signal& signal) {
    if (signal.size_bytes > kMaxSignalBytes) [[unlikely]] {
      Add(refused_bad_size_, 1);
      return PushResult::kBadSize;
    }
    return PushWith([&](Signal& slot) { Copy(slot, signal); });
  }
  // Producer: as TryPush(Signal::Of(kind, value)), built where it will lie. kOk or kFull.
  template <typename T>
  PushResult Emplace(SignalKind kind, const T& value) {
    return PushWith([&](Signal& slot) { slot.Set(kind, value); });
  }
  // Producer: as many of the first `signals` as there is room for. What is refused for want of room
  // is counted signal by signal; of a bad size only the first one is looked at and counted.
  BatchPushResult PushBatch(std::span<const Signal> signals) {
    BatchPushResult batch;
    for (const Signal& signal : signals) {
      batch.result = TryPush(signal);
      if (batch.result != PushResult::kOk) break;
      ++batch.taken;
    }
    if (batch.result == PushResult::kFull) Add(refused_, signals.size() - batch.taken - 1);
    return batch;
  }

  // Signals taken since the start, waiting or not. Any thread. Relaxed: a statistic, exact when the
  // producer is still.
  uint64_t pushed() const { return claimed_.load(std::memory_order_relaxed); }
  // Signals refused because the queue was full. Any thread. Relaxed: a statistic.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // Signals refused with kBadSize. Any thread. Relaxed: a statistic.
  uint64_t refused_bad_size() const { return refused_bad_size_.load(std::memory_order_relaxed); }

 private:
  template <typename Fill>
  PushResult PushWith(Fill&& fill) {
    // Relaxed: its only writer is this thread.
    const uint64_t index = claimed_.load(std::memory_order_relaxed);
    if (index - released_seen_ >= capacity()) [[unlikely]] {
      released_seen_ = ReadReleased();
      if (index - released_seen_ >= capacity()) {
        Add(refused_, 1);
        return PushResult::kFull;
      }
    }
    // Relaxed: a statistic for others; the mark is what shows the signal.
    claimed_.store(index + 1, std::memory_order_relaxed);
    Signal& slot = Slot(index);
    fill(slot);
    Show(slot, index);
    return PushResult::kOk;
  }

  // Written by the producer alone.
  alignas(kCacheLineBytes) std::atomic<uint64_t> claimed_{0};
  uint64_t released_seen_ = 0;
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> refused_bad_size_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SIGNAL_QUEUE_H_
