// Replay by time, at recorded pace, and of what is appended meanwhile.
#include <atomic>
#include <random>
#include <thread>

#include "persistence/journal_fixture.h"
#include "support/seed.h"

namespace bitactor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kSecond = 1'000'000'000;

// Nothing moves it but a wait, or the test by hand.
class ManualReplayClock : public ReplayClock {
 public:
  uint64_t NowNs() override { return now_ns; }
  void WaitUntil(uint64_t time_ns) override {
    now_ns = std::max(now_ns, time_ns);
    ++waits;
    if (on_wait) on_wait();
  }

  uint64_t now_ns = 5 * kSecond;
  int waits = 0;
  std::function<void()> on_wait;
};

class ReplayOptionsTest : public JournalFixture {
 protected:
  // A frame whose number is its place among the frames, from 0.
  void AppendStamped(uint64_t stamp_ns) {
    Frame frame{};
    frame.header.kind = FrameKind::kCast;
    frame.header.stamp_ns = stamp_ns;
    frame.header.message_id = stamps_.size();
    frame.header.size_bytes = static_cast<uint8_t>(stamps_.size() % 129);
    Seal(frame);
    ASSERT_NE(journal_->AppendFrame(frame.header), Position::None());
    stamps_.push_back(stamp_ns);
  }
  History ReaderReplay(const ReplayOptions& options) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader->Replay(options);
  }
  std::vector<uint64_t> Numbers(const ReplayOptions& options) {
    History history = ReaderReplay(options);
    std::vector<uint64_t> numbers;
    for (const Record& record : history) numbers.push_back(record.frame().header.message_id);
    EXPECT_TRUE(history.status().ok()) << history.status();
    return numbers;
  }
  std::vector<uint64_t> NumbersStamped(uint64_t from, uint64_t until) {
    std::vector<uint64_t> numbers;
    for (uint64_t i = 0; i < stamps_.size(); ++i) {
      if (stamps_[i] >= from && stamps_[i] < until) numbers.push_back(i);
    }
    return numbers;
  }
  std::string ErrorOf(const ReplayOptions& options) {
    History history = journal_->Replay(options);
    EXPECT_EQ(history.Next(), nullptr);
    return std::string(history.status().message());
  }

  std::vector<uint64_t> stamps_;
  ManualReplayClock clock_;
};

TEST_F(ReplayOptionsTest, LeavesOutWhatIsStampedEarlierOrLater) {
  MustOpen();
  for (const uint64_t stamp : {10, 20, 30, 25, 40}) AppendStamped(stamp);
  EXPECT_THAT(Numbers({.from_stamp_ns = 25}), ElementsAre(2, 3, 4));
  EXPECT_THAT(Numbers({.until_stamp_ns = 30}), ElementsAre(0, 1, 3));
  EXPECT_THAT(Numbers({.from_stamp_ns = 20, .until_stamp_ns = 30}), ElementsAre(1, 3));
  EXPECT_THAT(Numbers({.from_stamp_ns = 41}), IsEmpty());
  EXPECT_THAT(Numbers({.until_stamp_ns = 0}), IsEmpty());
  EXPECT_THAT(Numbers({.from_stamp_ns = 30, .until_stamp_ns = 30}), IsEmpty());
}

TEST_F(ReplayOptionsTest, TheGreatestStampIsGivenWhenThereIsNoEnd) {
  MustOpen();
  AppendStamped(~uint64_t{0});
  EXPECT_THAT(Numbers({.from_stamp_ns = 1}), ElementsAre(0));
}

TEST_F(ReplayOptionsTest, ASeekShowsWhatIsThereAndKeepsTheTimes) {
  MustOpen();
  for (const uint64_t stamp : {10, 20, 30}) AppendStamped(stamp);
  History history = journal_->Replay({.from_stamp_ns = 20, .until_stamp_ns = 30});
  ASSERT_EQ(history.Next()->frame().header.message_id, 1u);
  ASSERT_EQ(history.Next(), nullptr);
  history.Seek(Position(1));
  ASSERT_EQ(history.Next()->frame().header.message_id, 1u);
  EXPECT_EQ(history.Next(), nullptr);
}

// Stamps rise but for a bounded disorder: exactly those of the time are given, from any position.
TEST_F(ReplayOptionsTest, EqualsAFilterWhateverTheTime) {
  std::mt19937_64 random(Seed());
  MustOpen();
  while (journal_->tail().value() < 8 * kSegmentUnits) {
    AppendStamped(1000 + stamps_.size() * 10 + random() % 500);
  }
  const uint64_t last = stamps_.size() * 10 + 2000;
  for (int round = 0; round < Rounds(200); ++round) {
    const uint64_t from = random() % last;
    const uint64_t until = from + random() % (last / 4);
    ASSERT_EQ(Numbers({.from_stamp_ns = from, .until_stamp_ns = until, .stamp_disorder_ns = 500}),
              NumbersStamped(from, until));
  }
}

