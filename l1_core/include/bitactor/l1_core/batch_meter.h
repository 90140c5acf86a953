// Meters handlers with one clock reading for several dispatches, and hides no overrun by it.
#ifndef BITACTOR_L1_CORE_BATCH_METER_H_
#define BITACTOR_L1_CORE_BATCH_METER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "bitactor/l1_core/ticks.h"

namespace bitactor {

// Dispatches that follow each other are metered together until the clock is read: at most
// kMaxTogether of them, and one by one for the next kExactDispatches after the start and after each
// batch that was over budget.
//
//   B1  Every dispatch over budget is in a batch that is over: no part is longer than the whole.
//   B2  A batch that is over and holds one dispatch is that handler's overrun. One that holds
//       several is a suspicion against each of them: it may be that none was over alone.
//   B3  The cycles charged to all handlers are the cycles between the readings.
//
// Threads: one.
// Ownership: an open batch points to the stats of its handlers: close it before they go away.
// Errors: none; a clock that went backwards charges 0.
// Cost: a dispatch costs 1 to 2 ns and its part of a clock reading (machine/rdtsc).
class BatchMeter {
 public:
  static constexpr size_t kMaxTogether = 8;
  static constexpr uint32_t kExactDispatches = 256;

  struct Batch {
    size_t dispatches = 0;
    uint64_t cycles = 0;       // of all together
    uint64_t cycles_each = 0;  // of one of them, as charged to its handler
    bool over = false;         // longer than the budget of one dispatch
  };

  // REQUIRES: see DispatchMeter.
  BatchMeter(const TickClock& clock, TickConfig ticks, Ticks budget)
      : meter_(clock, ticks, budget) {}

  const DispatchMeter& dispatch_meter() const { return meter_; }

  // The next dispatch begins now, at this value of the clock. REQUIRES: the batch is empty.
  void Begin(uint64_t now_cycles) { start_cycles_ = now_cycles; }
  // When the open batch began.
  uint64_t start_cycles() const { return start_cycles_; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // A dispatch has ended, and the next one begins. True: the caller has to read the clock and
  // Close().
  bool Add(HandlerStats& stats) {
    batch_[size_++] = &stats;
    return size_ >= together_;
  }
  // Charges the batch, which ended at `now_cycles`, where the next one begins. `watched`: if it was over
  // budget, the caller meters its handlers alone from then on, so that all others need not be.
  Batch Close(uint64_t now_cycles, bool watched = false);

  // Batches of several dispatches that were over budget (B2).
  uint64_t suspicions() const { return suspicions_; }

 private:
  void MeterExactly() {
    exact_left_ = kExactDispatches;
    together_ = 1;
  }

  const DispatchMeter meter_;
  std::array<HandlerStats*, kMaxTogether> batch_;
  size_t size_ = 0;
  size_t together_ = 1;
  uint64_t start_cycles_ = 0;
  uint32_t exact_left_ = kExactDispatches;
  uint64_t suspicions_ = 0;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_BATCH_METER_H_
