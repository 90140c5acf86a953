// What the turns of fibers have cost, by the fibers' names.
#ifndef BITACTOR_L1_CORE_FIBER_ACCOUNTS_H_
#define BITACTOR_L1_CORE_FIBER_ACCOUNTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bitactor/l1_core/ticks.h"

namespace bitactor::internal {

struct FiberAccount {
  std::string_view name;
  HandlerStats stats;  // a dispatch is a turn
};

// Threads: one.
// Bounds: `names` accounts; fibers of further names share one more, kOthers. All memory is taken at
//   construction, and accounts stay where they are.
// Ownership: names are kept, not copied.
// Cost: Open() hashes the name.
class FiberAccounts {
 public:
  static constexpr const char* kOthers = "(other names)";

  // REQUIRES: 1 <= names <= 65,536.
  explicit FiberAccounts(size_t names);

  // The account of this name, which is there from now on.
  FiberAccount& Open(std::string_view name);
  // Null when it was never opened, or had no place of its own.
  const FiberAccount* Find(std::string_view name) const;
  // In the order of opening; the first is kOthers.
  std::span<const FiberAccount> all() const { return accounts_; }

 private:
  // Where the name's place in the index is, or would be.
  size_t PlaceOf(std::string_view name) const;

  std::vector<FiberAccount> accounts_;
  std::vector<uint32_t> index_;  // a hash table of places in accounts_; 0: free
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_FIBER_ACCOUNTS_H_