TEST_F(ReplayOptionsTest, SegmentsBeforeTheTimeAreNotRead) {
  MustOpen();
  while (journal_->tail().value() < 6 * kSegmentUnits) AppendStamped(stamps_.size());
  files_->FlipBit(SegmentFile(1), 4096, 1);
  const uint64_t late = stamps_.size() - 10;
  EXPECT_EQ(Numbers({.from_stamp_ns = late, .stamp_disorder_ns = 0}).size(), 10u);
  // Nothing is behind a bound that is not kept to the end: here it reads all.
  History all = ReaderReplay({.from_stamp_ns = late});
  while (all.Next() != nullptr) {
  }
  EXPECT_TRUE(absl::IsDataLoss(all.status())) << all.status();
}

TEST_F(ReplayOptionsTest, TheRangeEndsWhenNothingOfTheTimeCanFollow) {
  MustOpen();
  while (journal_->tail().value() < 4 * kSegmentUnits) AppendStamped(stamps_.size());
  files_->FlipBit(SegmentFile(2), 4096, 1);
  EXPECT_EQ(Numbers({.until_stamp_ns = 10, .stamp_disorder_ns = 5}).size(), 10u);
}

TEST_F(ReplayOptionsTest, ProgressRisesToTheEnd) {
  MustOpen();
  FillSegments(100);  // 6 MiB
  std::vector<std::pair<uint64_t, uint64_t>> said;
  History history = ReaderReplay(
      {.progress = [&](uint64_t done, uint64_t total) { said.emplace_back(done, total); }});
  while (history.Next() != nullptr) {
  }
  ASSERT_GE(said.size(), 3u);
  EXPECT_LT(said.front().first, kSegmentBytes);
  EXPECT_EQ(said.front().second, 100 * kSegmentBytes);
  EXPECT_EQ(said.back().first, history.next_position().value() * kFrameUnitBytes);
  EXPECT_EQ(said.back().first, said.back().second);
  for (size_t i = 1; i < said.size(); ++i) {
    EXPECT_GE(said[i].first, said[i - 1].first);
    EXPECT_LE(said[i].first, said[i].second);
  }
  const size_t before = said.size();
  EXPECT_EQ(history.Next(), nullptr);
  EXPECT_EQ(said.size(), before);  // said once
}

TEST_F(ReplayOptionsTest, KeepsTheGapsOfTheStamps) {
  MustOpen();
  for (const uint64_t stamp : {100, 110, 110, 105, 140}) AppendStamped(stamp);
  History history = journal_->Replay({.pace = ReplayPace{}, .clock = &clock_});
  std::vector<uint64_t> times;
  for (const Record& record : history) {
    (void)record;
    times.push_back(clock_.now_ns - 5 * kSecond);
  }
  EXPECT_THAT(times, ElementsAre(0, 10, 10, 10, 40));
}

TEST_F(ReplayOptionsTest, SpeedAndGreatestGapShortenTheWaits) {
  MustOpen();
  for (const uint64_t stamp : {100, 120, 1'000'000, 1'000'010}) AppendStamped(stamp);
  History history =
      journal_->Replay({.pace = ReplayPace{.speed = 2, .max_gap_ns = 50}, .clock = &clock_});
  std::vector<uint64_t> times;
  while (history.Next() != nullptr) times.push_back(clock_.now_ns - 5 * kSecond);
  EXPECT_THAT(times, ElementsAre(0, 10, 60, 65));
}

TEST_F(ReplayOptionsTest, AConsumerThatIsLateCatchesUp) {
  MustOpen();
  for (const uint64_t stamp : {100, 110, 120, 130}) AppendStamped(stamp);
  History history = journal_->Replay({.pace = ReplayPace{}, .clock = &clock_});
  ASSERT_NE(history.Next(), nullptr);
  clock_.now_ns += 25;
  ASSERT_NE(history.Next(), nullptr);
  ASSERT_NE(history.Next(), nullptr);
  EXPECT_EQ(clock_.waits, 0);
  ASSERT_NE(history.Next(), nullptr);
  EXPECT_EQ(clock_.now_ns, 5 * kSecond + 30);
}

TEST_F(ReplayOptionsTest, StoppedInAWaitTheRecordIsNotGivenAndNotLost) {
  MustOpen();
  AppendStamped(0);
  AppendStamped(kSecond);
  bool stop = false;
  History history =
      journal_->Replay({.pace = ReplayPace{}, .stop = [&] { return stop; }, .clock = &clock_});
  ASSERT_NE(history.Next(), nullptr);
  const Position second = history.next_position();
  clock_.on_wait = [&] { stop = clock_.waits == 3; };  // of ten
  EXPECT_EQ(history.Next(), nullptr);
  EXPECT_TRUE(history.status().ok());
  EXPECT_EQ(clock_.now_ns, 5 * kSecond + 3 * kSecond / 10);
  EXPECT_EQ(history.next_position(), second);
  stop = false;
  const Record* record = history.Next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->position(), second);
  EXPECT_EQ(clock_.now_ns, 6 * kSecond);
}

