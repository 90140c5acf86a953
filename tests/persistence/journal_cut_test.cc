// What verify and repair make of the cut: what was acknowledged, by a journal or by its set.
#include <memory>
#include <string>
#include <vector>

#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/repair.h"
#include "persistence/group_commit_fixture.h"
#include "support/faulty_files.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr size_t kCutSlotBytes = 4096;

class JournalCutTest : public GroupCommitFixture {
 protected:
  void MustOpenAt(Durability durability) {
    JournalOptions options = Options();
    options.durability = durability;
    absl::StatusOr<Journal> opened = Journal::Open(kDir, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal_ = std::make_unique<Journal>(*std::move(opened));
  }
  static Position AppendDurably(Journal& journal, const std::string& text) {
    const absl::StatusOr<Position> position = journal.Append(Bytes(text));
    EXPECT_TRUE(position.ok()) << position.status();
    EXPECT_TRUE(journal.WaitDurable(*position).ok());
    return *position;
  }

  VerifyReport Verify(const std::string& dir) {
    absl::StatusOr<VerifyReport> report = VerifyJournal(dir, *files_);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(VerifyReport{});
  }
  std::vector<std::string> Damages(const std::string& dir) {
    std::vector<std::string> texts;
    for (const Damage& damage : Verify(dir).damages) texts.push_back(damage.ToString());
    return texts;
  }

  absl::StatusOr<RepairReport> TryRepair(const std::string& dir, bool dry_run = false) {
    return RepairJournal(dir, {.files = files_.get(),
                               .dry_run = dry_run,
                               .progress = {},
                               .random = [this] { return Mix64(++randoms_); },
                               .now_ns = [this] { return now_ns_ += 1000; }});
  }
  std::vector<std::string> Repair(const std::string& dir, bool dry_run = false) {
    absl::StatusOr<RepairReport> report = TryRepair(dir, dry_run);
    EXPECT_TRUE(report.ok()) << report.status();
    std::vector<std::string> texts;
    for (const RepairAction& action : report.value_or(RepairReport{}).actions) {
      texts.push_back(action.ToString());
    }
    return texts;
  }

  void DamageSlotsOf(const std::string& cut, std::vector<size_t> slots) {
    for (const size_t slot : slots) files_->FlipBit(cut, slot * kCutSlotBytes + 70, 1);
  }
  void Zero(const std::string& segment, Position from) {
    files_->Write(segment, OffsetOf(from),
                  std::vector<std::byte>(kSegmentBytes - OffsetOf(from) - kFrameUnitBytes));
  }
  // The processes die; with `restart`, the machine is started anew with all that they wrote.
  void KillSet(bool restart) {
    std::unique_ptr<SimulatedFiles> after = files_->AfterKill();
    CloseAll();
    old_files_.push_back(std::exchange(files_, std::move(after)));
    if (restart) files_->RestartMachine();
  }
  // "one" and "two" of each journal are acknowledged, "three" and "four" of the first are not.
  void WriteSet() {
    OpenSet(*files_);
    for (const auto& journal : journals_) {
      positions_ = {AppendDurably(*journal, "one"), AppendDurably(*journal, "two")};
    }
    ASSERT_TRUE(journals_[0]->Append(Bytes("three")).ok());
    ASSERT_TRUE(journals_[0]->Append(Bytes("four")).ok());
  }
  std::vector<std::string> ReadSet(uint32_t i) {
    return TextsOf(journals_[i]->Replay({.skip_gaps = true}));
  }

  static constexpr char kSetSegment[] = "set/shard-0/00000000.seg";
  std::vector<Position> positions_;
};

TEST_F(JournalCutTest, VerifyTellsWhatWasAcknowledged) {
  MustOpenAt(Durability::kGroup);
  AppendDurably(*journal_, "one");
  const Position acknowledged = journal_->tail();
  Append("two");
  Kill();
  EXPECT_TRUE(Verify(kDir).ok());
  EXPECT_EQ(Verify(kDir).acknowledged, acknowledged);
}

TEST_F(JournalCutTest, WithoutACutNothingIsKnownToBeAcknowledged) {
  MustOpen();
  Append("one");
  EXPECT_TRUE(Verify(kDir).ok());
  EXPECT_EQ(Verify(kDir).acknowledged, std::nullopt);
}

TEST_F(JournalCutTest, ALiveJournalIsSoundBehindEachCommit) {
  MustOpenAt(Durability::kEach);
  while (journal_->tail().value() < 2 * kSegmentUnits + 10) {
    Append(std::string(journal_->tail().value() % 128, 'x'));
    if (journal_->tail().value() % kSegmentUnits > 20 &&
        journal_->tail().value() % kSegmentUnits < kSegmentUnits - 20) {
      continue;
    }
    ASSERT_THAT(Damages(kDir), IsEmpty()) << journal_->tail().ToString();
    ASSERT_EQ(Verify(kDir).acknowledged, journal_->durable());
  }
}

// Before each step that verify takes in the file system, once at each, the writer fills a segment and
// more, and all of it is acknowledged.
TEST_F(JournalCutTest, ALiveJournalThatGrowsWhileItIsVerifiedIsSound) {
  for (size_t at_step = 0;; ++at_step) {
    SCOPED_TRACE(at_step);
    journal_.reset();
    files_ = std::make_unique<SimulatedFiles>();
    MustOpenAt(Durability::kGroup);
    AppendDurably(*journal_, "one");
    size_t steps = 0;
    FaultyFiles live(*files_, [&](FileStep, const std::string&) {
      if (steps++ == at_step) {
        for (uint64_t i = 0; i < kSegmentUnits / 2; ++i) Append("more");
        AppendDurably(*journal_, "last");
      }
      return absl::OkStatus();
    });
    const absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, live);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(report->ok()) << report->damages[0].ToString();
    if (steps <= at_step) break;
  }
}

