// `bitactor replay` of messages, as its users meet it. Replays of states are in program_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "support/program.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::Outcome;
using test::RunProgram;
using ::testing::HasSubstr;

class ReplayProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome outcome =
        RunProgram("demo --messages 1000 --symbols 3 --shards 2 --journal " + run_);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  // The messages that it gives, each as an object.
  std::vector<json> Replay(const std::string& arguments) {
    const Outcome outcome = RunProgram("replay " + run_ + " --json " + arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::vector<json> messages;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) messages.push_back(json::parse(line));
    return messages;
  }
  static size_t LinesIn(const std::string& text) {
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  void ExpectWrongUse(const std::string& arguments, const std::string& words) {
    const Outcome outcome = RunProgram("replay " + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments;
    EXPECT_THAT(outcome.out + outcome.err, HasSubstr(words)) << arguments;
  }

  test::TempDir dir_;
  const std::string run_ = dir_.File("run");
};

TEST_F(ReplayProgramTest, ShowsAllMessagesOrThoseOfOneMailboxOrName) {
  const std::vector<json> all = Replay("--all");
  ASSERT_GT(all.size(), 900u);
  std::map<int, std::vector<json>> by_mailbox;
  std::map<std::string, std::vector<json>> by_name;
  for (const json& message : all) {
    by_mailbox[message["mailbox"]].push_back(message);
    by_name[message["target_name"]].push_back(message);
    EXPECT_EQ(message["boot"], 1);
  }
  ASSERT_GE(by_mailbox.size(), 2u);
  for (const int mailbox : {by_mailbox.begin()->first, by_mailbox.rbegin()->first}) {
    EXPECT_EQ(Replay(absl::StrCat("--mailbox ", mailbox)), by_mailbox[mailbox]);
  }
  EXPECT_EQ(Replay("--name " + by_name.begin()->first), by_name.begin()->second);
  EXPECT_EQ(Replay("--all --limit 7").size(), 7u);

  const Outcome text = RunProgram("replay --journal " + run_ + " --all");
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_EQ(LinesIn(text.out), all.size());
  EXPECT_THAT(text.out, HasSubstr(" -> \"" + by_name.begin()->first + "\"\n"));
}

TEST_F(ReplayProgramTest, UntilAPlaceAndFromThereIsAllOfIt) {
  const std::vector<json> all = Replay("--all");
  ASSERT_GT(all.size(), 500u);
  const std::string place = all[500]["place"];
  std::vector<json> parts = Replay("--all --until " + place);
  EXPECT_GT(parts.size(), 0u);
  for (const json& message : Replay("--all --from " + place)) parts.push_back(message);
  EXPECT_EQ(parts.size(), all.size());
  EXPECT_TRUE(std::is_permutation(parts.begin(), parts.end(), all.begin()));
}

TEST_F(ReplayProgramTest, StepsAsItsInputAsks) {
  const std::string keys = dir_.File("keys");
  std::ofstream(keys) << "\n3\nwhat\n\nq\n\n";
  const Outcome stepped = RunProgram("replay " + run_ + " --all --step < " + keys);
  EXPECT_EQ(stepped.exit_code, 0) << stepped.err;
  EXPECT_EQ(LinesIn(stepped.out), 6u);
  EXPECT_EQ(stepped.out, RunProgram("replay " + run_ + " --all --limit 6").out);
  const std::string help = "Enter: the next message; a number: so many; q: end\n";
  EXPECT_EQ(stepped.err, help + help);  // at first, and after "what"
  const Outcome no_input = RunProgram("replay " + run_ + " --all --step < /dev/null");
  EXPECT_EQ(no_input.exit_code, 0);
  EXPECT_EQ(LinesIn(no_input.out), 1u);
}

TEST_F(ReplayProgramTest, WrongUseSaysWhatToWrite) {
  ExpectWrongUse(run_ + " --name nobody", "nobody has the name \"nobody\"");
  ExpectWrongUse(run_ + " --name ''", "nobody has an empty name");
  ExpectWrongUse(run_ + " --step", "add --all, --mailbox NUMBER or --name NAME");
  ExpectWrongUse(run_ + " --limit 3", "add --all");
  ExpectWrongUse(run_ + " --from 0:1", "add --all");
  ExpectWrongUse(run_ + " --all --from here", "--from: \"here\" is no place");
  ExpectWrongUse(run_ + " --all --until 9:1", "shard 9 has no journal");
  ExpectWrongUse(run_ + " --all --mailbox 3", "excludes");
  ExpectWrongUse(run_ + " --all --dump-book X", "excludes");
  ExpectWrongUse(run_ + " --mailbox 4096", "4096");
  ExpectWrongUse(dir_.File("nowhere") + " --all", "nowhere");
}

TEST_F(ReplayProgramTest, DamageIsAProblemAfterWhatCouldBeRead) {
  const std::vector<json> all = Replay("--all");
  ASSERT_GT(all.size(), 500u);
  const uint64_t position = all[500]["position"];
  const std::string path =
      absl::StrCat(run_, "/shard-0", all[500]["shard"].get<int>(), "/00000000.seg");
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(position * 64 + 16));
    file.write("damaged!", 8);
  }
  const Outcome outcome = RunProgram("replay " + run_ + " --all");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("00000000.seg"));
  EXPECT_THAT(outcome.err, HasSubstr(std::to_string(position)));
  EXPECT_GT(LinesIn(outcome.out), 0u);
  EXPECT_LE(LinesIn(outcome.out), 500u);
}

TEST_F(ReplayProgramTest, ShowsTheStateOfAnActorBeforeAnyOfItsMessages) {
  std::string name;
  for (const json& message : Replay("--all --limit 300")) {
    name = message["target_name"];
    if (name.rfind("book/", 0) == 0) break;
  }
  ASSERT_EQ(name.rfind("book/", 0), 0u) << name;
  const std::vector<json> walk = Replay("--actor " + name + " --walk");
  ASSERT_GT(walk.size(), 20u);
  EXPECT_EQ(walk[0]["state"]["live_orders"], 0);
  EXPECT_EQ(walk.back()["before"], nullptr);
  for (const size_t number : {size_t{1}, size_t{9}, walk.size() - 2}) {
    const std::string place = walk[number]["before"];
    const std::vector<json> shown = Replay("--actor " + name + " --until " + place);
    ASSERT_EQ(shown.size(), 1u);
    EXPECT_EQ(shown[0]["state"], walk[number]["state"]) << place;
  }
  EXPECT_EQ(Replay("--actor " + name)[0], walk.back());

  // Back, to a number, on, and to what is no state.
  const std::string keys = dir_.File("keys");
  std::ofstream(keys) << "p\n9\nn\nx\np\nq\n";
  const std::vector<json> steps = Replay("--actor " + name + " --step < " + keys);
  ASSERT_EQ(steps.size(), 5u);
  EXPECT_EQ(steps[1], walk[walk.size() - 2]);
  EXPECT_EQ(steps[2], walk[9]);
  EXPECT_EQ(steps[3], walk[10]);
  EXPECT_EQ(steps[4], walk[9]);

  EXPECT_EQ(RunProgram("replay " + run_ + " --actor nobody").exit_code, 2);
  ExpectWrongUse(run_ + " --actor " + name + " --all", "excludes");
  ExpectWrongUse(run_ + " --walk", "--actor");
}

}  // namespace
}  // namespace bitactor
