#include "bitactor/l1_core/watchdog.h"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/thread_stack.h"

namespace bitactor {
namespace {

constexpr uint64_t kMinuteNs = 60'000'000'000;
// How long a stuck thread may take to say where it is: it may wait for a processor first.
constexpr uint64_t kStackPatienceNs = 1'000'000'000;

WatchdogOptions Checked(WatchdogOptions options) {
  BITACTOR_CHECK_LE(uint64_t{1}, options.stuck_after_ns);
  BITACTOR_CHECK_LE(uint64_t{1}, options.sample_every_ns);
  BITACTOR_CHECK_LE(1u, options.max_reports_per_minute);
  return options;
}

std::string Describe(Heartbeat::Beat beat, const Watchdog::KindName& kind_name) {
  if (beat.doing() == Heartbeat::Doing::kPoller) return absl::StrFormat("poller %d", beat.number());
  const std::string name = kind_name ? kind_name(beat.number()) : "";
  if (name.empty()) return absl::StrFormat("handler of kind %d", beat.number());
  return absl::StrFormat("handler of kind %d (%s)", beat.number(), name);
}

}  // namespace

std::string StuckReport::ToString() const {
  std::string text = absl::StrFormat("watchdog: engine '%s': %s %s %.1f ms", engine, doing,
                                     ended ? "has returned after" : "has not returned for",
                                     static_cast<double>(duration_ns) / 1e6);
  if (not_reported > 0) absl::StrAppendFormat(&text, "; %d others not reported", not_reported);
  text += '\n';
  for (const std::string& frame : stack) absl::StrAppendFormat(&text, "    %s\n", frame);
  return text;
}

Watchdog::Watchdog(const TickClock* clock, WatchdogOptions options)
    : clock_(clock), options_(Checked(std::move(options))) {}

void Watchdog::Watch(std::string engine, const Heartbeat* heartbeat, KindName kind_name) {
  MutexLock lock(&mutex_);
  watched_.push_back(
      {.engine = std::move(engine), .heartbeat = heartbeat, .kind_name = std::move(kind_name)});
}

void Watchdog::Unwatch(const Heartbeat* heartbeat) {
  MutexLock lock(&mutex_);
  std::erase_if(watched_, [&](const Watched& each) { return each.heartbeat == heartbeat; });
}

void Watchdog::Check(uint64_t now_ns) {
  MutexLock lock(&mutex_);
  for (Watched& watched : watched_) Look(watched, now_ns);
}

void Watchdog::Look(Watched& watched, uint64_t now_ns) {
  const Heartbeat::Beat beat = watched.heartbeat->Read();
  if (beat != watched.beat) {
    if (watched.reported) Report(watched, now_ns, /*ended=*/true);
    watched.beat = beat;
    watched.since_ns = now_ns;
    watched.stuck = watched.reported = false;
    return;
  }
  if (beat.doing() == Heartbeat::Doing::kNothing || watched.stuck) return;
  if (now_ns < watched.since_ns) watched.since_ns = now_ns;  // a clock that stepped back
  if (now_ns - watched.since_ns < options_.stuck_after_ns) return;
  watched.stuck = true;
  ++counters_.stuck;
  if (!MayReport(now_ns)) {
    ++counters_.not_reported;
    ++not_reported_yet_;
    return;
  }
  ++counters_.reported;
  watched.reported = true;
  Report(watched, now_ns, /*ended=*/false);
}

bool Watchdog::MayReport(uint64_t now_ns) {
  std::erase_if(reported_at_ns_, [&](uint64_t at_ns) { return now_ns - at_ns >= kMinuteNs; });
  if (reported_at_ns_.size() >= options_.max_reports_per_minute) return false;
  reported_at_ns_.push_back(now_ns);
  return true;
}

void Watchdog::Report(const Watched& watched, uint64_t now_ns, bool ended) {
  StuckReport report{.engine = watched.engine,
                     .doing = Describe(watched.beat, watched.kind_name),
                     .duration_ns = now_ns - watched.since_ns,
                     .ended = ended,
                     .not_reported = std::exchange(not_reported_yet_, 0),
                     .stack = {}};
  internal::ThreadStack stack;
  // Looked at again behind it: the stack may be of what came after.
  if (!ended && internal::NoteThreadStack(watched.heartbeat->thread(), kStackPatienceNs, &stack) &&
      watched.heartbeat->Read() == watched.beat) {
    report.stack = stack.Names();
  }
  if (options_.on_report) {
    options_.on_report(report);
  } else {
    std::fputs(report.ToString().c_str(), stderr);
  }
}

void Watchdog::Run(std::stop_token stop) {
  const std::stop_callback wake_to_stop(stop, [this] { parking_.Wake(); });
  while (!stop.stop_requested()) {
    clock_->Recheck();
    Check(clock_->NowNanos());
    parking_.Park([&] { return stop.stop_requested(); }, options_.sample_every_ns);
  }
}

WatchdogCounters Watchdog::counters() const {
  MutexLock lock(&mutex_);
  return counters_;
}

}  // namespace bitactor
