#include "bitactor/l2_mailbox/block.h"

#include "absl/strings/str_cat.h"

namespace bitactor {

absl::StatusOr<Block> Block::Make(const std::shared_ptr<internal::BlockPool>& pool,
                                  size_t size_bytes) {
  if (size_bytes == 0 || size_bytes > kMaxBlockBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a block of ", size_bytes, " bytes; 1 to ",
                                                   kMaxBlockBytes, " are possible: split it"));
  }
  if (!pool->CanHold(size_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a block of ", size_bytes, " bytes does not fit into ", pool->Counters().capacity_bytes,
        " of FabricOptions::block_bytes, even if all are free: start with more"));
  }
  const std::optional<internal::BlockHandle> handle = pool->Take(size_bytes);
  if (!handle.has_value()) {
    const BlockCounters counters = pool->Counters();
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room for a block of ", size_bytes, " bytes: ", counters.in_use, " blocks take ",
        counters.in_use_bytes, " of ", counters.capacity_bytes,
        " bytes (FabricOptions::block_bytes); ask again when some have been handled and let go"));
  }
  return Block(SharedBlock::Adopt(pool, *handle));
}

}  // namespace bitactor
