#include "bitactor/l3_genactor/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <limits>
#include <random>
#include <string>

namespace bitactor {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr Breaker kSmall{.failure_rate = 0.5, .over = 4, .open_for = absl::Seconds(1), .probes = 2};

// One call from admission to outcome.
void CallOnce(CircuitBreaker& breaker, CallOutcome outcome, uint64_t now_ns) {
  const AdmissionDecision decision = breaker.Admit(now_ns);
  ASSERT_NE(decision.admission, Admission::kRefuse);
  breaker.Record(decision.epoch, outcome, now_ns);
}

CircuitBreaker Opened(uint64_t now_ns) {
  CircuitBreaker breaker(kSmall);
  for (int i = 0; i < 4; ++i) CallOnce(breaker, CallOutcome::kFailure, now_ns);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  return breaker;
}

TEST(CircuitBreakerTest, StaysClosedBelowTheRate) {
  CircuitBreaker breaker(kSmall);
  for (int i = 0; i < 100; ++i) {
    CallOnce(breaker, i % 4 == 0 ? CallOutcome::kFailure : CallOutcome::kSuccess, 0);
  }
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST(CircuitBreakerTest, OpensWhenTheRateIsReached) {
  CircuitBreaker breaker(kSmall);
  CallOnce(breaker, CallOutcome::kSuccess, 0);
  CallOnce(breaker, CallOutcome::kSuccess, 0);
  CallOnce(breaker, CallOutcome::kFailure, 0);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  CallOnce(breaker, CallOutcome::kFailure, 0);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker.opened(), 1u);
}

TEST(CircuitBreakerTest, JudgesFromTheMinimumOfCallsOn) {
  CircuitBreaker breaker(Breaker{.failure_rate = 0.5, .over = 100, .minimum_calls = 3});
  CallOnce(breaker, CallOutcome::kFailure, 0);
  CallOnce(breaker, CallOutcome::kFailure, 0);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  CallOnce(breaker, CallOutcome::kSuccess, 0);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
}

TEST(CircuitBreakerTest, ForgetsOutcomesOlderThanTheWindow) {
  CircuitBreaker breaker(kSmall);
  CallOnce(breaker, CallOutcome::kFailure, 0);
  for (int i = 0; i < 4; ++i) CallOnce(breaker, CallOutcome::kSuccess, 0);
  EXPECT_EQ(breaker.window_failures(), 0u);
  EXPECT_EQ(breaker.window_calls(), 4u);
}

TEST(CircuitBreakerTest, RefusesUntilTheTimeIsOver) {
  CircuitBreaker breaker = Opened(5);
  const AdmissionDecision decision = breaker.Admit(5 + kSecond - 1);
  EXPECT_EQ(decision.admission, Admission::kRefuse);
  EXPECT_EQ(decision.retry_at_ns, 5 + kSecond);
  EXPECT_EQ(breaker.refused(), 1u);
  EXPECT_EQ(breaker.Admit(5 + kSecond).admission, Admission::kProbe);
}

TEST(CircuitBreakerTest, AdmitsABoundedNumberOfProbes) {
  CircuitBreaker breaker = Opened(0);
  EXPECT_EQ(breaker.Admit(kSecond).admission, Admission::kProbe);
  EXPECT_EQ(breaker.Admit(kSecond).admission, Admission::kProbe);
  const AdmissionDecision third = breaker.Admit(kSecond);
  EXPECT_EQ(third.admission, Admission::kRefuse);
  EXPECT_EQ(third.retry_at_ns, 0u);
}

TEST(CircuitBreakerTest, ClosesWhenAllProbesSucceed) {
  CircuitBreaker breaker = Opened(0);
  CallOnce(breaker, CallOutcome::kSuccess, kSecond);
  EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
  CallOnce(breaker, CallOutcome::kSuccess, kSecond);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  EXPECT_EQ(breaker.closed(), 1u);
  EXPECT_EQ(breaker.window_calls(), 0u);
}

TEST(CircuitBreakerTest, OpensAgainWhenAProbeFails) {
  CircuitBreaker breaker = Opened(0);
  CallOnce(breaker, CallOutcome::kSuccess, kSecond);
  CallOnce(breaker, CallOutcome::kFailure, kSecond + 7);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker.open_until_ns(), 2 * kSecond + 7);
  EXPECT_EQ(breaker.opened(), 2u);
}

