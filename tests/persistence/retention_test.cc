#include "bitactor/persistence/retention.h"

#include <cstring>

#include "persistence/retention_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RetentionTest : public RetentionFixture {};

TEST_F(RetentionTest, NothingGoesUnlessAsked) {
  MustOpen();
  Fill(3);
  EXPECT_EQ(Retain({}).segments, 0u);
  EXPECT_EQ(Retain({.keep_from = BeginOf(1)}).segments, 0u);
  EXPECT_EQ(Replayed(), texts_);
  EXPECT_FALSE(*files_->Exists("journal/retired"));
}

TEST_F(RetentionTest, WholeSegmentsBeforeAPositionGo) {
  MustOpen();
  Fill(4);
  const RetentionReport report = Retain({.before = Position(BeginOf(3).value() - 1)});
  EXPECT_EQ(report.segments, 2u);
  EXPECT_EQ(report.records, first_of_[2]);
  EXPECT_EQ(report.bytes, 2 * kSegmentBytes);
  EXPECT_EQ(report.segments_held, 0u);
  EXPECT_EQ(report.first, BeginOf(2));
  EXPECT_THAT(Segments(), ElementsAre("00000002.seg", "00000003.seg"));
  EXPECT_EQ(Replayed(), TextsFrom(2));
  EXPECT_THAT(Damages(), IsEmpty());
}

TEST_F(RetentionTest, TheOldestGoUntilTheRestFits) {
  MustOpen();
  Fill(5);
  EXPECT_EQ(Retain({.max_bytes = 3 * kSegmentBytes}).first, BeginOf(2));
  EXPECT_EQ(Retain({.max_bytes = 3 * kSegmentBytes - 1}).first, BeginOf(3));
  EXPECT_EQ(Replayed(), TextsFrom(3));
}

TEST_F(RetentionTest, SegmentsGoWhenTheirLastRecordIsOld) {
  MustOpen();
  Fill(4);
  std::vector<uint64_t> last_stamps(4);
  History history = journal_->Replay();
  for (const Record& record : history) {
    last_stamps[record.position().value() / kSegmentUnits] = record.frame().header.stamp_ns;
  }
  const auto retain = [&](uint64_t age_ns) {
    now_ns_ = last_stamps[1] + 5'000'000 - 1000;  // what it adds when asked
    return Retain({.max_age_ns = age_ns}).first;
  };
  EXPECT_EQ(retain(5'000'000), BeginOf(1));
  EXPECT_EQ(retain(4'999'999), BeginOf(2));
}

TEST_F(RetentionTest, AClockThatWasSetBackMakesNothingOld) {
  MustOpen();
  Fill(3);
  now_ns_ = 1;
  EXPECT_EQ(Retain({.max_age_ns = 0}).segments, 0u);
}

TEST_F(RetentionTest, TheCurrentSegmentStays) {
  MustOpen();
  Fill(3);
  EXPECT_EQ(Retain({.max_bytes = 0, .before = Position::None()}).segments, 2u);
  EXPECT_EQ(Retain({.max_bytes = 0, .before = Position::None()}).segments, 0u);
  EXPECT_EQ(Replayed(), TextsFrom(2));
}

TEST_F(RetentionTest, AJournalThatWasClosedFullKeepsItsLastSegment) {
  MustOpen();
  while (journal_->tail().value() < kSegmentUnits - 1) Append("");
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  ASSERT_EQ(journal_->tail(), BeginOf(1));
  EXPECT_EQ(Retain({.max_bytes = 0}).segments, 0u);
  Append("one");
  EXPECT_THAT(Damages(), IsEmpty());
}

TEST_F(RetentionTest, KeepFromHoldsWhatTheOthersAskFor) {
  MustOpen();
  Fill(5);
  const RetentionReport report =
      Retain({.max_bytes = 0, .keep_from = Position(BeginOf(2).value() - 1)});
  EXPECT_EQ(report.first, BeginOf(1));
  EXPECT_EQ(report.segments_held, 3u);
  EXPECT_EQ(Retain({.max_bytes = 0, .keep_from = BeginOf(2)}).first, BeginOf(2));
}

