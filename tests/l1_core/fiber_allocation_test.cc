#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/fiber_scheduler.h"
#include "bitactor/l1_core/signal_arrival.h"
#include "bitactor/l1_core/timer_wheel.h"
#include "support/allocation_counter.h"

namespace bitactor {
namespace {

constexpr SignalKind kNumber = 1;

Fiber Child(FiberScheduler& fibers, uint64_t sleep_ns) { co_await fibers.Sleep(sleep_ns); }

// Uses everything that a fiber can wait for.
Fiber Everything(FiberScheduler& fibers, Engine& engine, SignalArrival& arrival, uint64_t& done) {
  Fiber a = Child(fibers, 100), b = Child(fibers, 200), c = Child(fibers, 1'000'000);
  fibers.Spawn("a", a);
  fibers.Spawn("b", b);
  fibers.Spawn("c", c);
  co_await fibers.Race(a, b);
  co_await fibers.Yield();
  co_await fibers.YieldIfOver();
  co_await fibers.Join(c, fibers.now_ns() + 300);
  for (int i = 0; i < 5; ++i) co_await fibers.Push(engine, Signal::Of(kNumber, i));
  const std::optional<Signal> signal = co_await arrival.Next();
  uint64_t rounds = 3;
  co_await fibers.Until("rounds", [&rounds] { return --rounds == 0; });
  if (signal.has_value()) ++done;
}

TEST(FiberAllocationTest, FibersAndTimersAllocateNothing) {
  TickClock clock(TickClock::Source::kManual);
  Engine engine({.queue_capacity = 2, .clock = &clock});
  SignalArrival arrival;
  engine.On(kNumber, [&](const Signal& s, Context&) { arrival.Notify(s); });
  FiberScheduler fibers(clock, {.fibers = 16, .frame_bytes = 8192});
  engine.AddPoller(&fibers);
  engine.Poll();
  uint64_t done = 0;

  const uint64_t before = test::AllocationCount();
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(fibers.Spawn("everything", Everything(fibers, engine, arrival, done)),
              SpawnResult::kOk);
    for (int i = 0; i < 100; ++i) {
      clock.Advance(20);
      engine.Poll();
    }
    arrival.Notify(Signal::Of(kNumber));
    engine.Drain();
  }
  EXPECT_EQ(test::AllocationCount(), before);
  for (int i = 0; i < 5; ++i) engine.Poll();
  EXPECT_EQ(done, 100u);
}

}  // namespace
}  // namespace bitactor
