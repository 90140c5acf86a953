#include "bitactor/l1_core/fiber.h"

#include <algorithm>

#include "bitactor/l1_core/fiber_scheduler.h"

namespace bitactor {

using internal::FiberRecord;

const char* FiberEndName(FiberEnd end) {
  switch (end) {
    case FiberEnd::kNone:
      return "not ended";
    case FiberEnd::kDone:
      return "done";
    case FiberEnd::kFailed:
      return "failed";
    case FiberEnd::kCancelled:
      return "cancelled";
    case FiberEnd::kDeadline:
      return "deadline";
    case FiberEnd::kNotRun:
      return "not run";
  }
  return "unknown";
}

const char* SpawnResultName(SpawnResult result) {
  switch (result) {
    case SpawnResult::kOk:
      return "ok";
    case SpawnResult::kExhausted:
      return "exhausted";
    case SpawnResult::kFrameTooLarge:
      return "frame too large";
    case SpawnResult::kNotAFiber:
      return "not a fiber";
  }
  return "unknown";
}

namespace internal {
namespace {
// Between operator new and what reports its refusal, a few instructions later.
thread_local SpawnResult last_refusal = SpawnResult::kOk;
}  // namespace

void* AllocateFiberFrame(FiberScheduler& scheduler, size_t size_bytes) noexcept {
  FiberCounters& counters = scheduler.counters_;
  counters.frame_bytes_max = std::max<uint64_t>(counters.frame_bytes_max, size_bytes);
  if (size_bytes > scheduler.options_.frame_bytes) {
    ++counters.refused_frame_too_large;
    last_refusal = SpawnResult::kFrameTooLarge;
    return nullptr;
  }
  FiberRecord* const record = scheduler.TakeBlock();
  if (record == nullptr) {
    ++counters.refused_exhausted;
    last_refusal = SpawnResult::kExhausted;
    return nullptr;
  }
  return record + 1;
}

Fiber FiberPromise::get_return_object_on_allocation_failure() noexcept {
  return Fiber(last_refusal);
}

Fiber FiberPromise::get_return_object() noexcept {
  const auto frame = FiberHandle::from_promise(*this);
  record_ = &RecordOf(frame.address());
  record_->frame = frame;
  record_->state = FiberRecord::State::kCreated;
  return Fiber(record_);
}

void FiberRecord::OnTimer(uint64_t) { scheduler->Cancel(*this, FiberEnd::kDeadline); }

}  // namespace internal

Fiber::Fiber(FiberRecord* record) : record_(record) { record_->handle = this; }

Fiber::Fiber(Fiber&& other) noexcept
    : record_(std::exchange(other.record_, nullptr)),
      refusal_(std::exchange(other.refusal_, SpawnResult::kNotAFiber)) {
  if (record_ != nullptr) record_->handle = this;
}

Fiber& Fiber::operator=(Fiber&& other) noexcept {
  if (this == &other) return *this;
  Drop();
  record_ = std::exchange(other.record_, nullptr);
  refusal_ = std::exchange(other.refusal_, SpawnResult::kNotAFiber);
  if (record_ != nullptr) record_->handle = this;
  return *this;
}

bool Fiber::running() const {
  return record_ != nullptr && (record_->state == FiberRecord::State::kLive ||
                                record_->state == FiberRecord::State::kEnding);
}

FiberEnd Fiber::end() const {
  if (record_ == nullptr || record_->state == FiberRecord::State::kCreated)
    return FiberEnd::kNotRun;
  return record_->end;
}

void Fiber::Cancel() {
  if (record_ != nullptr) record_->scheduler->Cancel(*record_, FiberEnd::kCancelled);
}

void Fiber::SetDeadline(uint64_t deadline_ns) {
  if (running() || (record_ != nullptr && record_->state == FiberRecord::State::kCreated))
    record_->scheduler->timers_.Arm(*record_, deadline_ns);
}

void Fiber::Drop() {
  if (record_ == nullptr) return;
  FiberRecord& record = *std::exchange(record_, nullptr);
  record.handle = nullptr;
  record.scheduler->Cancel(record, FiberEnd::kCancelled);
}

}  // namespace bitactor
