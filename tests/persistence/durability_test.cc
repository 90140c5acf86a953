// The durability levels one promise at a time. All of them at every step: power_loss_test.cc.
#include "persistence/durability_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DurabilityTest : public DurabilityFixture {
 protected:
  std::string OpenErrorAt(Durability durability,
                          absl::StatusCode code = absl::StatusCode::kDataLoss) {
    JournalOptions options = Options();
    options.durability = durability;
    const absl::Status status = Journal::Open(kDir, options).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  // All is on the disk, and the machine starts anew.
  void RestartMachine() {
    Kill();
    files_->RestartMachine();
  }
};

TEST_F(DurabilityTest, LevelsHaveTheirNames) {
  for (const Durability level : {Durability::kProcess, Durability::kGroup, Durability::kEach}) {
    EXPECT_EQ(*ParseDurability(DurabilityName(level)), level);
  }
  EXPECT_THAT(std::string(ParseDurability("disk").status().message()),
              AllOf(HasSubstr("`disk`"), HasSubstr("process, group and each")));
}

TEST_F(DurabilityTest, GroupAcknowledgesWhenAskedFor) {
  MustOpenAt(Durability::kGroup);
  const Position first = Append("first");
  EXPECT_LE(journal_->durable(), first);
  ASSERT_TRUE(journal_->WaitDurable(first).ok());
  EXPECT_EQ(journal_->durable(), journal_->tail());
  const uint64_t syncs = files_->syncs();
  ASSERT_TRUE(journal_->WaitDurable(first).ok());
  EXPECT_EQ(files_->syncs(), syncs) << "what is durable needs no sync";
}

TEST_F(DurabilityTest, GroupSyncsOnceForManyRecords) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("first");
  const CommitCounters before = journal_->commit_counters();
  for (int i = 0; i < 100; ++i) Append("another");
  AppendDurably("last");
  const CommitCounters after = journal_->commit_counters();
  EXPECT_EQ(after.commits - before.commits, 1u);
  EXPECT_EQ(after.syncs - before.syncs, 2u);  // the segment and the cut
  EXPECT_EQ(after.synced_bytes - before.synced_bytes, 101u * 128);
}

TEST_F(DurabilityTest, EachIsDurableWhenTheAppendReturns) {
  MustOpenAt(Durability::kEach);
  Append("one");
  Append("two");
  EXPECT_EQ(journal_->durable(), journal_->tail());
  LosePowerAndAllUnsynced();
  MustOpenAt(Durability::kEach);
  EXPECT_THAT(Replayed(), ElementsAre("one", "two"));
}

TEST_F(DurabilityTest, ProcessNeverSyncsInAppends) {
  MustOpenAt(Durability::kProcess);
  const uint64_t syncs = files_->syncs();
  FillSegments(3);
  EXPECT_EQ(files_->syncs(), syncs);
  EXPECT_EQ(journal_->durable(), journal_->tail());
}

TEST_F(DurabilityTest, PowerLossDropsWhatWasNotAcknowledgedAndKeepsACopy) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("acknowledged");
  const Position acknowledged = journal_->tail();
  Append("not yet");
  Append("not either");
  RestartMachine();
  MustOpenAt(Durability::kGroup);
  EXPECT_THAT(Replayed(), ElementsAre("acknowledged"));
  const RecoveryReport& report = journal_->recovery();
  EXPECT_TRUE(report.machine_restarted);
  EXPECT_EQ(report.acknowledged, acknowledged);
  EXPECT_EQ(report.dropped_records, 2u);
  EXPECT_EQ(report.torn_bytes, 256u);
  EXPECT_THAT(report.ToString(), HasSubstr("2 records that were not acknowledged"));
  const std::vector<std::byte> copy = files_->Read(report.torn_copy);
  EXPECT_EQ(std::memcmp(copy.data() + 64, "not yet", 7), 0);
}

TEST_F(DurabilityTest, ProcessCrashKeepsWhatWasNotAcknowledged) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("acknowledged");
  Append("not yet");
  Kill();
  MustOpenAt(Durability::kGroup);
  EXPECT_THAT(Replayed(), ElementsAre("acknowledged", "not yet"));
  EXPECT_EQ(journal_->durable(), journal_->tail()) << "opening commits what was recovered";
  LosePowerAndAllUnsynced();
  MustOpenAt(Durability::kGroup);
  EXPECT_THAT(Replayed(), ElementsAre("acknowledged", "not yet"));
}

