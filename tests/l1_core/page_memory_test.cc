#include "bitactor/l1_core/page_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "bitactor/l1_core/placement.h"

namespace bitactor {
namespace {

using ::testing::HasSubstr;

size_t SystemPageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

PageMemory MapOrDie(size_t size_bytes, PageOptions options = {}) {
  absl::StatusOr<PageMemory> memory = PageMemory::Map(size_bytes, options);
  EXPECT_EQ(memory.status(), absl::OkStatus());
  return *std::move(memory);
}

bool IsZero(const PageMemory& memory) {
  return std::all_of(memory.data(), memory.data() + memory.size_bytes(),
                     [](std::byte b) { return b == std::byte{0}; });
}

TEST(PageMemoryTest, IsWholePagesOfZeros) {
  for (const size_t size_bytes : {size_t{1}, SystemPageBytes(), SystemPageBytes() + 1}) {
    const PageMemory memory = MapOrDie(size_bytes);
    EXPECT_EQ(memory.size_bytes() % SystemPageBytes(), 0u);
    EXPECT_GE(memory.size_bytes(), size_bytes);
    EXPECT_LT(memory.size_bytes(), size_bytes + SystemPageBytes());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % SystemPageBytes(), 0u);
    EXPECT_TRUE(IsZero(memory));
    EXPECT_EQ(memory.huge_bytes(), 0u) << "not asked for";
  }
}

TEST(PageMemoryTest, EveryPageIsPresentAtOnce) {
  const PageMemory memory = MapOrDie(100 * SystemPageBytes());
  std::vector<unsigned char> present(100);
  ASSERT_EQ(mincore(memory.data(), memory.size_bytes(), present.data()), 0);
  EXPECT_THAT(present, ::testing::Each(::testing::Truly([](int page) { return page % 2 == 1; })));
}

TEST(PageMemoryTest, HugePagesAreWholeAndAlignedWhetherTheKernelHasThemOrNot) {
  const PageMemory memory = MapOrDie(3 << 20, {.huge_pages = true});
  EXPECT_EQ(memory.size_bytes(), 2 * PageMemory::kHugePageBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % PageMemory::kHugePageBytes, 0u);
  EXPECT_LE(memory.huge_bytes(), memory.size_bytes());
  EXPECT_EQ(memory.huge_bytes() % PageMemory::kHugePageBytes, 0u);
  EXPECT_TRUE(IsZero(memory));
}

TEST(PageMemoryTest, NeighboursDoNotCountEachOthersHugePages) {
  std::vector<PageMemory> memories;
  for (int i = 0; i < 4; ++i) {
    memories.push_back(MapOrDie(PageMemory::kHugePageBytes, {.huge_pages = true}));
  }
  for (const PageMemory& memory : memories) EXPECT_LE(memory.huge_bytes(), memory.size_bytes());
}

TEST(PageMemoryTest, ReportsNoHugePagesWhereTheKernelNeverGivesThem) {
  std::string enabled;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), enabled);
  if (enabled.find("[never]") == std::string::npos) {
    GTEST_SKIP() << "skipped: this kernel gives huge pages, or does not say";
  }
  const PageMemory memory = MapOrDie(PageMemory::kHugePageBytes, {.huge_pages = true});
  EXPECT_EQ(memory.huge_bytes(), 0u);
}

TEST(PageMemoryTest, CanLieOnAChosenNode) {
  const absl::StatusOr<PageMemory> memory =
      PageMemory::Map(100'000, {.numa_node = NumaNodes().back()});
  if (absl::IsPermissionDenied(memory.status())) GTEST_SKIP() << "this sandbox forbids mbind";
  ASSERT_EQ(memory.status(), absl::OkStatus());
  EXPECT_TRUE(IsZero(*memory));
}

TEST(PageMemoryTest, AnUnknownNodeIsAnErrorThatNamesTheNodes) {
  const absl::StatusOr<PageMemory> memory = PageMemory::Map(1, {.numa_node = 1'000});
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(memory.status().ToString(), HasSubstr("no NUMA node 1000"));
}

TEST(PageMemoryTest, SizesThatCannotBeAreRefused) {
  constexpr size_t kMost = std::numeric_limits<size_t>::max();
  for (const size_t size_bytes : {size_t{0}, kMost, kMost - 4095, kMost / 2}) {
    for (const bool huge : {false, true}) {
      EXPECT_EQ(PageMemory::Map(size_bytes, {.huge_pages = huge}).status().code(),
                absl::StatusCode::kInvalidArgument)
          << size_bytes;
    }
  }
  // Beyond any address space of today.
  EXPECT_EQ(PageMemory::Map(kMost / 4 - 1).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(PageMemoryTest, MovesWithoutMovingTheBytes) {
  PageMemory first = MapOrDie(1);
  PageMemory second = MapOrDie(1);
  std::byte* const data = first.data();
  data[0] = std::byte{7};
  second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.data()[0], std::byte{7});
  const PageMemory third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(second.data(), nullptr);  // NOLINT(bugprone-use-after-move): it says what is left
  EXPECT_EQ(second.size_bytes(), 0u);
}

TEST(PageMemoryDeathTest, AWriteBeyondEitherEndIsCaught) {
  for (const bool huge : {false, true}) {
    const PageMemory memory = MapOrDie(1, {.huge_pages = huge});
    volatile std::byte* const data = memory.data();
    EXPECT_DEATH(data[memory.size_bytes()] = std::byte{1}, "");
    EXPECT_DEATH(*(data - 1) = std::byte{1}, "");
  }
}

}  // namespace
}  // namespace bitactor
