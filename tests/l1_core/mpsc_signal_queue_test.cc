#include "bitactor/l1_core/mpsc_signal_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "support/seed.h"

namespace bitactor {
namespace {

constexpr SignalKind kPrice = 4;

std::vector<Signal> Numbers(uint32_t first, size_t count) {
  std::vector<Signal> batch;
  for (uint32_t i = 0; i < count; ++i) batch.push_back(Signal::Of(kPrice, first + i));
  return batch;
}

TEST(MpscSignalQueueTest, ProducersShareOneOrder) {
  MpscSignalQueue queue(4, 2);
  auto left = queue.AddProducer(), right = queue.AddProducer();
  ASSERT_EQ(left->Emplace(kPrice, 0), PushResult::kOk);
  ASSERT_EQ(right->TryPush(Signal::Of(kPrice, 1)), PushResult::kOk);
  ASSERT_EQ(left->Emplace(kPrice, 2), PushResult::kOk);
  ASSERT_EQ(queue.tail(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.At(static_cast<uint64_t>(i)).As<int>(), i);
}

TEST(MpscSignalQueueTest, OneProducerMoreThanDeclaredIsRefused) {
  MpscSignalQueue queue(4, 2);
  auto left = queue.AddProducer(), right = queue.AddProducer();
  const auto third = queue.AddProducer();
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(third.status().message(), testing::HasSubstr("made for 2 producers"));
  EXPECT_EQ(left->Emplace(kPrice, 1), PushResult::kOk) << "the others are not touched";
}

TEST(MpscSignalQueueTest, AProducerThatEndsMakesPlaceAndItsCountsStay) {
  MpscSignalQueue queue(2, 1);
  {
    auto first = queue.AddProducer();
    EXPECT_EQ(first->PushBatch(Numbers(0, 5)).taken, 2u);
  }
  auto second = queue.AddProducer();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->Emplace(kPrice, 1), PushResult::kFull);
  EXPECT_EQ(queue.refused(), 4u);
}

TEST(MpscSignalQueueTest, AMovedProducerKeepsItsPlace) {
  MpscSignalQueue queue(2, 1);
  std::optional<MpscSignalQueue::Producer> kept;
  {
    auto first = queue.AddProducer();
    kept.emplace(*std::move(first));
  }
  EXPECT_FALSE(queue.AddProducer().ok());
  EXPECT_EQ(kept->Emplace(kPrice, 1), PushResult::kOk);
  kept.reset();
  EXPECT_TRUE(queue.AddProducer().ok());
}

TEST(MpscSignalQueueTest, AProducerThatWasAwayForManyLapsSeesAFullQueue) {
  MpscSignalQueue queue(2, 2);
  auto busy = queue.AddProducer(), away = queue.AddProducer();
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_EQ(busy->Emplace(kPrice, i), PushResult::kOk);
    if (i < 8) queue.Release(i + 1);
  }
  EXPECT_EQ(away->Emplace(kPrice, 10), PushResult::kFull);
  queue.Release(9);
  EXPECT_EQ(away->Emplace(kPrice, 10), PushResult::kOk);
}

TEST(MpscSignalQueueTest, ABatchIsTakenAsFarAsThereIsRoom) {
  MpscSignalQueue queue(4, 1);
  auto producer = queue.AddProducer();
  const BatchPushResult pushed = producer->PushBatch(Numbers(0, 6));
  EXPECT_EQ(pushed.taken, 4u);
  EXPECT_EQ(pushed.result, PushResult::kFull);
  EXPECT_EQ(queue.refused(), 2u);
}

TEST(MpscSignalQueueTest, ABadSizeIsRefusedAndEndsABatch) {
  MpscSignalQueue queue(4, 1);
  auto producer = queue.AddProducer();
  std::vector<Signal> batch = Numbers(0, 3);
  batch[1].size_bytes = 57;
  EXPECT_EQ(producer->TryPush(batch[1]), PushResult::kBadSize);
  const BatchPushResult pushed = producer->PushBatch(batch);
  EXPECT_EQ(pushed.taken, 1u);
  EXPECT_EQ(pushed.result, PushResult::kBadSize);
  EXPECT_EQ(queue.refused_bad_size(), 2u);
  EXPECT_EQ(queue.refused(), 0u);
}

TEST(MpscSignalQueueTest, AnEmptyBatchIsTaken) {
  MpscSignalQueue queue(2, 1);
  auto producer = queue.AddProducer();
  EXPECT_EQ(producer->PushBatch({}).result, PushResult::kOk);
  EXPECT_EQ(queue.pushed(), 0u);
}

// Three producers in turn, against a queue that is trivially right.
TEST(MpscSignalQueueTest, BehavesAsAQueueUnderRandomSteps) {
  std::mt19937_64 random(test::Seed());
  for (const size_t capacity : {2u, 4u, 8u}) {
    MpscSignalQueue queue(capacity, 3);
    std::vector<MpscSignalQueue::Producer> producers;
    for (int i = 0; i < 3; ++i) producers.push_back(*queue.AddProducer());
    std::deque<uint32_t> waiting;
    uint32_t next = 0;
    uint64_t refused = 0;
    for (int step = 0; step < 30'000; ++step) {
      MpscSignalQueue::Producer& producer = producers[random() % 3];
      const size_t room = capacity - waiting.size();
      switch (random() % 4) {
        case 0: {
          ASSERT_EQ(producer.Emplace(kPrice, next), room > 0 ? PushResult::kOk : PushResult::kFull);
          if (room > 0) waiting.push_back(next++);
          refused += room > 0 ? 0 : 1;
          break;
        }
        case 1: {
          const size_t offered = random() % (capacity + 2);
          const size_t taken = std::min(room, offered);
          ASSERT_EQ(producer.PushBatch(Numbers(next, offered)).taken, taken);
          for (size_t i = 0; i < taken; ++i) waiting.push_back(next++);
          refused += offered - taken;
          break;
        }
        default:
          if (waiting.empty()) break;
          ASSERT_EQ(queue.At(queue.head()).As<uint32_t>(), waiting.front());
          queue.Release(queue.head() + 1);
          waiting.pop_front();
      }
      ASSERT_EQ(queue.tail() - queue.head(), waiting.size());
      ASSERT_EQ(queue.pushed(), next);
      ASSERT_EQ(queue.refused(), refused);
    }
  }
}

TEST(MpscSignalQueueDeathTest, ItsSizesMustBeInRange) {
  EXPECT_DEATH(MpscSignalQueue(100, 1), "check failed");
  EXPECT_DEATH(MpscSignalQueue(2, 0), "check failed");
  EXPECT_DEATH(MpscSignalQueue(2, 1025), "check failed");
}

}  // namespace
}  // namespace bitactor
