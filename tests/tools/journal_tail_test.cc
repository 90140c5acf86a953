#include "cli/journal_tail.h"

#include <deque>

#include "tools/journal_set_fixture.h"

namespace bitactor::test {
namespace {

using cli::JournalMerge;
using cli::TailOptions;
using cli::TailPorts;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Le;

constexpr uint64_t kSecondNs = 1'000'000'000;

class JournalTailTest : public JournalSetFixture {
 protected:
  // Each wait does the next step; when there is none left, the user stops.
  absl::Status Run(const TailOptions& options, std::deque<std::function<void()>> steps = {}) {
    JournalMerge merge = MustMerge();
    TailPorts ports;
    ports.print = [&](const cli::PlacedRecord& placed) {
      printed_.push_back(PlaceOf(placed));
      return print_status_;
    };
    ports.flush = [&] {
      flushed_ = printed_.size();
      return absl::OkStatus();
    };
    ports.now_ns = [&] { return now_ns_; };
    ports.wait = [&](uint64_t wait_ns) {
      if (wait_ns == 0) return !stop_at_look_;
      EXPECT_EQ(flushed_, printed_.size()) << "waits with records that nobody can see";
      waits_ns_.push_back(wait_ns);
      now_ns_ += wait_ns;
      if (steps.empty()) return false;
      steps.front()();
      steps.pop_front();
      return true;
    };
    return Tail(merge, options, ports);
  }

  absl::Status print_status_;
  std::vector<std::string> printed_;
  std::vector<uint64_t> waits_ns_;
  size_t flushed_ = 0;
  bool stop_at_look_ = false;
  uint64_t now_ns_ = 5 * kSecondNs;
};

TEST_F(JournalTailTest, PrintsTheLastRecordsAndEnds) {
  std::vector<std::string> all;
  for (uint64_t i = 0; i < 30; ++i) all.push_back(Append({.stamp_ns = i}));
  EXPECT_TRUE(Run({.last = 3}).ok());
  EXPECT_EQ(printed_, std::vector<std::string>(all.end() - 3, all.end()));
  EXPECT_THAT(waits_ns_, IsEmpty());
}

TEST_F(JournalTailTest, FollowsWhatIsAppendedOverManySegments) {
  std::vector<std::string> all = {Append({})};
  const auto append = [&] {
    for (int i = 0; i < 1'000; ++i) all.push_back(Append({}, std::string(100, 'x')));
  };
  EXPECT_TRUE(Run({.follow = true}, {append, [] {}, append, append}).ok());
  EXPECT_EQ(printed_, all);
}

TEST_F(JournalTailTest, FollowsFromTheEndWhenNoLastRecordsAreWanted) {
  Append({.shard = 0});
  Append({.shard = 1});
  std::string added;
  EXPECT_TRUE(Run({.last = 0, .follow = true}, {[&] { added = Append({.shard = 1}); }}).ok());
  EXPECT_THAT(printed_, ElementsAre(added));
}

TEST_F(JournalTailTest, FollowsAnEmptyJournal) {
  JournalOf(0);
  std::string added;
  EXPECT_TRUE(Run({.follow = true}, {[&] { added = Append({}); }}).ok());
  EXPECT_THAT(printed_, ElementsAre(added));
}

TEST_F(JournalTailTest, FollowsOverTheDeathOfTheWriterAndTheNextOne) {
  const std::string before = Append({});
  std::string after;
  const auto restart = [&] {
    journals_.clear();  // closes: a seal behind the record
    after = Append({});
  };
  EXPECT_TRUE(Run({.follow = true}, {restart}).ok());
  EXPECT_THAT(printed_, ElementsAre(before, after));
}

TEST_F(JournalTailTest, EndsWithTheCountTheFirstOnesIncluded) {
  const std::string one = Append({});
  std::vector<std::string> added;
  const auto append = [&] {
    for (int i = 0; i < 5; ++i) added.push_back(Append({}));
  };
  EXPECT_TRUE(Run({.follow = true, .count = 3}, {append, append}).ok());
  EXPECT_THAT(printed_, ElementsAre(one, added[0], added[1]));
  EXPECT_EQ(waits_ns_.size(), 1u);
}

TEST_F(JournalTailTest, EndsWhenTheTimeIsOver) {
  Append({});
  std::deque<std::function<void()>> idle(1'000, [] {});
  EXPECT_TRUE(Run({.follow = true, .follow_ns = 3 * kSecondNs}, idle).ok());
  EXPECT_EQ(now_ns_, 8 * kSecondNs);
  EXPECT_EQ(printed_.size(), 1u);
}

TEST_F(JournalTailTest, AWriterThatNeverPausesIsStoppedToo) {
  for (int i = 0; i < 5'000; ++i) Append({});
  stop_at_look_ = true;
  EXPECT_TRUE(Run({.last = 5'000, .follow = true}).ok());
  EXPECT_LT(printed_.size(), 5'000u);
  EXPECT_EQ(flushed_, printed_.size());
}

TEST_F(JournalTailTest, WaitsLongerWhileNothingComesAndNeverLong) {
  Append({});
  EXPECT_TRUE(Run({.follow = true}, std::deque<std::function<void()>>(20, [] {})).ok());
  EXPECT_LT(waits_ns_.front(), waits_ns_.back());
  EXPECT_THAT(waits_ns_, Each(Le(kSecondNs / 4)));
}

TEST_F(JournalTailTest, DamageEndsFollowingAfterWhatIsBeforeIt) {
  const std::string one = Append({});
  Append({});
  Append({});
  files_.FlipBit(ShardJournalDir(kSet, 0) + "/00000000.seg", 2 * 64 + 20, 3);
  EXPECT_EQ(Run({.follow = true}, {[] {}}).code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(printed_, ElementsAre(one));
}

TEST_F(JournalTailTest, AnErrorOfPrintingEndsAtOnce) {
  Append({});
  Append({});
  print_status_ = absl::CancelledError("gone");
  EXPECT_EQ(Run({.follow = true}).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(printed_.size(), 1u);
}

}  // namespace
}  // namespace bitactor::test
