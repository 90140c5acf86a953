// What others read of a fabric while it works is never torn and never goes back.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "bitactor/l2_mailbox/stats_section.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using internal::ReadStatsCopy;
using internal::StatsCopyState;
using internal::StatsPlace;
using internal::StatsSection;

// All words of a publication are its number.
TEST(StatsSectionStressTest, AReaderSeesWholePublicationsOnly) {
  constexpr uint64_t kPublications = 200'000;
  constexpr size_t kWords = 24;
  const StatsPlace place{0, kWords, 3};
  std::vector<uint64_t> file(place.end_words());
  std::atomic<bool> ended{false};
  std::jthread writer([&] {
    StatsSection section(file.data(), place);
    for (uint64_t n = 1; n <= kPublications; ++n) {
      section.Begin();
      for (size_t i = 0; i < kWords / 4; ++i) section.Put(std::array<uint64_t, 4>{n, n, n, n});
      section.End();
    }
    ended.store(true, std::memory_order_release);
  });
  std::vector<uint64_t> payload;
  std::array<uint64_t, 2> last{};
  uint64_t whole = 0;
  for (bool more = true; more;) {
    more = !ended.load(std::memory_order_acquire);
    for (const uint64_t copy : {0, 1}) {
      const StatsCopyState state = ReadStatsCopy(file.data() + place.copy_at(copy), place, payload);
      ASSERT_NE(state, StatsCopyState::kDamaged);
      if (state != StatsCopyState::kWhole) continue;
      ++whole;
      ASSERT_EQ(payload.size(), kWords);
      ASSERT_EQ(std::count(payload.begin(), payload.end(), payload[0]), kWords);
      ASSERT_GE(payload[0], last[copy]);
      last[copy] = payload[0];
    }
  }
  writer.join();
  EXPECT_EQ(std::max(last[0], last[1]), kPublications);
  EXPECT_GE(whole, 2u);
}

struct Hop {
  static constexpr std::string_view kTypeName = "test::Hop";
  uint64_t left;
};

TEST(FabricStatsStressTest, AReaderOfABusyFabricSeesNumbersThatRise) {
  constexpr int kMessages = 20'000;
  const test::TempDir dir;
  FabricOptions options;
  options.shards = 2;
  options.lane_slots = 64;
  options.mailboxes = 8;
  options.stats_file = dir.File("stats");
  options.stats_interval_ns = 1'000'000;
  auto fabric = Fabric::Start(options).value();
  std::vector<Address> nodes(4);
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[i] = fabric->Serve("node" + std::to_string(i), [&, i](const Message& m, Sender& out) {
      const uint64_t left = m.As<Hop>().left;
      if (left > 0) out.Send(nodes[(i + left) % nodes.size()], Hop{left - 1});
    });
  }
  std::atomic<bool> ended{false};
  uint64_t readings = 0;
  std::jthread reader([&] {
    FabricCounters before;
    for (bool more = true; more;) {
      more = !ended.load(std::memory_order_acquire);
      const absl::StatusOr<FabricReading> reading =
          ReadFabricStats(PosixFiles(), options.stats_file);
      ASSERT_TRUE(reading.ok()) << reading.status();
      ASSERT_TRUE(reading->damages.empty()) << reading->damages[0];
      const FabricCounters counters = reading->Counters();
      ASSERT_GE(counters.sent, before.sent);
      ASSERT_GE(counters.delivered, before.delivered);
      before = counters;
      ++readings;
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> senders;
  for (int s = 0; s < 2; ++s) {
    senders.emplace_back([&, s] {
      Port port = fabric->OpenPort();
      for (int i = 0; i < kMessages; ++i) {
        while (port.Send(nodes[(i + s) % nodes.size()], Hop{3}) == SendResult::kFull) {
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  fabric->WaitIdle();
  ended.store(true, std::memory_order_release);
  reader.join();
  EXPECT_GT(readings, 0u);
  ASSERT_TRUE(fabric->Stop().ok());
  const FabricReading last = ReadFabricStats(PosixFiles(), options.stats_file).value();
  const FabricCounters counted = fabric->Counters();
  EXPECT_TRUE(counted.AddUp());
  EXPECT_TRUE(last.Counters().AddUp());
  EXPECT_EQ(last.Counters().delivered, 2u * kMessages * 4);
  EXPECT_EQ(last.Counters().sent, counted.sent);
  EXPECT_EQ(last.Counters().refused, counted.refused);
}

}  // namespace
}  // namespace bitactor
