// A real process that appends to a real journal is killed at random moments.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>

#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_verify.h"
#include "gtest/gtest.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

constexpr uint64_t kSegmentBytes = 256 << 10;

// Appends numbered frames from `first` on, and acknowledges each through the pipe once it is
// appended, until it is killed.
[[noreturn]] void AppendUntilKilled(const std::string& dir, uint64_t first, int acknowledge) {
  absl::StatusOr<Journal> journal = Journal::Open(dir, {.segment_bytes = kSegmentBytes});
  if (!journal.ok()) _exit(3);
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  for (uint64_t number = first;; ++number) {
    frame.header.message_id = number;
    frame.header.size_bytes = static_cast<uint8_t>(number % 129);
    Seal(frame);
    if (journal->AppendFrame(frame.header) == Position::None()) _exit(4);
    if (write(acknowledge, &number, sizeof(number)) != sizeof(number)) _exit(5);
  }
}

// Reads acknowledgements until `deadline`, then kills; returns the number after the last one.
uint64_t ReadThenKill(pid_t child, int pipe, uint64_t next, uint64_t numbers_to_read) {
  uint64_t number = 0;
  while (numbers_to_read-- > 0 && read(pipe, &number, sizeof(number)) == sizeof(number)) {
    EXPECT_EQ(number, next);
    next = number + 1;
  }
  kill(child, SIGKILL);
  while (read(pipe, &number, sizeof(number)) == sizeof(number)) {  // sent before the kill
    EXPECT_EQ(number, next);
    next = number + 1;
  }
  int how = 0;
  waitpid(child, &how, 0);
  EXPECT_TRUE(WIFSIGNALED(how)) << "the child ended by itself with " << WEXITSTATUS(how);
  return next;
}

TEST(JournalCrashTest, EveryAcknowledgedRecordSurvivesKillMinus9) {
  const TempDir temp;
  const std::string dir = temp.File("journal");
  std::mt19937_64 random(Seed());
  uint64_t next = 0;  // number of the first record that may be missing
  const int kills = Rounds(25);
  for (int round = 0; round < kills; ++round) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipes[0]);
      AppendUntilKilled(dir, next, pipes[1]);
    }
    close(pipes[1]);
    const uint64_t acknowledged = ReadThenKill(child, pipes[0], next, random() % 5000);
    close(pipes[0]);

    absl::StatusOr<Journal> journal = Journal::Open(dir, {.segment_bytes = kSegmentBytes});
    ASSERT_TRUE(journal.ok()) << journal.status();
    uint64_t present = 0;
    History history = journal->Replay();
    for (const Record& record : history) {
      ASSERT_EQ(record.frame().header.message_id, present);
      ++present;
    }
    ASSERT_TRUE(history.status().ok()) << history.status();
    ASSERT_GE(present, acknowledged) << "round " << round;
    ASSERT_LE(present, acknowledged + 1) << "round " << round;  // at most one was on its way
    next = present;
  }
  const absl::StatusOr<VerifyReport> report = VerifyJournal(dir);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->ok());
  EXPECT_EQ(report->records, next);
  EXPECT_GT(next, 0u);
}

}  // namespace
}  // namespace bitactor::test
