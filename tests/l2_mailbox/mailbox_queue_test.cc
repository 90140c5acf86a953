#include "bitactor/l2_mailbox/mailbox_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "support/seed.h"

namespace bitactor::internal {
namespace {

Frame MakeFrame(uint64_t id, uint8_t priority, FrameKind kind = FrameKind::kCast,
                uint8_t flags = 0) {
  Frame frame{};
  frame.header.kind = kind;
  frame.header.priority = priority & 3u;
  frame.header.flags = flags & 0x3Fu;
  frame.header.message_id = id;
  frame.header.stamp_ns = id;  // in the order of arrival
  return frame;
}

std::vector<uint64_t> Ids(MailboxQueue& queue) {
  std::vector<uint64_t> ids;
  for (; !queue.empty(); queue.PopFront()) ids.push_back(queue.Front().header.message_id);
  return ids;
}

TEST(MailboxQueueTest, AHigherPriorityLeavesFirstAndEqualsInTheOrderOfArrival) {
  MailboxQueue queue;
  uint64_t id = 0;
  for (const uint8_t priority : {0, 2, 0, 3, 1, 2, 3}) queue.PushBack(MakeFrame(++id, priority));
  EXPECT_EQ(Ids(queue), (std::vector<uint64_t>{4, 7, 2, 6, 5, 1, 3}));
}

TEST(MailboxQueueTest, AnAnswerNeitherOvertakesNorIsOvertaken) {
  for (const FrameKind kind : {FrameKind::kReply, FrameKind::kTimer, FrameKind::kSystem}) {
    MailboxQueue queue;
    queue.PushBack(MakeFrame(1, 0));
    queue.PushBack(MakeFrame(2, 3));
    queue.PushBack(MakeFrame(3, 0, kind));
    queue.PushBack(MakeFrame(4, 3));
    EXPECT_EQ(Ids(queue), (std::vector<uint64_t>{2, 1, 3, 4}));
  }
}

TEST(MailboxQueueTest, ASignalKeepsItsPlaceAsAnAnswerDoes) {
  MailboxQueue queue;
  queue.PushBack(MakeFrame(1, 0));
  queue.PushBack(MakeFrame(2, 0, FrameKind::kCast, kFlagSignal));
  queue.PushBack(MakeFrame(3, 3));
  EXPECT_FALSE(IsOrdinary(queue.At({0, 1}).header));
  EXPECT_EQ(Ids(queue), (std::vector<uint64_t>{1, 2, 3}));
}

TEST(MailboxQueueTest, WhatCameBehindAnAnswerIsNotOvertakenByItsOwnPriority) {
  MailboxQueue queue;
  queue.PushBack(MakeFrame(1, 0, FrameKind::kReply));
  queue.PushBack(MakeFrame(2, 2));  // behind the answer
  queue.PopFront();
  queue.PushBack(MakeFrame(3, 2));  // the answer is gone, 2 is still there
  EXPECT_EQ(Ids(queue), (std::vector<uint64_t>{2, 3}));
}

uint64_t Shed(MailboxQueue& queue, Overload overload) {
  const auto place = queue.FirstToShed(overload);
  if (!place.has_value()) return 0;
  const uint64_t id = queue.At(*place).header.message_id;
  queue.Erase(*place);
  return id;
}

TEST(MailboxQueueTest, ShedsTheOldestOrTheOldestOfTheLowestPriority) {
  for (const Overload overload : {Overload::kShedOldest, Overload::kShedLowestPriority}) {
    MailboxQueue queue;
    uint64_t id = 0;
    for (const uint8_t priority : {2, 1, 0, 3, 0}) queue.PushBack(MakeFrame(++id, priority));
    std::vector<uint64_t> shed;
    while (!queue.empty()) shed.push_back(Shed(queue, overload));
    EXPECT_EQ(shed, overload == Overload::kShedOldest ? (std::vector<uint64_t>{1, 2, 3, 4, 5})
                                                      : (std::vector<uint64_t>{3, 5, 2, 1, 4}));
  }
}

TEST(MailboxQueueTest, ShedsNothingButWhatUsersSent) {
  MailboxQueue queue;
  queue.PushBack(MakeFrame(1, 0, FrameKind::kSystem));
  queue.PushBack(MakeFrame(2, 0, FrameKind::kTimer));
  queue.PushBack(MakeFrame(3, 0, FrameKind::kReply));
  queue.PushBack(MakeFrame(4, 0, FrameKind::kCast, kFlagSignal));
  EXPECT_FALSE(queue.FirstToShed(Overload::kShedOldest).has_value());
  queue.PushBack(MakeFrame(5, 1));
  EXPECT_EQ(Shed(queue, Overload::kShedLowestPriority), 5u);
  EXPECT_EQ(Ids(queue), (std::vector<uint64_t>{1, 2, 3, 4}));
}

// What leaves next, by the rule alone: of all those before which nothing waits that they may not
// pass, the first of the highest priority.
size_t NextByTheRule(const std::vector<Frame>& waiting) {
  if (!IsOrdinary(waiting[0].header)) return 0;
  size_t next = 0;
  for (size_t i = 1; i < waiting.size() && IsOrdinary(waiting[i].header); ++i) {
    if (waiting[i].header.priority > waiting[next].header.priority) next = i;
  }
  return next;
}

TEST(MailboxQueueTest, InRandomUseNothingOvertakesWhatItMayNot) {
  std::mt19937_64 random(test::Seed());
  uint64_t overtook = 0;
  for (int round = 0; round < test::Rounds(200); ++round) {
    const bool only_ordinary = round % 2 == 0;
    MailboxQueue queue;
    std::vector<Frame> waiting;  // in the order of arrival
    for (uint64_t id = 1; id <= 400; ++id) {
      if (random() % 5 < 3 || waiting.empty()) {
        const FrameKind kind =
            only_ordinary || random() % 8 != 0 ? FrameKind::kCall : FrameKind::kReply;
        waiting.push_back(MakeFrame(id, static_cast<uint8_t>(random() % 4), kind));
        queue.PushBack(waiting.back());
      } else if (random() % 4 == 0) {
        const auto oldest = std::find_if(waiting.begin(), waiting.end(),
                                         [](const Frame& f) { return IsOrdinary(f.header); });
        const uint64_t shed = Shed(queue, Overload::kShedOldest);
        ASSERT_EQ(shed, oldest != waiting.end() ? oldest->header.message_id : 0);
        if (oldest != waiting.end()) waiting.erase(oldest);
      } else {
        const Frame next = queue.Front();
        queue.PopFront();
        if (only_ordinary) {
          ASSERT_EQ(next.header.message_id, waiting[NextByTheRule(waiting)].header.message_id);
        }
        size_t place = 0;
        for (; waiting[place].header.message_id != next.header.message_id; ++place) {
          // It passed this one: both are ordinary, and the other is of a lower priority.
          ASSERT_TRUE(IsOrdinary(next.header) && IsOrdinary(waiting[place].header));
          ASSERT_GT(next.header.priority, waiting[place].header.priority);
          ++overtook;
        }
        waiting.erase(waiting.begin() + static_cast<int64_t>(place));
      }
      ASSERT_EQ(queue.size(), waiting.size());
      ASSERT_EQ(queue.empty(), waiting.empty());
    }
  }
  EXPECT_GT(overtook, 0u);
}

}  // namespace
}  // namespace bitactor::internal
