#include "bitactor/persistence/snapshot_store.h"

#include "persistence/snapshot_fixture.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SnapshotStoreTest : public SnapshotFixture {};

TEST_F(SnapshotStoreTest, GivesBackWhatWasWritten) {
  SnapshotStore store = MustOpen();
  ASSERT_TRUE(store.Write(7, Position(40), 123, AsBytes("state")).ok());
  const absl::StatusOr<Snapshot> snapshot = store.Latest(7);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->key, 7u);
  EXPECT_EQ(snapshot->position, Position(40));
  EXPECT_EQ(snapshot->stamp_ns, 123u);
  EXPECT_EQ(Text(*snapshot), "state");
  EXPECT_THAT(snapshot->passed_over, IsEmpty());
}

TEST_F(SnapshotStoreTest, AReopenedStoreHasAllOfIt) {
  {
    SnapshotStore store = MustOpen();
    MustWriteAt(store, 1);
    MustWriteAt(store, 2);
  }
  SnapshotStore store = MustOpen();
  EXPECT_THAT(Positions(store), ElementsAre(1, 2));
  EXPECT_EQ(Text(store.Latest(7).value()), "s2");
}

TEST_F(SnapshotStoreTest, AnEmptyStateIsOne) {
  SnapshotStore store = MustOpen();
  ASSERT_TRUE(store.Write(7, Position(1), 1, {}).ok());
  EXPECT_THAT(store.Latest(7).value().state, IsEmpty());
}

TEST_F(SnapshotStoreTest, NoSnapshotIsNotFound) {
  SnapshotStore store = MustOpen();
  MustWriteAt(store, 5);
  EXPECT_TRUE(absl::IsNotFound(store.Latest(8).status()));
  EXPECT_TRUE(absl::IsNotFound(store.LatestBefore(7, Position(4)).status()));
  EXPECT_TRUE(absl::IsNotFound(store.Read(7, Position(4)).status()));
}

TEST_F(SnapshotStoreTest, LatestBeforeHoldsNothingFromTheEndOn) {
  SnapshotStore store = MustOpen();
  for (const uint64_t position : {10, 20, 30}) MustWriteAt(store, position);
  EXPECT_EQ(Text(store.LatestBefore(7, Position(29)).value()), "s20");
  EXPECT_EQ(Text(store.LatestBefore(7, Position(20)).value()), "s20");
  EXPECT_EQ(Text(store.LatestBefore(7, Position(19)).value()), "s10");
}

TEST_F(SnapshotStoreTest, KeepsTheNewestN) {
  SnapshotStore store = MustOpen(Options(2));
  for (uint64_t position = 1; position <= 5; ++position) MustWriteAt(store, position);
  EXPECT_THAT(Positions(store), ElementsAre(4, 5));
  EXPECT_THAT(*files_->List(kDir), SizeIs(3));  // and the lock
}

TEST_F(SnapshotStoreTest, KeepsFewerWhenReopenedSo) {
  {
    SnapshotStore store = MustOpen(Options(4));
    for (uint64_t position = 1; position <= 4; ++position) MustWriteAt(store, position);
  }
  SnapshotStore store = MustOpen(Options(1));
  EXPECT_THAT(Positions(store), ElementsAre(1, 2, 3, 4));
  MustWriteAt(store, 5);
  EXPECT_THAT(Positions(store), ElementsAre(5));
}

TEST_F(SnapshotStoreTest, KeysDoNotDisturbEachOther) {
  SnapshotStore store = MustOpen(Options(1));
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
    ASSERT_TRUE(store.Write(key, Position(key / 2), 1, AsBytes(absl::StrCat(key))).ok());
  }
  MustWriteAt(store, 1);
  MustWriteAt(store, 2);
  files_->FlipBit(FileOf(0, 0), 64, 0);
  EXPECT_TRUE(absl::IsDataLoss(store.Latest(0).status()));
  for (const uint64_t key : {uint64_t{1}, ~uint64_t{0}}) {
    EXPECT_EQ(Text(store.Latest(key).value()), absl::StrCat(key));
  }
}

