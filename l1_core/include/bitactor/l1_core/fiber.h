// The fiber: a coroutine that a FiberScheduler runs, and the handle that owns it.
#ifndef BITACTOR_L1_CORE_FIBER_H_
#define BITACTOR_L1_CORE_FIBER_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "bitactor/l1_core/timer_wheel.h"

namespace bitactor {

class Fiber;
class FiberScheduler;

// How a fiber ended.
enum class FiberEnd : uint8_t {
  kNone,       // it has not
  kDone,       // its body returned
  kFailed,     // its body threw
  kCancelled,  // by its handle, its parent or the scheduler; its destructors have run
  kDeadline,   // cancelled because its deadline passed
  kNotRun,     // it was refused, never spawned, or moved away: there is nothing to wait for
};
const char* FiberEndName(FiberEnd end);

// What became of a fiber that was to run.
enum class SpawnResult : uint8_t {
  kOk,
  kExhausted,      // FiberOptions::fibers are alive: try again when one has ended
  kFrameTooLarge,  // its frame needs more than FiberOptions::frame_bytes: a matter of set-up
  kNotAFiber,      // the handle is empty, or its fiber was spawned before: a mistake
};
const char* SpawnResultName(SpawnResult result);

// What a joiner gets.
struct FiberResult {
  FiberEnd end = FiberEnd::kNone;
  std::exception_ptr error = nullptr;  // of kFailed
};

namespace internal {

struct FiberAccount;
struct FiberRecord;
class RaceAwaiterBase;

// A fiber's stay in a list of those that wait for one thing. Lives in the awaiter, and so in the
// frame of the fiber that waits, with which it goes.
struct WaitNode {
  WaitNode() = default;
  explicit WaitNode(FiberRecord* waiting) : fiber(waiting) {}
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;
  ~WaitNode() { Unlink(); }

  bool linked() const { return next != this; }
  void Append(WaitNode& node) {
    node.prev = prev;
    node.next = this;
    prev->next = &node;
    prev = &node;
  }
  void Unlink() {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }

  WaitNode* prev = this;
  WaitNode* next = this;
  FiberRecord* fiber = nullptr;
};

// One that waits for the end of a fiber.
struct JoinNode : WaitNode {
  FiberResult result;      // once that fiber has ended
  uint64_t ended_nth = 0;  // of all fibers of the scheduler
};

// A fiber as its scheduler sees it. It stands before the coroutine's frame in one block of the
// scheduler's memory and outlives the frame until its handle has gone too.
struct alignas(64) FiberRecord final : Timer {
  enum class State : uint8_t {
    kFree,
    kCreated,  // the body has not begun
    kLive,
    kEnding,  // its frame is being destroyed
    kEnded,   // there is no frame; the handle or a list has yet to let go of the record
  };

  bool IsSelfOrAncestorOf(const FiberRecord* other) const {
    while (other != nullptr && other != this) other = other->parent;
    return other == this;
  }

  FiberScheduler* scheduler = nullptr;
  std::coroutine_handle<> frame = nullptr;
  FiberRecord* next_ready = nullptr;
  State state = State::kFree;
  bool ready = false;                    // in the run queue
  bool timed = false;                    // its turns are measured
  bool cancel_pending = false;           // in the list of those to cancel
  bool joined = false;                   // somebody was given the result
  FiberEnd end = FiberEnd::kNone;        // once ended
  FiberEnd cancel_as = FiberEnd::kNone;  // while pending
  const char* waits_for = "";            // for people
  uint64_t turn_start = 0;               // cycles of the clock, if timed
  const char* name = "";
  FiberAccount* account = nullptr;     // of its name, once spawned
  Fiber* handle = nullptr;             // null: the scheduler owns it
  FiberRecord* next_listed = nullptr;  // of the free ones, or of those to cancel
  FiberRecord* parent = nullptr;       // live fibers form a tree below the scheduler's root
  FiberRecord* last_child = nullptr;
  FiberRecord* older = nullptr;
  FiberRecord* younger = nullptr;
  WaitNode joiners;
  std::exception_ptr error;

 private:
  // Its deadline.
  void OnTimer(uint64_t now_ns) override;
};

// Memory for a frame, or null when the scheduler refuses.
void* AllocateFiberFrame(FiberScheduler& scheduler, size_t size_bytes) noexcept;

inline FiberRecord& RecordOf(void* frame) { return static_cast<FiberRecord*>(frame)[-1]; }

class FiberPromise {
 public:
  // A fiber's first parameter, after the object of a member function or lambda, is its scheduler.
  // Inlined always, or g++ 12 without optimisation warns that new and delete do not match.
  template <typename... Rest>
  __attribute__((always_inline)) static void* operator new(size_t size_bytes,
                                                           FiberScheduler& scheduler,
                                                           Rest&&...) noexcept {
    return AllocateFiberFrame(scheduler, size_bytes);
  }
  template <typename Object, typename... Rest>
  __attribute__((always_inline)) static void* operator new(size_t size_bytes, Object&&,
                                                           FiberScheduler& scheduler,
                                                           Rest&&...) noexcept {
    return AllocateFiberFrame(scheduler, size_bytes);
  }
  // The block stays the record's.
  __attribute__((always_inline)) static void operator delete(void*, size_t) noexcept {}

  static Fiber get_return_object_on_allocation_failure() noexcept;
  Fiber get_return_object() noexcept;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_always final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { record_->error = std::current_exception(); }

  FiberRecord* record() const { return record_; }

 private:
  FiberRecord* record_ = nullptr;
};

}  // namespace internal

// A coroutine's return type and its owner's handle.
//
// A fiber function takes its scheduler first: `Fiber Feed(FiberScheduler& fibers, Book& book)`.
// Calling it takes a block of the scheduler's memory and runs nothing; FiberScheduler::Spawn()
// does. Parameters are copied as those of any coroutine are: by reference only what lives longer.
//
// Threads: the scheduler's.
// Ownership: move-only; destroying the handle cancels the fiber, at once. So a fiber that is kept
//   in a local of its parent may use what was declared before it. A handle may outlive the
//   scheduler, which cancels all fibers when it goes.
// Errors: a refusal makes an empty handle, which Spawn() answers with the reason. A fiber that is
//   cancelled by itself, by a descendant, or by a destructor of another one that is being cancelled,
//   is cancelled as soon as that has suspended or is done.
class [[nodiscard]] Fiber {
 public:
  using promise_type = internal::FiberPromise;

  Fiber() = default;
  Fiber(Fiber&& other) noexcept;
  Fiber& operator=(Fiber&& other) noexcept;
  ~Fiber() { Drop(); }

  // It was spawned and has not ended.
  bool running() const;
  // How it ended; kNone while it is running, kNotRun if it was not spawned.
  FiberEnd end() const;
  // Ends it and its children, children first; what it was waiting for is forgotten, its destructors
  // run. Nothing if it has ended.
  void Cancel();
  // Cancels it, with kDeadline, when the time comes; a second call replaces the first.
  void SetDeadline(uint64_t deadline_ns);

 private:
  friend class FiberScheduler;
  friend class internal::FiberPromise;
  friend class internal::RaceAwaiterBase;
  explicit Fiber(internal::FiberRecord* record);
  explicit Fiber(SpawnResult refusal) : refusal_(refusal) {}
  void Drop();

  internal::FiberRecord* record_ = nullptr;
  SpawnResult refusal_ = SpawnResult::kNotAFiber;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_FIBER_H_
