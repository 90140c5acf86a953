// Threads that send to mailboxes that are suspended and resumed all the time.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"

namespace bitactor {
namespace {

struct Item {
  static constexpr std::string_view kTypeName = "test::OverloadItem";
  uint64_t port;
  uint64_t number;
};

constexpr size_t kPorts = 2;
constexpr size_t kLaneSlots = 16;
constexpr uint64_t kEach = 20'000;

// Half of the capacity takes what the ports have in their lanes, so whoever waits loses nothing.
constexpr uint32_t kCapacity = 2 * kPorts * kLaneSlots;

struct Run {
  explicit Run(Overload overload) {
    FabricOptions options;
    options.shards = 2;
    options.lane_slots = kLaneSlots;
    options.span_capacity = 64;
    fabric = Fabric::Start(options).value();
    store = fabric->Serve("store",
                          [this](const Message& m, Sender&) {
                            const Item item = m.As<Item>();
                            ++handled;
                            auto& last = lasts[item.port][static_cast<size_t>(m.priority())];
                            out_of_order += item.number <= last;
                            last = item.number;
                          },
                          {.capacity_frames = kCapacity, .overload = overload});
  }
  // Until `sending` is 0.
  void SuspendAndResume(uint64_t seed) {
    std::mt19937_64 random(seed);
    while (sending.load() != 0) {
      EXPECT_TRUE(fabric->Suspend(store).ok());
      for (uint64_t i = random() % 64; i > 0; --i) std::this_thread::yield();
      EXPECT_TRUE(fabric->Resume(store).ok());
      for (uint64_t i = random() % 8; i > 0; --i) std::this_thread::yield();
    }
  }

  std::unique_ptr<Fabric> fabric;
  Address store;
  std::atomic<size_t> sending{kPorts};
  // The shard's thread alone, until the fabric has stopped.
  uint64_t handled = 0;
  uint64_t out_of_order = 0;
  std::array<std::array<uint64_t, kPriorities>, kPorts> lasts{};
};

TEST(OverloadStressTest, WhoeverWaitsWhenToldLosesNothing) {
  const uint64_t seed = test::Seed();
  uint64_t told = 0;
  for (int round = 0; round < test::Rounds(3); ++round) {
    Run run(Overload::kRefuse);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kPorts; ++i) {
      threads.emplace_back([&run, i, seed, round] {
        std::mt19937_64 random(seed + static_cast<uint64_t>(round) * kPorts + i);
        Port port = run.fabric->OpenPort();
        for (uint64_t n = 1; n <= kEach; ++n) {
          const SendOptions options = {.priority = static_cast<Priority>(random() % kPriorities),
                                       .timeout_ns = 120'000'000'000};
          ASSERT_EQ(port.Send(run.store, Item{i, n}, options), SendResult::kOk);
        }
        run.sending.fetch_sub(1);
      });
    }
    run.SuspendAndResume(seed);
    threads.clear();
    run.fabric->WaitIdle();
    const FabricCounters counters = run.fabric->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.dead_letters_total(), 0u);
    told += counters.refused[static_cast<size_t>(SendResult::kMailboxFull)];
    ASSERT_TRUE(run.fabric->Stop().ok());
    EXPECT_EQ(run.handled, kPorts * kEach);
    EXPECT_EQ(run.out_of_order, 0u);
  }
  EXPECT_GT(told, 0u);
}

TEST(OverloadStressTest, WhatIsShedAndWhatIsHandledIsAllThatWasSent) {
  const uint64_t seed = test::Seed();
  for (const Overload overload : {Overload::kShedOldest, Overload::kShedLowestPriority}) {
    Run run(overload);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kPorts; ++i) {
      threads.emplace_back([&run, i, seed] {
        std::mt19937_64 random(seed + i);
        Port port = run.fabric->OpenPort();
        for (uint64_t n = 1; n <= kEach; ++n) {
          const auto priority = static_cast<Priority>(random() % kPriorities);
          SendResult result = SendResult::kFull;
          while ((result = port.Send(run.store, Item{i, n}, {.priority = priority})) ==
                 SendResult::kFull) {
            std::this_thread::yield();
          }
          ASSERT_EQ(result, SendResult::kOk);
        }
        run.sending.fetch_sub(1);
      });
    }
    run.SuspendAndResume(seed);
    threads.clear();
    run.fabric->WaitIdle();
    const FabricCounters counters = run.fabric->Counters();
    EXPECT_TRUE(counters.AddUp());
    const uint64_t shed = counters.dead_letters[static_cast<size_t>(DeadLetterCause::kShed)];
    EXPECT_EQ(counters.dead_letters_total(), shed);
    EXPECT_GT(shed, 0u);
    ASSERT_TRUE(run.fabric->Stop().ok());
    EXPECT_EQ(run.handled + shed, kPorts * kEach);
    EXPECT_EQ(run.out_of_order, 0u);
  }
}

}  // namespace
}  // namespace bitactor
