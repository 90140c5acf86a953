#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "absl/time/time.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/frame_pool.h"

namespace {
// Relaxed: one thread allocates here.
std::atomic<uint64_t> allocations{0};

void* Allocate(size_t size_bytes, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, size_bytes) != 0) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(size_t size_bytes) { return Allocate(size_bytes, alignof(std::max_align_t)); }
void* operator new[](size_t size_bytes) { return Allocate(size_bytes, alignof(std::max_align_t)); }
void* operator new(size_t size_bytes, std::align_val_t alignment) {
  return Allocate(size_bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t size_bytes, std::align_val_t alignment) {
  return Allocate(size_bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace bitactor {
namespace {

uint64_t Allocations() { return allocations.load(std::memory_order_relaxed); }

struct Quote {
  uint64_t price;
  uint64_t sequence;
};

TEST(AllocationTest, TheCounterSeesAllocations) {
  const uint64_t before = Allocations();
  delete new int(1);
  EXPECT_EQ(Allocations(), before + 1);
}

TEST(AllocationTest, AnEngineAllocatesNothingAfterItsStart) {
  TickClock clock(TickClock::Source::kManual);
  uint64_t sum = 0, reports = 0;
  Engine engine({.clock = &clock, .on_overrun = [&](SignalKind, Ticks) { ++reports; }});
  engine
      .On(1,
          [&](const Signal& s, Context&) {
            sum += s.As<Quote>().price;
            clock.Advance(s.As<Quote>().sequence % 100 == 0 ? 2'000 : 10);
          })
      .ZeroTick(Unchanged(&Quote::price))
      .ZeroTick(DuplicateWithin(&Quote::sequence, 16), SampleEvery(1),
                RateLimit(1'000, absl::Nanoseconds(1)), DeadBand(&Quote::price, 0),
                ExpiredAfter(&Quote::sequence, absl::InfiniteDuration()))
      .OnOverrun(OverrunPolicy::kReport);
  engine.Ignore(2);
  engine.Poll();

  const uint64_t before = Allocations();
  for (uint64_t i = 0; i < 10'000; ++i) {
    while (engine.Push(Signal::Of(1, Quote{i / 2, i})) == PushResult::kFull) engine.Poll();
    engine.Push(Signal::Of(2));
    engine.Push(Signal::Of(3));
  }
  engine.Drain();
  EXPECT_EQ(Allocations(), before);
  EXPECT_GT(engine.counters().bypassed[Bypass::kUnchanged], 0u);
  EXPECT_GT(engine.counters().refused_full, 0u);
  EXPECT_GT(reports, 0u);
}

TEST(AllocationTest, AFramePoolAllocatesNothingAfterItsStart) {
  FramePool pool(16);
  const uint64_t before = Allocations();
  for (int i = 0; i < 100; ++i) {
    Frame* frame = pool.Acquire();
    pool.Release(frame);
  }
  EXPECT_EQ(Allocations(), before);
}

}  // namespace
}  // namespace bitactor
