// What one shard publishes of itself, and when.
#ifndef BITACTOR_L2_MAILBOX_STATS_PUBLISHER_H_
#define BITACTOR_L2_MAILBOX_STATS_PUBLISHER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/endpoint.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l2_mailbox/stats_file.h"
#include "bitactor/l2_mailbox/stats_section.h"

namespace bitactor::internal {

class Shard;

// A working shard publishes once in an interval, at the beginning of a round whose clock says so. One
// that falls asleep publishes an interval later, when those that it answered have read, and then no
// more until it is woken. Endpoints are counted in slices, so that no round waits for all of them.
//
// Threads: the shard's; PublishAll(), any while the shard does not run.
// Cost: nothing for a message, a comparison for a round of its shard (Shard::Poll), a reading of the
//   clock for each time it falls asleep or wakes. A publication takes 1 us and 50 ns a lane; a slice
//   some 10 us, at most one in a millisecond; the rows of mailboxes 20 ns each, once in a sweep.
class StatsPublisher {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  StatsPublisher(Shard* shard, StatsFile* file, uint64_t interval_ns);

  // The beginning of a round, at `now_ns` as of the last one's clock. Returns when to ask again.
  uint64_t BeginRound(uint64_t now_ns);
  // The shard is about to sleep. Returns when it has to wake for this, or kNever.
  uint64_t BeginSleep(uint64_t now_ns);
  // All at once: the first publication, and the last.
  void PublishAll(uint64_t now_ns);

  // The shard has dead-lettered a message to `target`.
  void CountRefusal(ActorId target);
  // An endpoint is about to be destroyed.
  void NoteEnded(Endpoint& endpoint);

 private:
  static constexpr uint64_t kSliceEveryNs = 1'000'000;
  static constexpr size_t kSlicePlaces = 256;
  static constexpr size_t kNoRow = std::numeric_limits<size_t>::max();

  // What is counted of a mailbox whose endpoints are gone.
  struct Kept {
    uint64_t dispatched = 0;
    uint64_t overruns = 0;
    uint64_t refused = 0;
  };

  void Publish(uint64_t now_ns);
  void BeginSweep(uint64_t now_ns);
  // Counts endpoints from where it stopped; publishes the mailboxes after the last of them.
  void Sweep(uint64_t now_ns, size_t places);
  void CountEndpoint(Endpoint& endpoint);
  void PublishMailboxes(uint64_t now_ns);
  // Where the mailbox of an id is counted; kNoRow: at another shard.
  size_t RowOf(ActorId id);

  Shard* const shard_;
  StatsFile* const file_;
  const uint64_t interval_ns_;
  StatsSection counts_;
  StatsSection mailboxes_;
  uint64_t publish_at_ns_ = 0;
  uint64_t slice_at_ns_ = kNever;  // kNever: no sweep is going on
  uint32_t next_id_ = 0;
  uint16_t sweep_ = 0;
  uint64_t sweep_epoch_ = 0;  // of the routes when it began
  uint64_t swept_activity_ = 0;
  bool asleep_ = false;
  uint64_t seen_activity_ = 0;
  uint64_t settled_at_ns_ = kNever;  // kNever: what was last published is all there is
  // By row. rows_ is the sweep that is going on.
  std::vector<MailboxStats> rows_;
  std::vector<Kept> kept_;
  size_t rows_used_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_STATS_PUBLISHER_H_
