// `bitactor journal` as its users meet it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "bitactor/persistence/journal.h"
#include "support/program.h"
#include "tools/parse_csv.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::Outcome;
using test::RunProgram;
using ::testing::HasSubstr;

constexpr int kTimeoutMs = 60'000;

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class JournalProgramTest : public ::testing::Test {
 protected:
  // A run of the demo with two shards; its folder.
  std::string MakeRun() {
    const std::string run = dir_.File("run");
    const Outcome outcome =
        RunProgram("demo --messages 3000 --symbols 3 --shards 2 --journal " + run);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return run;
  }
  // A journal that this process writes.
  std::string MakeLive() {
    JournalOptions options;
    options.segment_bytes = 64 << 10;
    absl::StatusOr<Journal> journal = Journal::Open(dir_.File("live"), options);
    EXPECT_TRUE(journal.ok()) << journal.status();
    live_.emplace(*std::move(journal));
    return dir_.File("live");
  }
  void Append(const std::string& text) {
    EXPECT_TRUE(live_->Append(std::as_bytes(std::span(text))).ok());
  }
  uint64_t RecordsOf(const std::string& run) {
    uint64_t records = 0;
    for (const json& journal : json::parse(RunProgram("journal stat --json " + run).out)) {
      records += journal["records"].get<uint64_t>();
    }
    return records;
  }
  static void Damage(const std::string& segment, int unit) {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(64 * unit + 20);
    file.put('\x5a');
    file.put('\x5a');
    EXPECT_TRUE(file.good());
  }
  static void ExpectWrongUse(const std::string& arguments, const std::string& says) {
    const Outcome outcome = RunProgram("journal " + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << arguments << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(says)) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
  }
  static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  test::TempDir dir_;
  std::optional<Journal> live_;
};

TEST_F(JournalProgramTest, AnExportHasEveryRecordOnceAsJsonAndAsCsv) {
  const std::string run = MakeRun();
  const uint64_t records = RecordsOf(run);
  ASSERT_GT(records, 3'000u);
  const std::string file = dir_.File("run.jsonl");
  const Outcome to_file = RunProgram("journal export " + run + " -o " + file);
  ASSERT_EQ(to_file.exit_code, 0) << to_file.err;
  EXPECT_EQ(to_file.out, "");
  EXPECT_THAT(to_file.err, HasSubstr(std::to_string(records) + " records"));
  const std::string text = ReadFile(file);
  const std::vector<std::string> lines = LinesOf(text);
  ASSERT_EQ(lines.size(), records);
  EXPECT_EQ(RunProgram("journal export " + run).out, text);
  EXPECT_EQ(RunProgram("journal dump --json " + run).out, text);

  const Outcome csv = RunProgram("journal export --format csv " + run);
  ASSERT_EQ(csv.exit_code, 0) << csv.err;
  const auto rows = test::ParseCsv(csv.out);
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), records + 1);
  uint64_t position = 0;  // rises within a journal; stamps only nearly do
  std::set<std::string> places;
  std::set<std::string> types;
  for (size_t i = 0; i < lines.size(); ++i) {
    const json line = json::parse(lines[i]);
    const std::vector<std::string>& row = (*rows)[i + 1];
    ASSERT_EQ(row.size(), (*rows)[0].size());
    EXPECT_EQ(row[0], line["place"]);
    EXPECT_EQ(line["payload"].get<std::string>().size(), 2 * line["size_bytes"].get<size_t>());
    EXPECT_TRUE(line.contains("fields")) << lines[i];
    EXPECT_EQ(json::parse(row.back()), line["fields"]);
    places.insert(line["place"]);
    types.insert(line["type"]);
    if (line["shard"] == 0) {
      const std::string place = line["place"];
      const uint64_t here = std::stoull(place.substr(place.find(':') + 1));
      EXPECT_GT(here, position);
      position = here;
    }
  }
  EXPECT_EQ(places.size(), records);
  EXPECT_TRUE(types.contains("FeedEvent") && types.contains("Top") && types.contains("NameRecord"));
}

