// A journal whose files are truncated while they are read and written: no process dies of it, what
// is given is true, and what is missing is said.
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "absl/strings/str_format.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kSegmentBytes = 256 << 10;

Frame NumberedFrame(uint64_t number) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = 64;
  frame.header.message_id = number;
  Seal(frame);
  return frame;
}

class JournalCutShortTest : public ::testing::Test {
 protected:
  void MustOpen() {
    absl::StatusOr<Journal> opened =
        Journal::Open(dir_, {.segment_bytes = kSegmentBytes, .prepare_ahead = false});
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal_ = std::make_unique<Journal>(*std::move(opened));
  }
  void Append(uint64_t records) {
    for (uint64_t i = 0; i < records; ++i) {
      ASSERT_NE(journal_->AppendFrame(NumberedFrame(appended_).header), Position::None());
      ++appended_;
    }
  }
  // As root may, whoever has it mapped.
  void Cut(uint32_t segment, uint64_t bytes) {
    std::filesystem::resize_file(dir_ + "/0000000" + std::to_string(segment) + ".seg", bytes);
  }
  History Replay() {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(dir_);
    BITACTOR_CHECK(reader.ok());
    return reader->Replay();
  }
  // How many records come, in order, before the range ends.
  static uint64_t CountInOrder(History& history, uint64_t next = 0) {
    while (const Record* record = history.Next()) {
      EXPECT_EQ(record->frame().header.message_id, next);
      ++next;
    }
    return next;
  }

  const TempDir temp_;
  const std::string dir_ = temp_.File("journal");
  std::unique_ptr<Journal> journal_;
  uint64_t appended_ = 0;
};

TEST_F(JournalCutShortTest, AReaderSaysThatTheFileWasCut) {
  MustOpen();
  Append(1500);
  History history = Replay();
  ASSERT_NE(history.Next(), nullptr);
  Cut(0, 64 << 10);
  const uint64_t given = CountInOrder(history, 1);
  EXPECT_GT(given, 400u);
  EXPECT_LT(given, 512u);
  EXPECT_TRUE(absl::IsDataLoss(history.status()));
  EXPECT_THAT(std::string(history.status().message()),
              AllOf(HasSubstr("00000000.seg: offset "),
                    HasSubstr("the file was cut short while it was read: it had 262144 bytes and "
                              "has 65536"),
                    HasSubstr("bitactor journal verify")));
}

// There is no fault within the page where the file ends; what is missing of it reads as zeros.
TEST_F(JournalCutShortTest, ACutInsideTheLastPageIsNotTheEnd) {
  MustOpen();
  Append(2000);
  History history = Replay();
  ASSERT_NE(history.Next(), nullptr);
  Cut(0, kSegmentBytes - 128);
  EXPECT_EQ(CountInOrder(history, 1), 2000u);
  EXPECT_TRUE(absl::IsDataLoss(history.status())) << history.status();
}

