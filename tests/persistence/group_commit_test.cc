// Journals that commit together: no cut has an effect without its cause.
#include "bitactor/persistence/group_commit.h"

#include <array>
#include <thread>

#include "commit_member.h"
#include "persistence/durability_fixture.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kJournals = 3;
// Journals that stand still: the look at all tails takes longer, and more can happen meanwhile.
constexpr uint32_t kIdleJournals = 110;

// What a record says about itself: its own number in its journal, and how many records of each
// journal it may depend on.
struct Causes {
  uint64_t number;
  std::array<uint64_t, kJournals> seen;
};

class GroupCommitTest : public JournalFixture {
 protected:
  const std::string kSet = "set";

  void TearDown() override { CloseAll(); }

  static std::string DirOf(uint32_t i) { return absl::StrFormat("set/shard-%d", i); }

  JournalOptions SetOptions(SimulatedFiles& files) {
    JournalOptions options = Options();
    options.files = &files;
    options.durability = Durability::kGroup;
    return options;
  }

  absl::Status OpenJournal(SimulatedFiles& files, uint32_t i) {
    JournalOptions options = SetOptions(files);
    options.group = group_.get();
    options.owner_number = i;
    absl::StatusOr<Journal> journal = Journal::Open(DirOf(i), options);
    if (!journal.ok()) return journal.status();
    journals_[i] = std::make_unique<Journal>(*std::move(journal));
    return absl::OkStatus();
  }
  // The idle ones stand behind the first of the others.
  void OpenSet(SimulatedFiles& files, uint32_t idle_journals = 0) {
    absl::StatusOr<std::unique_ptr<GroupCommit>> group = GroupCommit::Open(kSet, SetOptions(files));
    ASSERT_TRUE(group.ok()) << group.status();
    group_ = *std::move(group);
    for (uint32_t i = 0; i < kJournals; ++i) {
      const absl::Status status = OpenJournal(files, i);
      ASSERT_TRUE(status.ok()) << status;
      for (uint32_t idle = 0; i == 0 && idle < idle_journals; ++idle) {
        JournalOptions options = SetOptions(files);
        options.group = group_.get();
        options.owner_number = kJournals + idle;
        absl::StatusOr<Journal> journal =
            Journal::Open(absl::StrFormat("set/idle-%d", idle), options);
        ASSERT_TRUE(journal.ok()) << journal.status();
        idle_.push_back(*std::move(journal));
      }
    }
  }
  void CloseAll() {
    idle_.clear();
    for (auto& journal : journals_) journal = nullptr;
    group_ = nullptr;
  }

  // Of every journal, what its records say.
  static std::array<std::vector<Causes>, kJournals> HistoriesOf(
      const std::array<std::unique_ptr<Journal>, kJournals>& journals) {
    std::array<std::vector<Causes>, kJournals> histories;
    for (uint32_t i = 0; i < kJournals; ++i) {
      History history = journals[i]->Replay();
      for (const Record& record : history) {
        Causes causes;
        std::memcpy(&causes, record.bytes().data(), sizeof(causes));
        histories[i].push_back(causes);
      }
      EXPECT_TRUE(history.status().ok()) << history.status();
    }
    return histories;
  }

  std::unique_ptr<GroupCommit> group_;
  std::array<std::unique_ptr<Journal>, kJournals> journals_;
  std::vector<Journal> idle_;
};

Frame FrameOf(const Causes& causes, uint64_t stamp_ns) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = sizeof(causes);
  frame.header.stamp_ns = stamp_ns;
  std::memcpy(frame.payload, &causes, sizeof(causes));
  Seal(frame);
  return frame;
}

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

