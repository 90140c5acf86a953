// Random trees of fibers that do everything fibers can, cancelled from everywhere. Whatever the
// order: every fiber that began ends exactly once, none before its children, its destructors run,
// the counters add up, and the scheduler gets all its memory back.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bitactor/l1_core/fiber_scheduler.h"
#include "bitactor/l1_core/signal_arrival.h"
#include "support/seed.h"

namespace bitactor {
namespace {

constexpr size_t kFibers = 14;  // few, so that some are refused

struct World {
  explicit World(uint64_t seed) : random(seed) {}

  uint64_t Below(uint64_t bound) { return random() % bound; }
  void Note(uint64_t event) { history = (history ^ event) * 0x9E3779B97F4A7C15 + 1; }

  std::mt19937_64 random;
  TickClock clock{TickClock::Source::kManual, 1};
  uint64_t unjoined = 0;
  FiberScheduler fibers{
      clock,
      {.fibers = kFibers,
       .frame_bytes = 8192,  // the address sanitizer's frames are large
       .round_turns = 7,
       .on_failure = [this](const char*, const std::exception_ptr&) { ++unjoined; }}};
  SignalArrival arrival;
  std::vector<Fiber> roots{6};
  uint64_t history = 1;  // a hash of what happened, in order
  int alive = 0;
  uint64_t ids = 0;
};

// Lives as long as a fiber's frame: it is a parameter.
class Life {
 public:
  Life(World& world, Life* parent) : world_(&world), parent_(parent), id_(++world.ids) {
    ++world_->alive;
  }
  Life(Life&& other) noexcept
      : world_(std::exchange(other.world_, nullptr)), parent_(other.parent_), id_(other.id_) {}
  Life& operator=(Life&&) = delete;
  ~Life() {
    if (world_ == nullptr) return;
    EXPECT_EQ(children_, 0) << "ended before its children";
    if (begun_ && parent_ != nullptr) --parent_->children_;
    --world_->alive;
    world_->Note(id_);
  }
  // The fiber has its first turn.
  void Begin() {
    begun_ = true;
    if (parent_ != nullptr) ++parent_->children_;
    world_->Note(~id_);
  }

 private:
  World* world_;
  Life* parent_;
  uint64_t id_;
  bool begun_ = false;
  int children_ = 0;
};

// Cancels when it is destroyed, whatever that hits.
class LateCancel {
 public:
  explicit LateCancel(World& world) : world_(world) {}
  LateCancel(const LateCancel&) = delete;
  LateCancel& operator=(const LateCancel&) = delete;
  ~LateCancel() {
    if (world_.Below(8) == 0) world_.roots[world_.Below(world_.roots.size())].Cancel();
  }

