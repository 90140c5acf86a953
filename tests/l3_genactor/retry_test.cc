#include "bitactor/l3_genactor/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace bitactor {
namespace {

using ::testing::HasSubstr;

constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;
constexpr Retry kPlain{
    .attempts = 4, .base = absl::Nanoseconds(1000), .cap = absl::Nanoseconds(5000), .budget = 1};

TEST(RetryPolicyTest, MakesTheGivenNumberOfAttempts) {
  RetryPolicy policy(kPlain, 1);
  RetryPolicy::Call call = policy.Begin();
  for (int retry = 0; retry < 3; ++retry) {
    EXPECT_EQ(policy.Next(call, kUnavailable, 0, 0).verdict, RetryVerdict::kRetry);
  }
  EXPECT_EQ(policy.Next(call, kUnavailable, 0, 0).verdict, RetryVerdict::kAttemptsUsed);
  EXPECT_EQ(call.attempts, 4u);
}

TEST(RetryPolicyTest, GivesUpOnErrorsThatStay) {
  RetryPolicy policy(kPlain, 1);
  RetryPolicy::Call call = policy.Begin();
  EXPECT_EQ(policy.Next(call, absl::StatusCode::kInvalidArgument, 0, 0).verdict,
            RetryVerdict::kNotRetryable);
}

TEST(RetryPolicyTest, DelaysStayBetweenBaseAndThreeTimesTheLastOne) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    RetryPolicy policy(kPlain, seed);
    RetryPolicy::Call call = policy.Begin();
    uint64_t previous = 1000;
    for (int retry = 0; retry < 3; ++retry) {
      const uint64_t delay = policy.Next(call, kUnavailable, 0, 0).delay_ns;
      ASSERT_GE(delay, 1000u) << "seed " << seed;
      ASSERT_LE(delay, std::min<uint64_t>(5000, 3 * previous)) << "seed " << seed;
      previous = delay;
    }
  }
}

TEST(RetryPolicyTest, DelaysSpreadOverTheWholeRange) {
  RetryPolicy policy(kPlain, 42);
  std::vector<uint64_t> delays;
  for (int i = 0; i < 1000; ++i) {
    RetryPolicy::Call call = policy.Begin();
    delays.push_back(policy.Next(call, kUnavailable, 0, 0).delay_ns);
  }
  EXPECT_LT(*std::min_element(delays.begin(), delays.end()), 1050u);
  EXPECT_GT(*std::max_element(delays.begin(), delays.end()), 2950u);
}

TEST(RetryPolicyTest, TheSameSeedGivesTheSameDelays) {
  RetryPolicy a(kPlain, 7);
  RetryPolicy b(kPlain, 7);
  RetryPolicy::Call call_a = a.Begin();
  RetryPolicy::Call call_b = b.Begin();
  for (int retry = 0; retry < 3; ++retry) {
    EXPECT_EQ(a.Next(call_a, kUnavailable, 0, 0).delay_ns,
              b.Next(call_b, kUnavailable, 0, 0).delay_ns);
  }
}

TEST(RetryPolicyTest, OtherSeedsGiveOtherDelays) {
  RetryPolicy a(kPlain, 7);
  RetryPolicy b(kPlain, 8);
  RetryPolicy::Call call_a = a.Begin();
  RetryPolicy::Call call_b = b.Begin();
  EXPECT_NE(a.Next(call_a, kUnavailable, 0, 0).delay_ns,
            b.Next(call_b, kUnavailable, 0, 0).delay_ns);
}

TEST(RetryPolicyTest, DoesNotWaitPastTheDeadline) {
  RetryPolicy policy(kPlain, 1);
  RetryPolicy::Call call = policy.Begin();
  EXPECT_EQ(policy.Next(call, kUnavailable, 10'000, 10'900).verdict, RetryVerdict::kPastDeadline);
  EXPECT_EQ(policy.Next(call, kUnavailable, 10'000, 9'000).verdict, RetryVerdict::kPastDeadline);
  EXPECT_EQ(call.attempts, 1u);
  EXPECT_EQ(policy.Next(call, kUnavailable, 10'000, 20'000).verdict, RetryVerdict::kRetry);
}

TEST(RetryPolicyTest, ARefusedRetryCostsNoBudget) {
  RetryPolicy policy(kPlain, 1);
  RetryPolicy::Call call = policy.Begin();
  policy.Next(call, kUnavailable, 10'000, 10'001);
  EXPECT_EQ(policy.budget_retries(), RetryPolicy::kBudgetCapRetries);
}

TEST(RetryPolicyTest, TheBudgetEndsAStorm) {
  Retry options = kPlain;
  options.budget = 0.1;
  RetryPolicy policy(options, 1);
  int retries = 0;
  for (int i = 0; i < 1000; ++i) {
    RetryPolicy::Call call = policy.Begin();
    while (policy.Next(call, kUnavailable, 0, 0).verdict == RetryVerdict::kRetry) ++retries;
  }
  // 10 at the start, then one for every ten calls.
  EXPECT_GE(retries, 100);
  EXPECT_LE(retries, 110);
}

TEST(RetryPolicyTest, AnEmptyBudgetSaysSo) {
  Retry options = kPlain;
  options.budget = 0;
  options.attempts = 100;
  RetryPolicy policy(options, 1);
  RetryPolicy::Call call = policy.Begin();
  for (uint32_t i = 0; i < RetryPolicy::kBudgetCapRetries; ++i) {
    ASSERT_EQ(policy.Next(call, kUnavailable, 0, 0).verdict, RetryVerdict::kRetry);
  }
  EXPECT_EQ(policy.Next(call, kUnavailable, 0, 0).verdict, RetryVerdict::kNoBudget);
}

TEST(RetryPolicyTest, TheBudgetNeverExceedsItsCap) {
  RetryPolicy policy(kPlain, 1);
  for (int i = 0; i < 10'000; ++i) policy.Begin();
  EXPECT_EQ(policy.budget_retries(), RetryPolicy::kBudgetCapRetries);
}

TEST(IsRetryableTest, OnlyWhatMayPassByItself) {
  for (int code = 0; code <= 16; ++code) {
    const auto status = static_cast<absl::StatusCode>(code);
    EXPECT_EQ(IsRetryable(status), status == absl::StatusCode::kUnavailable ||
                                       status == absl::StatusCode::kAborted ||
                                       status == absl::StatusCode::kResourceExhausted)
        << absl::StatusCodeToString(status);
  }
}

TEST(RetryOptionsTest, AcceptsTheDefaults) { EXPECT_TRUE(Validate(Retry{}).ok()); }

TEST(RetryOptionsTest, NamesTheMemberTheValueAndTheRange) {
  const absl::Status status = Validate(Retry{.attempts = 0});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("attempts is 0"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("to 100"));
}

TEST(RetryOptionsTest, RefusesEveryMemberOutOfRange) {
  EXPECT_FALSE(Validate(Retry{.attempts = 101}).ok());
  EXPECT_FALSE(Validate(Retry{.base = absl::ZeroDuration()}).ok());
  EXPECT_FALSE(Validate(Retry{.base = absl::Seconds(2), .cap = absl::Seconds(1)}).ok());
  EXPECT_FALSE(Validate(Retry{.cap = absl::Hours(2)}).ok());
  EXPECT_FALSE(Validate(Retry{.budget = -0.1}).ok());
  EXPECT_FALSE(Validate(Retry{.budget = std::numeric_limits<double>::quiet_NaN()}).ok());
}

}  // namespace
}  // namespace bitactor
