// Bad days: random, corrupted and far too many signals, many threads, little memory. What must
// hold in each: nothing crashes, every signal has one outcome, and the counters say which.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "bitactor/l1_core/engine.h"
#include "bitactor/l1_core/signal_producer.h"
#include "support/seed.h"

namespace bitactor {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr uint64_t kOperations = 20'000;
#else
constexpr uint64_t kOperations = 1'000'000;
#endif
constexpr uint64_t kThreads = 8;

enum Kind : uint16_t { kQuote = 1, kHeartbeat, kPoison };
struct Quote {
  uint64_t symbol;
  uint64_t price;
};

// What pushing was answered.
struct Answers {
  uint64_t ok = 0, full = 0, unknown_kind = 0, bad_size = 0;

  PushResult Count(PushResult result) {
    switch (result) {
      case PushResult::kOk:
        ++ok;
        break;
      case PushResult::kFull:
        ++full;
        break;
      case PushResult::kUnknownKind:
        ++unknown_kind;
        break;
      case PushResult::kBadSize:
        ++bad_size;
    }
    return result;
  }
  Answers& operator+=(const Answers& other) {
    ok += other.ok;
    full += other.full;
    unknown_kind += other.unknown_kind;
    bad_size += other.bad_size;
    return *this;
  }
  uint64_t all() const { return ok + full + unknown_kind + bad_size; }
};

// Quotes that are handled, or counted as malformed; heartbeats that are ignored; a kind whose
// handler throws; all other kinds are unknown.
struct Victim {
  explicit Victim(EngineOptions options = {}) : engine(std::move(options)) {
    engine
        .On(kQuote, [this](const Signal& signal,
                           Context&) { signal.Holds<Quote>() ? ++quotes : ++malformed; })
        .ZeroTick(Unchanged(&Quote::price));
    engine.Ignore(kHeartbeat);
    engine.On(kPoison, [](const Signal&, Context&) { throw 1; });
  }

  // Every signal that was answered is accounted for, once.
  void ExpectToAddUp(const Answers& answers) const {
    const EngineCounters sum = engine.counters();
    EXPECT_EQ(sum.pushed, answers.ok);
    EXPECT_EQ(sum.refused_full, answers.full);
    EXPECT_EQ(sum.refused_unknown_kind, answers.unknown_kind);
    EXPECT_EQ(sum.refused_bad_size, answers.bad_size);
    EXPECT_EQ(sum.pushed, sum.dispatched + sum.bypassed.total() + sum.queued);
    EXPECT_EQ(sum.dispatched, quotes + malformed + sum.faults);
  }

