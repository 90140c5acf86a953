#include "bitactor/l1_core/frame_pool.h"

#include <new>
#include <utility>

#include "bitactor/l1_core/check.h"

namespace bitactor {
namespace {

constexpr size_t kMaxFrames = size_t{1} << 24;

size_t Checked(size_t capacity) {
  BITACTOR_CHECK_LE(size_t{1}, capacity);
  BITACTOR_CHECK_LE(capacity, kMaxFrames);
  return capacity;
}

PageMemory Mapped(size_t capacity) {
  absl::StatusOr<PageMemory> memory = PageMemory::Map(FramePool::BytesFor(Checked(capacity)));
  if (!memory.ok()) {
    internal::CheckFailed(__FILE__, __LINE__, "memory for a frame pool",
                          memory.status().ToString());
  }
  return *std::move(memory);
}

}  // namespace

FramePool::FramePool(size_t capacity) : FramePool(capacity, Mapped(capacity)) {}

FramePool::FramePool(size_t capacity, PageMemory memory)
    : capacity_(Checked(capacity)), memory_(std::move(memory)) {
  BITACTOR_CHECK_LE(BytesFor(capacity_), memory_.size_bytes());
  // Backwards, so that the first to be lent are the first in memory.
  for (size_t i = capacity_; i > 0; --i) PushFree(memory_.data() + BytesFor(i - 1));
}

void FramePool::PushFree(std::byte* place) {
  free_ = ::new (static_cast<void*>(place)) FreeFrame{free_};
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
      reinterpret_cast<uintptr_t>(frame) - reinterpret_cast<uintptr_t>(memory_.data());
  BITACTOR_CHECK_LT(offset, capacity_ * sizeof(Frame));
  BITACTOR_CHECK_EQ(offset % sizeof(Frame), size_t{0});
  BITACTOR_CHECK_LT(available_, capacity_);
  PushFree(memory_.data() + offset);
}

}  // namespace bitactor
