// The recordings of real days against what is known about them.
#include <fstream>
#include <string>
#include <vector>

#include "bitactor/l1_core/file.h"
#include "gtest/gtest.h"
#include "market/market_fixtures.h"
#include "market/serial_pipeline.h"

namespace bitactor::market {
namespace {

constexpr char kApple[] = "nasdaq_itch50_20200130_AAPL_locate13_10k.bin";
constexpr char kAppleBook[] = "nasdaq_itch50_20200130_AAPL_golden_book_final.txt";
constexpr char kStartOfDay[] = "nasdaq_itch50_startofday_1000msgs.itch";
constexpr char kGoogle[] = "lobster_GOOG_2012-06-21_message_1.csv";
constexpr char kGoogleBook[] = "lobster_GOOG_2012-06-21_orderbook_1.csv";

std::unique_ptr<FeedReader> Open(FeedFormat format, const char* name, const char* book = nullptr) {
  auto reader = OpenFeed(PosixFiles(), format, SharedData(name),
                         book != nullptr ? SharedData(book) : std::string());
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

class AppleFeedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    BITACTOR_NEEDS_SHARED_DATA();
    reader_ = Open(FeedFormat::kItch50, kApple);
    ASSERT_NE(reader_, nullptr);
    const absl::Status status = pipeline_.Run(*reader_);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(pipeline_.symbols().size(), 1u);
  }
  const SymbolStages& stages() const { return pipeline_.symbols().at(13); }
  const OrderBook& book() const { return stages().book.book(); }

