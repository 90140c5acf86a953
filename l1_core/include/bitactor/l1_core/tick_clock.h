// Time for the hot path: the cheapest monotonic counter of the machine, read in cycles, shown in
// nanoseconds.
#ifndef BITACTOR_L1_CORE_TICK_CLOCK_H_
#define BITACTOR_L1_CORE_TICK_CLOCK_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "bitactor/l1_core/clock_calibration.h"
#include "bitactor/l1_core/clock_lines.h"
#include "bitactor/l1_core/mutex.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bitactor {

// Where a clock's two times come from: the machine (no port is given), or a test.
//
// Threads: as the clock that reads it.
class ClockPort {
 public:
  virtual ~ClockPort() = default;
  virtual uint64_t Counter() = 0;
  // The clock that the counter is compared with, and that replaces it when it fails.
  virtual uint64_t ReferenceNs() = 0;
  // The counter's rate where the machine declares it; 0: it has to be measured.
  virtual uint64_t CounterHertz() { return 0; }
};

// Order: times never step back, whatever Recheck() finds: not those of one thread, nor those that
//   threads hand to each other, but for what the counters of two cores differ. Exceptions: a
//   counter that ran backwards is read until the next Recheck() notices; a thread held for over 10
//   ms while it publishes, and a reading that becomes a time only two rechecks later, are wrong by
//   at most 200 ppm of the delay, 2 us for each 10 ms, unless the rate itself had changed.
// Threads: all methods may be called by any thread. Handed around by pointer, never copied.
// Progress: readers never wait; Recheck() gives way to one that is running.
// Errors: none; where the counter cannot be trusted the clock falls back to CLOCK_MONOTONIC by
//   itself, in cycles of the length they had before.
// Cost: Now() is one rdtsc (9.7 ns on a virtual machine) or one clock_gettime (23 ns); ToNanos()
//   one multiplication and five loads, 1.1 ns.
class TickClock {
 public:
  enum class Source : uint8_t {
    kTsc,        // invariant time-stamp counter (x86) or cntvct (Arm)
    kMonotonic,  // clock_gettime(CLOCK_MONOTONIC)
    kManual,     // moved by Advance() alone: 1 cycle = 1 ns
  };

  // The best source of this machine, calibrated for 0.2 ms; on Arm the rate is declared.
  TickClock();
  // A given source; kTsc falls back to kMonotonic when the counter is not invariant. A manual clock
  // starts at `start_ns`.
  explicit TickClock(Source source, uint64_t start_ns = 0);
  // Counter and reference of a port that outlives the clock.
  explicit TickClock(ClockPort* port);
  TickClock(const TickClock&) = delete;
  TickClock& operator=(const TickClock&) = delete;

  // Relaxed: changes once, from kTsc to kMonotonic, and cycles mean the same after it.
  Source source() const { return source_.load(std::memory_order_relaxed); }
  // Cycles per second, as measured so far.
  double hertz() const;

  // Now, in cycles of the source.
  uint64_t Now() const {
    // Relaxed: who still reads the counter reads it a little later than it failed.
    if (!reads_slowly_.load(std::memory_order_relaxed)) [[likely]]
      return ReadCounter();
    return ReadSlow();
  }
  // Nanoseconds of CLOCK_MONOTONIC's timeline (of the manual clock's own) at a value of Now().
  uint64_t ToNanos(uint64_t cycles) const { return lines_.At(cycles); }
  uint64_t NowNanos() const { return ToNanos(Now()); }
  // A duration, nanoseconds to cycles and back. Relaxed: each rate is used by itself.
  uint64_t CyclesIn(uint64_t duration_ns) const {
    return MulQ32(duration_ns, cycles_per_ns_q32_.load(std::memory_order_relaxed));
  }
  uint64_t NanosIn(uint64_t duration_cycles) const {
    return MulQ32(duration_cycles, ns_per_cycle_q32_.load(std::memory_order_relaxed));
  }

  // Compares the counter with CLOCK_MONOTONIC, measures its rate over the time since the start, and
  // bends the clock towards CLOCK_MONOTONIC. To be called about once a second by whoever has the
  // time: it looks at the clock and returns when the last comparison is less than a second old,
  // and takes some 5 us otherwise. Const: what the clock is does not change, only how well it is
  // known.
  void Recheck() const;
  // What the rechecks found. All zero for sources that need none.
  ClockDrift Drift() const;

  // Moves a manual clock. REQUIRES: source() == kManual.
  void Advance(uint64_t duration_ns);

  // One line for people: source, frequency, drift.
  std::string ToString() const;

 private:
  static uint64_t ReadCounter() {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    asm volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return 0;
#endif
  }
  static uint64_t MulQ32(uint64_t value, uint64_t factor_q32) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(value) * factor_q32) >> 32);
  }

  struct Reading : internal::ClockReading {
    uint64_t width_cycles = 0;  // the counter moved by so much while both were read
  };

  uint64_t ReadSlow() const;
  uint64_t CounterNow() const { return port_ == nullptr ? ReadCounter() : port_->Counter(); }
  uint64_t ReferenceNow() const;
  void Calibrate();
  Reading ReadBoth() const;
  bool IsDue(uint64_t now_cycles) const;
  void Compare() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(recheck_mutex_);
  void FallBack() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(recheck_mutex_);
  void PublishRate() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(recheck_mutex_);

  ClockPort* const port_ = nullptr;  // null: the machine

  // Written by Recheck(), under recheck_mutex_.
  mutable std::atomic<bool> reads_slowly_{true};
  // SYNC(clock-source): kMonotonic after what ReadSlow() then needs.
  mutable std::atomic<Source> source_;
  mutable std::atomic<uint64_t> ns_per_cycle_q32_{uint64_t{1} << 32};
  mutable std::atomic<uint64_t> cycles_per_ns_q32_{uint64_t{1} << 32};
  mutable internal::ClockLines lines_;
  // Where cycles are made from the reference: so many cycles at so many nanoseconds of it.
  mutable std::atomic<uint64_t> made_from_cycles_{0};
  mutable std::atomic<uint64_t> made_from_ns_{0};
  // The last comparison, and how long after it the next one is due.
  mutable std::atomic<uint64_t> compared_cycles_{0};
  mutable std::atomic<uint64_t> due_after_cycles_{0};

  // Manual source only. Any thread; relaxed: the clock orders nothing but itself.
  std::atomic<uint64_t> manual_ns_{0};

  mutable Mutex recheck_mutex_;
  mutable internal::ClockCalibration calibration_ ABSL_GUARDED_BY(recheck_mutex_);
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_TICK_CLOCK_H_
