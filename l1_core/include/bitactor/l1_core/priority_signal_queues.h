// Four queues, one per priority, and the order in which one consumer takes from them.
#ifndef BITACTOR_L1_CORE_PRIORITY_SIGNAL_QUEUES_H_
#define BITACTOR_L1_CORE_PRIORITY_SIGNAL_QUEUES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "bitactor/l1_core/signal.h"

namespace bitactor {

// As the two bits of a frame's priority: 0 is what nobody asked for.
enum class SignalPriority : uint8_t { kNormal = 0, kRaised = 1, kHigh = 2, kUrgent = 3 };
inline constexpr size_t kSignalPriorities = 4;

// Queue: SignalQueue, or MpscSignalQueue.
//
// Order: first in, first out within a priority. Between them turns decide, one per signal taken: 7
//   of 8 turns take from the highest priority that waits. The 8th is offered to kNormal, kRaised and
//   kHigh, in this order round and round, and if that one is empty is a turn like the others.
// Threads: the consumer calls all but At; producers are those of each queue.
// Bounds: no priority starves. From the first round that has it, at most 23 others are taken before
//   the first signal of its priority (kMaxTurnsToFirst - 1), and 24 n + 23 before one that stands
//   behind n of its own. What comes during a round waits for the next one, whose turns go on where
//   those of this one ended.
// Cost: a look at each queue per round and level.
template <typename Queue>
class PrioritySignalQueues {
 public:
  static constexpr uint32_t kTurnsPerOffer = 8;
  static constexpr uint32_t kMaxTurnsToFirst = kTurnsPerOffer * (kSignalPriorities - 1);

  // Four queues, each made from these arguments.
  template <typename... Arguments>
  explicit PrioritySignalQueues(const Arguments&... arguments)
      : queues_{Queue(arguments...), Queue(arguments...), Queue(arguments...),
                Queue(arguments...)} {}

  // The queue to push to. Its consumer's side is not to be used.
  Queue& At(SignalPriority priority) { return queues_[static_cast<size_t>(priority)]; }
  const Queue& At(SignalPriority priority) const { return queues_[static_cast<size_t>(priority)]; }

  // Consumer: opens a round of at most `limit` of the signals that wait now; returns how many it
  // has. What an unfinished round has left over is in the new one.
  size_t BeginRound(size_t limit) {
    GiveBack();
    size_t waiting = 0;
    for (size_t i = 0; i < kSignalPriorities; ++i) {
      next_[i] = queues_[i].head();
      end_[i] = queues_[i].ReadTail(limit);
      waiting += end_[i] - next_[i];
    }
    left_ = std::min(waiting, limit);
    return left_;
  }
  // Consumer: the next signal of the round, which is the caller's until the next call; null at the
  // end of the round.
  const Signal* Next() {
    GiveBack();
    if (left_ == 0) return nullptr;
    --left_;
    taken_ = Choose();
    return &queues_[taken_].At(next_[taken_]++);
  }

  // Consumer: the signal given last is not taken: it is the first of its priority in the next round.
  void Keep() {
    if (taken_ != kNone) --next_[taken_];
  }
  // Consumer: gives back what was taken; what the round had left over waits for the next one.
  void EndRound() {
    GiveBack();
    left_ = 0;
  }

  // Consumer: signals that wait, of a round that has ended.
  size_t size() const {
    size_t size = 0;
    for (const Queue& queue : queues_) size += queue.tail() - queue.head();
    return size;
  }
  bool empty() const {
    return std::all_of(queues_.begin(), queues_.end(), [](const Queue& q) { return q.empty(); });
  }

 private:
  static constexpr size_t kNone = kSignalPriorities;

  void GiveBack() {
    if (taken_ != kNone) queues_[taken_].Release(next_[taken_]);
    taken_ = kNone;
  }
  // Whose turn it is. REQUIRES: the round has signals left.
  size_t Choose() {
    if (++turn_ == kTurnsPerOffer) {
      turn_ = 0;
      const size_t offered = offered_;
      offered_ = offered_ + 1 == kSignalPriorities - 1 ? 0 : offered_ + 1;
      if (next_[offered] != end_[offered]) return offered;
    }
    size_t highest = kSignalPriorities - 1;
    while (next_[highest] == end_[highest]) --highest;
    return highest;
  }

  std::array<Queue, kSignalPriorities> queues_;
  // Of the consumer.
  std::array<uint64_t, kSignalPriorities> next_{};  // of this round, [next, end)
  std::array<uint64_t, kSignalPriorities> end_{};
  size_t left_ = 0;
  size_t taken_ = kNone;
  uint32_t turn_ = 0;
  size_t offered_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_PRIORITY_SIGNAL_QUEUES_H_