TEST(CircuitBreakerTest, AnAbandonedProbeGivesItsPlaceBack) {
  CircuitBreaker breaker = Opened(0);
  breaker.Admit(kSecond);
  const AdmissionDecision second = breaker.Admit(kSecond);
  breaker.Record(second.epoch, CallOutcome::kAbandoned, kSecond);
  EXPECT_EQ(breaker.Admit(kSecond).admission, Admission::kProbe);
}

TEST(CircuitBreakerTest, AnAbandonedCallSaysNothingAboutTheTarget) {
  CircuitBreaker breaker(kSmall);
  CallOnce(breaker, CallOutcome::kAbandoned, 0);
  EXPECT_EQ(breaker.window_calls(), 0u);
}

TEST(CircuitBreakerTest, IgnoresOutcomesOfCallsFromBeforeItOpened) {
  CircuitBreaker breaker(kSmall);
  const AdmissionDecision slow = breaker.Admit(0);
  for (int i = 0; i < 4; ++i) CallOnce(breaker, CallOutcome::kFailure, 0);
  CallOnce(breaker, CallOutcome::kSuccess, kSecond);
  breaker.Record(slow.epoch, CallOutcome::kFailure, kSecond);
  EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
  EXPECT_EQ(breaker.stale_outcomes(), 1u);
}

TEST(CircuitBreakerTest, IgnoresALateProbeOfAnEarlierHalfOpenTime) {
  CircuitBreaker breaker = Opened(0);
  const AdmissionDecision late = breaker.Admit(kSecond);
  CallOnce(breaker, CallOutcome::kFailure, kSecond);
  CallOnce(breaker, CallOutcome::kSuccess, 2 * kSecond);
  breaker.Record(late.epoch, CallOutcome::kSuccess, 2 * kSecond);
  EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
}

TEST(CircuitBreakerTest, CountsItsTransitions) {
  CircuitBreaker breaker = Opened(0);
  CallOnce(breaker, CallOutcome::kSuccess, kSecond);
  CallOnce(breaker, CallOutcome::kSuccess, kSecond);
  EXPECT_EQ(breaker.opened(), 1u);
  EXPECT_EQ(breaker.half_opened(), 1u);
  EXPECT_EQ(breaker.closed(), 1u);
}

// The bit ring against a plain list of outcomes.
TEST(CircuitBreakerTest, WindowAgreesWithAListOfOutcomes) {
  const char* const given = std::getenv("BITACTOR_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20240611;
  SCOPED_TRACE("BITACTOR_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const uint32_t over : {1u, 2u, 63u, 64u, 65u, 1000u, 1024u}) {
    CircuitBreaker breaker(Breaker{.failure_rate = 0.9, .over = over});
    std::deque<bool> model;
    for (int i = 0; i < 5000 && breaker.state() == BreakerState::kClosed; ++i) {
      const bool failed = random() % 3 == 0;
      model.push_back(failed);
      if (model.size() > over) model.pop_front();
      uint32_t failures = 0;
      for (const bool f : model) failures += f ? 1 : 0;
      const bool opens = model.size() >= over && 10 * failures >= 9 * model.size();
      CallOnce(breaker, failed ? CallOutcome::kFailure : CallOutcome::kSuccess, 0);
      ASSERT_EQ(breaker.state() == BreakerState::kOpen, opens) << over << " after " << i;
      if (!opens) {
        ASSERT_EQ(breaker.window_failures(), failures) << over << " after " << i;
      }
    }
  }
}

TEST(BreakerOptionsTest, AcceptsTheDefaults) { EXPECT_TRUE(Validate(Breaker{}).ok()); }

TEST(BreakerOptionsTest, NamesTheMemberTheValueAndTheRange) {
  const absl::Status status = Validate(Breaker{.over = 1025});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("over is 1025"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 to 1024"));
}

TEST(BreakerOptionsTest, RefusesEveryMemberOutOfRange) {
  EXPECT_FALSE(Validate(Breaker{.failure_rate = 0}).ok());
  EXPECT_FALSE(Validate(Breaker{.failure_rate = 1.01}).ok());
  EXPECT_FALSE(Validate(Breaker{.failure_rate = std::numeric_limits<double>::quiet_NaN()}).ok());
  EXPECT_FALSE(Validate(Breaker{.over = 0}).ok());
  EXPECT_FALSE(Validate(Breaker{.over = 10, .minimum_calls = 11}).ok());
  EXPECT_FALSE(Validate(Breaker{.open_for = absl::ZeroDuration()}).ok());
  EXPECT_FALSE(Validate(Breaker{.open_for = absl::InfiniteDuration()}).ok());
  EXPECT_FALSE(Validate(Breaker{.probes = 0}).ok());
}

}  // namespace
}  // namespace bitactor
