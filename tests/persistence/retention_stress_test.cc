// Retention while others append and read. In every schedule: a reader from the beginning sees an
// unbroken run of records or is told that it is too late, and no check finds damage.
#include <atomic>
#include <cstring>
#include <thread>

#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "gtest/gtest.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

TEST(RetentionStressTest, RetiresWhileOthersAppendAndRead) {
  const TempDir temp;
  const std::string dir = temp.File("journal");
  absl::StatusOr<Journal> journal = Journal::Open(dir, {.segment_bytes = 64 << 10});
  ASSERT_TRUE(journal.ok()) << journal.status();
  constexpr uint64_t kRecords = 60'000;
  std::atomic<bool> done = false;
  std::thread retirer([&] {
    while (!done.load(std::memory_order_relaxed)) {  // Relaxed: only when to stop.
      const absl::StatusOr<RetentionReport> report = journal->Retain({.max_bytes = 256 << 10});
      EXPECT_TRUE(report.ok()) << report.status();
    }
  });
  std::thread reader([&] {
    while (!done.load(std::memory_order_relaxed)) {  // Relaxed: only when to stop.
      absl::StatusOr<JournalReader> opened = JournalReader::Open(dir);
      ASSERT_TRUE(opened.ok()) << opened.status();
      History history = opened->Replay();
      uint64_t last = 0;
      for (const Record& record : history) {
        uint64_t number;
        ASSERT_EQ(record.bytes().size(), sizeof(number));
        std::memcpy(&number, record.bytes().data(), sizeof(number));
        if (last != 0) {
          ASSERT_EQ(number, last + 1);
        }
        last = number;
      }
      EXPECT_TRUE(history.status().ok() || absl::IsOutOfRange(history.status()))
          << history.status();
      const absl::StatusOr<VerifyReport> report = VerifyJournal(dir);
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_TRUE(report->ok()) << report->damages[0].ToString();
      const absl::StatusOr<JournalStat> stat = StatJournal(dir);
      EXPECT_TRUE(stat.ok()) << stat.status();
    }
  });
  for (uint64_t number = 1; number <= kRecords; ++number) {
    ASSERT_TRUE(journal->Append(std::as_bytes(std::span(&number, 1))).ok());
  }
  done.store(true, std::memory_order_relaxed);  // Relaxed: the threads are joined.
  retirer.join();
  reader.join();
  ASSERT_TRUE(journal->Close().ok());
  const absl::StatusOr<JournalStat> stat = StatJournal(dir);
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->records + stat->retired_records, kRecords);
  EXPECT_GT(stat->retired_records, 0u);
  EXPECT_TRUE(VerifyJournal(dir).value().ok());
}

}  // namespace
}  // namespace bitactor::test
