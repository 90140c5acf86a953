#include "bitactor/l2_mailbox/overload.h"

#include "bitactor/l2_mailbox/slot_table.h"

namespace bitactor::internal {

void Credits::Set(ActorId id, Credit credit) {
  const uint32_t slot = SlotTable::SlotOf(id);
  MutexLock lock(&mutex_);
  if (credit != Credit::kAll) {
    withdrawn_[static_cast<uint32_t>(id)] = credit;
    return routes_.Mark(slot);
  }
  withdrawn_.erase(static_cast<uint32_t>(id));
  const bool shared = std::any_of(withdrawn_.begin(), withdrawn_.end(), [slot](const auto& other) {
    return SlotTable::SlotOf(ActorId{other.first}) == slot;
  });
  if (!shared) routes_.Unmark(slot);
}

Credit Credits::Of(ActorId id) const {
  MutexLock lock(&mutex_);
  const auto found = withdrawn_.find(static_cast<uint32_t>(id));
  return found != withdrawn_.end() ? found->second : Credit::kAll;
}

}  // namespace bitactor::internal
