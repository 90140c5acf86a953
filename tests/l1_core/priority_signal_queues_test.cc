#include "bitactor/l1_core/priority_signal_queues.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "bitactor/l1_core/mpsc_signal_queue.h"
#include "bitactor/l1_core/signal_queue.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using enum SignalPriority;

using Queues = PrioritySignalQueues<SignalQueue>;
constexpr std::array kAll = {kNormal, kRaised, kHigh, kUrgent};

void Push(Queues& queues, SignalPriority priority, uint64_t number) {
  ASSERT_EQ(queues.At(priority).Emplace(static_cast<SignalKind>(priority), number),
            PushResult::kOk);
}

// The numbers of one round.
std::vector<uint64_t> Round(Queues& queues, size_t limit) {
  std::vector<uint64_t> numbers;
  queues.BeginRound(limit);
  while (const Signal* signal = queues.Next()) numbers.push_back(signal->As<uint64_t>());
  return numbers;
}

TEST(PrioritySignalQueuesTest, TheHighestPriorityComesFirst) {
  Queues queues(size_t{8});
  for (const SignalPriority priority : kAll)
    Push(queues, priority, static_cast<uint64_t>(priority));
  EXPECT_THAT(Round(queues, 100), ElementsAre(3, 2, 1, 0));
  EXPECT_TRUE(queues.empty());
}

TEST(PrioritySignalQueuesTest, FirstInFirstOutWithinAPriority) {
  Queues queues(size_t{8});
  for (uint64_t i = 0; i < 5; ++i) Push(queues, kHigh, i);
  EXPECT_THAT(Round(queues, 100), ElementsAre(0, 1, 2, 3, 4));
}

TEST(PrioritySignalQueuesTest, EveryEighthTurnIsOfferedToALowerPriority) {
  Queues queues(size_t{64});
  for (int i = 0; i < 40; ++i) {
    for (const SignalPriority priority : kAll) {
      Push(queues, priority, static_cast<uint64_t>(priority));
    }
  }
  std::vector<uint64_t> expected(24, 3);
  expected[7] = 0;
  expected[15] = 1;
  expected[23] = 2;
  EXPECT_THAT(Round(queues, 24), ElementsAreArray(expected));
}

TEST(PrioritySignalQueuesTest, AnOfferThatNobodyTakesIsATurnLikeTheOthers) {
  Queues queues(size_t{16});
  for (uint64_t i = 0; i < 10; ++i) Push(queues, kUrgent, i);
  EXPECT_THAT(Round(queues, 100), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(PrioritySignalQueuesTest, WhatComesDuringARoundWaitsForTheNext) {
  Queues queues(size_t{8});
  Push(queues, kNormal, 0);
  Push(queues, kNormal, 1);
  EXPECT_EQ(queues.BeginRound(100), 2u);
  EXPECT_EQ(queues.Next()->As<uint64_t>(), 0u);
  Push(queues, kUrgent, 2);
  EXPECT_EQ(queues.Next()->As<uint64_t>(), 1u);
  EXPECT_EQ(queues.Next(), nullptr);
  EXPECT_THAT(Round(queues, 100), ElementsAre(2));
}

TEST(PrioritySignalQueuesTest, ARoundIsBoundedAndLosesNothing) {
  Queues queues(size_t{8});
  for (uint64_t i = 0; i < 5; ++i) Push(queues, kNormal, i);
  EXPECT_THAT(Round(queues, 3), ElementsAre(0, 1, 2));
  queues.BeginRound(100);
  EXPECT_EQ(queues.Next()->As<uint64_t>(), 3u);
  EXPECT_THAT(Round(queues, 100), ElementsAre(4)) << "the round before was left unfinished";
}

TEST(PrioritySignalQueuesTest, ASignalIsItsCallersUntilTheNextCall) {
  Queues queues(size_t{2});
  Push(queues, kNormal, 0);
  Push(queues, kNormal, 1);
  queues.BeginRound(2);
  ASSERT_NE(queues.Next(), nullptr);
  EXPECT_EQ(queues.At(kNormal).Emplace(0, uint64_t{2}), PushResult::kFull);
  ASSERT_NE(queues.Next(), nullptr);
  EXPECT_EQ(queues.At(kNormal).Emplace(0, uint64_t{2}), PushResult::kOk);
}

TEST(PrioritySignalQueuesTest, TakesFromQueuesOfManyProducers) {
  PrioritySignalQueues<MpscSignalQueue> queues(size_t{4}, size_t{2});
  auto urgent = queues.At(kUrgent).AddProducer();
  auto normal = queues.At(kNormal).AddProducer();
  ASSERT_EQ(normal->Emplace(0, 0), PushResult::kOk);
  ASSERT_EQ(urgent->Emplace(0, 3), PushResult::kOk);
  EXPECT_EQ(queues.BeginRound(10), 2u);
  EXPECT_EQ(queues.Next()->As<int>(), 3);
  EXPECT_EQ(queues.Next()->As<int>(), 0);
}

// Under random traffic that keeps the higher priorities busy: each priority comes in order, nothing
// is lost, and a signal behind n of its own is taken after at most 24 n + 23 others.
TEST(PrioritySignalQueuesTest, NoSignalWaitsLongerThanTheBound) {
  std::mt19937_64 random(test::Seed());
  struct Waiting {
    uint64_t number;
    size_t ahead;    // of its own priority, when its first round began
    uint64_t turns;  // taken in all, then
    bool seen_by_a_round;
  };
  for (int trial = 0; trial < test::Rounds(50); ++trial) {
    Queues queues(size_t{32});
    std::array<std::deque<Waiting>, kSignalPriorities> waiting;
    uint64_t next = 0, turns = 0, longest = 0;
    const uint64_t low_share = 1 + random() % 20;  // how rare the lower priorities are
    for (int step = 0; step < 400; ++step) {
      for (uint64_t pushes = random() % 40; pushes > 0; --pushes) {
        const size_t level = random() % low_share == 0 ? random() % 4 : 3;
        if (queues.At(kAll[level]).Emplace(0, next) != PushResult::kOk) continue;
        waiting[level].push_back({next++, 0, 0, false});
      }
      queues.BeginRound(1 + random() % 40);
      for (auto& level : waiting) {
        for (size_t i = 0; i < level.size(); ++i) {
          if (!level[i].seen_by_a_round) level[i] = {level[i].number, i, turns, true};
        }
      }
      while (const Signal* signal = queues.Next()) {
        const uint64_t number = signal->As<uint64_t>();
        size_t level = 0;
        while (waiting[level].empty() || waiting[level].front().number != number) {
          ASSERT_LT(++level, kSignalPriorities) << "out of order, or never pushed";
        }
        const Waiting taken = waiting[level].front();
        waiting[level].pop_front();
        ASSERT_LT(turns - taken.turns, Queues::kMaxTurnsToFirst * (taken.ahead + 1));
        longest = std::max(longest, turns++ - taken.turns);
        if (random() % 50 == 0) break;  // and leave the round unfinished
      }
    }
    while (!queues.empty()) turns += Round(queues, 100).size();
    ASSERT_GT(longest, 0u);
    ASSERT_EQ(turns, next);
  }
}

}  // namespace
}  // namespace bitactor
