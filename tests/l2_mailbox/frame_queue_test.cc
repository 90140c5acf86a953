#include "bitactor/l2_mailbox/frame_queue.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>

#include "support/seed.h"

namespace bitactor::internal {
namespace {

Frame MakeFrame(uint64_t id, uint8_t size_bytes = 0) {
  Frame frame{};
  frame.header.kind = FrameKind::kCast;
  frame.header.size_bytes = size_bytes;
  frame.header.message_id = id;
  std::memset(frame.payload, static_cast<int>(id & 0xFF), size_bytes);
  Seal(frame);
  return frame;
}

TEST(FrameQueueTest, IsEmptyAtFirst) {
  const FrameQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0u);
}

TEST(FrameQueueTest, KeepsTheOrderWhileItGrowsFromTheMiddle) {
  FrameQueue queue;
  for (uint64_t id = 0; id < 16; ++id) queue.PushBack(MakeFrame(id));
  for (uint64_t id = 0; id < 10; ++id) queue.PopFront();
  for (uint64_t id = 16; id < 40; ++id) queue.PushBack(MakeFrame(id));  // wraps, then doubles
  ASSERT_EQ(queue.size(), 30u);
  for (uint64_t id = 10; id < 40; ++id) {
    EXPECT_EQ(queue.Front().header.message_id, id);
    queue.PopFront();
  }
  EXPECT_TRUE(queue.empty());
}

TEST(FrameQueueTest, KeepsEveryLengthOfFrameWhole) {
  FrameQueue queue;
  for (const uint8_t size : {0, 1, 63, 64, 65, 127, 128}) queue.PushBack(MakeFrame(7, size));
  while (!queue.empty()) {
    EXPECT_EQ(CheckFrame(queue.Front().header), FrameFault::kOk)
        << "payload of " << int{queue.Front().header.size_bytes} << " bytes";
    queue.PopFront();
  }
}

TEST(FrameQueueTest, KeepsAFrameWhoseSizeCannotBeTrusted) {
  FrameQueue queue;
  Frame damaged = MakeFrame(7, 128);
  damaged.header.size_bytes = 200;
  queue.PushBack(damaged);
  EXPECT_EQ(std::memcmp(&queue.Front(), &damaged, sizeof(Frame)), 0);
}

TEST(FrameQueueTest, BehavesAsADeque) {
  std::mt19937_64 random(test::Seed());
  FrameQueue queue;
  std::deque<uint64_t> model;
  for (uint64_t id = 1; id <= 20'000; ++id) {
    if (random() % 2 == 0 || model.empty()) {
      queue.PushBack(MakeFrame(id));
      model.push_back(id);
    } else {
      queue.PopFront();
      model.pop_front();
    }
    ASSERT_EQ(queue.size(), model.size());
    if (model.empty()) continue;
    const size_t index = random() % model.size();
    ASSERT_EQ(queue.At(index).header.message_id, model[index]);
    ASSERT_EQ(queue.Front().header.message_id, model.front());
  }
}

}  // namespace
}  // namespace bitactor::internal
