#include "bitactor/l3_genactor/task.h"

namespace bitactor::internal {

// Resumes a chain of waiting parents one after the other instead of one inside the other. Lives on
// the stack of the first Finish() of the chain.
struct ResumeLoop {
  TaskPromiseBase* running;  // null once it was destroyed while it ran
  TaskPromiseBase* next;     // parent of the one that ran, once that has finished
};

// Invariant: loop_ is not null exactly while the loop is inside self_.resume(), so a finishing
// coroutine that finds it set returns to that loop at once, which then resumes the parent. `this`
// may be gone after on_done_ and after any resume().
void TaskPromiseBase::Finish() noexcept {
  if (on_done_ != nullptr) return on_done_(context_);
  if (parent_ == nullptr) return;  // finished inside await_ready, whose caller goes on by itself
  if (loop_ != nullptr) {
    loop_->next = parent_;
    return;
  }
  ResumeLoop loop{nullptr, parent_};
  while (loop.next != nullptr) {
    loop.running = std::exchange(loop.next, nullptr);
    loop.running->loop_ = &loop;
    loop.running->self_.resume();
    if (loop.running != nullptr) loop.running->loop_ = nullptr;
  }
}

void TaskPromiseBase::LeaveLoop() noexcept { loop_->running = nullptr; }

}  // namespace bitactor::internal
