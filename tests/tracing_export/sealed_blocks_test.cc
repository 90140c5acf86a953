// Sealed files that are written, damaged in every way, and judged.
#include "bitactor/tracing_export/sealed_blocks.h"

#include <blake3.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bitactor/tracing_export/seal_verify.h"
#include "support/seed.h"
#include "support/simulated_files.h"
#include "support/temp_dir.h"
#include "tracing/span_generator.h"

namespace bitactor {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr char kPath[] = "a.sealed";
constexpr size_t kFileHeaderBytes = 64;
const SpanNameTable kNames{.actors = {{7, "alice"}}, .types = {{0xBEEF, "bank::Deposit/1"}}};

std::vector<SpanRecord> Spans(size_t count) {
  std::mt19937_64 random(20200130);
  return test::RandomSpans(random, count);
}

// Names, then blocks of 2, 1, 0 and 3 spans, then the end: blocks 0 to 5.
constexpr uint64_t kBlocks = 6;
Bytes SampleFile() {
  test::SimulatedFiles files;
  absl::StatusOr<SealedBlocksWriter> writer = SealedBlocksWriter::Create(kPath, files);
  EXPECT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE(writer->AppendNames(kNames).ok());
  const std::vector<SpanRecord> spans = Spans(6);
  EXPECT_TRUE(writer->AppendSpans(std::span(spans).subspan(0, 2), 9).ok());
  EXPECT_TRUE(writer->AppendSpans(std::span(spans).subspan(2, 1)).ok());
  EXPECT_TRUE(writer->AppendSpans({}, 4).ok());
  EXPECT_TRUE(writer->AppendSpans(std::span(spans).subspan(3, 3)).ok());
  EXPECT_TRUE(writer->Finish().ok());
  return files.Read(kPath);
}

// The file's header and its blocks, found by their sizes.
struct Parts {
  Bytes header;
  std::vector<Bytes> blocks;

  Bytes Joined() const {
    Bytes bytes = header;
    for (const Bytes& block : blocks) bytes.insert(bytes.end(), block.begin(), block.end());
    return bytes;
  }
};
Parts Split(const Bytes& bytes) {
  Parts parts;
  parts.header.assign(bytes.begin(), bytes.begin() + kFileHeaderBytes);
  for (size_t at = kFileHeaderBytes; at < bytes.size();) {
    uint32_t payload_bytes = 0;
    std::memcpy(&payload_bytes, bytes.data() + at + 44, sizeof(payload_bytes));
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    parts.blocks.emplace_back(begin, begin + 96 + payload_bytes);
    at += 96 + payload_bytes;
  }
  return parts;
}
// As one who knows the format would, over changed bytes.
void SealAnew(Bytes& block) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, block.data(), block.size() - 32);
  blake3_hasher_finalize(&hasher, reinterpret_cast<uint8_t*>(block.data() + block.size() - 32), 32);
}
void Chain(const Bytes& before, Bytes& block) {
  std::memcpy(block.data(), before.data() + before.size() - 32, 32);
  SealAnew(block);
}

absl::StatusOr<SealReport> Judge(const Bytes& bytes) {
  test::SimulatedFiles files;
  EXPECT_TRUE(files.Open(kPath, FileSystem::OpenMode::kCreate).ok());
  if (!bytes.empty()) {
    EXPECT_TRUE((*files.Open(kPath, FileSystem::OpenMode::kReadWrite))->WriteAt(0, bytes).ok());
  }
  return VerifySeals(kPath, files);
}
SealFault FaultOf(const Bytes& bytes) {
  const absl::StatusOr<SealReport> report = Judge(bytes);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok() || !report->fault.has_value()) {
    ADD_FAILURE() << "no fault found";
    return {};
  }
  return *report->fault;
}