TEST_F(JournalCutTest, OneDamagedSlotIsATornWriteAndTwoAreDamage) {
  MustOpenAt(Durability::kGroup);
  AppendDurably(*journal_, "one");
  AppendDurably(*journal_, "two");
  Kill();
  DamageSlotsOf("journal/cut", {0});
  EXPECT_TRUE(Verify(kDir).ok());
  DamageSlotsOf("journal/cut", {1});
  EXPECT_THAT(Damages(kDir),
              ElementsAre(AllOf(HasSubstr("cut: "), HasSubstr("neither of the two"))));
}

TEST_F(JournalCutTest, DamageSaysWhetherItWasAcknowledged) {
  MustOpenAt(Durability::kGroup);
  const Position one = AppendDurably(*journal_, "one");
  const Position two = Append("two");
  Append("three");
  Kill();
  files_->FlipBit(SegmentFile(0), OffsetOf(one) + 20, 0);
  files_->FlipBit(SegmentFile(0), OffsetOf(two) + 20, 0);
  const std::vector<std::string> damages = Damages(kDir);
  // The one record's place and the other's are next to each other: one damage.
  ASSERT_THAT(damages, SizeIs(1));
  EXPECT_THAT(damages[0], HasSubstr("all before position 3 was acknowledged as durable"));
  files_->FlipBit(SegmentFile(0), OffsetOf(one) + 20, 0);
  EXPECT_THAT(Damages(kDir), ElementsAre(Not(HasSubstr("acknowledged"))));
}

TEST_F(JournalCutTest, AnAcknowledgedEndThatIsMissingIsDamage) {
  MustOpenAt(Durability::kGroup);
  AppendDurably(*journal_, "one");
  const Position two = AppendDurably(*journal_, "two");
  const Position tail = journal_->tail();
  Kill();
  Zero(SegmentFile(0), two);
  EXPECT_THAT(Damages(kDir),
              ElementsAre(AllOf(HasSubstr("journal/cut: all before position " + tail.ToString()),
                                HasSubstr("ends at position " + two.ToString()))));
}

TEST_F(JournalCutTest, AnAcknowledgedSegmentThatIsMissingIsDamage) {
  MustOpenAt(Durability::kGroup);
  FillSegments(3);
  AppendDurably(*journal_, "last");
  Kill();
  ASSERT_TRUE(files_->Remove(SegmentFile(2)).ok());
  EXPECT_THAT(Damages(kDir), ElementsAre(HasSubstr("but the journal ends at position 2048")));
  ASSERT_TRUE(files_->Remove(SegmentFile(0)).ok());
  EXPECT_THAT(Damages(kDir)[0], AllOf(HasSubstr("segment_missing"), HasSubstr("acknowledged")));
}

TEST_F(JournalCutTest, RepairLeavesAJournalWhoseCutIsUnreadable) {
  MustOpenAt(Durability::kGroup);
  const Position one = AppendDurably(*journal_, "one");
  AppendDurably(*journal_, "two");
  Kill();
  DamageSlotsOf("journal/cut", {0, 1});
  files_->FlipBit(SegmentFile(0), OffsetOf(one) + 20, 0);
  const std::vector<std::byte> before = files_->Read(SegmentFile(0));
  EXPECT_TRUE(absl::IsDataLoss(TryRepair(kDir).status()));
  EXPECT_EQ(files_->Read(SegmentFile(0)), before);
  ASSERT_TRUE(files_->Rename("journal/cut", "away").ok());
  EXPECT_THAT(Repair(kDir), SizeIs(1));
  MustOpenAt(Durability::kGroup);
}

