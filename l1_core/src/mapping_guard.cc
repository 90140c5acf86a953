#include "bitactor/l1_core/mapping_guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/mutex.h"

namespace bitactor {
namespace {

// One guarded range. The handler reads it while others may write it:
//   G1  version is odd while begin, end and broken change; whoever reads the same even version
//       before and after them has values that belong together.
//   G2  the range of a thread that faults in it is in the table and does not change: it came in
//       before the thread got it, and goes when no thread uses it any more. So a range that changes
//       under the handler is another one.
// Only writers hold the mutex; the handler takes no lock, for the thread that it interrupts may
// hold any.
struct GuardedRange {
  std::atomic<uint32_t> version{0};
  std::atomic<uintptr_t> begin{0};  // 0: free
  std::atomic<uintptr_t> end{0};
  std::atomic<std::atomic<bool>*> broken{nullptr};
};
static_assert(std::atomic<uintptr_t>::is_always_lock_free &&
              std::atomic<bool>::is_always_lock_free);

enum class Handler : uint8_t { kNotYet, kInstalled, kNever };

// Constant-initialised and never destroyed: a signal may come at any time.
constinit std::array<GuardedRange, kGuardedMappingsMax> ranges;
constinit Mutex table_mutex;
constinit Handler handler ABSL_GUARDED_BY(table_mutex) = Handler::kNotYet;
constinit size_t guarded ABSL_GUARDED_BY(table_mutex) = 0;
// Written once, before the handler that reads them is installed.
constinit struct sigaction before_us = {};
constinit uintptr_t guard_page_bytes = 0;

void Set(GuardedRange& range, uintptr_t begin, uintptr_t end, std::atomic<bool>* broken) {
  // Relaxed, here and for the odd version: only writers write it, one at a time.
  const uint32_t version = range.version.load(std::memory_order_relaxed);
  range.version.store(version + 1, std::memory_order_relaxed);
  // SYNC(guard-range): pairs with FlagIfContains(), which sees the odd version with any of these.
  range.begin.store(begin, std::memory_order_release);
  range.end.store(end, std::memory_order_release);
  range.broken.store(broken, std::memory_order_release);
  // SYNC(guard-version): pairs with FlagIfContains().
  range.version.store(version + 2, std::memory_order_release);
}

// The flag of the range if `address` is in it, else null.
std::atomic<bool>* FlagIfContains(const GuardedRange& range, uintptr_t address) {
  // SYNC(guard-version): pairs with Set().
  const uint32_t version = range.version.load(std::memory_order_acquire);
  // SYNC(guard-range): pairs with Set(); a value of a change under way brings the odd version along.
  const uintptr_t begin = range.begin.load(std::memory_order_acquire);
  const uintptr_t end = range.end.load(std::memory_order_acquire);
  std::atomic<bool>* const broken = range.broken.load(std::memory_order_acquire);
  // Relaxed: ordered behind the three loads by their acquire.
  if (version % 2 != 0 || range.version.load(std::memory_order_relaxed) != version) return nullptr;
  return address >= begin && address < end ? broken : nullptr;
}

// What would have happened without us.
void HandOn(int signal, siginfo_t* info, void* context) {
  if ((before_us.sa_flags & SA_SIGINFO) != 0) {
    before_us.sa_sigaction(signal, info, context);
  } else if (before_us.sa_handler == SIG_DFL ||
             (before_us.sa_handler == SIG_IGN && info->si_code > 0)) {
    // The kernel ignores SIG_IGN for a fault. The default action comes when the instruction runs
    // again; for a signal that somebody sent, there is no such instruction.
    struct sigaction by_default = {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(signal, &by_default, nullptr);
    if (info->si_code <= 0) ::raise(signal);
  } else if (before_us.sa_handler != SIG_IGN) {
    before_us.sa_handler(signal);
  }
}

// Runs in the thread that touched the missing page, between two of its instructions.
void OnBusError(int signal, siginfo_t* info, void* context) {
  const int error_before = errno;
  if (info->si_code > 0) {  // from the kernel, so that si_addr is what was touched
    const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
    for (const GuardedRange& range : ranges) {
      std::atomic<bool>* const broken = FlagIfContains(range, address);
      if (broken == nullptr) continue;
      // The system call itself: a sanitizer's mmap is not made for signal handlers.
      const long page =
          ::syscall(SYS_mmap, address & ~(guard_page_bytes - 1), guard_page_bytes,
                    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      if (page == -1) break;  // no memory: it ends as it would have without us
      // Relaxed: it tells nothing but itself, to the thread that it interrupts.
      broken->store(true, std::memory_order_relaxed);
      errno = error_before;
      return;
    }
  }
  HandOn(signal, info, context);
  errno = error_before;
}

void Install() ABSL_EXCLUSIVE_LOCKS_REQUIRED(table_mutex) {
  guard_page_bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction ours = {};
  ours.sa_sigaction = OnBusError;
  // On the thread's alternative stack if it has one, as a fiber that overflowed its own needs.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&ours.sa_mask);
  // First asked, then set: the handler may run at once.
  BITACTOR_CHECK_EQ(::sigaction(SIGBUS, nullptr, &before_us), 0);
  BITACTOR_CHECK_EQ(::sigaction(SIGBUS, &ours, nullptr), 0);
  handler = Handler::kInstalled;
}

}  // namespace

bool LeaveMappingsUnguarded() {
  MutexLock lock(&table_mutex);
  if (handler == Handler::kInstalled) return false;
  handler = Handler::kNever;
  return true;
}

namespace internal {

bool GuardMapping(std::byte* data, size_t size_bytes, std::atomic<bool>* broken) {
  MutexLock lock(&table_mutex);
  if (handler == Handler::kNever) return true;
  if (guarded == kGuardedMappingsMax) return false;
  if (handler == Handler::kNotYet) Install();
  ++guarded;
  const auto begin = reinterpret_cast<uintptr_t>(data);
  for (GuardedRange& range : ranges) {
    // Relaxed: written under the mutex.
    if (range.begin.load(std::memory_order_relaxed) != 0) continue;
    Set(range, begin, begin + size_bytes, broken);
    return true;
  }
  BITACTOR_CHECK(false);  // fewer are guarded than there is room for
}

void UnguardMapping(const std::byte* data) {
  MutexLock lock(&table_mutex);
  if (handler != Handler::kInstalled) return;
  const auto begin = reinterpret_cast<uintptr_t>(data);
  for (GuardedRange& range : ranges) {
    // Relaxed: written under the mutex.
    if (range.begin.load(std::memory_order_relaxed) != begin) continue;
    Set(range, 0, 0, nullptr);
    --guarded;
    return;
  }
}

}  // namespace internal
}  // namespace bitactor
