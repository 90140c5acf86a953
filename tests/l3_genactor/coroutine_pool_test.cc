#include "bitactor/l3_genactor/coroutine_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

// Counts every heap allocation of this program; relaxed: read when the counted threads are joined.
static std::atomic<uint64_t> g_allocations{0};
static std::atomic<int64_t> g_live{0};

static void* CountedAlloc(size_t size, size_t alignment) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  g_live.fetch_add(1, std::memory_order_relaxed);
  void* block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
static void CountedFree(void* block) {
  if (block != nullptr) g_live.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}
void* operator new(size_t size) { return CountedAlloc(size, 16); }
void* operator new(size_t size, std::align_val_t alignment) {
  return CountedAlloc(size, static_cast<size_t>(alignment));
}
void operator delete(void* block) noexcept { CountedFree(block); }
void operator delete(void* block, size_t) noexcept { CountedFree(block); }
void operator delete(void* block, std::align_val_t) noexcept { CountedFree(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { CountedFree(block); }

namespace bitactor::internal {
namespace {

TEST(CoroutinePoolTest, GivesTheLastFreedBlockOfTheClassAgain) {
  void* const first = CoroutinePool::Allocate(200);
  CoroutinePool::Free(first, 200);
  void* const again = CoroutinePool::Allocate(193);  // both in the class of 256 bytes
  EXPECT_EQ(again, first);
  CoroutinePool::Free(again, 193);
}

TEST(CoroutinePoolTest, KeepsClassesApart) {
  void* const small = CoroutinePool::Allocate(64);
  CoroutinePool::Free(small, 64);
  void* const larger = CoroutinePool::Allocate(65);
  EXPECT_NE(larger, small);
  std::memset(larger, 0xAB, 65);
  CoroutinePool::Free(larger, 65);
}

TEST(CoroutinePoolTest, AlignsToACacheLine) {
  for (const size_t size : {size_t{1}, size_t{700}, size_t{2048}, size_t{5000}}) {
    void* const block = CoroutinePool::Allocate(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u) << size;
    CoroutinePool::Free(block, size);
  }
}

TEST(CoroutinePoolTest, AllocatesNothingInSteadyState) {
  CoroutinePool::Free(CoroutinePool::Allocate(500), 500);
  const uint64_t before = g_allocations.load(std::memory_order_relaxed);
  for (int i = 0; i < 10'000; ++i) CoroutinePool::Free(CoroutinePool::Allocate(500), 500);
  EXPECT_EQ(g_allocations.load(std::memory_order_relaxed), before);
}

TEST(CoroutinePoolTest, DoesNotKeepFramesOverTwoKilobytes) {
  const int64_t before = g_live.load(std::memory_order_relaxed);
  void* const block = CoroutinePool::Allocate(2049);
  EXPECT_EQ(g_live.load(std::memory_order_relaxed), before + 1);
  CoroutinePool::Free(block, 2049);
  EXPECT_EQ(g_live.load(std::memory_order_relaxed), before);
}

TEST(CoroutinePoolTest, KeepsAtMostTheBoundOfAClass) {
  constexpr uint32_t kBlocks = CoroutinePool::kMaxCachedBlocks + 100;
  std::vector<void*> blocks(kBlocks);
  for (void*& block : blocks) block = CoroutinePool::Allocate(1000);
  for (void* block : blocks) CoroutinePool::Free(block, 1000);
  EXPECT_EQ(CoroutinePool::CachedBlocks(1000), CoroutinePool::kMaxCachedBlocks);
}

TEST(CoroutinePoolTest, GivesMemoryBackWhenTheThreadEnds) {
  const int64_t before = g_live.load(std::memory_order_relaxed);
  int64_t cached = 0;
  std::thread([&cached] {
    std::vector<void*> blocks;
    for (int i = 0; i < 50; ++i) blocks.push_back(CoroutinePool::Allocate(300));
    for (void* block : blocks) CoroutinePool::Free(block, 300);
    cached = CoroutinePool::CachedBlocks(300);
  }).join();
  EXPECT_EQ(cached, 50);
  EXPECT_EQ(g_live.load(std::memory_order_relaxed), before);
}

TEST(CoroutinePoolTest, ABlockJoinsTheListOfTheThreadThatFreesIt) {
  void* block = nullptr;
  std::thread([&block] { block = CoroutinePool::Allocate(1500); }).join();
  const uint32_t before = CoroutinePool::CachedBlocks(1500);
  CoroutinePool::Free(block, 1500);
  EXPECT_EQ(CoroutinePool::CachedBlocks(1500), before + 1);
  EXPECT_EQ(CoroutinePool::Allocate(1500), block);
  CoroutinePool::Free(block, 1500);
}

// Frees a frame after the thread's clean-up has run: it was constructed before the clean-up.
struct LateFree {
  void* block = nullptr;
  ~LateFree() {
    if (block != nullptr) CoroutinePool::Free(block, 400);
  }
};

TEST(CoroutinePoolTest, AFrameFreedAfterTheCleanUpGoesToTheHeap) {
  const int64_t before = g_live.load(std::memory_order_relaxed);
  std::thread([] {
    static thread_local LateFree late;
    late.block = CoroutinePool::Allocate(400);
    CoroutinePool::Free(CoroutinePool::Allocate(400), 400);
  }).join();
  EXPECT_EQ(g_live.load(std::memory_order_relaxed), before);
}

#ifdef BITACTOR_INTERNAL_POOL_ASAN
TEST(CoroutinePoolTest, AFreedFrameIsPoisoned) {
  auto* const block = static_cast<char*>(CoroutinePool::Allocate(128));
  CoroutinePool::Free(block, 128);
  EXPECT_TRUE(__asan_address_is_poisoned(block + 64));
  EXPECT_EQ(CoroutinePool::Allocate(128), block);
  EXPECT_FALSE(__asan_address_is_poisoned(block + 64));
  CoroutinePool::Free(block, 128);
}
#endif

}  // namespace
}  // namespace bitactor::internal