  std::unique_ptr<FeedReader> reader_;
  SerialPipeline pipeline_;
};

TEST_F(AppleFeedTest, EndsWithTheGoldenBook) {
  std::ifstream file(SharedData(kAppleBook));
  std::vector<std::string> golden;
  for (std::string line; std::getline(file, line);) golden.push_back(line);
  ASSERT_EQ(golden.size(), 142u);
  EXPECT_EQ(book().DumpLines(), golden);
}

TEST_F(AppleFeedTest, HasTheKnownLevelsAndOrders) {
  EXPECT_EQ(book().bids().size(), 79u);
  EXPECT_EQ(book().asks().size(), 63u);
  EXPECT_EQ(book().live_orders(), 215u);
}

TEST_F(AppleFeedTest, HasTheKnownExecutions) {
  EXPECT_EQ(book().counts().visible,
            (ExecutionCounts{.count = 849, .shares = 56'086, .notional = 180'077'391'300}));
  EXPECT_EQ(book().counts().hidden.count, 240u);
  EXPECT_EQ(book().counts().hidden.shares, 25'470u);
}

TEST_F(AppleFeedTest, HasTheKnownMessages) {
  const FeedCounts& counts = reader_->counts();
  EXPECT_EQ(counts.messages, 10'000u);
  EXPECT_EQ(counts.bytes, 307'643u);
  const std::vector<std::pair<char, uint64_t>> known = {
      {'A', 4758}, {'D', 4083}, {'E', 849}, {'P', 240}, {'L', 52}, {'U', 7},
      {'X', 6},    {'F', 2},    {'R', 1},   {'H', 1},   {'Y', 1}};
  for (const auto& [type, count] : known) {
    EXPECT_EQ(counts.by_type[static_cast<uint8_t>(type)], count) << type;
  }
  EXPECT_EQ(reader_->SymbolOf(13), "AAPL");
}

TEST_F(AppleFeedTest, KnowsEveryReference) {
  EXPECT_EQ(book().counts().unknown_references.count, 0u);
  EXPECT_EQ(book().counts().anomalies.count, 0u);
}

TEST_F(AppleFeedTest, LeadsToSomeTrading) {
  const uint64_t tops = stages().signal.state().tops;
  const uint64_t intents = stages().signal.state().intents;
  EXPECT_GT(tops, 2'000u);
  EXPECT_GT(intents, tops / 50);
  EXPECT_LT(intents, tops / 20);
  EXPECT_EQ(stages().risk.state().position, stages().position.state().position);
}

TEST(StartOfDayFeedTest, HasTheKnownMessagesAndNoOrders) {
  BITACTOR_NEEDS_SHARED_DATA();
  const std::unique_ptr<FeedReader> reader = Open(FeedFormat::kItch50, kStartOfDay);
  ASSERT_NE(reader, nullptr);
  SerialPipeline pipeline;
  ASSERT_TRUE(pipeline.Run(*reader).ok());
  EXPECT_EQ(reader->counts().messages, 1'000u);
  EXPECT_EQ(reader->counts().market_wide, 1u);
  EXPECT_EQ(reader->counts().by_type['S'], 1u);
  EXPECT_EQ(reader->counts().by_type['R'], 993u);
  EXPECT_EQ(reader->counts().by_type['H'], 3u);
  EXPECT_EQ(reader->counts().by_type['Y'], 3u);
  EXPECT_EQ(reader->SymbolOf(2), "AA");
  for (const auto& [locate, stages] : pipeline.symbols()) {
    EXPECT_EQ(stages.book.book().live_orders(), 0u) << locate;
  }
}

class GoogleFeedTest : public ::testing::Test {
 protected:
  void SetUp() override { BITACTOR_NEEDS_SHARED_DATA(); }
  // The only symbol's stages after the whole day.
  const SymbolStages& Run(SerialPipeline& pipeline, const char* book) {
    reader_ = Open(FeedFormat::kLobster, kGoogle, book);
    const absl::Status status = pipeline.Run(*reader_);
    EXPECT_TRUE(status.ok()) << status;
    return pipeline.symbols().at(LobsterReader::kLocate);
  }
  std::unique_ptr<FeedReader> reader_;
};

TEST_F(GoogleFeedTest, AgreesWithEveryRowOfItsBook) {
  SerialPipeline pipeline(BookLogic::TopsFrom::kRows);
  const SymbolStages& stages = Run(pipeline, kGoogleBook);
  EXPECT_EQ(reader_->counts().messages, 49'482u);
  EXPECT_EQ(stages.book.row_counts().compared, 49'481u);
  EXPECT_EQ(stages.book.row_counts().equal, 49'481u);
  EXPECT_EQ(reader_->SymbolOf(LobsterReader::kLocate), "GOOG");
}

TEST_F(GoogleFeedTest, HasTheKnownExecutionsWithAndWithoutABook) {
  for (const char* book : {kGoogleBook, static_cast<const char*>(nullptr)}) {
    SerialPipeline pipeline(book != nullptr ? BookLogic::TopsFrom::kRows
                                            : BookLogic::TopsFrom::kOrders);
    const BookCounts& counts = Run(pipeline, book).book.book().counts();
    EXPECT_EQ(counts.visible,
              (ExecutionCounts{.count = 7'765, .shares = 492'509, .notional = 2'803'714'320'800}));
    EXPECT_EQ(counts.hidden,
              (ExecutionCounts{.count = 3'913, .shares = 213'616, .notional = 1'217'242'932'450}));
  }
}

TEST_F(GoogleFeedTest, CountsReferencesToOrdersFromBeforeTheFirstLevel) {
  SerialPipeline pipeline;
  const BookCounts& counts = Run(pipeline, nullptr).book.book().counts();
  EXPECT_GT(counts.unknown_references.count, 0u);
  EXPECT_EQ(counts.unknown_references.first_sequence, 1u);
}

TEST_F(GoogleFeedTest, LeadsToSomeTrading) {
  SerialPipeline pipeline(BookLogic::TopsFrom::kRows);
  const SymbolStages& stages = Run(pipeline, kGoogleBook);
  const uint64_t tops = stages.signal.state().tops;
  EXPECT_GT(tops, 40'000u);
  EXPECT_GT(stages.signal.state().intents, tops / 50);
  EXPECT_LT(stages.signal.state().intents, tops / 15);
  EXPECT_EQ(stages.risk.state().position, stages.position.state().position);
}

}  // namespace
}  // namespace bitactor::market