TEST_F(DurabilityTest, LaterSegmentsThatWereNotAcknowledgedGoToLostAndFound) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("acknowledged");
  const size_t records = FillSegments(3).size();
  RestartMachine();
  MustOpenAt(Durability::kGroup);
  EXPECT_THAT(Replayed(), ElementsAre("acknowledged"));
  EXPECT_EQ(journal_->recovery().lost_segments, 2u);
  EXPECT_EQ(journal_->recovery().dropped_records, records);
  EXPECT_THAT(*files_->List("journal/lost+found"),
              ElementsAre("00000001-0.seg", "00000002-0.seg", "position-3-0.torn"));
  AppendDurably("after");
  LosePowerAndAllUnsynced();
  MustOpenAt(Durability::kGroup);
  EXPECT_THAT(Replayed(), ElementsAre("acknowledged", "after"));
}

TEST_F(DurabilityTest, WhatWasCutIsOnTheDiskInLostAndFoundAndNowhereElse) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("acknowledged");
  Append("cut");
  RestartMachine();
  MustOpenAt(Durability::kGroup);
  const std::string copy = journal_->recovery().torn_copy;
  LosePowerAndAllUnsynced();
  EXPECT_THAT(files_->Read(copy), SizeIs(128));
  const std::vector<std::byte> segment = files_->Read(SegmentFile(0));
  EXPECT_EQ(std::count(segment.begin() + 3 * 64, segment.end(), std::byte{0}),
            static_cast<ptrdiff_t>(segment.size() - 3 * 64));
}

TEST_F(DurabilityTest, DamageOfTheLastAcknowledgedRecordIsNoTornTail) {
  for (const bool restart : {false, true}) {
    files_ = std::make_unique<SimulatedFiles>();
    MustOpenAt(Durability::kGroup);
    AppendDurably("first");
    AppendDurably("second");
    restart ? RestartMachine() : Kill();
    files_->FlipBit(SegmentFile(0), 3 * 64 + 64, 0);
    EXPECT_THAT(OpenErrorAt(Durability::kGroup),
                AllOf(HasSubstr("00000000.seg: offset 192 (position 3)"),
                      HasSubstr("before position 5 was acknowledged as durable"),
                      HasSubstr("bitactor journal verify journal")));
  }
}

TEST_F(DurabilityTest, AMissingAcknowledgedSegmentRefusesToOpen) {
  for (const bool restart : {false, true}) {
    files_ = std::make_unique<SimulatedFiles>();
    MustOpenAt(Durability::kGroup);
    FillSegments(2);
    AppendDurably("last");
    restart ? RestartMachine() : Kill();
    ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
    OpenErrorAt(Durability::kGroup);
  }
}

TEST_F(DurabilityTest, OfATornCutTheOneBeforeCounts) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("first");
  const Position first = journal_->durable();
  AppendDurably("second");
  RestartMachine();
  // Which slot is the newer one is no matter of this test: each is torn once.
  std::vector<size_t> found;
  for (const uint64_t slot : {0, 4096}) {
    std::unique_ptr<SimulatedFiles> whole = files_->AfterKill();
    files_->FlipBit("journal/cut", slot + 70, 1);
    MustOpenAt(Durability::kGroup);
    found.push_back(Replayed().size());
    EXPECT_GE(journal_->recovery().acknowledged, first);
    journal_.reset();
    files_ = std::move(whole);
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAre(1u, 2u));
}

TEST_F(DurabilityTest, TwoDamagedCutSlotsRefuseToOpen) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("first");
  Kill();
  files_->FlipBit("journal/cut", 70, 1);
  files_->FlipBit("journal/cut", 4096 + 70, 1);
  EXPECT_THAT(OpenErrorAt(Durability::kGroup),
              AllOf(HasSubstr("journal/cut: neither of the two slots"), HasSubstr("verify")));
}

TEST_F(DurabilityTest, AfterACleanCloseOneDamagedCutSlotTakesNothingBack) {
  for (const uint64_t slot : {0, 4096}) {
    files_ = std::make_unique<SimulatedFiles>();
    MustOpenAt(Durability::kGroup);
    Append("first");
    ASSERT_TRUE(journal_->Close().ok());
    files_->RestartMachine();
    files_->FlipBit("journal/cut", slot + 70, 1);
    MustOpenAt(Durability::kGroup);
    EXPECT_THAT(Replayed(), ElementsAre("first"));
    EXPECT_TRUE(journal_->recovery().closed_clean);
    journal_.reset();
  }
}

