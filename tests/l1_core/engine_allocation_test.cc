#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/frame_pool.h"
#include "support/allocation_counter.h"

namespace bitactor {
namespace {

using test::AllocationCount;

struct Quote {
  uint64_t price;
  uint64_t sequence;
};

TEST(AllocationTest, TheCounterSeesAllocations) {
  const uint64_t before = AllocationCount();
  const auto counted = std::make_unique<std::vector<int>>(100);
  EXPECT_EQ(AllocationCount(), before + 2);
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

  const uint64_t before = AllocationCount();
  for (uint64_t i = 0; i < 10'000; ++i) {
    while (engine.Push(Signal::Of(1, Quote{i / 2, i})) == PushResult::kFull) engine.Poll();
    engine.Push(Signal::Of(2));
    engine.Push(Signal::Of(3));
  }
  engine.Drain();
  EXPECT_EQ(AllocationCount(), before);
  EXPECT_GT(engine.counters().bypassed[Bypass::kUnchanged], 0u);
  EXPECT_GT(engine.counters().refused_full, 0u);
  EXPECT_GT(reports, 0u);
}

TEST(AllocationTest, AFramePoolAllocatesNothingAfterItsStart) {
  FramePool pool(16);
  const uint64_t before = AllocationCount();
  for (int i = 0; i < 100; ++i) {
    Frame* frame = pool.Acquire();
    pool.Release(frame);
  }
  EXPECT_EQ(AllocationCount(), before);
}

}  // namespace
}  // namespace bitactor
