// Random programs on a whole fabric, one thread that polls its shards in any order.
#include "support/causal_program.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>

#include "bitactor/l1_core/tick_clock.h"
#include "support/seed.h"

namespace bitactor {
namespace {

TEST(CausalProgramTest, EveryMailboxSeesCausesFirstAndNothingIsLost) {
  const uint64_t seed = test::Seed();
  uint64_t congested = 0;
  uint64_t refused = 0;
  uint64_t answered = 0;
  uint64_t overtaken = 0;
  for (int round = 0; round < test::Rounds(50); ++round) {
    std::mt19937_64 random(seed + static_cast<uint64_t>(round));
    TickClock clock(TickClock::Source::kManual, 5'000);
    test::CausalProgram program(random(), &clock);
    for (int step = 0; step < 1'000; ++step) {
      if (random() % 2 == 0) {
        clock.Advance(random() % 50);
        program.fabric().engine(static_cast<uint32_t>(random() % program.fabric().shards())).Poll();
      } else if (random() % 128 == 0) {
        program.ServeNext();
      } else if (random() % 64 == 0) {
        program.SuspendOrResume(random());
      } else {
        ASSERT_NO_FATAL_FAILURE(program.Step(random() % program.ports()));
      }
    }
    for (size_t i = 0; i < program.ports(); ++i) program.Close(i);
    while (program.ServeNext()) {
    }
    program.CheckAtRest();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
    congested += program.congested();
    refused += program.refused();
    answered += program.answered();
    overtaken += program.overtaken();
  }
  // Lanes of two slots fill, for shards and for ports.
  EXPECT_GT(congested, 0u);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(answered, 0u);
  EXPECT_GT(overtaken, 0u) << "priorities come to bear";
}

}  // namespace
}  // namespace bitactor
