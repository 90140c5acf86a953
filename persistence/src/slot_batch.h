// The next records of a segment, copied and checked together.
#ifndef BITACTOR_PERSISTENCE_SLOT_BATCH_H_
#define BITACTOR_PERSISTENCE_SLOT_BATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitactor/persistence/record.h"
#include "segment_format.h"

namespace bitactor::internal {

// Threads: one.
// Cost: about two thirds of reading the slots one by one. A checksum is a chain of steps that wait
//   for each other; four at a time keep the unit busy, and the copy is needed anyway: what is given
//   to others must be the bytes that were checked, whatever happens to the file.
class SlotBatch {
 public:
  static constexpr size_t kSlotsMax = 16;

  // Replaces what is in it by the whole records from `unit` on, at most `wanted` of them. It ends
  // before the first slot that is anything else: a record with a block, a seal, unwritten, bad. An
  // empty batch says nothing about `unit`; ask view.ReadSlot(). REQUIRES: 0 < unit, wanted <=
  // kSlotsMax.
  void Fill(const SegmentView& view, uint64_t unit, size_t wanted);
  // Replaces what is in it by the record in `slot`, with a block that is empty yet; whoever kept a
  // copy of a record before keeps its bytes. REQUIRES: a record's slot, checked, and not written
  // any more.
  std::vector<std::byte>& FillWithBlock(const SegmentView& view, uint64_t unit, const Slot& slot);
  void Clear() { size_ = 0; }

  size_t size() const { return size_; }
  const Record& record(size_t i) const { return records_[i]; }
  uint32_t units(size_t i) const { return slots_[i].units; }
  // As it is stored.
  uint64_t commit_word(size_t i) const { return slots_[i].commit_word; }

 private:
  size_t CopyShapes(const SegmentView& view, uint64_t unit, size_t wanted);

  struct CopiedSlot {
    uint64_t commit_word;
    uint32_t units;
  };
  std::array<Record, kSlotsMax> records_;
  std::array<CopiedSlot, kSlotsMax> slots_{};
  size_t size_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_PERSISTENCE_SLOT_BATCH_H_