TEST_F(SnapshotStoreTest, TheSamePositionIsReplaced) {
  SnapshotStore store = MustOpen();
  MustWriteAt(store, 1);
  ASSERT_TRUE(store.Write(7, Position(1), 1, AsBytes("again")).ok());
  EXPECT_THAT(Positions(store), ElementsAre(1));
  EXPECT_EQ(Text(store.Latest(7).value()), "again");
}

TEST_F(SnapshotStoreTest, PositionsRise) {
  SnapshotStore store = MustOpen();
  MustWriteAt(store, 10);
  const absl::Status status = WriteAt(store, 9);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("at position 9"), HasSubstr("one at 10"), HasSubstr("SetAsideAfter")));
}

TEST_F(SnapshotStoreTest, SnapshotsOfALostEndAreSetAsideAndKept) {
  SnapshotStore store = MustOpen();
  for (int round = 0; round < 2; ++round) {
    MustWriteAt(store, 10);
    MustWriteAt(store, 20);
    ASSERT_TRUE(store.Write(8, Position(30), 1, AsBytes("other")).ok());
    EXPECT_EQ(store.SetAsideAfter(Position(10)).value(), 2u);
    EXPECT_THAT(Positions(store), ElementsAre(10));
  }
  EXPECT_THAT(*files_->List("snapshots/lost+found"), SizeIs(4));
  EXPECT_EQ(store.SetAsideAfter(Position(10)).value(), 0u);
}

TEST_F(SnapshotStoreTest, ADamagedOneIsPassedOverAndNamed) {
  SnapshotStore store = MustOpen();
  MustWriteAt(store, 1);
  MustWriteAt(store, 2);
  MustWriteAt(store, 3);
  files_->FlipBit(FileOf(7, 3), 65, 1);
  files_->Truncate(FileOf(7, 2), 64);
  const absl::StatusOr<Snapshot> snapshot = store.Latest(7);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(Text(*snapshot), "s1");
  ASSERT_THAT(snapshot->passed_over, SizeIs(2));
  EXPECT_THAT(snapshot->passed_over[0].ToString(),
              AllOf(HasSubstr(FileOf(7, 3)), HasSubstr("offset 64: the state is damaged")));
  EXPECT_THAT(snapshot->passed_over[1].ToString(),
              AllOf(HasSubstr(FileOf(7, 2)), HasSubstr("has 64 bytes; with a state of 2 it should "
                                                       "have 66")));
}

TEST_F(SnapshotStoreTest, AllDamagedIsDataLossThatNamesEach) {
  SnapshotStore store = MustOpen();
  MustWriteAt(store, 1);
  MustWriteAt(store, 2);
  files_->Truncate(FileOf(7, 1), 0);
  files_->Truncate(FileOf(7, 2), 63);
  const absl::Status status = store.Latest(7).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("none of 2 snapshots of key 7"), HasSubstr(FileOf(7, 1)),
                    HasSubstr(FileOf(7, 2)), HasSubstr("replay the journal from its beginning")));
}

TEST_F(SnapshotStoreTest, OnesKnownToBeDamagedDoNotCountAsKept) {
  SnapshotStore store = MustOpen(Options(2));
  MustWriteAt(store, 1);
  MustWriteAt(store, 2);
  files_->FlipBit(FileOf(7, 2), 64, 0);
  EXPECT_EQ(Text(store.Latest(7).value()), "s1");
  MustWriteAt(store, 3);
  EXPECT_THAT(Positions(store), ElementsAre(1, 2, 3));
  MustWriteAt(store, 4);
  EXPECT_THAT(Positions(store), ElementsAre(3, 4));
}

TEST_F(SnapshotStoreTest, AMovedFileIsNotTakenForWhatItsNameSays) {
  SnapshotStore store = MustOpen();
  MustWriteAt(store, 1);
  ASSERT_TRUE(files_->Rename(FileOf(7, 1), FileOf(7, 2)).ok());
  EXPECT_THAT(store.Read(7, Position(2)).status().ToString(),
              HasSubstr("the snapshot of key 7 at position 1 under another name"));
}

