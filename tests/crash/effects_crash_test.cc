// Kills a program that carries out effects over HTTP, at random moments, until it has come to its end: every
// effect was carried out, under one key each, and those that were done are not carried out again.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "examples/tiny_http.h"
#include "support/program.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor {
namespace {

constexpr uint64_t kOrders = 400;

TEST(EffectsCrashTest, EveryEffectIsCarriedOutUnderOneKey) {
  std::mt19937_64 random(test::Seed());
  for (int round = 0; round < test::Rounds(2); ++round) {
    tiny_http::Server server;
    const test::TempDir dir;
    const std::string command = absl::StrCat(BITACTOR_EFFECTS_PROGRAM, " ", dir.File("shop"), " ",
                                             server.port(), " ", kOrders);
    int kills = 0;
    for (int run = 0; run < 12; ++run) {
      test::Program program(command);
      if (program.AwaitEnd(static_cast<int>(5 + random() % 60))) break;
      kills += program.KillAndWait().signal == SIGKILL;
    }
    EXPECT_GT(kills, 0);
    const test::Outcome end = test::Program(command).Wait();
    ASSERT_EQ(end.exit_code, 0) << end.out << end.err;

    const auto taken = server.taken();
    EXPECT_EQ(taken.size(), kOrders) << "a key for each order";
    std::set<std::string> bodies;
    int repeated = 0;
    for (const auto& [key, mail] : taken) {
      bodies.insert(mail.body);
      repeated += mail.times - 1;
    }
    EXPECT_EQ(bodies.size(), kOrders) << "a mail for each order";
    EXPECT_EQ(test::Program(command).Wait().out, "0 mails sent\n");
    // What repeats was under way when a run was killed: sent, and not journalled as done.
    EXPECT_LT(repeated, kills * static_cast<int>(kOrders));
  }
}

}  // namespace
}  // namespace bitactor
