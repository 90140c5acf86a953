// Timers of one thread: any number of them, armed and cancelled in constant time, fired in exact
// order.
#ifndef BITACTOR_L1_CORE_TIMER_WHEEL_H_
#define BITACTOR_L1_CORE_TIMER_WHEEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bitactor {

class TimerWheel;

namespace internal {
// A place in a circular list.
struct TimerLink {
  TimerLink* prev = nullptr;
  TimerLink* next = nullptr;
};
}  // namespace internal

// A moment at which something is to be done: derive, say what in OnTimer(), and embed it where it
// belongs. It is destroyed or moved by nobody but its owner; destroying it cancels it.
class Timer : private internal::TimerLink {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();

  bool armed() const { return wheel_ != nullptr; }
  // As given to Arm().
  uint64_t deadline_ns() const { return deadline_ns_; }

 private:
  friend class TimerWheel;

  // Called once per Arm(), by TimerWheel::Advance(now_ns), not armed any more. May arm and cancel
  // any timer, destroy this one or others, but neither advance nor destroy the wheel. Must not
  // throw.
  virtual void OnTimer(uint64_t now_ns) = 0;

  uint64_t deadline_ns_ = 0;
  TimerWheel* wheel_ = nullptr;  // while armed
};

// Order: by deadline, exact to the nanosecond and never early; of equal deadlines, in the order of
//   arming. Timers that were armed for a moment already passed come first at the next Advance(),
//   whatever that moment, in the order of arming.
// Threads: one.
// Bounds: none on the number of timers, whose memory is their owners'; any 64-bit deadline.
// Ownership: the wheel owns no timer. One that goes before its timers cancels them.
// Errors: none. A clock that steps back fires nothing early: time stands still until it catches up.
// Cost: Arm() and Cancel() touch one slot: constant time, no allocation. A timer that fires was
//   moved at most 10 times before, mostly once or twice; timers of one slot are moved together, some
//   10 ns each, which for a million with distant deadlines is one Advance() of 10 ms. Advance() with
//   nothing due is one compare.
// Design: 11 levels of 64 slots. Level l groups deadlines that differ from the wheel's base first
//   in digit l (base 64, the lowest is 0), by that digit. So a slot of level 0 is one nanosecond,
//   and a list in it is in the order of arming, because lists are moved down in order, before a
//   timer can be armed below them: no sorting.
//
// Invariants:
//   I1  base_ns_ <= passed_ns_ < deadline of every timer in a slot of levels 0 to 10, except that
//       during Advance() passed_ns_ is the deadline that is firing.
//   I2  a timer is in the slot that its deadline and base_ns_ give, or in kLate or kFiring.
//   I3  a bit of occupied_ is set exactly if its slot's list is not empty.
//   I4  a slot's earliest_ns is not above any deadline in it, and not below the slot's first one.
//   I5  next_ns_ is not above any deadline in levels 0 to 10.
class TimerWheel {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // `start_ns`: a moment that has passed, best now.
  explicit TimerWheel(uint64_t start_ns = 0);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Arms the timer, anew if it is armed: it fires at the first Advance() to `deadline_ns` or later.
  // A deadline at or before the last Advance() has passed: it fires at the next one. So, from
  // inside OnTimer(), what is armed for later than the firing deadline fires in this Advance() when
  // that reaches it, and all else in the next: a timer that arms itself cannot hold Advance() up.
  void Arm(Timer& timer, uint64_t deadline_ns);
  // Does nothing if it is not armed. REQUIRES: it is not armed in another wheel.
  void Cancel(Timer& timer);

  // Fires all that is due; returns how many were. REQUIRES: not called from inside OnTimer().
  size_t Advance(uint64_t now_ns) {
    if (now_ns < next_ns_ && late().empty()) [[likely]] {
      if (now_ns > passed_ns_) passed_ns_ = now_ns;
      return 0;
    }
    return FireDue(now_ns);
  }

  // No Advance() before this moment would fire anything: the earliest deadline, or, after that
  // timer was cancelled, perhaps an earlier moment, whose Advance() makes it exact. kNever: nothing
  // is armed.
  uint64_t NextDeadlineNs() const;
  // Timers armed.
  size_t size() const { return size_; }

 private:
  static constexpr uint32_t kDigitBits = 6;
  static constexpr uint32_t kSlotsPerLevel = 1 << kDigitBits;
  static constexpr uint32_t kLevels = (64 + kDigitBits - 1) / kDigitBits;
  // Two more lists beside the levels'.
  static constexpr uint32_t kLate = kLevels * kSlotsPerLevel;  // armed for a moment passed
  static constexpr uint32_t kFiring = kLate + 1;               // late ones of this Advance()
  static constexpr uint32_t kSlots = kFiring + 1;

  struct Slot : internal::TimerLink {
    bool empty() const { return next == this; }
    uint64_t earliest_ns;
  };

  const Slot& late() const { return slots_[kLate]; }
  uint32_t SlotOf(uint64_t deadline_ns) const;
  // The first slot that is not empty of levels 0 to 10, or kLate.
  uint32_t FirstSlot() const;
  void Append(uint32_t index, Timer& timer);
  void Unlink(Timer& timer);
  void MoveDown(uint32_t index);
  size_t FireDue(uint64_t now_ns);
  size_t FireAll(uint32_t index, uint64_t now_ns);

  uint64_t next_ns_ = kNever;
  uint64_t passed_ns_;
  uint64_t base_ns_;
  size_t size_ = 0;
  bool firing_ = false;
  std::array<uint64_t, kLevels + 1> occupied_{};
  std::array<Slot, kSlots> slots_;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_TIMER_WHEEL_H_
