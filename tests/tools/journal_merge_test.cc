#include "cli/journal_merge.h"

#include <random>

#include "bitactor/l2_mailbox/system_records.h"
#include "support/seed.h"
#include "tools/journal_set_fixture.h"

namespace bitactor::test {
namespace {

using cli::FindActorByName;
using cli::JournalMerge;
using cli::JournalsOf;
using cli::RecordFilter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalMergeTest : public JournalSetFixture {};

TEST_F(JournalMergeTest, TheLowerStampComesFirstThenTheLowerShard) {
  const std::string b1 = Append({.shard = 1, .stamp_ns = 1});
  const std::string b5 = Append({.shard = 1, .stamp_ns = 5});
  const std::string a3 = Append({.shard = 0, .stamp_ns = 3});
  const std::string a5 = Append({.shard = 0, .stamp_ns = 5});
  JournalMerge merge = MustMerge();
  EXPECT_THAT(RestOf(merge), ElementsAre(b1, a3, a5, b5));
}

TEST_F(JournalMergeTest, AJournalKeepsItsOrderWhenAStampStepsBack) {
  const std::string first = Append({.shard = 0, .stamp_ns = 9});
  const std::string late = Append({.shard = 0, .stamp_ns = 2});
  const std::string other = Append({.shard = 1, .stamp_ns = 5});
  JournalMerge merge = MustMerge();
  EXPECT_THAT(RestOf(merge), ElementsAre(other, first, late));
}

TEST_F(JournalMergeTest, ATargetsRecordsAreTheSameByAnIndex) {
  std::mt19937_64 random(Seed());
  std::vector<std::string> expected;
  for (uint64_t i = 0; i < 6000; ++i) {
    Put put;
    put.shard = static_cast<uint32_t>(random() % 2);
    put.stamp_ns = i + 1;
    put.target = static_cast<uint32_t>(random() % 50);
    const std::string place = Append(put);
    if (put.target == 7) expected.push_back(place);
  }
  RecordFilter filter;
  filter.target = 7;
  for (const bool indexed : {false, true}) {
    for (const uint32_t shard : {0u, 1u}) {
      if (!indexed) continue;
      absl::StatusOr<JournalIndex> index = JournalIndex::Open(ShardJournalDir(kSet, shard), files_);
      ASSERT_TRUE(index.ok()) << index.status();
      ASSERT_GE(index->Update()->built, 2u);
    }
    JournalMerge merge = MustMerge(filter);
    EXPECT_EQ(RestOf(merge), expected);
    const std::string next = Append({.stamp_ns = 10'000, .target = 7});
    Append({.stamp_ns = 10'001, .target = 8});
    merge.LookAgain();
    EXPECT_THAT(RestOf(merge), ElementsAre(next));
    expected.push_back(next);
    JournalMerge last = MustMerge(filter);
    EXPECT_EQ(last.StartAtLast(2), 2u);
    EXPECT_EQ(RestOf(last), std::vector<std::string>(expected.end() - 2, expected.end()));
    EXPECT_TRUE(merge.status().ok()) << merge.status();
  }
}

TEST_F(JournalMergeTest, OneJournalAloneIsOfItsOwnersShard) {
  const std::string place = Append({.shard = 3});
  absl::StatusOr<JournalMerge> merge =
      JournalMerge::Open(files_, ShardJournalDir(kSet, 3), RecordFilter{});
  ASSERT_TRUE(merge.ok()) << merge.status();
  EXPECT_THAT(RestOf(*merge), ElementsAre(place));
}

TEST_F(JournalMergeTest, AShardThatIsNotThereIsRefusedWithThoseThatAre) {
  Append({.shard = 0});
  Append({.shard = 2});
  EXPECT_THAT(std::string(JournalsOf(files_, kSet, 1).status().message()), HasSubstr("0, 2"));
  EXPECT_THAT(std::string(JournalsOf(files_, ShardJournalDir(kSet, 2), 0).status().message()),
              HasSubstr("it has 2"));
  EXPECT_TRUE(JournalsOf(files_, ShardJournalDir(kSet, 2), 2).ok());
}

TEST_F(JournalMergeTest, AFolderWithoutAJournalIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(JournalMerge::Open(files_, kSet, RecordFilter{}).status()));
}

TEST_F(JournalMergeTest, AnEmptyJournalHasNoRecordsAndNoDamage) {
  JournalOf(0);
  JournalMerge merge = MustMerge();
  EXPECT_THAT(RestOf(merge), IsEmpty());
  EXPECT_TRUE(merge.status().ok()) << merge.status();
  JournalMerge last = MustMerge();
  EXPECT_EQ(last.StartAtLast(10), 0u);
  EXPECT_THAT(RestOf(last), IsEmpty());
}

TEST_F(JournalMergeTest, FromMayBeInsideARecord) {
  Append({}, std::string(128, 'x'));  // units 1 to 3
  const std::string second = Append({}, std::string(128, 'x'));
  RecordFilter filter;
  filter.from = Position(2);
  JournalMerge merge = MustMerge(filter);
  EXPECT_THAT(RestOf(merge), ElementsAre(second));
  EXPECT_TRUE(merge.status().ok()) << merge.status();
}

TEST_F(JournalMergeTest, DamageEndsItsJournalAloneAndIsReportedForEach) {
  const std::string a1 = Append({.shard = 0, .stamp_ns = 1});
  Append({.shard = 0, .stamp_ns = 2});
  Append({.shard = 0, .stamp_ns = 3});
  const std::string b4 = Append({.shard = 1, .stamp_ns = 4});
  Append({.shard = 1, .stamp_ns = 5});
  Append({.shard = 1, .stamp_ns = 6});
  for (const uint32_t shard : {0, 1}) {
    files_.FlipBit(ShardJournalDir(kSet, shard) + "/00000000.seg", 2 * 64 + 20, 3);
  }
  JournalMerge merge = MustMerge();
  EXPECT_THAT(RestOf(merge), ElementsAre(a1, b4));
  EXPECT_EQ(merge.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(merge.status().message()), HasSubstr("shard-00/00000000.seg"));
  EXPECT_THAT(std::string(merge.status().message()), HasSubstr("shard-01/00000000.seg"));
}

TEST_F(JournalMergeTest, TheLastRecordsBeforeDamageAreFound) {
  Append({.stamp_ns = 1});
  const std::string second = Append({.stamp_ns = 2});
  Append({.stamp_ns = 3});
  Append({.stamp_ns = 4});
  files_.FlipBit(ShardJournalDir(kSet, 0) + "/00000000.seg", 3 * 64 + 20, 3);
  JournalMerge merge = MustMerge();
  EXPECT_EQ(merge.StartAtLast(1), 1u);
  EXPECT_THAT(RestOf(merge), ElementsAre(second));
  EXPECT_EQ(merge.status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JournalMergeTest, LooksAgainForWhatWasAppended) {
  const std::string one = Append({.shard = 0, .stamp_ns = 1});
  JournalOf(1);
  JournalMerge merge = MustMerge();
  EXPECT_THAT(RestOf(merge), ElementsAre(one));
  merge.LookAgain();
  EXPECT_THAT(RestOf(merge), IsEmpty());
  const std::string two = Append({.shard = 1, .stamp_ns = 2});
  EXPECT_FALSE(merge.Next().has_value()) << "nobody asked for another look";
  merge.LookAgain();
  EXPECT_THAT(RestOf(merge), ElementsAre(two));
}

TEST_F(JournalMergeTest, PassesAllBytesByTheEnd) {
  for (int i = 0; i < 2'000; ++i) Append({.shard = static_cast<uint32_t>(i % 2)}, "payload");
  JournalMerge merge = MustMerge();
  EXPECT_EQ(merge.passed_bytes(), 0u);
  RestOf(merge);
  EXPECT_EQ(merge.passed_bytes(), merge.total_bytes());
  EXPECT_GT(merge.total_bytes(), 2'000u * 128);
}

TEST_F(JournalMergeTest, FindsAnActorByItsName) {
  Append({.shard = 0});
  AppendMessage(bitactor::internal::NameRecord::Of(17, 0, "book/AAPL"),
                {.shard = 1, .kind = FrameKind::kSystem});
  const absl::StatusOr<uint32_t> id = FindActorByName(files_, kSet, "book/AAPL");
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(*id, 17u);
  EXPECT_TRUE(absl::IsNotFound(FindActorByName(files_, kSet, "book/AAP").status()));
}

// Any journals, any filter: against a sorted list.
TEST_F(JournalMergeTest, EqualsAFilteredSortedListUnderRandomSteps) {
  std::mt19937_64 random(Seed());
  struct Row {
    uint64_t stamp_ns;
    uint32_t shard;
    FrameKind kind;
    uint32_t target;
    uint64_t position;
    std::string place;
  };
  std::vector<Row> rows;
  uint64_t stamp_ns = kStampNs;
  for (int i = 0; i < 6'000; ++i) {
    stamp_ns += random() % 2;
    const auto shard = static_cast<uint32_t>(random() % 3);
    const FrameKind kind = random() % 4 == 0 ? FrameKind::kCall : FrameKind::kCast;
    const auto target = static_cast<uint32_t>(random() % 4);
    const std::string place =
        Append({.shard = shard, .stamp_ns = stamp_ns, .kind = kind, .target = target},
               std::string(random() % 129, 'x'));
    rows.push_back({stamp_ns, shard, kind, target, std::stoull(place.substr(2)), place});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.stamp_ns, a.shard) < std::tie(b.stamp_ns, b.shard);
  });
  for (int round = 0; round < Rounds(60); ++round) {
    RecordFilter filter;
    if (random() % 2 == 0) filter.since_ns = rows[random() % rows.size()].stamp_ns;
    if (random() % 2 == 0) filter.until_ns = rows[random() % rows.size()].stamp_ns;
    if (random() % 2 == 0) filter.from = Position(random() % 5'000);
    if (random() % 2 == 0) filter.to = Position(random() % 5'000);
    if (random() % 3 == 0) filter.target = static_cast<uint32_t>(random() % 4);
    if (random() % 3 == 0) filter.shard = static_cast<uint32_t>(random() % 3);
    if (random() % 3 == 0) filter.kinds = 1u << static_cast<uint32_t>(FrameKind::kCall);
    std::vector<std::string> expected;
    for (const Row& row : rows) {
      if (row.stamp_ns >= filter.since_ns &&
          row.stamp_ns < filter.until_ns.value_or(~uint64_t{0}) &&
          row.position >= filter.from.value() && row.position < filter.to.value() &&
          (!filter.target.has_value() || row.target == *filter.target) &&
          (!filter.shard.has_value() || row.shard == *filter.shard) &&
          (filter.kinds >> static_cast<uint32_t>(row.kind) & 1) != 0) {
        expected.push_back(row.place);
      }
    }
    JournalMerge merge = MustMerge(filter);
    ASSERT_EQ(RestOf(merge), expected);
    ASSERT_TRUE(merge.status().ok()) << merge.status();
    const uint64_t count = random() % 300;
    JournalMerge last = MustMerge(filter);
    const uint64_t found = last.StartAtLast(count);
    ASSERT_EQ(found, std::min<uint64_t>(count, expected.size()));
    ASSERT_EQ(RestOf(last), std::vector<std::string>(expected.end() - static_cast<ptrdiff_t>(found),
                                                     expected.end()));
  }
}

}  // namespace
}  // namespace bitactor::test
