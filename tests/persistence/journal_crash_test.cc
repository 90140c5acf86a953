// A real process that appends to a real journal at full speed is killed at random moments, while
// others read the journal. Whatever is said to be appended is there afterwards, in order and as it
// was; nothing is there that was not appended; and no reader ever sees damage.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "gtest/gtest.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

constexpr int kKills = 200;
constexpr int kKillsPerJournal = 20;
constexpr int kReaders = 2;
constexpr uint64_t kNotKnown = ~uint64_t{0};
constexpr uint64_t kReaderPatienceNs = 60'000'000'000;

// What the processes tell each other. It costs the writer a store for each record, where a pipe
// would cost it a system call.
struct SharedPage {
  alignas(64) std::atomic<uint64_t> acknowledged{0};   // records that the writer knows are appended
  alignas(64) std::atomic<uint64_t> total{kNotKnown};  // where the readers are done
  std::array<char, 512> why{};                         // of a reader that met what it must not
};

class Shared {
 public:
  Shared() {
    void* page = mmap(nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BITACTOR_CHECK(page != MAP_FAILED);
    page_ = new (page) SharedPage;
  }
  ~Shared() { munmap(page_, sizeof(SharedPage)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  SharedPage* operator->() const { return page_; }

 private:
  SharedPage* page_;
};

// All of the frame follows from its number.
Frame NumberedFrame(uint64_t number) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = number;
  frame.header.size_bytes = static_cast<uint8_t>(number % 129);
  std::memset(frame.payload, static_cast<int>(number % 251), frame.header.size_bytes);
  Seal(frame);
  return frame;
}

bool IsNumbered(const Record& record, uint64_t number) {
  const Frame wanted = NumberedFrame(number);
  return std::memcmp(&record.frame(), &wanted, sizeof(FrameHeader) + number % 129) == 0;
}

// The journal's records must begin with those from `next` on; returns the number behind the last.
uint64_t CountFrom(History& history, uint64_t next) {
  while (const Record* record = history.Next()) {
    EXPECT_TRUE(IsNumbered(*record, next)) << "record " << next;
    ++next;
  }
  EXPECT_TRUE(history.status().ok()) << history.status();
  return next;
}

[[noreturn]] void AppendUntilKilled(const std::string& dir, const JournalOptions& options,
                                    uint64_t first, const Shared& shared) {
  absl::StatusOr<Journal> journal = Journal::Open(dir, options);
  if (!journal.ok()) _exit(3);
  for (uint64_t number = first;; ++number) {
    if (journal->AppendFrame(NumberedFrame(number).header) == Position::None()) _exit(4);
    shared->acknowledged.store(number + 1, std::memory_order_release);
  }
}

// Follows the journal over the deaths of its writers until it has seen all.
[[noreturn]] void FollowToTheTotal(const std::string& dir, const Shared& shared) {
  const auto fail = [&](const std::string& why) {
    std::strncpy(shared->why.data(), why.c_str(), shared->why.size() - 1);
    _exit(5);
  };
  absl::StatusOr<JournalReader> reader = JournalReader::Open(dir);
  if (!reader.ok()) fail(reader.status().ToString());
  uint64_t seen = 0;
  const auto is_done = [&] { return seen >= shared->total.load(std::memory_order_acquire); };
  History history = reader->Replay(
      {.follow = ReplayFollow{.poll_ns = 100'000,
                              .deadline_ns = SystemReplayClock().NowNs() + kReaderPatienceNs},
       .stop = is_done});
  while (const Record* record = history.Next()) {
    if (!IsNumbered(*record, seen)) fail(absl::StrCat("record ", seen, " is another one"));
    ++seen;
  }
  if (!history.status().ok()) fail(history.status().ToString());
  if (!is_done()) fail(absl::StrCat("no more than ", seen, " records came"));
  _exit(0);
}

pid_t Fork() {
  const pid_t child = fork();
  BITACTOR_CHECK(child >= 0);
  return child;
}

int WaitFor(pid_t child) {
  int how = 0;
  BITACTOR_CHECK_EQ(waitpid(child, &how, 0), child);
  return how;
}

// False when the writer ended by itself.
bool IsRunning(pid_t child) { return waitpid(child, nullptr, WNOHANG) == 0; }

class JournalCrashTest : public ::testing::Test {
 protected:
  // Starts a writer and kills it when `ready()`; returns the number of records in the journal then.
  template <typename Ready>
  uint64_t KillAWriter(const std::string& dir, uint64_t next, Ready ready) {
    shared_->acknowledged.store(next);
    const pid_t writer = Fork();
    if (writer == 0) AppendUntilKilled(dir, options_, next, shared_);
    while (!ready()) {
      if (!IsRunning(writer)) {
        ADD_FAILURE() << "the writer ended by itself";
        return next;
      }
      sched_yield();
    }
    kill(writer, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(WaitFor(writer)));
    return shared_->acknowledged.load();
  }

  const TempDir temp_;
  const Shared shared_;
  JournalOptions options_ = {.segment_bytes = 1 << 20};
};

TEST_F(JournalCrashTest, EveryAcknowledgedRecordSurvivesKillMinus9AndReadersSeeNoDamage) {
  std::mt19937_64 random(Seed());
  const int kills = Rounds(kKills);
  uint64_t on_their_way = 0;
  for (int killed = 0; killed < kills;) {
    const std::string dir = temp_.File("journal" + std::to_string(killed));
    ASSERT_TRUE(Journal::Open(dir, options_).ok());
    const absl::StatusOr<JournalReader> reader = JournalReader::Open(dir);
    ASSERT_TRUE(reader.ok()) << reader.status();
    shared_->total.store(kNotKnown);
    std::array<pid_t, kReaders> readers{};
    for (pid_t& process : readers) {
      process = Fork();
      if (process == 0) FollowToTheTotal(dir, shared_);
    }
    uint64_t next = 0;  // number of the first record that is not in the journal
    Position end;
    for (int round = 0; round < kKillsPerJournal; ++round, ++killed) {
      const uint64_t wanted = next + random() % 20'000;
      const uint64_t acknowledged =
          KillAWriter(dir, next, [&] { return shared_->acknowledged.load() >= wanted; });
      History history = reader->Replay({.from = end});
      next = CountFrom(history, next);
      end = history.next_position();
      ASSERT_GE(next, acknowledged) << "kill " << killed;
      ASSERT_LE(next, acknowledged + 1) << "kill " << killed;  // at most one was on its way
      on_their_way += next - acknowledged;
      if (HasFailure()) break;
    }
    shared_->total.store(next);
    for (const pid_t process : readers) EXPECT_EQ(WaitFor(process), 0) << shared_->why.data();
    ASSERT_FALSE(HasFailure());
    const absl::StatusOr<VerifyReport> report = VerifyJournal(dir);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->records, next);
    // A torn tail is no damage: the next writer cuts it.
    for (const Damage& damage : report->damages) EXPECT_EQ(damage.kind, DamageKind::kTornTail);
    std::filesystem::remove_all(dir);
  }
  std::printf("%d kills, %d records were on their way\n", kills, static_cast<int>(on_their_way));
}

// Not only while it appends: also while it makes the journal, recovers it and starts its helper.
TEST_F(JournalCrashTest, KilledAtAnyMomentOfItsLife) {
  std::mt19937_64 random(Seed());
  options_.segment_bytes = 64 << 10;  // a change of segments every few hundred records
  int before_its_first_record = 0, behind_it = 0;
  const int journals = Rounds(10);
  for (int i = 0; i < journals; ++i) {
    const std::string dir = temp_.File("journal" + std::to_string(i));
    uint64_t next = 0;
    Position end;
    for (int round = 0; round < 10; ++round) {
      uint64_t looks = random() % (round % 2 == 0 ? 30 : 300);
      const uint64_t acknowledged = KillAWriter(dir, next, [&] { return looks-- == 0; });
      ++(acknowledged == next ? before_its_first_record : behind_it);
      absl::StatusOr<Journal> journal = Journal::Open(dir, options_);
      ASSERT_TRUE(journal.ok()) << journal.status();
      History history = journal->Replay({.from = end});
      const uint64_t present = CountFrom(history, next);
      ASSERT_GE(present, acknowledged);
      ASSERT_LE(present, acknowledged + 1);
      ASSERT_FALSE(HasFailure());
      next = present;
      end = history.next_position();
    }
    const absl::StatusOr<VerifyReport> report = VerifyJournal(dir);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
    EXPECT_EQ(report->records, next);
    std::filesystem::remove_all(dir);
  }
  EXPECT_GT(before_its_first_record, 0);
  EXPECT_GT(behind_it, 0);
}

}  // namespace
}  // namespace bitactor::test
