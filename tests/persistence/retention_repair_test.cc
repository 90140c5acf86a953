// Repair of a journal whose front was retired.
#include "bitactor/persistence/repair.h"
#include "persistence/retention_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RetentionRepairTest : public RetentionFixture {
 protected:
  void RetireTwoOfFour() {
    MustOpen();
    Fill(4);
    RetainBefore(2);
    Kill();
  }
  RepairReport Repair(bool dry_run = false) {
    absl::StatusOr<RepairReport> report =
        RepairJournal(kDir, {.files = files_.get(),
                             .dry_run = dry_run,
                             .progress = {},
                             .random = [this] { return Mix64(++randoms_); },
                             .now_ns = [this] { return now_ns_ += 1000; }});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RepairReport{});
  }
};

TEST_F(RetentionRepairTest, WhatWasRetiredIsNotMissed) {
  RetireTwoOfFour();
  EXPECT_THAT(Repair().actions, IsEmpty());
  EXPECT_THAT(Segments(), ElementsAre("00000002.seg", "00000003.seg"));
}

TEST_F(RetentionRepairTest, ADamagedMarkIsMadeAnewAndTheOldOneKept) {
  RetireTwoOfFour();
  files_->FlipBit("journal/retired", 40, 3);
  const std::vector<std::byte> damaged = files_->Read("journal/retired");
  ASSERT_EQ(Repair(/*dry_run=*/true).actions.size(), 1u);
  EXPECT_EQ(files_->Read("journal/retired"), damaged);
  const RepairReport report = Repair();
  ASSERT_EQ(report.actions.size(), 1u);
  EXPECT_THAT(report.actions[0].ToString(), AllOf(HasSubstr("journal/retired: offset 0, 64 bytes"),
                                                  HasSubstr("the journal begins with segment 2")));
  EXPECT_EQ(files_->Read(report.actions[0].copy), damaged);
  EXPECT_THAT(Damages(), IsEmpty());
  MustOpen();
  EXPECT_EQ(Replayed(), TextsFrom(2));
  Fill(6);
  RetainBefore(5);
  EXPECT_THAT(Damages(), IsEmpty());
}

TEST_F(RetentionRepairTest, AMissingFirstSegmentBecomesAGap) {
  RetireTwoOfFour();
  ASSERT_TRUE(files_->Remove(SegmentFile(2)).ok());
  EXPECT_GT(Repair().gaps, 0u);
  EXPECT_THAT(Damages(), IsEmpty());
  MustOpen();
  EXPECT_EQ(Replayed().size(), 1u);  // the gap, as an error
  RetainBefore(3);
  EXPECT_EQ(Replayed(), TextsFrom(3));
  EXPECT_THAT(Damages(), IsEmpty());
}

}  // namespace
}  // namespace bitactor::test