TEST_F(JournalProgramTest, DumpFiltersByNamesTypesAndPlaces) {
  const std::string run = MakeRun();
  const std::vector<std::string> names =
      LinesOf(RunProgram("journal dump --json --type NameRecord " + run).out);
  ASSERT_FALSE(names.empty());
  const json book = json::parse(names.back())["fields"];
  ASSERT_THAT(book["name"].get<std::string>(), HasSubstr("/"));
  const std::vector<std::string> by_name = LinesOf(
      RunProgram("journal dump --json --target " + book["name"].get<std::string>() + " " + run)
          .out);
  ASSERT_FALSE(by_name.empty());
  for (const std::string& line : by_name) EXPECT_EQ(json::parse(line)["target"], book["id"]);

  const json tenth = json::parse(LinesOf(RunProgram("journal dump --json " + run).out)[9]);
  const std::string place = tenth["place"];
  const Outcome one = RunProgram("journal dump --json --limit 1 --from " + place + " " + run);
  EXPECT_EQ(json::parse(one.out)["place"], place);
  const Outcome since = RunProgram("journal dump --json --limit 1 --since " +
                                   tenth["time"].get<std::string>() + " " + run);
  EXPECT_GE(json::parse(since.out)["stamp_ns"], tenth["stamp_ns"]);
  EXPECT_EQ(RunProgram("journal dump --since -1000h " + run).out,
            RunProgram("journal dump " + run).out);
  EXPECT_EQ(RunProgram("journal dump --until -1000h " + run).out, "");
  EXPECT_EQ(LinesOf(RunProgram("journal dump --hex --limit 1 " + run).out).size(), 1u + 4 + 1);
}

