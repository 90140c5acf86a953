// Which damage of a frame its readers see: all of one bit and of two, whichever way it is checked.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l1_core/spsc_lane.h"
#include "bitactor/l2_mailbox/causal_merge.h"
#include "bitactor/l2_mailbox/frame_queue.h"

namespace bitactor::internal {
namespace {

constexpr size_t kFrameBits = sizeof(Frame) * 8;

Frame RandomFrame(std::mt19937_64& random, size_t size_bytes) {
  Frame frame{};
  frame.header.size_bytes = static_cast<uint8_t>(size_bytes);
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = random();
  frame.header.stamp_ns = random() >> 1;
  frame.header.trace = random();
  frame.header.type = static_cast<uint32_t>(random());
  frame.header.target = static_cast<uint32_t>(random());
  for (std::byte& byte : frame.payload) byte = static_cast<std::byte>(random());
  Seal(frame);
  return frame;
}

void FlipBit(Frame& frame, size_t bit) {
  reinterpret_cast<uint8_t*>(&frame)[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
}

// Four frames in a lane, which its reader checks together, and one by one where that fails.
class FourFrames {
 public:
  explicit FourFrames(std::mt19937_64& random, size_t size_bytes = kMaxPayloadBytes) {
    for (Frame& frame : sound_) {
      frame = RandomFrame(random, size_bytes);
      *lane_.Claim() = frame;
      lane_.Advance();
    }
    lane_.Publish();
  }
  Frame& At(size_t i) { return lane_.At(i); }
  // How many of the four a reader that sees them for the first time calls faulty; they are whole
  // again afterwards.
  int FaultsSeen() {
    LaneReader<SpscLane<Frame>> reader(&lane_, /*own=*/false, /*spillable=*/false, {});
    int faults = 0;
    reader.Look([&](const Frame&, LaneFault, const LaneOrigin&) { ++faults; });
    for (size_t i = 0; faults > 0 && i < 4; ++i) lane_.At(i) = sound_[i];
    return faults;
  }

 private:
  Frame sound_[4];
  SpscLane<Frame> lane_{4};
};

TEST(IntegrityTest, EverySingleBitFlipOfAFullFrameIsDetected) {
  std::mt19937_64 random(1);
  Frame frame = RandomFrame(random, kMaxPayloadBytes);
  FourFrames four(random);
  int undetected = 0;
  for (size_t bit = 0; bit < kFrameBits; ++bit) {
    FlipBit(frame, bit);
    undetected += CheckFrame(frame.header) == FrameFault::kOk;
    FlipBit(frame, bit);
    for (size_t i = 0; i < 4; ++i) {
      FlipBit(four.At(i), bit);
      undetected += four.FaultsSeen() != 1;
    }
  }
  EXPECT_EQ(undetected, 0);
  EXPECT_EQ(CheckFrame(frame.header), FrameFault::kOk) << "whole again";
  EXPECT_EQ(four.FaultsSeen(), 0) << "whole again";
}

TEST(IntegrityTest, EveryDoubleBitFlipOfAFullFrameIsDetected) {
  std::mt19937_64 random(2);
  Frame frame = RandomFrame(random, kMaxPayloadBytes);
  FourFrames four(random);
  uint64_t pairs = 0;
  int undetected = 0;
  for (size_t first = 0; first < kFrameBits; ++first) {
    FlipBit(frame, first);
    for (size_t second = first + 1; second < kFrameBits; ++second) {
      FlipBit(frame, second);
      undetected += CheckFrame(frame.header) == FrameFault::kOk;
      FlipBit(frame, second);
      Frame& among_four = four.At(pairs++ % 4);
      FlipBit(among_four, first);
      FlipBit(among_four, second);
      undetected += four.FaultsSeen() != 1;
    }
    FlipBit(frame, first);
  }
  EXPECT_EQ(pairs, 1'178'880u);
  EXPECT_EQ(undetected, 0);
}

TEST(IntegrityTest, FlipsBeyondTheSizeChangeNothingThatAReaderSees) {
  std::mt19937_64 random(3);
  uint64_t flips = 0;
  for (size_t size_bytes = 0; size_bytes < kMaxPayloadBytes; ++size_bytes) {
    const Frame sound = RandomFrame(random, size_bytes);
    Frame frame = sound;
    FourFrames four(random, size_bytes);
    for (size_t bit = (sizeof(FrameHeader) + size_bytes) * 8; bit < kFrameBits; ++bit, ++flips) {
      FlipBit(frame, bit);
      ASSERT_EQ(CheckFrame(frame.header), FrameFault::kOk) << size_bytes << " bytes, bit " << bit;
      ASSERT_EQ(std::memcmp(&frame, &sound, sizeof(FrameHeader) + size_bytes), 0);
      FlipBit(frame, bit);
      FlipBit(four.At(bit % 4), bit);
      ASSERT_EQ(four.FaultsSeen(), 0) << size_bytes << " bytes, bit " << bit;
    }
  }
  EXPECT_EQ(flips, 66'048u);
}

// A wrong size is checked over another range of bytes, about which a checksum promises only chances
// of one in four billion.
TEST(IntegrityTest, EveryOtherValueOfTheSizeIsDetectedInTheseFrames) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random(seed);
    const size_t size_bytes = random() % (kMaxPayloadBytes + 1);
    const Frame sound = RandomFrame(random, size_bytes);
    FourFrames four(random, size_bytes);
    for (unsigned other = 0; other < 256; ++other) {
      if (other == size_bytes) continue;
      Frame frame = sound;
      frame.header.size_bytes = static_cast<uint8_t>(other);
      ASSERT_EQ(CheckFrame(frame.header),
                other > kMaxPayloadBytes ? FrameFault::kSize : FrameFault::kCrc)
          << "seed " << seed << ", " << size_bytes << " bytes said to be " << other;
      four.At(other % 4).header.size_bytes = static_cast<uint8_t>(other);
      ASSERT_EQ(four.FaultsSeen(), 1) << "seed " << seed << ", said to be " << other;
    }
  }
}

// With the other bits of its word.
TEST(IntegrityTest, FlipsOfTheSizeAndOfAnotherBitAreDetectedInTheseFrames) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    const size_t size_bytes = random() % (kMaxPayloadBytes + 1);
    const size_t used_bits = (sizeof(FrameHeader) + size_bytes) * 8;
    const Frame sound = RandomFrame(random, size_bytes);
    for (size_t of_size = 0; of_size < 8; ++of_size) {
      for (size_t bit = 0; bit < used_bits; ++bit) {
        Frame frame = sound;
        FlipBit(frame, offsetof(FrameHeader, size_bytes) * 8 + of_size);
        FlipBit(frame, bit);
        const bool restored = bit == offsetof(FrameHeader, size_bytes) * 8 + of_size;
        ASSERT_EQ(CheckFrame(frame.header) == FrameFault::kOk, restored)
            << "seed " << seed << ", bit " << of_size << " of the size and bit " << bit;
      }
    }
  }
}

}  // namespace
}  // namespace bitactor::internal