  Engine engine;
  uint64_t quotes = 0, malformed = 0;
};

// Of any kind, any size, any content.
Signal RandomSignal(std::mt19937_64& random) {
  std::array<uint64_t, sizeof(Signal) / sizeof(uint64_t)> words;
  for (uint64_t& word : words) word = random();
  Signal signal;
  std::memcpy(&signal, words.data(), sizeof(signal));
  if (random() % 4 != 0) signal.kind %= 4;
  if (random() % 4 != 0) signal.size_bytes = sizeof(Quote);
  return signal;
}

TEST(ChaosTest, TenThousandRandomSignals) {
  std::mt19937_64 random(test::Seed());
  Victim victim;
  Answers answers;
  const auto signals = static_cast<uint64_t>(test::Rounds(10'000));
  for (uint64_t i = 0; i < signals; ++i) {
    answers.Count(victim.engine.Push(RandomSignal(random)));
    if (random() % 2'000 == 0) victim.engine.Poll();
  }
  victim.engine.Drain();
  EXPECT_EQ(answers.all(), signals);
  EXPECT_GT(answers.unknown_kind, 0u);
  EXPECT_GT(answers.bad_size, 0u);
  EXPECT_GT(answers.full, 0u);
  EXPECT_GT(victim.engine.counters().faults, 0u);
  victim.ExpectToAddUp(answers);
}

// Every size, every value of the reserved byte, every bit of the sequence, and 256 kinds.
std::vector<Signal> CorruptedSignals() {
  std::vector<Signal> signals;
  const auto add = [&](auto corrupt) {
    Signal signal = Signal::Of(kQuote, Quote{1, signals.size()});
    corrupt(signal);
    signals.push_back(signal);
  };
  for (int i = 0; i < 256; ++i) {
    add([&](Signal& s) { s.size_bytes = static_cast<uint8_t>(i); });
    add([&](Signal& s) { s.reserved = static_cast<uint8_t>(i); });
    add([&](Signal& s) { s.kind = static_cast<SignalKind>(257 * i); });  // 0 to 65,535
  }
  for (int bit = 0; bit < 32; ++bit) add([&](Signal& s) { s.sequence ^= uint32_t{1} << bit; });
  return signals;
}

TEST(ChaosTest, EightHundredCorruptedSignals) {
  const std::vector<Signal> signals = CorruptedSignals();
  ASSERT_EQ(signals.size(), 800u);
  Victim victim;
  Answers answers;
  for (const Signal& signal : signals) answers.Count(victim.engine.Push(signal));
  victim.engine.Drain();
  EXPECT_EQ(answers.bad_size, 256u - 57u) << "sizes 57 to 255";
  EXPECT_EQ(answers.unknown_kind, 256u) << "none of these kinds is registered";
  EXPECT_EQ(victim.malformed, 56u) << "sizes 0 to 56, but for that of a quote";
  EXPECT_EQ(victim.quotes, 1u + 256u + 32u) << "what only queues use cannot do harm";
  EXPECT_EQ(answers.all(), 800u);
  victim.ExpectToAddUp(answers);

  EXPECT_EQ(victim.engine.Push(Signal::Of(kQuote, Quote{2, 1'000})), PushResult::kOk);
  EXPECT_EQ(victim.engine.Drain(), 1u) << "and the engine goes on";
}

TEST(ChaosTest, AnEngineThatIsOfferedTenTimesItsQueue) {
  Victim victim;
  Answers answers;
  for (uint64_t i = 0; i < 10'240; ++i) {
    answers.Count(victim.engine.Push(Signal::Of(kQuote, Quote{1, i})));
  }
  EXPECT_EQ(answers.ok, 1'024u);
  EXPECT_EQ(answers.full, 9'216u);
  EXPECT_EQ(victim.engine.Drain(), 1'024u);
  EXPECT_EQ(victim.quotes, 1'024u);
  victim.ExpectToAddUp(answers);
}

TEST(ChaosTest, EightProducersThatOfferTenTimesTheirQueue) {
  Victim victim({.producers = kThreads});
  std::array<Answers, kThreads> told;
  {
    std::vector<std::jthread> threads;
    for (uint64_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        auto producer = victim.engine.AddProducer();
        for (uint64_t n = 0; n < 1'280; ++n) told[i].Count(producer->Push(kQuote, Quote{1, n}));
      });
    }
  }
  Answers all;
  for (const Answers& answers : told) all += answers;
  EXPECT_EQ(all.ok, 1'024u);
  EXPECT_EQ(all.full, 9'216u);
  EXPECT_EQ(victim.engine.Drain(), 1'024u);
  victim.ExpectToAddUp(all);
}

// Eight threads that push random signals, of random priorities, at an engine that runs; each
// operation is one push. Returns what all of them were told.
Answers RunCrowd(Victim& victim, uint64_t operations) {
  std::array<Answers, kThreads> told;
  const uint64_t seed = test::Seed();
  {
    std::jthread engine_thread([&](std::stop_token stop) {
      victim.engine.Run(stop);
      victim.engine.Drain();
    });
    {
      std::vector<std::jthread> threads;
      for (uint64_t i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
          std::mt19937_64 random(seed + i);
          auto producer = victim.engine.AddProducer();
          for (uint64_t n = 0; n < operations; ++n) {
            const Signal signal = RandomSignal(random);
            const auto priority = static_cast<SignalPriority>(n % kSignalPriorities);
            if (told[i].Count(producer->Push(signal, priority)) == PushResult::kFull) {
              std::this_thread::yield();
            }
          }
        });
      }
    }
  }
  Answers all;
  for (const Answers& answers : told) all += answers;
  EXPECT_EQ(all.all(), kThreads * operations);
  victim.ExpectToAddUp(all);
  EXPECT_EQ(victim.engine.counters().queued, 0u);
  return all;
}

TEST(ChaosTest, EightThreadsTimesAMillionOperations) {
  Victim victim({.producers = kThreads});
  const Answers answers = RunCrowd(victim, kOperations);
  EXPECT_GT(answers.bad_size, 0u);
  EXPECT_GT(answers.unknown_kind, 0u);
  EXPECT_GT(victim.engine.counters().faults, 0u);
}

TEST(ChaosTest, FiftyMegabytesOfMemoryPressure) {
  Victim victim({.producers = kThreads});
  std::atomic<uint64_t> touched_bytes{0};
  {
    // In pieces, held until the end: each page is written while the engine runs.
    std::jthread pressure([&] {
      constexpr size_t kPieceBytes = 64 * 1024, kPieces = 800;
      std::vector<std::unique_ptr<uint8_t[]>> pieces;
      for (size_t i = 0; i < kPieces; ++i) {
        pieces.push_back(std::make_unique<uint8_t[]>(kPieceBytes));
        for (size_t at = 0; at < kPieceBytes; at += 4096) pieces.back()[at] = 1;
        for (size_t at = 0; at < kPieceBytes; at += 4096) {
          touched_bytes.fetch_add(pieces[(i * 7) % (i + 1)][at] * 4096u, std::memory_order_relaxed);
        }
        std::this_thread::yield();
      }
    });
    RunCrowd(victim, kOperations / 20);
  }
  EXPECT_EQ(touched_bytes.load(), 50u * 1024 * 1024);
}

}  // namespace
}  // namespace bitactor
