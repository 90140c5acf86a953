// docs/snapshot_format.md is what the program writes, and every change to a file is found.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bitactor/l1_core/crc32c.h"
#include "persistence/snapshot_fixture.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SnapshotFormatTest : public SnapshotFixture {
 protected:
  static constexpr char kState[] = "hello, snapshot";

  // The example of the document.
  void WriteExample() {
    SnapshotStore store = MustOpen();
    ASSERT_TRUE(store.Write(7, Position(1026), 1'767'349'323'000'000'000, AsBytes(kState)).ok());
  }
  void CheckExample(const Snapshot& snapshot) {
    EXPECT_EQ(snapshot.key, 7u);
    EXPECT_EQ(snapshot.position, Position(1026));
    EXPECT_EQ(snapshot.stamp_ns, 1'767'349'323'000'000'000u);
    EXPECT_EQ(Text(snapshot), kState);
  }
  absl::Status ReadExample() {
    SnapshotOptions options = Options();
    options.read_only = true;
    return MustOpen(options).Read(7, Position(1026)).status();
  }
  const std::string kFile = FileOf(7, 1026);
};

// The bytes of the lines that look like those of `hexdump -C`.
std::vector<std::byte> BytesInDocument(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::byte> bytes;
  for (std::string line; std::getline(file, line);) {
    uint64_t offset;
    if (line.size() < 60 || line.find("  |") == std::string::npos ||
        !(std::istringstream(line.substr(0, 8)) >> std::hex >> offset) || offset != bytes.size()) {
      continue;
    }
    std::istringstream values(line.substr(8, line.find("  |") - 8));
    for (unsigned value; values >> std::hex >> value;) bytes.push_back(std::byte(value));
  }
  return bytes;
}

TEST_F(SnapshotFormatTest, TheDocumentedExampleIsWhatIsWritten) {
  WriteExample();
  std::string dump;
  const std::vector<std::byte> written = files_->Read(kFile);
  for (const std::byte b : written) absl::StrAppendFormat(&dump, "%02x ", std::to_integer<int>(b));
  EXPECT_EQ(BytesInDocument(BITACTOR_DOCS "/snapshot_format.md"), written) << dump;
}

TEST_F(SnapshotFormatTest, TheDocumentedExampleReads) {
  ASSERT_TRUE(files_->CreateDir(kDir).ok());
  ASSERT_TRUE((*files_->Open(kFile, FileSystem::OpenMode::kCreate))
                  ->WriteAt(0, BytesInDocument(BITACTOR_DOCS "/snapshot_format.md"))
                  .ok());
  CheckExample(MustOpen().Latest(7).value());
}

// Written by the first program that had the format; never to be written again.
TEST_F(SnapshotFormatTest, TheGoldenFileOfVersion1Reads) {
  absl::StatusOr<SnapshotStore> store =
      SnapshotStore::Open(BITACTOR_GOLDEN "/snapshot_v1", {.read_only = true});
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::StatusOr<Snapshot> snapshot = store->Latest(7);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  CheckExample(*snapshot);
}

TEST_F(SnapshotFormatTest, EveryFlippedBitIsFound) {
  WriteExample();
  const uint64_t size_bytes = files_->Read(kFile).size();
  for (uint64_t offset = 0; offset < size_bytes; ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      files_->FlipBit(kFile, offset, bit);
      const absl::Status status = ReadExample();
      EXPECT_TRUE(absl::IsDataLoss(status)) << offset << " " << bit << " " << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(kFile));
      files_->FlipBit(kFile, offset, bit);
    }
  }
  EXPECT_TRUE(ReadExample().ok());
}

TEST_F(SnapshotFormatTest, EveryTruncationAndEveryAddedByteIsFound) {
  WriteExample();
  const std::vector<std::byte> whole = files_->Read(kFile);
  for (uint64_t size_bytes = 0; size_bytes < whole.size() + 130; ++size_bytes) {
    files_->Truncate(kFile, 0);
    files_->Truncate(kFile, size_bytes);
    files_->Write(kFile, 0,
                  {whole.begin(),
                   whole.begin() + static_cast<ptrdiff_t>(std::min(size_bytes, whole.size()))});
    EXPECT_EQ(absl::IsDataLoss(ReadExample()), size_bytes != whole.size()) << size_bytes;
  }
}

// Each field of the header, changed under a matching checksum.
class SealedHeaderTest : public SnapshotFormatTest {
 protected:
  absl::Status WithField(uint64_t offset, uint64_t value, size_t size_bytes) {
    WriteExample();
    std::vector<std::byte> bytes(size_bytes);
    for (size_t i = 0; i < size_bytes; ++i) bytes[i] = std::byte(value >> (8 * i));
    files_->Write(kFile, offset, bytes);
    const uint32_t crc = Crc32c(0, files_->Read(kFile).data(), 60);
    for (size_t i = 0; i < 4; ++i) files_->Write(kFile, 60 + i, {std::byte(crc >> (8 * i))});
    return ReadExample();
  }
};

TEST_F(SealedHeaderTest, AnotherVersionIsNoDamage) {
  const absl::Status status = WithField(8, 2, 4);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr(kFile), HasSubstr("version 2")));
}
TEST_F(SealedHeaderTest, AnotherKey) {
  EXPECT_THAT(WithField(16, 8, 8).ToString(), HasSubstr("snapshot of key 8 at position 1026"));
}
TEST_F(SealedHeaderTest, AnotherPosition) {
  EXPECT_THAT(WithField(24, 8, 8).ToString(), HasSubstr("snapshot of key 7 at position 8"));
}
TEST_F(SealedHeaderTest, ASizeOverTheLimitIsRefusedBeforeMemoryIsTaken) {
  EXPECT_THAT(WithField(40, ~uint64_t{0}, 8).ToString(), HasSubstr("0 to 1073741824"));
}
TEST_F(SealedHeaderTest, ASizeThatTheFileHasNot) {
  EXPECT_THAT(WithField(40, kMaxSnapshotBytes, 8).ToString(),
              HasSubstr("has 79 bytes; with a state of 1073741824"));
}

TEST_F(SnapshotFormatTest, TheSystemsFilesHoldItToo) {
  const TempDir temp;
  {
    absl::StatusOr<SnapshotStore> store = SnapshotStore::Open(temp.File("snapshots"), {.keep = 2});
    ASSERT_TRUE(store.ok()) << store.status();
    const std::vector<std::byte> state(3 << 20, std::byte{0x5A});
    for (uint64_t position = 1; position <= 4; ++position) {
      ASSERT_TRUE(store->Write(7, Position(position), position, state).ok());
    }
    EXPECT_TRUE(absl::IsFailedPrecondition(SnapshotStore::Open(temp.File("snapshots")).status()));
  }
  absl::StatusOr<SnapshotStore> store = SnapshotStore::Open(temp.File("snapshots"));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(Positions(*store), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(store->Latest(7).value().state, std::vector<std::byte>(3 << 20, std::byte{0x5A}));
  std::filesystem::resize_file(store->List().value()[1].path, 1000);
  EXPECT_EQ(store->Latest(7).value().position, Position(3));
}

}  // namespace
}  // namespace bitactor::test
