// Where an idle thread sleeps until another one has work for it.
#ifndef BITACTOR_L1_CORE_PARKING_SPOT_H_
#define BITACTOR_L1_CORE_PARKING_SPOT_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "bitactor/l1_core/frame.h"

namespace bitactor::internal {

// Whether this process may order its threads by membarrier(PRIVATE_EXPEDITED). Registers at the
// first call.
bool HasProcessBarrier();
// Every other running thread of the process completes its earlier memory operations, in its own
// program order, at some moment of this call. False: the system does not do that.
bool ProcessBarrier();

// One sleeper, any number of wakers. A waker's way costs it one load as long as nobody sleeps:
//
//   waker                              sleeper
//   w1  publish work                   s1  parked = 1
//   w2  read parked; 1: Wake()         s2  barrier of all threads of the process
//                                      s3  look for work; any: parked = 0, do not sleep
//                                      s4  futex wait while parked is 1
//
// Why no wake-up is lost. It would take w2 reading 0 and s3 missing w1. The barrier makes every
// running thread of the process complete its earlier memory operations, in its own program order,
// at some point between s2's begin and end (a thread that does not run has passed one when it
// stopped running). Where is that point in the waker?
//   before w2: s1 was complete by then, so that w2 reads 1 and the waker calls Wake();
//   after w2, hence after w1: w1 was complete before s3, which sees the work.
// Without the barrier both loads may be served before both stores leave their store buffers, and
// the wake-up is lost. The compiler must keep w1 before w2: parked() sees to that.
// A Wake() between s1 and s4 sets parked to 0, so that s4 returns at once. A late Wake(), of a
// waker that was slow after w2, ends some later sleep early: harmless, for sleepers look again.
//
// Threads: Park() by the sleeper; parked() and Wake() by any.
// Progress: wakers never wait.
// Errors: none; without the barrier (old kernel, seccomp) no sleep is longer than 1 ms instead.
class ParkingSpot {
 public:
  explicit ParkingSpot(bool has_barrier = HasProcessBarrier()) : has_barrier_(has_barrier) {}
  ParkingSpot(const ParkingSpot&) = delete;
  ParkingSpot& operator=(const ParkingSpot&) = delete;

  // Waker: whether someone sleeps or is about to. Ask after publishing.
  bool parked() const {
    // Only the compiler is held here: the loads and stores around are ordered by the barrier s2.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    // SYNC(park-flag): pairs with Park(). Relaxed: the work itself is ordered by its own queue.
    return parked_.load(std::memory_order_relaxed) != 0;
  }
  // Waker: ends the sleep, if there is one.
  void Wake();

  // Sleeper: sleeps until woken, for at most `timeout_ns` if there is one. `has_work` is asked
  // twice after the announcement and keeps it awake by returning true.
  template <typename HasWork>
  void Park(HasWork&& has_work, std::optional<uint64_t> timeout_ns) {
    const bool ordered = Announce();
    // The second look is for machines without the barrier: what the first one missed has had
    // time to leave its store buffer.
    if (!has_work() && !has_work()) Sleep(timeout_ns, ordered);
    // SYNC(park-flag). Relaxed: from here on the sleeper looks at its queues again anyway.
    parked_.store(0, std::memory_order_relaxed);
  }

  // Times that Park() slept. The sleeper's count, for tests and reports. Relaxed: a statistic.
  uint64_t sleeps() const { return sleeps_.load(std::memory_order_relaxed); }

 private:
  // Steps s1 and s2; whether the barrier worked.
  bool Announce();
  void Sleep(std::optional<uint64_t> timeout_ns, bool ordered);

  const bool has_barrier_;
  // SYNC(park-flag): 1 by the sleeper, 0 by anyone. A futex word.
  alignas(kCacheLineBytes) std::atomic<uint32_t> parked_{0};
  // Written by the sleeper alone.
  std::atomic<uint64_t> sleeps_{0};
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_PARKING_SPOT_H_