TEST_F(ReplayOptionsTest, FollowingJoinsWhatComesToWhatIsThere) {
  MustOpen();
  std::vector<std::string> texts = FillSegments(2);
  clock_.on_wait = [&] {  // up to half a segment at each look, then nothing any more
    for (int i = 0; clock_.waits <= 20 && i < clock_.waits * 20; ++i) {
      texts.push_back("late " + std::to_string(texts.size()));
      Append(texts.back());
    }
  };
  History history = ReaderReplay({.follow = ReplayFollow{.poll_ns = 1000},
                                  .stop = [&] { return clock_.waits > 30; },
                                  .clock = &clock_});
  EXPECT_EQ(TextsOf(std::move(history)), texts);
}

TEST_F(ReplayOptionsTest, FollowingThroughTheJournalItselfGoesBeyondItsTail) {
  MustOpen();
  Append("one");
  clock_.on_wait = [&] {
    if (clock_.waits == 1) Append("two");
  };
  EXPECT_THAT(TextsOf(journal_->Replay({.follow = ReplayFollow{.poll_ns = 1000},
                                        .stop = [&] { return clock_.waits > 5; },
                                        .clock = &clock_})),
              ElementsAre("one", "two"));
}

TEST_F(ReplayOptionsTest, FollowsAJournalThatIsClosedAndOpenedAgain) {
  MustOpen();
  Append("one");
  clock_.on_wait = [&] {
    if (clock_.waits == 1) journal_.reset();
    if (clock_.waits == 3) MustOpen();
    if (clock_.waits == 5) Append("two");
  };
  EXPECT_THAT(TextsOf(ReaderReplay({.follow = ReplayFollow{.poll_ns = 1000},
                                    .stop = [&] { return clock_.waits > 9; },
                                    .clock = &clock_})),
              ElementsAre("one", "two"));
}

TEST_F(ReplayOptionsTest, FollowingEndsAtItsPositionWithoutAWait) {
  MustOpen();
  Append("one");
  const Position end = journal_->tail();
  Append("two");
  EXPECT_THAT(TextsOf(journal_->Replay({.until = end, .follow = ReplayFollow{}, .clock = &clock_})),
              ElementsAre("one"));
  EXPECT_EQ(clock_.waits, 0);
}

TEST_F(ReplayOptionsTest, FollowingEndsAtItsDeadline) {
  MustOpen();
  Append("one");
  const uint64_t deadline = clock_.now_ns + 2500;
  History history = journal_->Replay(
      {.follow = ReplayFollow{.poll_ns = 1000, .deadline_ns = deadline}, .clock = &clock_});
  ASSERT_NE(history.Next(), nullptr);
  EXPECT_EQ(history.Next(), nullptr);
  EXPECT_TRUE(history.status().ok());
  EXPECT_EQ(clock_.now_ns, deadline);
  EXPECT_EQ(history.next_position(), journal_->tail());
}

TEST_F(ReplayOptionsTest, FollowingEndsAtDamage) {
  MustOpen();
  Append("one");
  const Position tail = journal_->tail();
  clock_.on_wait = [&] {
    Append("two");
    files_->FlipBit(SegmentFile(0), OffsetOf(tail) + 64, 1);
  };
  EXPECT_THAT(TextsOf(journal_->Replay({.follow = ReplayFollow{}, .clock = &clock_})),
              ElementsAre("one", HasSubstr("no valid record here")));
}

TEST_F(ReplayOptionsTest, OptionsThatMakeNoSenseAreRefused) {
  MustOpen();
  Append("one");
  EXPECT_THAT(ErrorOf({.pace = ReplayPace{.speed = 0}}), HasSubstr("speed is 0; numbers above 0"));
  EXPECT_THAT(ErrorOf({.pace = ReplayPace{.speed = -1}}), HasSubstr("speed is -1"));
  EXPECT_THAT(ErrorOf({.follow = ReplayFollow{.poll_ns = 0}}), HasSubstr("poll_ns is 0"));
  EXPECT_THAT(ErrorOf({.follow = ReplayFollow{}, .clock = nullptr}), HasSubstr("clock is null"));
}

// In every schedule: a thread that follows with the machine's clock gets what another one appends,
// in order, each once.
TEST_F(ReplayOptionsTest, AnotherThreadFollowsWithoutLossOrRepetition) {
  constexpr uint64_t kRecords = 20'000;
  JournalOptions options = Options();
  options.prepare_ahead = true;
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok());
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok());
  uint64_t seen = 0, wrong = 0;
  absl::Status status;
  std::thread follower([&] {
    History history = reader->Replay({.follow = ReplayFollow{.poll_ns = 10'000}});
    while (seen < kRecords) {
      const Record* record = history.Next();
      if (record == nullptr) break;
      if (record->frame().header.message_id != seen++) ++wrong;
    }
    status = history.status();
  });
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  for (uint64_t i = 0; i < kRecords; ++i) {
    frame.header.message_id = i;
    frame.header.size_bytes = static_cast<uint8_t>(i % 129);
    Seal(frame);
    ASSERT_NE(journal->AppendFrame(frame.header), Position::None()) << journal->last_refusal();
  }
  follower.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen, kRecords);
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace bitactor::test
