#include "bitactor/l1_core/fiber_waits.h"

#include "bitactor/l1_core/fiber_scheduler.h"

namespace bitactor::internal {

bool BudgetAwaiter::await_ready() noexcept {
  over_ = scheduler_.TurnIsOver();
  return !over_;
}

void BudgetAwaiter::await_suspend(FiberHandle fiber) const noexcept {
  YieldAwaiter().await_suspend(fiber);
}

void SleepAwaiter::await_suspend(FiberHandle fiber) noexcept {
  fiber_ = fiber.promise().record();
  fiber_->waits_for = "sleep";
  fiber_->scheduler->timers_.Arm(*this, until_ns_);
}

void SleepAwaiter::OnTimer(uint64_t) { fiber_->scheduler->MakeReady(*fiber_, "its turn"); }

bool RaceAwaiterBase::await_ready() const noexcept {
  for (size_t i = 0; i < fibers_.size(); ++i) {
    Fiber& fiber = *fibers_[i];
    if (fiber.running()) continue;
    FiberResult& result = nodes_[i].result;
    result.end = fiber.end();
    if (result.end == FiberEnd::kFailed) {
      result.error = fiber.record_->error;
      fiber.record_->joined = true;
    }
    return true;
  }
  return false;
}

void RaceAwaiterBase::await_suspend(FiberHandle fiber) noexcept {
  FiberRecord* const waiting = fiber.promise().record();
  waiting->waits_for = fibers_.size() == 1 ? "join" : "race";
  for (size_t i = 0; i < fibers_.size(); ++i) {
    nodes_[i].fiber = waiting;
    fibers_[i]->record_->joiners.Append(nodes_[i]);
  }
}

RaceResult RaceAwaiterBase::Settle() noexcept {
  size_t winner = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].Unlink();
    if (nodes_[i].result.end == FiberEnd::kNone) continue;
    const bool first = nodes_[winner].result.end == FiberEnd::kNone;
    if (first || nodes_[i].ended_nth < nodes_[winner].ended_nth) winner = i;
  }
  return {winner, nodes_[winner].result};
}

void ConditionNode::Wait(FiberHandle waiting, const char* what) noexcept {
  fiber = waiting.promise().record();
  fiber->waits_for = what;
  fiber->scheduler->conditions_.Append(*this);
}

}  // namespace bitactor::internal