TEST_F(SnapshotStoreTest, OtherFilesAreLeftAlone) {
  ASSERT_TRUE(files_->CreateDir(kDir).ok());
  const std::vector<std::string> others = {
      "00000000000000000007-00000000000000000001.snap2", "7-1.snap",
      "0000000000000000000x-00000000000000000001.snap",
      "99999999999999999999-00000000000000000001.snap", "notes.txt"};
  for (const std::string& name : others) {
    ASSERT_TRUE(files_->Open(JoinPath(kDir, name), FileSystem::OpenMode::kCreate).ok());
  }
  SnapshotStore store = MustOpen(Options(1));
  EXPECT_THAT(Positions(store), IsEmpty());
  MustWriteAt(store, 1);
  EXPECT_THAT(*files_->List(kDir), SizeIs(others.size() + 2));
}

TEST_F(SnapshotStoreTest, AnUnfinishedWriteIsRemovedAtOpen) {
  ASSERT_TRUE(files_->CreateDir(kDir).ok());
  ASSERT_TRUE(files_->Open("snapshots/next.tmp", FileSystem::OpenMode::kCreate).ok());
  MustOpen();
  EXPECT_FALSE(*files_->Exists("snapshots/next.tmp"));
}

TEST_F(SnapshotStoreTest, ASecondOwnerIsRefusedByName) {
  SnapshotStore store = MustOpen();
  const absl::Status status = SnapshotStore::Open(kDir, Options()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr("in use by pid 4711"), HasSubstr("read_only")));
}

TEST_F(SnapshotStoreTest, AReaderSeesWhatTheOwnerWritesAndChangesNothing) {
  SnapshotStore store = MustOpen(Options(1));
  SnapshotOptions options = Options();
  options.read_only = true;
  SnapshotStore reader = MustOpen(options);
  files_->DenyWrites(kDir);
  EXPECT_TRUE(absl::IsNotFound(reader.Latest(7).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteAt(reader, 1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader.SetAsideAfter(Position(0)).status()));
}

// The writer replaces the snapshot that the reader is about to open.
TEST_F(SnapshotStoreTest, AReaderFollowsAWriterThatRemovesWhatItListed) {
  SnapshotStore store = MustOpen(Options(1));
  MustWriteAt(store, 1);
  uint64_t written = 1;
  FaultyFiles racing(*files_, [&](FileStep step, const std::string&) {
    if (step == FileStep::kOpen && written < 4) MustWriteAt(store, ++written);
    return absl::OkStatus();
  });
  SnapshotOptions options = Options();
  options.read_only = true;
  options.files = &racing;
  SnapshotStore reader = MustOpen(options);
  const absl::StatusOr<Snapshot> snapshot = reader.Latest(7);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(Text(*snapshot), "s4");
  EXPECT_THAT(snapshot->passed_over, IsEmpty());
}

TEST_F(SnapshotStoreTest, AReaderNeedsADirectory) {
  SnapshotOptions options = Options();
  options.read_only = true;
  EXPECT_TRUE(absl::IsNotFound(SnapshotStore::Open(kDir, options).status()));
}

TEST_F(SnapshotStoreTest, OptionsAndArgumentsAreChecked) {
  EXPECT_THAT(SnapshotStore::Open(kDir, Options(0)).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("keep is 0")));
  SnapshotOptions options = Options();
  options.files = nullptr;
  EXPECT_TRUE(absl::IsInvalidArgument(SnapshotStore::Open(kDir, options).status()));
  SnapshotStore store = MustOpen();
  EXPECT_TRUE(absl::IsInvalidArgument(store.Write(7, Position::None(), 1, {})));
  const std::byte one{};
  const std::span<const std::byte> too_long(&one, kMaxSnapshotBytes + 1);  // refused unread
  EXPECT_THAT(store.Write(7, Position(1), 1, too_long).ToString(),
              HasSubstr("0 to 1073741824 bytes"));
}

TEST_F(SnapshotStoreTest, AReadOnlyDirectoryIsAnErrorAtOpen) {
  ASSERT_TRUE(files_->CreateDir(kDir).ok());
  files_->DenyWrites(kDir);
  EXPECT_TRUE(absl::IsPermissionDenied(SnapshotStore::Open(kDir, Options()).status()));
}

}  // namespace
}  // namespace bitactor::test
