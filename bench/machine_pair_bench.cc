// machine/* rows that need two cores: what a cache line and a message cost between them.
#include <array>
#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/cpu_pair.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/placement.h"
#include "bitactor/l1_core/spsc_lane.h"

namespace bitactor::bench {
namespace {

constexpr size_t kLaneSlots = 1024;

struct alignas(kCacheLineBytes) Line {
  // Written by both in turn: odd values by the main thread, even ones by its partner.
  std::atomic<uint64_t> turn{0};
};

Sample PassLine(const TickClock& clock, const Pair& pair, Line& line, uint64_t round_trips) {
  // Relaxed: nobody is at the line yet, and the partner's thread starts after it.
  line.turn.store(0, std::memory_order_relaxed);
  const auto partner = [&line, round_trips] {
    for (uint64_t i = 0; i < round_trips; ++i) {
      // SYNC(line-turn): acquire and release as a message would, though the line is all there is.
      while (line.turn.load(std::memory_order_acquire) != 2 * i + 1) {
      }
      line.turn.store(2 * i + 2, std::memory_order_release);
    }
  };
  return RunPair(pair, partner, [&] {
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < round_trips; ++i) {
      // SYNC(line-turn)
      line.turn.store(2 * i + 1, std::memory_order_release);
      while (line.turn.load(std::memory_order_acquire) != 2 * i + 2) {
      }
    }
    return NsPerOperation(clock.NanosIn(clock.Now() - start), round_trips);
  });
}

absl::StatusOr<Body> CacheLineRoundTrip(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&clock = context.clock, pair = *pair,
          line = std::make_shared<Line>()](uint64_t operations) -> absl::StatusOr<Sample> {
    return PassLine(clock, pair, *line, operations);
  };
}

// As PassLine, but each way over a line of its own, which only its sender writes. A line that comes
// with the other's turn need not be asked for; these two must be, before each write. So it is with
// any two queues.
Sample PassTwoLines(const TickClock& clock, const Pair& pair, Line& there, Line& back,
                    uint64_t round_trips) {
  // Relaxed: nobody is at the lines yet, and the partner's thread starts after it.
  there.turn.store(0, std::memory_order_relaxed);
  back.turn.store(0, std::memory_order_relaxed);
  const auto partner = [&there, &back, round_trips] {
    for (uint64_t i = 1; i <= round_trips; ++i) {
      // SYNC(line-turn)
      while (there.turn.load(std::memory_order_acquire) != i) {
      }
      back.turn.store(i, std::memory_order_release);
    }
  };
  return RunPair(pair, partner, [&] {
    const uint64_t start = clock.Now();
    for (uint64_t i = 1; i <= round_trips; ++i) {
      // SYNC(line-turn)
      there.turn.store(i, std::memory_order_release);
      while (back.turn.load(std::memory_order_acquire) != i) {
      }
    }
    return NsPerOperation(clock.NanosIn(clock.Now() - start), round_trips);
  });
}

absl::StatusOr<Body> TwoLinesRoundTrip(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  // Not neighbours, which some processors fetch together.
  return [&clock = context.clock, pair = *pair, lines = std::make_shared<std::array<Line, 4>>()](
             uint64_t operations) -> absl::StatusOr<Sample> {
    return PassTwoLines(clock, pair, lines->front(), lines->back(), operations);
  };
}

// Spins until the lane has a free slot, fills it with `frame` and shows it.
void Put(SpscLane<Frame>& lane, const Frame& frame) {
  Frame* slot;
  while ((slot = lane.Claim()) == nullptr) {
  }
  *slot = frame;
  lane.Advance();
  lane.Publish();
}

// Spins until there is something at `index`, copies it and gives its slot back.
void Take(SpscLane<Frame>& lane, uint64_t index, Frame& frame) {
  while (lane.ReadTail() == index) {
  }
  frame = lane.At(index);
  lane.Release(index + 1);
}

