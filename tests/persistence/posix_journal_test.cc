// The journal on the operating system's files.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class PosixJournalTest : public ::testing::Test {
 protected:
  const TempDir temp_;
  const std::string dir_ = temp_.File("journal");
  const JournalOptions options_ = {.segment_bytes = 256 << 10};
};

Frame SealedFrame(uint64_t message_id) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = 64;
  frame.header.message_id = message_id;
  Seal(frame);
  return frame;
}

TEST_F(PosixJournalTest, KeepsManySegmentsThroughAReopening) {
  constexpr uint64_t kRecords = 20'000;
  {
    absl::StatusOr<Journal> journal = Journal::Open(dir_, options_);
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (uint64_t i = 0; i < kRecords; ++i) {
      ASSERT_NE(journal->AppendFrame(SealedFrame(i).header), Position::None());
    }
    ASSERT_TRUE(journal->Close().ok());
  }
  absl::StatusOr<Journal> journal = Journal::Open(dir_, options_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  uint64_t i = 0;
  History history = journal->Replay();
  for (const Record& record : history) ASSERT_EQ(record.frame().header.message_id, i++);
  EXPECT_EQ(i, kRecords);
  EXPECT_TRUE(VerifyJournal(dir_)->ok());
}

TEST_F(PosixJournalTest, CloseRemovesTheSegmentMadeAhead) {
  absl::StatusOr<Journal> journal = Journal::Open(dir_, options_);
  ASSERT_TRUE(journal.ok());
  const auto next_is_there = [&] { return *PosixFiles().Exists(dir_ + "/00000001.seg"); };
  for (uint64_t i = 0; i < 1200; ++i) journal->AppendFrame(SealedFrame(i).header);
  while (!next_is_there()) std::this_thread::yield();
  ASSERT_TRUE(journal->Close().ok());
  EXPECT_FALSE(next_is_there());
}

TEST_F(PosixJournalTest, InUseNamesThePidOfTheOwner) {
  absl::StatusOr<Journal> journal = Journal::Open(dir_, options_);
  ASSERT_TRUE(journal.ok());
  const absl::Status status = Journal::Open(dir_, options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat(dir_, " is in use by pid ", getpid(), " since 20")));
  EXPECT_EQ(StatJournal(dir_)->owner->pid, getpid());
}

TEST_F(PosixJournalTest, LockOfADeadProcessIsNoObstacle) {
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<Journal> journal = Journal::Open(dir_, {.prepare_ahead = false});
    _exit(journal.ok() ? 0 : 1);  // without closing
  }
  int how = 0;
  waitpid(child, &how, 0);
  ASSERT_EQ(WEXITSTATUS(how), 0);
  EXPECT_TRUE(Journal::Open(dir_, options_).ok());
}

TEST_F(PosixJournalTest, WhatAWriterThatDiedCommittedIsDurable) {
  for (const Durability level : {Durability::kGroup, Durability::kEach}) {
    JournalOptions options = options_;
    options.durability = level;
    options.prepare_ahead = false;
    const pid_t child = fork();
    if (child == 0) {
      absl::StatusOr<Journal> journal = Journal::Open(dir_, options);
      if (!journal.ok()) _exit(1);
      const Position position = journal->AppendFrame(SealedFrame(1).header);
      _exit(journal->WaitDurable(position).ok() && journal->durable() > position ? 0 : 2);
    }
    int how = 0;
    waitpid(child, &how, 0);
    ASSERT_EQ(WEXITSTATUS(how), 0);
    const Position tail = StatJournal(dir_)->tail;
    EXPECT_EQ(StatJournal(dir_)->acknowledged, tail);
    absl::StatusOr<Journal> journal = Journal::Open(dir_, options);
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_EQ(journal->recovery().acknowledged, tail);
    EXPECT_EQ(journal->durable(), tail);
  }
}

