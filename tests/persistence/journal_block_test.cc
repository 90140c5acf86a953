// Records that are longer than a frame.
#include <cstring>

#include "bitactor/persistence/journal_verify.h"
#include "persistence/journal_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bytes that differ from place to place, so that parts cannot be confused.
std::string Block(size_t size_bytes, uint64_t number = 0) {
  std::string bytes(size_bytes, '\0');
  for (size_t at = 0; at < size_bytes; ++at) {
    bytes[at] = static_cast<char>(Mix64(number * kMaxBlockBytes + at + 1));
  }
  return bytes;
}

FrameHeader Fields() {
  FrameHeader fields{};
  fields.kind = FrameKind::kRecord;
  return fields;
}

class JournalBlockTest : public JournalFixture {
 protected:
  VerifyReport Verify() { return VerifyJournal(kDir, *files_).value(); }
  // As if the writer had died before the last `units` units were stored.
  void CutBefore(Position tail, uint64_t units) {
    files_->Write(SegmentFile(static_cast<uint32_t>(tail.value() / kSegmentUnits)),
                  OffsetOf(Position(tail.value() - units)), std::vector<std::byte>(units * 64));
  }
};

TEST_F(JournalBlockTest, EveryLengthIsReadBackAsOneRecord) {
  MustOpen();
  std::vector<std::string> texts;
  for (const size_t size_bytes : {129, 4096, 1, 192, 63, 64, 65, 60 << 10, 64 << 10, 200'000}) {
    texts.push_back(Block(size_bytes, texts.size()));
    ASSERT_TRUE(journal_->AppendBlock(Fields(), Bytes(texts.back())).ok());
    texts.push_back("small " + std::to_string(size_bytes));
    Append(texts.back());
  }
  EXPECT_TRUE(Replayed() == texts);
  EXPECT_TRUE(Verify().ok());
  EXPECT_EQ(Verify().records, texts.size());
  EXPECT_EQ(Verify().abandoned_blocks, 0u);
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_TRUE(journal_->recovery().closed_clean);
  EXPECT_TRUE(Replayed() == texts);
}

TEST_F(JournalBlockTest, TheLongestBlockGoesOverManySegments) {
  MustOpen();
  const std::string longest = Block(kMaxBlockBytes);
  Append("before");
  Append(longest);
  Append("behind");
  EXPECT_GT(journal_->tail().value(), 256 * kSegmentUnits);
  EXPECT_TRUE((Replayed() == std::vector<std::string>{"before", longest, "behind"}));
  EXPECT_TRUE(Verify().ok());
}

TEST_F(JournalBlockTest, ATooLongOneIsRefusedWithSizeAndLimit) {
  MustOpen();
  const Position tail = journal_->tail();
  const absl::Status status = journal_->Append(std::vector<std::byte>(kMaxBlockBytes + 1)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("16777217 bytes; 1 to 16777216"));
  EXPECT_TRUE(absl::IsInvalidArgument(journal_->AppendBlock(Fields(), {}).status()));
  EXPECT_EQ(journal_->tail(), tail);
}

TEST_F(JournalBlockTest, TheFieldsOfTheFrameAreKept) {
  MustOpen();
  FrameHeader fields{};
  fields.kind = FrameKind::kCast;
  fields.priority = 2;
  fields.flags = kFlagError;
  fields.message_id = 5;
  fields.stamp_ns = 77;
  fields.target = 9;
  const absl::StatusOr<Position> position = journal_->AppendBlock(fields, Bytes(Block(1000)));
  ASSERT_TRUE(position.ok()) << position.status();
  History history = journal_->Replay({.from = *position});
  const Record* record = history.Next();
  ASSERT_NE(record, nullptr) << history.status();
  EXPECT_EQ(record->position(), *position);
  const FrameHeader& header = record->frame().header;
  EXPECT_EQ(CheckFrame(header), FrameFault::kOk);
  EXPECT_EQ(header.kind, FrameKind::kCast);
  EXPECT_EQ(header.priority, 2);
  EXPECT_EQ(header.flags, kFlagError | kFlagBlock);
  EXPECT_EQ(header.message_id, 5u);
  EXPECT_EQ(header.stamp_ns, 77u);
  EXPECT_EQ(header.target, 9u);
  EXPECT_EQ(record->bytes().size(), 1000u);
}

TEST_F(JournalBlockTest, AChecksumThatIsTakenOverIsWhatReadersCheck) {
  MustOpen();
  const std::string one_part = Block(1000, 1);
  const std::string parts = Block(200'000, 2);
  for (const std::string& text : {one_part, parts}) {
    ASSERT_TRUE(
        journal_->AppendBlock(Fields(), Bytes(text), Crc32c(0, text.data(), text.size())).ok());
  }
  EXPECT_TRUE((Replayed() == std::vector<std::string>{one_part, parts}));
  EXPECT_TRUE(Verify().ok());
  // As if the bytes had changed since it was computed.
  ASSERT_TRUE(
      journal_
          ->AppendBlock(Fields(), Bytes(one_part), Crc32c(0, one_part.data(), one_part.size()) ^ 1)
          .ok());
  EXPECT_FALSE(Verify().ok());
  History history = journal_->Replay();
  while (history.Next() != nullptr) {
  }
  EXPECT_TRUE(absl::IsDataLoss(history.status())) << history.status();
}

TEST_F(JournalBlockTest, ABlockOfAnEarlierSegmentIsReadFromItsPosition) {
  MustOpen();
  FillSegments(1);
  const std::string block = Block(150'000);
  const Position position = Append(block);
  Append("behind");
  EXPECT_TRUE(
      (TextsOf(journal_->Replay({.from = position})) == std::vector<std::string>{block, "behind"}));
}

TEST_F(JournalBlockTest, ACopyOfARecordKeepsItsBytes) {
  MustOpen();
  Append(Block(1000, 1));
  Append(Block(1000, 2));
  History history = journal_->Replay();
  const Record first = *history.Next();
  history.Next();
  EXPECT_EQ(std::memcmp(first.bytes().data(), Block(1000, 1).data(), 1000), 0);
}

TEST_F(JournalBlockTest, RefusedInTheMiddleLeavesNothingToRead) {
  MustOpen();
  Append("before");
  files_->FailAllocations(absl::ResourceExhaustedError("disk full"), 1);
  EXPECT_TRUE(absl::IsResourceExhausted(journal_->Append(Bytes(Block(200'000))).status()));
  EXPECT_EQ(journal_->refused(), 1u);
  files_->AllowAllocations();
  Append("small");
  const std::string block = Block(200'000, 2);
  Append(block);
  EXPECT_TRUE((Replayed() == std::vector<std::string>{"before", "small", block}));
  EXPECT_TRUE(Verify().ok());
  EXPECT_EQ(Verify().abandoned_blocks, 1u);
  ASSERT_TRUE(journal_->Close().ok());
  MustOpen();
  EXPECT_TRUE(Verify().ok());
}

TEST_F(JournalBlockTest, PartsOfADeadWriterAreAbandonedAndCounted) {
  for (const bool again : {false, true}) {
    files_ = std::make_unique<SimulatedFiles>();
    MustOpen();
    Append("before");
    Append(Block(100'000));
    const Position tail = journal_->tail();
    Kill();
    CutBefore(tail, 2);  // the record's frame
    EXPECT_TRUE(Verify().ok());
    EXPECT_EQ(Verify().abandoned_blocks, 1u);
    MustOpen();
    EXPECT_EQ(journal_->recovery().torn_bytes, 0u);
    EXPECT_EQ(journal_->tail().value(), tail.value() - 2);
    const std::string behind = again ? Block(100'000) : "behind";
    Append(behind);
    EXPECT_TRUE((Replayed() == std::vector<std::string>{"before", behind}));
    ASSERT_TRUE(journal_->Close().ok());
    EXPECT_TRUE(Verify().ok());
    EXPECT_EQ(Verify().abandoned_blocks, 1u);
  }
}

TEST_F(JournalBlockTest, ABodyWithoutItsHeaderIsATornTail) {
  MustOpen();
  Append("before");
  const Position begin = journal_->tail();
  Append(Block(1000));
  Kill();
  CutBefore(Position(begin.value() + 1), 1);
  CutBefore(Position(begin.value() + 19), 2);
  MustOpen();
  EXPECT_EQ(journal_->tail(), begin);
  EXPECT_EQ(journal_->recovery().torn_bytes, 17 * 64u);
}

TEST_F(JournalBlockTest, DamageOfABodyNamesThePart) {
  MustOpen();
  const Position part = journal_->tail();
  const Position position = Append(Block(1000));
  Append("behind");
  ASSERT_TRUE(journal_->Close().ok());
  files_->FlipBit(SegmentFile(0), OffsetOf(part) + 64 + 999, 0);
  EXPECT_THAT(TextsOf(JournalReader::Open(kDir, *files_)->Replay()),
              ElementsAre(AllOf(HasSubstr("offset 64 (position 1)"),
                                HasSubstr("record at position " + position.ToString()))));
  const VerifyReport report = Verify();
  ASSERT_EQ(report.damages.size(), 2u);
  EXPECT_EQ(report.damages[0].kind, DamageKind::kRecord);
  EXPECT_EQ(report.damages[0].position, part);
  EXPECT_EQ(report.damages[0].bytes, 17 * 64u);
  EXPECT_EQ(report.damages[1].kind, DamageKind::kBlock);
  EXPECT_EQ(report.damages[1].position, position);
  OpenError();
}

TEST_F(JournalBlockTest, AMissingSegmentOfABlockIsNamed) {
  MustOpen();
  const Position position = Append(Block(200'000));
  ASSERT_TRUE(files_->Remove(SegmentFile(1)).ok());
  EXPECT_THAT(TextsOf(journal_->Replay({.from = position})),
              ElementsAre(HasSubstr("00000001.seg: this segment is missing")));
}

}  // namespace
}  // namespace bitactor::test
