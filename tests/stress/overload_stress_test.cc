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

struct Traffic {
  explicit Traffic(Overload overload) {
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
  // Until `sending` is 0; the first time, until somebody was told to wait.
  void SuspendAndResume(uint64_t seed, bool until_told) {
    std::mt19937_64 random(seed);
    if (until_told) {
      EXPECT_TRUE(fabric->Suspend(store).ok());
      while (told.load() == 0) std::this_thread::yield();
    }
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
  std::atomic<uint64_t> told{0};
  // The shard's thread alone, until the fabric has stopped.
  uint64_t handled = 0;
  uint64_t out_of_order = 0;
  std::array<std::array<uint64_t, kPriorities>, kPorts> lasts{};
};

TEST(OverloadStressTest, WhoeverWaitsWhenToldLosesNothing) {
  const uint64_t seed = test::Seed();
  for (int round = 0; round < test::Rounds(3); ++round) {
    Traffic run(Overload::kRefuse);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kPorts; ++i) {
      threads.emplace_back([&run, i, seed, round] {
        std::mt19937_64 random(seed + static_cast<uint64_t>(round) * kPorts + i);
        Port port = run.fabric->OpenPort();
        // One lets Send() wait, the other asks again by itself.
        SendOptions options;
        if (i == 0) options.timeout_ns = 120'000'000'000;
        for (uint64_t n = 1; n <= kEach; ++n) {
          options.priority = static_cast<Priority>(random() % kPriorities);
          SendResult result = port.Send(run.store, Item{i, n}, options);
          for (; i != 0 && HasRoomLater(result); std::this_thread::yield()) {
            if (result == SendResult::kMailboxFull) run.told.fetch_add(1);
            result = port.Send(run.store, Item{i, n}, options);
          }
          EXPECT_EQ(result, SendResult::kOk);
        }
        run.sending.fetch_sub(1);
      });
    }
    run.SuspendAndResume(seed, /*until_told=*/true);
    threads.clear();
    run.fabric->WaitIdle();
    const FabricCounters counters = run.fabric->Counters();
    EXPECT_TRUE(counters.AddUp());
    EXPECT_EQ(counters.dead_letters_total(), 0u);
    EXPECT_GE(counters.refused[static_cast<size_t>(SendResult::kMailboxFull)], run.told.load());
    ASSERT_TRUE(run.fabric->Stop().ok());
    EXPECT_EQ(run.handled, kPorts * kEach);
    EXPECT_EQ(run.out_of_order, 0u);
  }
}

TEST(OverloadStressTest, WhatIsShedAndWhatIsHandledIsAllThatWasSent) {
  const uint64_t seed = test::Seed();
  for (const Overload overload : {Overload::kShedOldest, Overload::kShedLowestPriority}) {
    Traffic run(overload);
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
          EXPECT_EQ(result, SendResult::kOk);
        }
        run.sending.fetch_sub(1);
      });
    }
    run.SuspendAndResume(seed, /*until_told=*/false);
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
