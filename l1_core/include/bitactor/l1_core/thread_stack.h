// Where another thread of this process is.
#ifndef BITACTOR_L1_CORE_THREAD_STACK_H_
#define BITACTOR_L1_CORE_THREAD_STACK_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bitactor::internal {

struct ThreadStack {
  static constexpr size_t kFrames = 32;

  std::array<uintptr_t, kFrames> frames{};  // innermost first: where it is, then who called
  size_t depth = 0;

  // One line a frame: the function, or the address where no name is known (a stripped library).
  std::vector<std::string> Names() const;
};

// Interrupts the thread with SIGURG, whose handler notes the stack. The signal is the quietest
// there is: by default it is ignored, so that one that comes late does no harm.
//
// Threads: any, one after the other.
// Bounds: the innermost 32 frames.
// Errors: false: nothing was noted, because the thread is gone, did not run or blocks the signal
//   for `patience_ns`, or because the program has a handler of its own for SIGURG.
// Cost: the interrupted thread loses some 5 to 100 us; its system calls are begun again, but
//   those that Linux never restarts (nanosleep, poll, epoll_wait) return EINTR.
bool NoteThreadStack(pid_t thread, uint64_t patience_ns, ThreadStack* stack);

}  // namespace bitactor::internal

#endif  // BITACTOR_L1_CORE_THREAD_STACK_H_
