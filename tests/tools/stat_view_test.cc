#include "cli/stat_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace bitactor::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kSecond = 1'000'000'000;

// Two shards and a port, after ten seconds; the counts that a test wants to change are its own.
FabricReading Reading(uint64_t at_ns) {
  FabricReading reading;
  reading.pid = 4711;
  reading.boot = 3;
  reading.start_ns = kSecond;
  reading.interval_ns = kSecond / 10;
  reading.totals.published_ns = at_ns;
  for (uint64_t i = 0; i < 2; ++i) {
    ShardStats shard;
    shard.counts.published_ns = at_ns;
    shard.swept_ns = at_ns;
    shard.lanes.push_back({.port = 2, .published = 0});
    reading.shards.push_back(shard);
    reading.ports.push_back({.port = i, .open = 1});
  }
  reading.ports.push_back({.port = 2, .source = 77, .open = 1});
  return reading;
}

std::string LineOf(const std::string& text, const std::string& has) {
  const size_t at = text.find(has);
  if (at == std::string::npos) return "";
  const size_t begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

TEST(StatViewTest, TheHeadlineSaysWhoAndSinceWhen) {
  FabricReading reading = Reading(11 * kSecond);
  EXPECT_THAT(StatText("run1", {reading, nullptr, 11 * kSecond}, {}),
              HasSubstr("run1: start 3, pid 4711, 2 shards; runs since 10.0 s\n"));
  reading.state = WriterState::kStopped;
  EXPECT_THAT(StatText("run1", {reading, nullptr, 11 * kSecond}, {}),
              HasSubstr("stopped after 10.0 s; these are its last numbers\n"));
  reading.state = WriterState::kGone;
  EXPECT_THAT(StatText("run1", {reading, nullptr, 11 * kSecond}, {}),
              HasSubstr("ended without Stop() after 10.0 s or later"));
}

// Of a fabric without journals every start is the first one.
TEST(StatViewTest, AStartWithMoreShardsHasNoRatesOfThese) {
  FabricReading before = Reading(10 * kSecond);
  before.shards.resize(1);
  before.shards.shrink_to_fit();
  const FabricReading now = Reading(12 * kSecond);
  const auto json = StatJson({now, &before, 12 * kSecond});
  EXPECT_EQ(json["shards"][0]["delivered_per_s"], 0.0);
  EXPECT_TRUE(json["shards"][1]["delivered_per_s"].is_null());
}

TEST(StatViewTest, RatesAreBetweenTwoReadings) {
  FabricReading before = Reading(10 * kSecond);
  FabricReading now = Reading(12 * kSecond);
  before.shards[0].counts.delivered = 100;
  now.shards[0].counts.delivered = 1'100;
  before.shards[0].mailboxes.push_back({.mailbox = 4, .endpoints = 1, .dispatched = 100});
  now.shards[0].mailboxes.push_back({.mailbox = 4, .endpoints = 1, .dispatched = 700});
  now.shards[0].mailboxes.push_back({.mailbox = 6, .endpoints = 1, .dispatched = 8});
  now.shards[1].lanes[0].published = 40;
  before.ports[2].sent = 10;
  now.ports[2].sent = 50;
  const auto json = StatJson({now, &before, 12 * kSecond});
  EXPECT_EQ(json["shards"][0]["delivered_per_s"], 500.0);
  EXPECT_EQ(json["shards"][1]["delivered_per_s"], 0.0);
  EXPECT_EQ(json["mailboxes"][0]["dispatched_per_s"], 300.0);
  EXPECT_EQ(json["mailboxes"][1]["dispatched_per_s"], 4.0);
  EXPECT_EQ(json["lanes"][1]["published_per_s"], 20.0);
  EXPECT_EQ(json["ports"][0]["sent_per_s"], 20.0);
  EXPECT_THAT(LineOf(StatText("run1", {now, &before, 12 * kSecond}, {}), " 700 "),
              HasSubstr(" 300 "));
  const auto alone = StatJson({now, nullptr, 12 * kSecond});
  EXPECT_TRUE(alone["shards"][0]["delivered_per_s"].is_null());
}

TEST(StatViewTest, ASleepingShardHasTheRateZeroAndAMovedHistoryNone) {
  FabricReading before = Reading(10 * kSecond);
  before.shards[0].counts.delivered = 100;
  before.shards[1].mailboxes.push_back({.mailbox = 1, .endpoints = 2, .dispatched = 100});
  FabricReading now = before;
  now.shards[1].swept_ns += kSecond;
  now.shards[1].mailboxes[0].dispatched = 60;
  const auto json = StatJson({now, &before, 11 * kSecond});
  EXPECT_EQ(json["shards"][0]["delivered_per_s"], 0.0);
  EXPECT_TRUE(json["mailboxes"][0]["dispatched_per_s"].is_null());
}

TEST(StatViewTest, TheOldestMessageHasAnAge) {
  FabricReading reading = Reading(10 * kSecond);
  reading.shards[0].mailboxes.push_back(
      {.mailbox = 4, .endpoints = 1, .waiting = 5, .oldest_ns = 8 * kSecond, .refused = 3});
  const StatMoment moment{reading, nullptr, 11 * kSecond};
  EXPECT_EQ(StatJson(moment)["mailboxes"][0]["oldest_age_ns"], 3 * kSecond);
  EXPECT_TRUE(StatJson(moment)["lanes"][0]["oldest_age_ns"].is_null());
  EXPECT_THAT(StatText("run1", moment, {}), HasSubstr("  3.0 s  "));
}

TEST(StatViewTest, SortsAndLimits) {
  FabricReading reading = Reading(10 * kSecond);
  auto& mailboxes = reading.shards[0].mailboxes;
  mailboxes.push_back(
      {.mailbox = 1'001, .dispatched = 9, .waiting = 1, .oldest_ns = 5, .refused = 2});
  mailboxes.push_back(
      {.mailbox = 1'002, .dispatched = 8, .waiting = 3, .oldest_ns = 9, .refused = 1});
  mailboxes.push_back(
      {.mailbox = 1'003, .dispatched = 7, .waiting = 2, .oldest_ns = 7, .refused = 3});
  const auto first = [&](StatSort sort) {
    const std::string text = StatText("run1", {reading, nullptr, 10 * kSecond}, {sort, 1});
    EXPECT_THAT(text, HasSubstr("and 2 more (--limit)\n"));
    for (const char* number : {"1001", "1002", "1003"}) {
      if (!LineOf(text, number).empty()) return std::string(number);
    }
    return std::string();
  };
  EXPECT_EQ(first(StatSort::kDepth), "1002");
  EXPECT_EQ(first(StatSort::kAge), "1001");
  EXPECT_EQ(first(StatSort::kRate), "1001") << "by total where there is no rate";
  EXPECT_EQ(first(StatSort::kRefused), "1003");
  EXPECT_THAT(StatText("run1", {reading, nullptr, 10 * kSecond}, {.limit = 0}),
              Not(HasSubstr("more (")));
}

TEST(StatViewTest, AShardSaysWhatItDoes) {
  FabricReading reading = Reading(10 * kSecond);
  reading.shards[0].awake_since_ns = 9 * kSecond;
  const auto states = [&](uint64_t now_ns) {
    const auto json = StatJson({reading, nullptr, now_ns});
    return absl::StrCat(json["shards"][0]["state"].get<std::string>(), ", ",
                        json["shards"][1]["state"].get<std::string>());
  };
  EXPECT_EQ(states(10 * kSecond), "works, asleep");
  EXPECT_FALSE(ShowsFault({reading, nullptr, 10 * kSecond}));
  EXPECT_EQ(states(15 * kSecond), "silent for 5.0 s, asleep");
  EXPECT_TRUE(ShowsFault({reading, nullptr, 15 * kSecond}));
  reading.shards[1].counts.journal_full = 1;
  EXPECT_EQ(states(10 * kSecond), "works, journal full");
  EXPECT_TRUE(ShowsFault({reading, nullptr, 10 * kSecond}));
}

TEST(StatViewTest, CausesAreNamed) {
  FabricReading reading = Reading(10 * kSecond);
  reading.totals.dead_letters[static_cast<size_t>(DeadLetterCause::kMailboxFull)] = 4;
  reading.ports[2].refused[static_cast<size_t>(SendResult::kFull)] = 12;
  reading.damages.push_back("run1/stats: bytes 0 to 64 are damaged");
  const StatMoment moment{reading, nullptr, 10 * kSecond};
  const std::string text = StatText("run1", moment, {});
  EXPECT_THAT(text, HasSubstr("dead letters: mailbox_full 4\n"));
  EXPECT_THAT(text, HasSubstr("refused sends: full 12\n"));
  EXPECT_THAT(text, HasSubstr("damaged: run1/stats: bytes 0 to 64"));
  EXPECT_EQ(StatJson(moment)["dead_letters"]["mailbox_full"], 4);
  EXPECT_EQ(StatJson(moment)["ports"][0]["refused"]["full"], 12);
  EXPECT_TRUE(ShowsFault(moment));
}

TEST(StatViewTest, DurationsAreShort) {
  EXPECT_EQ(DurationText(850'900), "850 us");
  EXPECT_EQ(DurationText(12'900'000), "12 ms");
  EXPECT_EQ(DurationText(3'470'000'000), "3.4 s");
  EXPECT_EQ(DurationText(320 * kSecond), "5 m 20 s");
  EXPECT_EQ(DurationText(11'540 * kSecond), "3 h 12 m");
  EXPECT_EQ(DurationText(188'000 * kSecond), "2 d 4 h");
}

}  // namespace
}  // namespace bitactor::cli
