// The bounded queue in front of an engine: many producers.
#ifndef BITACTOR_L1_CORE_MPSC_SIGNAL_QUEUE_H_
#define BITACTOR_L1_CORE_MPSC_SIGNAL_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/signal_ring.h"

namespace bitactor {

// Order: first in, first out, in the order in which room was claimed: that of one producer is kept,
//   and what one PushBatch() takes stands together.
// Threads: each Producer by one thread at a time; AddProducer and the counts by any; one consumer
//   (those of SignalRing).
// Progress: lock-free for producers, wait-free for the consumer. A producer that stops in the middle
//   of a push holds back what others push after it, until the queue is full.
// Bounds: `capacity` signals, a power of two, and the declared number of producers. A full queue
//   refuses and counts.
// Ownership: a Producer gives its place back at its end; the queue outlives them.
// Errors: refusals are typed and counted; what is refused was never queued.
// Cost: that of a SignalQueue and one compare-and-swap per push or batch, 10 ns alone. No allocation
//   after construction.
//
// Invariants, beside those of SignalRing:
//   M1  claimed_ grows only by the exchange in Claim(), which gives the indices that it skips to the
//       caller: each index has one owner.
//   M2  an index is given away only after its new owner itself has seen (acquire) the release of the
//       index a capacity before: SignalRing's I1.
//   M3  a place is written only by the Producer that took it, one at a time.
class MpscSignalQueue : public internal::SignalRing {
  struct Place;

 public:
  // The right of one thread to push.
  class Producer {
   public:
    Producer(Producer&& other) noexcept
        : queue_(std::exchange(other.queue_, nullptr)), place_(other.place_) {}
    Producer& operator=(Producer&&) = delete;
    ~Producer() {
      // SYNC(producer-place): pairs with AddProducer(); the next owner continues the counts (M3).
      if (queue_ != nullptr) place_->taken.store(false, std::memory_order_release);
    }

    // kOk, kFull or kBadSize.
    PushResult TryPush(const Signal& signal) {
      if (signal.size_bytes > kMaxSignalBytes) [[unlikely]] {
        Add(place_->refused_bad_size, 1);
        return PushResult::kBadSize;
      }
      return PushWith([&](Signal& slot) { Copy(slot, signal); });
    }
    // As TryPush(Signal::Of(kind, value)), built where it will lie. kOk or kFull.
    template <typename T>
    PushResult Emplace(SignalKind kind, const T& value) {
      return PushWith([&](Signal& slot) { slot.Set(kind, value); });
    }
    // As many of the first `signals` as there is room for, with nothing of others between. What is
    // refused for want of room is counted signal by signal; of a bad size only the first one is
    // looked at and counted.
    BatchPushResult PushBatch(std::span<const Signal> signals);

   private:
    friend class MpscSignalQueue;
    Producer(MpscSignalQueue& queue, Place& place) : queue_(&queue), place_(&place) {}

    template <typename Fill>
    PushResult PushWith(Fill&& fill) {
      const Indices got = queue_->Claim(*place_, 1);
      if (got.count == 0) [[unlikely]]
        return PushResult::kFull;
      Signal& slot = queue_->Slot(got.begin);
      fill(slot);
      Show(slot, got.begin);
      return PushResult::kOk;
    }

    MpscSignalQueue* queue_;  // null: moved from
    Place* place_;
  };

  static constexpr size_t kDefaultCapacity = 1024;
  static constexpr size_t kMaxProducers = 1024;

  // REQUIRES: capacity is a power of two, 2 to 2^31; 1 <= producers <= kMaxProducers.
  MpscSignalQueue(size_t capacity, size_t producers);
  ~MpscSignalQueue();

  // kResourceExhausted: all declared producers are there; nothing was changed.
  absl::StatusOr<Producer> AddProducer();
  size_t max_producers() const { return producers_; }

  // Signals taken since the start, waiting or not. Any thread. Relaxed: a statistic, exact when the
  // producers are still.
  uint64_t pushed() const { return claimed_.load(std::memory_order_relaxed); }
  // Signals refused because the queue was full, by all producers that ever were. As pushed().
  uint64_t refused() const { return SumOf(&Place::refused); }
  // Signals refused with kBadSize. As pushed().
  uint64_t refused_bad_size() const { return SumOf(&Place::refused_bad_size); }

 private:
  // What one producer knows. Written by it alone (M3).
  struct alignas(kCacheLineBytes) Place {
    std::atomic<bool> taken{false};
    uint64_t released_seen = 0;
    std::atomic<uint64_t> refused{0};
    std::atomic<uint64_t> refused_bad_size{0};
  };
  struct Indices {
    uint64_t begin;
    size_t count;  // 0 to what was wanted
  };

  // Takes up to `wanted` indices, of which at least one if there is room; counts what it does not.
  Indices Claim(Place& place, size_t wanted) {
    // Relaxed, here and below: the exchange hands out numbers. What happened to a slot before comes
    // with the release that M2 asks for.
    uint64_t begin = claimed_.load(std::memory_order_relaxed);
    for (;;) {
      size_t room = RoomAt(begin, place.released_seen);
      if (room < wanted) [[unlikely]] {
        place.released_seen = ReadReleased();
        room = RoomAt(begin, place.released_seen);
        if (room == 0) {
          Add(place.refused, wanted);
          return {begin, 0};
        }
      }
      const size_t count = std::min(room, wanted);
      if (claimed_.compare_exchange_weak(begin, begin + count, std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
        if (count < wanted) [[unlikely]]
          Add(place.refused, wanted - count);
        return {begin, count};
      }
    }
  }
  // Free slots when claimed_ was `begin`. It may have grown since, and `begin` lie before a newer
  // `released`: any number will do then, for the exchange fails.
  size_t RoomAt(uint64_t begin, uint64_t released) const {
    const auto used = static_cast<int64_t>(begin - released);
    const auto all = static_cast<int64_t>(capacity());
    return static_cast<size_t>(std::clamp<int64_t>(all - used, 0, all));
  }

  uint64_t SumOf(std::atomic<uint64_t> Place::*count) const;

  // Immutable after construction.
  const size_t producers_;
  const std::unique_ptr<Place[]> places_;
  // Written by all producers.
  alignas(kCacheLineBytes) std::atomic<uint64_t> claimed_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_MPSC_SIGNAL_QUEUE_H_
