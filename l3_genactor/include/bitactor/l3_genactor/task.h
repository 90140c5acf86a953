// What a coroutine handler returns: a computation that may suspend and ends with a value or an
// exception.
#ifndef BITACTOR_L3_GENACTOR_TASK_H_
#define BITACTOR_L3_GENACTOR_TASK_H_

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "bitactor/l1_core/check.h"
#include "bitactor/l3_genactor/coroutine_pool.h"

namespace bitactor {

template <typename T>
class Task;

namespace internal {

struct ResumeLoop;

// The part of a promise that does not depend on the task's type.
class TaskPromiseBase {
 public:
  TaskPromiseBase() = default;
  TaskPromiseBase(const TaskPromiseBase&) = delete;
  TaskPromiseBase& operator=(const TaskPromiseBase&) = delete;
  ~TaskPromiseBase() {
    if (loop_ != nullptr) [[unlikely]]
      LeaveLoop();
  }

  static void* operator new(size_t size_bytes) { return CoroutinePool::Allocate(size_bytes); }
  static void operator delete(void* frame, size_t size_bytes) {
    CoroutinePool::Free(frame, size_bytes);
  }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
      finished.promise().Finish();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  void set_self(std::coroutine_handle<> self) { self_ = self; }
  void set_on_done(void (*on_done)(void*), void* context) {
    on_done_ = on_done;
    context_ = context;
  }
  void set_parent(TaskPromiseBase* parent) { parent_ = parent; }
  const std::exception_ptr& exception() const { return exception_; }

 private:
  // The coroutine stands at its final suspension point: tells whoever waits for it, which may
  // destroy the coroutine. Never inlined: clang 14 would keep the locals in the frame that may go.
  __attribute__((noinline)) void Finish() noexcept;
  void LeaveLoop() noexcept;

  std::coroutine_handle<> self_;
  TaskPromiseBase* parent_ = nullptr;  // suspended until this one is done
  ResumeLoop* loop_ = nullptr;         // the loop of Finish() that is resuming this one right now
  void (*on_done_)(void*) = nullptr;
  void* context_ = nullptr;
  std::exception_ptr exception_;
};

template <typename T>
class TaskPromise final : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <typename U>
  requires std::convertible_to<U&&, T>
  void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
  T TakeResult() {
    if (exception()) std::rethrow_exception(exception());
    BITACTOR_CHECK(value_.has_value());
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void TakeResult() const {
    if (exception()) std::rethrow_exception(exception());
  }
};

}  // namespace internal

// Lazy: the body runs when the task is started or awaited, at once up to its first suspension.
//
// Awaiting: `co_await Child()` inside a Task runs the child inline. A child that completes without
//   suspending costs no suspension of its parent; any other resumes the parent when it finishes, on
//   the stack of whoever resumed the child. Neither needs stack that grows with the number of
//   awaits, whatever the optimisation level; only the first run of a chain of children nests like
//   calls.
// Threads: one at a time, the task and all it awaits.
// Ownership: move-only. Destroying an unfinished task destroys its coroutine with everything in it,
//   awaited children included; REQUIRES that it is suspended. An awaited task lives in the
//   coroutine that awaits it: a temporary or a local.
// Errors: an exception that leaves the body is rethrown by `co_await` and by Result().
// Cost: a frame from the coroutine pool; no heap allocation when warm.
template <typename T>
class [[nodiscard]] Task {
  static_assert(std::is_void_v<T> || (std::is_object_v<T> && std::is_move_constructible_v<T>),
                "a Task yields void or a movable value, not a reference");

 public:
  using promise_type = internal::TaskPromise<T>;
  using value_type = T;

  Task() = default;
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task dying(std::move(other));
    std::swap(coroutine_, dying.coroutine_);
    return *this;
  }
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  // Holds a coroutine: false after being moved from.
  bool valid() const { return coroutine_ != nullptr; }
  // The body ended, with a value or an exception. REQUIRES: valid().
  bool done() const { return coroutine_.done(); }

  // For the runtime: runs the body to its first suspension. When the body ends, now or later,
  // `on_done(context)` is called once, on the stack of whoever resumed it; it may take the result,
  // and may destroy this task; it must not throw. Starting the next task from it nests: queue it.
  // REQUIRES: valid(), neither started nor awaited before.
  void Start(void (*on_done)(void* context), void* context) {
    BITACTOR_CHECK(valid() && on_done != nullptr);
    coroutine_.promise().set_on_done(on_done, context);
    coroutine_.resume();
  }

  // The value, moved out, or the body's exception rethrown. Once. REQUIRES: done().
  T Result() {
    BITACTOR_CHECK(valid() && done());
    return coroutine_.promise().TakeResult();
  }
  // The exception that ended the body, null if none. REQUIRES: done().
  std::exception_ptr Exception() const { return coroutine_.promise().exception(); }

  class Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> child) : child_(child) {}
    // Runs the child; true when it needed no suspension.
    bool await_ready() const {
      child_.resume();
      return child_.done();
    }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> parent) const noexcept {
      static_assert(std::derived_from<Promise, internal::TaskPromiseBase>,
                    "a Task is awaited inside a coroutine that returns a Task; elsewhere Start it");
      child_.promise().set_parent(&parent.promise());
    }
    T await_resume() const { return child_.promise().TakeResult(); }

   private:
    std::coroutine_handle<promise_type> child_;
  };
  // REQUIRES: valid(), neither started nor awaited before.
  Awaiter operator co_await() && {
    BITACTOR_CHECK(valid());
    return Awaiter(coroutine_);
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> coroutine_;
};

// Whether a handler's return type is a Task.
template <typename T>
inline constexpr bool kIsTask = false;
template <typename T>
inline constexpr bool kIsTask<Task<T>> = true;

namespace internal {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  const auto self = std::coroutine_handle<TaskPromise>::from_promise(*this);
  set_self(self);
  return Task<T>(self);
}

inline Task<void> TaskPromise<void>::get_return_object() {
  const auto self = std::coroutine_handle<TaskPromise>::from_promise(*this);
  set_self(self);
  return Task<void>(self);
}

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_TASK_H_
