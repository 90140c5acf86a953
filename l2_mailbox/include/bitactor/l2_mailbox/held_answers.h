// Answers that wait for the disk.
#ifndef BITACTOR_L2_MAILBOX_HELD_ANSWERS_H_
#define BITACTOR_L2_MAILBOX_HELD_ANSWERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/frame_queue.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/position.h"

namespace bitactor::internal {

// What a shard of a fabric at level `group` or `each` may not give to outside ports yet.
//
//   D1  An answer needs its shard's journal up to the tail as it was when the answer was made: what it
//       answers, and all that the shard had handled before. It goes when that is in a cut. A cut is
//       closed under happened-before, so what other shards did for it is in the cut as well.
//   D2  What is behind another one goes later, though it may need no more.
//
// Order: first in, first out.
// Threads: the shard's.
// Bounds: capacity; when it is full, its shard's port holds answers back with all else (PortCore, P4),
//   and so the shard dispatches nothing.
// Cost: a copy of the frame. The frames' memory grows to the most that was ever held, and stays.
class HeldAnswers {
 public:
  // `waiting` is true while any is held. REQUIRES: capacity >= 1; the journal outlives this.
  HeldAnswers(const Journal& journal, size_t capacity, std::atomic<bool>& waiting)
      : journal_(journal), waiting_(waiting), needs_(capacity) {}

  // Whether an answer that is made now may go at once.
  bool MayPass() const { return frames_.empty() && journal_.durable() >= journal_.tail(); }
  bool empty() const { return frames_.empty(); }
  bool full() const { return frames_.size() == needs_.size(); }
  size_t size() const { return frames_.size(); }
  // Whether there is a first one, and it may go. Nobody goes before it (D2).
  bool FrontMayGo() const {
    return !frames_.empty() && journal_.durable() >= needs_[first_ % needs_.size()];
  }

  // REQUIRES: !full().
  void PushBack(const Frame& answer) {
    needs_[(first_ + frames_.size()) % needs_.size()] = journal_.tail();
    frames_.PushBack(answer);
    // Relaxed: see FabricState::holds_answers.
    if (frames_.size() == 1) waiting_.store(true, std::memory_order_relaxed);
  }
  // REQUIRES: !empty(). Valid until the next PushBack().
  Frame& Front() { return frames_.Front(); }
  void PopFront() {
    frames_.PopFront();
    ++first_;
    // Relaxed: see FabricState::holds_answers.
    if (frames_.empty()) waiting_.store(false, std::memory_order_relaxed);
  }

 private:
  const Journal& journal_;
  std::atomic<bool>& waiting_;
  std::vector<Position> needs_;  // of answer number n, at n modulo the capacity
  FrameQueue frames_;
  uint64_t first_ = 0;  // number of the first one held
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_HELD_ANSWERS_H_
