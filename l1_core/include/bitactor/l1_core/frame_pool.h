// A fixed number of frames, lent and taken back without the allocator.
#ifndef BITACTOR_L1_CORE_FRAME_POOL_H_
#define BITACTOR_L1_CORE_FRAME_POOL_H_

#include <cstddef>
#include <cstdint>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/page_memory.h"

namespace bitactor {

// Order: the frame released last is lent first, as it is the one in the cache.
// Threads: one.
// Bounds: `capacity` frames, all memory taken at construction; when all are lent Acquire() refuses
//   and counts.
// Ownership: the pool's; a frame is the caller's between Acquire() and Release(), and none may be
//   used after the pool is gone.
// Errors: releasing what is not lent is a bug and aborts where it is seen (a frame of another pool,
//   more frames than there are).
// Cost: one load and one store each way.
class FramePool {
 public:
  // In normal pages, taken now; ends the program when the kernel has no memory.
  // REQUIRES: 1 <= capacity <= 2^24.
  explicit FramePool(size_t capacity);
  // In pages that the caller mapped: huge ones, a chosen NUMA node, an error to handle.
  // REQUIRES: as above; `memory` has BytesFor(capacity).
  FramePool(size_t capacity, PageMemory memory);
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  static constexpr size_t BytesFor(size_t capacity) { return capacity * sizeof(Frame); }

  // A frame with undefined content, or nullptr when all are lent.
  Frame* Acquire();
  // REQUIRES: `frame` came from this pool's Acquire() and was not released since.
  void Release(Frame* frame);

  size_t capacity() const { return capacity_; }
  size_t available() const { return available_; }
  // Times that Acquire() had nothing to lend.
  uint64_t exhausted() const { return exhausted_; }
  // What the frames lie in.
  const PageMemory& memory() const { return memory_; }

 private:
  // A free frame's first bytes: the next free one.
  struct FreeFrame {
    FreeFrame* next;
  };

  void PushFree(std::byte* place);

  const size_t capacity_;
  const PageMemory memory_;
  FreeFrame* free_ = nullptr;
  size_t available_ = 0;
  uint64_t exhausted_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_FRAME_POOL_H_
