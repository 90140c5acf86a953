// Finds out that something of one thread is used by two.
#ifndef BITACTOR_L2_MAILBOX_OWNER_THREAD_H_
#define BITACTOR_L2_MAILBOX_OWNER_THREAD_H_

#include <atomic>
#include <thread>

namespace bitactor::internal {

// The owner is the first thread that asks.
//
// Threads: any; that is what it is for.
// Cost: one compare-and-exchange, so builds without assertions do not ask.
class OwnerThread {
 public:
  // Whether the calling thread is the owner.
  bool IsCaller() {
    const std::thread::id self = std::this_thread::get_id();
    std::thread::id owner;
    // Relaxed: only who wins matters, nothing is handed over with it.
    return owner_.compare_exchange_strong(owner, self, std::memory_order_relaxed) || owner == self;
  }
  // The next one to ask is the owner.
  void Reset() {
    // Relaxed: whoever hands the thing over orders that by himself.
    owner_.store({}, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::thread::id> owner_{};
};

}  // namespace bitactor::internal

#endif  // BITACTOR_L2_MAILBOX_OWNER_THREAD_H_
