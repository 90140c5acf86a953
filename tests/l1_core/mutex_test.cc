#include "bitactor/l1_core/mutex.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace bitactor {
namespace {

// In every schedule: who asked first has it first, though who had it asks again at once.
TEST(FairMutexTest, IsHadInTheOrderInWhichItWasAskedFor) {
  constexpr uint64_t kThreads = 4;
  FairMutex mutex;
  std::vector<uint64_t> order;  // under `mutex`
  std::vector<std::jthread> threads;
  mutex.Lock();
  for (uint64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      MutexLock lock(&mutex);
      order.push_back(i);
    });
    while (mutex.asking() != i + 2) std::this_thread::yield();
  }
  mutex.Unlock();
  {
    MutexLock lock(&mutex);
    EXPECT_EQ(order, (std::vector<uint64_t>{0, 1, 2, 3}));
  }
  threads.clear();
  EXPECT_EQ(mutex.asking(), 0u);
}

TEST(FairMutexTest, OneAtATimeHasIt) {
  constexpr uint64_t kTimes = 2'000;
  FairMutex mutex;
  uint64_t count = 0;  // under `mutex`
  const auto add = [&] {
    for (uint64_t i = 0; i < kTimes; ++i) {
      MutexLock lock(&mutex);
      ++count;
    }
  };
  std::jthread other(add);
  add();
  other.join();
  EXPECT_EQ(count, 2 * kTimes);
}

}  // namespace
}  // namespace bitactor