TEST_F(JournalProgramTest, StatShowsSegmentsAndRate) {
  const std::string live = MakeLive();
  for (int i = 0; i < 3'000; ++i) Append("some payload");
  const Outcome text = RunProgram("journal stat --segments " + live);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("in use by pid " + std::to_string(getpid())));
  EXPECT_THAT(text.out, HasSubstr("records/s"));
  const json stat = json::parse(RunProgram("journal stat --segments --json " + live).out)[0];
  EXPECT_EQ(stat["records"], 3'000);
  ASSERT_EQ(stat["segment_list"].size(), stat["segments"].get<size_t>());
  ASSERT_GT(stat["segments"], 2);
  uint64_t records = 0;
  for (const json& segment : stat["segment_list"]) {
    records += segment["records"].get<uint64_t>();
    EXPECT_LE(segment["first"], segment["last"]);
    EXPECT_EQ(segment["sealed"], segment["index"] != stat["segments"].get<uint32_t>() - 1);
  }
  EXPECT_EQ(records, 3'000u);
  EXPECT_FALSE(
      json::parse(RunProgram("journal stat --json " + live).out)[0].contains("segment_list"));
}

TEST_F(JournalProgramTest, AnEmptyJournalIsNoProblem) {
  const std::string live = MakeLive();
  for (const char* command : {"dump", "tail", "export"}) {
    const Outcome outcome = RunProgram(std::string("journal ") + command + " " + live);
    EXPECT_EQ(outcome.exit_code, 0) << command << outcome.err;
    EXPECT_EQ(outcome.out, "") << command;
  }
  EXPECT_EQ(LinesOf(RunProgram("journal export --format csv " + live).out).size(), 1u);
  for (const char* command : {"stat --segments", "verify"}) {
    const Outcome outcome = RunProgram(std::string("journal ") + command + " " + live);
    EXPECT_EQ(outcome.exit_code, 0) << command << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("0 records")) << command;
  }
}

TEST_F(JournalProgramTest, TailShowsTheLastRecordsOfALiveJournal) {
  const std::string live = MakeLive();
  for (int i = 0; i < 2'000; ++i) Append(std::to_string(i));
  EXPECT_EQ(LinesOf(RunProgram("journal tail " + live).out).size(), 10u);
  const std::vector<std::string> lines =
      LinesOf(RunProgram("journal tail --json -n 2 " + live).out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(json::parse(lines[0])["payload"], "31393938");
  EXPECT_EQ(json::parse(lines[1])["payload"], "31393939");
}

// A follower that writes into a pipe, which is read line by line.
class JournalFollowTest : public JournalProgramTest {
 protected:
  void Follow(const std::string& options) {
    const std::string pipe = dir_.File("pipe");
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    tail_.emplace(std::string(BITACTOR_PROGRAM) + " journal tail --json --follow " + options +
                  " > " + pipe);
    pipe_.open(pipe);
  }
  std::string NextPayload() {
    std::string line;
    return std::getline(pipe_, line) ? json::parse(line)["payload"].get<std::string>() : "(end)";
  }

  std::optional<test::Program> tail_;
  std::ifstream pipe_;
};

TEST_F(JournalFollowTest, ShowsWhatALiveProcessAppendsUntilCtrlC) {
  const std::string live = MakeLive();
  Append("a");
  Follow(live);
  EXPECT_EQ(NextPayload(), "61");
  Append("b");
  EXPECT_EQ(NextPayload(), "62");
  for (int i = 0; i < 3'000; ++i) Append("c");  // over segments
  for (int i = 0; i < 3'000; ++i) ASSERT_EQ(NextPayload(), "63");
  tail_->Signal(SIGINT);
  EXPECT_EQ(NextPayload(), "(end)");
  const Outcome outcome = tail_->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(JournalFollowTest, EndsWithTheCount) {
  const std::string live = MakeLive();
  Append("a");
  Follow("--count 2 " + live);
  EXPECT_EQ(NextPayload(), "61");
  Append("b");
  EXPECT_EQ(NextPayload(), "62");
  EXPECT_EQ(NextPayload(), "(end)");
  EXPECT_EQ(tail_->Wait().exit_code, 0);
}

TEST_F(JournalFollowTest, EndsWithTheTime) {
  const std::string live = MakeLive();
  Follow("--for 20ms " + live);
  EXPECT_EQ(NextPayload(), "(end)");
  EXPECT_EQ(tail_->Wait().exit_code, 0);
}

TEST_F(JournalFollowTest, EndsQuietlyWhenItsReaderHasGone) {
  const std::string live = MakeLive();
  Append("a");
  Follow(live);
  EXPECT_EQ(NextPayload(), "61");
  pipe_.close();  // nothing more is appended: it is not a write that fails
  ASSERT_TRUE(tail_->AwaitEnd(kTimeoutMs));
  const Outcome outcome = tail_->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.signal;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(JournalFollowTest, AWriteToAReaderThatHasGoneIsQuietToo) {
  const std::string live = MakeLive();
  for (int i = 0; i < 20'000; ++i) Append("more than a pipe holds");
  Follow("-n 20000 " + live);
  EXPECT_NE(NextPayload(), "(end)");
  pipe_.close();
  ASSERT_TRUE(tail_->AwaitEnd(kTimeoutMs));
  const Outcome outcome = tail_->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.signal;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(JournalProgramTest, DamageIsReportedAfterWhatCouldBeRead) {
  const std::string run = MakeRun();
  const uint64_t records = RecordsOf(run);
  Damage(run + "/shard-00/00000000.seg", 500);
  const std::string file = dir_.File("out");
  for (const std::string& command :
       {"dump " + run, "tail -n 100000 " + run, "export " + run, "export -o " + file + " " + run}) {
    const Outcome outcome = RunProgram("journal " + command);
    EXPECT_EQ(outcome.exit_code, 1) << command << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("shard-00/00000000.seg")) << command;
    EXPECT_THAT(outcome.err, HasSubstr("journal verify")) << command;
    const size_t lines =
        LinesOf(command.find(" -o ") == std::string::npos ? outcome.out : ReadFile(file)).size();
    EXPECT_GT(lines, 100u) << command;
    EXPECT_LT(lines, records) << command;
  }
  const Outcome verify = RunProgram("journal verify --json " + run);
  EXPECT_EQ(verify.exit_code, 1);
  EXPECT_EQ(json::parse(verify.out)[0]["damage_count"], 1) << verify.out;
  EXPECT_EQ(json::parse(verify.out)[1]["damage_count"], 0) << verify.out;
  EXPECT_EQ(RunProgram("journal dump --shard 1 " + run).exit_code, 0);
}

TEST_F(JournalProgramTest, RepairMakesADamagedJournalReadableAgain) {
  const std::string run = MakeRun();
  const std::string segment = run + "/shard-00/00000000.seg";
  EXPECT_THAT(RunProgram("journal repair " + run).out, HasSubstr("nothing to repair"));
  const uint64_t records = RecordsOf(run);
  Damage(segment, 500);
  const std::string damaged = ReadFile(segment);
  EXPECT_THAT(RunProgram("journal verify " + run).out,
              HasSubstr("bitactor journal repair --dry-run " + run + "/shard-00"));

  const Outcome dry = RunProgram("journal repair --dry-run " + run);
  EXPECT_EQ(dry.exit_code, 1) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("nothing was changed"));
  EXPECT_TRUE(ReadFile(segment) == damaged);

  const Outcome repair = RunProgram("journal repair --json " + run);
  ASSERT_EQ(repair.exit_code, 0) << repair.err;
  const json action = json::parse(repair.out)[0]["actions"][0];
  EXPECT_TRUE(std::filesystem::exists(action["copy"].get<std::string>())) << repair.out;
  const Outcome verify = RunProgram("journal verify --json " + run);
  EXPECT_EQ(verify.exit_code, 0) << verify.out;
  const json report = json::parse(verify.out);
  EXPECT_EQ(report[0]["gap_count"], 1);
  EXPECT_EQ(report[0]["gaps"][0]["position"], action["position"]);
  const uint64_t left = report[0]["records"].get<uint64_t>() + report[1]["records"].get<uint64_t>();
  EXPECT_EQ(left, records - 1);
  for (const char* command : {"dump", "export", "tail -n 100000"}) {
    const Outcome outcome = RunProgram(std::string("journal ") + command + " " + run);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(LinesOf(outcome.out).size(), left) << command;
    EXPECT_THAT(outcome.err, HasSubstr("1 gaps were passed over")) << command;
  }
  EXPECT_THAT(RunProgram("journal repair " + run).out, HasSubstr("nothing to repair"));
}

TEST_F(JournalProgramTest, AnIndexChangesNothingThatIsShown) {
  const std::string live = MakeLive();
  for (int i = 0; i < 2000; ++i) Append("record " + std::to_string(i));  // all of target 0
  const std::string before = RunProgram("journal dump --target 0 " + live).out;
  EXPECT_EQ(LinesOf(before).size(), 2000u);
  const Outcome index = RunProgram("journal index " + live);
  EXPECT_EQ(index.exit_code, 0) << index.err;
  EXPECT_EQ(index.out, live + ": 3 segments have an index, 3 of them new\n");
  EXPECT_EQ(RunProgram("journal dump --target 0 " + live).out, before);
  EXPECT_EQ(RunProgram("journal dump --target 1 " + live).out, "");
  EXPECT_EQ(RunProgram("journal index " + live).out,
            live + ": 3 segments have an index, 0 of them new\n");
}

TEST_F(JournalProgramTest, AJournalInUseIsNotRepaired) {
  ExpectWrongUse("repair " + MakeLive(), std::to_string(getpid()));
}

TEST_F(JournalProgramTest, AJournalWithoutAReadableHeaderIsStillVerified) {
  const std::string live = MakeLive();
  Append("a");
  ASSERT_TRUE(live_->Close().ok());
  Damage(live + "/00000000.seg", 0);
  const Outcome verify = RunProgram("journal verify " + live);
  EXPECT_EQ(verify.exit_code, 1) << verify.err;
  EXPECT_THAT(verify.out + verify.err, HasSubstr("00000000.seg"));
}

TEST_F(JournalProgramTest, ABlockIsExportedWhole) {
  const std::string live = MakeLive();
  Append(std::string(300'000, 'x'));
  const std::vector<std::string> lines = LinesOf(RunProgram("journal export " + live).out);
  ASSERT_EQ(lines.size(), 1u);
  const json line = json::parse(lines[0]);
  EXPECT_EQ(line["size_bytes"], 300'000);
  EXPECT_EQ(line["payload"].get<std::string>().size(), 600'000u);
  const std::vector<std::string> last = LinesOf(RunProgram("journal tail --json " + live).out);
  EXPECT_EQ(last, lines);
}

TEST_F(JournalProgramTest, AFullDiskIsAnErrorAndNotSilence) {
  const std::string run = MakeRun();
  for (const char* command : {"dump", "export", "tail -n 5000"}) {
    const Outcome outcome =
        RunProgram(std::string("journal ") + command + " " + run + " > /dev/full");
    EXPECT_EQ(outcome.exit_code, 1) << command;
    EXPECT_THAT(outcome.err, HasSubstr("standard output: No space left")) << command;
  }
}

TEST_F(JournalProgramTest, WrongUseNamesTheOptionAndWhatItTakes) {
  const std::string run = MakeRun();
  for (const std::string command : {"dump ", "tail ", "export "}) {
    ExpectWrongUse(command + run + " --since yesterday", "--since yesterday: ");
    ExpectWrongUse(command + run + " --until 5m", "--until 5m: ");
    ExpectWrongUse(command + run + " --from x", "--from x: ");
    ExpectWrongUse(command + run + " --to 64:1", "--to 64:1: ");
    ExpectWrongUse(command + run + " --source nobody", "--source nobody: ");
    ExpectWrongUse(command + run + " --target 4294967296", "--target 4294967296: ");
    ExpectWrongUse(command + run + " --kind shout", "--kind shout: ");
    ExpectWrongUse(command + run + " --type Film", "--type Film: ");
    ExpectWrongUse(command + run + " --shard 64", "--shard");
    ExpectWrongUse(command + run + " --shard 7", "it has 0, 1");
    ExpectWrongUse(command + run + " --limit many", "--limit");
    ExpectWrongUse(command + dir_.File("none"), dir_.File("none"));
    ExpectWrongUse(command + dir_.path(), "no journal here");
    ExpectWrongUse(command, "DIR");
  }
  ExpectWrongUse("tail --for 3s " + run, "--follow");
  ExpectWrongUse("tail --count 3 " + run, "--follow");
  ExpectWrongUse("tail --follow --for -3s " + run, "--for -3s: ");
  ExpectWrongUse("tail --follow --for soon " + run, "--for soon: ");
  ExpectWrongUse("tail --follow --count 0 " + run, "--count");
  ExpectWrongUse("tail -n -1 " + run, "--limit");
  ExpectWrongUse("tail -n 1000001 " + run, "1000000");
  ExpectWrongUse("dump --hex --json " + run, "--json");
  ExpectWrongUse("export --format xml " + run, "jsonl");
  ExpectWrongUse("export -o " + dir_.path() + " " + run, "name a file");
  ExpectWrongUse("export -o " + dir_.File("none") + "/out " + run, dir_.File("none"));
  ExpectWrongUse("stat " + dir_.path(), "no journal here");
  ExpectWrongUse("verify " + dir_.path(), "no journal here");
  ExpectWrongUse("repair " + dir_.path(), "no journal here");
  ExpectWrongUse("fly " + run, "");
}

TEST_F(JournalProgramTest, EveryCommandsHelpHasAnExampleAndTheExitCodes) {
  for (const char* command : {"stat", "dump", "tail", "export", "verify", "index", "repair"}) {
    const Outcome help = RunProgram(std::string("journal ") + command + " --help");
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr(std::string("  bitactor journal ") + command)) << command;
    EXPECT_THAT(help.out, HasSubstr("Exit codes: 0 ")) << command;
  }
}

}  // namespace
}  // namespace bitactor
