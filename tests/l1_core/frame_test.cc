#include "bitactor/l1_core/frame.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>

#include "support/seed.h"

namespace bitactor {
namespace {

Frame SealedFrame(uint8_t size_bytes) {
  Frame frame{};
  frame.header.size_bytes = size_bytes;
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = MakeMessageId(3, 17);
  frame.header.stamp_ns = 1'600'000'000'000'000'000;
  frame.header.source = 5;
  frame.header.target = 6;
  for (size_t i = 0; i < kMaxPayloadBytes; ++i) {
    frame.payload[i] = static_cast<std::byte>(i * 7 + 1);
  }
  Seal(frame);
  return frame;
}

TEST(FrameTest, StoresInUnitsOf64Bytes) {
  EXPECT_EQ(StoredBytes(0), 64u);
  EXPECT_EQ(StoredBytes(1), 128u);
  EXPECT_EQ(StoredBytes(64), 128u);
  EXPECT_EQ(StoredBytes(65), 192u);
  EXPECT_EQ(StoredBytes(128), 192u);
}

TEST(FrameTest, SealedFramesOfEverySizeCheck) {
  for (unsigned size = 0; size <= kMaxPayloadBytes; ++size) {
    EXPECT_EQ(CheckFrame(SealedFrame(static_cast<uint8_t>(size)).header), FrameFault::kOk) << size;
  }
}

TEST(FrameTest, EveryFlippedBitInUseIsSeen) {
  Frame frame = SealedFrame(20);
  auto* bytes = reinterpret_cast<uint8_t*>(&frame);
  for (size_t bit = 0; bit < (sizeof(FrameHeader) + 20) * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    EXPECT_NE(CheckFrame(frame.header), FrameFault::kOk) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
}

TEST(FrameTest, BytesBeyondThePayloadAreNotPartOfTheFrame) {
  Frame frame = SealedFrame(20);
  frame.payload[20] ^= std::byte{0xFF};
  EXPECT_EQ(CheckFrame(frame.header), FrameFault::kOk);
}

TEST(FrameTest, ImpossibleSizeIsNotReadAsALength) {
  Frame frame = SealedFrame(128);
  frame.header.size_bytes = 129;
  EXPECT_EQ(CheckFrame(frame.header), FrameFault::kSize);
}

TEST(FrameTest, KindsOutsideTheTableAreRefused) {
  Frame frame = SealedFrame(8);
  frame.header.kind = FrameKind::kNone;
  Seal(frame);
  EXPECT_EQ(CheckFrame(frame.header), FrameFault::kKind);
  frame.header.kind = static_cast<FrameKind>(static_cast<int>(kLastFrameKind) + 1);
  Seal(frame);
  EXPECT_EQ(CheckFrame(frame.header), FrameFault::kKind);
}

TEST(FrameTest, FourChecksumsInTurnAreThoseOfEachAlone) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(5'000); ++round) {
    Frame frames[4];
    const FrameHeader* headers[4];
    for (int i = 0; i < 4; ++i) {
      frames[i] = SealedFrame(static_cast<uint8_t>(random() % (kMaxPayloadBytes + 1)));
      frames[i].header.message_id = random();
      frames[i].payload[random() % kMaxPayloadBytes] = static_cast<std::byte>(random());
      headers[i] = &frames[i].header;
    }
    uint32_t checksums[4];
    FrameChecksums4(headers, checksums);
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(checksums[i], FrameChecksum(frames[i].header))
          << "frame " << i << " of " << int{frames[i].header.size_bytes} << " bytes";
    }
  }
}

TEST(FrameTest, MessageIdKeepsItsTwoParts) {
  const uint64_t id = MakeMessageId(0xFFFF, kSequenceMask);
  EXPECT_EQ(IncarnationOf(id), 0xFFFF);
  EXPECT_EQ(SequenceOf(id), kSequenceMask);
  EXPECT_EQ(IncarnationOf(MakeMessageId(2, kSequenceMask + 1)), 2) << "no carry into the other";
}

TEST(FrameTest, SpanIdsOfNeighboursDiffer) {
  std::set<uint64_t> ids;
  for (uint32_t source = 0; source < 100; ++source) {
    for (uint64_t sequence = 0; sequence < 100; ++sequence) {
      ids.insert(SpanIdOf(source, MakeMessageId(1, sequence)));
    }
  }
  EXPECT_EQ(ids.size(), 10'000u);
  EXPECT_FALSE(ids.contains(0));
}

TEST(FrameTest, MixSpreadsEveryInputBit) {
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t changed = Mix64(0x12345678) ^ Mix64(0x12345678 ^ (uint64_t{1} << bit));
    EXPECT_GT(std::popcount(changed), 12) << "bit " << bit;
  }
}

}  // namespace
}  // namespace bitactor
