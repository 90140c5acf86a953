#include "bitactor/persistence/journal_verify.h"

#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalVerifyTest : public JournalFixture {
 protected:
  VerifyReport Verify() {
    absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, *files_);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(VerifyReport{});
  }
  std::vector<std::string> Damages() {
    std::vector<std::string> kinds;
    for (const Damage& damage : Verify().damages) kinds.push_back(DamageKindName(damage.kind));
    return kinds;
  }
  void Zero(Position position, size_t size_bytes) {
    files_->Write(SegmentFile(static_cast<uint32_t>(position.value() / kSegmentUnits)),
                  OffsetOf(position), std::vector<std::byte>(size_bytes));
  }
};

TEST_F(JournalVerifyTest, ASoundJournalIsCountedWhole) {
  MustOpen();
  const size_t records = FillSegments(3).size();
  EXPECT_EQ(Verify().records, records);
  EXPECT_FALSE(Verify().closed_clean);
  ASSERT_TRUE(journal_->Close().ok());
  const VerifyReport report = Verify();
  EXPECT_TRUE(report.ok());
  EXPECT_TRUE(report.closed_clean);
  EXPECT_EQ(report.records, records);
  EXPECT_EQ(report.segments, 3u);
}

TEST_F(JournalVerifyTest, ReopenedAndClosedSegmentsAreSound) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i) {
    MustOpen();
    Append("record");
    ASSERT_TRUE(journal_->Close().ok());
  }
  const VerifyReport report = Verify();
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.records, 20u);
}

TEST_F(JournalVerifyTest, EveryDamageIsReportedWithItsPlace) {
  MustOpen();
  FillSegments(3);
  Kill();
  files_->FlipBit(SegmentFile(0), 640 + 70, 0);
  files_->FlipBit(SegmentFile(1), 1280 + 70, 0);
  const VerifyReport report = Verify();
  ASSERT_EQ(report.damage_count, 2u);
  EXPECT_THAT(report.damages[1].ToString(),
              HasSubstr("journal/00000001.seg: offset 1344, 128 bytes (position 1045)"));
}

TEST_F(JournalVerifyTest, HoleInTheMiddle) {
  MustOpen();
  Append("one");
  const Position hole = Append("two");
  Append("three");
  Kill();
  Zero(hole, 128);
  EXPECT_THAT(Damages(), ElementsAre("hole"));
}

TEST_F(JournalVerifyTest, TornTail) {
  MustOpen();
  Append("one");
  const Position tail = journal_->tail();
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(tail) + 8, {std::byte{1}});
  EXPECT_THAT(Damages(), ElementsAre("torn_tail"));
}

TEST_F(JournalVerifyTest, MissingSegment) {
  MustOpen();
  FillSegments(3);
  Kill();
  ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
  EXPECT_THAT(Damages(), ElementsAre("segment_missing"));
}

TEST_F(JournalVerifyTest, TruncatedSegment) {
  MustOpen();
  FillSegments(3);
  Kill();
  files_->Truncate(SegmentFile(1), 4096);
  EXPECT_THAT(Damages(), ElementsAre("segment_size"));
}

TEST_F(JournalVerifyTest, DamagedHeader) {
  MustOpen();
  FillSegments(2);
  Kill();
  files_->FlipBit(SegmentFile(0), 40, 2);
  EXPECT_THAT(Damages(), ElementsAre("segment_header"));
}

TEST_F(JournalVerifyTest, LostEndSeals) {
  MustOpen();
  FillSegments(2);
  Kill();
  const std::vector<std::byte> segment = files_->Read(SegmentFile(0));
  uint64_t unit = kSegmentUnits - 1;
  while (static_cast<uint8_t>(segment[unit * 64 + 5]) == static_cast<uint8_t>(FrameKind::kFooter)) {
    Zero(Position(unit--), 64);
  }
  EXPECT_THAT(Damages(), ElementsAre("segment_unsealed"));
}

// A record that was replaced by a valid one with the same place: only the seal knows.
TEST_F(JournalVerifyTest, SealThatDoesNotCoverTheRecords) {
  const auto write = [&](const char* text) {
    JournalOptions options = Options();
    options.random = [] { return uint64_t{42}; };
    absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
    ASSERT_TRUE(journal.ok() && journal->Append(Bytes(text)).ok());
    ASSERT_TRUE(journal->Close().ok());
  };
  write("one");
  const std::vector<std::byte> one = files_->Read(SegmentFile(0));
  files_ = std::make_unique<SimulatedFiles>();
  write("two");
  files_->Write(SegmentFile(0), 64, {one.begin() + 64, one.begin() + 192});
  EXPECT_THAT(Damages(), ElementsAre("seal"));
}

TEST_F(JournalVerifyTest, ProgressReachesTheTotal) {
  MustOpen();
  FillSegments(2);
  uint64_t last = 0;
  uint64_t total = 0;
  ASSERT_TRUE(VerifyJournal(kDir, *files_, [&](uint64_t done_bytes, uint64_t total_bytes) {
                EXPECT_GE(done_bytes, last);
                last = done_bytes;
                total = total_bytes;
              }).ok());
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, 2 * kSegmentBytes);
}

TEST_F(JournalVerifyTest, AnotherVersionCannotBeRead) {
  MustOpen();
  Kill();
  files_->Write(SegmentFile(0), 8, {std::byte{3}});
  EXPECT_TRUE(absl::IsFailedPrecondition(VerifyJournal(kDir, *files_).status()));
}

TEST_F(JournalVerifyTest, StatSumsUpALiveJournal) {
  MustOpen();
  const size_t records = FillSegments(3).size();
  const absl::StatusOr<JournalStat> stat = StatJournal(kDir, *files_);
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->records, records);
  EXPECT_EQ(stat->segments, 3u);
  EXPECT_EQ(stat->tail, journal_->tail());
  std::vector<uint64_t> stamps;
  History history = journal_->Replay();
  for (const Record& record : history) stamps.push_back(record.frame().header.stamp_ns);
  EXPECT_EQ(stat->first_stamp_ns, stamps.front());
  EXPECT_EQ(stat->last_stamp_ns, stamps.back());
  EXPECT_FALSE(stat->closed_clean);
  ASSERT_TRUE(stat->owner.has_value());
  EXPECT_EQ(stat->owner->ToString(), "pid 4711 since 2026-01-02 10:22:03");
}

TEST_F(JournalVerifyTest, StatOfAClosedJournalNamesNoOwner) {
  MustOpen();
  Append("one");
  ASSERT_TRUE(journal_->Close().ok());
  const absl::StatusOr<JournalStat> stat = StatJournal(kDir, *files_);
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_TRUE(stat->closed_clean);
  EXPECT_FALSE(stat->owner.has_value());
  EXPECT_EQ(stat->bytes, 4 * 64u);
}

TEST_F(JournalVerifyTest, StatOfAJournalWhoseFirstRecordIsDamagedIsAnError) {
  MustOpen();
  FillSegments(2);
  Kill();
  files_->FlipBit(SegmentFile(0), 64 + 20, 0);
  const absl::Status status = StatJournal(kDir, *files_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("00000000.seg: offset 64"));
}

}  // namespace
}  // namespace bitactor::test