TEST_F(PosixJournalTest, GroupGoesOverManySegments) {
  JournalOptions options = options_;
  options.durability = Durability::kGroup;
  absl::StatusOr<Journal> journal = Journal::Open(dir_, options);
  ASSERT_TRUE(journal.ok()) << journal.status();
  Position last;
  for (uint64_t i = 0; i < 20'000; ++i) last = journal->AppendFrame(SealedFrame(i).header);
  ASSERT_TRUE(journal->WaitDurable(last).ok());
  EXPECT_EQ(JournalReader::Open(dir_)->acknowledged().value(), journal->durable());
  EXPECT_GT(journal->durable(), last);
  const CommitCounters counters = journal->commit_counters();
  EXPECT_GE(counters.synced_bytes, 20'000u * 128);
  ASSERT_TRUE(journal->Close().ok());
  EXPECT_TRUE(VerifyJournal(dir_)->ok());
}

TEST_F(PosixJournalTest, AnotherProcessReadsTheLiveTail) {
  absl::StatusOr<Journal> journal = Journal::Open(dir_, options_);
  ASSERT_TRUE(journal.ok());
  for (uint64_t i = 0; i < 5000; ++i) journal->AppendFrame(SealedFrame(i).header);
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<VerifyReport> report = VerifyJournal(dir_);
    _exit(report.ok() && report->ok() && report->records == 5000 ? 0 : 1);
  }
  int how = 0;
  waitpid(child, &how, 0);
  EXPECT_EQ(WEXITSTATUS(how), 0);
}

TEST_F(PosixJournalTest, FileInsteadOfDirectoryIsRefused) {
  ASSERT_TRUE(PosixFiles().Open(dir_, FileSystem::OpenMode::kCreate).ok());
  const absl::Status status = Journal::Open(dir_, options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("is a file where a directory is needed"));
}

TEST_F(PosixJournalTest, UnwritableDirectoryIsRefused) {
  ASSERT_EQ(mkdir(dir_.c_str(), 0555), 0);
  ASSERT_EQ(chmod(temp_.path().c_str(), 0755), 0);
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const absl::Status status = Journal::Open(dir_, options_).status();
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(dir_ + "/lock"), HasSubstr("Permission denied")));
}

TEST_F(PosixJournalTest, MappingBehindTheEndIsRefused) {
  const std::string path = temp_.File("short");
  auto file = PosixFiles().Open(path, FileSystem::OpenMode::kCreate);
  ASSERT_TRUE(file.ok() && (*file)->Resize(4096).ok());
  EXPECT_TRUE(absl::IsOutOfRange((*file)->Map(0, 8192, File::Access::kRead).status()));
  EXPECT_TRUE(absl::IsOutOfRange((*file)->Map(8192, 1, File::Access::kRead).status()));
}

TEST_F(PosixJournalTest, StoresIntoAMappingAreReadFromTheFile) {
  auto file = PosixFiles().Open(temp_.File("mapped"), FileSystem::OpenMode::kCreate);
  ASSERT_TRUE(file.ok() && (*file)->Allocate(8192).ok());
  auto mapping = (*file)->Map(4096, 4096, File::Access::kReadWrite);
  ASSERT_TRUE(mapping.ok());
  (*mapping)->Populate(0, 4096);
  (*mapping)->data()[10] = std::byte{42};
  std::byte read[1];
  ASSERT_EQ(*(*file)->ReadAt(4096 + 10, read), 1u);
  EXPECT_EQ(read[0], std::byte{42});
}

TEST_F(PosixJournalTest, ReadsEndAtTheEndOfTheFile) {
  auto file = PosixFiles().Open(temp_.File("short"), FileSystem::OpenMode::kCreate);
  ASSERT_TRUE(file.ok() && (*file)->Resize(10).ok());
  std::byte read[16];
  EXPECT_EQ(*(*file)->ReadAt(4, read), 6u);
  EXPECT_EQ(*(*file)->ReadAt(20, read), 0u);
}

TEST_F(PosixJournalTest, ErrorsNameThePath) {
  const absl::Status status =
      PosixFiles().Open(temp_.File("nothing"), FileSystem::OpenMode::kRead).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(temp_.File("nothing")));
}

TEST_F(PosixJournalTest, LockNoteIsReadableByPeople) {
  const auto lock = PosixFiles().Lock(temp_.File("lock"), 1'767'349'323'000'000'000);
  ASSERT_TRUE(lock.ok());
  auto file = PosixFiles().Open(temp_.File("lock"), FileSystem::OpenMode::kRead);
  std::string note(200, '\0');
  note.resize(*(*file)->ReadAt(0, std::as_writable_bytes(std::span(note))));
  EXPECT_THAT(note, MatchesRegex("pid [0-9]+\nsince 2026-01-02 10:22:03\n"
                                 "process_start_ticks [0-9]+\n"));
}

}  // namespace
}  // namespace bitactor::test
