// Two threads on two processors, for rows that measure what passes between them.
#ifndef BITACTOR_BENCH_CPU_PAIR_H_
#define BITACTOR_BENCH_CPU_PAIR_H_

#include <atomic>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bench/harness.h"
#include "bitactor/l1_core/placement.h"

namespace bitactor::bench {

// The two processors of a pair row. A pair that shares one processor would measure the scheduler.
struct Pair {
  int here;
  int there;
};

inline absl::StatusOr<Pair> TwoCpus() {
  const std::vector<int> cpus = AllowedCpus();
  if (cpus.size() < 2) {
    return absl::UnavailableError(
        absl::StrCat("needs 2 processors, this process may use ", cpus.size()));
  }
  return Pair{cpus.back(), cpus.front()};
}

// Runs `partner` on the other processor and `main_part` on this one, from when both are there until
// both are done; returns what `main_part` returned.
template <typename Partner, typename MainPart>
Sample RunPair(const Pair& pair, Partner partner, MainPart main_part) {
  const ScopedPin pin(pair.here);
  std::atomic<bool> ready{false};
  std::thread thread([&] {
    const ScopedPin partner_pin(pair.there);
    // SYNC(pair-ready): relaxed is enough, it orders no data; thread start and join do.
    ready.store(true, std::memory_order_relaxed);
    partner();
  });
  // SYNC(pair-ready)
  while (!ready.load(std::memory_order_relaxed)) std::this_thread::yield();
  Sample sample = main_part();
  thread.join();
  return sample;
}

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_CPU_PAIR_H_
