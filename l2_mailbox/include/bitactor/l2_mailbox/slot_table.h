// Consistent hashing by a table: 65,536 slots, each owned by one mailbox.
#ifndef BITACTOR_L2_MAILBOX_SLOT_TABLE_H_
#define BITACTOR_L2_MAILBOX_SLOT_TABLE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/l2_mailbox/address.h"

namespace bitactor {

// The slots are the virtual nodes and the table is the definition: an id hashes to a slot, the slot
// names the mailbox.
//
// Threads: none; built aside and then read by many.
// Bounds: mailboxes 0 to 4,095, at most 65,536 slots' worth of them; weights 1 to 1,000.
// Errors: a mailbox twice, an unknown one, a weight out of range: kInvalidArgument, the table
//   unchanged.
// Cost: MailboxOf is one multiplication and one load. Join and Leave are O(65,536 x mailboxes
//   touched), off the path.
// Design: Join takes one slot at a time from the mailbox that has most for its weight, the slot
//   with the least hash, so shares stay within one slot of even; Leave gives each slot to whoever
//   has least. No slot ever moves between two mailboxes that are there before and after, and the
//   same history of joins and leaves gives the same table anywhere.
class SlotTable {
 public:
  static constexpr size_t kSlots = 65536;
  static constexpr uint32_t kMaxMailboxes = 4096;
  static constexpr uint32_t kMaxWeight = 1000;
  static constexpr uint16_t kNobody = 0xFFFF;

  SlotTable();

  absl::Status Join(uint32_t mailbox, uint32_t weight = 1);
  // The last mailbox cannot leave.
  absl::Status Leave(uint32_t mailbox);

  static constexpr uint32_t SlotOf(ActorId id) {
    // Fibonacci hashing: 2^32 / golden ratio; the top 16 bits are the best mixed.
    return (static_cast<uint32_t>(id) * 0x9E3779B1u) >> 16;
  }
  // kNobody before the first Join.
  uint16_t MailboxOf(ActorId id) const { return slots_[SlotOf(id)]; }
  uint16_t MailboxOfSlot(uint32_t slot) const { return slots_[slot]; }
  // Slots a mailbox owns; 0 for one that is not in the table.
  uint32_t SlotsOf(uint32_t mailbox) const;
  uint32_t mailboxes() const { return static_cast<uint32_t>(members_); }

 private:
  struct Member {
    uint32_t weight = 0;  // 0: not in the table
    uint32_t slots = 0;
  };
  // A slot that its owner could give to a mailbox that joins.
  struct Offer {
    uint64_t hash;
    uint32_t slot;
    uint32_t donor;
    friend auto operator<=>(const Offer&, const Offer&) = default;
  };
  // The slots among the least `part` of all hashes. False when a donor is to give more of them.
  bool CollectOffers(uint32_t mailbox, double part, const std::vector<uint32_t>& gives,
                     std::vector<Offer>& offers) const;

  std::vector<uint16_t> slots_;
  std::vector<Member> by_mailbox_;
  size_t members_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_SLOT_TABLE_H_