TEST(SealedBlocksTest, WhatWasWrittenIsWholeAndReadAgain) {
  test::TempDir dir;
  SpanFile spans;
  spans.spans = Spans(40'000);  // three blocks
  spans.names = kNames;
  spans.dropped = 12;
  const absl::StatusOr<BlockSeal> seal = SaveSealedSpans(dir.File(kPath), spans);
  ASSERT_TRUE(seal.ok()) << seal.status();
  const absl::StatusOr<SealReport> report = VerifySeals(dir.File(kPath));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->fault.has_value());
  EXPECT_EQ(report->blocks, 5u);
  EXPECT_EQ(report->spans, 40'000u);
  EXPECT_EQ(report->dropped, 12u);
  EXPECT_EQ(report->last, *seal);

  const absl::StatusOr<SpanFile> loaded = LoadSealedSpans(dir.File(kPath));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->spans.size(), spans.spans.size());
  EXPECT_EQ(std::memcmp(loaded->spans.data(), spans.spans.data(),
                        spans.spans.size() * sizeof(SpanRecord)),
            0);
  EXPECT_EQ(loaded->names, kNames);
  EXPECT_EQ(loaded->dropped, 12u);
}

TEST(SealedBlocksTest, AFileMayHoldNothing) {
  test::SimulatedFiles files;
  ASSERT_TRUE(SaveSealedSpans(kPath, {}, files).ok());
  const absl::StatusOr<SealReport> report = VerifySeals(kPath, files);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->fault.has_value());
  EXPECT_EQ(report->spans, 0u);
}

TEST(SealedBlocksTest, TheSameSpansGiveTheSameLastSeal) {
  test::SimulatedFiles files;
  SpanFile spans;
  spans.spans = Spans(3);
  const absl::StatusOr<BlockSeal> first = SaveSealedSpans("first", spans, files);
  EXPECT_EQ(*SaveSealedSpans("again", spans, files), *first);
  spans.spans[1].duration_ns ^= 1;
  EXPECT_NE(*SaveSealedSpans("other", spans, files), *first);
  EXPECT_EQ(first->ToHex().size(), 64u);
}

TEST(SealedBlocksTest, EveryFlippedBitIsFoundInItsBlock) {
  const Bytes sample = SampleFile();
  ASSERT_FALSE(Judge(sample)->fault.has_value());
  const Parts parts = Split(sample);
  ASSERT_EQ(parts.blocks.size(), kBlocks);
  Bytes bytes = sample;
  size_t block_end = kFileHeaderBytes + parts.blocks[0].size();
  uint64_t block = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    if (bit / 8 == block_end) block_end += parts.blocks[++block].size();
    const absl::StatusOr<SealReport> report = Judge(bytes);
    if (bit < 64) {
      EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument) << "bit " << bit;
    } else if (bit < 96) {
      EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition) << "bit " << bit;
    } else {
      ASSERT_TRUE(report.ok() && report->fault.has_value()) << "bit " << bit;
      EXPECT_EQ(report->fault->block, block) << "bit " << bit;
      EXPECT_EQ(report->blocks, block) << "bit " << bit;
      // In the last block, a changed size cannot be told from a cut.
      const bool size_of_end = block == kBlocks - 1 && (bytes.size() - bit / 8) <= 96 - 44 &&
                               (bytes.size() - bit / 8) > 96 - 48;
      EXPECT_EQ(report->fault->kind, size_of_end ? SealFaultKind::kCutOff : SealFaultKind::kChanged)
          << "bit " << bit << " " << report->fault->what;
    }
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  EXPECT_EQ(block, kBlocks - 1);
}

TEST(SealedBlocksTest, EveryTruncationIsFoundInItsBlock) {
  const Bytes sample = SampleFile();
  const Parts parts = Split(sample);
  for (size_t size = 0; size < sample.size(); ++size) {
    const Bytes bytes(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(size));
    if (size < kFileHeaderBytes) {
      EXPECT_EQ(Judge(bytes).status().code(), absl::StatusCode::kInvalidArgument) << size;
      continue;
    }
    uint64_t whole = 0;
    for (size_t end = kFileHeaderBytes + parts.blocks[0].size(); end <= size;) {
      end += parts.blocks[++whole].size();
    }
    const SealFault fault = FaultOf(bytes);
    EXPECT_EQ(fault.kind, SealFaultKind::kCutOff) << size;
    EXPECT_EQ(fault.block, whole) << size;
  }
}

