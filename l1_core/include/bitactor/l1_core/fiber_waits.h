// What a fiber can wait for, as the awaiters behind FiberScheduler's methods.
#ifndef BITACTOR_L1_CORE_FIBER_WAITS_H_
#define BITACTOR_L1_CORE_FIBER_WAITS_H_

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <utility>

#include "bitactor/l1_core/fiber.h"
#include "bitactor/l1_core/signal.h"
#include "bitactor/l1_core/signal_queue.h"
#include "bitactor/l1_core/timer_wheel.h"

namespace bitactor {

// Who was first, and how it ended.
struct RaceResult {
  size_t index;
  FiberResult result;
};

namespace internal {

using FiberHandle = std::coroutine_handle<FiberPromise>;

// All awaiters live in the waiting fiber's frame. Their destructors take them out of every list, so
// that destroying the frame is all there is to cancelling a wait.

class YieldAwaiter {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(FiberHandle fiber) const noexcept;
  void await_resume() const noexcept {}
};

class BudgetAwaiter {
 public:
  explicit BudgetAwaiter(FiberScheduler& scheduler) : scheduler_(scheduler) {}
  bool await_ready() noexcept;
  void await_suspend(FiberHandle fiber) const noexcept;
  bool await_resume() const noexcept { return over_; }

 private:
  FiberScheduler& scheduler_;
  bool over_ = false;
};

class SleepAwaiter final : private Timer {
 public:
  explicit SleepAwaiter(uint64_t deadline_ns) : until_ns_(deadline_ns) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(FiberHandle fiber) noexcept;
  void await_resume() const noexcept {}

 private:
  void OnTimer(uint64_t now_ns) override;

  const uint64_t until_ns_;
  FiberRecord* fiber_ = nullptr;
};

class RaceAwaiterBase {
 public:
  bool await_ready() const noexcept;
  void await_suspend(FiberHandle fiber) noexcept;

 protected:
  RaceAwaiterBase(std::span<Fiber* const> fibers, std::span<JoinNode> nodes)
      : fibers_(fibers), nodes_(nodes) {}
  // The first one to end, or of those that had ended before, the first in order. The others' ends
  // wake nobody from now on.
  RaceResult Settle() noexcept;

  const std::span<Fiber* const> fibers_;
  const std::span<JoinNode> nodes_;
};

template <size_t kFibers>
struct RaceState {
  explicit RaceState(const std::array<Fiber*, kFibers>& raced) : fibers(raced) {}
  std::array<Fiber*, kFibers> fibers;
  std::array<JoinNode, kFibers> nodes;
};

template <size_t kFibers>
class RaceAwaiter final : private RaceState<kFibers>, public RaceAwaiterBase {
 public:
  explicit RaceAwaiter(const std::array<Fiber*, kFibers>& raced)
      : RaceState<kFibers>(raced), RaceAwaiterBase(this->RaceState<kFibers>::fibers, this->nodes) {}
  RaceResult await_resume() noexcept {
    RaceResult winner = Settle();
    for (Fiber* fiber : fibers_) fiber->Cancel();
    return winner;
  }
};

class JoinAwaiter final : private RaceState<1>, public RaceAwaiterBase {
 public:
  explicit JoinAwaiter(Fiber& fiber)
      : RaceState<1>({&fiber}), RaceAwaiterBase(this->fibers, this->nodes) {}
  FiberResult await_resume() noexcept { return Settle().result; }
};

// One whose condition the scheduler asks for in every round.
class ConditionNode : public WaitNode {
 public:
  virtual bool Holds() noexcept = 0;

 protected:
  ~ConditionNode() = default;
  void Wait(FiberHandle waiting, const char* what) noexcept;
};

template <typename Condition>
class UntilAwaiter final : private ConditionNode {
 public:
  UntilAwaiter(const char* what, Condition condition)
      : what_(what), condition_(std::move(condition)) {}
  bool await_ready() noexcept { return Holds(); }
  void await_suspend(FiberHandle waiting) noexcept { Wait(waiting, what_); }
  void await_resume() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  bool Holds() noexcept override {
    try {
      return condition_();
    } catch (...) {
      error_ = std::current_exception();
      return true;
    }
  }

  const char* const what_;
  Condition condition_;
  std::exception_ptr error_;
};

template <typename Target>
class PushAwaiter final : private ConditionNode {
 public:
  PushAwaiter(Target& target, const Signal& signal) : target_(target), signal_(signal) {}
  bool await_ready() noexcept { return Holds(); }
  void await_suspend(FiberHandle waiting) noexcept { Wait(waiting, "queue space"); }
  PushResult await_resume() const noexcept { return result_; }

 private:
  bool Holds() noexcept override {
    result_ = target_.Push(signal_);
    return result_ != PushResult::kFull;
  }

  Target& target_;
  const Signal signal_;
  PushResult result_ = PushResult::kFull;
};

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_FIBER_WAITS_H_