TEST_F(JournalCutTest, OfASetTheSetsCutCounts) {
  WriteSet();
  KillSet(/*restart=*/false);
  for (uint32_t i = 0; i < kJournals; ++i) {
    EXPECT_TRUE(Verify(DirOf(i)).ok());
    EXPECT_EQ(Verify(DirOf(i)).acknowledged, Position(positions_[1].value() + 2)) << i;
  }
  Zero(kSetSegment, positions_[1]);
  EXPECT_THAT(Damages(DirOf(0)), ElementsAre(HasSubstr("set/cut: all before position")));
  DamageSlotsOf("set/cut", {0, 1});
  EXPECT_THAT(Damages(DirOf(1)), ElementsAre(HasSubstr("set/cut: neither of the two")));
  ASSERT_TRUE(files_->Rename("set/cut", "set/away").ok());
  EXPECT_THAT(Damages(DirOf(1)), ElementsAre(HasSubstr("put the journal into the directory")));
}

TEST_F(JournalCutTest, RepairMovesTheSetsCutWhereTheEndIsLost) {
  for (const bool restart : {false, true}) {
    SCOPED_TRACE(restart);
    files_ = std::make_unique<SimulatedFiles>();
    WriteSet();
    KillSet(restart);
    Zero(kSetSegment, positions_[1]);
    const auto moved = ElementsAre(AllOf(HasSubstr("set/cut"), HasSubstr("moved back"),
                                         HasSubstr("other journals of the set")));
    EXPECT_THAT(Repair(DirOf(0), /*dry_run=*/true), moved);
    EXPECT_THAT(Repair(DirOf(0)), moved);
    EXPECT_THAT(Repair(DirOf(0)), IsEmpty());
    EXPECT_TRUE(Verify(DirOf(0)).ok());
    OpenSet(*files_);
    EXPECT_THAT(ReadSet(0), ElementsAre("one"));
    EXPECT_THAT(ReadSet(1), ElementsAre("one", "two"));
    AppendDurably(*journals_[0], "new");
    CloseAll();
  }
}

// What is behind the cut may be the effect of what another journal lost.
TEST_F(JournalCutTest, RepairCutsWhatWasNotAcknowledgedBeforeTheMachineWasStartedAnew) {
  for (const bool restart : {false, true}) {
    SCOPED_TRACE(restart);
    files_ = std::make_unique<SimulatedFiles>();
    WriteSet();
    KillSet(restart);
    // A gap over the cut: of "two", which was acknowledged, and "three", which was not.
    files_->FlipBit(kSetSegment, OffsetOf(positions_[1]) + 20, 0);
    files_->FlipBit(kSetSegment, OffsetOf(positions_[1]) + 2 * kFrameUnitBytes + 20, 0);
    const std::vector<std::string> actions = Repair(DirOf(0));
    ASSERT_THAT(actions, SizeIs(restart ? 2 : 1));
    EXPECT_THAT(actions[0], HasSubstr("made a gap"));
    if (restart) {
      EXPECT_THAT(actions[1], AllOf(HasSubstr("1 whole records here were not acknowledged"),
                                    HasSubstr("lost+found/position-")));
    }
    OpenSet(*files_);
    if (restart) {
      EXPECT_THAT(ReadSet(0), ElementsAre("one"));
    } else {
      EXPECT_THAT(ReadSet(0), ElementsAre("one", "four"));
    }
    AppendDurably(*journals_[0], "new");
    CloseAll();
  }
}

TEST_F(JournalCutTest, ASegmentThatRepairMadeAnewDoesNotHideThatTheMachineWasStarted) {
  OpenSet(*files_);
  AppendDurably(*journals_[0], "one");
  while (journals_[0]->tail().value() < kSegmentUnits + 10) {
    ASSERT_TRUE(journals_[0]->Append(Bytes("more")).ok());
  }
  KillSet(/*restart=*/true);
  files_->Write("set/shard-0/00000001.seg", 0, std::vector<std::byte>(64));
  EXPECT_THAT(Repair(DirOf(0)), SizeIs(2));
  OpenSet(*files_);
  EXPECT_THAT(ReadSet(0), ElementsAre("one"));
}

TEST_F(JournalCutTest, RepairLeavesAJournalWhoseSetIsOpen) {
  WriteSet();
  ASSERT_TRUE(journals_[0]->Close().ok());
  const absl::Status status = TryRepair(DirOf(0)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("set, is in use by pid 4711"));
  EXPECT_THAT(Repair(DirOf(0), /*dry_run=*/true), IsEmpty());
}

}  // namespace
}  // namespace bitactor::test