TEST(SealedBlocksTest, EveryRemovedBlockIsNamed) {
  const Parts whole = Split(SampleFile());
  for (size_t i = 0; i < kBlocks; ++i) {
    Parts parts = whole;
    parts.blocks.erase(parts.blocks.begin() + static_cast<std::ptrdiff_t>(i));
    const SealFault fault = FaultOf(parts.Joined());
    EXPECT_EQ(fault.block, i);
    // Without its end, a file cannot be told from one that was never finished.
    EXPECT_EQ(fault.kind, i + 1 < kBlocks ? SealFaultKind::kRemoved : SealFaultKind::kCutOff) << i;
  }
}

TEST(SealedBlocksTest, EveryRemovedRunOfBlocksIsNamedByItsFirst) {
  const Parts whole = Split(SampleFile());
  for (size_t first = 0; first + 1 < kBlocks; ++first) {
    for (size_t last = first + 1; last + 1 < kBlocks; ++last) {
      Parts parts = whole;
      parts.blocks.erase(parts.blocks.begin() + static_cast<std::ptrdiff_t>(first),
                         parts.blocks.begin() + static_cast<std::ptrdiff_t>(last) + 1);
      const SealFault fault = FaultOf(parts.Joined());
      EXPECT_EQ(fault.kind, SealFaultKind::kRemoved);
      EXPECT_EQ(fault.block, first);
      EXPECT_THAT(fault.what, HasSubstr(std::to_string(last - first + 1) + " blocks before it"));
    }
  }
}

TEST(SealedBlocksTest, EverySwappedPairIsNamed) {
  const Parts whole = Split(SampleFile());
  for (size_t i = 0; i < kBlocks; ++i) {
    for (size_t j = i + 1; j < kBlocks; ++j) {
      Parts parts = whole;
      std::swap(parts.blocks[i], parts.blocks[j]);
      const SealFault fault = FaultOf(parts.Joined());
      EXPECT_EQ(fault.kind, SealFaultKind::kReordered) << i << " and " << j;
      EXPECT_EQ(fault.block, i) << j;
      EXPECT_THAT(fault.what, HasSubstr("block " + std::to_string(j) + " stands here"));
    }
  }
}

TEST(SealedBlocksTest, EveryInsertedCopyIsNamedByItsPlace) {
  const Parts whole = Split(SampleFile());
  for (size_t i = 0; i < kBlocks; ++i) {
    for (size_t place = 0; place <= kBlocks; ++place) {
      Parts parts = whole;
      parts.blocks.insert(parts.blocks.begin() + static_cast<std::ptrdiff_t>(place),
                          whole.blocks[i]);
      const SealFault fault = FaultOf(parts.Joined());
      EXPECT_EQ(fault.kind, SealFaultKind::kInserted) << i << " at " << place;
      // A block before itself and a block behind itself are the same file.
      EXPECT_EQ(fault.block, place == i ? place + 1 : place) << i;
    }
  }
}

TEST(SealedBlocksTest, AnInsertedForeignBlockIsNamedByItsPlace) {
  const Parts whole = Split(SampleFile());
  for (size_t place = 0; place < kBlocks; ++place) {
    Bytes foreign = whole.blocks[1];
    foreign[0] ^= std::byte{1};  // it was written behind another block
    Parts parts = whole;
    const auto at = parts.blocks.begin() + static_cast<std::ptrdiff_t>(place);
    parts.blocks.insert(at, foreign);  // its seal is wrong
    EXPECT_EQ(FaultOf(parts.Joined()).kind, SealFaultKind::kInserted) << place;
    EXPECT_EQ(FaultOf(parts.Joined()).block, place);
    SealAnew(parts.blocks[place]);
    const uint64_t number = place;
    std::memcpy(parts.blocks[place].data() + 32, &number, sizeof(number));
    SealAnew(parts.blocks[place]);  // it is right, and the number too
    EXPECT_EQ(FaultOf(parts.Joined()).kind, SealFaultKind::kInserted) << place;
    EXPECT_EQ(FaultOf(parts.Joined()).block, place);
  }
}

