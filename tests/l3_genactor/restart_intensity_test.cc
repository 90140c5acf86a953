#include "bitactor/l3_genactor/restart_intensity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace bitactor {
namespace {

using ::testing::HasSubstr;

TEST(RestartIntensityTest, GivesUpAfterMoreThanTheLimitInThePeriod) {
  RestartIntensity intensity(3, absl::Nanoseconds(100));
  EXPECT_TRUE(intensity.Allow(0));
  EXPECT_TRUE(intensity.Allow(10));
  EXPECT_TRUE(intensity.Allow(20));
  EXPECT_FALSE(intensity.Allow(30));
}

TEST(RestartIntensityTest, ARestartOlderThanThePeriodDropsOut) {
  RestartIntensity intensity(1, absl::Nanoseconds(100));
  EXPECT_TRUE(intensity.Allow(0));
  EXPECT_TRUE(intensity.Allow(101));
}

TEST(RestartIntensityTest, ARestartExactlyAsOldAsThePeriodStillCounts) {
  RestartIntensity intensity(1, absl::Nanoseconds(100));
  EXPECT_TRUE(intensity.Allow(0));
  EXPECT_FALSE(intensity.Allow(100));
}

TEST(RestartIntensityTest, IntensityZeroGivesUpAtTheFirstFailure) {
  RestartIntensity intensity(0, absl::Seconds(5));
  EXPECT_FALSE(intensity.Allow(0));
}

TEST(RestartIntensityTest, DefaultsAreOtps) {
  EXPECT_EQ(RestartIntensity::kDefaultMaxRestarts, 1u);
  EXPECT_EQ(RestartIntensity::kDefaultPeriod, absl::Seconds(5));
}

TEST(RestartIntensityTest, SteadyFailuresBelowTheRateGoOnForever) {
  RestartIntensity intensity(2, absl::Nanoseconds(100));
  for (uint64_t now = 0; now < 100'000; now += 51) ASSERT_TRUE(intensity.Allow(now)) << now;
}

// Against OTP's own form: the list of all restarts within the period.
TEST(RestartIntensityTest, AgreesWithAListOfRestarts) {
  const char* const given = std::getenv("BITACTOR_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20240612;
  SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 1000; ++round) {
    const auto limit = static_cast<uint32_t>(random() % 6);
    const uint64_t period = 1 + random() % 50;
    RestartIntensity intensity(limit, absl::Nanoseconds(static_cast<int64_t>(period)));
    std::vector<uint64_t> restarts;
    uint64_t now = 0;
    for (int i = 0; i < 100; ++i) {
      now += random() % 30;
      std::vector<uint64_t> kept{now};
      for (const uint64_t then : restarts) {
        if (now <= then + period) kept.push_back(then);
      }
      restarts = kept;
      const bool allowed = restarts.size() <= limit;
      ASSERT_EQ(intensity.Allow(now), allowed) << "round " << round << " at " << now;
      if (!allowed) break;
    }
  }
}

TEST(RestartIntensityTest, PeriodZeroIsInvalid) {
  const absl::Status status = RestartIntensity::Validate(1, absl::ZeroDuration());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("period is 0"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("10 years"));
}

TEST(RestartIntensityTest, IntensityZeroIsValid) {
  EXPECT_TRUE(RestartIntensity::Validate(0, absl::Seconds(5)).ok());
}

TEST(RestartIntensityTest, MemoryIsBounded) {
  EXPECT_TRUE(RestartIntensity::Validate(10'000, absl::Seconds(5)).ok());
  EXPECT_FALSE(RestartIntensity::Validate(10'001, absl::Seconds(5)).ok());
}

}  // namespace
}  // namespace bitactor
