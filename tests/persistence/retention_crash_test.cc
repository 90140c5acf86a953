// A crash, and a failure, at each step of a retention.
#include <utility>

#include "persistence/retention_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RetentionCrashTest : public RetentionFixture {
 protected:
  void FillAndKill() {
    MustOpen();
    Fill(5);
    Kill();
  }
  // Opens over files that ask and retires segments 0 to 2.
  absl::Status Run(AskBefore ask) {
    FaultyFiles faulty(*files_, std::move(ask));
    JournalOptions options = Options();
    options.files = &faulty;
    absl::StatusOr<Journal> journal = Journal::Open(kDir, options);
    if (!journal.ok()) return journal.status();
    return journal->Retain({.before = BeginOf(3)}).status();
  }
  // All is there or the front is gone, whole segments of it, and nothing is in between.
  void CheckAfter(bool may_be_whole, const std::string& what) {
    EXPECT_THAT(Damages(), IsEmpty()) << what;
    EXPECT_THAT(ReadFrom(Position::Begin()), AnyOf(TextsFrom(0), TextsFrom(3))) << what;
    MustOpen();
    const std::vector<std::string> replayed = Replayed();
    if (replayed != TextsFrom(3)) {
      EXPECT_TRUE(may_be_whole) << what;
      EXPECT_EQ(replayed, TextsFrom(0)) << what;
      RetainBefore(3);
    }
    EXPECT_THAT(Segments(), ElementsAre("00000003.seg", "00000004.seg")) << what;
    EXPECT_FALSE(*files_->Exists("journal/retired.tmp")) << what;
    Append("after");
    EXPECT_THAT(Damages(), IsEmpty()) << what;
    journal_.reset();
  }
};

TEST_F(RetentionCrashTest, TheNextOpenFinishesWhatACrashLeft) {
  FillAndKill();
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  int steps = 0;
  bool finished_by_open = false;
  for (int crash_at = 0; crash_at <= steps; ++crash_at) {
    files_ = image->AfterKill();
    std::unique_ptr<SimulatedFiles> crashed;
    steps = 0;
    const absl::Status status = Run([&](FileStep, const std::string&) {
      if (steps++ < crash_at) return absl::OkStatus();
      if (crashed == nullptr) crashed = files_->AfterKill();
      return absl::AbortedError("crashed");
    });
    EXPECT_EQ(status.ok(), crashed == nullptr);
    if (crashed != nullptr) files_ = std::move(crashed);
    finished_by_open |= *files_->Exists("journal/retired") && Segments().size() > 2;
    CheckAfter(!status.ok(), absl::StrCat("crash at step ", crash_at));
  }
  EXPECT_GT(steps, 20);
  EXPECT_TRUE(finished_by_open);
}

TEST_F(RetentionCrashTest, AFailureOfAnyStepLosesNothing) {
  FillAndKill();
  const std::unique_ptr<SimulatedFiles> image = files_->AfterKill();
  for (const absl::Status& failure : {absl::ResourceExhaustedError("no space left on device"),
                                      absl::InternalError("input/output error")}) {
    int steps = 0;
    for (int fail_at = 0; fail_at == 0 || fail_at < steps; ++fail_at) {
      files_ = image->AfterKill();
      steps = 0;
      const absl::Status status = Run([&](FileStep, const std::string&) {
        return steps++ == fail_at ? failure : absl::OkStatus();
      });
      EXPECT_EQ(status.code(), failure.code()) << fail_at;
      CheckAfter(true, absl::StrCat("failure at step ", fail_at));
    }
  }
}

// What a power loss may leave is decided by this order.
TEST_F(RetentionCrashTest, EachStepIsOnTheDiskBeforeTheNextNeedsIt) {
  FillAndKill();
  std::vector<std::pair<FileStep, std::string>> changes;
  ASSERT_TRUE(Run([&](FileStep step, const std::string& path) {
                if (step == FileStep::kWrite) {
                  if (!changes.empty() && changes.back().first == step) return absl::OkStatus();
                } else if (step != FileStep::kCreate && step != FileStep::kSync &&
                           step != FileStep::kRename && step != FileStep::kRemove &&
                           step != FileStep::kSyncDirectory) {
                  return absl::OkStatus();
                }
                changes.emplace_back(step, path);
                return absl::OkStatus();
              }).ok());
  using Change = std::pair<FileStep, std::string>;
  EXPECT_THAT(changes, ElementsAre(Change{FileStep::kCreate, "journal"},
                                   Change{FileStep::kSync, "journal/00000003.seg"},
                                   Change{FileStep::kCreate, "journal/retired.tmp"},
                                   Change{FileStep::kWrite, "journal/retired.tmp"},
                                   Change{FileStep::kSync, "journal/retired.tmp"},
                                   Change{FileStep::kRename, "journal/retired"},
                                   Change{FileStep::kSyncDirectory, "journal"},
                                   Change{FileStep::kRemove, "journal/00000000.seg"},
                                   Change{FileStep::kRemove, "journal/00000001.seg"},
                                   Change{FileStep::kRemove, "journal/00000002.seg"}));
}

}  // namespace
}  // namespace bitactor::test