TEST(SealedBlocksTest, BytesBehindTheEndAreNamed) {
  Bytes bytes = SampleFile();
  bytes.push_back(std::byte{0});
  const SealFault fault = FaultOf(bytes);
  EXPECT_EQ(fault.kind, SealFaultKind::kInserted);
  EXPECT_EQ(fault.block, kBlocks);
  EXPECT_THAT(fault.what, HasSubstr("1 bytes behind the end"));
}

TEST(SealedBlocksTest, AChangedBlockWithAFreshSealIsNamed) {
  const Parts whole = Split(SampleFile());
  for (size_t i = 0; i + 1 < kBlocks; ++i) {
    Parts parts = whole;
    parts.blocks[i][48] ^= std::byte{1};  // dropped
    SealAnew(parts.blocks[i]);
    const SealFault fault = FaultOf(parts.Joined());
    EXPECT_EQ(fault.kind, SealFaultKind::kChanged) << i;
    EXPECT_EQ(fault.block, i);
  }
}

TEST(SealedBlocksTest, AChainMadeAnewShowsInTheLastSealAlone) {
  Parts parts = Split(SampleFile());
  const BlockSeal before = Judge(parts.Joined())->last;
  parts.blocks[2][70] ^= std::byte{1};
  SealAnew(parts.blocks[2]);
  for (size_t i = 3; i < kBlocks; ++i) Chain(parts.blocks[i - 1], parts.blocks[i]);
  const absl::StatusOr<SealReport> report = Judge(parts.Joined());
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->fault.has_value());
  EXPECT_NE(report->last, before);
}

// Sealed as it should be, with contents that no writer of ours makes.
TEST(SealedBlocksTest, SealedNonsenseIsRefused) {
  struct Case {
    size_t offset;
    uint32_t value;
    const char* what;
  };
  const Case cases[] = {{40, 4, "kind 4"}, {40, 3, "a payload of 64 bytes"}, {56, 9, "9 spans"}};
  for (const Case& test : cases) {
    Parts parts = Split(SampleFile());
    std::memcpy(parts.blocks[2].data() + test.offset, &test.value, sizeof(test.value));
    SealAnew(parts.blocks[2]);
    for (size_t i = 3; i < kBlocks; ++i) Chain(parts.blocks[i - 1], parts.blocks[i]);
    const SealFault fault = FaultOf(parts.Joined());
    EXPECT_EQ(fault.block, 2u);
    EXPECT_THAT(fault.what, HasSubstr(test.what));
  }
}

TEST(SealedBlocksTest, LoadingRefusesAFaultWithItsPlace) {
  test::SimulatedFiles files;
  SpanFile spans;
  spans.spans = Spans(3);
  ASSERT_TRUE(SaveSealedSpans(kPath, spans, files).ok());
  files.FlipBit(kPath, files.Read(kPath).size() - 200, 3);
  const absl::Status status = LoadSealedSpans(kPath, files).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a.sealed: block 1 at byte "));
}

TEST(SealedBlocksTest, AnUnknownOutcomeUnderAGoodSealIsRefused) {
  test::SimulatedFiles files;
  SpanFile spans;
  spans.spans = Spans(3);
  spans.spans[1].outcome = static_cast<SpanOutcome>(7);
  ASSERT_TRUE(SaveSealedSpans(kPath, spans, files).ok());
  EXPECT_THAT(std::string(LoadSealedSpans(kPath, files).status().message()),
              HasSubstr("block 1, span 1: outcome 7"));
}

