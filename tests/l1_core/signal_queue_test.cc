#include "bitactor/l1_core/signal_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

constexpr SignalKind kPrice = 4;

TEST(SignalQueueTest, FirstInFirstOut) {
  SignalQueue queue(4);
  for (uint32_t i = 0; i < 3; ++i) ASSERT_EQ(queue.Emplace(kPrice, i), PushResult::kOk);
  ASSERT_EQ(queue.tail(), 3u);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(queue.At(i).As<uint32_t>(), i);
}

TEST(SignalQueueTest, AFullQueueRefusesAndCounts) {
  SignalQueue queue(2);
  EXPECT_EQ(queue.TryPush(Signal::Of(kPrice)), PushResult::kOk);
  EXPECT_EQ(queue.TryPush(Signal::Of(kPrice)), PushResult::kOk);
  EXPECT_EQ(queue.TryPush(Signal::Of(kPrice)), PushResult::kFull);
  EXPECT_EQ(queue.Emplace(kPrice, 1), PushResult::kFull);
  EXPECT_EQ(queue.refused(), 2u);
  EXPECT_EQ(queue.pushed(), 2u);
  EXPECT_EQ(queue.tail(), 2u) << "what is refused was never queued";
}

TEST(SignalQueueTest, AReleaseMakesRoom) {
  SignalQueue queue(2);
  queue.TryPush(Signal::Of(kPrice));
  queue.TryPush(Signal::Of(kPrice));
  queue.Release(1);
  EXPECT_EQ(queue.TryPush(Signal::Of(kPrice)), PushResult::kOk);
}

TEST(SignalQueueTest, Holds1024UnlessTold) { EXPECT_EQ(SignalQueue().capacity(), 1024u); }

TEST(SignalQueueTest, ASignalThatClaimsMoreThan56BytesIsRefused) {
  SignalQueue queue(2);
  Signal signal = Signal::Of(kPrice, 1);
  signal.size_bytes = 57;
  EXPECT_EQ(queue.TryPush(signal), PushResult::kBadSize);
  EXPECT_EQ(queue.refused_bad_size(), 1u);
  EXPECT_TRUE(queue.empty());
}

TEST(SignalQueueTest, WhatStandsInTheFieldsOfTheQueueIsNotCarried) {
  SignalQueue queue(2);
  Signal signal = Signal::Of(kPrice, 1);
  signal.reserved = 0xFF;
  signal.sequence = 2;  // the mark of the slot after
  ASSERT_EQ(queue.TryPush(signal), PushResult::kOk);
  EXPECT_EQ(queue.tail(), 1u);
  EXPECT_EQ(queue.At(0).reserved, 0);
}

TEST(SignalQueueTest, ABuiltSignalIsTheCopiedOne) {
  SignalQueue queue(4);
  std::array<uint8_t, kMaxSignalBytes> noise;
  noise.fill(0xAB);
  for (int i = 0; i < 4; ++i) queue.Emplace(kPrice, noise);
  queue.Release(4);
  queue.Emplace(kPrice, uint16_t{7});
  queue.TryPush(Signal::Of(kPrice, uint16_t{7}));
  EXPECT_EQ(queue.At(4).kind, queue.At(5).kind);
  EXPECT_EQ(queue.At(4).size_bytes, queue.At(5).size_bytes);
  EXPECT_EQ(std::memcmp(queue.At(4).payload, queue.At(5).payload, kMaxSignalBytes), 0)
      << "nothing of what lay there before is left";
}

TEST(SignalQueueTest, ABatchIsTakenAsFarAsThereIsRoom) {
  SignalQueue queue(4);
  std::vector<Signal> batch;
  for (uint32_t i = 0; i < 6; ++i) batch.push_back(Signal::Of(kPrice, i));
  const BatchPushResult pushed = queue.PushBatch(batch);
  EXPECT_EQ(pushed.taken, 4u);
  EXPECT_EQ(pushed.result, PushResult::kFull);
  EXPECT_EQ(queue.refused(), 2u);
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(queue.At(i).As<uint32_t>(), i);
}

TEST(SignalQueueTest, ABatchEndsBeforeABadSize) {
  SignalQueue queue(4);
  std::vector<Signal> batch(3, Signal::Of(kPrice));
  batch[1].size_bytes = 255;
  const BatchPushResult pushed = queue.PushBatch(batch);
  EXPECT_EQ(pushed.taken, 1u);
  EXPECT_EQ(pushed.result, PushResult::kBadSize);
  EXPECT_EQ(queue.refused_bad_size(), 1u);
  EXPECT_EQ(queue.refused(), 0u);
}

TEST(SignalQueueTest, ATailLooksNoFurtherThanItIsTold) {
  SignalQueue queue(8);
  for (int i = 0; i < 5; ++i) queue.Emplace(kPrice, i);
  EXPECT_EQ(queue.ReadTail(3), 3u);
  queue.Release(3);
  EXPECT_EQ(queue.ReadTail(3), 5u);
}

// Invariants of SignalRing and first-in-first-out, against a queue that is trivially right.
TEST(SignalQueueTest, BehavesAsAQueueUnderRandomSteps) {
  std::mt19937_64 random(test::Seed());
  for (const size_t capacity : {2u, 4u, 8u}) {
    SignalQueue queue(capacity);
    std::deque<uint64_t> waiting;
    uint64_t next = 0, refused = 0;
    for (int step = 0; step < 20'000; ++step) {
      switch (random() % 3) {
        case 0: {
          const bool room = waiting.size() < capacity;
          ASSERT_EQ(queue.Emplace(kPrice, next), room ? PushResult::kOk : PushResult::kFull);
          if (room) waiting.push_back(next++);
          refused += room ? 0 : 1;
          break;
        }
        case 1: {
          std::vector<Signal> batch;
          const size_t room = capacity - waiting.size();
          const size_t offered = random() % (capacity + 2);
          for (size_t i = 0; i < offered; ++i) batch.push_back(Signal::Of(kPrice, next + i));
          const size_t taken = std::min(room, offered);
          ASSERT_EQ(queue.PushBatch(batch).taken, taken);
          for (size_t i = 0; i < taken; ++i) waiting.push_back(next++);
          refused += offered - taken;
          break;
        }
        default:
          if (waiting.empty()) break;
          ASSERT_EQ(queue.At(queue.head()).As<uint64_t>(), waiting.front());
          queue.Release(queue.head() + 1);
          waiting.pop_front();
      }
      ASSERT_EQ(queue.tail() - queue.head(), waiting.size());
      ASSERT_EQ(queue.empty(), waiting.empty());
      ASSERT_EQ(queue.pushed(), next);
      ASSERT_EQ(queue.refused(), refused);
    }
  }
}

TEST(SignalQueueDeathTest, CapacityMustBeAPowerOfTwo) {
  EXPECT_DEATH(SignalQueue(100), "check failed");
  EXPECT_DEATH(SignalQueue(1), "check failed");
}

}  // namespace
}  // namespace bitactor
