// Threads on the signal queues. What must hold, whatever the schedule:
//   what was taken arrives once, whole, and in its producer's order (I2, I3, M1, M2);
//   what one batch took stands together;
//   taken and refused, as the queue counts them, are what the producers were told (M3).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "bitactor/l1_core/mpsc_signal_queue.h"
#include "bitactor/l1_core/signal_queue.h"
#include "support/seed.h"

namespace bitactor {
namespace {

// Signals a producer pushes. A queue of few slots makes every push a change of threads.
uint64_t SignalsFor(size_t capacity) {
#if defined(__SANITIZE_THREAD__)
  const int signals = 20'000;
#else
  const int signals = 1'000'000;
#endif
  return static_cast<uint64_t>(test::Rounds(capacity < 16     ? signals / 100
                                            : capacity < 1024 ? signals / 10
                                                              : signals));
}

constexpr uint64_t kProducers = 8;

struct Value {
  uint64_t producer;
  uint64_t sequence;  // of what this producer was told is taken
  uint64_t in_batch;  // place in its batch
  std::array<uint64_t, 4> filler;

  Value(uint64_t by, uint64_t number, uint64_t place)
      : producer(by), sequence(number), in_batch(place) {
    filler.fill(Mix64(producer ^ Mix64(sequence)));
  }
  bool IsWhole() const {
    return std::all_of(filler.begin(), filler.end(),
                       [&](uint64_t word) { return word == Mix64(producer ^ Mix64(sequence)); });
  }
};
static_assert(sizeof(Value) == kMaxSignalBytes);

// What a consumer has seen of all producers.
struct Oracle {
  std::array<uint64_t, kProducers> next{};
  uint64_t torn = 0, out_of_order = 0, parted = 0;
  uint64_t last_producer = 0, last_in_batch = 0;

