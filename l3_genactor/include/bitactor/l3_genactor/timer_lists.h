// Timers of one shard: intrusive lists, one for each duration in use.
#ifndef BITACTOR_L3_GENACTOR_TIMER_LISTS_H_
#define BITACTOR_L3_GENACTOR_TIMER_LISTS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace bitactor::internal {

class TimerLists;

// A timer that its owner embeds. Leaves its list when it is destroyed.
class TimerNode {
 public:
  TimerNode() = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  ~TimerNode() { Cancel(); }

  bool armed() const { return next_ != nullptr; }
  uint64_t deadline_ns() const { return deadline_ns_; }
  void Cancel() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  friend class TimerLists;

  TimerNode* prev_ = nullptr;
  TimerNode* next_ = nullptr;
  uint64_t deadline_ns_ = 0;
};

// Order: by deadline; those of equal duration in the order of arming.
// Threads: one.
// Ownership: nodes belong to their owners.
// Cost: programs use few distinct durations, and timers of one duration expire in the order in
//   which they were armed, so arming is an append and cancelling an unlink, both O(1); expiry looks
//   at one head per duration.
class TimerLists {
 public:
  // REQUIRES: !node.armed().
  void Arm(TimerNode& node, uint64_t duration_ns, uint64_t deadline_ns) {
    TimerNode& head = ListOf(duration_ns);
    node.deadline_ns_ = deadline_ns;
    // From the back: a deadline counts from a message's stamp, which may be a little older than the
    // last one's.
    TimerNode* before = head.prev_;
    while (before != &head && before->deadline_ns_ > deadline_ns) before = before->prev_;
    node.prev_ = before;
    node.next_ = before->next_;
    before->next_->prev_ = &node;
    before->next_ = &node;
  }

  // Takes out the earliest timer that is due at `now_ns`, or returns nullptr.
  TimerNode* TakeDue(uint64_t now_ns) {
    TimerNode* earliest = nullptr;
    for (const auto& list : lists_) {
      TimerNode* first = list->head.next_;
      if (first == &list->head || first->deadline_ns_ > now_ns) continue;
      if (earliest == nullptr || first->deadline_ns_ < earliest->deadline_ns_) earliest = first;
    }
    if (earliest != nullptr) earliest->Cancel();
    return earliest;
  }

  // The earliest deadline, ~0 when nothing is armed.
  uint64_t NextDeadlineNs() const {
    uint64_t earliest = std::numeric_limits<uint64_t>::max();
    for (const auto& list : lists_) {
      const TimerNode* first = list->head.next_;
      if (first != &list->head && first->deadline_ns_ < earliest) earliest = first->deadline_ns_;
    }
    return earliest;
  }
  bool empty() const { return NextDeadlineNs() == std::numeric_limits<uint64_t>::max(); }

 private:
  struct List {
    explicit List(uint64_t duration) : duration_ns(duration) { head.prev_ = head.next_ = &head; }
    ~List() {
      while (head.next_ != &head) head.next_->Cancel();
      head.prev_ = head.next_ = nullptr;
    }
    uint64_t duration_ns;
    TimerNode head;
  };

  TimerNode& ListOf(uint64_t duration_ns) {
    for (const auto& list : lists_) {
      if (list->duration_ns == duration_ns) return list->head;
    }
    // A duration that was never used takes over a list that has run empty, so that computed delays
    // do not pile up.
    for (const auto& list : lists_) {
      if (lists_.size() >= kKeptLists && list->head.next_ == &list->head) {
        list->duration_ns = duration_ns;
        return list->head;
      }
    }
    lists_.push_back(std::make_unique<List>(duration_ns));
    return lists_.back()->head;
  }

  static constexpr size_t kKeptLists = 16;
  std::vector<std::unique_ptr<List>> lists_;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L3_GENACTOR_TIMER_LISTS_H_
