// The memory of payloads over 128 bytes: lent, shared by counting, and taken back by the last one.
#ifndef BITACTOR_L2_MAILBOX_BLOCK_POOL_H_
#define BITACTOR_L2_MAILBOX_BLOCK_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "bitactor/l1_core/mutex.h"
#include "bitactor/persistence/record.h"

namespace bitactor {

struct BlockCounters {
  uint64_t capacity_bytes = 0;  // FabricOptions::block_bytes, in whole units
  uint64_t in_use_bytes = 0;    // a block takes the next power of two
  uint64_t most_in_use_bytes = 0;
  uint64_t in_use = 0;   // blocks: being filled, on their way, or kept by somebody
  uint64_t refused = 0;  // asked for when there was none
  uint64_t lost = 0;     // frames damaged beyond knowing their block, which stays taken
};

namespace internal {

// Which block of its pool, and which use of that place: it names nothing once the block has ended.
struct BlockHandle {
  uint32_t unit = 0;
  uint32_t generation = 0;  // 0: none

  friend bool operator==(const BlockHandle&, const BlockHandle&) = default;
};

// Order: of the free places that fit best, the one given back last is lent first.
// Threads: all methods, any thread.
// Bounds: one range of memory, reserved by Make(). A page of it is taken when a block first uses it
//   and kept then. A block takes a power of two of 256 bytes; neighbours that are free become one
//   place again, so no size is used up by another for good, but what is kept for long splits the
//   range.
// Ownership: each block counts its references; the last one returns it.
// Errors: nothing to lend: kResourceExhausted, counted. A handle that names no block: nothing
//   happens, and the caller is told.
// Cost: Take() and the last Drop() lock and touch some ten words; AddReference(), Drop() and Find()
//   touch one line and lock nothing. Nothing is allocated after Make().
//
//   B1  The count is that of handles and of frames that were sent and have not ended. Who has none
//       does not touch the bytes, and the last one gives the place back.
//   B2  The bytes are written before Seal(), by who took the block, and never after.
//   B3  The generation changes when a place is given back; 0 is skipped.
class BlockPool {
 public:
  static constexpr size_t kUnitBytes = 256;

  // kResourceExhausted: the machine has no such range of memory. With capacity_bytes 0 it has
  // nothing to lend.
  static absl::StatusOr<std::shared_ptr<BlockPool>> Make(size_t capacity_bytes);

  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // A block with one reference and undefined content; none when there is no place, which counts.
  // REQUIRES: 1 <= size_bytes <= kMaxBlockBytes.
  std::optional<BlockHandle> Take(size_t size_bytes);
  // Whether Take() could ever lend so much.
  bool CanHold(size_t size_bytes) const;

  // REQUIRES of these: the caller has a reference.
  void AddReference(BlockHandle block);
  std::span<std::byte> BytesOf(BlockHandle block) const;
  uint32_t ChecksumOf(BlockHandle block) const { return places_[block.unit].crc32c; }
  // Computes the checksum of the bytes, which are never written again.
  void Seal(BlockHandle block);

  // Whether this names a block that lives.
  bool Lives(BlockHandle block) const;
  // Gives up a reference. False: it names no block.
  bool Drop(BlockHandle block);

  void CountLost();
  BlockCounters Counters() const;

 private:
  // From 256 bytes to 16 MiB.
  static constexpr unsigned kOrders = 17;
  static_assert(kUnitBytes << (kOrders - 1) == kMaxBlockBytes);
  static constexpr uint32_t kNoUnit = ~uint32_t{0};

  // Of a unit that begins a place; of others nothing counts. All zero is a valid one.
  struct Place {
    uint32_t references;  // atomic
    uint32_t generation;  // atomic; of the block that has this place or gets it next
    uint32_t size_bytes;  // of the block
    uint32_t crc32c;      // of the block, sealed
    uint32_t next;        // these four are mutex_'s
    uint32_t previous;
    uint8_t order;
    bool is_free;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  BlockPool(std::unique_ptr<std::byte, Free> memory, size_t units);

  static unsigned OrderOf(size_t size_bytes);
  uint32_t TakePlace(unsigned order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GivePlace(uint32_t unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Push(uint32_t unit, unsigned order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(uint32_t unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Immutable.
  const std::unique_ptr<std::byte, Free> memory_;
  const size_t units_;
  std::byte* const data_;
  Place* const places_;

  mutable Mutex mutex_;
  std::array<uint32_t, kOrders> free_ ABSL_GUARDED_BY(mutex_);  // heads of lists by order
  BlockCounters counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_BLOCK_POOL_H_
