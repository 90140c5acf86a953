// What a journal does about each kind of damage when it is opened. One damage a test.
#include <cstring>

#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RecoveryTest : public JournalFixture {
 protected:
  // The stored bytes of the record at `position`.
  std::vector<std::byte> StoredBytesAt(Position position, size_t size_bytes) {
    const std::vector<std::byte> file =
        files_->Read(SegmentFile(static_cast<uint32_t>(position.value() / kSegmentUnits)));
    const auto begin = file.begin() + static_cast<ptrdiff_t>(OffsetOf(position));
    return {begin, begin + static_cast<ptrdiff_t>(size_bytes)};
  }
};

TEST_F(RecoveryTest, KilledJournalHasAllThatWasAppended) {
  MustOpen();
  const std::vector<std::string> texts = FillSegments(2);
  Kill();
  MustOpen();
  EXPECT_EQ(Replayed(), texts);
  EXPECT_FALSE(journal_->recovery().closed_clean);
  EXPECT_EQ(journal_->recovery().torn_bytes, 0u);
}

TEST_F(RecoveryTest, TornTailIsCutAndKept) {
  MustOpen();
  Append("whole");
  const Position tail = journal_->tail();
  Kill();
  const std::vector<std::byte> torn(70, std::byte{0xAB});
  files_->Write(SegmentFile(0), OffsetOf(tail) + 8, torn);
  MustOpen();
  EXPECT_EQ(journal_->tail(), tail);
  EXPECT_EQ(journal_->recovery().torn_bytes, 128u);
  const std::vector<std::byte> kept = files_->Read(journal_->recovery().torn_copy);
  ASSERT_EQ(kept.size(), 128u);
  EXPECT_TRUE(std::equal(torn.begin(), torn.end(), kept.begin() + 8));
  Append("after");
  EXPECT_THAT(Replayed(), ElementsAre("whole", "after"));
}

TEST_F(RecoveryTest, ASecondTornTailAtTheSamePlaceIsKeptBesideTheFirst) {
  MustOpen();
  const Position tail = journal_->tail();
  for (int i = 0; i < 2; ++i) {
    Kill();
    files_->Write(SegmentFile(0), OffsetOf(tail) + 8, {std::byte{1}});
    MustOpen();
  }
  EXPECT_THAT(*files_->List("journal/lost+found"),
              ElementsAre("position-1-0.torn", "position-1-1.torn"));
}

TEST_F(RecoveryTest, EveryPrefixOfARecordIsCutOrWhole) {
  MustOpen();
  Append("first");
  const Position last = Append(std::string(100, 'x'));
  Kill();
  const std::vector<std::byte> stored = StoredBytesAt(last, 192);
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  for (size_t length = 0; length < 64 + 100; ++length) {
    files_ = image->AfterKill();
    std::vector<std::byte> prefix = stored;
    std::fill(prefix.begin() + static_cast<ptrdiff_t>(length), prefix.end(), std::byte{0});
    files_->Write(SegmentFile(0), OffsetOf(last), prefix);
    MustOpen();
    EXPECT_EQ(journal_->tail(), last) << length;
    EXPECT_EQ(journal_->recovery().torn_bytes > 0, length > 0) << length;
    journal_.reset();
  }
}

TEST_F(RecoveryTest, BodyWithoutCommitWordIsNoRecord) {
  MustOpen();
  Append("first");
  const Position last = Append("second");
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(last), std::vector<std::byte>(8));
  MustOpen();
  EXPECT_THAT(Replayed(), ElementsAre("first"));
}

TEST_F(RecoveryTest, HoleRefusesToOpen) {
  MustOpen();
  Append("first");
  const Position hole = Append("second");
  const Position after = Append("third");
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(hole), std::vector<std::byte>(128));
  EXPECT_THAT(OpenError(),
              AllOf(HasSubstr("00000000.seg: offset 192 (position 3): nothing written here"),
                    HasSubstr("position " + after.ToString()),
                    HasSubstr("bitactor journal verify journal")));
}

TEST_F(RecoveryTest, BitFlipInTheBodyWithARecordBehindRefusesToOpen) {
  MustOpen();
  const Position first = Append("first");
  Append("second");
  Kill();
  files_->FlipBit(SegmentFile(0), OffsetOf(first) + 66, 3);
  EXPECT_THAT(OpenError(), HasSubstr("offset 64 (position 1): no valid record here"));
}

