// What repair makes of each kind of damage, and of being stopped in the middle.
#include <algorithm>
#include <cstring>

#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/repair.h"
#include "persistence/journal_fixture.h"
#include "support/seed.h"
#include "support/stopping_files.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class JournalRepairTest : public JournalFixture {
 protected:
  RepairOptions Repairs(FileSystem& files, bool dry_run = false) {
    return {.files = &files,
            .dry_run = dry_run,
            .progress = {},
            .random = [this] { return Mix64(++randoms_); },
            .now_ns = [this] { return now_ns_ += 1000; }};
  }
  RepairReport Repair() {
    absl::StatusOr<RepairReport> report = RepairJournal(kDir, Repairs(*files_));
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RepairReport{});
  }
  // Three segments: two full ones and the beginning of a third, not closed.
  void WriteThreeSegments() {
    MustOpen();
    texts_ = FillSegments(3);
    for (int i = 0; i < 20; ++i) {
      texts_.push_back("last " + std::to_string(i));
      Append(texts_.back());
    }
    Kill();
  }
  // Everything but what stood at these places of texts_ is read, the journal is sound, and goes on.
  void ExpectAllBut(const std::vector<size_t>& lost) {
    std::vector<std::string> expected;
    for (size_t i = 0; i < texts_.size(); ++i) {
      if (std::find(lost.begin(), lost.end(), i) == lost.end()) expected.push_back(texts_[i]);
    }
    const absl::StatusOr<VerifyReport> verified = VerifyJournal(kDir, *files_);
    ASSERT_TRUE(verified.ok()) << verified.status();
    EXPECT_TRUE(verified->ok()) << verified->damages[0].ToString();
    EXPECT_EQ(verified->records, expected.size());
    MustOpen();
    ASSERT_NE(journal_, nullptr);
    Append("new");
    expected.push_back("new");
    EXPECT_TRUE(TextsOf(journal_->Replay({.skip_gaps = true})) == expected);
    ASSERT_TRUE(journal_->Close().ok());
    EXPECT_TRUE(VerifyJournal(kDir, *files_)->ok());
    MustOpen();
    EXPECT_TRUE(journal_->recovery().closed_clean);
    journal_.reset();
  }
  Position PositionOf(size_t record) {
    History history = JournalReader::Open(kDir, *files_)->Replay();
    for (size_t i = 0; i < record; ++i) history.Next();
    return history.Next()->position();
  }
  size_t RecordsInFirstSegments(uint32_t segments) {
    size_t records = 0;
    History history = JournalReader::Open(kDir, *files_)->Replay();
    while (const Record* record = history.Next()) {
      if (record->position().value() < segments * kSegmentUnits) ++records;
    }
    return records;
  }
  static std::vector<size_t> From(size_t begin, size_t end) {
    std::vector<size_t> numbers;
    for (; begin < end; ++begin) numbers.push_back(begin);
    return numbers;
  }
  std::vector<std::string> LostAndFound() {
    return files_->List("journal/lost+found").value_or(std::vector<std::string>{});
  }

  std::vector<std::string> texts_;
};

TEST_F(JournalRepairTest, ASoundJournalIsLeftAsItIs) {
  WriteThreeSegments();
  const std::vector<std::byte> before = files_->Read(SegmentFile(2));
  EXPECT_THAT(Repair().actions, IsEmpty());
  EXPECT_EQ(files_->Read(SegmentFile(2)), before);
  EXPECT_THAT(LostAndFound(), IsEmpty());
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, ADamagedRecordBecomesAGapWithACopy) {
  WriteThreeSegments();
  const Position position = PositionOf(3);
  files_->FlipBit(SegmentFile(0), OffsetOf(position) + 70, 1);
  const std::vector<std::byte> segment = files_->Read(SegmentFile(0));
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_EQ(report.actions[0].position, position);
  EXPECT_EQ(report.actions[0].bytes, 128u);
  EXPECT_EQ(report.gaps, 1u);
  EXPECT_EQ(report.records, texts_.size() - 1);
  EXPECT_THAT(report.actions[0].ToString(),
              AllOf(HasSubstr("journal/00000000.seg: offset 448, 128 bytes (position 7)"),
                    HasSubstr("made a gap"), HasSubstr("lost+found/position-7-0.lost")));
  const auto lost = segment.begin() + static_cast<ptrdiff_t>(OffsetOf(position));
  EXPECT_EQ(files_->Read(report.actions[0].copy), std::vector<std::byte>(lost, lost + 128));
  ExpectAllBut({3});
}

