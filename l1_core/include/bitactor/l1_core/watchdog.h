// Notices handlers that do not return.
#ifndef BITACTOR_L1_CORE_WATCHDOG_H_
#define BITACTOR_L1_CORE_WATCHDOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "bitactor/l1_core/heartbeat.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/l1_core/parking_spot.h"
#include "bitactor/l1_core/tick_clock.h"

namespace bitactor {

// What the watchdog has to say about one call of a handler or poller.
struct StuckReport {
  std::string engine;
  std::string doing;          // "handler of kind 7 (quote)", "poller 2"
  uint64_t duration_ns = 0;   // since the watchdog saw it first: at most one sample too short
  bool ended = false;         // false: it still runs, said once; true: it has returned after all
  uint64_t not_reported = 0;  // calls stuck since the last report that were over the limit of it
  std::vector<std::string> stack;  // innermost first; empty: could not be had, or it has ended

  // Lines for people.
  std::string ToString() const;
};

struct WatchdogOptions {
  uint64_t stuck_after_ns = 10'000'000;  // at least 1
  uint64_t sample_every_ns = 5'000'000;  // of Run(), at least 1; a call is noticed so much late
  uint32_t max_reports_per_minute = 5;   // at least 1; of stuck calls, all engines together
  // Called on the thread of Run() or Check(); must not call back. Null: standard error.
  std::function<void(const StuckReport&)> on_report = nullptr;
};

struct WatchdogCounters {
  uint64_t stuck = 0;         // calls that ran for stuck_after_ns or longer
  uint64_t reported = 0;      // of these, reported
  uint64_t not_reported = 0;  // of these, over the limit; stuck = reported + not_reported
};

// Samples the heartbeats of engines. A call is stuck when the same one is seen for stuck_after_ns.
// Reported once, and once more when it has ended. An engine that rests or sleeps is not stuck.
//
// Threads: all methods may be called by any thread; one calls Run().
// Bounds: as many engines as are watched.
// Ownership: clock and heartbeats are the caller's, and are there until Unwatch() or the end.
// Errors: a stack that cannot be had is left out. What the operating system keeps from running
//   looks like a handler that does not return: its stack then says where it was kept.
// Cost: nothing on the engine's side but Heartbeat. Run() wakes 200 times a second, 0.4 % of a core
//   of a virtual machine. A report takes 0.1 to 1 ms, most of it for names, and allocates, in the
//   watchdog's thread.
class Watchdog {
 public:
  using KindName = std::function<std::string(SignalKind)>;

  // REQUIRES: options in their ranges.
  explicit Watchdog(const TickClock* clock, WatchdogOptions options = {});
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // `kind_name` names kinds in reports, called on the watchdog's thread; null or "": numbers do.
  void Watch(std::string engine, const Heartbeat* heartbeat, KindName kind_name = nullptr);
  // After it, the heartbeat is not read any more.
  void Unwatch(const Heartbeat* heartbeat);

  // One sample, at this time. Without Run(), for tests and those who have a thread already.
  void Check(uint64_t now_ns);
  // Samples every sample_every_ns until `stop` is requested, and keeps the clock in line
  // (TickClock::Recheck()). For a thread of its own, best one that no engine's core runs.
  void Run(std::stop_token stop);

  WatchdogCounters counters() const;

 private:
  struct Watched {
    std::string engine;
    const Heartbeat* heartbeat;
    KindName kind_name;
    Heartbeat::Beat beat = {};
    uint64_t since_ns = 0;  // when the beat was first seen
    bool stuck = false;
    bool reported = false;
  };

  void Look(Watched& watched, uint64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayReport(uint64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report(const Watched& watched, uint64_t now_ns, bool ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TickClock* const clock_;
  const WatchdogOptions options_;
  internal::ParkingSpot parking_;
  mutable Mutex mutex_;
  std::vector<Watched> watched_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> reported_at_ns_ ABSL_GUARDED_BY(mutex_);  // the last ones, oldest first
  uint64_t not_reported_yet_ ABSL_GUARDED_BY(mutex_) = 0;
  WatchdogCounters counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_WATCHDOG_H_
