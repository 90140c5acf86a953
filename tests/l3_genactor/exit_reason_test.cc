#include "bitactor/l3_genactor/exit_reason.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <string>

namespace bitactor {
namespace {

TEST(ExitReasonTest, IsNormalByDefault) {
  EXPECT_EQ(ExitReason(), ExitReason::Normal());
  EXPECT_EQ(ExitReason().kind(), ExitReason::Kind::kNormal);
}

TEST(ExitReasonTest, KeepsCodeAndText) {
  const ExitReason reason = ExitReason::Error(absl::StatusCode::kInternal, "divided by zero");
  EXPECT_EQ(reason.kind(), ExitReason::Kind::kError);
  EXPECT_EQ(reason.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(reason.text(), "divided by zero");
}

TEST(ExitReasonTest, IsMadeOfAStatus) {
  EXPECT_EQ(ExitReason::Error(absl::NotFoundError("noproc")),
            ExitReason::Error(absl::StatusCode::kNotFound, "noproc"));
}

TEST(ExitReasonTest, AnErrorWithCodeOkBecomesUnknown) {
  EXPECT_EQ(ExitReason::Error(absl::StatusCode::kOk, "").code(), absl::StatusCode::kUnknown);
}

TEST(ExitReasonTest, ToStatusGivesTheErrorBack) {
  const absl::Status status = absl::NotFoundError("noproc");
  EXPECT_EQ(ExitReason::Error(status).ToStatus(), status);
}

TEST(ExitReasonTest, ToStatusOfAnOrderlyEndIsAborted) {
  const absl::Status status = ExitReason::ShutdownWith("upgrade").ToStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "shutdown: upgrade");
}

TEST(ExitReasonTest, ReadsAsWords) {
  EXPECT_EQ(ExitReason::Normal().ToString(), "normal");
  EXPECT_EQ(ExitReason::Shutdown().ToString(), "shutdown");
  EXPECT_EQ(ExitReason::ShutdownWith("upgrade").ToString(), "shutdown: upgrade");
  EXPECT_EQ(ExitReason::Kill().ToString(), "kill");
  EXPECT_EQ(ExitReason::Killed().ToString(), "killed");
  EXPECT_EQ(ExitReason::Error(absl::InternalError("x")).ToString(), "error INTERNAL: x");
}

TEST(ExitReasonTest, ATransientChildStaysDownAfterNormalAndShutdownOnly) {
  EXPECT_TRUE(ExitReason::Normal().IsNormalForTransient());
  EXPECT_TRUE(ExitReason::Shutdown().IsNormalForTransient());
  EXPECT_TRUE(ExitReason::ShutdownWith("x").IsNormalForTransient());
  EXPECT_FALSE(ExitReason::Kill().IsNormalForTransient());
  EXPECT_FALSE(ExitReason::Error(absl::InternalError("x")).IsNormalForTransient());
}

TEST(ExitReasonTest, DiffersByKindCodeAndText) {
  const ExitReason base = ExitReason::Error(absl::InternalError("x"));
  EXPECT_NE(base, ExitReason::Error(absl::InternalError("y")));
  EXPECT_NE(base, ExitReason::Error(absl::AbortedError("x")));
  EXPECT_NE(ExitReason::Shutdown(), ExitReason::ShutdownWith(""));
}

TEST(ExitReasonTest, KeepsATextThatJustFits) {
  const std::string text(ExitReason::kMaxTextBytes, 'x');
  EXPECT_EQ(ExitReason::ShutdownWith(text).text(), text);
}

TEST(ExitReasonTest, CutsALongTextVisibly) {
  const std::string text(ExitReason::kMaxTextBytes + 1, 'x');
  EXPECT_EQ(ExitReason::ShutdownWith(text).text(), std::string(101, 'x') + "...");
}

TEST(ExitReasonTest, DoesNotSplitACharacter) {
  const std::string text = std::string(100, 'x') + "\u00e9" + std::string(20, 'y');
  EXPECT_EQ(ExitReason::ShutdownWith(text).text(), std::string(100, 'x') + "...");
}

TEST(ExitReasonTest, UnusedBytesAreZero) {
  const auto bytes = std::bit_cast<std::array<uint8_t, sizeof(ExitReason)>>(
      ExitReason::Error(absl::StatusCode::kInternal, "abc"));
  for (size_t i = 8 + 3; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], 0) << i;
  EXPECT_EQ(bytes[2], 0);
  EXPECT_EQ(bytes[3], 0);
}

TEST(ExitReasonTest, SurvivesACopyByBytes) {
  const ExitReason reason = ExitReason::ShutdownWith("moved to another shard");
  ExitReason copy;
  std::memcpy(static_cast<void*>(&copy), &reason, sizeof(copy));
  EXPECT_EQ(copy, reason);
}

}  // namespace
}  // namespace bitactor