TEST_F(JournalRepairTest, AGapEndsAReplayThatDoesNotSkipGaps) {
  WriteThreeSegments();
  files_->FlipBit(SegmentFile(0), OffsetOf(PositionOf(3)) + 70, 1);
  Repair();
  const absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  EXPECT_THAT(TextsOf(reader->Replay()),
              ElementsAre("record 0", "record 1", "record 2",
                          AllOf(HasSubstr("offset 448 (position 7): a gap: the 128 bytes up to "
                                          "position 9 are lost"),
                                HasSubstr("skip_gaps"))));
  History history = reader->Replay({.skip_gaps = true});
  while (history.Next() != nullptr) {
  }
  EXPECT_EQ(history.gaps_skipped(), 1u);
}

TEST_F(JournalRepairTest, AHoleBecomesAGap) {
  WriteThreeSegments();
  files_->Write(SegmentFile(2), OffsetOf(PositionOf(texts_.size() - 3)),
                std::vector<std::byte>(256));
  Repair();
  ExpectAllBut({texts_.size() - 3, texts_.size() - 2});
}

TEST_F(JournalRepairTest, ATornTailIsCut) {
  WriteThreeSegments();
  const Position last = PositionOf(texts_.size() - 1);
  files_->FlipBit(SegmentFile(2), OffsetOf(last) + 9, 1);
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_THAT(report.actions[0].copy, HasSubstr(".torn"));
  EXPECT_EQ(report.gaps, 0u);
  ExpectAllBut({texts_.size() - 1});
}

TEST_F(JournalRepairTest, AMissingSegmentBecomesOneGap) {
  WriteThreeSegments();
  const size_t first = RecordsInFirstSegments(1);
  const size_t second = RecordsInFirstSegments(2);
  ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_THAT(report.actions[0].ToString(), HasSubstr("missing"));
  ExpectAllBut(From(first, second));
}

TEST_F(JournalRepairTest, AShortFileIsExtended) {
  WriteThreeSegments();
  const size_t whole = 100;
  const size_t first = RecordsInFirstSegments(1);
  files_->Truncate(SegmentFile(0), OffsetOf(PositionOf(whole)) + 70);
  Repair();
  ExpectAllBut(From(whole, first));
}

TEST_F(JournalRepairTest, ALongFileIsCut) {
  WriteThreeSegments();
  {
    auto file = files_->Open(SegmentFile(1), FileSystem::OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->WriteAt(kSegmentBytes, Bytes("more")).ok());
  }
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_EQ(files_->Read(report.actions[0].copy).size(), 4u);
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, EveryFlippedBitOfAHeaderIsUndone) {
  WriteThreeSegments();
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  const std::vector<std::byte> sound = image->Read(SegmentFile(0));
  for (int bit = 0; bit < 512; ++bit) {
    files_ = image->AfterKill();
    files_->FlipBit(SegmentFile(0), bit / 8, bit % 8);
    EXPECT_THAT(Repair().actions, SizeIs(1)) << bit;
    ASSERT_EQ(files_->Read(SegmentFile(0)), sound) << bit;
  }
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, AHeaderIsMadeAgainWhenItsSaltIsSound) {
  WriteThreeSegments();
  files_->Write(SegmentFile(1), 0, std::vector<std::byte>(16));
  files_->Write(SegmentFile(1), 24, std::vector<std::byte>(40));
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_EQ(report.gaps, 0u);
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, ASegmentWithoutItsSaltIsKeptWholeAndBecomesOneGap) {
  WriteThreeSegments();
  const size_t first = RecordsInFirstSegments(1);
  const size_t second = RecordsInFirstSegments(2);
  files_->Write(SegmentFile(1), 0, std::vector<std::byte>(64));
  const std::vector<std::byte> segment = files_->Read(SegmentFile(1));
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_EQ(files_->Read(report.actions[0].copy), segment);
  ExpectAllBut(From(first, second));
}

