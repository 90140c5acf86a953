// What a shard keeps of slots that are on their way from one shard to another.
#ifndef BITACTOR_L2_MAILBOX_HANDOVER_H_
#define BITACTOR_L2_MAILBOX_HANDOVER_H_

#include <bitset>
#include <cstdint>
#include <memory>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/endpoint.h"
#include "bitactor/l2_mailbox/frame_queue.h"
#include "bitactor/l2_mailbox/slot_table.h"

namespace bitactor::internal {

using SlotSet = std::bitset<SlotTable::kSlots>;

// At the shard that gives them away: the endpoints, which it serves no more, and what still comes
// for them. At the shard that takes them: what comes for them already. In delivery order.
struct MovingSlots {
  explicit MovingSlots(const SlotSet& moving) : slots(moving) {}
  bool Has(uint32_t id) const { return slots[SlotTable::SlotOf(ActorId{id})]; }

  SlotSet slots;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  FrameQueue frames;
};

// What a shard has been given, or has to give, at one moment.
struct TakenMark {
  std::vector<uint64_t> tails;  // of its lanes
  uint64_t overflow_end = 0;    // of what its port held back
};

// What a shard gives to others.
struct Baggage {
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  std::vector<Frame> frames;
  uint64_t clock_ns = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_HANDOVER_H_
