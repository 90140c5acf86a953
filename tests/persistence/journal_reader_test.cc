#include "bitactor/persistence/journal_reader.h"

#include <atomic>
#include <thread>

#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalReaderTest : public JournalFixture {
 protected:
  std::vector<std::string> Read(ReplayOptions options = {}) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
    if (!reader.ok()) return {std::string(reader.status().message())};
    return TextsOf(reader->Replay(options));
  }
};

TEST_F(JournalReaderTest, ReadsALiveJournal) {
  MustOpen();
  const std::vector<std::string> texts = FillSegments(3);
  EXPECT_EQ(Read(), texts);
}

TEST_F(JournalReaderTest, ReadsAClosedJournal) {
  MustOpen();
  Append("one");
  ASSERT_TRUE(journal_->Close().ok());
  EXPECT_THAT(Read(), ElementsAre("one"));
}

TEST_F(JournalReaderTest, ReadsACrashedJournalUpToItsTornTailAndChangesNothing) {
  MustOpen();
  Append("one");
  const Position tail = journal_->tail();
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(tail) + 8, {std::byte{1}});
  const std::vector<std::byte> before = files_->Read(SegmentFile(0));
  EXPECT_THAT(Read(), ElementsAre("one"));
  EXPECT_EQ(files_->Read(SegmentFile(0)), before);
}

TEST_F(JournalReaderTest, ReadsAnEmptyJournal) {
  MustOpen();
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(JournalReaderTest, FromBehindTheEndIsEmpty) {
  MustOpen();
  Append("one");
  EXPECT_THAT(Read({.from = journal_->tail()}), IsEmpty());
  EXPECT_THAT(Read({.from = Position(1'000'000)}), IsEmpty());
  EXPECT_THAT(Read({.from = Position::None()}), IsEmpty());
}

TEST_F(JournalReaderTest, AHoleIsNotTheEnd) {
  MustOpen();
  Append("one");
  const Position hole = Append("two");
  Append("three");
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(hole), std::vector<std::byte>(128));
  EXPECT_THAT(Read(), ElementsAre("one", HasSubstr("position 3): nothing written here, but there "
                                                   "are records behind it")));
}

TEST_F(JournalReaderTest, ALostEndOfASealedSegmentIsNotTheEnd) {
  MustOpen();
  FillSegments(2);
  const Position hole(kSegmentUnits - 3);
  files_->Write(SegmentFile(0), OffsetOf(hole), std::vector<std::byte>(128));
  EXPECT_THAT(Read().back(), HasSubstr("nothing written here"));
}

TEST_F(JournalReaderTest, DamageEndsTheRangeWithItsPlace) {
  MustOpen();
  Append("one");
  const Position second = Append("two");
  Append("three");
  files_->FlipBit(SegmentFile(0), OffsetOf(second) + 65, 1);
  EXPECT_THAT(Read(), ElementsAre("one", HasSubstr("00000000.seg: offset 192 (position 3): no "
                                                   "valid record here")));
}

TEST_F(JournalReaderTest, FromTheMiddleOfARecordIsNoRecord) {
  MustOpen();
  const Position position = Append(std::string(128, 'x'));
  EXPECT_THAT(Read({.from = Position(position.value() + 1)}),
              ElementsAre(HasSubstr("no valid record here")));
}

TEST_F(JournalReaderTest, NoJournalIsSaid) {
  ASSERT_TRUE(files_->CreateDir("journal").ok());
  EXPECT_THAT(Read(), ElementsAre(HasSubstr("journal: no journal here")));
}

TEST_F(JournalReaderTest, FollowsALiveJournal) {
  MustOpen();
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok());
  Position next;
  std::vector<std::string> seen;
  std::vector<std::string> texts;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < round; ++i) {
      texts.push_back(std::to_string(texts.size()));
      Append(texts.back());
    }
    History history = reader->Replay({.from = next});
    for (const Record& record : history) {
      seen.emplace_back(reinterpret_cast<const char*>(record.bytes().data()),
                        record.bytes().size());
    }
    ASSERT_TRUE(history.status().ok()) << history.status();
    next = history.next_position();
  }
  EXPECT_EQ(seen, texts);
}

// A thread reads what another one appends, over several segments; the helper thread is on, too.
TEST_F(JournalReaderTest, AnotherThreadFollowsTheLiveTail) {
  constexpr uint64_t kRecords = 20'000;
  JournalOptions options = Options();
  options.prepare_ahead = true;
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok());
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok());
  uint64_t seen = 0;
  absl::Status status;
  std::thread follower([&] {
    Position next;
    while (seen < kRecords && status.ok()) {
      History history = reader->Replay({.from = next});
      for (const Record& record : history) {
        if (record.frame().header.message_id != seen) {
          status = absl::InternalError("out of order");
          return;
        }
        ++seen;
      }
      status = history.status();
      next = history.next_position();
      std::this_thread::yield();
    }
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
}

// Blocks over several segments are read whole or not at all while they are appended.
TEST_F(JournalReaderTest, AnotherThreadFollowsBlocks) {
  constexpr uint64_t kRecords = 60;
  MustOpen();
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok());
  const auto size_of = [](uint64_t number) { return 129 + number * 1999; };
  uint64_t seen = 0;
  absl::Status status;
  std::thread follower([&] {
    Position next;
    while (seen < kRecords && status.ok()) {
      History history = reader->Replay({.from = next});
      for (const Record& record : history) {
        const std::span<const std::byte> bytes = record.bytes();
        if (bytes.size() != size_of(seen) || bytes.back() != static_cast<std::byte>(seen)) {
          status = absl::InternalError("not what was appended");
          return;
        }
        ++seen;
      }
      status = history.status();
      next = history.next_position();
      std::this_thread::yield();
    }
  });
  for (uint64_t i = 0; i < kRecords; ++i) {
    const std::vector<std::byte> bytes(size_of(i), static_cast<std::byte>(i));
    ASSERT_TRUE(journal_->Append(bytes).ok());
  }
  follower.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen, kRecords);
}

// Another thread replays through the journal itself, up to the tail as it sees it.
TEST_F(JournalReaderTest, AnotherThreadReplaysWhileTheWriterAppends) {
  MustOpen();
  std::atomic<bool> done = false;
  absl::Status status;
  uint64_t replays = 0;
  std::thread replayer([&] {
    while (!done.load(std::memory_order_relaxed) || replays == 0) {
      History history = journal_->Replay();
      while (history.Next() != nullptr) {
      }
      if (!history.status().ok()) status = history.status();
      ++replays;
    }
  });
  for (int i = 0; i < 2000; ++i) Append("record");
  done.store(true, std::memory_order_relaxed);
  replayer.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(JournalReaderTest, HelperThreadTriesAgainUntilThereIsSpace) {
  JournalOptions options = Options();
  options.prepare_ahead = true;
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok());
  files_->FailAllocations(absl::ResourceExhaustedError("No space left on device"));
  uint64_t appended = 0;
  while (journal->Append(Bytes("record")).ok()) ++appended;
  EXPECT_TRUE(absl::IsResourceExhausted(journal->last_refusal()));
  files_->AllowAllocations();
  while (!journal->Append(Bytes("record")).ok()) std::this_thread::yield();
  EXPECT_EQ(TextsOf(journal->Replay()).size(), appended + 1);
}

}  // namespace
}  // namespace bitactor::test
