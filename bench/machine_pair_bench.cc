// machine/* rows that need two cores: what a cache line and a message cost between them.
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#if __has_include(<readerwriterqueue/readerwriterqueue.h>) && !defined(__SANITIZE_THREAD__)
#include <readerwriterqueue/readerwriterqueue.h>
#define BITACTOR_BENCH_HAS_READERWRITERQUEUE
#endif

#include "absl/status/status.h"
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

// A queue from one thread to another, as a program that has nothing else would use it: both ends spin.
// Frames pass by copies.
class LaneQueue {
 public:
  void Put(const Frame& frame) {
    Frame* slot;
    while ((slot = lane_.Claim()) == nullptr) {
    }
    *slot = frame;
    lane_.Advance();
    lane_.Publish();
  }
  void Take(Frame& frame) {
    while (lane_.ReadTail() == taken_) {
    }
    frame = lane_.At(taken_);
    lane_.Release(++taken_);
  }
  // Takes what is there; how many that were.
  uint64_t TakeAll(Frame& frame) {
    const uint64_t first = taken_;
    const uint64_t tail = lane_.ReadTail();
    for (; taken_ < tail; ++taken_) {
      frame = lane_.At(taken_);
      DoNotOptimize(frame);
    }
    lane_.Release(tail);
    return tail - first;
  }

 private:
  SpscLane<Frame> lane_{kLaneSlots};
  uint64_t taken_ = 0;  // the consumer's
};

#ifdef BITACTOR_BENCH_HAS_READERWRITERQUEUE
class MoodycamelQueue {
 public:
  void Put(const Frame& frame) {
    while (!queue_.try_enqueue(frame)) {
    }
  }
  void Take(Frame& frame) {
    while (!queue_.try_dequeue(frame)) {
    }
  }
  uint64_t TakeAll(Frame& frame) {
    uint64_t taken = 0;
    for (; queue_.try_dequeue(frame); ++taken) DoNotOptimize(frame);
    return taken;
  }

 private:
  moodycamel::ReaderWriterQueue<Frame> queue_{kLaneSlots};
};
#endif

template <typename Queue>
struct TwoQueues {
  Queue there;
  Queue back;
};

template <typename Queue>
Sample PassFrames(const TickClock& clock, const Pair& pair, TwoQueues<Queue>& queues,
                  uint64_t round_trips) {
  const auto partner = [&queues, round_trips] {
    Frame frame;
    for (uint64_t i = 0; i < round_trips; ++i) {
      queues.there.Take(frame);
      queues.back.Put(frame);
    }
  };
  return RunPair(pair, partner, [&] {
    LatencyHistogram latencies;
    Frame frame{};
    const uint64_t start = clock.Now();
    uint64_t before = start;
    for (uint64_t i = 0; i < round_trips; ++i) {
      frame.header.message_id = i;
      queues.there.Put(frame);
      queues.back.Take(frame);
      const uint64_t now = clock.Now();
      latencies.Record(clock.NanosIn(now - before));
      before = now;
    }
    return Latencies(clock.NanosIn(before - start), std::move(latencies));
  });
}

template <typename Queue>
Sample StreamFrames(const TickClock& clock, const Pair& pair, TwoQueues<Queue>& queues,
                    uint64_t frames) {
  const auto partner = [&queues, frames] {
    Frame frame{};
    for (uint64_t i = 0; i < frames; ++i) {
      frame.header.message_id = i;
      queues.there.Put(frame);
    }
  };
  return RunPair(pair, partner, [&] {
    Frame frame;
    const uint64_t start = clock.Now();
    for (uint64_t taken = 0; taken < frames;) taken += queues.there.TakeAll(frame);
    return MillionsPerSecond(clock.NanosIn(clock.Now() - start), frames);
  });
}

// One queue's rows: `measure` is PassFrames or StreamFrames of it.
template <typename Queue>
using Measure = Sample (*)(const TickClock&, const Pair&, TwoQueues<Queue>&, uint64_t);