TEST(SealedBlocksTest, AFileThatIsThereIsNotOverwritten) {
  test::SimulatedFiles files;
  ASSERT_TRUE(SaveSealedSpans(kPath, {}, files).ok());
  EXPECT_EQ(SaveSealedSpans(kPath, {}, files).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST(SealedBlocksTest, TooManySpansForABlockAreRefused) {
  test::SimulatedFiles files;
  absl::StatusOr<SealedBlocksWriter> writer = SealedBlocksWriter::Create(kPath, files);
  ASSERT_TRUE(writer.ok());
  const std::vector<SpanRecord> spans(SealedBlocksWriter::kMaxBlockSpans + 1);
  EXPECT_EQ(writer->AppendSpans(spans).code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(writer->AppendSpans(std::span(spans).first(spans.size() - 1)).ok());
}

TEST(SealedBlocksTest, AWriterThatDiedLeavesWholeBlocksAndACutOffEnd) {
  test::SimulatedFiles files;
  absl::StatusOr<SealedBlocksWriter> writer = SealedBlocksWriter::Create(kPath, files);
  ASSERT_TRUE(writer.ok() && writer->AppendSpans(Spans(2)).ok());
  const absl::StatusOr<SealReport> report = VerifySeals(kPath, files);
  ASSERT_TRUE(report.ok() && report->fault.has_value());
  EXPECT_EQ(report->blocks, 1u);
  EXPECT_EQ(report->spans, 2u);
  EXPECT_EQ(report->fault->kind, SealFaultKind::kCutOff);
  EXPECT_EQ(report->fault->block, 1u);
}

// For a while no file may grow beyond 300 bytes: block 1 begins at 224 and has 224.
TEST(SealedBlocksTest, AfterAFullDiskTheSameBlockIsWrittenAgain) {
  test::TempDir dir;
  absl::StatusOr<SealedBlocksWriter> writer = SealedBlocksWriter::Create(dir.File(kPath));
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->AppendSpans(Spans(1)).ok());

  const auto before_signal = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 300;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status full = writer->AppendSpans(Spans(2));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, before_signal);

  EXPECT_FALSE(full.ok());
  EXPECT_THAT(std::string(full.message()), HasSubstr(dir.File(kPath)));
  absl::StatusOr<SealReport> report = VerifySeals(dir.File(kPath));
  ASSERT_TRUE(report.ok() && report->fault.has_value());
  EXPECT_EQ(report->fault->kind, SealFaultKind::kCutOff);
  EXPECT_EQ(report->fault->block, 1u);

  EXPECT_TRUE(writer->AppendSpans(Spans(2)).ok());
  EXPECT_TRUE(writer->Finish().ok());
  report = VerifySeals(dir.File(kPath));
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->fault.has_value());
  EXPECT_EQ(report->spans, 3u);
}

// Whatever is done to the bytes, if they are others than before it is seen.
TEST(SealedBlocksTest, RandomDamageIsFound) {
  std::mt19937_64 random(test::Seed());
  const Bytes sample = SampleFile();
  for (int round = 0; round < test::Rounds(3'000); ++round) {
    Bytes bytes = sample;
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      const auto at = static_cast<std::ptrdiff_t>(random() % bytes.size());
      const auto count = static_cast<std::ptrdiff_t>(
          std::min<uint64_t>(1 + random() % 200, bytes.size() - static_cast<size_t>(at) - 1));
      switch (random() % 4) {
        case 0:
          bytes[static_cast<size_t>(at)] = static_cast<std::byte>(random());
          break;
        case 1:
          bytes.erase(bytes.begin() + at, bytes.begin() + at + count);
          break;
        case 2:
          bytes.insert(bytes.begin() + at, static_cast<size_t>(count), static_cast<std::byte>(1));
          break;
        default:
          std::rotate(bytes.begin() + at, bytes.begin() + at + count / 2,
                      bytes.begin() + at + count);
      }
    }
    const absl::StatusOr<SealReport> report = Judge(bytes);
    const bool accepted = report.ok() && !report->fault.has_value();
    ASSERT_EQ(accepted, bytes == sample) << round;
  }
}

}  // namespace
}  // namespace bitactor