  void See(const Signal& signal) {
    if (!signal.Holds<std::array<uint64_t, 7>>()) {
      ++torn;
      return;
    }
    Value value(0, 0, 0);
    std::memcpy(&value, signal.payload, sizeof(value));
    torn += value.IsWhole() && value.producer < kProducers && signal.kind == value.producer ? 0 : 1;
    out_of_order += value.sequence == next[value.producer % kProducers]++ ? 0 : 1;
    if (value.in_batch > 0) {
      const bool follows = last_producer == value.producer && last_in_batch + 1 == value.in_batch;
      parted += follows ? 0 : 1;
    }
    last_producer = value.producer;
    last_in_batch = value.in_batch;
  }
  void ExpectClean() const {
    EXPECT_EQ(torn, 0u);
    EXPECT_EQ(out_of_order, 0u);
    EXPECT_EQ(parted, 0u);
  }
};

// Takes everything until `done` and the queue is empty; gives back one by one or a round at a time.
template <typename Queue>
void Consume(Queue& queue, const std::atomic<bool>& done, Oracle& oracle) {
  for (uint64_t round = 0;; ++round) {
    // Before the look at the queue: what was pushed before `done` is seen.
    const bool last = done.load(std::memory_order_acquire);
    const uint64_t tail = queue.ReadTail(1 + round % 100);
    if (tail == queue.head()) {
      if (last) return;
      std::this_thread::yield();
    }
    for (uint64_t i = queue.head(); i < tail; ++i) {
      oracle.See(queue.At(i));
      if (round % 3 == 0) queue.Release(i + 1);
    }
    queue.Release(tail);
  }
}

struct Told {
  uint64_t taken = 0;
  uint64_t refused = 0;
};

// Pushes `signals` one by one, built, copied and in batches, until all are taken.
template <typename Producer>
Told Produce(Producer& producer, uint64_t number, uint64_t signals) {
  Told told;
  const auto kind = static_cast<SignalKind>(number);
  const auto tell = [&](PushResult result) {
    const bool taken = result == PushResult::kOk;
    told.taken += taken ? 1 : 0;
    told.refused += taken ? 0 : 1;
    if (!taken) std::this_thread::yield();
  };
  for (uint64_t turn = number; told.taken < signals; ++turn) {
    switch (turn % 3) {
      case 0:
        tell(producer.Emplace(kind, Value(number, told.taken, 0)));
        break;
      case 1:
        tell(producer.TryPush(Signal::Of(kind, Value(number, told.taken, 0))));
        break;
      default: {
        std::array<Signal, 7> batch;
        const size_t size = std::min<uint64_t>(1 + turn % batch.size(), signals - told.taken);
        for (size_t i = 0; i < size; ++i) {
          batch[i] = Signal::Of(kind, Value(number, told.taken + i, i));
        }
        const BatchPushResult pushed = producer.PushBatch({batch.data(), size});
        told.taken += pushed.taken;
        told.refused += size - pushed.taken;
        if (pushed.taken == 0) std::this_thread::yield();
      }
    }
  }
  return told;
}

class SignalQueueStressTest : public ::testing::TestWithParam<size_t> {};

TEST_P(SignalQueueStressTest, OneProducerLosesAndRepeatsNothing) {
  const uint64_t signals = SignalsFor(GetParam());
  SignalQueue queue(GetParam());
  Oracle oracle;
  std::atomic<bool> done{false};
  std::thread consumer([&] { Consume(queue, done, oracle); });
  const Told told = Produce(queue, 0, signals);
  done.store(true, std::memory_order_release);
  consumer.join();

  oracle.ExpectClean();
  EXPECT_EQ(oracle.next[0], signals);
  EXPECT_EQ(queue.pushed(), told.taken);
  EXPECT_EQ(queue.refused(), told.refused);
}

TEST_P(SignalQueueStressTest, EightProducersLoseAndRepeatNothing) {
  const uint64_t signals = SignalsFor(GetParam());
  MpscSignalQueue queue(GetParam(), kProducers);
  Oracle oracle;
  std::atomic<bool> done{false};
  std::array<Told, kProducers> told;
  std::thread consumer([&] { Consume(queue, done, oracle); });
  {
    std::vector<std::jthread> producers;
    for (uint64_t i = 0; i < kProducers; ++i) {
      producers.emplace_back([&, i] {
        auto producer = queue.AddProducer();
        told[i] = Produce(*producer, i, signals);
      });
    }
  }
  done.store(true, std::memory_order_release);
  consumer.join();

  oracle.ExpectClean();
  uint64_t refused = 0;
  for (uint64_t i = 0; i < kProducers; ++i) {
    EXPECT_EQ(oracle.next[i], signals) << "of producer " << i;
    refused += told[i].refused;
  }
  EXPECT_EQ(queue.pushed(), kProducers * signals);
  EXPECT_EQ(queue.refused(), refused);
}

INSTANTIATE_TEST_SUITE_P(Capacities, SignalQueueStressTest, ::testing::Values(2, 16, 1024));

// Eight threads that share three places, each for a few pushes at a time.
TEST(MpscProducerStressTest, PlacesPassFromThreadToThreadAndNoCountIsLost) {
  constexpr uint64_t kPlaces = 3;
  const uint64_t turns = SignalsFor(16);
  MpscSignalQueue queue(16, kPlaces);
  Oracle oracle;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> owners{0}, too_many{0}, taken{0}, refused{0};
  std::thread consumer([&] { Consume(queue, done, oracle); });
  {
    std::vector<std::jthread> producers;
    for (uint64_t i = 0; i < kProducers; ++i) {
      producers.emplace_back([&, i] {
        Told told;
        for (uint64_t turn = 0; turn < turns; ++turn) {
          auto producer = queue.AddProducer();
          if (!producer.ok()) {
            std::this_thread::yield();
            continue;
          }
          // Relaxed: counts, read after the join.
          const uint64_t others = owners.fetch_add(1, std::memory_order_relaxed);
          too_many.fetch_add(others >= kPlaces ? 1 : 0, std::memory_order_relaxed);
          for (int push = 0; push < 3; ++push) {
            const bool ok = producer->Emplace(static_cast<SignalKind>(i),
                                              Value(i, told.taken, 0)) == PushResult::kOk;
            told.taken += ok ? 1 : 0;
            told.refused += ok ? 0 : 1;
          }
          owners.fetch_sub(1, std::memory_order_relaxed);
        }
        taken.fetch_add(told.taken, std::memory_order_relaxed);
        refused.fetch_add(told.refused, std::memory_order_relaxed);
      });
    }
  }
  done.store(true, std::memory_order_release);
  consumer.join();

  oracle.ExpectClean();
  EXPECT_EQ(too_many.load(), 0u);
  EXPECT_EQ(queue.pushed(), taken.load());
  EXPECT_EQ(queue.refused(), refused.load());
}

}  // namespace
}  // namespace bitactor
