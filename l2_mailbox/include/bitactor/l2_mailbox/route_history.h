// Which slot table stood behind a journalled frame.
#ifndef BITACTOR_L2_MAILBOX_ROUTE_HISTORY_H_
#define BITACTOR_L2_MAILBOX_ROUTE_HISTORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitactor/l2_mailbox/handover.h"
#include "bitactor/l2_mailbox/slot_table.h"
#include "bitactor/l2_mailbox/system_records.h"

namespace bitactor::internal {

absl::Status ApplyChange(const RoutingRecord& change, SlotTable& table);

// The table of a fabric that starts with so many mailboxes, changed by `changes` up to `epoch`.
// kInvalidArgument: mailboxes is not 1 to 4,096.
absl::StatusOr<SlotTable> MakeSlotTable(uint32_t mailboxes,
                                        const std::map<uint64_t, RoutingRecord>& changes,
                                        uint64_t epoch);

// The starts and changes of routes that journals tell of.
//
// A frame was routed by the table of its start (the BootRecord before it in its journal) and epoch
// (the RoutingRecord before it in its journal, else the last epoch of all earlier starts): a shard
// journals a change before it serves what the change gave it, and after all that it served of what
// the change took away.
//
// Threads: one.
// Bounds: 64 tables, and those that somebody holds, of 128 KiB each.
// Cost: a table that follows one that is kept costs one change, else all of them.
class RouteHistory {
 public:
  // In any order; again is no harm. `boot` is the start that a change belongs to; 0: the record of
  // that start was removed, as those of all starts before it were. Another journal may know it.
  void NoteStart(const BootRecord& start);
  void NoteChange(uint32_t boot, const RoutingRecord& change);

  // The greatest of all; 0: none.
  uint32_t last_boot() const { return starts_.empty() ? 0 : starts_.rbegin()->first; }
  uint64_t last_epoch() const { return changes_.empty() ? 0 : changes_.rbegin()->first; }
  // Of a start, before its own changes.
  uint64_t EpochAtStart(uint32_t boot) const;
  // Null when the journals do not tell of this start.
  std::shared_ptr<const SlotTable> TableAt(uint32_t boot, uint64_t epoch);
  // All slots that the mailbox had at some time.
  SlotSet SlotsEverOf(uint32_t mailbox);

 private:
  std::map<uint32_t, BootRecord> starts_;      // by boot
  std::map<uint64_t, RoutingRecord> changes_;  // by epoch
  std::map<uint64_t, uint32_t> boots_;         // of the changes, by epoch
  std::map<std::pair<uint32_t, uint64_t>, std::shared_ptr<const SlotTable>> tables_;  // some
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_ROUTE_HISTORY_H_
