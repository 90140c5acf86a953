// Where the parts of persistence meet: cuts, blocks, repair, retention, and readers of a live journal.
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bitactor/persistence/group_commit.h"
#include "bitactor/persistence/repair.h"
#include "persistence/retention_fixture.h"
#include "retired.h"
#include "segment_store.h"
#include "support/seed.h"

namespace bitactor::test {
namespace {

class JournalPartsTest : public RetentionFixture {
 protected:
  absl::StatusOr<Journal> OpenAt(Durability durability, GroupCommit* group = nullptr) {
    JournalOptions options = Options();
    options.durability = durability;
    options.group = group;
    return Journal::Open("journal", options);
  }
};

TEST_F(JournalPartsTest, ARefusedBlockLeavesTheSealRight) {
  MustOpen();
  files_->FailAllocations(absl::ResourceExhaustedError("full"));
  // One part in units 1 to 1021; its frame has no room in front of the seal's unit, and there is no
  // next segment.
  const std::string block(1020 * 64, 'x');
  EXPECT_FALSE(journal_->Append(Bytes(block)).ok());
  Append("");  // one unit: fits
  ASSERT_TRUE(journal_->Close().ok());
  journal_.reset();
  EXPECT_THAT(Damages(), ::testing::IsEmpty());
  EXPECT_TRUE(Open().ok()) << Open().status();
}

TEST_F(JournalPartsTest, AJournalThatRetiredCanBeOpenedAtGroup) {
  MustOpen();
  Fill(4);
  RetainBefore(2);
  ASSERT_TRUE(journal_->Close().ok());
  journal_.reset();
  for (Durability d : {Durability::kGroup, Durability::kEach}) {
    EXPECT_TRUE(OpenAt(d).ok()) << OpenAt(d).status();
  }
}

TEST_F(JournalPartsTest, AJournalThatRetiredBetweenTwoTimesAtGroupOpens) {
  {
    auto j = OpenAt(Durability::kGroup);
    ASSERT_TRUE(j.ok());
    ASSERT_TRUE(j->Append(Bytes("a")).ok());
    ASSERT_TRUE(j->Close().ok());
  }
  MustOpen();
  first_of_.clear();
  texts_.clear();
  Fill(4);
  RetainBefore(2);
  ASSERT_TRUE(journal_->Close().ok());
  journal_.reset();
  EXPECT_TRUE(OpenAt(Durability::kGroup).ok()) << OpenAt(Durability::kGroup).status();
}

TEST_F(JournalPartsTest, RepairMakesAJournalOpenableThatIsDamagedBelowItsCut) {
  {
    auto j = OpenAt(Durability::kEach);
    ASSERT_TRUE(j.ok());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(j->Append(Bytes("0123456789")).ok());
    ASSERT_TRUE(j->Close().ok());
  }
  // Units 1..20 records of two units, 21 the seal.
  files_->FlipBit("journal/00000000.seg", 19 * 64 + 20, 0);
  files_->FlipBit("journal/00000000.seg", 21 * 64 + 20, 0);
  auto report = RepairJournal(kDir, {.files = files_.get()});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(OpenAt(Durability::kEach).ok()) << OpenAt(Durability::kEach).status();
}

TEST_F(JournalPartsTest, RepairMovesTheCutOfAJournalWhoseEndIsZeroed) {
  {
    auto j = OpenAt(Durability::kEach);
    ASSERT_TRUE(j.ok());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(j->Append(Bytes("0123456789")).ok());
    ASSERT_TRUE(j->Close().ok());
  }
  files_->Write("journal/00000000.seg", 19 * 64, std::vector<std::byte>(64 * 10));
  auto report = RepairJournal(kDir, {.files = files_.get()});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(OpenAt(Durability::kEach).ok()) << OpenAt(Durability::kEach).status();
}

TEST_F(JournalPartsTest, RepairMovesTheCutBehindAGapThatReachesOverIt) {
  {
    auto j = OpenAt(Durability::kGroup);
    ASSERT_TRUE(j.ok());
    std::vector<Position> p;
    for (int i = 0; i < 10; ++i) p.push_back(*j->Append(Bytes("0123456789")));
    ASSERT_TRUE(j->WaitDurable(p.back()).ok());
    for (int i = 0; i < 10; ++i) p.push_back(*j->Append(Bytes("0123456789")));
    auto killed = files_->AfterKill();
    ASSERT_TRUE(j->Close().ok());
    files_ = std::move(killed);
  }
  files_->FlipBit("journal/00000000.seg", 19 * 64 + 20, 0);
  files_->FlipBit("journal/00000000.seg", 21 * 64 + 20, 0);
  files_->RestartMachine();
  auto report = RepairJournal(kDir, {.files = files_.get()});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(OpenAt(Durability::kGroup).ok()) << OpenAt(Durability::kGroup).status();
}

TEST_F(JournalPartsTest, AJournalOfOneSetIsRefusedByAnother) {
  JournalOptions o = Options();
  ASSERT_TRUE(files_->CreateDir("a").ok());
  ASSERT_TRUE(files_->CreateDir("b").ok());
  {
    auto a = GroupCommit::Open("a", o);
    ASSERT_TRUE(a.ok());
    auto j = OpenAt(Durability::kGroup, a->get());
    ASSERT_TRUE(j.ok()) << j.status();
    ASSERT_TRUE(j->Append(Bytes("one")).ok());
    ASSERT_TRUE(j->WaitDurable(*j->Append(Bytes("two"))).ok());
    ASSERT_TRUE(j->Close().ok());
  }
  files_->FlipBit("journal/00000000.seg", 3 * 64 + 20, 0);  // "two", which was acknowledged
  files_->FlipBit("journal/00000000.seg", 5 * 64 + 20, 0);
  auto b = GroupCommit::Open("b", o);
  ASSERT_TRUE(b.ok());
  auto j = OpenAt(Durability::kGroup, b->get());
  EXPECT_EQ(j.status().code(), absl::StatusCode::kFailedPrecondition) << j.status();
}

TEST_F(JournalPartsTest, DamageOfASegmentThatNobodyAsksForDoesNotHinderRetention) {
  MustOpen();
  Fill(4);
  files_->FlipBit("journal/00000002.seg", kSegmentBytes - 64 + 20, 0);
  auto r = journal_->Retain({.before = BeginOf(1)});
  EXPECT_TRUE(r.ok()) << r.status();
  auto r2 = journal_->Retain({.before = BeginOf(2)});
  EXPECT_TRUE(r2.ok()) << r2.status();
}

TEST_F(JournalPartsTest, ACutBelowTheFirstSegmentIsAnOldOne) {
  {
    auto j = OpenAt(Durability::kGroup);
    ASSERT_TRUE(j.ok());
    while (j->tail().value() < 3 * kSegmentUnits) ASSERT_TRUE(j->Append(Bytes("0123456789")).ok());
    ASSERT_TRUE(j->Append(Bytes("0123456789")).ok());
    auto r = j->Retain({.before = BeginOf(2)});
    ASSERT_TRUE(r.ok()) << r.status();
    auto killed = files_->AfterKill();
    ASSERT_TRUE(j->Close().ok());
    files_ = std::move(killed);
  }
  files_->RestartMachine();
  auto cut = files_->Read("journal/cut");
  uint64_t s0, s1;
  memcpy(&s0, cut.data() + 16, 8);
  memcpy(&s1, cut.data() + 4096 + 16, 8);
  files_->FlipBit("journal/cut", (s0 > s1 ? 0 : 4096) + 30, 0);
  EXPECT_TRUE(OpenAt(Durability::kGroup).ok()) << OpenAt(Durability::kGroup).status();
}

TEST_F(JournalPartsTest, ABlockWhoseFrameComesWhileVerifyLooksIsNoDamage) {
  MustOpen();
  Append(std::string(200, 'x'));  // a part of 1 + 4 units, the frame in unit 6
  const std::string path = "journal/00000000.seg";
  std::vector<std::byte> all = files_->Read(path);
  const std::vector<std::byte> word(all.begin() + 6 * 64, all.begin() + 6 * 64 + 8);
  files_->Write(path, 6 * 64,
                std::vector<std::byte>(8));  // as Store() leaves it before its last store
  int reads = 0;
  FaultyFiles live(*files_, [&](FileStep step, const std::string& of) {
    // ReadAt, ReadAt, SizeBytes, Map of opening; the next is SkipInvalid()'s look at the size.
    if (of == path && step == FileStep::kRead && ++reads == 5) files_->Write(path, 6 * 64, word);
    return absl::OkStatus();
  });
  absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, live);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << report->damages[0].ToString();
  EXPECT_EQ(report->records, 1u);
  EXPECT_EQ(report->abandoned_blocks, 0u);
}

TEST_F(JournalPartsTest, ASegmentThatWasRetiredAndIsStillThereIsNoDamage) {
  bool refuse = false;
  FaultyFiles dir(*files_, [&](FileStep step, const std::string& of) {
    return refuse && step == FileStep::kRemove && of.ends_with("00000001.seg")
               ? absl::UnavailableError("slow")
               : absl::OkStatus();
  });
  JournalOptions o = Options();
  o.files = &dir;
  auto j = Journal::Open(kDir, o);
  ASSERT_TRUE(j.ok());
  ASSERT_TRUE(j->Append(Bytes(std::string(80000, 'x'))).ok());  // from segment 0 into 1
  while (j->tail().value() < 2 * kSegmentUnits + 10) ASSERT_TRUE(j->Append(Bytes("record")).ok());
  bool done = false;
  FaultyFiles live(*files_, [&](FileStep step, const std::string& of) {
    if (step == FileStep::kOpen && of.ends_with("00000000.seg") && !done) {
      done = refuse = true;
      EXPECT_TRUE(absl::IsUnavailable(j->Retain({.before = BeginOf(2)}).status()));
    }
    return absl::OkStatus();
  });
  absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, live);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->ok()) << report->damages[0].ToString();
}