TEST_F(JournalRepairTest, TheLastSegmentWithoutItsSaltBecomesOneGap) {
  WriteThreeSegments();
  const size_t second = RecordsInFirstSegments(2);
  files_->Write(SegmentFile(2), 0, std::vector<std::byte>(64));
  Repair();
  // Closed without an append: there is no room for a seal, and none is needed.
  MustOpen();
  ASSERT_TRUE(journal_->Close().ok());
  ExpectAllBut(From(second, texts_.size()));
}

TEST_F(JournalRepairTest, ASegmentMadeAheadGetsANewHeader) {
  WriteThreeSegments();
  {
    auto file = files_->Open(SegmentFile(3), FileSystem::OpenMode::kCreateNew);
    ASSERT_TRUE(file.ok() && (*file)->Allocate(kSegmentBytes).ok());
  }
  EXPECT_EQ(Repair().gaps, 0u);
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, SegmentsThatChangedPlacesBecomeGaps) {
  WriteThreeSegments();
  const size_t second = RecordsInFirstSegments(2);
  const std::vector<std::byte> zero = files_->Read(SegmentFile(0));
  files_->Write(SegmentFile(0), 0, files_->Read(SegmentFile(1)));
  files_->Write(SegmentFile(1), 0, zero);
  Repair();
  EXPECT_THAT(LostAndFound(), SizeIs(2));
  ExpectAllBut(From(0, second));
}

TEST_F(JournalRepairTest, ASegmentOfAJournalWithAnotherSizeBecomesAGap) {
  JournalOptions options = Options();
  options.segment_bytes = 2 * kSegmentBytes;
  ASSERT_TRUE(Journal::Open(kDir, options)->Close().ok());
  const std::vector<std::byte> other = files_->Read(SegmentFile(0));
  files_ = std::make_unique<SimulatedFiles>();
  WriteThreeSegments();
  const size_t first = RecordsInFirstSegments(1);
  {
    auto file = files_->Open(SegmentFile(0), FileSystem::OpenMode::kCreate);
    ASSERT_TRUE(file.ok() && (*file)->WriteAt(0, other).ok());
  }
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_EQ(files_->Read(report.actions[0].copy), other);
  ExpectAllBut(From(0, first));
}

TEST_F(JournalRepairTest, AShortFileWithoutAHeaderIsKeptAndBecomesOneGap) {
  WriteThreeSegments();
  const size_t first = RecordsInFirstSegments(1);
  const size_t second = RecordsInFirstSegments(2);
  files_->Truncate(SegmentFile(1), 40);
  Repair();
  ExpectAllBut(From(first, second));
}