template <typename Queue>
SetUp OfOne(Measure<Queue> measure) {
  return [measure](const Context& context) -> absl::StatusOr<Body> {
    const auto pair = TwoCpus();
    if (!pair.ok()) return pair.status();
    return [&clock = context.clock, pair = *pair, measure,
            queues = std::make_shared<TwoQueues<Queue>>()](
               uint64_t operations) -> absl::StatusOr<Sample> {
      return measure(clock, pair, *queues, operations);
    };
  };
}

#ifdef BITACTOR_BENCH_HAS_READERWRITERQUEUE
constexpr const char* kBetterOf = "the better of machine/lane_* and machine/readerwriterqueue_*";

SetUp OfMoodycamel(Measure<MoodycamelQueue> measure) { return OfOne(measure); }

// Each run measures both, half of the operations each.
SetUp OfBetter(Better better, Measure<LaneQueue> lane, Measure<MoodycamelQueue> moodycamel) {
  return [=](const Context& context) -> absl::StatusOr<Body> {
    const absl::StatusOr<Body> of_lane = OfOne(lane)(context);
    if (!of_lane.ok()) return of_lane.status();
    const absl::StatusOr<Body> of_moodycamel = OfOne(moodycamel)(context);
    if (!of_moodycamel.ok()) return of_moodycamel.status();
    return [=, one = *of_lane,
            other = *of_moodycamel](uint64_t operations) -> absl::StatusOr<Sample> {
      const uint64_t half = (operations + 1) / 2;
      absl::StatusOr<Sample> a = one(half);
      if (!a.ok()) return a;
      absl::StatusOr<Sample> b = other(half);
      if (!b.ok()) return b;
      const bool a_is_better = better == Better::kLower ? a->value < b->value : a->value > b->value;
      const uint64_t elapsed_ns = a->elapsed_ns + b->elapsed_ns;
      Sample sample = a_is_better ? *std::move(a) : *std::move(b);
      sample.elapsed_ns = elapsed_ns;
      return sample;
    };
  };
}
#else
constexpr const char* kBetterOf =
    "machine/lane_* alone, for this build has no machine/readerwriterqueue_*";

// Stands where the queue is not there.
using MoodycamelQueue = LaneQueue;

SetUp OfMoodycamel(Measure<MoodycamelQueue>) {
  return [](const Context&) -> absl::StatusOr<Body> {
    return absl::UnavailableError(
        "built without moodycamel's ReaderWriterQueue: install libreaderwriterqueue-dev and build "
        "again, without the thread sanitizer, which does not know its fences");
  };
}

SetUp OfBetter(Better, Measure<LaneQueue> lane, Measure<MoodycamelQueue>) { return OfOne(lane); }
#endif

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
  const auto add_trip = [&](const char* name, std::string note, SetUp set_up) {
    registry.Add({.name = name,
                  .bases = {"machine/cacheline_rtt"},
                  .operations_min = 1000,
                  .note = std::move(note)},
                 std::move(set_up));
  };
  constexpr const char* kToAndFro = "192-byte slots copied in and out, one clock read a trip";
  add_trip("machine/lane_rtt", kToAndFro, OfOne<LaneQueue>(PassFrames));
  add_trip("machine/readerwriterqueue_rtt", kToAndFro, OfMoodycamel(PassFrames));
  add_trip("machine/spsc_rtt", kBetterOf, OfBetter(Better::kLower, PassFrames, PassFrames));
  const auto add_stream = [&](const char* name, std::string note, SetUp set_up) {
    registry.Add({.name = name,
                  .unit = "M msg/s",
                  .better = Better::kHigher,
                  .operations_min = 10'000,
                  .note = std::move(note)},
                 std::move(set_up));
  };
  constexpr const char* kOneWay = "192-byte slots, a publish each, one way";
  add_stream("machine/lane_throughput", kOneWay, OfOne<LaneQueue>(StreamFrames));
  add_stream("machine/readerwriterqueue_throughput", kOneWay, OfMoodycamel(StreamFrames));
  add_stream("machine/spsc_throughput", kBetterOf,
             OfBetter(Better::kHigher, StreamFrames, StreamFrames));
}

}  // namespace bitactor::bench
