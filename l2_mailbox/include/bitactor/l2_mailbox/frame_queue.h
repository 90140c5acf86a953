// A first-in first-out queue of frames that grows when it must and keeps what it grew to.
#ifndef BITACTOR_L2_MAILBOX_FRAME_QUEUE_H_
#define BITACTOR_L2_MAILBOX_FRAME_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "bitactor/l1_core/frame.h"

namespace bitactor::internal {

// For the cold side of flow control: what a lane cannot hold and what an actor cannot take yet.
//
// Order: first in, first out.
// Threads: one.
// Bounds: doubles from 16 frames on and never shrinks, so a steady load allocates nothing; the
//   caller bounds it.
class FrameQueue {
 public:
  bool empty() const { return begin_ == end_; }
  size_t size() const { return static_cast<size_t>(end_ - begin_); }

  void PushBack(const Frame& frame) {
    if (size() == capacity_) Grow();
    CopyFrame(slots_[end_ & (capacity_ - 1)], frame);
    ++end_;
  }
  // REQUIRES: !empty(). Valid until the next PushBack().
  Frame& Front() { return slots_[begin_ & (capacity_ - 1)]; }
  // REQUIRES: index < size().
  Frame& At(size_t index) { return slots_[(begin_ + index) & (capacity_ - 1)]; }
  void PopFront() { ++begin_; }
  // Takes one out of the middle: those before it move up. REQUIRES: index < size().
  void Erase(size_t index) {
    for (; index > 0; --index) CopyFrame(At(index), At(index - 1));
    PopFront();
  }

  // The stored length of a frame is all of it that means anything.
  static void CopyFrame(Frame& to, const Frame& from) {
    const size_t size_bytes = from.header.size_bytes <= kMaxPayloadBytes
                                  ? StoredBytes(from.header.size_bytes)
                                  : sizeof(Frame);
    std::memcpy(static_cast<void*>(&to), &from, size_bytes);
  }

 private:
  void Grow() {
    const size_t capacity = capacity_ == 0 ? 16 : capacity_ * 2;
    auto slots = std::make_unique<Frame[]>(capacity);
    const size_t count = size();
    for (size_t i = 0; i < count; ++i) CopyFrame(slots[i], At(i));
    slots_ = std::move(slots);
    capacity_ = capacity;
    begin_ = 0;
    end_ = count;
  }

  std::unique_ptr<Frame[]> slots_;
  size_t capacity_ = 0;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_FRAME_QUEUE_H_
