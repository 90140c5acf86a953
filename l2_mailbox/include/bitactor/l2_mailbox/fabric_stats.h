// What a fabric is doing, read by another process while it runs, or after it.
#ifndef BITACTOR_L2_MAILBOX_FABRIC_STATS_H_
#define BITACTOR_L2_MAILBOX_FABRIC_STATS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/dead_letters.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/send_result.h"

namespace bitactor {

// Times are on the fabric's clock, nanoseconds since 1970; 0: none. The structs of 64-bit words
// alone are the rows of the file (stats_format.h).

// From one port to one shard.
struct LaneStats {
  uint64_t port = 0;
  uint64_t waiting = 0;  // published and not taken
  uint64_t spilled = 0;  // of these, moved out of the ring to make room
  uint64_t published = 0;
  uint64_t oldest_ns = 0;  // stamp of the first that waits
};

// What lives in the slots of one mailbox now. Its history moves with an endpoint to another mailbox.
struct MailboxStats {
  uint64_t mailbox = 0;
  uint64_t endpoints = 0;
  uint64_t dispatched = 0;  // by endpoints that are there, or that ended there
  uint64_t overruns = 0;    // of these, over budget
  uint64_t waiting = 0;     // for an endpoint that cannot take them yet
  uint64_t oldest_ns = 0;   // stamp of the one that waits longest
  uint64_t refused = 0;     // dead-lettered by the shard that owns the mailbox
};

// Of an outside port or, below the number of shards, a shard's own.
struct PortStats {
  uint64_t port = 0;
  uint64_t source = 0;  // the id that it sends as; 0: those of its shard's endpoints
  uint64_t open = 0;    // 1: whether its answers are read
  uint64_t sent = 0;
  uint64_t replied = 0;
  uint64_t read = 0;     // answers
  uint64_t waiting = 0;  // answers that it has not read
  std::array<uint64_t, kSendResults> refused{};
};

struct ShardCounts {
  uint64_t published_ns = 0;  // when these counts were read
  uint64_t delivered = 0;
  uint64_t queued = 0;     // in lanes, spills, queues and held back
  uint64_t held = 0;       // of these, at endpoints that cannot take them yet
  uint64_t held_back = 0;  // of these, sends of its own that found a lane full
  uint64_t journalled = 0;
  uint64_t journal_tail_bytes = 0;  // its journal's tail as an offset
  uint64_t journal_full = 0;        // 1: it handles nothing more in this run (Fabric::Health)
  uint64_t suspicions = 0;
  uint64_t spans_dropped = 0;
  uint64_t sleeps = 0;
};

struct ShardStats {
  ShardCounts counts;
  uint64_t awake_since_ns = 0;  // 0: it sleeps
  uint64_t swept_ns = 0;        // when the reading of its mailboxes was complete
  std::vector<LaneStats> lanes;
  std::vector<MailboxStats> mailboxes;  // those with anything to tell, ascending
};

// Of the fabric as a whole.
struct FabricTotals {
  uint64_t published_ns = 0;
  uint64_t ended_ns = 0;  // when Stop() had stopped the shards
  uint64_t routing_epoch = 0;
  std::array<uint64_t, kDeadLetterCauses> dead_letters{};
};

enum class WriterState : uint8_t {
  kRunning,
  kStopped,  // by Stop(): the numbers are its last
  kGone,     // the process ended without Stop(): the numbers are those of its last publication
};

struct FabricReading {
  WriterState state = WriterState::kRunning;
  int64_t pid = 0;
  uint32_t boot = 0;  // the start of the fabric, 1 is the first
  uint64_t start_ns = 0;
  uint64_t interval_ns = 0;     // FabricOptions::stats_interval_ns
  uint64_t wall_offset_ns = 0;  // the fabric's clock less CLOCK_MONOTONIC
  bool same_machine_start = true;
  FabricTotals totals;
  std::vector<ShardStats> shards;
  std::vector<PortStats> ports;
  // Parts whose newest copy is damaged, each with file, offset and checksums. The one before it was
  // read.
  std::vector<std::string> damages;

  // As Fabric::Counters(), of the moments when they were published; exact at rest.
  FabricCounters Counters() const;
  // The fabric's time at a reading of CLOCK_MONOTONIC on its machine. Of a fabric that runs no more,
  // or ran before the machine's last start: when it last published.
  uint64_t NowNs(uint64_t monotonic_ns) const;
  // How long a shard that does not sleep has shown no sign of life, less what it may take: a handler
  // runs that long, its thread gets no processor, or nobody polls it. 0: it answers.
  uint64_t SilentNs(uint32_t shard, uint64_t now_ns) const;
};

// "DIR/stats": where a fabric with this journal_dir publishes, unless FabricOptions::stats_file says
// otherwise.
std::string FabricStatsFile(const std::string& journal_dir);

// Reads what a fabric published last. Changes nothing, and holds nobody up.
//
// Order: each shard's counts, each shard's mailboxes and the totals are of one moment each; between
//   them are up to stats_interval_ns, for mailboxes of many endpoints more (docs/operations.md).
// Threads: any, in any process, any number.
// Bounds: a file is at most 4 MiB.
// Errors: kNotFound: no such file. kInvalidArgument: not a stats file. kUnimplemented: of another
//   version. kDataLoss: damaged or cut short, with place and bytes.
absl::StatusOr<FabricReading> ReadFabricStats(FileSystem& files, const std::string& path);

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_FABRIC_STATS_H_
