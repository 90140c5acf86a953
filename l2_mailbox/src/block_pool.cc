#include "bitactor/l2_mailbox/block_pool.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"

namespace bitactor::internal {
namespace {

constexpr size_t kPageBytes = 4096;

// Data, then places, and what it takes to begin with a page.
constexpr size_t MemoryBytes(size_t units, size_t place_bytes) {
  return units * (BlockPool::kUnitBytes + place_bytes) + kPageBytes;
}
std::byte* ToPage(std::byte* memory) {
  const auto at = reinterpret_cast<uintptr_t>(memory);
  return memory + (kPageBytes - at % kPageBytes) % kPageBytes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<BlockPool>> BlockPool::Make(size_t capacity_bytes) {
  const size_t units = capacity_bytes / kUnitBytes;
  // Zeroed: the kernel's pages are that already, so that large ones stay untouched.
  std::unique_ptr<std::byte, Free> memory(
      static_cast<std::byte*>(std::calloc(1, MemoryBytes(units, sizeof(Place)))));
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", capacity_bytes,
                     " bytes of blocks (FabricOptions::block_bytes): ask for less"));
  }
  return std::shared_ptr<BlockPool>(new BlockPool(std::move(memory), units));
}

BlockPool::BlockPool(std::unique_ptr<std::byte, Free> memory, size_t units)
    : memory_(std::move(memory)),
      units_(units),
      data_(ToPage(memory_.get())),
      places_(reinterpret_cast<Place*>(data_ + units * kUnitBytes)) {
  MutexLock lock(&mutex_);
  free_.fill(kNoUnit);
  counters_.capacity_bytes = units * kUnitBytes;
  // The largest places that are aligned to their size, and the rest in smaller ones.
  for (size_t unit = 0; unit < units;) {
    unsigned order = static_cast<unsigned>(std::bit_width(units - unit)) - 1;
    if (unit != 0) order = std::min(order, static_cast<unsigned>(std::countr_zero(unit)));
    order = std::min(order, kOrders - 1);
    Push(static_cast<uint32_t>(unit), order);
    unit += size_t{1} << order;
  }
}

unsigned BlockPool::OrderOf(size_t size_bytes) {
  return static_cast<unsigned>(std::bit_width((size_bytes - 1) / kUnitBytes));
}

bool BlockPool::CanHold(size_t size_bytes) const {
  return size_bytes <= kMaxBlockBytes && (size_t{1} << OrderOf(size_bytes)) <= units_;
}

void BlockPool::Push(uint32_t unit, unsigned order) {
  Place& place = places_[unit];
  place.order = static_cast<uint8_t>(order);
  place.is_free = true;
  place.previous = kNoUnit;
  place.next = free_[order];
  if (place.next != kNoUnit) places_[place.next].previous = unit;
  free_[order] = unit;
}

void BlockPool::Remove(uint32_t unit) {
  Place& place = places_[unit];
  place.is_free = false;
  if (place.next != kNoUnit) places_[place.next].previous = place.previous;
  if (place.previous != kNoUnit) {
    places_[place.previous].next = place.next;
  } else {
    free_[place.order] = place.next;
  }
}

uint32_t BlockPool::TakePlace(unsigned order) {
  unsigned from = order;
  while (from < kOrders && free_[from] == kNoUnit) ++from;
  if (from == kOrders) return kNoUnit;
  const uint32_t unit = free_[from];
  Remove(unit);
  while (from > order) {
    --from;
    Push(unit + (1u << from), from);
  }
  places_[unit].order = static_cast<uint8_t>(order);
  return unit;
}

void BlockPool::GivePlace(uint32_t unit) {
  unsigned order = places_[unit].order;
  for (; order + 1 < kOrders; ++order) {
    const uint32_t buddy = unit ^ (1u << order);
    if (size_t{buddy} + (size_t{1} << order) > units_) break;
    if (!places_[buddy].is_free || places_[buddy].order != order) break;
    Remove(buddy);
    unit = std::min(unit, buddy);
  }
  Push(unit, order);
}

std::optional<BlockHandle> BlockPool::Take(size_t size_bytes) {
  BITACTOR_CHECK(size_bytes >= 1 && size_bytes <= kMaxBlockBytes);
  const unsigned order = OrderOf(size_bytes);
  uint32_t unit;
  {
    MutexLock lock(&mutex_);
    unit = TakePlace(order);
    if (unit == kNoUnit) {
      ++counters_.refused;
      return std::nullopt;
    }
    ++counters_.in_use;
    counters_.in_use_bytes += kUnitBytes << order;
    counters_.most_in_use_bytes = std::max(counters_.most_in_use_bytes, counters_.in_use_bytes);
  }
  Place& place = places_[unit];
  place.size_bytes = static_cast<uint32_t>(size_bytes);
  // Relaxed, both: this thread alone knows of the block.
  std::atomic_ref<uint32_t> generation(place.generation);
  uint32_t of_this_use = generation.load(std::memory_order_relaxed);
  if (of_this_use == 0) {
    of_this_use = 1;
    generation.store(of_this_use, std::memory_order_relaxed);
  }
  std::atomic_ref<uint32_t>(place.references).store(1, std::memory_order_relaxed);
  return BlockHandle{unit, of_this_use};
}

void BlockPool::AddReference(BlockHandle block) {
  // Relaxed: the caller's own reference keeps the block, and it hands the new one over by itself.
  std::atomic_ref<uint32_t>(places_[block.unit].references).fetch_add(1, std::memory_order_relaxed);
}

std::span<std::byte> BlockPool::BytesOf(BlockHandle block) const {
  return {data_ + size_t{block.unit} * kUnitBytes, places_[block.unit].size_bytes};
}

void BlockPool::Seal(BlockHandle block) {
  const std::span<const std::byte> bytes = BytesOf(block);
  places_[block.unit].crc32c = Crc32cLong(0, bytes.data(), bytes.size());
}

bool BlockPool::Lives(BlockHandle block) const {
  if (block.generation == 0 || block.unit >= units_) return false;
  Place& place = places_[block.unit];
  // Relaxed, both: for who has a reference both are certain; for others this is a guess.
  return std::atomic_ref<uint32_t>(place.generation).load(std::memory_order_relaxed) ==
             block.generation &&
         std::atomic_ref<uint32_t>(place.references).load(std::memory_order_relaxed) != 0;
}

bool BlockPool::Drop(BlockHandle block) {
  if (!Lives(block)) return false;
  Place& place = places_[block.unit];
  // SYNC(block-end): released by each who gives up its reference, acquired by the last one.
  if (std::atomic_ref<uint32_t>(place.references).fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return true;
  }
  // SYNC(block-end): from here on all that the others read of the block has been read, and its
  // place may be lent anew. Relaxed, both: nobody has a reference (B3), and the mutex orders it for
  // who is lent the place.
  std::atomic_ref<uint32_t> generation(place.generation);
  const uint32_t next = generation.load(std::memory_order_relaxed) + 1;
  generation.store(next != 0 ? next : 1, std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  --counters_.in_use;
  counters_.in_use_bytes -= kUnitBytes << place.order;
  GivePlace(block.unit);
  return true;
}

void BlockPool::CountLost() {
  MutexLock lock(&mutex_);
  ++counters_.lost;
}

BlockCounters BlockPool::Counters() const {
  MutexLock lock(&mutex_);
  return counters_;
}

}  // namespace bitactor::internal
