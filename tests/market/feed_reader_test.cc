#include "market/feed_reader.h"

#include <filesystem>
#include <string>

#include "bitactor/l1_core/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "market/market_fixtures.h"
#include "support/temp_dir.h"

namespace bitactor::market {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class OpenFeedTest : public ::testing::Test {
 protected:
  std::string ErrorOf(FeedFormat format, const std::string& path, const std::string& book = "") {
    return std::string(OpenFeed(PosixFiles(), format, path, book).status().message());
  }
  test::TempDir dir_;
};

TEST_F(OpenFeedTest, ReadsAFile) {
  WriteFile(dir_.File("feed"), ItchAdd(1));
  const Outcome outcome = ReadAll(OpenFeed(PosixFiles(), FeedFormat::kItch50, dir_.File("feed")));
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.items.size(), 1u);
}

TEST_F(OpenFeedTest, NamesAMissingFile) {
  EXPECT_THAT(ErrorOf(FeedFormat::kItch50, dir_.File("none")), HasSubstr(dir_.File("none")));
  EXPECT_THAT(ErrorOf(FeedFormat::kLobster, dir_.File("none")), HasSubstr(dir_.File("none")));
}

TEST_F(OpenFeedTest, NamesAMissingBook) {
  WriteFile(dir_.File("feed"), "1,1,1,1,1,1\n");
  EXPECT_THAT(ErrorOf(FeedFormat::kLobster, dir_.File("feed"), dir_.File("book")),
              HasSubstr(dir_.File("book")));
}

TEST_F(OpenFeedTest, RefusesADirectory) {
  for (const FeedFormat format : {FeedFormat::kItch50, FeedFormat::kLobster}) {
    EXPECT_THAT(ErrorOf(format, dir_.path()), AllOf(HasSubstr(dir_.path()), HasSubstr("director")));
  }
}

TEST_F(OpenFeedTest, RefusesAnEmptyFileOrBook) {
  WriteFile(dir_.File("empty"), "");
  WriteFile(dir_.File("feed"), "1,1,1,1,1,1\n");
  EXPECT_THAT(ErrorOf(FeedFormat::kItch50, dir_.File("empty")), HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf(FeedFormat::kLobster, dir_.File("empty")), HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf(FeedFormat::kLobster, dir_.File("feed"), dir_.File("empty")),
              AllOf(HasSubstr(dir_.File("empty")), HasSubstr("is empty")));
}

TEST_F(OpenFeedTest, RefusesABookForItch) {
  WriteFile(dir_.File("feed"), ItchAdd(1));
  const absl::Status status =
      OpenFeed(PosixFiles(), FeedFormat::kItch50, dir_.File("feed"), "book.csv").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--book book.csv"));
}

TEST_F(OpenFeedTest, SurvivesAFileThatShrinks) {
  std::string bytes;
  for (uint64_t ref = 1; ref <= 60'000; ++ref) bytes += ItchAdd(ref);
  WriteFile(dir_.File("feed"), bytes);
  auto reader = OpenFeed(PosixFiles(), FeedFormat::kItch50, dir_.File("feed"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  FeedItem item;
  ASSERT_TRUE((*reader)->Next(&item).value());
  std::filesystem::resize_file(dir_.File("feed"), 100);
  const Outcome rest = ReadAll(std::move(reader));
  EXPECT_EQ(rest.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(rest.counts.messages,
            ReadBuffer::kBufferBytes / 38);  // what the first read had brought
}

TEST(ParseFeedFormatTest, KnowsBothNames) {
  EXPECT_EQ(ParseFeedFormat("itch50").value(), FeedFormat::kItch50);
  EXPECT_EQ(ParseFeedFormat("lobster").value(), FeedFormat::kLobster);
}

TEST(ParseFeedFormatTest, NamesWhatIsAllowed) {
  const absl::Status status = ParseFeedFormat("itch").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("itch:"), HasSubstr("itch50"), HasSubstr("lobster")));
}

}  // namespace
}  // namespace bitactor::market
