// The messages that wait for one endpoint.
#ifndef BITACTOR_L2_MAILBOX_MAILBOX_QUEUE_H_
#define BITACTOR_L2_MAILBOX_MAILBOX_QUEUE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l2_mailbox/frame_queue.h"
#include "bitactor/l2_mailbox/overload.h"
#include "bitactor/l2_mailbox/priority.h"

namespace bitactor::internal {

// What waits while a handler cannot run; all else passes.
constexpr bool IsQueuedClass(FrameKind kind) {
  return kind == FrameKind::kCast || kind == FrameKind::kCall;
}
// What may be refused, shed and overtaken: what a user sent, but for answers.
constexpr bool IsOrdinary(FrameKind kind, uint8_t flags) {
  return IsQueuedClass(kind) && (flags & kFlagSignal) == 0;
}
inline bool IsOrdinary(const FrameHeader& header) { return IsOrdinary(header.kind, header.flags); }

// Order: casts and calls by priority, those of one priority first in, first out. Any other frame
//   (IsOrdinary) keeps its place: nothing that came after it leaves before it, nothing that came
//   before it leaves after it. So DOWN and answers stay in order with all that their sender sent.
// Threads: one.
// Bounds: the caller's.
//
//   Q1  Each of the four queues is in the order of arrival, and a higher one leaves first.
//   Q2  While the lowest holds anything but ordinary frames of the lowest priority, all that comes
//       goes there. So what comes behind a frame that keeps its place cannot pass it, nor what of its
//       own priority went there for the same reason.
class MailboxQueue {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  void PushBack(const Frame& frame) {
    const bool keeps_place = ordered_ > 0 || !IsOrdinary(frame.header);  // Q2
    const size_t level = keeps_place ? 0 : frame.header.priority;
    if (level > 0 && higher_ == nullptr) higher_ = std::make_unique<Higher>();
    if (level == 0 && !IsPlain(frame)) ++ordered_;
    Level(level).PushBack(frame);
    ++size_;
  }
  // The next to leave. REQUIRES: !empty(). Valid until the queue changes.
  const Frame& Front() { return Level(HighestLevel()).Front(); }
  void PopFront() { Erase({HighestLevel(), 0}); }
  // The least stamp of those that came first, each in its queue. REQUIRES: !empty().
  uint64_t OldestStampNs() {
    uint64_t oldest_ns = std::numeric_limits<uint64_t>::max();
    for (size_t level = 0; level < (higher_ != nullptr ? kPriorities : 1); ++level) {
      if (Level(level).empty()) continue;
      oldest_ns = std::min(oldest_ns, Level(level).Front().header.stamp_ns);
    }
    return oldest_ns;
  }

  // Shows all that waits here; of each priority in order.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (size_t level = 0; level < (higher_ != nullptr ? kPriorities : 1); ++level) {
      for (size_t i = 0; i < Level(level).size(); ++i) visit(Level(level).At(i));
    }
  }

  // Where a frame lies, until the queue changes.
  struct Place {
    size_t level;
    size_t index;
  };
  const Frame& At(Place place) { return Level(place.level).At(place.index); }
  // The message of this source with this id, if it waits. Looks at all that waits.
  std::optional<Place> Find(uint32_t source, uint64_t message_id) {
    for (size_t level = 0; level < (higher_ != nullptr ? kPriorities : 1); ++level) {
      for (size_t index = 0; index < Level(level).size(); ++index) {
        const FrameHeader& header = At({level, index}).header;
        if (header.source == source && header.message_id == message_id) return Place{level, index};
      }
    }
    return std::nullopt;
  }
  // The cast or call that gives way by this policy (not kRefuse), if any waits.
  std::optional<Place> FirstToShed(Overload overload) {
    std::optional<Place> first;
    for (size_t level = 0; level < (higher_ != nullptr ? kPriorities : 1); ++level) {
      // Only in the lowest, and only sometimes, is the first not the one to ask for.
      const size_t count = Level(level).size();
      const size_t end = level == 0 && ordered_ > 0 ? count : std::min<size_t>(count, 1);
      for (size_t index = 0; index < end; ++index) {
        const FrameHeader& header = At({level, index}).header;
        if (!IsOrdinary(header)) continue;
        if (!first.has_value() || GivesWay(header, At(*first).header, overload)) {
          first = Place{level, index};
        }
      }
    }
    return first;
  }
  void Erase(Place place) {
    FrameQueue& queue = Level(place.level);
    if (place.level == 0 && !IsPlain(queue.At(place.index))) --ordered_;
    queue.Erase(place.index);
    --size_;
  }

 private:
  using Higher = std::array<FrameQueue, kPriorities - 1>;

  // An ordinary one of the lowest priority.
  static bool IsPlain(const Frame& frame) {
    return IsOrdinary(frame.header) && frame.header.priority == 0;
  }
  static bool GivesWay(const FrameHeader& a, const FrameHeader& b, Overload overload) {
    if (overload == Overload::kShedLowestPriority && a.priority != b.priority) {
      return a.priority < b.priority;
    }
    return a.stamp_ns < b.stamp_ns;
  }
  FrameQueue& Level(size_t level) { return level == 0 ? lowest_ : (*higher_)[level - 1]; }
  size_t HighestLevel() {
    if (lowest_.size() == size_) return 0;
    size_t level = kPriorities - 1;
    while (Level(level).empty()) --level;
    return level;
  }

  FrameQueue lowest_;
  std::unique_ptr<Higher> higher_;  // made when the first frame goes there
  uint32_t size_ = 0;
  uint32_t ordered_ = 0;  // frames of lowest_ that are not plain
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_MAILBOX_QUEUE_H_