TEST_F(RecoveryTest, BitFlipInTheCommitWordWithARecordBehindRefusesToOpen) {
  MustOpen();
  const Position first = Append("first");
  Append("second");
  Kill();
  for (uint64_t byte = 0; byte < 8; ++byte) {
    files_->FlipBit(SegmentFile(0), OffsetOf(first) + byte, 6);
    EXPECT_THAT(OpenError(), HasSubstr("offset 64 (position 1): no valid record here")) << byte;
    files_->FlipBit(SegmentFile(0), OffsetOf(first) + byte, 6);
  }
}

TEST_F(RecoveryTest, BitFlipInAClosedJournalIsNeverATornTail) {
  MustOpen();
  const Position only = Append("only");
  ASSERT_TRUE(journal_->Close().ok());
  files_->FlipBit(SegmentFile(0), OffsetOf(only) + 64, 0);
  OpenError();
}

TEST_F(RecoveryTest, RefusingToOpenChangesNothing) {
  MustOpen();
  const Position first = Append("first");
  Append("second");
  Kill();
  files_->FlipBit(SegmentFile(0), OffsetOf(first) + 66, 3);
  const std::vector<std::byte> before = files_->Read(SegmentFile(0));
  OpenError();
  EXPECT_EQ(files_->Read(SegmentFile(0)), before);
  EXPECT_THAT(*files_->List("journal"), ElementsAre("00000000.seg", "lock"));
}

TEST_F(RecoveryTest, StaleRecordOfAnotherSegmentDoesNotReadAsValid) {
  MustOpen();
  FillSegments(2);
  Kill();
  // Same offset, same bytes, but the salt of the segment is another.
  const Position in_first(3);
  const Position in_second(kSegmentUnits + 3);  // the tail
  files_->Write(SegmentFile(1), OffsetOf(in_second), StoredBytesAt(in_first, 128));
  MustOpen();
  EXPECT_EQ(journal_->recovery().torn_bytes, 128u);
}

TEST_F(RecoveryTest, MovedRecordDoesNotReadAsValid) {
  MustOpen();
  const Position first = Append("first");
  const Position tail = journal_->tail();
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(tail), StoredBytesAt(first, 128));
  MustOpen();
  EXPECT_THAT(Replayed(), ElementsAre("first"));
  EXPECT_EQ(journal_->recovery().torn_bytes, 128u);
}

TEST_F(RecoveryTest, TruncatedSegmentFileRefusesToOpen) {
  MustOpen();
  Append("first");
  Kill();
  files_->Truncate(SegmentFile(0), 8192);
  EXPECT_THAT(OpenError(), HasSubstr("00000000.seg: has 8192 bytes, but its header says 65536"));
}

TEST_F(RecoveryTest, EmptySegmentFileRefusesToOpen) {
  MustOpen();
  Kill();
  files_->Truncate(SegmentFile(0), 0);
  EXPECT_THAT(OpenError(), HasSubstr("00000000.seg: has 0 bytes"));
}

TEST_F(RecoveryTest, MissingSegmentRefusesToOpen) {
  MustOpen();
  FillSegments(3);
  Kill();
  ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
  EXPECT_THAT(OpenError(), HasSubstr("00000001.seg: this segment is missing"));
}

TEST_F(RecoveryTest, RenamedSegmentRefusesToOpen) {
  MustOpen();
  FillSegments(3);
  Kill();
  ASSERT_TRUE(files_->Rename(SegmentFile(1), SegmentFile(2)).ok());
  ASSERT_TRUE(files_->Open(SegmentFile(1), FileSystem::OpenMode::kCreate).ok());
  EXPECT_THAT(OpenError(), HasSubstr("this is segment 1 under the name of segment 2"));
}

TEST_F(RecoveryTest, UnsealedSegmentBeforeTheLastRefusesToOpen) {
  MustOpen();
  FillSegments(2);
  Kill();
  files_->FlipBit(SegmentFile(0), kSegmentBytes - 64 + 20, 1);
  EXPECT_THAT(OpenError(), HasSubstr("00000000.seg: offset 65472 (position 1023): the segment does "
                                     "not end with a seal"));
}

