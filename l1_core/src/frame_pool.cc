#include "bitactor/l1_core/frame_pool.h"

#include <new>

#include "bitactor/l1_core/check.h"

namespace bitactor {
namespace {

constexpr size_t kMaxFrames = size_t{1} << 24;

size_t Checked(size_t capacity) {
  BITACTOR_CHECK_LE(size_t{1}, capacity);
  BITACTOR_CHECK_LE(capacity, kMaxFrames);
  return capacity;
}

}  // namespace

FramePool::FramePool(size_t capacity)
    : capacity_(Checked(capacity)), frames_(std::make_unique<Frame[]>(capacity)) {
  // Backwards, so that the first to be lent are the first in memory.
  for (size_t i = capacity_; i > 0; --i) PushFree(&frames_[i - 1]);
}

void FramePool::PushFree(Frame* frame) {
  free_ = ::new (static_cast<void*>(frame)) FreeFrame{free_};
  ++available_;
}

Frame* FramePool::Acquire() {
  if (free_ == nullptr) [[unlikely]] {
    ++exhausted_;
    return nullptr;
  }
  FreeFrame* const taken = free_;
  free_ = taken->next;
  --available_;
  return ::new (static_cast<void*>(taken)) Frame;
}

void FramePool::Release(Frame* frame) {
  // Unsigned: a frame below the pool is far above its end.
  const auto offset =
      reinterpret_cast<uintptr_t>(frame) - reinterpret_cast<uintptr_t>(frames_.get());
  BITACTOR_CHECK_LT(offset, capacity_ * sizeof(Frame));
  BITACTOR_CHECK_EQ(offset % sizeof(Frame), size_t{0});
  BITACTOR_CHECK_LT(available_, capacity_);
  PushFree(frame);
}

}  // namespace bitactor
