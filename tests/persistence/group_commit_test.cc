// Journals that commit together: no cut has an effect without its cause.
#include "bitactor/persistence/group_commit.h"

#include <algorithm>
#include <optional>
#include <random>

#include "commit_member.h"
#include "persistence/group_commit_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::HasSubstr;

class GroupCommitTest : public GroupCommitFixture {};

// Whether the first counts[i] records of each journal hold all that they depend on.
void ExpectClosed(const std::array<std::vector<Causes>, kJournals>& histories,
                  const std::array<uint64_t, kJournals>& counts) {
  for (uint32_t i = 0; i < kJournals; ++i) {
    ASSERT_LE(counts[i], histories[i].size());
    for (uint64_t n = 0; n < counts[i]; ++n) {
      for (uint32_t j = 0; j < kJournals; ++j) {
        ASSERT_LE(histories[i][n].seen[j], counts[j])
            << "record " << n << " of journal " << i << " without its cause in journal " << j;
      }
    }
  }
}

// Journals written by one thread, with a clock as a shard has it.
class World {
 public:
  explicit World(std::mt19937_64& random) : random_(random) {}

  // A record in journal i, caused by all that one of the journals had, or by nothing.
  Causes Step(uint32_t i) {
    if (random_() % 2 == 0) {
      const uint32_t from = static_cast<uint32_t>(random_() % kJournals);
      clocks_[i] = std::max(clocks_[i], clocks_[from]);
      for (uint32_t j = 0; j < kJournals; ++j) {
        causes_[i].seen[j] = std::max(causes_[i].seen[j], causes_[from].seen[j]);
      }
      causes_[i].seen[from] = std::max(causes_[i].seen[from], causes_[from].number);
    }
    // Clocks run at their own speeds.
    clocks_[i] += 1 + random_() % (i * 10 + 1);
    return Causes{causes_[i].number++, causes_[i].seen};
  }
  uint64_t clock(uint32_t i) const { return clocks_[i]; }

 private:
  std::mt19937_64& random_;
  std::array<Causes, kJournals> causes_{};
  std::array<uint64_t, kJournals> clocks_{};
};

TEST_F(GroupCommitTest, WaitingForOneJournalCommitsAll) {
  OpenSet(*files_);
  std::mt19937_64 random(Seed());
  World world(random);
  for (uint32_t i = 0; i < kJournals; ++i) {
    ASSERT_NE(journals_[i]->AppendFrame(FrameOf(world.Step(i), world.clock(i)).header),
              Position::None());
  }
  ASSERT_TRUE(journals_[1]->WaitDurable(Position(1)).ok());
  for (const auto& journal : journals_) EXPECT_EQ(journal->durable(), journal->tail());
  EXPECT_EQ(*ReadAcknowledged(kSet, 2, *files_), journals_[2]->tail());
}

// The files of three journals lose power before any of the commits' steps.
TEST_F(GroupCommitTest, AfterPowerLossTheSetIsClosedUnderHappenedBefore) {
  std::mt19937_64 random(Seed());
  const size_t cases = static_cast<size_t>(Rounds(300));
  struct Crash {
    std::unique_ptr<SimulatedFiles> files;
    std::array<Position, kJournals> durable;
  };
  for (size_t done = 0; done < cases && !HasFatalFailure(); ++done) {
    auto files = std::make_unique<SimulatedFiles>();
    std::optional<Crash> crash;
    uint64_t steps = 60 + random() % 200;
    files->OnStep([&] {
      if (steps-- != 0) return;
      crash.emplace();
      for (uint32_t i = 0; i < kJournals; ++i) {
        if (journals_[i] != nullptr) crash->durable[i] = journals_[i]->durable();
      }
      crash->files = files->AfterPowerLoss(random);
    });
    OpenSet(*files);
    World world(random);
    while (!crash.has_value()) {
      const uint32_t i = static_cast<uint32_t>(random() % kJournals);
      const Causes causes = world.Step(i);
      ASSERT_NE(journals_[i]->AppendFrame(FrameOf(causes, world.clock(i)).header),
                Position::None());
      if (random() % 16 == 0) {
        ASSERT_TRUE(group_->Commit().ok());
      }
      if (random() % 16 == 0) files->WriteBack(random);
    }
    files->OnStep({});
    CloseAll();

    OpenSet(*crash->files);
    if (HasFatalFailure()) break;
    for (uint32_t i = 0; i < kJournals; ++i) ASSERT_GE(journals_[i]->tail(), crash->durable[i]);
    const auto histories = HistoriesOf(journals_);
    ExpectClosed(histories, {histories[0].size(), histories[1].size(), histories[2].size()});
    CloseAll();
  }
}

