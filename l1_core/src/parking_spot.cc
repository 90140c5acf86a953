#include "bitactor/l1_core/parking_spot.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace bitactor::internal {
namespace {

// How long a sleep may last when wake-ups are not certain.
constexpr uint64_t kUnorderedSleepNs = 1'000'000;

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is a plain word");

}  // namespace

bool HasProcessBarrier() {
  static const bool registered =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered;
}

bool ProcessBarrier() {
  return HasProcessBarrier() &&
         ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void ParkingSpot::Wake() {
  if (!parked()) return;
  // SYNC(park-flag): pairs with the wait in Sleep(), which the kernel does not begin when it reads
  // 0. Relaxed: the work is ordered by its own queue, the flag only says to look. One waker of
  // several rings.
  if (parked_.exchange(0, std::memory_order_relaxed) == 0) return;
  ::syscall(SYS_futex, &parked_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

bool ParkingSpot::Announce() {
  // SYNC(park-flag): pairs with parked(). Relaxed: the barrier orders it before the next looks.
  parked_.store(1, std::memory_order_relaxed);
  return has_barrier_ && ProcessBarrier();
}

void ParkingSpot::Sleep(std::optional<uint64_t> timeout_ns, bool ordered) {
  if (!ordered) timeout_ns = std::min(timeout_ns.value_or(kUnorderedSleepNs), kUnorderedSleepNs);
  timespec timeout{};
  if (timeout_ns.has_value()) {
    timeout.tv_sec = static_cast<time_t>(*timeout_ns / 1'000'000'000);
    timeout.tv_nsec = static_cast<long>(*timeout_ns % 1'000'000'000);
  }
  // Relaxed: one writer.
  sleeps_.store(sleeps_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  // Every way to return (woken, flag 0 already, timeout, signal) means the same: look again.
  ::syscall(SYS_futex, &parked_, FUTEX_WAIT_PRIVATE, 1, timeout_ns.has_value() ? &timeout : nullptr,
            nullptr, 0);
}

}  // namespace bitactor::internal
