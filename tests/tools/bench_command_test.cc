#include "bench/bench_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "bench/environment.h"
#include "bitactor/l1_core/placement.h"
#include "tools/bench_rows_fixture.h"

namespace bitactor::bench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class BenchCommandTest : public BenchRowsTest {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(directory_);
    fs::create_directory(directory_);
    AddFake({.name = "l2/floor/64"}, {20});
    AddFake({.name = "l2/durable/64"}, {30});
  }
  void TearDown() override { fs::remove_all(directory_); }

  int Command(BenchOptions options) {
    options.work_dir = directory_.string();
    return RunBenchCommand(options, registry_, clock_, out_, err_);
  }
  std::string PathOf(const std::string& name) { return (directory_ / name).string(); }
  static nlohmann::json ReadJson(const std::string& path) {
    std::ifstream file(path);
    return nlohmann::json::parse(file, nullptr, false);
  }

  fs::path directory_;
  std::ostringstream out_, err_;
};

TEST_F(BenchCommandTest, PrintsALinePerRow) {
  EXPECT_EQ(Command({}), kBenchOk);
  EXPECT_THAT(out_.str(), testing::ContainsRegex("l2/durable/64 +ns +30\\.0 +30\\.0 \\.\\. 30\\.0 "
                                                 "+1\\.50"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(BenchCommandTest, WritesTheRowsAsJson) {
  EXPECT_EQ(Command({.json_path = PathOf("r.json"), .repeats = 5}), kBenchOk);
  const auto document = ReadJson(PathOf("r.json"));
  ASSERT_TRUE(document.is_object());
  ASSERT_EQ(document["rows"].size(), 2u);
  const auto& row = document["rows"][1];
  EXPECT_EQ(row["name"], "l2/durable/64");
  EXPECT_EQ(row["unit"], "ns");
  EXPECT_EQ(row["median"], 30.0);
  EXPECT_EQ(row["min"], 30.0);
  EXPECT_EQ(row["max"], 30.0);
  EXPECT_EQ(row["runs"], 5);
  EXPECT_EQ(row["ratio_to_floor"], 1.5);
  EXPECT_FALSE(row.contains("p50")) << "not a latency";
}

TEST_F(BenchCommandTest, JsonNamesTheEnvironment) {
  EXPECT_EQ(Command({.json_path = PathOf("r.json")}), kBenchOk);
  const auto environment = ReadJson(PathOf("r.json"))["environment"];
  for (const char* key : {"cpu", "compiler", "flags", "build_type", "commit", "clock", "date"}) {
    ASSERT_TRUE(environment.contains(key)) << key;
    EXPECT_FALSE(environment[key].get<std::string>().empty()) << key;
  }
  EXPECT_EQ(environment["cores"], AllowedCpus().size());
}

TEST_F(BenchCommandTest, JsonOfALatencyHasItsPercentiles) {
  AddLatencies("machine/fdatasync", {100, 101, 150, 250});
  EXPECT_EQ(Command({.filter = "fdatasync", .json_path = PathOf("r.json")}), kBenchOk);
  const auto row = ReadJson(PathOf("r.json"))["rows"][0];
  EXPECT_EQ(row["p50"], 150);
  EXPECT_EQ(row["p99"], 250);
  EXPECT_EQ(row["p999"], 250);
  EXPECT_EQ(row["p9999"], 250);
}

TEST_F(BenchCommandTest, ReplacesAnOldJsonFile) {
  std::ofstream(PathOf("r.json")) << std::string(100'000, 'x');
  EXPECT_EQ(Command({.json_path = PathOf("r.json")}), kBenchOk);
  EXPECT_TRUE(ReadJson(PathOf("r.json")).is_object());
}

TEST_F(BenchCommandTest, UnwritableJsonIsFoundBeforeMeasuring) {
  EXPECT_EQ(Command({.json_path = PathOf("none/r.json")}), kBenchWrongUse);
  EXPECT_THAT(err_.str(), HasSubstr(PathOf("none/r.json")));
  EXPECT_THAT(err_.str(), HasSubstr("No such file or directory"));
  EXPECT_THAT(runs_, IsEmpty());
}

TEST_F(BenchCommandTest, ADirectoryIsNoJsonFile) {
  EXPECT_EQ(Command({.json_path = directory_.string()}), kBenchWrongUse);
  EXPECT_THAT(err_.str(), HasSubstr("Is a directory"));
}

TEST_F(BenchCommandTest, AFullDiskIsReportedAfterTheTable) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  EXPECT_EQ(Command({.json_path = "/dev/full"}), kBenchFailed);
  EXPECT_THAT(err_.str(), HasSubstr("No space left on device"));
  EXPECT_THAT(out_.str(), HasSubstr("l2/durable/64"));
}

TEST_F(BenchCommandTest, AWrongUseLeavesNoJsonFile) {
  EXPECT_EQ(Command({.filter = "nothing_like_it", .json_path = PathOf("r.json")}), kBenchWrongUse);
  EXPECT_FALSE(fs::exists(PathOf("r.json")));
}

TEST_F(BenchCommandTest, ABadFilterIsWrongUse) {
  EXPECT_EQ(Command({.filter = "l2/["}), kBenchWrongUse);
  EXPECT_THAT(err_.str(), HasSubstr("'l2/['"));
  EXPECT_THAT(runs_, IsEmpty());
}

TEST_F(BenchCommandTest, AFilterWithoutAMatchNamesNearRows) {
  EXPECT_EQ(Command({.filter = "l2/durabel/64"}), kBenchWrongUse);
  EXPECT_THAT(err_.str(), HasSubstr("the nearest are l2/durable/64"));
}

TEST_F(BenchCommandTest, NoRoundsIsWrongUse) {
  EXPECT_EQ(Command({.repeats = 0}), kBenchWrongUse);
  EXPECT_THAT(err_.str(), HasSubstr("1 to 1000"));
}

TEST_F(BenchCommandTest, AMissingWorkDirectoryIsWrongUse) {
  fs::remove_all(directory_);
  EXPECT_EQ(Command({}), kBenchWrongUse);
  EXPECT_THAT(err_.str(), HasSubstr(directory_.string()));
}

TEST_F(BenchCommandTest, ListRunsNothing) {
  EXPECT_EQ(Command({.list = true}), kBenchOk);
  EXPECT_THAT(out_.str(), HasSubstr("l2/durable/64"));
  EXPECT_THAT(runs_, IsEmpty());
}

TEST_F(BenchCommandTest, QuickRunsAreShorter) {
  EXPECT_EQ(Command({.repeats = 1}), kBenchOk);
  const uint64_t full = runs_.back().operations;
  EXPECT_EQ(Command({.repeats = 1, .quick = true}), kBenchOk);
  EXPECT_EQ(runs_.back().operations, full / 7);
}

TEST_F(BenchCommandTest, AFailedRowFailsTheCommandAndIsShown) {
  AddBroken("l3/call", absl::InternalError("the reply was lost"));
  EXPECT_EQ(Command({.json_path = PathOf("r.json")}), kBenchFailed);
  EXPECT_THAT(out_.str(), HasSubstr("failed:  l3/call: the reply was lost"));
  EXPECT_EQ(ReadJson(PathOf("r.json"))["omitted"][0]["reason"], "the reply was lost");
}

TEST_F(BenchCommandTest, ASkippedRowIsNoFailure) {
  AddBroken("machine/spsc_rtt", absl::UnavailableError("needs 2 processors"));
  EXPECT_EQ(Command({}), kBenchOk);
  EXPECT_THAT(out_.str(), HasSubstr("skipped: machine/spsc_rtt: needs 2 processors"));
}

TEST_F(BenchCommandTest, RemovesTheFilesOfItsRows) {
  registry_.Add({.name = "row", .operations_max = 1},
                [](const Context& context) -> absl::StatusOr<Body> {
                  std::ofstream(context.work_dir + "/left_behind") << "x";
                  EXPECT_TRUE(fs::exists(context.work_dir + "/left_behind"));
                  return [](uint64_t) -> absl::StatusOr<Sample> { return Amount(1, 1); };
                });
  EXPECT_EQ(Command({}), kBenchOk);
  EXPECT_THAT(fs::directory_iterator(directory_), testing::Eq(fs::directory_iterator()));
}

TEST_F(BenchCommandTest, ShowsProgressWhenAsked) {
  EXPECT_EQ(Command({.repeats = 2, .progress = true}), kBenchOk);
  EXPECT_THAT(err_.str(), HasSubstr("round 2/2  row 1/2  l2/floor/64"));
}

}  // namespace
}  // namespace bitactor::bench
