#include "bitactor/tracing_export/sealed_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bitactor/tracing_export/seal_verify.h"
#include "support/simulated_files.h"
#include "support/temp_dir.h"
#include "tracing_export/sealed_sample.h"

namespace bitactor {
namespace {

using test::kNames;
using test::kPath;
using test::Spans;
using ::testing::HasSubstr;

TEST(SealedBlocksTest, WhatWasWrittenIsWholeAndReadAgain) {
  test::TempDir dir;
  SpanFile spans;
  spans.spans = Spans(40'000);  // three blocks
  spans.names = kNames;
  spans.names.traces[9].trace_id = {7, 9};  // one that came from outside
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
  EXPECT_EQ(loaded->names, spans.names);
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

}  // namespace
}  // namespace bitactor
