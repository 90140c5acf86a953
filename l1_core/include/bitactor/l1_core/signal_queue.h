// The bounded queue in front of an engine.
#ifndef BITACTOR_L1_CORE_SIGNAL_QUEUE_H_
#define BITACTOR_L1_CORE_SIGNAL_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/spsc_lane.h"

namespace bitactor {

// What became of a signal.
enum class PushResult : uint8_t {
  kOk,           // queued: it will be handled, or bypassed and counted
  kFull,         // not taken: let the engine poll, then try again
  kUnknownKind,  // not taken: no handler and no Ignore() for this kind; trying again is useless
};

// Order: first in, first out.
// Threads: one producer (TryPush), one consumer (tail, At, Release); they may be the same thread.
// Progress: wait-free.
// Bounds: `capacity` signals, a power of two; a full queue refuses and counts.
// Cost: one 64-byte copy, no allocation after construction.
class SignalQueue {
 public:
  static constexpr size_t kDefaultCapacity = 1024;

  // REQUIRES: capacity is a power of two, at least 2.
  explicit SignalQueue(size_t capacity = kDefaultCapacity) : lane_(capacity) {}

  // Producer. False: full, counted, and `signal` was not taken.
  bool TryPush(const Signal& signal) {
    Signal* slot = lane_.Claim();
    if (slot == nullptr) [[unlikely]] {
      // Relaxed: a statistic with one writer.
      refused_.store(refused_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return false;
    }
    *slot = signal;
    lane_.Advance();
    lane_.Publish();
    return true;
  }

  // Consumer: signals have indices that count from 0; [head(), tail()) wait.
  uint64_t head() const { return lane_.released(); }
  uint64_t tail() const { return lane_.ReadTail(); }
  const Signal& At(uint64_t index) { return lane_.At(index); }
  // Consumer: gives back every signal before `index`.
  void Release(uint64_t index) { lane_.Release(index); }
  bool empty() const { return head() == tail(); }

  size_t capacity() const { return lane_.capacity(); }
  // Signals refused because the queue was full. Any thread. Relaxed: a statistic.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  SpscLane<Signal> lane_;
  // Written by the producer alone.
  std::atomic<uint64_t> refused_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SIGNAL_QUEUE_H_
