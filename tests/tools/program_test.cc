// The program as its users meet it: known answers, exit codes and error messages.
#include "support/program.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "bitactor/l1_core/file.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::RunProgram;
using ::testing::Test;

std::string Data(const std::string& name) { return std::string(BITACTOR_SHARED_DATA) + "/" + name; }

class ProgramTest : public Test {
 protected:
  std::string WriteFile(const std::string& name, const std::string& bytes) {
    std::ofstream(dir_.File(name), std::ios::binary) << bytes;
    return dir_.File(name);
  }
  // A short feed of this program's own making.
  std::string MakeFeed(const std::string& name) { return WriteFile(name, kShortFeed); }
  static void ExpectWrongUse(const std::string& arguments, const std::string& says) {
    const test::Outcome outcome = RunProgram(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments << "\n" << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << outcome.err;
  }
  static void ExpectBadData(const std::string& arguments, const std::string& says) {
    const test::Outcome outcome = RunProgram(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << arguments << "\n" << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << outcome.err;
  }

  // Two messages: S (12 bytes) at 0 and again at 14.
  static inline const std::string kSystemEvent = std::string("\0\x0cS\0\0\0\0\0\0\0\0\0\x01O", 14);
  static inline const std::string kShortFeed = kSystemEvent + kSystemEvent;
  test::TempDir dir_;
};

TEST_F(ProgramTest, TheRecordedAaplBookEqualsTheGoldenOneLineForLine) {
  const std::string feed = Data("nasdaq_itch50_20200130_AAPL_locate13_10k.bin");
  if (!std::filesystem::exists(feed)) GTEST_SKIP() << "skipped: no recorded feeds at " << feed;
  std::ifstream golden(Data("nasdaq_itch50_20200130_AAPL_golden_book_final.txt"));
  const std::string expected((std::istreambuf_iterator<char>(golden)), {});
  const test::Outcome outcome = RunProgram("run --format itch50 --dump-book AAPL --feed " + feed);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, expected);
}

TEST_F(ProgramTest, TheRecordedAaplFeedHasItsKnownExecutionsForAnyNumberOfShards) {
  const std::string feed = Data("nasdaq_itch50_20200130_AAPL_locate13_10k.bin");
  if (!std::filesystem::exists(feed)) GTEST_SKIP() << "skipped: no recorded feeds at " << feed;
  std::string digest;
  for (const char* shards : {"1", "2", "4"}) {
    const test::Outcome outcome = RunProgram("run --json --format itch50 --shards " +
                                             std::string(shards) + " --feed " + feed);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json report = json::parse(outcome.out);
    EXPECT_EQ(report["feed_messages"], 10'000);
    EXPECT_EQ(report["live_orders"], 215);
    EXPECT_EQ(report["zero_tick"]["signals"], 10'000);
    EXPECT_EQ(report["zero_tick"]["by_cause"], json({{"ignored", 54}, {"unchanged", 7'153}}));
    EXPECT_EQ(report["executions"]["visible"]["count"], 849);
    EXPECT_EQ(report["executions"]["visible"]["shares"], 56'086);
    EXPECT_EQ(report["executions"]["visible"]["notional"], 180'077'391'300);
    EXPECT_EQ(report["executions"]["hidden"]["count"], 240);
    EXPECT_EQ(report["executions"]["hidden"]["shares"], 25'470);
    EXPECT_EQ(report["stages"].size(), 6u);
    EXPECT_TRUE(report["dead_letters"].empty());
    if (!digest.empty()) {
      EXPECT_EQ(report["digest"], digest);
    }
    digest = report["digest"];
  }
}

TEST_F(ProgramTest, TheRecordedLobsterDayEqualsItsBookFile) {
  const std::string feed = Data("lobster_GOOG_2012-06-21_message_1.csv");
  if (!std::filesystem::exists(feed)) GTEST_SKIP() << "skipped: no recorded feeds at " << feed;
  const test::Outcome outcome =
      RunProgram("run --json --format lobster --feed " + feed + " --book " +
                 Data("lobster_GOOG_2012-06-21_orderbook_1.csv"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json report = json::parse(outcome.out);
  EXPECT_EQ(report["feed_messages"], 49'482);
  EXPECT_EQ(report["book_rows"]["compared"], 49'481);
  EXPECT_EQ(report["book_rows"]["equal"], 49'481);
  EXPECT_EQ(report["executions"]["visible"],
            json({{"count", 7'765}, {"shares", 492'509}, {"notional", 2'803'714'320'800}}));
  EXPECT_EQ(report["executions"]["hidden"],
            json({{"count", 3'913}, {"shares", 213'616}, {"notional", 1'217'242'932'450}}));
  EXPECT_GT(report["unknown_references"]["count"], 0);
  EXPECT_GT(report["unknown_references"]["first_sequence"], 0);
}

TEST_F(ProgramTest, TheStartOfARecordedDayHasItsCounts) {
  const std::string feed = Data("nasdaq_itch50_startofday_1000msgs.itch");
  if (!std::filesystem::exists(feed)) GTEST_SKIP() << "skipped: no recorded feeds at " << feed;
  const test::Outcome outcome = RunProgram("run --json --format itch50 --feed " + feed);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json report = json::parse(outcome.out);
  EXPECT_EQ(report["feed_messages"], 1'000);
  EXPECT_EQ(report["zero_tick"]["signals"], 1'000);
  EXPECT_EQ(report["zero_tick"]["bypassed"], 997);
  EXPECT_EQ(report["zero_tick"]["share"], 0.997);
  EXPECT_EQ(report["zero_tick"]["by_cause"], json({{"ignored", 997}}));
}

TEST_F(ProgramTest, ReplayEqualsTheRunAndUntilStopsBefore) {
  const std::string journal = dir_.File("run");
  const test::Outcome run =
      RunProgram("demo --messages 20000 --symbols 4 --json --journal " + journal);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const test::Outcome replay = RunProgram("replay --json --journal " + journal);
  ASSERT_EQ(replay.exit_code, 0) << replay.err;
  EXPECT_EQ(json::parse(replay.out)["digest"], json::parse(run.out)["digest"]);

  const test::Outcome dump = RunProgram("journal dump --json --shard 1 " + journal);
  ASSERT_EQ(dump.exit_code, 0) << dump.err;
  std::istringstream lines(dump.out);
  std::string line;
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(std::getline(lines, line));
  const std::string place = json::parse(line)["place"];
  const test::Outcome early =
      RunProgram("replay --json --journal " + journal + " --until " + place);
  ASSERT_EQ(early.exit_code, 0) << early.err;
  EXPECT_LT(json::parse(early.out)["frames"], json::parse(replay.out)["frames"]);
  EXPECT_NE(json::parse(early.out)["digest"], json::parse(run.out)["digest"]);
  ExpectWrongUse("replay --journal " + journal + " --until 1:2", "no frame begins at 1:2");
  ExpectWrongUse("replay --journal " + journal + " --until nowhere", "SHARD:POSITION");
}

TEST_F(ProgramTest, AJournalledRunLeavesATraceToExport) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(RunProgram("demo --messages 5000 --symbols 2 --journal " + journal).exit_code, 0);
  const test::Outcome trace = RunProgram("trace export --format perfetto " + journal);
  ASSERT_EQ(trace.exit_code, 0) << trace.err;
  const json events = json::parse(trace.out)["traceEvents"];
  size_t slices = 0;
  size_t arrows = 0;
  for (const json& event : events) {
    slices += event["ph"] == "X";
    arrows += event["ph"] == "s";
  }
  EXPECT_GT(slices, 5'000u);
  EXPECT_GT(arrows, 4'000u);
}

TEST_F(ProgramTest, TheTreeOfASystemIsDrawnAndGivenAsJson) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(RunProgram("demo --messages 1000 --symbols 2 --journal " + journal).exit_code, 0);
  const test::Outcome text = RunProgram("tree " + journal);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(text.out.substr(0, 21), "system (one_for_one)\n");
  EXPECT_NE(text.out.find("this is its last state"), std::string::npos) << text.out;
  const test::Outcome given = RunProgram("tree --json " + journal);
  EXPECT_EQ(given.exit_code, 0) << given.err;
  const json tree = json::parse(given.out);
  EXPECT_EQ(tree["running"], false);
  EXPECT_GE(tree["tree"]["children"][0]["children"].size(), 10u) << "five actors for each symbol";
}

TEST_F(ProgramTest, ATreeThatGaveUpOrWhoseWriterWasKilledOrThatIsNoneIsAProblem) {
  const std::string begin = "{\"format\":\"bitactor tree 1\",\"text\":\"drawn\\n\",";
  const std::string up = WriteFile("up", begin + "\"running\":false,\"tree\":{}}");
  EXPECT_EQ(RunProgram("tree " + up).exit_code, 0);
  const std::string gave_up = WriteFile(
      "gave_up", begin + "\"running\":false,\"tree\":{\"children\":[{\"gave_up\":true}]}}");
  EXPECT_EQ(RunProgram("tree " + gave_up).exit_code, 1);
  const std::string killed =
      WriteFile("killed", begin + "\"running\":true,\"pid\":1073741824,\"tree\":{}}");
  EXPECT_EQ(RunProgram("tree " + killed).exit_code, 1);
  EXPECT_NE(RunProgram("tree " + killed).out.find("was killed"), std::string::npos);
  ExpectBadData("tree " + WriteFile("none", "{}"), "is no tree of a system");
  ExpectWrongUse("tree " + dir_.File("missing"), "SystemOptions::tree_file");
}

TEST_F(ProgramTest, AFeedThatIsNotThereOrEmptyOrAFolderIsWrongUse) {
  ExpectWrongUse("run --format itch50 --feed " + dir_.File("nothing"), dir_.File("nothing"));
  ExpectWrongUse("run --format itch50 --feed " + dir_.path(), "directory");
  const test::Outcome empty = RunProgram("run --format itch50 --feed " + WriteFile("empty", ""));
  EXPECT_NE(empty.exit_code, 0);
  EXPECT_NE(empty.err.find("empty"), std::string::npos) << empty.err;
}

TEST_F(ProgramTest, AWrongFormatNameNamesTheRightOnes) {
  ExpectWrongUse("run --format itch51 --feed " + MakeFeed("feed"), "lobster");
}

TEST_F(ProgramTest, ATruncatedFeedIsProcessedUpToTheFaultAndTheCountsSayHowMuch) {
  const std::string feed = WriteFile("cut", kShortFeed + kSystemEvent.substr(0, 9));
  const test::Outcome outcome = RunProgram("run --json --format itch50 --feed " + feed);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("offset 28"), std::string::npos) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out)["feed_messages"], 2);
}

TEST_F(ProgramTest, AnUnknownMessageTypeIsNamedWithItsPlace) {
  std::string bytes = kShortFeed;
  bytes[16] = 'Z';
  ExpectBadData("run --format itch50 --feed " + WriteFile("unknown", bytes), "'Z'");
}

TEST_F(ProgramTest, AnImpossibleLengthIsNamedWithItsPlace) {
  std::string bytes = kShortFeed;
  bytes[15] = '\x20';
  ExpectBadData("run --format itch50 --feed " + WriteFile("long", bytes + std::string(40, '\0')),
                "offset 14");
}

TEST_F(ProgramTest, AFolderThatCannotBeWrittenIsNamed) {
  const std::string feed = MakeFeed("feed");
  ExpectWrongUse("run --format itch50 --feed " + feed + " --journal " + dir_.File("no/such/parent"),
                 "no/such/parent");
  ExpectWrongUse("run --format itch50 --feed " + feed + " --journal " + feed, "is a file");
  ExpectWrongUse("run --format itch50 --feed " + feed + " --trace " + dir_.File("no/trace.json"),
                 "no/trace.json");
}

TEST_F(ProgramTest, AFullDiskIsNamedAndNothingCrashes) {
  // No file may grow beyond 1 MiB: the first segment cannot be made.
  const std::string feed = MakeFeed("feed");
  const test::Outcome outcome =
      test::Program("sh -c 'ulimit -f 1024; exec " + std::string(BITACTOR_PROGRAM) +
                    " run --format itch50 --feed " + feed + " --journal " + dir_.File("run") + "'")
          .Wait();
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_TRUE(outcome.exit_code == 1 || outcome.exit_code == 2) << outcome.exit_code;
  EXPECT_NE(outcome.err.find(dir_.File("run")), std::string::npos) << outcome.err;
}

TEST_F(ProgramTest, AJournalOfAnotherVersionIsRefusedWithBothVersions) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(RunProgram("demo --messages 500 --symbols 2 --shards 1 --journal " + journal).exit_code,
            0);
  std::fstream segment(journal + "/shard-00/00000000.seg",
                       std::ios::in | std::ios::out | std::ios::binary);
  segment.seekp(8);
  segment.put('\x63');
  segment.close();
  for (const std::string& command :
       {"replay --journal " + journal,
        "demo --messages 500 --symbols 2 --resume --journal " + journal}) {
    const test::Outcome outcome = RunProgram(command);
    EXPECT_NE(outcome.exit_code, 0) << command;
    EXPECT_NE(outcome.err.find("version"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("99"), std::string::npos) << outcome.err;
  }
}

TEST_F(ProgramTest, AJournalInUseNamesItsOwner) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(RunProgram("demo --messages 500 --symbols 2 --journal " + journal).exit_code, 0);
  auto lock = PosixFiles().Lock(journal + "/shard-00/lock", 1'700'000'000'000'000'000);
  ASSERT_TRUE(lock.ok()) << lock.status();
  ExpectWrongUse("demo --messages 500 --symbols 2 --resume --journal " + journal,
                 "in use by pid " + std::to_string(getpid()));
}

TEST_F(ProgramTest, AnEarlierRunIsNotOverwrittenAndAnotherFeedIsNotMixedIn) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(RunProgram("demo --messages 500 --symbols 2 --journal " + journal).exit_code, 0);
  ExpectWrongUse("demo --messages 500 --symbols 2 --journal " + journal, "--resume");
  ExpectWrongUse("demo --messages 500 --symbols 3 --resume --journal " + journal, "another run");
  ExpectWrongUse("demo --resume --journal " + dir_.File("none"), "no run to resume");
}

TEST_F(ProgramTest, DamageInAJournalIsFoundByVerifyAndRefusedByReplay) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(
      RunProgram("demo --messages 2000 --symbols 2 --shards 1 --journal " + journal).exit_code, 0);
  std::fstream segment(journal + "/shard-00/00000000.seg",
                       std::ios::in | std::ios::out | std::ios::binary);
  segment.seekp(64 * 1000 + 20);
  segment.put('\x5a');
  segment.put('\x5a');
  segment.close();
  const test::Outcome verify = RunProgram("journal verify --json " + journal);
  EXPECT_EQ(verify.exit_code, 1) << verify.err;
  EXPECT_EQ(json::parse(verify.out)[0]["damage_count"], 1) << verify.out;
  ExpectBadData("replay --journal " + journal, "00000000.seg");
}

TEST_F(ProgramTest, TheDamagedFrameOfADemoIsListedAndDumped) {
  const std::string journal = dir_.File("run");
  ASSERT_EQ(RunProgram("demo --messages 80000 --json --journal " + journal).exit_code, 0);
  const test::Outcome list = RunProgram("quarantine --json --hex " + journal);
  EXPECT_EQ(list.exit_code, 0) << list.err;
  const json files = json::parse(list.out);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0]["boot"], 1);
  EXPECT_EQ(files[0]["quarantined"], 1);
  const json frame = files[0]["frames"].at(0);
  EXPECT_EQ(frame["fault"], "checksum");
  EXPECT_EQ(frame["bytes"].get<std::string>().size(), 384u);
  const test::Outcome text = RunProgram("quarantine --hex " + journal);
  EXPECT_NE(text.out.find("    160  "), std::string::npos) << text.out;

  std::fstream file(journal + "/quarantine/boot-00001",
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file.put('\x5a');
  file.put('\x5a');
  file.close();
  const test::Outcome damaged = RunProgram("quarantine " + journal);
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_NE(damaged.out.find("bytes 64 to 320"), std::string::npos) << damaged.out;
  ExpectWrongUse("quarantine " + dir_.File("nowhere"), "nowhere");
}

TEST_F(ProgramTest, AFullDiskIsAnErrorAlsoOfASummary) {
  const std::string journal = dir_.File("run");
  const std::string demo = "demo --messages 500 --symbols 2 --journal " + journal;
  for (const std::string& command :
       {demo, "replay " + journal, "replay --json " + journal, "journal stat " + journal,
        "journal verify " + journal, "stat " + journal}) {
    const test::Outcome outcome = RunProgram(command + " > /dev/full");
    EXPECT_EQ(outcome.exit_code, 1) << command;
    EXPECT_NE(outcome.err.find("standard output: No space left"), std::string::npos) << command;
  }
}

TEST_F(ProgramTest, HelpHasExamplesAndWrongUseIsExitCodeTwo) {
  for (const char* command : {"run", "demo", "replay", "bench", "journal stat", "journal dump",
                              "journal verify", "quarantine", "trace export"}) {
    const test::Outcome help = RunProgram(std::string(command) + " --help");
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_NE(help.out.find("Example"), std::string::npos) << command;
  }
  EXPECT_EQ(RunProgram("").exit_code, 2);
  EXPECT_EQ(RunProgram("fly").exit_code, 2);
  EXPECT_EQ(RunProgram("run --feed x").exit_code, 2);
  ExpectWrongUse("demo --pace slow", "--pace");
  ExpectWrongUse("demo --shards 65", "shards");
}

}  // namespace
}  // namespace bitactor