TEST_F(RetentionTest, ItGoesOnAndRecoversAndRetiresAgain) {
  MustOpen();
  uint32_t segment = 2;
  for (int round = 0; round < 4; ++round, segment += 2) {
    Fill(segment + 1);
    RetainBefore(segment);
    EXPECT_EQ(Replayed(), TextsFrom(segment));
    EXPECT_THAT(Damages(), IsEmpty());
    if (round % 2 == 0) {
      Kill();
    } else {
      ASSERT_TRUE(journal_->Close().ok());
    }
    MustOpen();
    EXPECT_EQ(Replayed(), TextsFrom(segment));
    EXPECT_EQ(journal_->recovery().torn_bytes, 0u);
  }
  const absl::StatusOr<JournalStat> stat = StatJournal(kDir, *files_);
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->segments, Segments().size());
  EXPECT_EQ(stat->first, BeginOf(8));
  EXPECT_EQ(stat->retired_records, first_of_[8]);
  EXPECT_EQ(stat->retired_bytes, 8 * kSegmentBytes);
  EXPECT_EQ(stat->records + stat->retired_records, texts_.size());
  EXPECT_EQ(stat->bytes, (stat->tail.value() - stat->first.value()) * 64);
}

TEST_F(RetentionTest, ARetiredPositionIsOutOfRangeAndTheFirstOneIsNamed) {
  MustOpen();
  Fill(4);
  RetainBefore(2);
  for (const uint64_t from : {uint64_t{1}, BeginOf(2).value() - 1}) {
    History own = journal_->Replay({.from = Position(from)});
    EXPECT_EQ(own.Next(), nullptr);
    EXPECT_TRUE(absl::IsOutOfRange(own.status())) << own.status();
    const std::string text = absl::StrCat(
        "position ", from, " was retired; the first available one is ", BeginOf(2).value());
    EXPECT_THAT(std::string(own.status().message()), HasSubstr(text));
    EXPECT_THAT(ReadFrom(Position(from)), ElementsAre(HasSubstr(text)));
  }
  EXPECT_EQ(ReadFrom(BeginOf(2)), TextsFrom(2));
  EXPECT_EQ(ReadFrom(Position::Begin()), TextsFrom(2));
  EXPECT_EQ(ReadFrom(BeginOf(3)), TextsFrom(3));
}

TEST_F(RetentionTest, AReplayThatEndsBeforeTheFirstPositionIsEmpty) {
  MustOpen();
  Fill(3);
  RetainBefore(2);
  EXPECT_THAT(TextsOf(journal_->Replay({.until = BeginOf(1)})), IsEmpty());
}

TEST_F(RetentionTest, AReaderGoesOnInTheSegmentThatItHas) {
  MustOpen();
  Fill(4);
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  History slow = reader->Replay();
  History next_to = reader->Replay({.from = BeginOf(1)});
  ASSERT_NE(slow.Next(), nullptr);
  ASSERT_NE(next_to.Next(), nullptr);
  RetainBefore(2);
  size_t read = 1;
  while (slow.Next() != nullptr) ++read;
  EXPECT_EQ(read, first_of_[1]);
  EXPECT_TRUE(absl::IsOutOfRange(slow.status())) << slow.status();
  read = 1;
  while (next_to.Next() != nullptr) ++read;
  EXPECT_TRUE(next_to.status().ok()) << next_to.status();
  EXPECT_EQ(read, texts_.size() - first_of_[1]);
}

// The mark is read, then the segment that it names is retired before it is opened.
TEST_F(RetentionTest, AReplayFromTheBeginningOutrunsRetention) {
  MustOpen();
  Fill(8);
  RetainBefore(1);
  uint32_t retired = 1;
  uint32_t until = 3;
  FaultyFiles racing(*files_, [&](FileStep step, const std::string& path) {
    if (step == FileStep::kOpen && path == SegmentFile(retired) && retired < until) {
      RetainBefore(++retired);
    }
    return absl::OkStatus();
  });
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, racing);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(retired, 3u);
  until = 5;
  EXPECT_EQ(TextsOf(reader->Replay()), TextsFrom(5));
  until = 7;
  const absl::StatusOr<JournalStat> stat = StatJournal(kDir, racing);
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(retired, 7u);
  EXPECT_EQ(stat->tail, journal_->tail());
}

