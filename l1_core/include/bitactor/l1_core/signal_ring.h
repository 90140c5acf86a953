// What the signal queues have in common: slots that say themselves that they are filled, and the
// consumer that takes them.
#ifndef BITACTOR_L1_CORE_SIGNAL_RING_H_
#define BITACTOR_L1_CORE_SIGNAL_RING_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/signal.h"

namespace bitactor {

// What became of a signal.
enum class PushResult : uint8_t {
  kOk,           // queued: it will be handled, or bypassed and counted
  kFull,         // not taken: let the engine poll, then try again
  kUnknownKind,  // not taken: no handler and no Ignore() for this kind; trying again is useless
  kBadSize,      // not taken: size_bytes over 56, so it was not made by Signal::Of; drop it
};

// What became of several signals, offered in order.
struct BatchPushResult {
  size_t taken = 0;  // so many of them, the first ones
  // kOk: all. Else why the signal after these was refused: after kFull try it and the rest again,
  // after kBadSize the rest without it.
  PushResult result = PushResult::kOk;
};

namespace internal {

// A slot is one cache line: a signal whose `sequence` says whether it is filled. So one transfer of
// one line carries both, and a waiting consumer reads nothing that producers do not have to write.
//
// Order: signals are taken in the order of their indices, which count from 0 and never wrap.
// Threads: one consumer (head, ReadTail, At, Release, empty). Producers come with the derived class,
//   which decides who owns which free index.
// Progress: wait-free for the consumer. A producer that stops between claiming an index and showing
//   it holds back all later ones.
// Bounds: `capacity` signals, a power of two.
//
// Invariants (mark(i) = (i + 1) mod 2^32; slot(i) = i mod capacity):
//   I1  released <= claimed <= released + capacity: a producer claims an index only after it has
//       seen the release of the one a capacity before.
//   I2  slot(i) is written only by who claimed i, from the claim to the mark; it is never written
//       by the consumer.
//   I3  the sequence of slot(i) is mark(i) if i is shown, and else mark(i - capacity) or, in the
//       first lap, 0. These differ, as capacity is at most 2^31: the mark tells whether i is shown.
class SignalRing {
 public:
  SignalRing(const SignalRing&) = delete;
  SignalRing& operator=(const SignalRing&) = delete;

  // Consumer: index of the first signal not given back.
  uint64_t head() const {
    // Relaxed: only the consumer writes it, and only the consumer may ask.
    return released_.load(std::memory_order_relaxed);
  }
  // Consumer: signals [head(), ReadTail()) wait, of which it looks at `limit` at most. It looks at
  // each: 1 ns for one that is in the cache.
  uint64_t ReadTail(size_t limit) const {
    const uint64_t begin = head();
    const uint64_t end = begin + std::min(limit, capacity());
    uint64_t tail = begin;
    while (tail < end && IsShown(tail)) ++tail;
    return tail;
  }
  uint64_t tail() const { return ReadTail(capacity()); }
  bool empty() const { return !IsShown(head()); }
  // Consumer: REQUIRES: head() <= index < a value that ReadTail() returned.
  const Signal& At(uint64_t index) const { return slots_[index & mask_]; }
  // Consumer: gives back every signal before `index`.
  void Release(uint64_t index) {
    // SYNC(ring-release): pairs with ReadReleased(); the consumer's reads of a slot happen before
    // its reuse.
    released_.store(index, std::memory_order_release);
  }

  size_t capacity() const { return mask_ + 1; }

 protected:
  // REQUIRES: capacity is a power of two, 2 to 2^31.
  explicit SignalRing(size_t capacity)
      : mask_(capacity - 1), slots_(std::make_unique<Signal[]>(capacity)) {
    BITACTOR_CHECK(std::has_single_bit(capacity) && capacity >= 2);
    BITACTOR_CHECK_LE(capacity, size_t{1} << 31);
  }
  ~SignalRing() = default;

  // Producer: the slot of an index that it owns.
  Signal& Slot(uint64_t index) { return slots_[index & mask_]; }
  static void Copy(Signal& slot, const Signal& signal) {
    slot.kind = signal.kind;
    slot.size_bytes = signal.size_bytes;
    slot.reserved = 0;
    std::memcpy(slot.payload, signal.payload, kMaxSignalBytes);
  }
  // Producer: the slot of `index` is filled and from now on the consumer's.
  static void Show(Signal& slot, uint64_t index) {
    // SYNC(ring-mark): pairs with IsShown(); the signal's bytes happen before the mark.
    std::atomic_ref(slot.sequence).store(Mark(index), std::memory_order_release);
  }
  // Producer: every index before it may be claimed anew, a capacity later.
  uint64_t ReadReleased() const {
    // SYNC(ring-release): pairs with Release().
    return released_.load(std::memory_order_acquire);
  }
  // Relaxed: a statistic with one writer at a time.
  static void Add(std::atomic<uint64_t>& count, uint64_t more) {
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

 private:
  static uint32_t Mark(uint64_t index) { return static_cast<uint32_t>(index + 1); }
  bool IsShown(uint64_t index) const {
    // SYNC(ring-mark): pairs with Show().
    return std::atomic_ref(slots_[index & mask_].sequence).load(std::memory_order_acquire) ==
           Mark(index);
  }

  // Immutable after construction.
  const uint64_t mask_;
  const std::unique_ptr<Signal[]> slots_;
  // Written by the consumer alone.
  alignas(kCacheLineBytes) std::atomic<uint64_t> released_{0};
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SIGNAL_RING_H_
