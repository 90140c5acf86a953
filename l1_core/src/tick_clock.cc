#include "bitactor/l1_core/tick_clock.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "absl/strings/str_format.h"
#include "bitactor/l1_core/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bitactor {
namespace {

using internal::ClockCalibration;
using internal::ClockLine;

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

// The counter's rate where the machine declares it, else 0.
uint64_t DeclaredHertz() {
#if defined(__aarch64__)
  uint64_t hertz;
  asm volatile("mrs %0, cntfrq_el0" : "=r"(hertz));
  return hertz;
#else
  return 0;
#endif
}

// How long the first calibration watches both clocks: of 300 such the worst was off by 11 ppm, the
// middle one by 2.4. Over 2 ms it was 1.1 ppm; the first Recheck() does better than that.
constexpr uint64_t kCalibrationNs = 200'000;
// A comparison is due when the baseline has doubled, but not before and not after:
constexpr uint64_t kRecheckNsMin = 100'000'000;
constexpr uint64_t kRecheckNsMax = 1'000'000'000;
static_assert(ClockCalibration::kLeadNs < kRecheckNsMin, "a line starts before the next is made");
// A comparison is given up when the two clocks could not be read closer together than that.
constexpr uint64_t kReadingWidthNsMax = 2'000;

}  // namespace

TickClock::TickClock() : TickClock(Source::kTsc) {}

TickClock::TickClock(Source source, uint64_t start_ns) : source_(source) {
  if (source == Source::kManual) manual_ns_.store(start_ns, std::memory_order_relaxed);
  if (source != Source::kTsc) return;
  if (CounterIsInvariant()) {
    Calibrate();
    // Relaxed, as all stores of a constructor: who hands the clock to a thread orders them.
    reads_slowly_.store(false, std::memory_order_relaxed);
  } else {
    source_.store(Source::kMonotonic, std::memory_order_relaxed);
  }
}

TickClock::TickClock(ClockPort* port) : port_(port), source_(Source::kTsc) { Calibrate(); }

uint64_t TickClock::ReferenceNow() const {
  return port_ == nullptr ? MonotonicNanos() : port_->ReferenceNs();
}

TickClock::Reading TickClock::ReadBoth() const {
  // The tightest of several pairs: an interrupt between the reads widens the bracket and is left
  // out.
  Reading best;
  best.width_cycles = ~uint64_t{0};
  for (int i = 0; i < 16; ++i) {
    const uint64_t before = CounterNow();
    const uint64_t at_ns = ReferenceNow();
    const uint64_t width = CounterNow() - before;
    if (width < best.width_cycles) {
      best.cycles = before + width / 2;
      best.ns = at_ns;
      best.width_cycles = width;
    }
  }
  return best;
}

void TickClock::Calibrate() {
  MutexLock lock(&recheck_mutex_);
  uint64_t hertz = port_ == nullptr ? DeclaredHertz() : port_->CounterHertz();
  Reading begin = ReadBoth();
  double ns_per_cycle = 1e9 / static_cast<double>(hertz);
  if (hertz == 0) {
    while (ReferenceNow() - begin.ns < kCalibrationNs) {
    }
    const Reading end = ReadBoth();
    ns_per_cycle =
        static_cast<double>(end.ns - begin.ns) / static_cast<double>(end.cycles - begin.cycles);
  }
  calibration_ = ClockCalibration(begin, ns_per_cycle);
  lines_.Start(calibration_.FirstLine());
  PublishRate();
}

void TickClock::PublishRate() const {
  constexpr double kOneQ32 = 4294967296.0;
  const double ns_per_cycle = calibration_.ns_per_cycle();
  const uint64_t wait_ns =
      std::clamp(calibration_.drift().baseline_ns, kRecheckNsMin, kRecheckNsMax);
  // Relaxed: each rate is used by itself, and the last two only say whether to look closer.
  ns_per_cycle_q32_.store(static_cast<uint64_t>(std::llround(ns_per_cycle * kOneQ32)),
                          std::memory_order_relaxed);
  cycles_per_ns_q32_.store(static_cast<uint64_t>(std::llround(kOneQ32 / ns_per_cycle)),
                           std::memory_order_relaxed);
  compared_cycles_.store(calibration_.last().cycles, std::memory_order_relaxed);
  due_after_cycles_.store(CyclesIn(wait_ns), std::memory_order_relaxed);
}

