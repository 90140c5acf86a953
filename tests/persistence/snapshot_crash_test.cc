// A crash, and a failure, at each step that a store takes.
#include <functional>

#include "persistence/snapshot_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kLast = 5;
constexpr uint32_t kKeep = 2;

class SnapshotCrashTest : public SnapshotFixture {
 protected:
  // Opens and writes snapshots at 1 to kLast over files that ask; returns the last one
  // acknowledged, 0 for none. Ends at the first error.
  uint64_t Run(AskBefore ask) {
    FaultyFiles faulty(*files_, std::move(ask));
    SnapshotOptions options = Options(kKeep);
    options.files = &faulty;
    absl::StatusOr<SnapshotStore> store = SnapshotStore::Open(kDir, options);
    if (!store.ok()) return 0;
    uint64_t acknowledged = 0;
    while (acknowledged < kLast && WriteAt(*store, acknowledged + 1).ok()) ++acknowledged;
    return acknowledged;
  }
  // `acknowledged` was, and the next one may be there as well; both as they were written.
  void CheckAfter(uint64_t acknowledged, const std::string& what) {
    SnapshotStore store = MustOpen(Options(kKeep));
    EXPECT_FALSE(*files_->Exists("snapshots/next.tmp")) << what;
    const absl::StatusOr<Snapshot> latest = store.Latest(7);
    if (latest.ok()) {
      const uint64_t position = latest->position.value();
      EXPECT_TRUE(position == acknowledged || position == acknowledged + 1) << what;
      EXPECT_EQ(Text(*latest), "s" + std::to_string(position)) << what;
      EXPECT_THAT(latest->passed_over, IsEmpty()) << what;
    } else {
      EXPECT_TRUE(absl::IsNotFound(latest.status())) << what << latest.status();
      EXPECT_EQ(acknowledged, 0u) << what;
    }
    const std::vector<uint64_t> positions = Positions(store);
    EXPECT_GE(positions.size(), std::min<uint64_t>(acknowledged, kKeep)) << what;
    EXPECT_LE(positions.size(), kKeep + 1) << what;
    for (const uint64_t position : positions) {
      EXPECT_TRUE(store.Read(7, Position(position)).ok()) << what;
    }
    // It goes on from there.
    MustWriteAt(store, kLast + 1);
    MustWriteAt(store, kLast + 2);
    EXPECT_THAT(Positions(store), ElementsAre(kLast + 1, kLast + 2)) << what;
  }
};

// What a crash leaves of the files; a power loss may leave less than a killed process does.
using Crash = std::function<std::unique_ptr<SimulatedFiles>(const SimulatedFiles&)>;

TEST_F(SnapshotCrashTest, NothingAcknowledgedIsLostAtAnyStep) {
  const Crash kill = [](const SimulatedFiles& files) { return files.AfterKill(); };
  for (const Crash& crash : {kill}) {
    int steps = 0;
    for (int crash_at = 0; crash_at <= steps; ++crash_at) {
      files_ = std::make_unique<SimulatedFiles>();
      std::unique_ptr<SimulatedFiles> image;
      steps = 0;
      const uint64_t acknowledged = Run([&](FileStep, const std::string&) {
        if (steps++ < crash_at) return absl::OkStatus();
        if (image == nullptr) image = crash(*files_);
        return absl::AbortedError("crashed");
      });
      if (image == nullptr) {  // ran to its end: this crash is one after all of it
        EXPECT_EQ(acknowledged, kLast);
        image = crash(*files_);
      }
      files_ = std::move(image);
      CheckAfter(acknowledged, absl::StrCat("crash at step ", crash_at));
    }
    EXPECT_GT(steps, 40);
  }
}

// What a power loss may leave is decided by this order alone.
TEST_F(SnapshotCrashTest, EachStepIsOnTheDiskBeforeTheNextNeedsIt) {
  {
    SnapshotStore store = MustOpen(Options(1));
    MustWriteAt(store, 1);
  }
  std::vector<FileStep> steps;
  FaultyFiles faulty(*files_, [&](FileStep step, const std::string&) {
    steps.push_back(step);
    return absl::OkStatus();
  });
  SnapshotOptions options = Options(1);
  options.files = &faulty;
  SnapshotStore store = MustOpen(options);
  EXPECT_THAT(steps, ElementsAre(FileStep::kCreate, FileStep::kSyncDirectory, FileStep::kList));
  steps.clear();
  MustWriteAt(store, 2);
  EXPECT_THAT(steps, ElementsAre(FileStep::kCreate, FileStep::kWrite, FileStep::kWrite,  // header
                                 FileStep::kWrite, FileStep::kWrite,                     // state
                                 FileStep::kSync, FileStep::kRename, FileStep::kSyncDirectory,
                                 FileStep::kRemove));
}