 private:
  World& world_;
};

Fiber Body(FiberScheduler& fibers, World& world, Life life, int depth) {
  life.Begin();
  LateCancel late_cancel(world);
  Fiber first, second;
  const auto spawn = [&](Fiber& fiber) {
    fiber = Body(fibers, world, Life(world, &life), depth + 1);
    fibers.Spawn("owned", fiber);
  };
  for (uint64_t steps = 1 + world.Below(6); steps > 0; --steps) {
    switch (world.Below(depth < 4 ? 15 : 8)) {
      case 0: {
        const uint64_t turns = fibers.counters().turns;
        co_await fibers.Yield();
        EXPECT_GT(fibers.counters().turns, turns);
        break;
      }
      case 1: {
        const uint64_t until_ns = fibers.now_ns() + world.Below(100);
        co_await fibers.SleepUntil(until_ns);
        EXPECT_GE(fibers.now_ns(), until_ns);
        break;
      }
      case 2:
        co_await fibers.YieldIfOver();
        world.clock.Advance(world.Below(1'200));
        co_await fibers.YieldIfOver();
        break;
      case 3: {
        uint64_t rounds = world.Below(4);
        bool held = false;
        co_await fibers.Until("rounds", [&] { return held = rounds-- == 0; });
        EXPECT_TRUE(held);
        break;
      }
      case 4: {
        const std::optional<Signal> signal = co_await world.arrival.Next();
        EXPECT_TRUE(signal.has_value());
        break;
      }
      case 5:
        if (world.Below(6) == 0) throw std::runtime_error("random");
        break;
      case 6:
        if (world.Below(4) == 0) world.roots[world.Below(world.roots.size())].Cancel();
        break;
      case 7:
        if (world.Below(40) == 0) fibers.CancelAll();
        break;
      case 8:
      case 9:
        spawn(world.Below(2) == 0 ? first : second);
        break;
      case 10:
        fibers.Spawn("unowned", Body(fibers, world, Life(world, &life), depth + 1));
        break;
      case 11: {
        const FiberResult result = co_await fibers.Join(first);
        EXPECT_NE(result.end, FiberEnd::kNone);
        EXPECT_EQ(result.end == FiberEnd::kFailed, result.error != nullptr);
        break;
      }
      case 12:
        co_await fibers.Join(second, fibers.now_ns() + world.Below(200));
        EXPECT_FALSE(second.running());
        break;
      case 13: {
        const RaceResult winner = co_await fibers.Race(first, second);
        EXPECT_FALSE(first.running() || second.running());
        world.Note(winner.index);
        break;
      }
      default:
        std::swap(first, second);
        first.Cancel();
    }
  }
}

// Adds what happened to `total`.
uint64_t RunWorld(uint64_t seed, FiberCounters* total = nullptr) {
  World world(seed);
  for (int step = 0; step < 600; ++step) {
    switch (world.Below(4)) {
      case 0: {
        Fiber& root = world.roots[world.Below(world.roots.size())];
        root = Body(world.fibers, world, Life(world, nullptr), 0);
        world.fibers.Spawn("root", root);
        if (world.Below(3) == 0) root.SetDeadline(world.fibers.now_ns() + world.Below(500));
        break;
      }
      case 1:
        world.clock.Advance(world.Below(60));
        break;
      case 2:
        world.arrival.Notify(Signal::Of(1));
        break;
      default:
        break;
    }
    world.Note(world.fibers.Poll());
    const FiberCounters c = world.fibers.counters();
    EXPECT_EQ(c.spawned, c.done + c.failed + c.cancelled + c.deadline + c.alive);
    EXPECT_LE(c.alive, kFibers);
    EXPECT_EQ(c.failed_unjoined, world.unjoined);
    EXPECT_GE(c.failed, c.failed_unjoined);
  }
  if (total != nullptr) {
    const FiberCounters c = world.fibers.counters();
    total->done += c.done;
    total->failed += c.failed;
    total->cancelled += c.cancelled;
    total->deadline += c.deadline;
    total->refused_exhausted += c.refused_exhausted;
    total->yields_over_budget += c.yields_over_budget;
  }
  world.fibers.CancelAll();
  world.roots.clear();
  while (world.fibers.Poll() != 0) {
  }
  EXPECT_EQ(world.alive, 0);
  EXPECT_EQ(world.fibers.counters().alive, 0u);
  std::vector<Fiber> all;
  for (size_t i = 0; i < kFibers; ++i) {
    all.push_back(Body(world.fibers, world, Life(world, nullptr), 4));
    EXPECT_EQ(world.fibers.Spawn("last", all.back()), SpawnResult::kOk);
  }
  return world.history;
}

TEST(FiberPropertyTest, EveryFiberEndsOnceAfterItsChildrenAndTheCountsAddUp) {
  const uint64_t seed = test::Seed();
  FiberCounters total;
  for (int round = 0; round < test::Rounds(40); ++round) {
    SCOPED_TRACE(round);
    RunWorld(seed + static_cast<uint64_t>(round), &total);
    if (testing::Test::HasFailure()) return;
  }
  // The worlds are worth their time.
  EXPECT_GT(total.done, 1'000u);
  EXPECT_GT(total.failed, 100u);
  EXPECT_GT(total.cancelled, 1'000u);
  EXPECT_GT(total.deadline, 100u);
  EXPECT_GT(total.refused_exhausted, 0u);
  EXPECT_GT(total.yields_over_budget, 100u);
}

TEST(FiberPropertyTest, TheSameStepsGiveTheSameHistory) {
  const uint64_t seed = test::Seed();
  EXPECT_EQ(RunWorld(seed), RunWorld(seed));
  EXPECT_NE(RunWorld(seed), RunWorld(seed + 1));
}

}  // namespace
}  // namespace bitactor
