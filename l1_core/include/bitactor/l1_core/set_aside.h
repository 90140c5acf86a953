// Signals that wait behind the others because their handler owes time.
#ifndef BITACTOR_L1_CORE_SET_ASIDE_H_
#define BITACTOR_L1_CORE_SET_ASIDE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "bitactor/l1_core/signal.h"

namespace bitactor::internal {

// Lists of signals over one pool of places.
//
// Order: within a list, first in, first out.
// Threads: one.
// Bounds: `capacity` signals in all lists together; a full pool refuses.
// Cost: a copy of 64 bytes in and none out; nothing is allocated after construction.
class SetAside {
 public:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  // One kind's signals; empty to begin with.
  struct List {
    uint32_t first = kNone;
    uint32_t last = kNone;
    bool empty() const { return first == kNone; }
  };

  explicit SetAside(size_t capacity = 0)
      : capacity_(capacity), places_(std::make_unique<Place[]>(capacity)) {
    for (size_t i = 0; i < capacity; ++i) {
      places_[i].next = i + 1 < capacity ? static_cast<uint32_t>(i + 1) : kNone;
    }
    free_ = capacity > 0 ? 0 : kNone;
  }

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

  // False: full.
  bool PushBack(List& list, const Signal& signal) {
    if (free_ == kNone) return false;
    const uint32_t place = free_;
    free_ = places_[place].next;
    places_[place] = {signal, kNone};
    if (list.empty()) {
      list.first = place;
    } else {
      places_[list.last].next = place;
    }
    list.last = place;
    ++size_;
    return true;
  }
  // REQUIRES: !list.empty(). Valid until PopFront().
  const Signal& Front(const List& list) const { return places_[list.first].signal; }
  void PopFront(List& list) {
    const uint32_t place = list.first;
    list.first = places_[place].next;
    if (list.empty()) list.last = kNone;
    places_[place].next = free_;
    free_ = place;
    --size_;
  }

 private:
  struct Place {
    Signal signal;
    uint32_t next;
  };

  size_t capacity_;
  std::unique_ptr<Place[]> places_;
  uint32_t free_ = kNone;
  size_t size_ = 0;
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_SET_ASIDE_H_