TEST_F(JournalPartsTest, ASegmentThatGoesMissingIsDamageToAReader) {
  MustOpen();
  Fill(4);
  ASSERT_TRUE(journal_->Close().ok());
  auto reader = JournalReader::Open(kDir, *files_);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(files_->Remove("journal/00000001.seg").ok());
  History h = reader->Replay();
  size_t n = 0;
  while (h.Next()) ++n;
  EXPECT_TRUE(absl::IsDataLoss(h.status())) << h.status();
}

TEST_F(JournalPartsTest, ABlockWhoseMiddleIsGoneIsPassedOver) {
  MustOpen();
  Append("a");
  Append(std::string(150000, 'x'));
  Append("b");
  Append(std::string(150000, 'y'));
  Append("c");
  ASSERT_TRUE(journal_->Close().ok());
  journal_.reset();
  ASSERT_TRUE(files_->Remove("journal/00000001.seg").ok());
  auto r = RepairJournal(kDir, {.files = files_.get()});
  ASSERT_TRUE(r.ok()) << r.status();
  MustOpen();
  std::vector<size_t> sizes;
  for (auto& t : TextsOf(journal_->Replay({.skip_gaps = true}))) sizes.push_back(t.size());
  EXPECT_THAT(sizes, ::testing::ElementsAre(1, 1, 150000, 1));
  EXPECT_THAT(Damages(), ::testing::IsEmpty());
  Append("d");
  ASSERT_TRUE(journal_->Close().ok());
  journal_.reset();
  MustOpen();
  EXPECT_THAT(Damages(), ::testing::IsEmpty());
}

