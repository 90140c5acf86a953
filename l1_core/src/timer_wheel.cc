#include "bitactor/l1_core/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "bitactor/l1_core/check.h"

namespace bitactor {

Timer::~Timer() {
  if (wheel_ != nullptr) wheel_->Cancel(*this);
}

TimerWheel::TimerWheel(uint64_t start_ns) : passed_ns_(start_ns), base_ns_(start_ns) {
  for (Slot& slot : slots_) {
    slot.prev = slot.next = &slot;
    slot.earliest_ns = kNever;
  }
}

TimerWheel::~TimerWheel() {
  for (Slot& slot : slots_) {
    while (!slot.empty()) Cancel(static_cast<Timer&>(*slot.next));
  }
}

uint32_t TimerWheel::SlotOf(uint64_t deadline_ns) const {
  // The lowest bit stands for "no digit differs", which is level 0 as well.
  const auto highest_bit = static_cast<uint32_t>(std::bit_width((deadline_ns ^ base_ns_) | 1) - 1);
  const uint32_t level = highest_bit / kDigitBits;
  const auto digit =
      static_cast<uint32_t>(deadline_ns >> (level * kDigitBits)) & (kSlotsPerLevel - 1);
  return level * kSlotsPerLevel + digit;
}

void TimerWheel::Append(uint32_t index, Timer& timer) {
  Slot& slot = slots_[index];
  timer.prev = slot.prev;
  timer.next = &slot;
  slot.prev->next = &timer;
  slot.prev = &timer;
  slot.earliest_ns = std::min(slot.earliest_ns, timer.deadline_ns_);
  occupied_[index / kSlotsPerLevel] |= uint64_t{1} << (index % kSlotsPerLevel);
}

void TimerWheel::Unlink(Timer& timer) {
  internal::TimerLink* const prev = timer.prev;
  internal::TimerLink* const next = timer.next;
  prev->next = next;
  next->prev = prev;
  if (prev != next) return;
  // The same on both sides: it was the only timer of this slot (I3).
  auto& slot = static_cast<Slot&>(*prev);
  const auto index = static_cast<uint32_t>(&slot - slots_.data());
  slot.earliest_ns = kNever;
  occupied_[index / kSlotsPerLevel] &= ~(uint64_t{1} << (index % kSlotsPerLevel));
}

void TimerWheel::Arm(Timer& timer, uint64_t deadline_ns) {
  if (timer.wheel_ != nullptr) timer.wheel_->Cancel(timer);
  timer.deadline_ns_ = deadline_ns;
  timer.wheel_ = this;
  ++size_;
  if (deadline_ns <= passed_ns_) [[unlikely]]
    return Append(kLate, timer);
  next_ns_ = std::min(next_ns_, deadline_ns);
  Append(SlotOf(deadline_ns), timer);
}

void TimerWheel::Cancel(Timer& timer) {
  if (timer.wheel_ == nullptr) return;
  BITACTOR_CHECK(timer.wheel_ == this);
  timer.wheel_ = nullptr;
  --size_;
  Unlink(timer);
}

// By I1 and I2 the slots of a level lie before all of the levels above it, and in a level they lie
// in order.
uint32_t TimerWheel::FirstSlot() const {
  for (uint32_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    return level * kSlotsPerLevel + static_cast<uint32_t>(std::countr_zero(occupied_[level]));
  }
  return kLate;
}

uint64_t TimerWheel::NextDeadlineNs() const {
  if (!late().empty()) return passed_ns_;
  const uint32_t first = FirstSlot();
  return first == kLate ? kNever : slots_[first].earliest_ns;
}

// Puts the timers of a slot where they belong as seen from its earliest deadline, which is as far
// as the base can go (I1).
void TimerWheel::MoveDown(uint32_t index) {
  Slot& slot = slots_[index];
  base_ns_ = slot.earliest_ns;
  internal::TimerLink* link = slot.next;
  slot.prev = slot.next = &slot;
  slot.earliest_ns = kNever;
  occupied_[index / kSlotsPerLevel] &= ~(uint64_t{1} << (index % kSlotsPerLevel));
  while (link != &slot) {
    auto& timer = static_cast<Timer&>(*link);
    link = link->next;
    Append(SlotOf(timer.deadline_ns_), timer);
  }
}

size_t TimerWheel::FireAll(uint32_t index, uint64_t now_ns) {
  size_t fired = 0;
  for (Slot& slot = slots_[index]; !slot.empty(); ++fired) {
    auto& timer = static_cast<Timer&>(*slot.next);
    Cancel(timer);
    timer.OnTimer(now_ns);
  }
  return fired;
}

size_t TimerWheel::FireDue(uint64_t now_ns) {
  BITACTOR_CHECK(!firing_);
  firing_ = true;
  now_ns = std::max(now_ns, passed_ns_);
  // What is armed late from now on waits for the next time.
  while (!late().empty()) {
    auto& timer = static_cast<Timer&>(*late().next);
    Unlink(timer);
    Append(kFiring, timer);
  }
  size_t fired = FireAll(kFiring, now_ns);
  uint32_t first = FirstSlot();
  for (; first != kLate && slots_[first].earliest_ns <= now_ns; first = FirstSlot()) {
    if (first >= kSlotsPerLevel) {
      MoveDown(first);
      continue;
    }
    base_ns_ = passed_ns_ = slots_[first].earliest_ns;
    fired += FireAll(first, now_ns);
  }
  passed_ns_ = now_ns;
  next_ns_ = first == kLate ? kNever : slots_[first].earliest_ns;
  firing_ = false;
  return fired;
}

}  // namespace bitactor