TEST_F(RecoveryTest, SealThatDoesNotCoverTheRecordsRefusesToOpen) {
  // A record that is gone without a trace: the seal of another journal's closing with the same
  // salt.
  const auto constant = [] { return uint64_t{42}; };
  const auto write = [&](bool with_second) {
    JournalOptions options = Options();
    options.random = constant;
    options.now_ns = constant;
    absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE(journal->Append(Bytes(with_second ? "first" : "other")).ok());
    ASSERT_TRUE(journal->Close().ok());
  };
  write(true);
  const std::vector<std::byte> seal = StoredBytesAt(Position(3), 64);
  files_ = std::make_unique<SimulatedFiles>();
  write(false);
  files_->Write(SegmentFile(0), 3 * kFrameUnitBytes, seal);
  EXPECT_THAT(OpenError(), HasSubstr("position 3): the seal here does not agree"));
}

TEST_F(RecoveryTest, WrongVersionNamesBothVersionsAndTheNextStep) {
  MustOpen();
  Kill();
  files_->Write(SegmentFile(0), 8, {std::byte{9}});
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr("journal format version 9"), HasSubstr("reads versions 1 to 2"),
                    HasSubstr("use the program that wrote")));
}

TEST_F(RecoveryTest, WrongMagicRefusesToOpen) {
  MustOpen();
  Kill();
  files_->Write(SegmentFile(0), 0, {std::byte{'x'}});
  EXPECT_THAT(OpenError(), HasSubstr("00000000.seg: offset 0: not a journal segment"));
}

TEST_F(RecoveryTest, DamagedHeaderRefusesToOpen) {
  MustOpen();
  Kill();
  files_->FlipBit(SegmentFile(0), 17, 0);
  EXPECT_THAT(OpenError(), HasSubstr("00000000.seg: offset 60: the segment header is damaged"));
}

TEST_F(RecoveryTest, UnfinishedSegmentIsRemoved) {
  MustOpen();
  Append("first");
  Kill();
  ASSERT_TRUE(files_->Open("journal/next.tmp", FileSystem::OpenMode::kCreate).ok());
  MustOpen();
  EXPECT_FALSE(*files_->Exists("journal/next.tmp"));
}

TEST_F(RecoveryTest, SegmentMadeAheadIsNoMissingSeal) {
  MustOpen();
  const std::vector<std::string> texts = FillSegments(2);
  journal_.reset();
  const std::vector<std::byte> header = files_->Read(SegmentFile(1));
  MustOpen();
  Append("last");
  Kill();
  // As the helper would have left it: a segment with a header alone.
  {
    auto file = files_->Open(SegmentFile(2), FileSystem::OpenMode::kCreate);
    ASSERT_TRUE(file.ok() && (*file)->Allocate(kSegmentBytes).ok());
  }
  std::vector<std::byte> ahead(header.begin(), header.begin() + 64);
  ahead[48] = std::byte{2};
  const uint32_t crc = Crc32c(0, ahead.data(), 60);
  std::memcpy(ahead.data() + 60, &crc, 4);
  files_->Write(SegmentFile(2), 0, ahead);
  MustOpen();
  EXPECT_EQ(Replayed().back(), "last");
  EXPECT_FALSE(*files_->Exists(SegmentFile(2)));
}

TEST_F(RecoveryTest, WritesAfterRecoveryRecoverAgain) {
  MustOpen();
  std::vector<std::string> texts;
  for (int crash = 0; crash < 30; ++crash) {
    for (int i = 0; i < 50; ++i) {
      texts.push_back(std::to_string(crash) + "/" + std::to_string(i));
      Append(texts.back());
    }
    const Position tail = journal_->tail();
    Kill();
    if (OffsetOf(tail) != 0 && OffsetOf(tail) + 64 < kSegmentBytes) {
      files_->Write(SegmentFile(static_cast<uint32_t>(tail.value() / kSegmentUnits)),
                    OffsetOf(tail) + 8, std::vector<std::byte>(40, std::byte{7}));
    }
    MustOpen();
    ASSERT_EQ(Replayed(), texts) << "crash " << crash;
  }
}

TEST_F(RecoveryTest, RestartOfTheMachineIsReported) {
  MustOpen();
  Kill();
  files_->RestartMachine();
  MustOpen();
  EXPECT_TRUE(journal_->recovery().machine_restarted);
}

TEST_F(RecoveryTest, CleanCloseLeavesNothingToRecover) {
  MustOpen();
  Append("first");
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_TRUE(journal_->recovery().closed_clean);
  EXPECT_EQ(journal_->recovery().records_scanned, 1u);
  EXPECT_THAT(journal_->recovery().torn_copy, IsEmpty());
}

}  // namespace
}  // namespace bitactor::test
