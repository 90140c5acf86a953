#include "bitactor/l2_mailbox/route_history.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace bitactor::internal {
namespace {

// Of 128 KiB each. Journals of one fabric change their tables at about the same time.
constexpr size_t kTablesKept = 64;

}  // namespace

absl::Status ApplyChange(const RoutingRecord& change, SlotTable& table) {
  return change.weight != 0 ? table.Join(change.mailbox, change.weight)
                            : table.Leave(change.mailbox);
}

absl::StatusOr<SlotTable> MakeSlotTable(uint32_t mailboxes,
                                        const std::map<uint64_t, RoutingRecord>& changes,
                                        uint64_t epoch) {
  if (mailboxes < 1 || mailboxes > SlotTable::kMaxMailboxes) {
    return absl::InvalidArgumentError(absl::StrCat("a fabric of ", mailboxes,
                                                   " mailboxes has no routes; allowed is 1 to ",
                                                   SlotTable::kMaxMailboxes));
  }
  SlotTable table;
  for (uint32_t mailbox = 0; mailbox < mailboxes; ++mailbox) {
    if (absl::Status status = table.Join(mailbox); !status.ok()) return status;
  }
  for (const auto& [of_epoch, change] : changes) {
    if (of_epoch > epoch) break;
    // With other FabricOptions::mailboxes than before, a change may have nothing to change.
    ApplyChange(change, table).IgnoreError();
  }
  return table;
}

void RouteHistory::NoteStart(const BootRecord& start) { starts_.emplace(start.boot, start); }

void RouteHistory::NoteChange(uint32_t boot, const RoutingRecord& change) {
  uint32_t& known = boots_[change.epoch];
  known = std::max(known, boot);
  changes_.emplace(change.epoch, change);
}

uint64_t RouteHistory::EpochAtStart(uint32_t boot) const {
  for (auto it = boots_.rbegin(); it != boots_.rend(); ++it) {
    if (it->second < boot) return it->first;
  }
  return 0;
}

std::shared_ptr<const SlotTable> RouteHistory::TableAt(uint32_t boot, uint64_t epoch) {
  const auto start = starts_.find(boot);
  if (start == starts_.end()) return nullptr;
  const uint32_t mailboxes = start->second.mailboxes;
  const auto known = tables_.find({mailboxes, epoch});
  if (known != tables_.end()) return known->second;
  std::shared_ptr<SlotTable> table;
  const auto before = tables_.find({mailboxes, epoch - 1});
  const auto change = changes_.find(epoch);
  if (before != tables_.end() && change != changes_.end()) {
    table = std::make_shared<SlotTable>(*before->second);
    ApplyChange(change->second, *table).IgnoreError();  // as MakeSlotTable
  } else {
    absl::StatusOr<SlotTable> made = MakeSlotTable(mailboxes, changes_, epoch);
    if (!made.ok()) return nullptr;
    table = std::make_shared<SlotTable>(*std::move(made));
  }
  if (tables_.size() >= kTablesKept) tables_.clear();
  tables_[{mailboxes, epoch}] = table;
  return table;
}

SlotSet RouteHistory::SlotsEverOf(uint32_t mailbox) {
  SlotSet ever;
  const auto add = [&](uint32_t boot, uint64_t epoch) {
    const std::shared_ptr<const SlotTable> table = TableAt(boot, epoch);
    if (table == nullptr) return;
    for (uint32_t slot = 0; slot < SlotTable::kSlots; ++slot) {
      if (table->MailboxOfSlot(slot) == mailbox) ever.set(slot);
    }
  };
  for (const auto& [boot, start] : starts_) {
    const uint64_t before = EpochAtStart(boot);
    add(boot, before);
    for (auto it = boots_.upper_bound(before); it != boots_.end(); ++it) {
      if (it->second == boot) add(boot, it->first);
    }
  }
  return ever;
}

}  // namespace bitactor::internal
