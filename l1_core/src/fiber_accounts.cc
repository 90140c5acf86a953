#include "bitactor/l1_core/fiber_accounts.h"

#include <bit>
#include <functional>

#include "bitactor/l1_core/check.h"

namespace bitactor::internal {

FiberAccounts::FiberAccounts(size_t names) {
  BITACTOR_CHECK_LE(size_t{1}, names);
  BITACTOR_CHECK_LE(names, size_t{65'536});
  accounts_.reserve(names + 1);
  accounts_.push_back({.name = kOthers, .stats = {}});
  index_.resize(std::bit_ceil(2 * names));  // at most half full, so that a search ends
}

size_t FiberAccounts::PlaceOf(std::string_view name) const {
  const size_t mask = index_.size() - 1;
  size_t place = std::hash<std::string_view>()(name) & mask;
  while (index_[place] != 0 && accounts_[index_[place]].name != name) {
    place = (place + 1) & mask;
  }
  return place;
}

FiberAccount& FiberAccounts::Open(std::string_view name) {
  uint32_t& found = index_[PlaceOf(name)];
  if (found == 0 && accounts_.size() < accounts_.capacity()) {
    found = static_cast<uint32_t>(accounts_.size());
    accounts_.push_back({.name = name, .stats = {}});
  }
  return accounts_[found];
}

const FiberAccount* FiberAccounts::Find(std::string_view name) const {
  const uint32_t found = index_[PlaceOf(name)];
  return found != 0 || name == kOthers ? &accounts_[found] : nullptr;
}

}  // namespace bitactor::internal
