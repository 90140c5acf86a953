// `bitactor stat` and `top`, on fabrics of this process and of one that is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

using nlohmann::json;
using test::Outcome;
using test::RunProgram;
using ::testing::HasSubstr;

struct Number {
  static constexpr std::string_view kTypeName = "test::Number";
  uint64_t value;
};

class StatProgramTest : public ::testing::Test {
 protected:
  static FabricOptions Options(const std::string& dir) {
    FabricOptions options;
    options.shards = 2;
    options.mailboxes = 8;
    options.journal_dir = dir;
    options.journal.segment_bytes = 1 << 20;
    options.stats_interval_ns = 1'000'000;
    return options;
  }
  // A running fabric with a mailbox that takes, and one that keeps 3 messages waiting.
  void StartLive() {
    fabric_ = Fabric::Start(Options(run_)).value();
    taking_ = fabric_->Serve("taking", [](const Message&, Sender&) {});
    port_ = fabric_->OpenPort();
    const Address waiting = fabric_->Intern("waiting");
    for (uint64_t i = 0; i < 3; ++i) ASSERT_EQ(port_.Send(waiting, Number{i}), SendResult::kOk);
    Send(100);
  }
  void Send(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(port_.Send(taking_, Number{i}), SendResult::kOk);
      fabric_->WaitIdle();
    }
  }
  // Once the last publication shows it.
  json AwaitDelivered(uint64_t delivered) {
    for (int i = 0; i < 200; ++i) {
      const Outcome outcome = RunProgram("stat --json " + run_);
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      json read = json::parse(outcome.out);
      if (read["delivered"] == delivered) return read;
    }
    ADD_FAILURE() << "never " << delivered;
    return {};
  }
  static void ExpectFails(int exit_code, const std::string& arguments, const std::string& says) {
    const Outcome outcome = RunProgram(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << arguments << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(says));
  }

  test::TempDir dir_;
  const std::string run_ = dir_.File("run");
  std::unique_ptr<Fabric> fabric_;
  Address taking_;
  Port port_;
};

TEST_F(StatProgramTest, ALiveFabricIsReadByAnotherProcess) {
  StartLive();
  json read = AwaitDelivered(100);
  const auto sum = [&read](const char* member) {
    uint64_t total = 0;
    for (const json& mailbox : read["mailboxes"]) total += mailbox[member].get<uint64_t>();
    return total;
  };
  // Mailboxes are counted after the rest.
  for (int i = 0; i < 200 && (sum("dispatched") < 100 || sum("waiting") < 3); ++i) {
    read = AwaitDelivered(100);
  }
  const FabricCounters counters = fabric_->Counters();
  ASSERT_TRUE(counters.AddUp());
  EXPECT_EQ(read["state"], "running");
  EXPECT_EQ(read["pid"], getpid());
  EXPECT_EQ(read["sent"], counters.sent);
  EXPECT_EQ(read["queued"], 3);
  EXPECT_EQ(read["journalled"], counters.journalled);
  for (const json& mailbox : read["mailboxes"]) {
    EXPECT_EQ(mailbox["oldest_age_ns"].is_null(), mailbox["waiting"] == 0);
  }
  EXPECT_EQ(sum("dispatched"), 100u);
  EXPECT_EQ(sum("waiting"), 3u);
  const Outcome text = RunProgram("stat " + run_);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr(", 2 shards; runs since "));
  EXPECT_THAT(text.out, HasSubstr("delivered 100,"));
}

TEST_F(StatProgramTest, AStoppedFabricShowsItsLastNumbers) {
  StartLive();
  ASSERT_TRUE(fabric_->Stop().ok());
  const Outcome outcome = RunProgram("stat " + run_);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("stopped after "));
  EXPECT_THAT(outcome.out, HasSubstr("delivered 100,"));
  const Outcome top = RunProgram("top " + run_);
  EXPECT_EQ(top.exit_code, 0) << "there is nothing to wait for";
  EXPECT_TRUE(fabric_->Counters().AddUp());
}

