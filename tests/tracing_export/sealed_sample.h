// A small sealed file for tests, its parts, and seals over changed ones.
#ifndef BITACTOR_TESTS_TRACING_EXPORT_SEALED_SAMPLE_H_
#define BITACTOR_TESTS_TRACING_EXPORT_SEALED_SAMPLE_H_

#include <blake3.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "bitactor/tracing_export/seal_verify.h"
#include "bitactor/tracing_export/sealed_blocks.h"
#include "support/simulated_files.h"
#include "tracing/span_generator.h"

namespace bitactor::test {

using Bytes = std::vector<std::byte>;

inline constexpr char kPath[] = "a.sealed";
inline constexpr size_t kFileHeaderBytes = 64;
inline const SpanNameTable kNames{.actors = {{7, "alice"}}, .types = {{0xBEEF, "bank::Deposit/1"}}};

inline std::vector<SpanRecord> Spans(size_t count) {
  std::mt19937_64 random(20200130);
  return RandomSpans(random, count);
}

// Names, then blocks of 2, 1, 0 and 3 spans, then the end: blocks 0 to 5.
inline constexpr uint64_t kBlocks = 6;
inline Bytes SampleFile() {
  SimulatedFiles files;
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
inline Parts Split(const Bytes& bytes) {
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
inline void SealAnew(Bytes& block) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, block.data(), block.size() - 32);
  blake3_hasher_finalize(&hasher, reinterpret_cast<uint8_t*>(block.data() + block.size() - 32), 32);
}
inline void Chain(const Bytes& before, Bytes& block) {
  std::memcpy(block.data(), before.data() + before.size() - 32, 32);
  SealAnew(block);
}

inline absl::StatusOr<SealReport> Judge(const Bytes& bytes) {
  SimulatedFiles files;
  EXPECT_TRUE(files.Open(kPath, FileSystem::OpenMode::kCreate).ok());
  if (!bytes.empty()) {
    EXPECT_TRUE((*files.Open(kPath, FileSystem::OpenMode::kReadWrite))->WriteAt(0, bytes).ok());
  }
  return VerifySeals(kPath, files);
}
inline SealFault FaultOf(const Bytes& bytes) {
  const absl::StatusOr<SealReport> report = Judge(bytes);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok() || !report->fault.has_value()) {
    ADD_FAILURE() << "no fault found";
    return {};
  }
  return *report->fault;
}

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_TRACING_EXPORT_SEALED_SAMPLE_H_
