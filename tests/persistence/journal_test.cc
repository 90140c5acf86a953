#include "bitactor/persistence/journal.h"

#include "persistence/journal_fixture.h"
#include "support/allocation_counter.h"

namespace bitactor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JournalTest : public JournalFixture {};

Frame SealedFrame(uint8_t size_bytes, uint64_t message_id) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = size_bytes;
  frame.header.message_id = message_id;
  frame.header.stamp_ns = message_id * 10;
  for (size_t i = 0; i < size_bytes; ++i) frame.payload[i] = static_cast<std::byte>(i + message_id);
  Seal(frame);
  return frame;
}

TEST_F(JournalTest, GivesBackWhatWasAppendedInOrder) {
  MustOpen();
  Append("one");
  Append("");
  Append("three");
  EXPECT_THAT(Replayed(), ElementsAre("one", "", "three"));
}

TEST_F(JournalTest, GivesBackFramesWithTheirOriginalChecksum) {
  MustOpen();
  for (uint8_t size_bytes : {0, 1, 64, 65, 128}) {
    const Frame frame = SealedFrame(size_bytes, 7);
    const Position position = journal_->AppendFrame(frame.header);
    History history = journal_->Replay({.from = position});
    const Record* record = history.Next();
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->position(), position);
    EXPECT_EQ(std::memcmp(&record->frame(), &frame, sizeof(FrameHeader) + size_bytes), 0);
  }
}

TEST_F(JournalTest, StoresFramesAtTheirTrueLength) {
  MustOpen();
  const Position first = journal_->AppendFrame(SealedFrame(0, 1).header);
  const Position second = journal_->AppendFrame(SealedFrame(64, 2).header);
  const Position third = journal_->AppendFrame(SealedFrame(65, 3).header);
  EXPECT_EQ(first, Position(1));
  EXPECT_EQ(second, Position(2));
  EXPECT_EQ(third, Position(4));
  EXPECT_EQ(journal_->tail(), Position(7));
}

TEST_F(JournalTest, GoesOnInTheNextSegment) {
  MustOpen();
  const std::vector<std::string> texts = FillSegments(3);
  EXPECT_EQ(Replayed(), texts);
  EXPECT_TRUE(*files_->Exists(SegmentFile(2)));
}

TEST_F(JournalTest, NoFrameReachesOverTheEndOfASegment) {
  MustOpen();
  for (uint64_t i = 0; i < 3 * kSegmentUnits; ++i) {
    const Position position = journal_->AppendFrame(SealedFrame(128, i).header);
    EXPECT_EQ(position.value() / kSegmentUnits, (position.value() + 3) / kSegmentUnits) << position;
  }
}

TEST_F(JournalTest, ReplaysFromAPositionUntilAnother) {
  MustOpen();
  Append("a");
  const Position from = Append("b");
  Append("c");
  const Position until = Append("d");
  EXPECT_THAT(TextsOf(journal_->Replay({.from = from, .until = until})), ElementsAre("b", "c"));
}

TEST_F(JournalTest, ReplayIsNotReachedByWhatIsAppendedMeanwhile) {
  MustOpen();
  Append("before");
  History history = journal_->Replay();
  Append("after");
  EXPECT_THAT(TextsOf(std::move(history)), ElementsAre("before"));
}

TEST_F(JournalTest, ReplayGoesOnFromWhereTheLastOneEnded) {
  MustOpen();
  Append("before");
  History history = journal_->Replay();
  while (history.Next() != nullptr) {
  }
  Append("after");
  EXPECT_THAT(TextsOf(journal_->Replay({.from = history.next_position()})), ElementsAre("after"));
}

TEST_F(JournalTest, ReplayOutlivesItsJournal) {
  MustOpen();
  Append("kept");
  History history = journal_->Replay();
  journal_.reset();
  EXPECT_THAT(TextsOf(std::move(history)), ElementsAre("kept"));
}

TEST_F(JournalTest, ReopensAndGoesOnInTheSameSegment) {
  MustOpen();
  Append("one");
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_TRUE(journal_->recovery().closed_clean);
  Append("two");
  EXPECT_THAT(Replayed(), ElementsAre("one", "two"));
  EXPECT_FALSE(*files_->Exists(SegmentFile(1)));
}

TEST_F(JournalTest, ReopeningAClosedJournalDoesNotMakeItLonger) {
  MustOpen();
  Append("one");
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  const Position tail = journal_->tail();
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_EQ(journal_->tail(), tail);
}

TEST_F(JournalTest, DestructorClosesAndAMovedJournalStaysOpen) {
  MustOpen();
  Journal moved = std::move(*journal_);
  journal_.reset();
  EXPECT_TRUE(moved.Append(Bytes("still open")).ok());
  { const Journal gone = std::move(moved); }
  MustOpen();
  EXPECT_TRUE(journal_->recovery().closed_clean);
}

TEST_F(JournalTest, AppendAfterCloseIsRefused) {
  MustOpen();
  ASSERT_TRUE(journal_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(journal_->Append(Bytes("late")).status()));
  EXPECT_EQ(journal_->refused(), 1u);
}

TEST_F(JournalTest, WaitDurableKnowsWhatWasAppended) {
  MustOpen();
  const Position position = Append("one");
  EXPECT_TRUE(journal_->WaitDurable(position).ok());
  EXPECT_TRUE(absl::IsOutOfRange(journal_->WaitDurable(journal_->tail())));
  EXPECT_TRUE(absl::IsOutOfRange(journal_->WaitDurable(Position::None())));
}