bool TickClock::IsDue(uint64_t now_cycles) const {
  // Relaxed: two words of different comparisons at worst ask for a look under the lock.
  const auto since =
      static_cast<int64_t>(now_cycles - compared_cycles_.load(std::memory_order_relaxed));
  if (since < 0) return NanosIn(static_cast<uint64_t>(-since)) > ClockCalibration::kSkewNs;
  return static_cast<uint64_t>(since) >= due_after_cycles_.load(std::memory_order_relaxed);
}

void TickClock::Recheck() const {
  if (source() != Source::kTsc || !IsDue(CounterNow())) return;
  if (!recheck_mutex_.TryLock()) return;  // another thread does it
  // Another one may have done it between.
  if (source() == Source::kTsc && IsDue(CounterNow())) Compare();
  recheck_mutex_.Unlock();
}

void TickClock::Compare() const {
  const Reading now = ReadBoth();
  if (NanosIn(now.width_cycles) > kReadingWidthNsMax) {
    calibration_.NoteUnsure();
    return;
  }
  ClockLine line;
  if (calibration_.Take(now, lines_, &line) == ClockCalibration::Outcome::kBackwards) {
    FallBack();
    return;
  }
  // A thread held so long that the line begins in the past drops it: readers were there already.
  if (!line.Covers(CounterNow())) lines_.Publish(line);
  PublishRate();
}

void TickClock::FallBack() const {
  const ClockLine line = calibration_.FallBack(ReferenceNow(), lines_);
  PublishRate();
  // Relaxed: published with the source.
  made_from_cycles_.store(calibration_.last().cycles, std::memory_order_relaxed);
  made_from_ns_.store(calibration_.last().ns, std::memory_order_relaxed);
  lines_.Publish(line);
  // SYNC(clock-source): pairs with ReadSlow().
  source_.store(Source::kMonotonic, std::memory_order_release);
  // Relaxed: ReadSlow() decides by the source.
  reads_slowly_.store(true, std::memory_order_relaxed);
}

uint64_t TickClock::ReadSlow() const {
  // SYNC(clock-source): pairs with FallBack().
  switch (source_.load(std::memory_order_acquire)) {
    case Source::kTsc:
      return CounterNow();
    case Source::kMonotonic:
      // Relaxed: written before the source.
      return made_from_cycles_.load(std::memory_order_relaxed) +
             CyclesIn(ReferenceNow() - made_from_ns_.load(std::memory_order_relaxed));
    case Source::kManual:
      break;
  }
  return manual_ns_.load(std::memory_order_relaxed);
}

ClockDrift TickClock::Drift() const {
  MutexLock lock(&recheck_mutex_);
  return calibration_.drift();
}

double TickClock::hertz() const {
  return 1e9 * static_cast<double>(cycles_per_ns_q32_.load(std::memory_order_relaxed)) /
         4294967296.0;
}

void TickClock::Advance(uint64_t duration_ns) {
  BITACTOR_CHECK(source() == Source::kManual);
  manual_ns_.fetch_add(duration_ns, std::memory_order_relaxed);
}

std::string TickClock::ToString() const {
  if (source() == Source::kManual) return "manual";
  const ClockDrift drift = Drift();
  if (source() == Source::kMonotonic) {
    return drift.fell_back ? "CLOCK_MONOTONIC, for the counter ran backwards" : "CLOCK_MONOTONIC";
  }
  std::string text = absl::StrFormat("counter at %.3f GHz", hertz() / 1e9);
  if (drift.rechecks > 0) {
    absl::StrAppendFormat(&text, ", %d ns %s CLOCK_MONOTONIC (worst %d) at recheck %d",
                          std::abs(drift.off_ns), drift.off_ns < 0 ? "behind" : "ahead of",
                          drift.worst_off_ns, drift.rechecks);
  }
  return text;
}

}  // namespace bitactor
