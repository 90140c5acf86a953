// Which records a replay gives, and when.
#ifndef BITACTOR_PERSISTENCE_REPLAY_OPTIONS_H_
#define BITACTOR_PERSISTENCE_REPLAY_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "bitactor/persistence/position.h"

namespace bitactor {

// What a replay that waits calls the time. Threads: that of the replay.
class ReplayClock {
 public:
  virtual ~ReplayClock() = default;
  virtual uint64_t NowNs() = 0;
  // May return early.
  virtual void WaitUntil(uint64_t time_ns) = 0;
};
// The machine's, from its start on.
ReplayClock& SystemReplayClock();

// Gives each record as long after the one before it as their stamps are apart. A consumer that
// comes late gets what is due at once, until it has caught up; a stamp before an earlier one is due
// at once, too.
struct ReplayPace {
  double speed = 1;                    // 2: in half of the time. Above 0
  uint64_t max_gap_ns = ~uint64_t{0};  // a wait for one record that would be longer is cut to this
};

// At the end, waits for what is appended, by whichever process. The change from what was there to
// what comes is no seam: nothing is left out and nothing given twice.
struct ReplayFollow {
  uint64_t poll_ns = 1'000'000;         // between two looks for more
  uint64_t deadline_ns = ~uint64_t{0};  // by the clock below: then the range ends
};

struct ReplayOptions {
  Position from =
      Position::Begin();  // a record's position, the end of an earlier replay, or Begin()
  Position until = Position::None();  // exclusive; None(): all that is committed when it is reached
  // Goes on behind gaps, the places where repair gave bytes up. Otherwise a gap ends the range.
  bool skip_gaps = false;

  // Of these records, those stamped earlier than `from_stamp_ns` are left out, and so are those
  // stamped at `until_stamp_ns` or later (unless it is the greatest number).
  uint64_t from_stamp_ns = 0;
  uint64_t until_stamp_ns = ~uint64_t{0};
  // How much earlier a record may be stamped than one before it: journals of a fabric are in the
  // order of delivery, where stamps only nearly rise. Whole segments are left out unread, and the
  // range ends, when by this bound nothing of the wanted time can be in them. A record that is
  // further out of order may be missing from a replay by stamp; the greatest number reads all.
  uint64_t stamp_disorder_ns = 10'000'000'000;

  // Called now and then, and at the end, with the bytes of the journal done and to do.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress = {};

  std::optional<ReplayPace> pace = std::nullopt;
  std::optional<ReplayFollow> follow = std::nullopt;
  // Asked before each wait, and every 100 ms of a longer one: true ends the range.
  std::function<bool()> stop = {};
  ReplayClock* clock = &SystemReplayClock();
};

}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_REPLAY_OPTIONS_H_