// Verify has listed the segments, or read the header of the first, when the front of them goes.
TEST_F(RetentionTest, WhatIsRetiredDuringVerifyIsNoDamage) {
  MustOpen();
  Fill(7);
  for (const int opens_before : {0, 1}) {
    const uint32_t front = opens_before == 0 ? 0 : 3;
    int opens = 0;
    FaultyFiles racing(*files_, [&](FileStep step, const std::string& path) {
      if (step == FileStep::kOpen && path == SegmentFile(front) && opens++ == opens_before) {
        RetainBefore(front + 3);
      }
      return absl::OkStatus();
    });
    const absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, racing);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
    EXPECT_EQ(report->records, TextsFrom(front + 3).size());
    EXPECT_GT(opens, opens_before);
  }
}

// All the segments that were listed go, for the journal went on meanwhile.
TEST_F(RetentionTest, StatFindsTheTailOfAJournalThatOutrunsIt) {
  MustOpen();
  Fill(3);
  FaultyFiles racing(*files_, [&](FileStep step, const std::string& path) {
    if (step == FileStep::kOpen && path == SegmentFile(2) && first_of_.size() == 3) {
      Fill(6);
      RetainBefore(5);
    }
    return absl::OkStatus();
  });
  const absl::StatusOr<JournalStat> stat = StatJournal(kDir, racing);
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->first, BeginOf(5));
  EXPECT_EQ(stat->tail, journal_->tail());
}

TEST_F(RetentionTest, AMissingFirstSegmentThatWasNotRetiredIsDamage) {
  MustOpen();
  Fill(4);
  RetainBefore(1);
  ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
  EXPECT_THAT(Damages(), ElementsAre(HasSubstr("segment_missing: journal/00000001.seg")));
  ExpectDamage("00000001.seg: this segment is missing");
}

TEST_F(RetentionTest, AMissingSegmentBehindTheFirstIsDamage) {
  MustOpen();
  Fill(4);
  RetainBefore(1);
  ASSERT_TRUE(files_->Remove(SegmentFile(2)).ok());
  EXPECT_THAT(Damages(), ElementsAre(HasSubstr("segment_missing: journal/00000002.seg")));
  ExpectDamage("00000002.seg: this segment is missing");
}

TEST_F(RetentionTest, AMarkWithoutAnySegmentIsDamage) {
  MustOpen();
  Fill(2);
  RetainBefore(1);
  ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
  EXPECT_THAT(Damages(), ElementsAre(HasSubstr("segment_missing: journal/00000001.seg")));
  ExpectDamage("00000001.seg: this segment is missing, and all behind it");
  EXPECT_THAT(Segments(), IsEmpty());
}

TEST_F(RetentionTest, ALostMarkMakesTheRetiredSegmentsMissing) {
  MustOpen();
  Fill(3);
  RetainBefore(2);
  ASSERT_TRUE(files_->Remove("journal/retired").ok());
  EXPECT_THAT(Damages(), ElementsAre(HasSubstr("00000000.seg"), HasSubstr("00000001.seg")));
  ExpectDamage("00000000.seg: this segment is missing");
}

TEST_F(RetentionTest, EveryFlippedBitAndTruncationOfTheMarkIsFound) {
  MustOpen();
  Fill(3);
  RetainBefore(2);
  Kill();
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  for (uint64_t offset = 0; offset < 64; ++offset) {
    for (int bit = 0; bit <= 8; ++bit) {
      files_ = image->AfterKill();
      if (bit < 8) {
        files_->FlipBit("journal/retired", offset, bit);
      } else {
        files_->Truncate("journal/retired", offset);
      }
      EXPECT_THAT(Damages(), ElementsAre(HasSubstr("retired: journal/retired: ")))
          << offset << " " << bit;
      ExpectDamage("journal/retired: ");
    }
  }
}

