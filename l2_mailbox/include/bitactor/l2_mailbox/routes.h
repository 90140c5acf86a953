// Which shard owns which slot: what a port asks at every send.
#ifndef BITACTOR_L2_MAILBOX_ROUTES_H_
#define BITACTOR_L2_MAILBOX_ROUTES_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "bitactor/l2_mailbox/address.h"
#include "bitactor/l2_mailbox/slot_table.h"

namespace bitactor::internal {

// The slot table compiled to shards, changed in place: it is never freed while somebody reads it.
//
// Threads: any reads; one at a time changes.
// Cost: ShardOf() is one multiplication and one load.
//
// A route may be stale as soon as it is read. So whoever uses one
//   R1  reads epoch() before the route, and
//   R2  asks for epoch() again right before it publishes what it put where the route led; if it has
//       changed, nothing is published and the frames are routed anew.
// Between the second question and the publication it is marked as publishing, and who changes routes
// waits until it has seen each port without that mark (Fabric::ChangeRoutes).
class Routes {
 public:
  Routes()
      : shards_(std::make_unique<std::atomic<uint16_t>[]>(SlotTable::kSlots)),
        mailboxes_(std::make_unique<std::atomic<uint16_t>[]>(SlotTable::kSlots)) {}

  uint32_t ShardOf(ActorId id) const { return ShardOfSlot(SlotTable::SlotOf(id)); }
  uint32_t ShardOfSlot(uint32_t slot) const {
    // Relaxed: epoch() orders it (R1).
    return shards_[slot].load(std::memory_order_relaxed);
  }
  // For statistics; sends need the shard alone.
  uint32_t MailboxOfSlot(uint32_t slot) const {
    // Relaxed: as above.
    return mailboxes_[slot].load(std::memory_order_relaxed);
  }
  uint64_t epoch() const {
    // SYNC(routes-epoch): pairs with Commit(); who sees an epoch sees its routes. Sequentially
    // consistent for machines without a process barrier (PortCore::BeginPublication); it costs the
    // same as acquire.
    return epoch_.load(std::memory_order_seq_cst);
  }

  // Changes; Commit() makes them count.
  void Set(uint32_t slot, uint16_t mailbox, uint16_t shard) {
    // Relaxed: as above.
    mailboxes_[slot].store(mailbox, std::memory_order_relaxed);
    shards_[slot].store(shard, std::memory_order_relaxed);
  }
  void Commit(uint64_t epoch) {
    // SYNC(routes-epoch): pairs with epoch().
    epoch_.store(epoch, std::memory_order_seq_cst);
  }

 private:
  const std::unique_ptr<std::atomic<uint16_t>[]> shards_;
  const std::unique_ptr<std::atomic<uint16_t>[]> mailboxes_;
  std::atomic<uint64_t> epoch_{0};
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_ROUTES_H_