// The two looks at a tail, one after the other.
TEST_F(GroupCommitTest, OfAJournalTheCutTakesWhatIsStampedBeforeWhatCameBetweenTheLooks) {
  MustOpen();
  std::vector<Position> positions;
  for (const uint64_t stamp_ns : {10, 20, 15, 30, 18, 40}) {
    positions.push_back(journal_->AppendFrame(FrameOf(Causes{}, stamp_ns).header));
  }
  std::atomic<uint64_t> tail = positions[3].value();
  bitactor::internal::CommitMember member(*files_, kDir, 0, kSegmentUnits, tail, 1, 1);
  ASSERT_EQ(member.ReadTail(), positions[3].value());
  EXPECT_EQ(*member.LeastStampBehindSeen(), ~uint64_t{0});
  EXPECT_EQ(*member.BeginningBelow(~uint64_t{0}), positions[3].value());
  tail = journal_->tail().value();
  EXPECT_EQ(*member.LeastStampBehindSeen(), 18u);
  EXPECT_EQ(*member.BeginningBelow(18), positions[1].value());
  EXPECT_EQ(*member.BeginningBelow(16), positions[1].value());
  EXPECT_EQ(*member.BeginningBelow(21), positions[3].value());
}

TEST_F(GroupCommitTest, NothingIsAcknowledgedWhileAJournalOfTheCutIsMissing) {
  OpenSet(*files_);
  CloseAll();
  group_ = GroupCommit::Open(kSet, SetOptions(*files_)).value();
  ASSERT_TRUE(OpenJournal(*files_, 0).ok());
  const Position position = *journals_[0]->Append(Bytes("early"));
  const absl::Status status = journals_[0]->WaitDurable(position);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("owner number 1, which is not open"));
  ASSERT_TRUE(OpenJournal(*files_, 1).ok());
  ASSERT_TRUE(OpenJournal(*files_, 2).ok());
  EXPECT_TRUE(journals_[0]->WaitDurable(position).ok());
}

TEST_F(GroupCommitTest, AJournalOfASetIsNotOpenedAlone) {
  OpenSet(*files_);
  CloseAll();
  const absl::Status status = Journal::Open(DirOf(0), Options()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("belongs to a set"));
}

TEST_F(GroupCommitTest, ASetHasOneOwner) {
  OpenSet(*files_);
  const absl::Status status = GroupCommit::Open(kSet, SetOptions(*files_)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use by pid 4711"));
}

TEST_F(GroupCommitTest, AnOwnerNumberIsGivenOnce) {
  OpenSet(*files_);
  JournalOptions options = SetOptions(*files_);
  options.group = group_.get();
  options.owner_number = 1;
  const absl::Status status = Journal::Open("set/other", options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("owner number 1 is taken by set/shard-1"));
}

TEST_F(GroupCommitTest, AFailedSyncStopsTheWholeSet) {
  OpenSet(*files_);
  const Position position = *journals_[0]->Append(Bytes("first"));
  files_->FailSync(absl::InternalError("Input/output error"));
  EXPECT_FALSE(journals_[0]->WaitDurable(position).ok());
  EXPECT_FALSE(journals_[1]->Append(Bytes("another")).ok());
  EXPECT_FALSE(group_->Commit().ok());
}

}  // namespace
}  // namespace bitactor::test
