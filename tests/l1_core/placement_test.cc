#include "bitactor/l1_core/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <climits>
#include <filesystem>
#include <fstream>

#include "bitactor/l1_core/page_memory.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(PlacementTest, APinnedThreadRunsThereUntilThePinEnds) {
  const std::vector<int> before = AllowedCpus();
  ASSERT_THAT(before, Not(IsEmpty()));
  for (const int cpu : before) {
    const ScopedPin pin(cpu);
    EXPECT_EQ(pin.status(), absl::OkStatus());
    EXPECT_THAT(AllowedCpus(), ElementsAre(cpu));
    EXPECT_EQ(sched_getcpu(), cpu);
  }
  EXPECT_EQ(AllowedCpus(), before);
}

TEST(PlacementTest, AProcessorThatIsNotThereIsNamedWithThoseThatAre) {
  const std::vector<int> before = AllowedCpus();
  ASSERT_THAT(before, Not(IsEmpty()));
  for (const int cpu : {-1, INT_MIN, 32'767, 32'768, INT_MAX}) {
    const absl::Status status = PinThisThread(cpu);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.ToString(), HasSubstr("processor " + std::to_string(cpu) + ";"));
    EXPECT_THAT(status.ToString(), HasSubstr("may run on " + std::to_string(before.front())));
  }
  EXPECT_EQ(AllowedCpus(), before);
}

TEST(PlacementTest, AFailedScopedPinChangesNothing) {
  const std::vector<int> before = AllowedCpus();
  {
    const ScopedPin pin(-1);
    EXPECT_FALSE(pin.status().ok());
    EXPECT_EQ(AllowedCpus(), before);
  }
  EXPECT_EQ(AllowedCpus(), before);
}

TEST(PlacementTest, EveryAllowedProcessorHasANode) {
  for (const int cpu : AllowedCpus()) {
    const absl::StatusOr<int> node = NumaNodeOf(cpu);
    ASSERT_EQ(node.status(), absl::OkStatus());
    EXPECT_GE(*node, 0);
  }
}

TEST(PlacementTest, MemoryCanBePlacedOnEveryNodeAndKeepsItsContent) {
  absl::StatusOr<PageMemory> memory = PageMemory::Map(100'000);
  ASSERT_EQ(memory.status(), absl::OkStatus());
  memory->data()[99'999] = std::byte{42};
  for (const int node : NumaNodes()) {
    const absl::Status status = PlaceMemory(memory->data(), memory->size_bytes(), node);
    if (absl::IsPermissionDenied(status)) GTEST_SKIP() << "this sandbox forbids mbind";
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(memory->data()[99'999], std::byte{42});
  }
}

TEST(PlacementTest, ANodeThatIsNotThereIsNamedWithThoseThatAre) {
  absl::StatusOr<PageMemory> memory = PageMemory::Map(1);
  ASSERT_EQ(memory.status(), absl::OkStatus());
  for (const int node : {-1, 1023, 1024, INT_MAX}) {
    const absl::Status status = PlaceMemory(memory->data(), memory->size_bytes(), node);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.ToString(), HasSubstr("NUMA node " + std::to_string(node)));
    EXPECT_THAT(status.ToString(), HasSubstr("has " + std::to_string(NumaNodes().front())));
  }
}

TEST(PlacementTest, ReadsTheListsOfTheKernel) {
  EXPECT_THAT(internal::ParseKernelList("0"), ElementsAre(0));
  EXPECT_THAT(internal::ParseKernelList("0-2,5,8-9"), ElementsAre(0, 1, 2, 5, 8, 9));
  for (const char* bad :
       {"", "a", "1-", "-1", "3-1", "1-2-3", "1,,2", "0-99999999999", "0-999999"}) {
    EXPECT_THAT(internal::ParseKernelList(bad), IsEmpty()) << bad;
  }
}

// A machine of which this one knows nothing: four processors, nodes 0 and 2, node 1 without memory.
class PlacementTreeTest : public ::testing::Test {
 protected:
  PlacementTreeTest() {
    for (const char* folder : {"/cpu/cpu0/node0", "/cpu/cpu1/node0", "/cpu/cpu2/node2",
                               "/cpu/cpu2/topology", "/cpu/cpu3/node1", "/node"}) {
      std::filesystem::create_directories(directory_.path() + folder);
    }
    std::ofstream(directory_.File("cpu/possible")) << "0-3\n";
    std::ofstream(directory_.File("node/has_memory")) << "0,2\n";
  }

  test::TempDir directory_;
};

TEST_F(PlacementTreeTest, FindsTheNodeOfAProcessor) {
  EXPECT_EQ(*internal::NumaNodeIn(directory_.path(), 0), 0);
  EXPECT_EQ(*internal::NumaNodeIn(directory_.path(), 2), 2);
  EXPECT_EQ(*internal::NumaNodeIn(directory_.path(), 3), 1);
}

TEST_F(PlacementTreeTest, ANodeWithoutMemoryIsNotOffered) {
  EXPECT_THAT(internal::NumaNodesIn(directory_.path()), ElementsAre(0, 2));
}

TEST_F(PlacementTreeTest, AnUnknownProcessorIsRefusedWithTheRange) {
  for (const int cpu : {4, -1}) {
    const absl::StatusOr<int> node = internal::NumaNodeIn(directory_.path(), cpu);
    EXPECT_EQ(node.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(node.status().ToString(), HasSubstr("0-3"));
  }
}

TEST_F(PlacementTreeTest, AKernelWithoutNumaIsOneNode) {
  std::filesystem::remove_all(directory_.File("node"));
  std::filesystem::remove_all(directory_.File("cpu/cpu2/node2"));
  EXPECT_THAT(internal::NumaNodesIn(directory_.path()), ElementsAre(0));
  EXPECT_EQ(*internal::NumaNodeIn(directory_.path(), 2), 0);
}

TEST_F(PlacementTreeTest, WithoutSysEveryProcessorIsOnOneNode) {
  EXPECT_THAT(internal::NumaNodesIn(directory_.File("absent")), ElementsAre(0));
  EXPECT_EQ(*internal::NumaNodeIn(directory_.File("absent"), 7), 0);
}

}  // namespace
}  // namespace bitactor
