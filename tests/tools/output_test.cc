#include "cli/output.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "support/simulated_files.h"

namespace bitactor::cli {
namespace {

class FileOutputTest : public ::testing::Test {
 protected:
  FileOutputTest() { EXPECT_TRUE(files_.CreateDir("out").ok()); }
  std::unique_ptr<Output> MustOpen() {
    absl::StatusOr<std::unique_ptr<Output>> output = FileOutput(files_, "out/file");
    EXPECT_TRUE(output.ok()) << output.status();
    return *std::move(output);
  }
  std::vector<std::string> Names() { return files_.List("out").value(); }
  std::string Content() {
    const std::vector<std::byte> bytes = files_.Read("out/file");
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  test::SimulatedFiles files_;
};

TEST_F(FileOutputTest, TheFileAppearsWhenItIsWhole) {
  const std::unique_ptr<Output> output = MustOpen();
  std::string expected;
  for (int i = 0; i < 100'000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    expected += line;
    ASSERT_TRUE(output->Write(line).ok());
  }
  EXPECT_EQ(Names(), std::vector<std::string>{"file.partial"});
  ASSERT_TRUE(output->Finish().ok());
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
  EXPECT_EQ(Content(), expected);
}

TEST_F(FileOutputTest, NothingIsLeftOfAFileThatWasNotFinished) {
  ASSERT_TRUE(MustOpen()->Write("half").ok());
  EXPECT_TRUE(Names().empty());
}

TEST_F(FileOutputTest, AnEarlierFileStaysUntilTheNewOneIsWhole) {
  std::unique_ptr<Output> first = MustOpen();
  ASSERT_TRUE(first->Write("first").ok());
  ASSERT_TRUE(first->Finish().ok());
  ASSERT_TRUE(MustOpen()->Write("never finished").ok());
  EXPECT_EQ(Content(), "first");
  std::unique_ptr<Output> second = MustOpen();
  ASSERT_TRUE(second->Write("2nd").ok());
  ASSERT_TRUE(second->Finish().ok());
  EXPECT_EQ(Content(), "2nd");
}

TEST_F(FileOutputTest, AFolderThatIsNotThereIsAnErrorWithItsPath) {
  const absl::Status status = FileOutput(files_, "none/file").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(std::string(status.message()).find("none/file"), std::string::npos);
}

TEST(StopSignalTest, ASignalEndsTheWaitAndNotTheProgram) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const StopSignal stop;
    EXPECT_FALSE(stop.stopped());
    std::raise(signal);
    EXPECT_TRUE(stop.stopped());
    EXPECT_FALSE(stop.Wait(uint64_t{3600} * 1'000'000'000));
  }
}

}  // namespace
}  // namespace bitactor::cli
