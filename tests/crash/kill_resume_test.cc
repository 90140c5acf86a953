// Kills a run at random moments, resumes it, and compares its end with that of a run that was left
// alone.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "support/program.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

constexpr char kFeed[] = "demo --messages 120000 --symbols 12 --seed 11 --json";

std::string DigestOf(const test::Outcome& outcome) {
  const auto json = nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json.value("digest", "none") : "no JSON: " + outcome.err;
}

TEST(KillResumeTest, TwentyKillsLoseNothingAndRepeatNothing) {
  std::mt19937_64 random(test::Seed());
  const std::string expected = DigestOf(test::RunProgram(kFeed));
  ASSERT_EQ(expected.size(), 16u) << expected;

  int kills = 0;
  for (int run = 0; kills < test::Rounds(20); ++run) {
    ASSERT_LT(run, 400) << "the runs end before they can be killed";
    const test::TempDir dir;
    const std::string journal = dir.File("journal");
    const auto command = [&] {
      const bool resume = std::filesystem::exists(journal + "/run.json");
      return absl::StrCat(BITACTOR_PROGRAM, " ", kFeed, " --journal ", journal, " --shards ",
                          1 + random() % 3, resume ? " --resume" : "");
    };
    // Killed up to four times in a row, also while it recovers from the kill before.
    const uint64_t kills_of_this_run = 1 + random() % 4;
    for (uint64_t i = 0; i < kills_of_this_run; ++i) {
      test::Program program(command());
      if (program.AwaitEnd(static_cast<int>(random() % 700))) break;
      const test::Outcome outcome = program.KillAndWait();
      kills += outcome.signal == SIGKILL;
    }
    const test::Outcome end = test::Program(command()).Wait();
    ASSERT_EQ(end.exit_code, 0) << end.err;
    ASSERT_EQ(DigestOf(end), expected) << "run " << run;
    const test::Outcome replay = test::RunProgram("replay --json --journal " + journal);
    ASSERT_EQ(DigestOf(replay), expected) << replay.err;
    const test::Outcome verify = test::RunProgram("journal verify " + journal);
    ASSERT_EQ(verify.exit_code, 0) << verify.out << verify.err;
  }
}

}  // namespace
}  // namespace bitactor
