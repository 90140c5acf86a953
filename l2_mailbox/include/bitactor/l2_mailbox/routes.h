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
// Cost: ShardOf() and RouteOf() are one multiplication and one load.
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
      : routes_(std::make_unique<std::atomic<uint16_t>[]>(SlotTable::kSlots)),
        mailboxes_(std::make_unique<std::atomic<uint16_t>[]>(SlotTable::kSlots)) {}

  // A route is the number of a shard, with kMarked while a mailbox of the slot takes no casts and
  // calls from everybody (Credits).
  static constexpr uint32_t kMarked = 64;
  static constexpr uint32_t kShardMask = kMarked - 1;

  uint32_t RouteOf(ActorId id) const { return RouteOfSlot(SlotTable::SlotOf(id)); }
  uint32_t ShardOf(ActorId id) const { return RouteOf(id) & kShardMask; }
  uint32_t ShardOfSlot(uint32_t slot) const { return RouteOfSlot(slot) & kShardMask; }
  // For statistics; sends need the shard alone.
  uint32_t MailboxOfSlot(uint32_t slot) const {
    // Relaxed: epoch() orders it (R1).
    return mailboxes_[slot].load(std::memory_order_relaxed);
  }
  uint64_t epoch() const {
    // SYNC(routes-epoch): pairs with Commit(); who sees an epoch sees its routes. Sequentially
    // consistent for machines without a process barrier (PortCore::BeginPublication); it costs the
    // same as acquire.
    return epoch_.load(std::memory_order_seq_cst);
  }

  // Changes; Commit() makes them count.
  void Set(uint32_t slot, uint16_t mailbox, uint32_t shard) {
    // Relaxed: epoch() orders both (R1).
    mailboxes_[slot].store(mailbox, std::memory_order_relaxed);
    // Only the shard's bits change: marks come and go meanwhile.
    const uint32_t change = ShardOfSlot(slot) ^ shard;
    if (change != 0) {
      routes_[slot].fetch_xor(static_cast<uint16_t>(change), std::memory_order_relaxed);
    }
  }
  void Commit(uint64_t epoch) {
    // SYNC(routes-epoch): pairs with epoch().
    epoch_.store(epoch, std::memory_order_seq_cst);
  }

  // Credits alone. Relaxed: a hint to producers. One that has filled its lane sees a mark that was
  // set before the reader gave it slots back: that giving back orders all before it (SpscLane).
  void Mark(uint32_t slot) { routes_[slot].fetch_or(kMarked, std::memory_order_relaxed); }
  void Unmark(uint32_t slot) {
    routes_[slot].fetch_and(static_cast<uint16_t>(~kMarked), std::memory_order_relaxed);
  }

 private:
  uint32_t RouteOfSlot(uint32_t slot) const {
    // Relaxed: epoch() orders it (R1).
    return routes_[slot].load(std::memory_order_relaxed);
  }

  const std::unique_ptr<std::atomic<uint16_t>[]> routes_;
  const std::unique_ptr<std::atomic<uint16_t>[]> mailboxes_;
  std::atomic<uint64_t> epoch_{0};
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_ROUTES_H_
