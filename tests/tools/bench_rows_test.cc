// The rows of every library, run for real but briefly: no time is asserted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "bench/bench_command.h"
#include "bitactor/l1_core/placement.h"

namespace bitactor::bench {
namespace {

namespace fs = std::filesystem;

class BenchRowsRunTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(directory_);
    fs::create_directory(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  nlohmann::json Run(const std::string& filter) {
    const std::string path = (directory_ / "rows.json").string();
    const int exit_code = RunBenchCommand({.filter = filter,
                                           .json_path = path,
                                           .repeats = 1,
                                           .quick = true,
                                           .work_dir = directory_.string()},
                                          out_, err_);
    EXPECT_EQ(exit_code, kBenchOk) << out_.str() << err_.str();
    std::ifstream file(path);
    return nlohmann::json::parse(file, nullptr, false);
  }
  void ExpectEveryRowMeasures(const std::string& filter) {
    const nlohmann::json document = Run(filter);
    ASSERT_TRUE(document.is_object());
    EXPECT_FALSE(document["rows"].empty());
    for (const auto& row : document["rows"]) {
      // There may be no stall and no fault; of everything else there is some.
      const bool counts = row["unit"] == "appends" || row["unit"] == "faults";
      EXPECT_GE(row["median"], counts ? 0.0 : 1e-9) << row;
    }
  }

  fs::path directory_;
  std::ostringstream out_, err_;
};

TEST_F(BenchRowsRunTest, EveryMachineRowMeasures) { ExpectEveryRowMeasures("^machine/"); }
TEST_F(BenchRowsRunTest, EveryPersistenceRowMeasures) { ExpectEveryRowMeasures("^persistence/"); }
TEST_F(BenchRowsRunTest, EveryOtherRowMeasures) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP()
      << "skipped: these rows run on one thread, which the thread sanitizer slows to minutes";
#endif
  ExpectEveryRowMeasures("^(?!machine/|persistence/)");
}

TEST_F(BenchRowsRunTest, ListsTheNamesThatScriptsRead) {
  ASSERT_EQ(RunBenchCommand({.list = true}, out_, err_), kBenchOk);
  for (const char* name : {"machine/rdtsc",
                           "machine/crc32c_192",
                           "machine/memcpy_192",
                           "machine/cacheline_rtt",
                           "machine/spsc_rtt",
                           "machine/spsc_throughput",
                           "machine/page_fault",
                           "machine/fdatasync",
                           "machine/throw",
                           "l2/floor/16",
                           "l2/floor/64",
                           "l2/floor/128",
                           "persistence/append_floor",
                           "persistence/append",
                           "persistence/replay",
                           "persistence/recover",
                           "persistence/verify",
                           "machine/memcpy_bandwidth",
                           "persistence/append_floor/64",
                           "persistence/append_floor/128",
                           "persistence/append_floor/192",
                           "persistence/append/64",
                           "persistence/append/128",
                           "persistence/append/192",
                           "persistence/append_tail",
                           "persistence/append_stalls",
                           "persistence/append_faults",
                           "persistence/append_ring",
                           "persistence/append_first_touch",
                           "persistence/replay_rate",
                           "persistence/verify_rate",
                           "persistence/verify_memory",
                           "machine/disk_write",
                           "persistence/group",
                           "l1/dispatch",
                           "l1/zero_tick",
                           "l1/fiber_switch",
                           "l1/timer",
                           "l2/route",
                           "machine/lane_rtt",
                           "machine/lane_throughput",
                           "machine/readerwriterqueue_rtt",
                           "machine/readerwriterqueue_throughput",
                           "l2/volatile/16",
                           "l2/volatile/64",
                           "l2/volatile/128",
                           "l2/volatile_unsampled/64",
                           "l2/durable/16",
                           "l2/durable/64",
                           "l2/durable/128",
                           "l2/route_changing",
                           "l2/merge/2",
                           "l2/merge/64",
                           "l2/cross_core_rtt/16",
                           "l2/cross_core_rtt/64",
                           "l2/cross_core_rtt/128",
                           "l2/throughput_2_shards/16",
                           "l2/throughput_2_shards/64",
                           "l2/throughput_2_shards/128",
                           "l2/hop_at_half_load/64"}) {
    EXPECT_THAT(out_.str(), testing::HasSubstr(std::string(name) + " ")) << name;
  }
}

TEST_F(BenchRowsRunTest, PairRowsAreSkippedOnOneProcessor) {
  const ScopedPin pin(AllowedCpus().back());
  const nlohmann::json document = Run("cacheline_rtt");
  EXPECT_TRUE(document["rows"].empty());
  EXPECT_EQ(document["omitted"][0]["reason"], "needs 2 processors, this process may use 1");
}

}  // namespace
}  // namespace bitactor::bench
