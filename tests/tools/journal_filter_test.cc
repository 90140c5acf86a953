#include "cli/journal_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "market/stage_messages.h"

namespace bitactor::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kNowNs = 1'767'323'045'000'000'000;  // 2026-01-02 03:04:05 UTC

absl::StatusOr<uint32_t> KnownActor(const std::string& name) {
  if (name == "book/AAPL") return 7;
  return absl::NotFoundError("no actor has this name");
}

absl::StatusOr<RecordFilter> Parse(const FilterArguments& arguments) {
  return ParseFilter(arguments, kNowNs, &KnownActor);
}

void ExpectRefused(const FilterArguments& arguments, const std::string& begins,
                   const std::string& says) {
  const absl::StatusOr<RecordFilter> filter = Parse(arguments);
  ASSERT_FALSE(filter.ok()) << begins;
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(filter.status().message()),
              AllOf(::testing::StartsWith(begins), HasSubstr(says)));
}

TEST(JournalFilterTest, TimesAreDatesDurationsBeforeNowOrStamps) {
  const std::vector<std::pair<std::string, uint64_t>> kTimes = {
      {"2026-01-02", kNowNs - (3 * 3600 + 4 * 60 + 5) * uint64_t{1'000'000'000}},
      {"2026-01-02T03:04", kNowNs - 5'000'000'000},
      {"2026-01-02T03:04:05", kNowNs},
      {"2026-01-02T03:04:05Z", kNowNs},
      {"2026-01-02T03:04:05.000000007Z", kNowNs + 7},
      {"2026-01-02T03:04:05.25", kNowNs + 250'000'000},
      {"2026-01-02T04:04:05+01:00", kNowNs},
      {"-5m", kNowNs - 300'000'000'000},
      {"-1h30m", kNowNs - 5'400'000'000'000},
      {"-0", kNowNs},
      {"-9000000h", 0},  // before 1970 there is nothing to leave out
      {"1767323045000000123", kNowNs + 123},
      {TimeText(kNowNs + 42), kNowNs + 42},
  };
  for (const auto& [text, stamp_ns] : kTimes) {
    const absl::StatusOr<RecordFilter> since = Parse({.since = text});
    ASSERT_TRUE(since.ok()) << since.status();
    EXPECT_EQ(since->since_ns, stamp_ns) << text;
    if (stamp_ns == 0) continue;  // nothing is before it
    const absl::StatusOr<RecordFilter> until = Parse({.until = text});
    ASSERT_TRUE(until.ok()) << until.status();
    EXPECT_EQ(until->until_ns, stamp_ns) << text;
  }
}

TEST(JournalFilterTest, OtherTimesAreRefusedWithTheOptionAndWhatItTakes) {
  for (const char* text : {"yesterday", "2026", "20260102", "176732304500000000", "-", "-5", "-5 m",
                           "-5x", "--5m", "2026-13-01", "2026-01-02T25:00", "2026-01-02 03:04",
                           "1950-01-01", "2500-01-01", "5m", "-2d"}) {
    ExpectRefused({.since = text}, absl::StrCat("--since ", text, ": "), "-5m");
    ExpectRefused({.until = text}, absl::StrCat("--until ", text, ": "), "2026-11-21");
  }
}

TEST(JournalFilterTest, APositionMayNameItsShard) {
  absl::StatusOr<RecordFilter> filter = Parse({.from = "4711", .to = "5000"});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->from, Position(4711));
  EXPECT_EQ(filter->to, Position(5000));
  EXPECT_FALSE(filter->shard.has_value());
  filter = Parse({.from = "3:4711", .to = "3:5000"});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->from, Position(4711));
  EXPECT_EQ(filter->shard, 3u);
  filter = Parse({.to = "0:5000", .shard = 0});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->shard, 0u);
}

TEST(JournalFilterTest, OtherPositionsAreRefused) {
  for (const char* text :
       {"x", "-1", "0:", ":5", "64:5", "0:5:6", "0:-5", "1.5", "+5", "18446744073709551616"}) {
    ExpectRefused({.from = text}, absl::StrCat("--from ", text, ": "), "SHARD:POSITION");
    ExpectRefused({.to = text}, absl::StrCat("--to ", text, ": "), "SHARD:POSITION");
  }
  ExpectRefused({.from = "0:5", .to = "1:7"}, "--to 1:7: ", "shard 0 is named as well");
  ExpectRefused({.from = "0:5", .shard = 2}, "--from 0:5: ", "shard 2 is named as well");
}

TEST(JournalFilterTest, AnEmptyRangeIsRefused) {
  ExpectRefused({.from = "5", .to = "5"}, "--from 5: ", "--to 5");
  ExpectRefused({.to = "0"}, "--from 0: ", "--to 0");
  ExpectRefused({.since = "2026-01-02", .until = "2026-01-01"},
                "--since 2026-01-02: ", "--until 2026-01-01");
}

TEST(JournalFilterTest, ActorsAreIdsOrNames) {
  absl::StatusOr<RecordFilter> filter = Parse({.source = "2147483648", .target = "book/AAPL"});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->source, 2147483648u);
  EXPECT_EQ(filter->target, 7u);
  ExpectRefused({.source = "book/X"}, "--source book/X: ", "no actor has this name");
  ExpectRefused({.target = "4294967296"}, "--target 4294967296: ", "0 to 4294967295");
}