struct Lanes {
  SpscLane<Frame> there{kLaneSlots};
  SpscLane<Frame> back{kLaneSlots};
  // Slots passed in earlier runs, the same in each lane that is used: they go on from there. Only
  // the main thread touches it, and never while it measures.
  uint64_t passed = 0;
};

Sample PassFrames(const TickClock& clock, const Pair& pair, Lanes& lanes, uint64_t round_trips) {
  const uint64_t first = lanes.passed;
  lanes.passed += round_trips;
  const auto partner = [&lanes, first, round_trips] {
    Frame frame;
    for (uint64_t i = first; i < first + round_trips; ++i) {
      Take(lanes.there, i, frame);
      Put(lanes.back, frame);
    }
  };
  return RunPair(pair, partner, [&] {
    LatencyHistogram latencies;
    Frame frame{};
    const uint64_t start = clock.Now();
    uint64_t before = start;
    for (uint64_t i = first; i < first + round_trips; ++i) {
      frame.header.message_id = i;
      Put(lanes.there, frame);
      Take(lanes.back, i, frame);
      const uint64_t now = clock.Now();
      latencies.Record(clock.NanosIn(now - before));
      before = now;
    }
    return Latencies(clock.NanosIn(before - start), std::move(latencies));
  });
}

absl::StatusOr<Body> LaneRoundTrip(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&clock = context.clock, pair = *pair,
          lanes = std::make_shared<Lanes>()](uint64_t operations) -> absl::StatusOr<Sample> {
    return PassFrames(clock, pair, *lanes, operations);
  };
}

Sample StreamFrames(const TickClock& clock, const Pair& pair, Lanes& lanes, uint64_t frames) {
  SpscLane<Frame>& lane = lanes.there;
  const uint64_t first = lanes.passed;
  lanes.passed += frames;
  const auto partner = [&lane, frames] {
    Frame frame{};
    for (uint64_t i = 0; i < frames; ++i) {
      frame.header.message_id = i;
      Put(lane, frame);
    }
  };
  return RunPair(pair, partner, [&] {
    Frame frame;
    const uint64_t start = clock.Now();
    for (uint64_t index = first; index < first + frames;) {
      const uint64_t tail = lane.ReadTail();
      for (; index < tail; ++index) {
        frame = lane.At(index);
        DoNotOptimize(frame);
      }
      lane.Release(tail);
    }
    return MillionsPerSecond(clock.NanosIn(clock.Now() - start), frames);
  });
}

absl::StatusOr<Body> LaneThroughput(const Context& context) {
  const auto pair = TwoCpus();
  if (!pair.ok()) return pair.status();
  return [&clock = context.clock, pair = *pair,
          lanes = std::make_shared<Lanes>()](uint64_t operations) -> absl::StatusOr<Sample> {
    return StreamFrames(clock, pair, *lanes, operations);
  };
}

}  // namespace

void RegisterMachinePairRows(Registry& registry) {
  registry.Add({.name = "machine/cacheline_rtt",
                .operations_min = 1000,
                .note = "one line, two pinned spinning threads"},
               CacheLineRoundTrip);
  registry.Add({.name = "machine/two_lines_rtt",
                .bases = {"machine/cacheline_rtt"},
                .operations_min = 1000,
                .note = "a line for each way: the least that two queues can take"},
               TwoLinesRoundTrip);
  registry.Add({.name = "machine/spsc_rtt",
                .bases = {"machine/cacheline_rtt"},
                .operations_min = 1000,
                .note = "192-byte slots copied in and out, one clock read a trip"},
               LaneRoundTrip);
  registry.Add({.name = "machine/spsc_throughput",
                .unit = "M msg/s",
                .better = Better::kHigher,
                .operations_min = 10'000,
                .note = "192-byte slots, a publish each, one way"},
               LaneThroughput);
}

}  // namespace bitactor::bench
