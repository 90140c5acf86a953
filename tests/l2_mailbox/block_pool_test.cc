#include "bitactor/l2_mailbox/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "bitactor/l2_mailbox/block.h"
#include "support/seed.h"

namespace bitactor::internal {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::shared_ptr<BlockPool> Pool(size_t capacity_bytes) {
  return BlockPool::Make(capacity_bytes).value();
}

TEST(BlockPoolTest, LendsAllOfItAndThenRefuses) {
  const auto pool = Pool(kMiB);
  std::set<uint32_t> units;
  for (int i = 0; i < 16; ++i) units.insert(pool->Take(64 << 10).value().unit);
  EXPECT_EQ(units.size(), 16u);
  EXPECT_FALSE(pool->Take(1).has_value());
  EXPECT_EQ(pool->Counters().in_use, 16u);
  EXPECT_EQ(pool->Counters().in_use_bytes, kMiB);
  EXPECT_EQ(pool->Counters().refused, 1u);
}

TEST(BlockPoolTest, NeighboursThatAreFreeBecomeOnePlaceAgain) {
  const auto pool = Pool(kMiB);
  std::vector<BlockHandle> small;
  for (int i = 0; i < 4096; ++i) small.push_back(pool->Take(BlockPool::kUnitBytes).value());
  EXPECT_FALSE(pool->Take(1).has_value());
  for (const BlockHandle block : small) EXPECT_TRUE(pool->Drop(block));
  EXPECT_TRUE(pool->Take(kMiB).has_value());
}

TEST(BlockPoolTest, ACapacityThatIsNoPowerOfTwoIsUsedWhole) {
  const auto pool = Pool(7 * 64 * 1024);
  EXPECT_TRUE(pool->CanHold(256 << 10));
  EXPECT_FALSE(pool->CanHold((256 << 10) + 1));
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(pool->Take(64 << 10).has_value()) << i;
  EXPECT_FALSE(pool->Take(1).has_value());
}

TEST(BlockPoolTest, AnEmptyPoolHasNothingToLend) {
  const auto pool = Pool(0);
  EXPECT_FALSE(pool->CanHold(1));
  EXPECT_FALSE(pool->Take(1).has_value());
  EXPECT_FALSE(pool->Drop({0, 1}));
}

TEST(BlockPoolTest, AHandleOfABlockThatEndedNamesNothing) {
  const auto pool = Pool(kMiB);
  const BlockHandle first = pool->Take(1000).value();
  EXPECT_TRUE(pool->Lives(first));
  EXPECT_TRUE(pool->Drop(first));
  EXPECT_FALSE(pool->Lives(first));
  EXPECT_FALSE(pool->Drop(first));
  const BlockHandle second = pool->Take(1000).value();
  EXPECT_EQ(second.unit, first.unit) << "the same place";
  EXPECT_NE(second.generation, first.generation);
  EXPECT_FALSE(pool->Lives(first));
  EXPECT_TRUE(pool->Lives(second));
  EXPECT_FALSE(pool->Lives({second.unit + 1, second.generation})) << "inside of it";
  EXPECT_FALSE(pool->Lives({~0u, 1}));
  EXPECT_FALSE(pool->Lives({})) << "none";
}

TEST(BlockPoolTest, TheLastReferenceGivesItBack) {
  const auto pool = Pool(kMiB);
  const BlockHandle block = pool->Take(1000).value();
  pool->AddReference(block);
  pool->AddReference(block);
  EXPECT_TRUE(pool->Drop(block));
  EXPECT_TRUE(pool->Drop(block));
  EXPECT_EQ(pool->Counters().in_use, 1u);
  EXPECT_TRUE(pool->Drop(block));
  EXPECT_EQ(pool->Counters().in_use, 0u);
  EXPECT_EQ(pool->Counters().in_use_bytes, 0u);
  EXPECT_EQ(pool->Counters().most_in_use_bytes, 1024u);
}

TEST(BlockPoolTest, AKeptBlockOutlivesItsPoolsOwner) {
  SharedBlock kept;
  {
    const auto pool = Pool(kMiB);
    Block block = Block::Make(pool, 300).value();
    std::fill(block.bytes().begin(), block.bytes().end(), std::byte{7});
    kept = block.Seal();
    EXPECT_TRUE(block.bytes().empty()) << "sealed";
  }
  EXPECT_EQ(kept.bytes().size(), 300u);
  EXPECT_EQ(kept.bytes()[299], std::byte{7});
}

TEST(BlockPoolTest, MakeSaysWhatIsPossible) {
  const auto pool = Pool(kMiB);
  const auto message = [&pool](size_t bytes) {
    return std::string(Block::Make(pool, bytes).status().message());
  };
  EXPECT_EQ(message(0), "a block of 0 bytes; 1 to 16777216 are possible: split it");
  EXPECT_EQ(message((16 << 20) + 1),
            "a block of 16777217 bytes; 1 to 16777216 are possible: split it");
  EXPECT_EQ(message(2 << 20),
            "a block of 2097152 bytes does not fit into 1048576 of FabricOptions::block_bytes, "
            "even if all are free: start with more");
  const Block all = Block::Make(pool, 1 << 20).value();
  EXPECT_EQ(message(500),
            "no room for a block of 500 bytes: 1 blocks take 1048576 of 1048576 bytes "
            "(FabricOptions::block_bytes); ask again when some have been handled and let go");
  EXPECT_EQ(pool->Counters().refused, 1u) << "what can never be is no lack of room";
}

// Against what is trivially right: blocks never overlap, and all is there again in the end.
TEST(BlockPoolTest, BlocksNeverOverlapUnderRandomSteps) {
  std::mt19937_64 random(test::Seed());
  const auto pool = Pool(3 * kMiB + 512);
  std::map<uint32_t, std::pair<BlockHandle, size_t>> lent;  // by unit: its units
  for (int step = 0; step < 50'000; ++step) {
    if (random() % 2 == 0) {
      const size_t size_bytes = 1 + random() % (size_t{1} << (random() % 19));
      const std::optional<BlockHandle> block = pool->Take(size_bytes);
      if (!block.has_value()) continue;
      const size_t units = (size_bytes + BlockPool::kUnitBytes - 1) / BlockPool::kUnitBytes;
      const auto [place, is_new] = lent.insert({block->unit, {*block, units}});
      ASSERT_TRUE(is_new);
      if (const auto next = std::next(place); next != lent.end()) {
        ASSERT_LE(block->unit + units, next->first);
      }
      if (place != lent.begin()) {
        ASSERT_LE(std::prev(place)->first + std::prev(place)->second.second, block->unit);
      }
      ASSERT_EQ(pool->BytesOf(*block).size(), size_bytes);
      std::memset(pool->BytesOf(*block).data(), step & 0xFF, size_bytes);
    } else if (!lent.empty()) {
      auto gone = lent.lower_bound(static_cast<uint32_t>(random() % (3 * 4096 + 2)));
      if (gone == lent.end()) gone = lent.begin();
      ASSERT_TRUE(pool->Drop(gone->second.first));
      lent.erase(gone);
    }
    ASSERT_EQ(pool->Counters().in_use, lent.size());
  }
  for (const auto& [unit, block] : lent) ASSERT_TRUE(pool->Drop(block.first));
  EXPECT_EQ(pool->Counters().in_use_bytes, 0u);
  EXPECT_TRUE(pool->Take(2 * kMiB).has_value());
  EXPECT_TRUE(pool->Take(kMiB).has_value());
  EXPECT_TRUE(pool->Take(512).has_value());
}

}  // namespace
}  // namespace bitactor::internal
