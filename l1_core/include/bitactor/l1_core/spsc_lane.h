// A bounded ring between one producer thread and one consumer thread, filled and read in place.
#ifndef BITACTOR_L1_CORE_SPSC_LANE_H_
#define BITACTOR_L1_CORE_SPSC_LANE_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/frame.h"

namespace bitactor {

// Order: first in, first out. What one Publish() covers becomes visible at once, in order.
// Threads: one producer (Claim, Advance, Publish), one consumer (ReadTail, At, Release). They may
//   be the same thread.
// Progress: wait-free on both sides.
// Bounds: `capacity` slots, a power of two; a full lane refuses by returning nullptr, and what was
//   refused was never sent.
// Ownership: a slot belongs to the producer from Claim() until the Publish() that covers it, to the
//   consumer from the ReadTail() that shows it until the Release() that covers it.
//
// Invariants (indices count slots since the start and never wrap in 64 bits):
//   I1  released <= published <= claimed <= released + capacity.
//   I2  slots [released, published) are not written by the producer.
//   I3  slots [published, released + capacity) are not read by the consumer.
template <typename T>
class SpscLane {
 public:
  // REQUIRES: capacity_slots is a power of two, at least 2.
  explicit SpscLane(size_t capacity_slots)
      : mask_(capacity_slots - 1), slots_(std::make_unique<T[]>(capacity_slots)) {
    BITACTOR_CHECK(std::has_single_bit(capacity_slots) && capacity_slots >= 2);
  }

  size_t capacity() const { return mask_ + 1; }

  // Producer: the next free slot to fill, or nullptr when the lane is full (retry after the
  // consumer released some). The same slot again until Advance().
  T* Claim() {
    if (claimed_ - released_seen_ > mask_) {
      // SYNC(lane-release): pairs with Release(); the consumer's reads of the slot happen before
      // its reuse (I2).
      released_seen_ = released_.load(std::memory_order_acquire);
      if (claimed_ - released_seen_ > mask_) return nullptr;
    }
    return &slots_[claimed_ & mask_];
  }
  // Producer: the slot of the last Claim() is filled. Not visible before Publish().
  void Advance() { ++claimed_; }
  // Producer: the slots advanced since the last Publish() are free again; nobody has seen them.
  void Retract() { claimed_ = published(); }
  // Producer: makes every advanced slot visible.
  void Publish() {
    // SYNC(lane-publish): pairs with ReadTail(); the bytes of the slots happen before the tail that
    // shows them (I3).
    published_.store(claimed_, std::memory_order_release);
  }
  // Producer: the slot at `index`. REQUIRES: published() <= index < claimed().
  T& Filled(uint64_t index) { return slots_[index & mask_]; }
  uint64_t published() const {
    // Relaxed: only the producer writes it, and only the producer may ask.
    return published_.load(std::memory_order_relaxed);
  }
  // Producer: slots advanced so far, published or not.
  uint64_t claimed() const { return claimed_; }
  bool HasUnpublished() const {
    // Relaxed: only the producer writes it, and only the producer may ask.
    return published_.load(std::memory_order_relaxed) != claimed_;
  }

  // Consumer: index after the last visible slot.
  uint64_t ReadTail() const {
    // SYNC(lane-publish): pairs with Publish().
    return published_.load(std::memory_order_acquire);
  }
  // Consumer: the slot at `index`. REQUIRES: released <= index < a value that ReadTail() returned.
  T& At(uint64_t index) { return slots_[index & mask_]; }
  // Consumer: gives back every slot before `index`.
  void Release(uint64_t index) {
    // SYNC(lane-release): pairs with Claim().
    released_.store(index, std::memory_order_release);
  }
  // Consumer: index of the first slot not given back.
  uint64_t released() const {
    // Relaxed: only the consumer writes it, and only the consumer may ask.
    return released_.load(std::memory_order_relaxed);
  }
  // Any thread: a count that was true at some moment of the call, exact when both sides are still.
  uint64_t SizeApproximate() const {
    // SYNC(lane-release): pairs with Release(), whose index the consumer had seen published; so the
    // difference is never negative. Relaxed: the rest is a statistic.
    const uint64_t released = released_.load(std::memory_order_acquire);
    return published_.load(std::memory_order_relaxed) - released;
  }

 private:
  // Immutable after construction.
  const uint64_t mask_;
  const std::unique_ptr<T[]> slots_;
  // Written by the producer alone.
  // Its notes are not beside what the consumer polls: between an Advance() and its Publish() that
  // reading would take the line away.
  alignas(kCacheLineBytes) uint64_t claimed_ = 0;
  uint64_t released_seen_ = 0;
  alignas(kCacheLineBytes) std::atomic<uint64_t> published_{0};
  // Written by the consumer alone.
  alignas(kCacheLineBytes) std::atomic<uint64_t> released_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_SPSC_LANE_H_