TEST_F(JournalTest, StampsOfItsOwnRecordsRiseWhenTheClockStands) {
  JournalOptions options = Options();
  options.now_ns = [] { return uint64_t{1000}; };
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->Append({}).ok());
  ASSERT_TRUE(journal->Append({}).ok());
  History history = journal->Replay();
  const uint64_t first = history.Next()->frame().header.stamp_ns;
  EXPECT_LT(first, history.Next()->frame().header.stamp_ns);
}

TEST_F(JournalTest, OtherDurabilityLevelsAreRefusedByName) {
  JournalOptions options = Options();
  options.durability = Durability::kGroup;
  const absl::Status status = Journal::Open(kDir, options).status();
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("`group` is not available"));
}

TEST_F(JournalTest, SegmentSizesOutOfRangeAreRefusedWithTheRange) {
  for (const uint64_t segment_bytes :
       {uint64_t{0}, uint64_t{65535}, uint64_t{65536 + 64}, uint64_t{8} << 30}) {
    JournalOptions options = Options();
    options.segment_bytes = segment_bytes;
    const absl::Status status = Journal::Open(kDir, options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << segment_bytes;
    EXPECT_THAT(std::string(status.message()), HasSubstr("from 65536 to 4294967296"));
  }
}

TEST_F(JournalTest, AnExistingJournalKeepsItsSegmentSize) {
  MustOpen();
  Append("one");
  journal_.reset();
  JournalOptions options = Options();
  options.segment_bytes = 2 * kSegmentBytes;
  absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
  ASSERT_TRUE(journal.ok()) << journal.status();
  journal_ = std::make_unique<Journal>(*std::move(journal));
  const std::vector<std::string> texts = FillSegments(2);
  EXPECT_EQ(files_->Read(SegmentFile(1)).size(), kSegmentBytes);
}

TEST_F(JournalTest, AJournalOfAnotherOwnerIsRefused) {
  MustOpen();
  journal_.reset();
  JournalOptions options = Options();
  options.owner_number = 3;
  const absl::Status status = Journal::Open(kDir, options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("owner number 0, not to 3"));
}

TEST_F(JournalTest, InUseNamesTheOwnerAndSinceWhen) {
  MustOpen();
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition),
              HasSubstr("journal is in use by pid 4711 since 2026-01-02 10:22:03; "));
}

TEST_F(JournalTest, FileInsteadOfDirectoryIsRefused) {
  ASSERT_TRUE(files_->Open("journal", FileSystem::OpenMode::kCreate).ok());
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition), HasSubstr("journal: is a file"));
}

TEST_F(JournalTest, UnwritableDirectoryIsRefused) {
  ASSERT_TRUE(files_->CreateDir("journal").ok());
  files_->DenyWrites("journal");
  EXPECT_THAT(OpenError(absl::StatusCode::kPermissionDenied), HasSubstr("journal/lock"));
}

TEST_F(JournalTest, MissingParentDirectoryIsRefused) {
  const absl::Status status = Journal::Open("no/such/journal", Options()).status();
  EXPECT_TRUE(absl::IsNotFound(status));
}

TEST_F(JournalTest, FullDiskAtTheStartIsSaidWithTheSizeNeeded) {
  files_->FailAllocations(absl::ResourceExhaustedError("No space left on device"));
  EXPECT_THAT(OpenError(absl::StatusCode::kResourceExhausted),
              HasSubstr("no new segment of 65536 bytes"));
  EXPECT_THAT(*files_->List("journal"), ElementsAre("lock"));
}

TEST_F(JournalTest, FullDiskRefusesAndKeepsWhatWasAccepted) {
  MustOpen();
  files_->FailAllocations(absl::ResourceExhaustedError("No space left on device"));
  std::vector<std::string> texts;
  for (;;) {
    const std::string text = "record " + std::to_string(texts.size());
    const absl::StatusOr<Position> position = journal_->Append(Bytes(text));
    if (!position.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(position.status())) << position.status();
      break;
    }
    texts.push_back(text);
  }
  EXPECT_EQ(Replayed(), texts);
  EXPECT_EQ(journal_->refused(), 1u);
  EXPECT_TRUE(absl::IsResourceExhausted(journal_->Append(Bytes("again")).status()));

  files_->AllowAllocations();
  texts.push_back("there is space again");
  Append(texts.back());
  EXPECT_EQ(Replayed(), texts);
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_EQ(Replayed(), texts);
}

TEST_F(JournalTest, ClosesOnAFullDisk) {
  MustOpen();
  files_->FailAllocations(absl::ResourceExhaustedError("No space left on device"));
  while (journal_->Append(Bytes(std::string(128, 'x'))).ok()) {
  }
  EXPECT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_TRUE(journal_->recovery().closed_clean);
}

TEST_F(JournalTest, AFailingDiskIsNotTakenForAFullOne) {
  MustOpen();
  files_->FailAllocations(absl::InternalError("Input/output error"));
  while (journal_->AppendFrame(SealedFrame(128, 1).header) != Position::None()) {
  }
  EXPECT_TRUE(absl::IsInternal(journal_->last_refusal())) << journal_->last_refusal();
}

TEST_F(JournalTest, AppendFrameAllocatesNothing) {
  MustOpen();
  const Frame frame = SealedFrame(64, 1);
  const uint64_t before = AllocationCount();
  for (int i = 0; i < 400; ++i) journal_->AppendFrame(frame.header);
  EXPECT_EQ(AllocationCount(), before);
  EXPECT_EQ(journal_->appended(), 400u);
}

TEST_F(JournalTest, AFrameThatIsLongerThanAnyAborts) {
  MustOpen();
  Frame frame = SealedFrame(64, 1);
  frame.header.size_bytes = 129;
  EXPECT_DEATH(journal_->AppendFrame(frame.header), "kMaxPayloadBytes");
}

}  // namespace
}  // namespace bitactor::test