// Random: blocks and records with refusals for space, close/reopen: nothing lost or invented.
TEST_F(JournalPartsTest, RefusedBlocksLoseAndInventNothing) {
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(Rounds(100)); ++seed) {
    journal_.reset();
    files_ = std::make_unique<SimulatedFiles>();
    std::mt19937_64 random(Seed() + seed);
    std::vector<std::string> expected;
    MustOpen();
    for (int step = 0; step < 40; ++step) {
      const auto dice = random() % 100;
      if (dice < 8) {
        files_->FailAllocations(absl::ResourceExhaustedError("full"), random() % 2);
      } else if (dice < 16)
        files_->AllowAllocations();
      else if (dice < 26) {
        (void)journal_->Close();
        journal_.reset();
        files_->AllowAllocations();
        MustOpen();
        if (HasFatalFailure()) return;
      } else {
        size_t size = dice < 60 ? random() % 300 : dice < 90 ? random() % 70000 : random() % 200000;
        // often to the very end of the segment
        if (random() % 4 == 0) {
          uint64_t room = (kSegmentUnits - journal_->tail().value() % kSegmentUnits) * 64;
          size = room > 512 ? room - 64 * (random() % 7) - random() % 2 : 0;
        }
        std::string text(size, char('a' + step % 26));
        auto p = journal_->Append(Bytes(text));
        if (p.ok()) expected.push_back(text);
      }
    }
    (void)journal_->Close();
    journal_.reset();
    files_->AllowAllocations();
    MustOpen();
    if (HasFatalFailure()) return;
    ASSERT_EQ(TextsOf(journal_->Replay()), expected) << seed;
    ASSERT_THAT(Damages(), ::testing::IsEmpty()) << seed;
  }
}

