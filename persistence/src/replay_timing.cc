#include "replay_timing.h"

#include <errno.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bitactor {
namespace {

constexpr uint64_t kNanosPerSecond = 1'000'000'000;

class MonotonicClock final : public ReplayClock {
 public:
  uint64_t NowNs() override {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * kNanosPerSecond + static_cast<uint64_t>(now.tv_nsec);
  }
  void WaitUntil(uint64_t time_ns) override {
    timespec until;
    until.tv_sec = static_cast<time_t>(time_ns / kNanosPerSecond);
    until.tv_nsec = static_cast<long>(time_ns % kNanosPerSecond);
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
};

uint64_t AddUpToMax(uint64_t a, uint64_t b) { return a > ~uint64_t{0} - b ? ~uint64_t{0} : a + b; }

}  // namespace

ReplayClock& SystemReplayClock() {
  static MonotonicClock* const clock = new MonotonicClock;  // never destroyed: used to the end
  return *clock;
}

namespace internal {
namespace {

// How long it waits at most without asking whether to stop.
constexpr uint64_t kAskNs = 100'000'000;

}  // namespace

History MakeHistory(FileSystem& files, const std::string& dir, uint64_t segment_bytes,
                    const ReplayOptions& options, Position end, RecordCursor::End end_kind) {
  auto cursor = std::make_unique<RecordCursor>(files, dir, segment_bytes, options, end, end_kind);
  if (absl::Status status = ReplayTiming::Check(options); !status.ok()) {
    cursor->Fail(absl::Status(status.code(), absl::StrCat(dir, ": ", status.message())));
  }
  if (!ReplayTiming::IsNeeded(options)) return History(std::move(cursor));
  return History(std::move(cursor), std::make_unique<ReplayTiming>(options));
}

absl::Status ReplayTiming::Check(const ReplayOptions& options) {
  if (options.pace.has_value() &&
      !(options.pace->speed > 0 && std::isfinite(options.pace->speed))) {
    return absl::InvalidArgumentError(absl::StrCat("the pace's speed is ", options.pace->speed,
                                                   "; numbers above 0 are possible, 1 is as "
                                                   "recorded"));
  }
  if (options.follow.has_value() && options.follow->poll_ns == 0) {
    return absl::InvalidArgumentError(
        "follow's poll_ns is 0; 1 and more are possible, 1,000,000 is a millisecond");
  }
  if (options.clock == nullptr && IsNeeded(options)) {
    return absl::InvalidArgumentError(
        "the replay's clock is null; leave it as it is for the machine's");
  }
  return absl::OkStatus();
}

const Record* ReplayTiming::Next(RecordCursor& cursor) {
  if (pending_ == nullptr) {
    pending_ = NextOrWait(cursor);
    if (pending_ == nullptr) return nullptr;
    if (options_.pace.has_value()) SetDue(pending_->frame().header.stamp_ns);
  }
  if (options_.pace.has_value() && !WaitUntil(due_ns_)) return nullptr;
  return std::exchange(pending_, nullptr);
}

const Record* ReplayTiming::NextOrWait(RecordCursor& cursor) {
  for (;;) {
    const Record* const record = cursor.Next();
    if (record != nullptr || !options_.follow.has_value() || !cursor.may_go_on()) return record;
    const uint64_t now_ns = options_.clock->NowNs();
    if (now_ns >= options_.follow->deadline_ns) return nullptr;
    const uint64_t look_ns = AddUpToMax(now_ns, options_.follow->poll_ns);
    if (!WaitUntil(std::min(look_ns, options_.follow->deadline_ns))) return nullptr;
    cursor.GoOn();
  }
}

void ReplayTiming::SetDue(uint64_t stamp_ns) {
  if (!started_) {
    started_ = true;
    due_ns_ = options_.clock->NowNs();
    last_stamp_ns_ = stamp_ns;
    return;
  }
  if (stamp_ns <= last_stamp_ns_) return;
  const double gap_ns = static_cast<double>(stamp_ns - last_stamp_ns_) / options_.pace->speed;
  const auto max_gap_ns = static_cast<double>(options_.pace->max_gap_ns);
  // 2^64 as a double is no uint64_t any more.
  due_ns_ = AddUpToMax(
      due_ns_, gap_ns < max_gap_ns ? static_cast<uint64_t>(gap_ns) : options_.pace->max_gap_ns);
  last_stamp_ns_ = stamp_ns;
}

// False when it is to stop.
bool ReplayTiming::WaitUntil(uint64_t time_ns) {
  for (;;) {
    const uint64_t now_ns = options_.clock->NowNs();
    if (now_ns >= time_ns) return true;
    if (options_.stop && options_.stop()) return false;
    options_.clock->WaitUntil(std::min(time_ns, AddUpToMax(now_ns, kAskNs)));
  }
}

}  // namespace internal
}  // namespace bitactor