TEST_F(JournalCutShortTest, VerifySaysThatTheFileWasCut) {
  MustOpen();
  Append(40'000);
  ASSERT_TRUE(journal_->Close().ok());
  std::string cut;
  const absl::StatusOr<VerifyReport> report =
      VerifyJournal(dir_, PosixFiles(), [&](uint64_t done, uint64_t total) {
        if (!cut.empty() || done < 64 << 10 || done == total) return;
        cut = absl::StrFormat("%08d.seg", done / kSegmentBytes);
        ASSERT_LT(done % kSegmentBytes, 100u << 10);  // it is in there
        std::filesystem::resize_file(dir_ + "/" + cut, 100 << 10);
      });
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_NE(cut, "");
  ASSERT_EQ(report->damage_count, 1u);
  EXPECT_EQ(report->damages[0].kind, DamageKind::kSegmentSize);
  EXPECT_THAT(report->damages[0].ToString(),
              AllOf(HasSubstr(cut), HasSubstr("the file was cut short while it was read")));
}

TEST_F(JournalCutShortTest, TheAppendThatHitsTheMissingPageIsRefusedAndAllAfterIt) {
  MustOpen();
  Append(100);
  Cut(0, 16 << 10);
  uint64_t accepted = 0;
  while (journal_->AppendFrame(NumberedFrame(appended_).header) != Position::None()) {
    ASSERT_LT(++accepted, 1000u);
    ++appended_;
  }
  EXPECT_LT(accepted, 64u);  // those in the page where the file ends
  EXPECT_TRUE(absl::IsDataLoss(journal_->last_refusal()));
  EXPECT_THAT(std::string(journal_->last_refusal().message()),
              HasSubstr("00000000.seg: the file was cut short, or its disk failed, while records "
                        "were appended to it; close the journal"));
  EXPECT_EQ(journal_->AppendFrame(NumberedFrame(0).header), Position::None());
  EXPECT_EQ(journal_->refused(), 2u);
  EXPECT_TRUE(absl::IsDataLoss(journal_->Close()));
  EXPECT_EQ(std::filesystem::file_size(dir_ + "/00000000.seg"), 16u << 10);
  EXPECT_TRUE(absl::IsDataLoss(Journal::Open(dir_, {.segment_bytes = kSegmentBytes}).status()));
}

TEST_F(JournalCutShortTest, ACutThatOnlyTheLastSealMeetsIsToldByClose) {
  MustOpen();
  Append(31);  // up to the end of the first page
  Append(1);
  Cut(0, 4096);
  EXPECT_TRUE(absl::IsDataLoss(journal_->Close()));
}

// In every schedule: files are cut at any moment while one thread appends and two read. What is
// read is in order and as it was appended, and no range ends in silence before a record that is
// missing.
TEST_F(JournalCutShortTest, NobodyDiesWhileFilesAreCutAtRandom) {
  std::mt19937_64 random(Seed());
  uint64_t refused_journals = 0, broken_reads = 0;
  for (int round = 0; round < Rounds(20); ++round) {
    const std::string dir = temp_.File("round" + std::to_string(round));
    absl::StatusOr<Journal> journal = Journal::Open(dir, {.segment_bytes = kSegmentBytes});
    ASSERT_TRUE(journal.ok()) << journal.status();
    std::atomic<bool> cut = false;
    std::atomic<uint64_t> wrong = 0, said = 0;
    const auto read = [&] {
      for (;;) {
        const bool last = cut.load();
        absl::StatusOr<JournalReader> reader = JournalReader::Open(dir);
        if (!reader.ok()) {  // the header may be gone
          ++said;
          if (last) return;
          continue;
        }
        History history = reader->Replay();
        uint64_t next = 0;
        while (const Record* record = history.Next()) {
          if (record->frame().header.message_id != next++) ++wrong;
        }
        if (!history.status().ok()) {
          ++said;
          if (!absl::IsDataLoss(history.status()) && !absl::IsOutOfRange(history.status())) ++wrong;
        }
        if (last) return;
      }
    };
    std::thread first(read), second(read);
    const uint64_t cut_at = 500 + random() % 6000;
    const uint64_t cut_bytes = random() % kSegmentBytes;
    bool refused = false;
    for (uint64_t number = 0; number < 12'000 && !refused; ++number) {
      refused = journal->AppendFrame(NumberedFrame(number).header) == Position::None();
      if (number != cut_at) continue;
      // Of the segments in use any one.
      const uint64_t segments = journal->tail().value() * kFrameUnitBytes / kSegmentBytes + 1;
      std::filesystem::resize_file(dir + "/0000000" + std::to_string(random() % segments) + ".seg",
                                   cut_bytes);
    }
    cut = true;
    first.join();
    second.join();
    EXPECT_EQ(wrong.load(), 0u);
    if (refused) {
      ++refused_journals;
      EXPECT_TRUE(absl::IsDataLoss(journal->last_refusal())) << journal->last_refusal();
    }
    if (said.load() > 0) ++broken_reads;
  }
  EXPECT_GT(broken_reads, 0u);
  EXPECT_GT(refused_journals, 0u);
}

}  // namespace
}  // namespace bitactor::test
