// What all ports and shards of one fabric share.
#ifndef BITACTOR_L2_MAILBOX_FABRIC_STATE_H_
#define BITACTOR_L2_MAILBOX_FABRIC_STATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l1_core/tick_clock.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/block_pool.h"
#include "bitactor/l2_mailbox/dead_letters.h"
#include "bitactor/l2_mailbox/mailbox_queue.h"
#include "bitactor/l2_mailbox/overload.h"
#include "bitactor/l2_mailbox/priority.h"
#include "bitactor/l2_mailbox/quarantine.h"
#include "bitactor/l2_mailbox/routes.h"
#include "bitactor/l2_mailbox/sampling.h"
#include "bitactor/tracing/trace_roots.h"

namespace bitactor::internal {

class Shard;

// A count with one writer and any number of readers.
class OwnedCounter {
 public:
  // Owner only. Relaxed: the load reads the owner's own store.
  [[gnu::always_inline]] void Add(uint64_t n) {
    // SYNC(counter): pairs with Read(); whoever sees a frame counted as taken sees the counts of
    // what it caused.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }
  uint64_t Read() const {
    // SYNC(counter): pairs with Add().
    return value_.load(std::memory_order_acquire);
  }

 private:
  std::atomic<uint64_t> value_{0};
};

// Of the lane from a shard to an outside port. What finds it full is a dead letter (kNoReader).
inline constexpr size_t kReplySlots = 256;

// The way from the shards to one outside port: a lane from each shard, and a bell.
struct ReplyLanes {
  std::vector<std::unique_ptr<SpscLane<Frame>>> from_shard;
  // Written by the port, read by shards: whether answers are read. Relaxed: an answer that just
  // misses the closing is dead-lettered by the port's next owner or never read; it is counted
  // either way.
  std::atomic<bool> open{false};
};

// The highest sequence that a target has journalled from a source, by what may overtake what: each
// class is in order only by itself.
struct WatermarkKey {
  uint32_t source;
  uint32_t target;
  uint8_t order_class;

  friend bool operator==(const WatermarkKey&, const WatermarkKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const WatermarkKey& k) {
    return H::combine(std::move(h), k.source, k.target, k.order_class);
  }
};
// Casts and calls wait in an actor's queue, by priority, while all else passes, and so may a signal
// (Endpoint::ActsAtOnce).
constexpr uint8_t OrderClass(FrameKind kind, Priority priority, uint8_t flags) {
  if (!IsQueuedClass(kind)) return 0;
  return (flags & kFlagSignal) != 0 ? 5 : static_cast<uint8_t>(1 + static_cast<uint8_t>(priority));
}

inline constexpr uint32_t kMaxShards = 64;
inline constexpr uint32_t kMaxPorts = 256;  // shards' own ports included

static_assert(kMaxShards == Routes::kMarked);

struct FabricState {
  FabricState() {
    for (size_t route = Routes::kMarked; route < journal_full.size(); ++route) {
      journal_full[route].store(true, std::memory_order_relaxed);  // Relaxed: nobody sees it yet.
    }
  }

  // Immutable once the first port exists, but for the routes.
  const TickClock* clock = nullptr;
  uint64_t wall_offset_ns = 0;  // hybrid clock's now = clock's nanoseconds + this
  uint32_t shards = 0;
  uint16_t incarnation = 0;  // of ports, from the journalled boot counter; durable sources use 0
  size_t overflow_limit_frames = 0;
  uint64_t corruption_limit = 0;
  std::shared_ptr<BlockPool> blocks;
  std::vector<std::unique_ptr<QuarantineStore>> quarantine;  // by shard
  Routes routes;
  bool has_process_barrier = false;
  Sampler sampler;
  std::vector<Engine*> engines;
  absl::flat_hash_map<WatermarkKey, uint64_t> watermarks;
  absl::flat_hash_map<uint32_t, uint64_t> max_watermark_of_source;

  // Called on the shard that refused a message that others had accepted.
  std::function<void(Shard&, DeadLetterCause, const Frame&)> on_dead_letter;

  DeadLetterLog dead_letters;
  TraceRoots trace_roots;
  std::array<std::atomic<ReplyLanes*>, kMaxPorts> reply_lanes{};
  Credits credits{&routes};
  // By route. Of a shard: its journal is full. Of a marked route: true for good, so that one look on
  // a send's way finds both. Relaxed: a hint to producers; the shard itself refuses what slips past.
  std::array<std::atomic<bool>, 2 * kMaxShards> journal_full{};
  // By shard, at levels group and each: whether it holds answers (HeldAnswers). Relaxed: written
  // before its thread announces that it sleeps and read after a cut was acknowledged, as ParkingSpot
  // asks of parked() and of the work itself.
  std::array<std::atomic<bool>, kMaxShards> holds_answers{};
  // No cut will come any more. Relaxed: it only says so; why, GroupCommit::failure() knows.
  std::atomic<bool> commit_failed{false};
  // By port. Relaxed: statistics, and a hint to the port that comes after its limit was passed.
  std::array<std::atomic<uint64_t>, kMaxPorts> corrupted_by_port{};
  std::array<std::atomic<bool>, kMaxPorts> cut_off{};

  // Keeps, counts and dead-letters a frame that cannot be trusted, in the store of this shard; cuts
  // its port off when that was one too many. `to_port` is who found it. Any thread.
  void Quarantine(LaneFault fault, const LaneOrigin& origin, uint32_t shard, uint32_t to_port,
                  const Frame& frame);

  // Why a journal takes nothing more. Relaxed: see commit_failed.
  DeadLetterCause JournalRefusal() const {
    return commit_failed.load(std::memory_order_relaxed) ? DeadLetterCause::kNotDurable
                                                         : DeadLetterCause::kJournalFull;
  }
  uint64_t NowNanos() const { return clock->NowNanos() + wall_offset_ns; }
  uint64_t Watermark(uint32_t source, uint32_t target, FrameKind kind, Priority priority,
                     uint8_t flags = 0) const {
    const auto found =
        watermarks.find(WatermarkKey{source, target, OrderClass(kind, priority, flags)});
    return found != watermarks.end() ? found->second : 0;
  }
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_FABRIC_STATE_H_
