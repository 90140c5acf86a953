// Time for the hot path: the cheapest monotonic counter of the machine, read in cycles, shown in
// nanoseconds.
#ifndef BITACTOR_L1_CORE_TICK_CLOCK_H_
#define BITACTOR_L1_CORE_TICK_CLOCK_H_

#include <time.h>

#include <atomic>
#include <cstdint>
#include <string>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bitactor {

// Threads: all methods may be called by any thread. Handed around by pointer, never copied.
// Errors: none; where the counter cannot be trusted the clock falls back to CLOCK_MONOTONIC by
//   itself.
// Cost: Now() is one rdtsc (9.5 ns on a virtual machine) or one clock_gettime (23 ns); ToNanos one
//   multiplication.
class TickClock {
 public:
  enum class Source : uint8_t {
    kTsc,        // invariant time-stamp counter (x86) or cntvct (Arm)
    kMonotonic,  // clock_gettime(CLOCK_MONOTONIC): 1 cycle = 1 ns
    kManual,     // moved by Advance() alone: 1 cycle = 1 ns
  };

  // The best source of this machine, calibrated.
  TickClock();
  // A given source; kTsc falls back to kMonotonic when the counter is not invariant. A manual clock
  // starts at `start_ns`.
  explicit TickClock(Source source, uint64_t start_ns = 0);
  TickClock(const TickClock&) = delete;
  TickClock& operator=(const TickClock&) = delete;

  Source source() const { return source_; }
  // Cycles per second, as calibrated.
  double hertz() const { return hertz_; }

  // Now, in cycles of the source.
  uint64_t Now() const {
    if (source_ == Source::kTsc) [[likely]]
      return ReadCounter();
    return ReadSlow();
  }
  // Nanoseconds of CLOCK_MONOTONIC's timeline (of the manual clock's own) at a value of Now().
  uint64_t ToNanos(uint64_t cycles) const {
    // The sum wraps where the counter began before CLOCK_MONOTONIC did, and wraps back.
    return ns_at_zero_ + NanosIn(cycles);
  }
  uint64_t NowNanos() const { return ToNanos(Now()); }
  // A duration, nanoseconds to cycles and back.
  uint64_t CyclesIn(uint64_t duration_ns) const {
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(duration_ns) * cycles_per_ns_q32_) >> 32);
  }
  uint64_t NanosIn(uint64_t duration_cycles) const {
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(duration_cycles) * ns_per_cycle_q32_) >> 32);
  }

  // Moves a manual clock. REQUIRES: source() == kManual.
  void Advance(uint64_t duration_ns);

  // One line for people: source, frequency.
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
  uint64_t ReadSlow() const;
  void CalibrateCounter();

  Source source_;
  double hertz_ = 1e9;
  uint64_t ns_at_zero_ = 0;  // of the counter, modulo 2^64
  uint64_t ns_per_cycle_q32_ = uint64_t{1} << 32;
  uint64_t cycles_per_ns_q32_ = uint64_t{1} << 32;
  // Manual source only. Any thread; relaxed: the clock orders nothing but itself.
  std::atomic<uint64_t> manual_ns_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_TICK_CLOCK_H_
