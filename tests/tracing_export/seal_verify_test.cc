// Sealed files that are damaged in every way, and judged.
#include "bitactor/tracing_export/seal_verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "support/seed.h"
#include "tracing_export/sealed_sample.h"

namespace bitactor {
namespace {

using test::Bytes;
using test::Chain;
using test::FaultOf;
using test::Judge;
using test::kBlocks;
using test::kFileHeaderBytes;
using test::Parts;
using test::SampleFile;
using test::SealAnew;
using test::Split;
using ::testing::HasSubstr;

TEST(SealVerifyTest, EveryFlippedBitIsFoundInItsBlock) {
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

TEST(SealVerifyTest, EveryTruncationIsFoundInItsBlock) {
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

TEST(SealVerifyTest, EveryRemovedBlockIsNamed) {
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

TEST(SealVerifyTest, EveryRemovedRunOfBlocksIsNamedByItsFirst) {
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

TEST(SealVerifyTest, EverySwappedPairIsNamed) {
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

TEST(SealVerifyTest, EveryInsertedCopyIsNamedByItsPlace) {
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

TEST(SealVerifyTest, AnInsertedForeignBlockIsNamedByItsPlace) {
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

TEST(SealVerifyTest, BytesBehindTheEndAreNamed) {
  Bytes bytes = SampleFile();
  bytes.push_back(std::byte{0});
  const SealFault fault = FaultOf(bytes);
  EXPECT_EQ(fault.kind, SealFaultKind::kInserted);
  EXPECT_EQ(fault.block, kBlocks);
  EXPECT_THAT(fault.what, HasSubstr("1 bytes behind the end"));
}

TEST(SealVerifyTest, AChangedBlockWithAFreshSealIsNamed) {
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

TEST(SealVerifyTest, AChainMadeAnewShowsInTheLastSealAlone) {
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
TEST(SealVerifyTest, SealedNonsenseIsRefused) {
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

// Whatever is done to the bytes, if they are others than before it is seen.
TEST(SealVerifyTest, RandomDamageIsFound) {
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
