// A journal of every format version, made once by the program of that version and kept for good in
// tests/data. BITACTOR_WRITE_GOLDEN=FILE writes one of the present version: for the day when there
// is a new one, never over an old one.
#include "support/golden_journal.h"

#include <cstdlib>
#include <fstream>

#include "bitactor/persistence/journal_verify.h"
#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::HasSubstr;

constexpr int kVersions = 2;

struct GoldenRecord {
  FrameKind kind;
  std::string payload;
  uint64_t number;  // in the journal; the other fields follow from it
};

std::string Pattern(size_t size_bytes, uint64_t number) {
  return std::string(size_bytes, static_cast<char>('a' + number % 26));
}

// What the golden journal of a version holds, in order: all kinds and sizes, then empty records of
// the full size until the first segment is full, then the kinds again; blocks since version 2.
std::vector<GoldenRecord> GoldenRecords(int version) {
  std::vector<GoldenRecord> records;
  const auto add = [&](FrameKind kind, std::string payload) {
    records.push_back({kind, std::move(payload), records.size()});
  };
  const auto some_of_each = [&] {
    for (const FrameKind kind :
         {FrameKind::kCast, FrameKind::kCall, FrameKind::kReply, FrameKind::kTimer,
          FrameKind::kSystem, FrameKind::kBlock, FrameKind::kRecord}) {
      // Only in version 1 a record like others.
      if (kind == FrameKind::kBlock && version > 1) continue;
      for (const size_t size_bytes : {0, 1, 63, 64, 65, 127, 128}) {
        add(kind, Pattern(size_bytes, records.size()));
      }
    }
    if (version < 2) return;
    for (const size_t size_bytes : {129, 1000}) {
      add(FrameKind::kCast, Pattern(size_bytes, records.size()));
    }
  };
  some_of_each();
  for (int i = 0; i < 330; ++i) add(FrameKind::kRecord, std::string(kMaxPayloadBytes, '\0'));
  some_of_each();
  // Over the end of a segment.
  if (version >= 2) add(FrameKind::kRecord, std::string(100'000, '\0'));
  return records;
}

Frame FrameOf(const GoldenRecord& golden, int version) {
  const auto number = static_cast<uint32_t>(golden.number);
  Frame frame{};
  FrameHeader& header = frame.header;
  header.kind = golden.kind;
  header.priority = number % 4;
  header.flags = number % (version == 1 ? 4 : 2);  // kFlagBlock meant nothing in version 1
  header.target_generation = static_cast<uint8_t>(number);
  header.message_id = MakeMessageId(2, number);
  header.correlation_id = number / 2;
  header.stamp_ns = 1'700'000'000'000'000'000 + number * 1000;
  header.trace = Mix64(number);
  header.parent_span = Mix64(number + 1);
  header.type = number * 7;
  header.deadline_us = number * 11;
  header.source = number * 13;
  header.target = number * 17;
  if (golden.payload.size() <= kMaxPayloadBytes) {
    header.size_bytes = static_cast<uint8_t>(golden.payload.size());
    std::copy_n(Bytes(golden.payload).data(), golden.payload.size(), frame.payload);
    Seal(frame);
  }
  return frame;
}

class GoldenJournalTest : public JournalFixture {
 protected:
  static std::string PathOf(int version) {
    return absl::StrFormat(BITACTOR_TEST_DATA "/journal_v%d.txt", version);
  }
  JournalOptions GoldenOptions() {
    JournalOptions options = Options();
    options.owner_number = 3;
    return options;
  }
  // Closed after every fortieth record.
  void WriteGolden() {
    const std::vector<GoldenRecord> records = GoldenRecords(kVersions);
    for (size_t at = 0; at < records.size();) {
      Journal journal = Journal::Open(kDir, GoldenOptions()).value();
      for (size_t end = std::min(at + 40, records.size()); at < end; ++at) {
        const Frame frame = FrameOf(records[at], kVersions);
        if (records[at].payload.size() > kMaxPayloadBytes) {
          ASSERT_TRUE(journal.AppendBlock(frame.header, Bytes(records[at].payload)).ok());
        } else {
          ASSERT_NE(journal.AppendFrame(frame.header), Position::None());
        }
      }
      ASSERT_TRUE(journal.Close().ok());
    }
  }
  void Restore(int version) {
    const std::string text = ReadText(PathOf(version));
    ASSERT_FALSE(text.empty()) << PathOf(version) << " is missing";
    files_ = std::make_unique<SimulatedFiles>();
    RestoreJournal(*files_, kDir, text);
  }
  // Every record, field and byte.
  static void ExpectGolden(History history, int version) {
    for (const GoldenRecord& golden : GoldenRecords(version)) {
      const Record* record = history.Next();
      ASSERT_NE(record, nullptr) << "record " << golden.number << ": " << history.status();
      ASSERT_TRUE(std::ranges::equal(record->bytes(), Bytes(golden.payload))) << golden.number;
      Frame expected = FrameOf(golden, version);
      ASSERT_EQ(CheckFrame(record->frame().header), FrameFault::kOk);
      if (golden.payload.size() > kMaxPayloadBytes) {
        expected.header.flags |= kFlagBlock;
        expected.header.size_bytes = record->frame().header.size_bytes;
        expected.header.crc32c = record->frame().header.crc32c;
      }
      ASSERT_EQ(std::memcmp(&record->frame().header, &expected.header, sizeof(FrameHeader)), 0)
          << golden.number;
    }
  }
};

TEST_F(GoldenJournalTest, EveryRecordOfEveryVersionIsRead) {
  for (int version = 1; version <= kVersions; ++version) {
    SCOPED_TRACE(version);
    Restore(version);
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, *files_);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(reader->owner_number(), 3u);
    ExpectGolden(reader->Replay(), version);
    const absl::StatusOr<VerifyReport> report = VerifyJournal(kDir, *files_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
    EXPECT_TRUE(report->closed_clean);
    EXPECT_EQ(report->records, GoldenRecords(version).size());
  }
}

TEST_F(GoldenJournalTest, EveryVersionIsContinued) {
  for (int version = 1; version <= kVersions; ++version) {
    SCOPED_TRACE(version);
    Restore(version);
    const std::string block(1000, 'n');
    absl::StatusOr<Journal> journal = Journal::Open(kDir, GoldenOptions());
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_TRUE(journal->recovery().closed_clean);
    ASSERT_TRUE(journal->Append(Bytes("new")).ok());
    ASSERT_TRUE(journal->Append(Bytes(block)).ok());
    ASSERT_TRUE(journal->Close().ok());
    const JournalReader reader = JournalReader::Open(kDir, *files_).value();
    ExpectGolden(reader.Replay(), version);
    std::vector<std::string> texts = TextsOf(reader.Replay());
    ASSERT_GE(texts.size(), 2u);
    EXPECT_EQ(texts[texts.size() - 2], "new");
    EXPECT_EQ(texts.back(), block);
    EXPECT_TRUE(VerifyJournal(kDir, *files_)->ok());
  }
}

// What an old version wrote stays as it is: new records go into a segment of the new version.
TEST_F(GoldenJournalTest, ASegmentOfAnOldVersionIsSealedAndNotContinued) {
  Restore(1);
  {
    absl::StatusOr<Journal> journal = Journal::Open(kDir, GoldenOptions());
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_TRUE(journal->Close().ok());
    // Opened and closed, nothing changes.
    EXPECT_EQ(DumpJournal(*files_, kDir), ReadText(PathOf(1)));
    journal = Journal::Open(kDir, GoldenOptions());
    ASSERT_TRUE(journal.ok() && journal->Append(Bytes("new")).ok());
  }
  EXPECT_EQ(files_->Read(SegmentFile(1))[8], std::byte{1});
  EXPECT_EQ(files_->Read(SegmentFile(2))[8], std::byte{2});
}

TEST_F(GoldenJournalTest, ThePresentVersionIsStillWrittenTheSameWay) {
  WriteGolden();
  const std::string text = DumpJournal(*files_, kDir);
  if (const char* path = std::getenv("BITACTOR_WRITE_GOLDEN")) std::ofstream(path) << text;
  EXPECT_EQ(text, ReadText(PathOf(kVersions)));
}

}  // namespace
}  // namespace bitactor::test
