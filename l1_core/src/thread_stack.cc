#include "bitactor/l1_core/thread_stack.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/mutex.h"

namespace bitactor::internal {
namespace {

// One request at a time in the process; the handler finds it here. The state is a phase and, in
// the upper 30 bits, the thread that is asked (Linux numbers threads up to 2^22).
//
//   T1  kNone -> kAsked (asker) -> kWriting (handler on that thread) -> kWritten (handler) -> kNone
//       (asker); or kAsked -> kNone when the asker has lost patience. The two ways out of kAsked
//       exclude each other: one compare-exchange wins.
//   T2  stack is written by the handler alone in kWriting, and read by the asker in kWritten.
//
// So a signal that arrives after its request was withdrawn touches nothing, or answers the next
// request for the same thread, for which it is as good as the signal to come.
enum Phase : uint32_t { kNone, kAsked, kWriting, kWritten };

constexpr uint32_t StateOf(Phase phase, pid_t thread) {
  return static_cast<uint32_t>(thread) << 2 | phase;
}

struct Request {
  // SYNC(stack-request). A futex word.
  std::atomic<uint32_t> state{kNone};
  ThreadStack stack;
};

Request request;

// Askers stand in a row, and so do those who want names: absl::Symbolize() has a lock of its own,
// but its library is not built for the thread sanitizer.
Mutex& OneAtATime() {
  static Mutex* const mutex = new Mutex;
  return *mutex;
}

// Not absl::GetStackTrace(): it follows frame pointers, which -O2 does without, and finds no
// frame at all. The unwinder of g++ reads the tables that exceptions use, and with glibc 2.35
// (_dl_find_object) takes no lock for it: allowed in a signal handler.
struct Walk {
  uintptr_t interrupted_at;
  ThreadStack& stack;
  bool inside = false;  // below the handler's own frames
};

_Unwind_Reason_Code NoteFrame(_Unwind_Context* context, void* data) {
  Walk& walk = *static_cast<Walk*>(data);
  const uintptr_t address = _Unwind_GetIP(context);
  if (!walk.inside && address != walk.interrupted_at) return _URC_NO_REASON;
  walk.inside = true;
  if (address == 0 || walk.stack.depth == ThreadStack::kFrames) return _URC_END_OF_STACK;
  walk.stack.frames[walk.stack.depth++] = address;
  return _URC_NO_REASON;
}

uintptr_t InterruptedAt(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<uintptr_t>(machine.pc);
#else
#error "which register says where a thread is?"
#endif
}

void OnSignal(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  const pid_t self = gettid();
  uint32_t asked = StateOf(kAsked, self);
  // SYNC(stack-request): pairs with the asker. Relaxed: who fails reads nothing.
  if (request.state.compare_exchange_strong(asked, StateOf(kWriting, self),
                                            std::memory_order_acquire, std::memory_order_relaxed)) {
    Walk walk{.interrupted_at = InterruptedAt(context), .stack = request.stack};
    walk.stack.depth = 0;
    _Unwind_Backtrace(NoteFrame, &walk);
    if (walk.stack.depth == 0) {
      // Not found: no table says how that place was called, or a thread sanitizer delivers the
      // signal later. Then from here on, the handler's own frames included.
      walk.inside = true;
      _Unwind_Backtrace(NoteFrame, &walk);
    }
    // SYNC(stack-request): pairs with the asker.
    request.state.store(StateOf(kWritten, self), std::memory_order_release);
    ::syscall(SYS_futex, &request.state, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  errno = saved_errno;
}

bool InstallHandler() {
  struct sigaction old {};
  if (sigaction(SIGURG, nullptr, &old) != 0) return false;
  const bool taken =
      (old.sa_flags & SA_SIGINFO) != 0 || (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN);
  if (taken) return false;
  struct sigaction ours {};
  ours.sa_sigaction = OnSignal;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  return sigaction(SIGURG, &ours, nullptr) == 0;
}

uint64_t MonotonicNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Whether the handler has answered; false: the request is withdrawn.
bool AwaitAnswer(pid_t thread, uint64_t patience_ns) {
  const uint64_t start_ns = MonotonicNanos();
  for (;;) {
    // SYNC(stack-request): pairs with OnSignal().
    uint32_t state = request.state.load(std::memory_order_acquire);
    if (state == StateOf(kWritten, thread)) return true;
    // Relaxed: withdrawn, nothing was handed over. Who is in kWriting will be done soon.
    if (state == StateOf(kAsked, thread) && MonotonicNanos() - start_ns >= patience_ns &&
        request.state.compare_exchange_strong(state, kNone, std::memory_order_relaxed,
                                              std::memory_order_relaxed)) {
      return false;
    }
    constexpr timespec kLook = {.tv_sec = 0, .tv_nsec = 1'000'000};
    ::syscall(SYS_futex, &request.state, FUTEX_WAIT_PRIVATE, state, &kLook, nullptr, 0);
  }
}

}  // namespace

bool NoteThreadStack(pid_t thread, uint64_t patience_ns, ThreadStack* stack) {
  MutexLock lock(&OneAtATime());
  static const bool installed = InstallHandler();
  if (!installed || thread == 0) return false;
  // SYNC(stack-request): pairs with OnSignal().
  request.state.store(StateOf(kAsked, thread), std::memory_order_release);
  const bool sent = ::syscall(SYS_tgkill, getpid(), thread, SIGURG) == 0;
  // A thread that is gone cannot answer; one of an earlier signal may just be doing so.
  if (!AwaitAnswer(thread, sent ? patience_ns : 0)) return false;
  *stack = request.stack;
  // Relaxed: the handler looks at nothing else in this state.
  request.state.store(kNone, std::memory_order_relaxed);
  return true;
}

std::vector<std::string> ThreadStack::Names() const {
  std::vector<std::string> names;
  MutexLock lock(&OneAtATime());
  for (size_t i = 0; i < depth; ++i) {
    // Behind the innermost frame stand return addresses: the call is before them.
    const uintptr_t address = i == 0 ? frames[i] : frames[i] - 1;
    char name[256];
    if (absl::Symbolize(reinterpret_cast<void*>(address), name, sizeof(name))) {
      names.emplace_back(name);
    } else {
      names.push_back(absl::StrFormat("%#x", frames[i]));
    }
  }
  return names;
}

}  // namespace bitactor::internal
