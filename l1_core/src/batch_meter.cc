#include "bitactor/l1_core/batch_meter.h"

#include <algorithm>
#include <utility>

namespace bitactor {

BatchMeter::Batch BatchMeter::Close(uint64_t now_cycles, bool watched) {
  Batch batch;
  batch.dispatches = std::exchange(size_, 0);
  batch.cycles = now_cycles > start_cycles_ ? now_cycles - start_cycles_ : 0;
  batch.over = meter_.IsOver(batch.cycles);
  start_cycles_ = now_cycles;
  if (batch.dispatches == 0) return batch;

  const bool suspicious = batch.over && batch.dispatches > 1;
  if (suspicious) [[unlikely]]
    ++suspicions_;
  batch.cycles_each = batch.dispatches == 1 ? batch.cycles : batch.cycles / batch.dispatches;
  // Neighbours of one handler are charged in one go.
  for (size_t begin = 0, end = 0; begin < batch.dispatches; begin = end) {
    HandlerStats& stats = *batch_[begin];
    while (end < batch.dispatches && batch_[end] == &stats) ++end;
    if (suspicious) [[unlikely]] {
      meter_.ChargeSuspected(stats, end - begin, batch.cycles_each);
    } else {
      meter_.Charge(stats, end - begin, batch.cycles_each);
    }
  }
  batch_[0]->cycles += batch.cycles - batch.cycles_each * batch.dispatches;  // B3

  if (batch.over && !watched) [[unlikely]] {
    MeterExactly();
  } else if (exact_left_ > 0) {
    exact_left_ -= std::min(exact_left_, static_cast<uint32_t>(batch.dispatches));
    if (exact_left_ == 0) together_ = kMaxTogether;
  }
  return batch;
}

}  // namespace bitactor
