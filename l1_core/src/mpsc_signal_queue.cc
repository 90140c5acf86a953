#include "bitactor/l1_core/mpsc_signal_queue.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"

namespace bitactor {

MpscSignalQueue::MpscSignalQueue(size_t capacity, size_t producers)
    : SignalRing(capacity), producers_(producers), places_(std::make_unique<Place[]>(producers)) {
  BITACTOR_CHECK_LE(size_t{1}, producers);
  BITACTOR_CHECK_LE(producers, kMaxProducers);
}

MpscSignalQueue::~MpscSignalQueue() = default;

absl::StatusOr<MpscSignalQueue::Producer> MpscSignalQueue::AddProducer() {
  for (size_t i = 0; i < producers_; ++i) {
    // SYNC(producer-place): pairs with ~Producer(); what the last owner wrote happens before.
    if (!places_[i].taken.exchange(true, std::memory_order_acquire)) {
      return Producer(*this, places_[i]);
    }
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("the signal queue was made for ", producers_,
                   " producers, and all are there: end one, or declare more (1 to ", kMaxProducers,
                   ") where the queue is made"));
}

BatchPushResult MpscSignalQueue::Producer::PushBatch(std::span<const Signal> signals) {
  size_t good = 0;
  while (good < signals.size() && signals[good].size_bytes <= kMaxSignalBytes) ++good;
  BatchPushResult batch;
  if (good > 0) {
    const Indices got = queue_->Claim(*place_, good);
    for (size_t i = 0; i < got.count; ++i) {
      Signal& slot = queue_->Slot(got.begin + i);
      Copy(slot, signals[i]);
      Show(slot, got.begin + i);
    }
    batch.taken = got.count;
    if (got.count < good) batch.result = PushResult::kFull;
  }
  if (batch.taken == good && good < signals.size()) {
    Add(place_->refused_bad_size, 1);
    batch.result = PushResult::kBadSize;
  }
  return batch;
}

uint64_t MpscSignalQueue::SumOf(std::atomic<uint64_t> Place::*count) const {
  uint64_t sum = 0;
  // Relaxed: a statistic.
  for (size_t i = 0; i < producers_; ++i) {
    sum += (places_[i].*count).load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace bitactor
