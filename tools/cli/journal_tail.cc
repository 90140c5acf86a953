#include "cli/journal_tail.h"

#include <algorithm>

namespace bitactor::cli {
namespace {

// Between two looks at a journal with nothing new: short while something was just appended, then
// longer, as a look at a journal without a writer reads the rest of a segment.
constexpr uint64_t kShortestWaitNs = 10'000'000;
constexpr uint64_t kLongestWaitNs = 160'000'000;
// A journal that grows as fast as it is printed has no end to wait at: look for a stop in between.
constexpr uint64_t kRecordsPerStopCheck = 1024;

}  // namespace

absl::Status Tail(JournalMerge& journals, const TailOptions& options, const TailPorts& ports) {
  const uint64_t begin_ns = ports.now_ns();
  uint64_t left = journals.StartAtLast(options.last);
  if (options.follow) left = ~uint64_t{0};
  if (options.count.has_value()) left = std::min(left, *options.count);
  uint64_t wait_ns = kShortestWaitNs;
  uint64_t printed = 0;
  const auto time_left_ns = [&]() -> uint64_t {
    if (!options.follow_ns.has_value()) return ~uint64_t{0};
    return *options.follow_ns - std::min(*options.follow_ns, ports.now_ns() - begin_ns);
  };
  while (true) {
    const uint64_t printed_before = printed;
    while (left > 0) {
      const std::optional<PlacedRecord> next = journals.Next();
      if (!next.has_value()) break;
      if (absl::Status status = ports.print(*next); !status.ok()) return status;
      --left;
      if (++printed % kRecordsPerStopCheck == 0 && (time_left_ns() == 0 || !ports.wait(0)))
        left = 0;
    }
    if (absl::Status status = ports.flush(); !status.ok()) return status;
    if (!options.follow || left == 0 || !journals.status().ok()) return journals.status();
    wait_ns = printed != printed_before ? kShortestWaitNs : std::min(2 * wait_ns, kLongestWaitNs);
    if (time_left_ns() == 0 || !ports.wait(std::min(wait_ns, time_left_ns()))) {
      return absl::OkStatus();
    }
    journals.LookAgain();
  }
}

}  // namespace bitactor::cli
