// Random programs on a whole fabric with its threads. In every schedule: no mailbox is given an effect
// before its cause, nothing is lost, and the counters add up.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "support/causal_program.h"
#include "support/seed.h"

namespace bitactor {
namespace {

TEST(CausalProgramStressTest, EveryMailboxSeesCausesFirstAndNothingIsLost) {
  const uint64_t seed = test::Seed();
  uint64_t handled = 0;
  uint64_t overtaken = 0;
  for (int round = 0; round < test::Rounds(12); ++round) {
    test::CausalProgram program(seed + static_cast<uint64_t>(round), /*clock=*/nullptr);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < program.ports(); ++i) {
      threads.emplace_back([&program, i] {
        for (int step = 0; step < 1'500; ++step) {
          program.Step(i);
          if (step % 16 == 0) std::this_thread::yield();
        }
        program.Close(i);
      });
    }
    std::mt19937_64 random(seed + static_cast<uint64_t>(round));
    while (program.ServeNext()) std::this_thread::yield();
    for (int i = 0; i < 500; ++i) {
      program.SuspendOrResume(random());
      std::this_thread::yield();
    }
    threads.clear();
    program.CheckAtRest();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
    handled += program.handled();
    overtaken += program.overtaken();
  }
  EXPECT_GT(handled, 0u);
  EXPECT_GT(overtaken, 0u);
}

}  // namespace
}  // namespace bitactor
