#include "bitactor/l1_core/set_aside.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <random>

#include "support/seed.h"

namespace bitactor::internal {
namespace {

TEST(SetAsideTest, RefusesWhenAllPlacesAreTaken) {
  SetAside set_aside(2);
  SetAside::List a, b;
  EXPECT_TRUE(set_aside.PushBack(a, Signal::Of(1)));
  EXPECT_TRUE(set_aside.PushBack(b, Signal::Of(2)));
  EXPECT_FALSE(set_aside.PushBack(a, Signal::Of(1)));
  set_aside.PopFront(b);
  EXPECT_TRUE(b.empty());
  EXPECT_TRUE(set_aside.PushBack(a, Signal::Of(3)));
  EXPECT_EQ(set_aside.Front(a).kind, 1);
}

TEST(SetAsideTest, OfNoPlacesRefusesAll) {
  SetAside set_aside(0);
  SetAside::List list;
  EXPECT_FALSE(set_aside.PushBack(list, Signal::Of(1)));
}

TEST(SetAsideTest, ListsAreAsManyQueuesOverOnePool) {
  constexpr size_t kCapacity = 17;
  std::mt19937_64 random(test::Seed());
  SetAside set_aside(kCapacity);
  std::array<SetAside::List, 4> lists;
  std::array<std::deque<uint64_t>, 4> oracle;
  size_t size = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const size_t at = random() % lists.size();
    if (random() % 2 == 0) {
      const bool pushed = set_aside.PushBack(lists[at], Signal::Of(1, i));
      ASSERT_EQ(pushed, size < kCapacity);
      if (pushed) {
        oracle[at].push_back(i);
        ++size;
      }
    } else if (!oracle[at].empty()) {
      ASSERT_FALSE(lists[at].empty());
      ASSERT_EQ(set_aside.Front(lists[at]).As<uint64_t>(), oracle[at].front());
      set_aside.PopFront(lists[at]);
      oracle[at].pop_front();
      --size;
    }
    ASSERT_EQ(lists[at].empty(), oracle[at].empty());
    ASSERT_EQ(set_aside.size(), size);
  }
}

}  // namespace
}  // namespace bitactor::internal
