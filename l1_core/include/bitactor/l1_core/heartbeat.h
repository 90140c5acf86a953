// What an engine is doing at the moment, for whoever watches it.
#ifndef BITACTOR_L1_CORE_HEARTBEAT_H_
#define BITACTOR_L1_CORE_HEARTBEAT_H_

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/signal.h"

namespace bitactor {

// One word that the engine's thread writes before it runs foreign code and after the round. Two
// equal words, read one after the other, mean that the same call is still running.
//
// Threads: one, the engine's, writes; any reads.
// Errors: none.
// Cost: an addition and a store to a line that the engine's core owns, under 1 ns; a reader takes
//   the line away once a sample.
class alignas(kCacheLineBytes) Heartbeat {
 public:
  enum class Doing : uint8_t { kNothing, kHandler, kPoller };

  // A word as read.
  class Beat {
   public:
    Beat() = default;
    Doing doing() const { return static_cast<Doing>(word_ >> 16 & 0xff); }
    // The handler's kind, or the poller's place in the order of Engine::AddPoller().
    uint16_t number() const { return static_cast<uint16_t>(word_); }
    friend bool operator==(const Beat&, const Beat&) = default;

   private:
    friend class Heartbeat;
    explicit Beat(uint64_t word) : word_(word) {}
    uint64_t word_ = 0;
  };

  // Engine: this thread is the one that runs, as Run() begins. Without it a report has no stack.
  void RunsHere() {
    // Relaxed: a number that orders nothing.
    thread_.store(gettid(), std::memory_order_relaxed);
  }
  // Engine: what is called next.
  void BeginHandler(SignalKind kind) { Begin(Doing::kHandler, kind); }
  void BeginPoller(size_t index) { Begin(Doing::kPoller, index); }
  // Engine: the round is over, and nothing of others runs.
  void Rest() {
    // Relaxed: the word is all there is to see.
    word_.store(0, std::memory_order_relaxed);
  }

  // Relaxed: as above.
  Beat Read() const { return Beat(word_.load(std::memory_order_relaxed)); }
  // 0: not known. Relaxed: as above.
  pid_t thread() const { return thread_.load(std::memory_order_relaxed); }

 private:
  void Begin(Doing doing, size_t number) {
    count_ += uint64_t{1} << 24;
    // Relaxed: as above.
    word_.store(count_ | uint64_t{static_cast<uint8_t>(doing)} << 16 | (number & 0xffff),
                std::memory_order_relaxed);
  }

  // Written by the engine's thread alone. The word: calls so far, 40 bits; doing, 8; number, 16.
  std::atomic<uint64_t> word_{0};
  uint64_t count_ = 0;
  std::atomic<pid_t> thread_{0};
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_HEARTBEAT_H_