TEST_F(DurabilityTest, ClosingMakesEverythingDurable) {
  MustOpenAt(Durability::kGroup);
  const std::vector<std::string> texts = FillSegments(2);
  ASSERT_TRUE(journal_->Close().ok());
  EXPECT_EQ(journal_->durable(), journal_->tail());
  LosePowerAndAllUnsynced();
  MustOpenAt(Durability::kGroup);
  EXPECT_EQ(Replayed(), texts);
  EXPECT_TRUE(journal_->recovery().closed_clean);
}

TEST_F(DurabilityTest, AfterACleanCloseAtProcessDamageIsDamageAlsoAfterARestart) {
  MustOpenAt(Durability::kProcess);
  Append("first");
  ASSERT_TRUE(journal_->Close().ok());
  files_->RestartMachine();
  files_->FlipBit(SegmentFile(0), 128, 0);
  EXPECT_THAT(OpenErrorAt(Durability::kProcess), HasSubstr("the journal was closed behind it"));
}

TEST_F(DurabilityTest, ProcessKeepsTheRecordsBeforeALostPage) {
  MustOpenAt(Durability::kProcess);
  const std::vector<std::string> texts = FillSegments(3);
  RestartMachine();
  // A page in the middle of the first segment did not come to the disk.
  files_->Write(SegmentFile(0), 8192, std::vector<std::byte>(4096));
  MustOpenAt(Durability::kProcess);
  EXPECT_THAT(Replayed(), SizeIs((8192 - 64) / 128));
  EXPECT_EQ(journal_->recovery().lost_segments, 2u);
  EXPECT_EQ(journal_->recovery().dropped_records + 8192 / 128 + 4096 / 128, texts.size());
  Append("after");
  Kill();
  MustOpenAt(Durability::kProcess);
  EXPECT_EQ(Replayed().back(), "after");
}

TEST_F(DurabilityTest, AHoleIsDamageWhenTheMachineWasNotRestarted) {
  MustOpenAt(Durability::kProcess);
  Append("first");
  RestartMachine();
  // From here on the segment's header tells of an older start of the machine.
  MustOpenAt(Durability::kProcess);
  const Position hole = Append("second");
  Append("third");
  Kill();
  files_->Write(SegmentFile(0), OffsetOf(hole), std::vector<std::byte>(128));
  EXPECT_THAT(OpenErrorAt(Durability::kProcess), HasSubstr("nothing written here"));
}

TEST_F(DurabilityTest, WhatWasThereAfterARestartCannotBeLostToTheNext) {
  MustOpenAt(Durability::kProcess);
  Append("first");
  RestartMachine();
  MustOpenAt(Durability::kProcess);
  EXPECT_EQ(*JournalReader::Open(kDir, *files_)->acknowledged(), journal_->tail());
  Append("second");
  RestartMachine();
  files_->FlipBit(SegmentFile(0), 128, 0);
  EXPECT_THAT(OpenErrorAt(Durability::kProcess), HasSubstr("acknowledged as durable"));
}

TEST_F(DurabilityTest, ProcessAfterGroupGoesByTheRulesOfProcess) {
  MustOpenAt(Durability::kGroup);
  Append("first");
  ASSERT_TRUE(journal_->Close().ok());
  MustOpenAt(Durability::kProcess);
  Append("second");
  RestartMachine();
  MustOpenAt(Durability::kProcess);
  EXPECT_THAT(Replayed(), ElementsAre("first", "second"));
}

TEST_F(DurabilityTest, GroupAfterProcessMakesAllOfItDurable) {
  MustOpenAt(Durability::kProcess);
  const std::vector<std::string> texts = FillSegments(3);
  Kill();
  MustOpenAt(Durability::kGroup);
  LosePowerAndAllUnsynced();
  MustOpenAt(Durability::kGroup);
  EXPECT_EQ(Replayed(), texts);
}

TEST_F(DurabilityTest, OtherProcessesSeeWhatIsAcknowledged) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("first");
  const Position durable = journal_->durable();
  Append("second");
  EXPECT_EQ(JournalReader::Open(kDir, *files_)->acknowledged().value(), durable);
  EXPECT_EQ(StatJournal(kDir, *files_)->acknowledged, durable);
}