TEST(JournalFilterTest, TypesAreNamesOrHexadecimalIds) {
  absl::StatusOr<RecordFilter> filter = Parse({.type = "Fill"});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_THAT(filter->types, ElementsAre(TypeId<market::Fill>()));
  filter = Parse({.type = "0a1b2C3d"});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_THAT(filter->types, ElementsAre(0x0a1b2c3du));
  ExpectRefused({.type = "Film"}, "--type Film: ", "Fill");
  ExpectRefused({.type = "123"}, "--type 123: ", "8 hexadecimal digits");
}

TEST(JournalFilterTest, KindsAddUp) {
  const absl::StatusOr<RecordFilter> filter = Parse({.kinds = {"call", "reply"}});
  ASSERT_TRUE(filter.ok()) << filter.status();
  for (const auto& [kind, matches] :
       {std::pair(FrameKind::kCall, true), std::pair(FrameKind::kReply, true),
        std::pair(FrameKind::kCast, false), std::pair(FrameKind::kRecord, false)}) {
    FrameHeader header{};
    header.kind = kind;
    EXPECT_EQ(filter->Matches(header), matches) << KindName(kind);
  }
  ExpectRefused({.kinds = {"call", "shout"}}, "--kind shout: ", "cast, call, reply");
}

TEST(JournalFilterTest, EveryConditionMustHold) {
  const absl::StatusOr<RecordFilter> filter = Parse({.since = "2026-01-02T03:04:05",
                                                     .until = "2026-01-02T03:04:06",
                                                     .source = "1",
                                                     .target = "2",
                                                     .type = "00000003",
                                                     .kinds = {"cast"}});
  ASSERT_TRUE(filter.ok()) << filter.status();
  FrameHeader header{};
  header.kind = FrameKind::kCast;
  header.stamp_ns = kNowNs;
  header.source = 1;
  header.target = 2;
  header.type = 3;
  EXPECT_TRUE(filter->Matches(header));
  const auto without = [&](auto change) {
    FrameHeader other = header;
    change(other);
    return filter->Matches(other);
  };
  EXPECT_TRUE(without([](FrameHeader& h) { h.stamp_ns += 999'999'999; }));
  EXPECT_FALSE(without([](FrameHeader& h) { h.stamp_ns += 1'000'000'000; }));
  EXPECT_FALSE(without([](FrameHeader& h) { h.stamp_ns -= 1; }));
  EXPECT_FALSE(without([](FrameHeader& h) { h.source = 9; }));
  EXPECT_FALSE(without([](FrameHeader& h) { h.target = 9; }));
  EXPECT_FALSE(without([](FrameHeader& h) { h.type = 9; }));
  EXPECT_FALSE(without([](FrameHeader& h) { h.kind = FrameKind::kCall; }));
}

}  // namespace
}  // namespace bitactor::cli
