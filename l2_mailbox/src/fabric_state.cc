#include "bitactor/l2_mailbox/fabric_state.h"

#include "bitactor/l2_mailbox/block_frame.h"

namespace bitactor::internal {

void FabricState::Quarantine(LaneFault fault, const LaneOrigin& origin, uint32_t shard,
                             uint32_t to_port, const Frame& frame) {
  quarantine[shard]->Add(fault, origin, to_port, frame, NowNanos());
  dead_letters.Add(DeadLetterCause::kCorrupted, to_port, frame);
  // A duplicate, or a frame in another's name, has no reference of its own.
  if (fault == LaneFault::kSize || fault == LaneFault::kKind || fault == LaneFault::kChecksum) {
    DropBlockOfDamaged(*blocks, frame);
  }
  // Relaxed: only the sum matters.
  const uint64_t frames =
      corrupted_by_port[origin.port].fetch_add(1, std::memory_order_relaxed) + 1;
  // A shard's lane carries the messages of many actors and is never cut off.
  if (corruption_limit == 0 || frames <= corruption_limit || origin.port < shards) return;
  // Relaxed: a hint, see FabricState.
  cut_off[origin.port].store(true, std::memory_order_relaxed);
}

}  // namespace bitactor::internal