TEST_F(DurabilityTest, AClockSetBackDelaysNoAcknowledgement) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("first");
  now_ns_ -= 3'600'000'000'000;
  AppendDurably("second");
  Kill();
  MustOpenAt(Durability::kGroup);
  EXPECT_THAT(Replayed(), ElementsAre("first", "second"));
}

TEST_F(DurabilityTest, AReadOnlyDirectoryIsRefused) {
  MustOpenAt(Durability::kGroup);
  ASSERT_TRUE(journal_->Close().ok());
  files_->DenyWrites(kDir);
  EXPECT_THAT(OpenErrorAt(Durability::kGroup, absl::StatusCode::kPermissionDenied),
              HasSubstr("journal/lock"));
}

TEST_F(DurabilityTest, GroupOptionsOutOfRangeAreRefused) {
  JournalOptions options = Options();
  options.group_records = 0;
  const absl::Status status = Journal::Open(kDir, options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("group_records is 0"));
}

TEST_F(DurabilityTest, AFailedSyncIsNotTriedAgain) {
  MustOpenAt(Durability::kGroup);
  AppendDurably("first");
  const Position second = Append("second");
  files_->FailSync(absl::InternalError("Input/output error"));
  const absl::Status status = journal_->WaitDurable(second);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("Input/output error"), HasSubstr("00000000.seg"),
                    HasSubstr("open the journal again")));
  const uint64_t syncs = files_->syncs();
  EXPECT_EQ(journal_->WaitDurable(second), status);
  EXPECT_EQ(journal_->Append(Bytes("third")).status(), status);
  EXPECT_EQ(journal_->Close(), status);
  EXPECT_EQ(files_->syncs(), syncs);
  EXPECT_LE(journal_->durable(), second);
}

// After a failed sync Linux takes the pages for clean: a sync of the same pages succeeds, and brings
// nothing to the disk.
TEST_F(DurabilityTest, EioAtEverySyncLosesNothingAcknowledged) {
  uint64_t failures = 0;
  for (int skip = 0; skip < 40; ++skip) {
    for (const Durability level : {Durability::kGroup, Durability::kEach}) {
      SCOPED_TRACE(absl::StrFormat("sync %d at %s", skip, DurabilityName(level)));
      files_ = std::make_unique<SimulatedFiles>();
      files_->FailSync(absl::InternalError("Input/output error"), skip);
      JournalOptions options = Options();
      options.durability = level;
      size_t acknowledged = 0;
      {
        absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
        for (int i = 0; journal.ok() && i < 12; ++i) {
          absl::StatusOr<Position> position = journal->Append(Bytes(std::to_string(i)));
          if (position.ok() && journal->WaitDurable(*position).ok()) ++acknowledged;
        }
        if (acknowledged < 12) ++failures;
        Kill();
      }
      // The same machine: what failed to be written is still to be seen.
      options.files = files_.get();
      absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
      ASSERT_TRUE(journal.ok()) << journal.status();
      const std::vector<std::string> texts = TextsOf(journal->Replay());
      ASSERT_GE(texts.size(), acknowledged);
      journal_ = std::make_unique<Journal>(*std::move(journal));
      LosePowerAndAllUnsynced();
      MustOpenAt(level);
      ASSERT_EQ(Replayed(), texts) << "opening acknowledged them";
      journal_.reset();
    }
  }
  EXPECT_GT(failures, 40u);
}

TEST_F(DurabilityTest, EnospcAtEveryAllocationRefusesAndLosesNothing) {
  for (int skip = 0; skip < 5; ++skip) {
    files_ = std::make_unique<SimulatedFiles>();
    files_->FailAllocations(absl::ResourceExhaustedError("No space left on device"), skip);
    JournalOptions options = Options();
    options.durability = Durability::kGroup;
    std::vector<std::string> texts;
    absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
    if (!journal.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(journal.status())) << journal.status();
    } else {
      journal_ = std::make_unique<Journal>(*std::move(journal));
      for (;;) {
        const std::string text = std::to_string(texts.size());
        absl::StatusOr<Position> position = journal_->Append(Bytes(text));
        if (!position.ok()) {
          EXPECT_TRUE(absl::IsResourceExhausted(position.status())) << position.status();
          break;
        }
        ASSERT_TRUE(journal_->WaitDurable(*position).ok());
        texts.push_back(text);
      }
    }
    LosePowerAndAllUnsynced();
    MustOpenAt(Durability::kGroup);
    EXPECT_EQ(Replayed(), texts);
    journal_.reset();
  }
}

}  // namespace
}  // namespace bitactor::test