// The same with a cut and power losses at group level.
TEST_F(JournalPartsTest, RetentionAndPowerLossLoseNothingAcknowledged) {
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(Rounds(100)); ++seed) {
    files_ = std::make_unique<SimulatedFiles>();
    std::mt19937_64 random(Seed() + seed);
    std::vector<std::pair<uint64_t, std::string>> all;
    const auto open = [&]() {
      auto o = Options();
      o.durability = Durability::kGroup;
      return Journal::Open(kDir, o);
    };
    auto opened = open();
    ASSERT_TRUE(opened.ok());
    auto j = std::make_unique<Journal>(*std::move(opened));
    uint64_t durable = 0, first = 0;
    for (int step = 0; step < 40; ++step) {
      const auto dice = random() % 100;
      if (dice < 10) {
        auto r = j->Retain({.max_bytes = kSegmentBytes * (1 + random() % 3)});
        ASSERT_TRUE(r.ok()) << seed << r.status();
        first = std::max(first, r->first.value());
      } else if (dice < 20) {
        ASSERT_TRUE(all.empty() || all.back().first < j->tail().value());
        if (!all.empty()) {
          ASSERT_TRUE(j->WaitDurable(Position(all.back().first)).ok()) << seed;
        }
        durable = j->durable().value();
      } else if (dice < 30) {
        durable = std::max(durable, j->durable().value());
        auto after = random() % 2   ? files_->AfterPowerLoss(random)
                     : random() % 2 ? files_->AfterLossOfAllUnsynced()
                                    : files_->AfterKill();
        (void)j->Close();
        j.reset();
        files_ = std::move(after);
        auto again = open();
        ASSERT_TRUE(again.ok()) << seed << " " << step << again.status();
        j = std::make_unique<Journal>(*std::move(again));
        while (!all.empty() && all.back().first >= j->tail().value()) {
          ASSERT_GE(all.back().first, durable) << seed;
          all.pop_back();
        }
      } else {
        size_t size = dice < 70 ? random() % 300 : random() % 90000;
        std::string text(size, char('a' + step % 26));
        auto p = j->Append(Bytes(text));
        ASSERT_TRUE(p.ok()) << seed << p.status();
        all.emplace_back(p->value(), text);
      }
      std::vector<std::string> expected;
      for (auto& [p, t] : all)
        if (p >= first) expected.push_back(t);
      if (step % 8 == 0) {
        ASSERT_EQ(TextsOf(j->Replay()), expected) << seed << " " << step;
        ASSERT_THAT(Damages(), ::testing::IsEmpty()) << seed;
      }
    }
  }
}

// Its first segments are retired, all but the last one that a name can number.
TEST_F(JournalPartsTest, BehindTheLastSegmentThatCanBeNumberedAppendsAreRefused) {
  using bitactor::internal::kMaxSegmentIndex;
  for (const bool prepare_ahead : {false, true}) {
    SCOPED_TRACE(prepare_ahead);
    files_ = std::make_unique<SimulatedFiles>();
    JournalOptions options = Options();
    ASSERT_TRUE(files_->CreateDir(kDir).ok());
    const bitactor::internal::SegmentMaker maker{.files = files_.get(),
                                                 .dir = kDir,
                                                 .segment_bytes = kSegmentBytes,
                                                 .owner_number = 0,
                                                 .random = options.random,
                                                 .now_ns = options.now_ns};
    ASSERT_TRUE(maker.Make(kMaxSegmentIndex).ok());
    bitactor::internal::Retired retired;
    retired.first_segment = kMaxSegmentIndex;
    ASSERT_TRUE(bitactor::internal::WriteRetired(*files_, kDir, retired).ok());
    options.prepare_ahead = prepare_ahead;
    journal_ = std::make_unique<Journal>(Journal::Open(kDir, options).value());
    const std::string text(128, 'x');
    absl::StatusOr<Position> position;
    size_t records = 0;
    while ((position = journal_->Append(Bytes(text))).ok()) ++records;
    EXPECT_TRUE(absl::IsOutOfRange(position.status())) << position.status();
    EXPECT_THAT(
        std::string(position.status().message()),
        ::testing::HasSubstr("would be 100000000, and the last that is possible is 99999999"));
    EXPECT_EQ(records, (kSegmentUnits - 2) / 3);
    ASSERT_TRUE(journal_->Close().ok());
    journal_.reset();
    EXPECT_THAT(Damages(), ::testing::IsEmpty());
    MustOpen();
    EXPECT_THAT(Replayed(), ::testing::SizeIs(records));
    journal_.reset();
  }
}

}  // namespace
}  // namespace bitactor::test
