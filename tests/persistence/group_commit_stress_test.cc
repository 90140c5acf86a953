// Commits while other threads append.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "bitactor/persistence/journal_verify.h"
#include "persistence/group_commit_fixture.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

// Journals that stand still: the look at all tails takes longer, and more can happen meanwhile.
constexpr uint32_t kIdleJournals = 110;

class GroupCommitStressTest : public GroupCommitFixture {};

// Holds in every schedule: each cut that a reader sees is closed under happened-before.
TEST_F(GroupCommitStressTest, EveryCutOfRunningWritersIsClosedUnderHappenedBefore) {
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
