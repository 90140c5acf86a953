// Real threads and a disk that loses power while they run: answers are held, shards sleep and are
// woken by cuts.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "support/seed.h"
#include "support/simulated_files.h"

namespace bitactor::test {
namespace {

constexpr uint32_t kShards = 3;
constexpr uint32_t kCallers = 2;
constexpr uint64_t kLong = 120'000'000'000;

struct Count {
  static constexpr std::string_view kTypeName = "test::Count";
  uint64_t caller;
  uint64_t number;  // 1, 2, ... of this caller at this mailbox
};

FabricOptions Options(SimulatedFiles& files) {
  FabricOptions options;
  options.shards = kShards;
  options.mailboxes = 6;
  options.lane_slots = 64;
  options.span_capacity = 64;
  options.held_answers = 4;
  options.journal_dir = "run";
  options.journal.durability = Durability::kGroup;
  options.journal.group_delay_us = 100;
  options.journal.segment_bytes = 64 << 10;
  options.journal.files = &files;
  options.journal.prepare_ahead = false;
  return options;
}

// Holds in every schedule: a call that was answered and a SendDurable() that returned OK are in what
// power losses leave later; each caller's messages are there in order, without gaps; nobody waits for
// ever; the counters add up.
TEST(DurabilityStressTest, WhatCallersWereToldSurvives) {
  SimulatedFiles files;
  auto started = Fabric::Start(Options(files));
  ASSERT_TRUE(started.ok()) << started.status();
  Fabric& fabric = **started;
  std::vector<Address> mailboxes;
  for (uint32_t i = 0; i < kShards; ++i) {
    mailboxes.push_back(
        fabric.Serve("mailbox" + std::to_string(i), [](const Message& m, Sender& out) {
          if (m.kind() == FrameKind::kCall) out.Reply(m.As<Count>());
        }));
  }
  const auto rounds = static_cast<uint64_t>(Rounds(400));
  std::array<std::atomic<uint64_t>, kCallers * kShards> told{};
  std::atomic<uint32_t> running = kCallers;
  std::vector<std::jthread> callers;
  for (uint32_t caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      Port port = fabric.OpenPort();
      std::array<uint64_t, kShards> number{};
      for (uint64_t round = 0; round < rounds; ++round) {
        const uint32_t i = static_cast<uint32_t>((round + caller) % kShards);
        port.Post(mailboxes[i], Count{caller, ++number[i]});
        const Count count{caller, ++number[i]};
        if (round % 2 == 0) {
          const auto answer = port.Call(mailboxes[i], count, kLong);
          EXPECT_TRUE(answer.ok()) << answer.status();
        } else {
          const auto place = port.SendDurable(mailboxes[i], count, kLong);
          EXPECT_TRUE(place.ok()) << place.status();
        }
        told[caller * kShards + i].store(number[i]);
      }
      running.fetch_sub(1);
    });
  }
  std::mt19937_64 random(Seed());
  const auto look = [&] {
    std::array<uint64_t, kCallers * kShards> before{};
    for (size_t i = 0; i < before.size(); ++i) before[i] = told[i].load();
    std::unique_ptr<SimulatedFiles> left = files.AfterLossOfAllUnsynced();
    std::array<uint64_t, kCallers * kShards> found{};
    FabricOptions options = Options(*left);
    options.threads = false;
    options.on_recovered = [&](const RecoveredFrame& recovered) {
      const Message message(recovered.frame);
      if (!message.Is<Count>()) return;
      const auto count = message.As<Count>();
      const auto mailbox = static_cast<uint32_t>(message.target()) - 1;  // ids count from 1
      EXPECT_EQ(count.number, ++found[count.caller * kShards + mailbox]);
    };
    auto again = Fabric::Start(std::move(options));
    ASSERT_TRUE(again.ok()) << again.status();
    for (size_t i = 0; i < before.size(); ++i) EXPECT_GE(found[i], before[i]);
  };
  while (running.load() > 0 && !testing::Test::HasFailure()) look();
  callers.clear();
  look();
  fabric.WaitIdle();
  const FabricCounters counters = fabric.Counters();
  EXPECT_TRUE(counters.AddUp());
  EXPECT_EQ(counters.delivered, 2 * rounds * kCallers);
  EXPECT_EQ(counters.queued, 0u);
  EXPECT_TRUE(fabric.Stop().ok());
}

// The disk fails under running callers: each is told, and nobody waits for ever.
TEST(DurabilityStressTest, ADiskThatFailsEndsEveryWait) {
  for (int round = 0; round < Rounds(8); ++round) {
    SimulatedFiles files;
    auto started = Fabric::Start(Options(files));
    ASSERT_TRUE(started.ok()) << started.status();
    Fabric& fabric = **started;
    const Address echo =
        fabric.Serve("echo", [](const Message& m, Sender& out) { out.Reply(m.As<Count>()); });
    files.FailSync(absl::InternalError("Input/output error"), round * 20);
    std::vector<std::jthread> callers;
    for (uint32_t caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        Port port = fabric.OpenPort();
        for (uint64_t number = 1;; ++number) {
          const auto answer = port.Call(echo, Count{caller, number}, kLong);
          if (answer.ok()) continue;
          EXPECT_NE(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
          return;
        }
      });
    }
    callers.clear();
    EXPECT_FALSE(fabric.Health().ok());
    fabric.WaitIdle();
    EXPECT_TRUE(fabric.Counters().AddUp());
    EXPECT_FALSE(fabric.Stop().ok());
  }
}

}  // namespace
}  // namespace bitactor::test