TEST_F(RetentionTest, AMarkOfAnotherVersionIsNoDamage) {
  MustOpen();
  Fill(2);
  RetainBefore(1);
  Kill();
  std::vector<std::byte> mark = files_->Read("journal/retired");
  mark[8] = std::byte{2};
  const uint32_t crc = Crc32c(0, mark.data(), 60);
  std::memcpy(mark.data() + 60, &crc, sizeof(crc));
  files_->Write("journal/retired", 0, mark);
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition), HasSubstr("version 2"));
}

TEST_F(RetentionTest, TheMarkCarriesWhatTheSealsGoOnFrom) {
  MustOpen();
  Fill(4);
  RetainBefore(1);
  std::vector<std::byte> mark = files_->Read("journal/retired");
  RetainBefore(2);
  EXPECT_THAT(Damages(), IsEmpty());
  // The mark of the segment before, with the number of this one and a checksum that matches.
  mark[12] = std::byte{2};
  const uint32_t crc = Crc32c(0, mark.data(), 60);
  std::memcpy(mark.data() + 60, &crc, sizeof(crc));
  files_->Write("journal/retired", 0, mark);
  const std::vector<std::string> damages = Damages();
  ASSERT_THAT(damages, Not(IsEmpty()));
  EXPECT_THAT(damages[0], AllOf(HasSubstr("seal: "), HasSubstr("00000002.seg")));
}

TEST_F(RetentionTest, ADamagedSegmentIsNotRetired) {
  MustOpen();
  Fill(3);
  files_->Write(SegmentFile(0), kSegmentBytes - 64, std::vector<std::byte>(64));
  const absl::Status status = journal_->Retain({.max_bytes = 0}).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.ToString(), HasSubstr("00000000.seg: the segment does not end with a seal"));
  EXPECT_EQ(Segments().size(), 3u);
}

TEST_F(RetentionTest, AClosedJournalRetiresNothing) {
  MustOpen();
  Fill(2);
  ASSERT_TRUE(journal_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(journal_->Retain({.max_bytes = 0}).status()));
}

// A record of 100 KiB reaches over two ends of segments.
TEST_F(RetentionTest, TheBeginningOfALongRecordIsHeldWithIt) {
  MustOpen();
  Append("first");
  const std::string text(100 << 10, 'x');
  const Position position = Append(text);
  ASSERT_EQ(position.value() / kSegmentUnits, 1u);
  RetentionReport report = Retain({.max_bytes = 0});
  EXPECT_EQ(report.segments, 0u);
  EXPECT_EQ(report.segments_held, 1u);
  EXPECT_THAT(Replayed(), ElementsAre("first", text));
  while (journal_->tail() <= BeginOf(2)) Append("");
  report = Retain({.max_bytes = 0});
  EXPECT_EQ(report.segments, 2u);
  EXPECT_EQ(report.segments_held, 0u);
  EXPECT_THAT(Damages(), IsEmpty());
}

TEST_F(RetentionTest, ALongRecordWhoseBeginningWasRetiredUnderAReaderIsOutOfRange) {
  MustOpen();
  Append("first");
  Append(std::string(100 << 10, 'x'));
  absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  // Stands in segment 1, in front of the long record.
  History history = reader->Replay({.from = Position(BeginOf(1).value() + 1), .until = BeginOf(1)});
  EXPECT_EQ(history.Next(), nullptr);
  while (journal_->tail() <= BeginOf(2)) Append("");
  History held = reader->Replay({.from = BeginOf(1)});
  ASSERT_NE(held.Next(), nullptr);  // maps segment 1
  held.Seek(Position(BeginOf(1).value() + 1));
  RetainBefore(2);
  EXPECT_EQ(held.Next(), nullptr);
  EXPECT_TRUE(absl::IsOutOfRange(held.status())) << held.status();
}

}  // namespace
}  // namespace bitactor::test
