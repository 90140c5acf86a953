// `bitactor trace slow`, `stat`, `path` and `walk` over a run of the market pipeline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::RunProgram;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TraceRunProgramTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new test::TempDir;
    const test::Outcome outcome =
        RunProgram("demo --messages 3000 --symbols 2 --shards 2 --journal " + Run());
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  static void TearDownTestSuite() {
    delete dir_;
    dir_ = nullptr;
  }
  static std::string Run() { return dir_->File("run"); }
  static std::string Spans() { return Run() + "/spans.bin"; }

  static json Json(const std::string& arguments) {
    const test::Outcome outcome = RunProgram("trace " + arguments + " --json");
    EXPECT_EQ(outcome.exit_code, 0) << arguments << "\n" << outcome.err;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }
  static std::vector<json> Walk(const std::string& arguments, const std::string& run = Run()) {
    const test::Outcome outcome = RunProgram("trace walk " + run + " --json " + arguments);
    EXPECT_EQ(outcome.exit_code, 0) << arguments << "\n" << outcome.err;
    std::vector<json> steps;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) steps.push_back(json::parse(line));
    return steps;
  }
  // The last journalled message of this type.
  static json LastOf(const std::string& type, const std::string& run = Run()) {
    const test::Outcome outcome = RunProgram("journal export " + run + " --type " + type);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::istringstream lines(outcome.out);
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    return json::parse(last);
  }
  static std::string NumberOf(const json& record) {
    const auto id = record["message_id"].get<uint64_t>();
    return absl::StrCat(record["source"].get<uint32_t>(), ":", id >> 48, "/",
                        id & ((1ull << 48) - 1));
  }
  static void ExpectWrongUse(const std::string& arguments, const std::string& words) {
    const test::Outcome outcome = RunProgram("trace " + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments;
    EXPECT_THAT(outcome.err, HasSubstr(words)) << arguments;
  }

  static test::TempDir* dir_;
};
test::TempDir* TraceRunProgramTest::dir_ = nullptr;

TEST_F(TraceRunProgramTest, SlowShowsWaitingApartFromWork) {
  const json report = Json("slow " + Run() + " --top 3");
  ASSERT_EQ(report["chains"].size(), 3u);
  uint64_t before_ns = ~uint64_t{0};
  for (const json& chain : report["chains"]) {
    EXPECT_LE(chain["total_ns"].get<uint64_t>(), before_ns);
    before_ns = chain["total_ns"];
    uint64_t sum_ns = 0;
    for (const json& step : chain["steps"]) {
      sum_ns += step["wait_ns"].get<uint64_t>() + step["work_ns"].get<uint64_t>();
    }
    EXPECT_EQ(sum_ns, chain["total_ns"]);
    EXPECT_EQ(chain["steps"][0]["source_name"], "feed");
  }
  const test::Outcome people = RunProgram("trace slow " + Spans() + " --top 1");
  EXPECT_EQ(people.exit_code, 0);
  EXPECT_THAT(people.out, HasSubstr("waiting"));
  EXPECT_THAT(people.out, HasSubstr("feed -> book/"));
}

TEST_F(TraceRunProgramTest, StatCountsWhatTheRunCounted) {
  const json report = Json("stat " + Run());
  EXPECT_EQ(report["traces"], report["roots"]);
  EXPECT_EQ(report["orphans"], 0);
  EXPECT_EQ(report["outcomes"]["crashed"], 0);
  uint64_t by_type = 0;
  uint64_t by_actor = 0;
  for (const json& row : report["types"]) by_type += row["spans"].get<uint64_t>();
  for (const json& row : report["actors"]) by_actor += row["spans"].get<uint64_t>();
  EXPECT_EQ(by_type, report["spans"]);
  EXPECT_EQ(by_actor, report["spans"]);
  EXPECT_THAT(RunProgram("trace stat " + Run()).out, HasSubstr("FeedEvent"));
}

TEST_F(TraceRunProgramTest, APathLeadsFromTheFeedToTheFillWithAndWithoutSpans) {
  const json fill = LastOf("Fill");
  const std::string number = NumberOf(fill);
  const json path = Json("path " + number + " " + Run());
  ASSERT_EQ(path["causes"].size(), 4u);
  EXPECT_EQ(path["whole"], true);
  EXPECT_EQ(path["trace"], fill["trace"]);
  EXPECT_EQ(path["causes"][0]["source_name"], "feed");
  EXPECT_EQ(path["causes"][3]["span"], fill["parent_span"]);
  EXPECT_EQ(path["message"]["type"], "Fill");
  EXPECT_EQ(path["message"]["place"], fill["place"]);
  EXPECT_NE(path["message"]["duration_ns"], nullptr);
  EXPECT_TRUE(path["effects"].empty());

  // The journals alone know the same messages.
  const json journalled = Json("path " + number + " --journal " + Run());
  EXPECT_EQ(journalled["message"]["span"], path["message"]["span"]);
  EXPECT_EQ(journalled["message"]["duration_ns"], nullptr);
  EXPECT_EQ(journalled["message"]["target_name"], path["message"]["target_name"]);
  ASSERT_EQ(journalled["causes"].size(), 4u);
  EXPECT_EQ(journalled["causes"][0]["place"], path["causes"][0]["place"]);

  // From the other end, by its span, with the spans alone.
  const std::string root = path["causes"][0]["span"];
  const json forward = Json("path " + root + " " + Spans());
  EXPECT_TRUE(forward["causes"].empty());
  EXPECT_EQ(forward["effects"].back()["span"], path["message"]["span"]);
  EXPECT_EQ(forward["effects"].back()["steps"], 4);
  EXPECT_EQ(Json("path " + root + " " + Run() + " --limit 1")["effects_left_out"], 3);

  const test::Outcome people = RunProgram("trace path " + number + " " + Run());
  EXPECT_THAT(people.out, HasSubstr("\n*         Fill  execution/"));
  EXPECT_THAT(people.out, HasSubstr("\n  FeedEvent  feed -> book/"));
}