TEST_F(StatProgramTest, AKilledFabricIsAFault) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto fabric = Fabric::Start(Options(run_)).value();
    [[maybe_unused]] const ssize_t told = write(ready[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const Outcome outcome = RunProgram("stat " + run_);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("ended without Stop()"));
  EXPECT_THAT(outcome.out, HasSubstr("pid " + std::to_string(child)));
  EXPECT_EQ(json::parse(RunProgram("stat --json " + run_).out)["state"], "gone");
  close(ready[0]);
  close(ready[1]);
}

// A watcher that writes into a pipe, which is read line by line.
class StatWatchTest : public StatProgramTest {
 protected:
  void Watch(const std::string& command) {
    const std::string pipe = dir_.File("pipe");
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    program_.emplace(std::string(BITACTOR_PROGRAM) + " " + command + " " + run_ + " > " + pipe);
    pipe_.open(pipe);
  }
  json Next() {
    std::string line;
    return std::getline(pipe_, line) ? json::parse(line) : json();
  }

  std::optional<test::Program> program_;
  std::ifstream pipe_;
};

TEST_F(StatWatchTest, ShowsRatesAndEndsWithTheFabric) {
  StartLive();
  Watch("stat --watch --interval 0.05 --json");
  json read = Next();
  EXPECT_TRUE(read["shards"][0]["delivered_per_s"].is_null()) << "nothing to compare with";
  bool has_rate = false;
  for (int i = 0; i < 1'000 && !has_rate; ++i) {
    Send(10);
    read = Next();
    for (const json& shard : read["shards"]) has_rate |= shard["delivered_per_s"] > 0.0;
  }
  EXPECT_TRUE(has_rate);
  ASSERT_TRUE(fabric_->Stop().ok());
  json last;
  for (json next = Next(); !next.is_null(); next = Next()) last = next;
  EXPECT_EQ(last["state"], "stopped");
  EXPECT_EQ(last["delivered"], fabric_->Counters().delivered);
  EXPECT_TRUE(fabric_->Counters().AddUp());
  EXPECT_EQ(program_->Wait().exit_code, 0);
}

TEST_F(StatWatchTest, EndsWithCtrlC) {
  StartLive();
  Watch("top --json --interval 3600");
  EXPECT_EQ(Next()["state"], "running");
  program_->Signal(SIGINT);
  EXPECT_TRUE(Next().is_null());
  const Outcome outcome = program_->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(StatWatchTest, EndsQuietlyWithItsReader) {
  StartLive();
  Watch("top --interval 0.05");
  std::string line;
  ASSERT_TRUE(std::getline(pipe_, line));
  pipe_.close();
  const Outcome outcome = program_->Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(StatProgramTest, WhatIsNoStatsFileIsNamed) {
  ExpectFails(2, "stat " + run_, run_ + ": ");
  ExpectFails(2, "stat " + run_, "a fabric makes it when it starts");
  ExpectFails(2, "stat", "DIR");
  ExpectFails(2, "stat --sort speed " + dir_.path(), "speed");
  ExpectFails(2, "top --interval 0 " + dir_.path(), "--interval");
  std::ofstream(dir_.File("other"), std::ios::binary) << std::string(4096, 'x');
  ExpectFails(2, "stat " + dir_.File("other"), "is not a stats file");
  StartLive();
  ASSERT_TRUE(fabric_->Stop().ok());
  ASSERT_EQ(truncate((run_ + "/stats").c_str(), 5'000), 0);
  ExpectFails(1, "stat " + run_, "is 5000 bytes long");
}

TEST_F(StatProgramTest, HelpHasExamplesAndExitCodes) {
  for (const char* command : {"stat", "top"}) {
    const Outcome help = RunProgram(std::string(command) + " --help");
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr(std::string("  bitactor ") + command + " run1"));
    EXPECT_THAT(help.out, HasSubstr("Exit code 1: "));
  }
}

}  // namespace
}  // namespace bitactor
