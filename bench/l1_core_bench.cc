// l1/*: a signal's way through an engine that this thread drives, timers, fibers.
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "bench/l1_quotes.h"
#include "bench/rows.h"
#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/fiber_scheduler.h"
#include "bitactor/l1_core/timer_wheel.h"

namespace bitactor::bench {
namespace {

// Pushes batches of 16 and polls each away. `step`: how much the price changes from one signal to
// the next.
absl::StatusOr<Body> Signals(const Context& context, bool filtered, uint64_t step) {
  return [&clock = context.clock, filtered, step](uint64_t operations) -> absl::StatusOr<Sample> {
    Engine engine(EngineOptions{.clock = &clock});
    uint64_t handled = 0;
    HandlerSetup setup = engine.On(kQuote, [&handled](const Signal& s, bitactor::Context&) {
      handled += s.As<Quote>().symbol;
    });
    if (filtered) setup.ZeroTick(Unchanged(&Quote::symbol, &Quote::price, &Quote::size));
    Quote quote{1, 100, 10};
    operations = (operations + kBatch - 1) / kBatch * kBatch;
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; i += kBatch) {
      for (uint64_t j = 0; j < kBatch; ++j) {
        quote.price += step;
        engine.Push(kQuote, quote);
      }
      engine.Poll();
    }
    const Sample sample = NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
    const uint64_t expected = filtered && step == 0 ? 1 : operations;
    if (handled != expected)
      return absl::InternalError("the engine did not handle what was pushed");
    return sample;
  };
}

class UnusedTimer : public Timer {
  void OnTimer(uint64_t) override {}
};

// An operation arms a timer for a random moment within a second and cancels it 64 operations later,
// as a request that is answered would, among 100,000 others that stay armed.
absl::StatusOr<Body> Timers(const Context& context) {
  constexpr size_t kStanding = 100'000;
  constexpr uint64_t kWithinNs = 1'000'000'000;
  struct State {
    TimerWheel wheel;
    std::deque<UnusedTimer> standing;
    std::array<UnusedTimer, 64> requests;
    std::array<uint64_t, 4096> deadlines_ns;
  };
  auto state = std::make_shared<State>();
  std::mt19937_64 random(1);
  for (size_t i = 0; i < kStanding; ++i) {
    state->wheel.Arm(state->standing.emplace_back(), 1 + random() % kWithinNs);
  }
  for (uint64_t& deadline_ns : state->deadlines_ns) deadline_ns = 1 + random() % kWithinNs;
  return [&clock = context.clock, state](uint64_t operations) -> absl::StatusOr<Sample> {
    TimerWheel& wheel = state->wheel;
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; ++i) {
      UnusedTimer& timer = state->requests[i % state->requests.size()];
      wheel.Cancel(timer);
      wheel.Arm(timer, state->deadlines_ns[i % state->deadlines_ns.size()]);
    }
    const Sample sample = NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
    for (UnusedTimer& timer : state->requests) wheel.Cancel(timer);
    if (wheel.size() != kStanding)
      return absl::InternalError("timers are armed that were cancelled");
    return sample;
  };
}

Fiber YieldsForEver(FiberScheduler& fibers, uint64_t& turns) {
  for (;;) {
    ++turns;
    co_await fibers.Yield();
  }
}

// Fibers that yield to each other: an operation is one switch.
absl::StatusOr<Body> FiberSwitches(const Context& context, uint64_t number) {
  return [&clock = context.clock, number](uint64_t operations) -> absl::StatusOr<Sample> {
    FiberScheduler fibers(clock, {.fibers = number});
    uint64_t turns = 0;
    for (uint64_t i = 0; i < number; ++i) fibers.Spawn("yields", YieldsForEver(fibers, turns));
    uint64_t switches = 0;
    const uint64_t start = clock.Now();
    while (switches < operations) switches += fibers.Poll();
    const Sample sample = NsPerOperation(clock.NanosIn(clock.Now() - start), switches);
    fibers.CancelAll();
    if (turns != switches) return absl::InternalError("a fiber did not get its turn");
    return sample;
  };
}

// The filter pass alone, over signals that wait in memory. One in 1,024 is handled.
absl::StatusOr<Body> FilterPass(const Context& context, const ZeroTickFilter& filter) {
  constexpr size_t kSignals = 1024;
  auto signals = std::make_shared<std::vector<Signal>>(kSignals);
  for (size_t i = 0; i < kSignals; ++i) {
    (*signals)[i] = Signal::Of(kQuote, Quote{1, i == 0 ? 99u : 100u, 10});
  }
  return [&clock = context.clock, filter, signals](uint64_t operations) -> absl::StatusOr<Sample> {
    ZeroTickPass pass;
    pass.Add(filter);
    RoundTime time(clock);
    uint64_t handled = 0;
    operations = (operations + kSignals - 1) / kSignals * kSignals;
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; i += kSignals) {
      for (const Signal& signal : *signals) {
        handled += pass.Check(signal, time) == Bypass::kNone ? 1 : 0;
      }
    }
    const Sample sample = NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
    if (handled != 2 * operations / kSignals)
      return absl::InternalError("the filter did not let through what changed");
    return sample;
  };
}

}  // namespace

void RegisterL1CoreRows(Registry& registry) {
  registry.Add({.name = "l1/dispatch", .note = "push to handler return, metered, batches of 16"},
               [](const Context& context) { return Signals(context, false, 1); });
  registry.Add({.name = "l1/dispatch_filtered",
                .note = "the same past a filter that compares three members"},
               [](const Context& context) { return Signals(context, true, 1); });
  registry.Add({.name = "l1/zero_tick", .note = "an unchanged value: the filter pass alone"},
               [](const Context& context) {
                 return FilterPass(context, Unchanged(&Quote::symbol, &Quote::price, &Quote::size));
               });
  registry.Add({.name = "l1/zero_tick_pushed",
                .note = "an unchanged value: pushed, bypassed, counted, batches of 16"},
               [](const Context& context) { return Signals(context, true, 0); });
  registry.Add({.name = "l1/timer", .note = "arm and cancel, among 100,000 armed"}, Timers);
  registry.Add({.name = "l1/fiber_switch", .note = "metered, 16 fibers that yield to each other"},
               [](const Context& context) { return FiberSwitches(context, kBatch); });
  registry.Add({.name = "l1/fiber_switch_pair", .note = "the same, rounds of two fibers"},
               [](const Context& context) { return FiberSwitches(context, 2); });
}

}  // namespace bitactor::bench