// Holds in every schedule: each cut that a reader sees is closed under happened-before.
TEST_F(GroupCommitTest, EveryCutOfRunningWritersIsClosedUnderHappenedBefore) {
  OpenSet(*files_, kIdleJournals);
  // A writer hands what it knows to the next one through a slot.
  struct Slot {
    Mutex mutex;
    Causes causes ABSL_GUARDED_BY(mutex){};
    uint64_t clock ABSL_GUARDED_BY(mutex) = 0;
  };
  std::array<Slot, kJournals> slots;
  const uint64_t records = static_cast<uint64_t>(Rounds(60'000));
  std::atomic<uint32_t> running = kJournals;
  const auto write = [&](uint32_t i) {
    Causes mine{};
    uint64_t clock = 0;
    for (uint64_t n = 0; n < records; ++n) {
      {
        Slot& slot = slots[(i + 1) % kJournals];
        MutexLock lock(&slot.mutex);
        clock = std::max(clock, slot.clock);
        for (uint32_t j = 0; j < kJournals; ++j) {
          mine.seen[j] = std::max(mine.seen[j], slot.causes.seen[j]);
        }
      }
      mine.number = n;
      BITACTOR_CHECK(journals_[i]->AppendFrame(FrameOf(mine, ++clock).header) != Position::None());
      mine.seen[i] = n + 1;  // what is caused from here on depends on this record
      MutexLock lock(&slots[i].mutex);
      slots[i].causes = mine;
      slots[i].clock = clock;
    }
    running.fetch_sub(1);
  };
  std::vector<std::thread> writers;
  for (uint32_t i = 0; i < kJournals; ++i) writers.emplace_back(write, i);
  std::vector<std::array<Position, kJournals>> cuts;
  while (running.load() > 0) {
    EXPECT_TRUE(group_->Commit().ok());
    cuts.emplace_back();
    for (uint32_t i = 0; i < kJournals; ++i) cuts.back()[i] = journals_[i]->durable();
  }
  for (std::thread& writer : writers) writer.join();

  const auto histories = HistoriesOf(journals_);
  std::array<std::vector<Position>, kJournals> positions;
  for (uint32_t i = 0; i < kJournals; ++i) {
    History history = journals_[i]->Replay();
    for (const Record& record : history) positions[i].push_back(record.position());
  }
  for (const auto& cut : cuts) {
    std::array<uint64_t, kJournals> counts;
    for (uint32_t i = 0; i < kJournals; ++i) {
      counts[i] =
          static_cast<uint64_t>(std::lower_bound(positions[i].begin(), positions[i].end(), cut[i]) -
                                positions[i].begin());
    }
    // Enough to look at the last ones: what a writer has seen only grows.
    for (uint32_t i = 0; i < kJournals; ++i) {
      if (counts[i] == 0) continue;
      const Causes& last = histories[i][counts[i] - 1];
      for (uint32_t j = 0; j < kJournals; ++j) ASSERT_LE(last.seen[j], counts[j]) << i << " " << j;
    }
  }
  EXPECT_GT(cuts.size(), 1u);
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

// With the helper threads, on the operating system's files.
TEST(GroupCommitThreadTest, ManyThreadsWaitForOneWriter) {
  const TempDir temp;
  absl::StatusOr<Journal> journal = Journal::Open(
      temp.File("journal"), {.durability = Durability::kGroup, .segment_bytes = 256 << 10});
  ASSERT_TRUE(journal.ok()) << journal.status();
  constexpr uint64_t kRecords = 3000;
  std::atomic<uint64_t> last = journal->Append(Bytes("first"))->value();
  std::atomic<bool> finished = false;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&] {
      while (!finished.load()) {
        const Position next(last.load());
        const absl::Status status = journal->WaitDurable(next);
        BITACTOR_CHECK(status.ok());
        BITACTOR_CHECK(journal->durable() > next);
      }
    });
  }
  for (uint64_t i = 0; i < kRecords; ++i) {
    const absl::StatusOr<Position> position = journal->Append(Bytes("a record"));
    ASSERT_TRUE(position.ok()) << position.status();
    last.store(position->value());
  }
  finished.store(true);
  for (std::thread& waiter : waiters) waiter.join();
  ASSERT_TRUE(journal->WaitDurable(Position(last.load())).ok());
  EXPECT_LT(journal->commit_counters().commits, kRecords);
  ASSERT_TRUE(journal->Close().ok());
  EXPECT_TRUE(VerifyJournal(temp.File("journal"))->ok());
}

TEST(GroupCommitThreadTest, ACommitComesWithoutBeingAskedFor) {
  SimulatedFiles files;
  JournalOptions options{.durability = Durability::kGroup, .files = &files};
  options.segment_bytes = 64 << 10;
  options.group_delay_us = 1;
  absl::StatusOr<Journal> journal = Journal::Open("journal", options);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const Position position = *journal->Append(Bytes("first"));
  while (journal->durable() <= position) std::this_thread::yield();
}

TEST(GroupCommitThreadTest, ACommitComesAfterSoManyRecords) {
  SimulatedFiles files;
  JournalOptions options{.durability = Durability::kGroup, .files = &files};
  options.segment_bytes = 64 << 10;
  options.group_records = 100;
  options.group_delay_us = 3'600'000'000;
  absl::StatusOr<Journal> journal = Journal::Open("journal", options);
  ASSERT_TRUE(journal.ok()) << journal.status();
  const Position first = *journal->Append(Bytes("first"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(journal->WaitDurable(first, absl::ZeroDuration())));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(journal->Append(Bytes("another")).ok());
  while (journal->durable() <= first) std::this_thread::yield();
}

TEST(GroupCommitThreadTest, OfWritersThatRaceForTheLockOneWins) {
  SimulatedFiles files;
  for (int round = 0; round < 20; ++round) {
    const std::string dir = absl::StrFormat("journal-%d", round);
    std::array<absl::StatusOr<Journal>, 2> opened = {absl::UnknownError(""),
                                                     absl::UnknownError("")};
    std::vector<std::thread> writers;
    for (auto& journal : opened) {
      writers.emplace_back([&] {
        journal = Journal::Open(
            dir, {.durability = Durability::kGroup, .segment_bytes = 64 << 10, .files = &files});
      });
    }
    for (std::thread& writer : writers) writer.join();
    ASSERT_NE(opened[0].ok(), opened[1].ok());
    const absl::Status& refused = opened[opened[0].ok() ? 1 : 0].status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  }
}

}  // namespace
}  // namespace bitactor::test