TEST_F(TraceRunProgramTest, AWalkShowsEachStateBeforeAndAfter) {
  const std::string actor =
      Json("path " + NumberOf(LastOf("Fill")) + " " + Run())["message"]["target_name"];
  const std::vector<json> steps = Walk("--steps 3 --actor " + actor);
  ASSERT_EQ(steps.size(), 3u);
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i]["index"], i);
    EXPECT_EQ(steps[i]["actor"], actor);
    EXPECT_EQ(steps[i]["message"]["type"], "Fill");
    EXPECT_EQ(steps[i]["before"]["fills"], i);
    EXPECT_EQ(steps[i]["after"]["fills"], i + 1);
    if (i > 0) {
      EXPECT_EQ(steps[i]["before"], steps[i - 1]["after"]);
    }
    const int64_t moved = steps[i]["after"]["position"].get<int64_t>() -
                          steps[i]["before"]["position"].get<int64_t>();
    EXPECT_EQ(moved, steps[i]["message"]["fields"]["quantity"]);
  }
  // Back and forth by keys: the first, the second, the first, the third, and there is nobody at 9:9.
  const std::string keys = dir_->File("keys");
  std::ofstream(keys) << "n\np\ng " << steps[2]["message"]["place"].get<std::string>()
                      << "\ng 9:9\nwhat\nq\nn\n";
  const test::Outcome walked =
      RunProgram("trace walk " + Run() + " --json --actor " + actor + " < " + keys);
  EXPECT_EQ(walked.exit_code, 0) << walked.err;
  std::istringstream lines(walked.out);
  std::vector<int> indices;
  for (std::string line; std::getline(lines, line);) {
    const json step = json::parse(line);
    indices.push_back(step["index"]);
    EXPECT_EQ(step, steps[static_cast<size_t>(indices.back())]);
  }
  EXPECT_THAT(indices, ::testing::ElementsAre(0, 1, 0, 2));
  EXPECT_THAT(walked.err, HasSubstr("9:9: no message of this walk"));
  const std::string place = steps[1]["message"]["place"];
  const test::Outcome people =
      RunProgram("trace walk " + Run() + " --steps 1 --actor " + actor + " --at " + place);
  EXPECT_THAT(people.out, StartsWith("2 of "));
  EXPECT_THAT(people.out, HasSubstr("before fills=1 "));
  EXPECT_THAT(people.out, HasSubstr("after  *fills=2 "));
}

TEST_F(TraceRunProgramTest, AMessageThatItsActorFailedAtChangedNothing) {
  // Long enough for the first of the defects that the demo has.
  const std::string run = dir_->File("failing");
  ASSERT_EQ(RunProgram("demo --messages 20300 --symbols 1 --shards 1 --journal " + run).exit_code,
            0);
  EXPECT_EQ(Json("stat " + run)["outcomes"]["crashed"], 1);
  const json poison = LastOf("Poison", run);
  const std::vector<json> steps = Walk("--steps 1 --at " + poison["place"].get<std::string>(), run);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0]["message"]["type"], "Poison");
  EXPECT_NE(steps[0]["before"], nullptr);
  EXPECT_EQ(steps[0]["before"], steps[0]["after"]);
}

TEST_F(TraceRunProgramTest, WhatCannotBeShownSaysWhy) {
  ExpectWrongUse("slow " + dir_->File("none"), "none");
  ExpectWrongUse("stat " + dir_->path() + "/run/shard-00", "no spans here");
  ExpectWrongUse("path 1:1", "--journal RUN");
  ExpectWrongUse("path nonsense " + Run(), "SOURCE:SEQUENCE");
  ExpectWrongUse("path eve:1 " + Run(), "eve");
  ExpectWrongUse("path 1:999999999 " + Run(), "neither in the spans nor in the journals");
  ExpectWrongUse("path 1:999999999 " + Spans(), "--journal RUN looks");
  ExpectWrongUse("walk " + dir_->path(), dir_->path());
  ExpectWrongUse("walk " + Run() + " --steps 1 --actor eve", "no actor \"eve\"");
  ExpectWrongUse("walk " + Run() + " --steps 1 --at here", "--at: ");
  ExpectWrongUse("walk " + Run() + " --steps 0", "--steps");
  const std::string damaged = dir_->File("damaged.bin");
  std::filesystem::copy_file(Spans(), damaged);
  std::fstream(damaged, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('x');
  EXPECT_EQ(RunProgram("trace slow " + damaged).exit_code, 1);
  for (const char* command : {"slow", "stat", "path", "walk"}) {
    const test::Outcome help = RunProgram(absl::StrCat("trace ", command, " --help"));
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("Example"));
  }
}

}  // namespace
}  // namespace bitactor
