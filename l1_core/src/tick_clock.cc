#include "bitactor/l1_core/tick_clock.h"

#include <string>

#include "absl/strings/str_format.h"
#include "bitactor/l1_core/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bitactor {
namespace {

uint64_t MonotonicNanos() {
  timespec now;
  BITACTOR_CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Whether the counter runs at one rate in every power state and on every core.
bool CounterIsInvariant() {
#if defined(__x86_64__)
  // CPUID 8000'0007h, EDX bit 8 (Intel SDM vol. 3, "Invariant TSC"; AMD APM vol. 3, same bit).
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007u, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
#elif defined(__aarch64__)
  return true;  // the generic timer is constant-rate by architecture
#else
  return false;
#endif
}

// How long the first calibration watches both clocks. Bracketing errors of about 50 ns over this
// time are 25 ppm.
constexpr uint64_t kCalibrationNs = 2'000'000;

}  // namespace

TickClock::TickClock() : TickClock(Source::kTsc) {}

TickClock::TickClock(Source source, uint64_t start_ns) : source_(source) {
  if (source_ == Source::kTsc && !CounterIsInvariant()) source_ = Source::kMonotonic;
  if (source_ == Source::kTsc) CalibrateCounter();
  if (source_ == Source::kManual) manual_ns_.store(start_ns, std::memory_order_relaxed);
}

void TickClock::CalibrateCounter() {
  // A pair (counter, ns), the tightest of several: an interrupt between the reads widens the
  // bracket and is left out.
  const auto sample = [](uint64_t& cycles, uint64_t& ns) {
    uint64_t best_width = ~uint64_t{0};
    for (int i = 0; i < 16; ++i) {
      const uint64_t before = ReadCounter();
      const uint64_t at = MonotonicNanos();
      const uint64_t after = ReadCounter();
      if (after - before < best_width) {
        best_width = after - before;
        cycles = before + (after - before) / 2;
        ns = at;
      }
    }
  };
  uint64_t end_cycles = 0, end_ns = 0;
  uint64_t base_cycles = 0, base_ns = 0;
  sample(base_cycles, base_ns);
  while (MonotonicNanos() - base_ns < kCalibrationNs) {
  }
  sample(end_cycles, end_ns);
  const double cycles_per_ns =
      static_cast<double>(end_cycles - base_cycles) / static_cast<double>(end_ns - base_ns);
  hertz_ = cycles_per_ns * 1e9;
  constexpr double kOneQ32 = 4294967296.0;
  ns_per_cycle_q32_ = static_cast<uint64_t>(kOneQ32 / cycles_per_ns + 0.5);
  cycles_per_ns_q32_ = static_cast<uint64_t>(kOneQ32 * cycles_per_ns + 0.5);
  ns_at_zero_ = base_ns - NanosIn(base_cycles);
}

uint64_t TickClock::ReadSlow() const {
  if (source_ == Source::kManual) return manual_ns_.load(std::memory_order_relaxed);
  return MonotonicNanos();
}

void TickClock::Advance(uint64_t duration_ns) {
  BITACTOR_CHECK(source_ == Source::kManual);
  manual_ns_.fetch_add(duration_ns, std::memory_order_relaxed);
}

std::string TickClock::ToString() const {
  switch (source_) {
    case Source::kTsc:
      return absl::StrFormat("counter at %.3f GHz", hertz_ / 1e9);
    case Source::kMonotonic:
      return "CLOCK_MONOTONIC";
    case Source::kManual:
      return "manual";
  }
  return "unknown";
}

}  // namespace bitactor
