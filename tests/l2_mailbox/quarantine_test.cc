#include "bitactor/l2_mailbox/quarantine.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l2_mailbox/quarantine_file.h"
#include "support/simulated_files.h"

namespace bitactor {
namespace {

using internal::QuarantineStore;

Frame FrameWith(uint64_t message_id, uint32_t source = 7) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = 8;
  frame.header.message_id = message_id;
  frame.header.source = source;
  std::memset(frame.payload, static_cast<int>(message_id), sizeof(frame.payload));
  Seal(frame);
  return frame;
}

TEST(QuarantineStoreTest, KeepsAllBytesOfTheLastFramesAndCountsThemAll) {
  QuarantineStore store(3, 4);
  for (uint64_t i = 0; i < 10; ++i) {
    store.Add(LaneFault::kChecksum, {5, 0}, 3, FrameWith(i), 1'000 + i);
  }
  const std::vector<QuarantinedFrame> frames = store.Frames();
  ASSERT_EQ(frames.size(), 4u);
  for (uint64_t i = 0; i < 4; ++i) {
    const Frame expected = FrameWith(6 + i);
    EXPECT_EQ(std::memcmp(&frames[i].frame, &expected, sizeof(Frame)), 0) << i;
    EXPECT_EQ(frames[i].number, 6 + i);
    EXPECT_EQ(frames[i].found_ns, 1'006 + i);
    EXPECT_EQ(frames[i].shard, 3u);
    EXPECT_EQ(frames[i].from_port, 5u);
    EXPECT_EQ(frames[i].to_port, 3u);
    EXPECT_EQ(frames[i].fault, LaneFault::kChecksum);
  }
  CorruptionReport report;
  store.AddTo(report);
  EXPECT_EQ(report.quarantined, 10u);
  EXPECT_EQ(report.overwritten, 6u);
}

std::vector<std::pair<uint32_t, uint64_t>> SourcesOf(const QuarantineStore& store) {
  CorruptionReport report;
  store.AddTo(report);
  std::vector<std::pair<uint32_t, uint64_t>> sources;
  for (const auto& of_source : report.sources) {
    sources.emplace_back(of_source.source, of_source.frames);
  }
  return sources;
}

TEST(QuarantineStoreTest, ASourceIsBelievedWhereTheChecksumHoldsOrThePortHasNoOther) {
  QuarantineStore store(0, 4);
  store.Add(LaneFault::kSource, {5, 50}, 0, FrameWith(1, 7), 1);  // sealed so: it says 7
  Frame damaged = FrameWith(2, 7);
  damaged.header.source ^= 1;
  store.Add(LaneFault::kChecksum, {5, 50}, 0, damaged, 1);  // can only be 50's
  store.Add(LaneFault::kChecksum, {0, 0}, 0, damaged, 1);   // a shard's: any of its actors'
  Frame too_long = FrameWith(3, 7);
  too_long.header.size_bytes = 255;
  store.Add(LaneFault::kSize, {0, 0}, 0, too_long, 1);
  EXPECT_EQ(SourcesOf(store),
            (std::vector<std::pair<uint32_t, uint64_t>>{{0, 2}, {7, 1}, {50, 1}}));
}

TEST(QuarantineStoreTest, SourcesBeyondItsTableAreCountedTogether) {
  QuarantineStore store(0, 4);
  for (uint32_t source = 1; source <= QuarantineStore::kMaxSources + 10; ++source) {
    store.Add(LaneFault::kOrder, {5, 0}, 0, FrameWith(1, source), 1);
  }
  const auto sources = SourcesOf(store);
  ASSERT_EQ(sources.size(), QuarantineStore::kMaxSources + 1);
  EXPECT_EQ(sources[0], (std::pair<uint32_t, uint64_t>{0, 10}));
}

class QuarantineFileTest : public ::testing::Test {
 protected:
  QuarantineFileTest() {
    EXPECT_TRUE(files_.CreateDir("run").ok());
    QuarantineStore store(1, 8);
    for (uint64_t i = 0; i < 3; ++i) {
      store.Add(LaneFault::kKind, {4, 0}, 1, FrameWith(i), 100 + i);
    }
    frames_ = store.Frames();
  }
  QuarantineFile ReadOnly() {
    const auto all = ReadQuarantineFiles(files_, "run");
    EXPECT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(all->size(), 1u);
    return all->at(0);
  }

  static constexpr char kPath[] = "run/quarantine/boot-00002";
  test::SimulatedFiles files_;
  std::vector<QuarantinedFrame> frames_;
};

TEST_F(QuarantineFileTest, ReadsWhatWasWritten) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  const QuarantineFile file = ReadOnly();
  EXPECT_EQ(file.path, kPath);
  EXPECT_EQ(file.boot, 2u);
  EXPECT_EQ(file.quarantined, 9u);
  EXPECT_TRUE(file.damages.empty());
  ASSERT_EQ(file.frames.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::memcmp(&file.frames[i].frame, &frames_[i].frame, sizeof(Frame)), 0);
    EXPECT_EQ(file.frames[i].number, i);
    EXPECT_EQ(file.frames[i].found_ns, 100 + i);
    EXPECT_EQ(file.frames[i].shard, 1u);
    EXPECT_EQ(file.frames[i].from_port, 4u);
    EXPECT_EQ(file.frames[i].to_port, 1u);
    EXPECT_EQ(file.frames[i].fault, LaneFault::kKind);
  }
}

TEST_F(QuarantineFileTest, WithoutFaultsThereIsNoFile) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 0, {}).ok());
  EXPECT_FALSE(files_.Exists("run/quarantine").value());
  EXPECT_TRUE(ReadQuarantineFiles(files_, "run").value().empty());
  EXPECT_EQ(ReadQuarantineFiles(files_, "nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(QuarantineFileTest, EveryFlippedBitIsReportedWithItsPlaceAndTheOtherRecordsAreRead) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  for (uint64_t offset = 0; offset < 64 + 3 * 256; ++offset) {
    files_.FlipBit(kPath, offset, static_cast<int>(offset % 8));
    const QuarantineFile file = ReadOnly();
    ASSERT_EQ(file.damages.size(), 1u) << offset;
    EXPECT_EQ(file.frames.size(), offset < 64 ? 3u : 2u) << offset;
    const uint64_t begin = offset < 64 ? 0 : 64 + (offset - 64) / 256 * 256;
    EXPECT_NE(file.damages[0].find(std::string(kPath) + ": bytes " + std::to_string(begin) + " to"),
              std::string::npos)
        << file.damages[0];
    files_.FlipBit(kPath, offset, static_cast<int>(offset % 8));
  }
  EXPECT_TRUE(ReadOnly().damages.empty()) << "whole again";
}

TEST_F(QuarantineFileTest, ATruncatedFileSaysSoAtEveryLength) {
  ASSERT_TRUE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  for (uint64_t size_bytes = 64 + 3 * 256; size_bytes-- > 0;) {
    files_.Truncate(kPath, size_bytes);
    const QuarantineFile file = ReadOnly();
    EXPECT_FALSE(file.damages.empty()) << size_bytes;
    EXPECT_EQ(file.frames.size(), size_bytes < 64 ? 0 : (size_bytes - 64) / 256) << size_bytes;
  }
}

TEST_F(QuarantineFileTest, AFolderThatRefusesLeavesNoFile) {
  files_.DenyWrites("run/quarantine");
  EXPECT_FALSE(WriteQuarantineFile(files_, "run", 2, 9, frames_).ok());
  EXPECT_FALSE(files_.Exists(kPath).value());
}

}  // namespace
}  // namespace bitactor
