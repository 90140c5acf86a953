#include "bitactor/l2_mailbox/slot_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "support/seed.h"

namespace bitactor {
namespace {

std::vector<uint16_t> Slots(const SlotTable& table) {
  std::vector<uint16_t> slots(SlotTable::kSlots);
  for (uint32_t slot = 0; slot < SlotTable::kSlots; ++slot) slots[slot] = table.MailboxOfSlot(slot);
  return slots;
}

TEST(SlotTableTest, TheFirstMailboxOwnsEverySlot) {
  SlotTable table;
  EXPECT_EQ(table.MailboxOf(ActorId{7}), SlotTable::kNobody);
  ASSERT_TRUE(table.Join(3).ok());
  EXPECT_EQ(table.SlotsOf(3), SlotTable::kSlots);
  EXPECT_EQ(table.MailboxOf(ActorId{7}), 3);
}

TEST(SlotTableTest, JoinTakesItsQuotaAndMovesNoSlotBetweenOthers) {
  SlotTable table;
  for (uint32_t mailbox = 0; mailbox < 10; ++mailbox) ASSERT_TRUE(table.Join(mailbox).ok());
  const std::vector<uint16_t> before = Slots(table);
  ASSERT_TRUE(table.Join(10).ok());
  const std::vector<uint16_t> after = Slots(table);
  size_t moved = 0;
  for (size_t slot = 0; slot < SlotTable::kSlots; ++slot) {
    if (before[slot] == after[slot]) continue;
    EXPECT_EQ(after[slot], 10);
    ++moved;
  }
  EXPECT_EQ(moved, SlotTable::kSlots / 11);
  EXPECT_EQ(table.SlotsOf(10), SlotTable::kSlots / 11);
}

TEST(SlotTableTest, LeaveMovesOnlyTheSlotsOfTheOneThatLeft) {
  SlotTable table;
  for (uint32_t mailbox = 0; mailbox < 10; ++mailbox) ASSERT_TRUE(table.Join(mailbox).ok());
  const std::vector<uint16_t> before = Slots(table);
  ASSERT_TRUE(table.Leave(4).ok());
  const std::vector<uint16_t> after = Slots(table);
  for (size_t slot = 0; slot < SlotTable::kSlots; ++slot) {
    if (before[slot] != 4) {
      ASSERT_EQ(before[slot], after[slot]);
    } else {
      ASSERT_NE(after[slot], 4);
    }
  }
}

TEST(SlotTableTest, WeightsShareTheSlots) {
  SlotTable table;
  ASSERT_TRUE(table.Join(0, 1).ok());
  ASSERT_TRUE(table.Join(1, 3).ok());
  EXPECT_EQ(table.SlotsOf(1), SlotTable::kSlots * 3 / 4);
}

TEST(SlotTableTest, StaysBalancedOverAThousandJoinsAndLeaves) {
  const uint64_t seed = test::Seed();
  std::mt19937_64 random(seed);
  SlotTable table;
  std::set<uint32_t> members;
  for (uint32_t mailbox = 0; mailbox < 16; ++mailbox) {
    ASSERT_TRUE(table.Join(mailbox).ok());
    members.insert(mailbox);
  }
  for (int step = 0; step < 1000; ++step) {
    const auto mailbox = static_cast<uint32_t>(random() % 64);
    if (members.contains(mailbox)) {
      if (members.size() < 8) continue;
      ASSERT_TRUE(table.Leave(mailbox).ok());
      members.erase(mailbox);
    } else {
      ASSERT_TRUE(table.Join(mailbox).ok());
      members.insert(mailbox);
    }
  }
  uint32_t most = 0;
  uint32_t sum = 0;
  for (const uint32_t mailbox : members) {
    most = std::max(most, table.SlotsOf(mailbox));
    sum += table.SlotsOf(mailbox);
  }
  EXPECT_EQ(sum, SlotTable::kSlots);
  const double mean = static_cast<double>(sum) / static_cast<double>(members.size());
  EXPECT_LE(most / mean, 1.016);
}

TEST(SlotTableTest, TheSameHistoryGivesTheSameTable) {
  SlotTable a;
  SlotTable b;
  for (SlotTable* table : {&a, &b}) {
    for (uint32_t mailbox = 0; mailbox < 20; ++mailbox) ASSERT_TRUE(table->Join(mailbox).ok());
    ASSERT_TRUE(table->Leave(7).ok());
  }
  EXPECT_EQ(Slots(a), Slots(b));
}

TEST(SlotTableTest, RefusesWhatItCannotDoAndSaysWhy) {
  SlotTable table;
  EXPECT_EQ(table.Join(4096).message(),
            "mailbox 4096 cannot join: mailboxes are numbered 0 to 4095");
  EXPECT_FALSE(table.Join(1, 0).ok());
  EXPECT_FALSE(table.Join(1, 1001).ok());
  ASSERT_TRUE(table.Join(1).ok());
  EXPECT_FALSE(table.Join(1).ok());
  EXPECT_FALSE(table.Leave(2).ok());
  EXPECT_FALSE(table.Leave(1).ok()) << "the last one must stay";
  EXPECT_EQ(table.mailboxes(), 1u);
}

TEST(SlotTableTest, ConsecutiveIdsSpreadOverTheMailboxes) {
  SlotTable table;
  for (uint32_t mailbox = 0; mailbox < 4; ++mailbox) ASSERT_TRUE(table.Join(mailbox).ok());
  std::vector<int> ids(4);
  for (uint32_t id = 1; id <= 1000; ++id) ++ids[table.MailboxOf(ActorId{id})];
  for (const int count : ids) EXPECT_GT(count, 200);
}

}  // namespace
}  // namespace bitactor