TEST_F(JournalRepairTest, WhenNoHeaderIsLeftNothingIsChanged) {
  MustOpen();
  Append("one");
  Kill();
  files_->Write(SegmentFile(0), 0, std::vector<std::byte>(64));
  const std::vector<std::byte> before = files_->Read(SegmentFile(0));
  const absl::Status status = RepairJournal(kDir, Repairs(*files_)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no segment has a header"));
  EXPECT_EQ(files_->Read(SegmentFile(0)), before);
}

TEST_F(JournalRepairTest, LostEndSealsBecomeAGap) {
  WriteThreeSegments();
  files_->FlipBit(SegmentFile(0), kSegmentBytes - 64 + 20, 1);
  Repair();
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, ASealThatDoesNotAgreeBecomesAGap) {
  const auto write = [&](const char* text) {
    JournalOptions options = Options();
    options.random = [] { return uint64_t{42}; };
    Journal journal = Journal::Open(kDir, options).value();
    ASSERT_TRUE(journal.Append(Bytes(text)).ok());
    ASSERT_TRUE(journal.Append(Bytes("last")).ok());
    ASSERT_TRUE(journal.Close().ok());
  };
  write("one");
  const std::vector<std::byte> one = files_->Read(SegmentFile(0));
  files_ = std::make_unique<SimulatedFiles>();
  write("two");
  files_->Write(SegmentFile(0), 64, {one.begin() + 64, one.begin() + 192});
  const RepairReport report = Repair();
  ASSERT_THAT(report.actions, SizeIs(1));
  EXPECT_THAT(report.actions[0].what, HasSubstr("seal"));
  texts_ = {"one", "last"};
  ExpectAllBut({});
}

TEST_F(JournalRepairTest, ABlockWithADamagedPartIsLostWhole) {
  MustOpen();
  texts_ = {"before", std::string(150'000, 'x'), "behind"};
  Append(texts_[0]);
  const Position part = journal_->tail();
  Append(texts_[1]);
  Append(texts_[2]);
  Kill();
  files_->FlipBit(SegmentFile(0), OffsetOf(part) + 5000, 1);
  const RepairReport report = Repair();
  EXPECT_EQ(report.gaps, 2u);  // the part and the frame
  ExpectAllBut({1});
}

TEST_F(JournalRepairTest, AJournalOfVersion1IsRepaired) {
  WriteThreeSegments();
  files_->FlipBit(SegmentFile(0), OffsetOf(PositionOf(3)) + 70, 1);
  // Without blocks the versions differ in their number alone.
  for (uint32_t index = 0; index < 3; ++index) {
    std::vector<std::byte> header = files_->Read(SegmentFile(index));
    header.resize(64);
    header[8] = std::byte{1};
    const uint32_t crc = Crc32c(0, header.data(), 60);
    std::memcpy(header.data() + 60, &crc, 4);
    files_->Write(SegmentFile(index), 0, header);
  }
  Repair();
  ExpectAllBut({3});
}

TEST_F(JournalRepairTest, ADryRunReportsTheSameAndChangesNothing) {
  WriteThreeSegments();
  const uint64_t offset = OffsetOf(PositionOf(3));  // also a record's in other segments
  files_->FlipBit(SegmentFile(0), offset + 70, 1);
  files_->FlipBit(SegmentFile(2), offset, 1);
  files_->FlipBit(SegmentFile(1), 17, 1);
  const std::unique_ptr<SimulatedFiles> before = files_->AfterKill();
  const absl::StatusOr<RepairReport> dry = RepairJournal(kDir, Repairs(*files_, true));
  ASSERT_TRUE(dry.ok()) << dry.status();
  for (uint32_t index = 0; index < 3; ++index) {
    EXPECT_EQ(files_->Read(SegmentFile(index)), before->Read(SegmentFile(index)));
  }
  EXPECT_THAT(LostAndFound(), IsEmpty());
  const RepairReport real = Repair();
  ASSERT_EQ(dry->actions.size(), real.actions.size());
  for (size_t i = 0; i < real.actions.size(); ++i) {
    EXPECT_EQ(dry->actions[i].what, real.actions[i].what);
    EXPECT_EQ(dry->actions[i].position, real.actions[i].position);
  }
}

TEST_F(JournalRepairTest, AJournalThatIsOpenIsLeftAlone) {
  MustOpen();
  const absl::Status status = RepairJournal(kDir, Repairs(*files_)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use by pid 4711"));
}

TEST_F(JournalRepairTest, AJournalOfAnotherVersionIsLeftAlone) {
  MustOpen();
  Kill();
  std::vector<std::byte> header = files_->Read(SegmentFile(0));
  header.resize(64);
  header[8] = std::byte{3};
  const uint32_t crc = Crc32c(0, header.data(), 60);
  std::memcpy(header.data() + 60, &crc, 4);
  files_->Write(SegmentFile(0), 0, header);
  const absl::Status status = RepairJournal(kDir, Repairs(*files_)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 3"));
}

TEST_F(JournalRepairTest, ASecondRepairFindsNothingToDo) {
  WriteThreeSegments();
  files_->FlipBit(SegmentFile(0), OffsetOf(PositionOf(3)) + 70, 1);
  Repair();
  EXPECT_THAT(Repair().actions, IsEmpty());
  EXPECT_THAT(LostAndFound(), SizeIs(1));
}

// Damages that meet every path of repair, stopped before and in each of its writes. Afterwards a
// repair ends with the same records, and every byte that was changed is in lost+found.
TEST_F(JournalRepairTest, StoppedAtAnyWriteASecondRepairEndsAlike) {
  WriteThreeSegments();
  for (int i = 0; i < 3; ++i) {
    MustOpen();
    const std::vector<std::string> more = FillSegments(4 + i);
    texts_.insert(texts_.end(), more.begin(), more.end());
    Kill();
  }
  const size_t first = RecordsInFirstSegments(1);
  const size_t second = RecordsInFirstSegments(2);
  const Position damaged = PositionOf(5);
  const Position last = PositionOf(texts_.size() - 1);
  files_->FlipBit(SegmentFile(0), OffsetOf(damaged) + 70, 1);  // a record
  std::vector<std::byte> lost_record = files_->Read(SegmentFile(0));
  lost_record = {lost_record.begin() + static_cast<ptrdiff_t>(OffsetOf(damaged)),
                 lost_record.begin() + static_cast<ptrdiff_t>(OffsetOf(damaged)) + 128};
  files_->Write(SegmentFile(1), 0, std::vector<std::byte>(64));  // all of a segment
  files_->FlipBit(SegmentFile(2), kSegmentBytes - 64 + 20, 1);   // the end of a segment
  files_->FlipBit(SegmentFile(3), 20, 1);                        // a header
  files_->FlipBit(SegmentFile(5), OffsetOf(last) + 9, 1);        // the tail
  std::vector<size_t> lost = From(first, second);
  lost.insert(lost.begin(), 5);
  lost.push_back(texts_.size() - 1);

  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  uint64_t writes = 0;
  for (uint64_t stop_at = 0;; ++stop_at) {
    SCOPED_TRACE(stop_at);
    files_ = image->AfterKill();
    StoppingFiles stopping(*files_, stop_at);
    const absl::StatusOr<RepairReport> stopped = RepairJournal(kDir, Repairs(stopping));
    if (!stopping.stopped()) {
      ASSERT_TRUE(stopped.ok()) << stopped.status();
      writes = stop_at;
      break;
    }
    ASSERT_FALSE(stopped.ok());
    files_ = files_->AfterKill();
    Repair();
    std::vector<std::vector<std::byte>> kept;
    for (const std::string& name : LostAndFound()) {
      kept.push_back(files_->Read("journal/lost+found/" + name));
    }
    EXPECT_THAT(kept, Contains(lost_record));
    EXPECT_THAT(kept, Contains(SizeIs(kSegmentBytes)));
    ExpectAllBut(lost);
    if (HasFailure()) return;
  }
  EXPECT_GT(writes, 20u);
}

// Bytes of a journal overwritten at random: whatever it was, a repair makes it sound, and no record
// is read that was not written.
TEST_F(JournalRepairTest, AnyDamageBehindTheHeadersIsRepaired) {
  std::mt19937_64 random(Seed());
  WriteThreeSegments();
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  for (int round = 0; round < Rounds(300); ++round) {
    SCOPED_TRACE(round);
    files_ = image->AfterKill();
    for (uint64_t damages = random() % 8 + 1; damages > 0; --damages) {
      const uint64_t offset = 64 + random() % (kSegmentBytes - 64);
      const uint64_t length = std::min(random() % 700, kSegmentBytes - offset);
      std::vector<std::byte> bytes(length);
      if (random() % 3 != 0) {
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      }
      files_->Write(SegmentFile(static_cast<uint32_t>(random() % 3)), offset, bytes);
    }
    Repair();
    ASSERT_TRUE(VerifyJournal(kDir, *files_)->ok());
    MustOpen();
    ASSERT_NE(journal_, nullptr);
    const std::vector<std::string> read = TextsOf(journal_->Replay({.skip_gaps = true}));
    auto next = texts_.begin();
    for (const std::string& text : read) {
      next = std::find(next, texts_.end(), text);
      ASSERT_NE(next, texts_.end()) << text;
    }
    journal_.reset();
  }
}

}  // namespace
}  // namespace bitactor::test