// One step fails, once: the store says so, keeps what it has, and writes the next time.
TEST_F(SnapshotCrashTest, AFailureOfAnyStepLosesNothing) {
  for (const absl::Status& failure : {absl::ResourceExhaustedError("no space left on device"),
                                      absl::InternalError("input/output error")}) {
    int steps = 0;
    for (int fail_at = 0; fail_at == 0 || fail_at < steps; ++fail_at) {
      files_ = std::make_unique<SimulatedFiles>();
      steps = 0;
      const uint64_t acknowledged = Run([&](FileStep, const std::string&) {
        return steps++ == fail_at ? failure : absl::OkStatus();
      });
      EXPECT_LT(acknowledged, kLast) << "a failure at step " << fail_at << " was not reported";
      CheckAfter(acknowledged, absl::StrCat("failure at step ", fail_at));
    }
  }
}

TEST_F(SnapshotCrashTest, AFullDiskRefusesAndTheNextWriteSucceeds) {
  bool full = false;
  FaultyFiles faulty(*files_, [&](FileStep step, const std::string&) {
    return full && step == FileStep::kWrite
               ? absl::ResourceExhaustedError("no space left on device")
               : absl::OkStatus();
  });
  SnapshotOptions options = Options(1);
  options.files = &faulty;
  SnapshotStore store = MustOpen(options);
  MustWriteAt(store, 1);
  full = true;
  EXPECT_TRUE(absl::IsResourceExhausted(WriteAt(store, 2)));
  EXPECT_EQ(Text(store.Latest(7).value()), "s1");
  EXPECT_FALSE(*files_->Exists("snapshots/next.tmp"));
  full = false;
  MustWriteAt(store, 2);
  EXPECT_THAT(Positions(store), ElementsAre(2));
}

// The new name may not be on the disk, so the old one has to stay, also at the next write.
TEST_F(SnapshotCrashTest, AfterAFailedSyncOfTheDirectoryOldOnesStayUntilEnoughAreSure) {
  bool fails = false;
  FaultyFiles faulty(*files_, [&](FileStep step, const std::string&) {
    return fails && step == FileStep::kSyncDirectory ? absl::InternalError("input/output error")
                                                     : absl::OkStatus();
  });
  SnapshotOptions options = Options(2);
  options.files = &faulty;
  SnapshotStore store = MustOpen(options);
  MustWriteAt(store, 1);
  MustWriteAt(store, 2);
  fails = true;
  EXPECT_TRUE(absl::IsInternal(WriteAt(store, 3)));
  fails = false;
  MustWriteAt(store, 4);
  EXPECT_THAT(Positions(store), ElementsAre(2, 3, 4));
  MustWriteAt(store, 5);
  EXPECT_THAT(Positions(store), ElementsAre(4, 5));
}

// An unreadable sector of the newest one is no reason to have nothing.
TEST_F(SnapshotCrashTest, AReadErrorIsPassedOverAndNamed) {
  FaultyFiles faulty(*files_, [&](FileStep step, const std::string& path) {
    return step == FileStep::kRead && path == FileOf(7, 2)
               ? absl::InternalError(absl::StrCat(path, ": input/output error"))
               : absl::OkStatus();
  });
  SnapshotOptions options = Options();
  options.files = &faulty;
  SnapshotStore store = MustOpen(options);
  MustWriteAt(store, 1);
  MustWriteAt(store, 2);
  const absl::StatusOr<Snapshot> snapshot = store.Latest(7);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(Text(*snapshot), "s1");
  ASSERT_EQ(snapshot->passed_over.size(), 1u);
  EXPECT_TRUE(absl::IsInternal(snapshot->passed_over[0]));
  EXPECT_TRUE(absl::IsInternal(store.Read(7, Position(2)).status()));
}

}  // namespace
}  // namespace bitactor::test
