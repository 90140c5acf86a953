#include "market/zero_tick_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "bitactor/l1_core/file.h"
#include "market/itch50_generator.h"
#include "market/itch50_reader.h"
#include "market/market_fixtures.h"
#include "market/serial_pipeline.h"
#include "support/seed.h"

namespace bitactor::market {
namespace {

constexpr char kApple[] = "nasdaq_itch50_20200130_AAPL_locate13_10k.bin";
constexpr char kStartOfDay[] = "nasdaq_itch50_startofday_1000msgs.itch";
constexpr char kGoogle[] = "lobster_GOOG_2012-06-21_message_1.csv";
constexpr char kGoogleBook[] = "lobster_GOOG_2012-06-21_orderbook_1.csv";

ZeroTickReport RunAll(FeedReader& feed) {
  static const TickClock clock(TickClock::Source::kManual);
  ZeroTickRun run(clock);
  const absl::Status status = run.Run(feed);
  EXPECT_TRUE(status.ok()) << status;
  const ZeroTickReport report = run.Report();
  EXPECT_EQ(report.signals, feed.counts().messages);
  EXPECT_EQ(report.signals, report.handled + report.bypassed.total());
  return report;
}

// What every stage behind the book came to without filters.
void ExpectAsSerial(const ZeroTickReport& report, FeedReader& feed,
                    BookLogic::TopsFrom tops_from = BookLogic::TopsFrom::kOrders) {
  SerialPipeline serial(tops_from);
  ASSERT_TRUE(serial.Run(feed).ok());
  uint64_t tops = 0, intents = 0;
  PositionTotals positions;
  for (const auto& [locate, stages] : serial.symbols()) {
    tops += stages.signal.state().tops;
    intents += stages.signal.state().intents;
    positions += stages.position.state();
  }
  EXPECT_EQ(report.intents, intents);
  EXPECT_EQ(report.positions.fills, positions.fills);
  EXPECT_EQ(report.positions.shares, positions.shares);
  EXPECT_EQ(report.positions.turnover, positions.turnover);
  EXPECT_EQ(report.positions.realised, positions.realised);
  EXPECT_EQ(report.positions.unrealised, positions.unrealised);
  EXPECT_EQ(report.positions.cash, positions.cash);
  // The first top of a symbol is handled, even if it is empty.
  EXPECT_GE(report.handled, tops);
  EXPECT_LE(report.handled, tops + serial.symbols().size());
}

std::unique_ptr<FeedReader> Recorded(FeedFormat format, const char* name, const char* book = "") {
  auto reader = OpenFeed(PosixFiles(), format, SharedData(name),
                         book[0] != '\0' ? SharedData(book) : std::string());
  EXPECT_TRUE(reader.ok()) << reader.status();
  return *std::move(reader);
}

std::unique_ptr<FeedReader> Generated(uint64_t seed) {
  auto source = Itch50Generator::Create({.seed = seed, .messages = 50'000, .symbols = 20});
  EXPECT_TRUE(source.ok()) << source.status();
  auto feed = Itch50Reader::Open(*std::move(source));
  EXPECT_TRUE(feed.ok()) << feed.status();
  return *std::move(feed);
}

TEST(ZeroTickRunTest, TradesAsThePipelineDoes) {
  const uint64_t seed = test::Seed();
  for (uint64_t i = 0; i < 3; ++i) {
    const ZeroTickReport report = RunAll(*Generated(seed + i));
    ExpectAsSerial(report, *Generated(seed + i));
    EXPECT_GT(report.positions.fills, 10u) << "or nothing was shown";
    EXPECT_GT(report.bypassed[Bypass::kUnchanged], 1'000u);
    EXPECT_GT(report.bypassed[Bypass::kIgnored], 0u);
  }
}

TEST(ZeroTickRunTest, ApplesFeed) {
  BITACTOR_NEEDS_SHARED_DATA();
  const ZeroTickReport report = RunAll(*Recorded(FeedFormat::kItch50, kApple));
  ExpectAsSerial(report, *Recorded(FeedFormat::kItch50, kApple));
  EXPECT_EQ(report.signals, 10'000u);
  EXPECT_EQ(report.bypassed[Bypass::kIgnored], 54u);
}

TEST(ZeroTickRunTest, TheStartOfADayIsAdministration) {
  BITACTOR_NEEDS_SHARED_DATA();
  const ZeroTickReport report = RunAll(*Recorded(FeedFormat::kItch50, kStartOfDay));
  ExpectAsSerial(report, *Recorded(FeedFormat::kItch50, kStartOfDay));
  EXPECT_EQ(report.signals, 1'000u);
  EXPECT_EQ(report.bypassed[Bypass::kIgnored], 997u);
}

TEST(ZeroTickRunTest, GooglesFeedWithAndWithoutItsBook) {
  BITACTOR_NEEDS_SHARED_DATA();
  const ZeroTickReport orders = RunAll(*Recorded(FeedFormat::kLobster, kGoogle));
  ExpectAsSerial(orders, *Recorded(FeedFormat::kLobster, kGoogle));
  const ZeroTickReport rows = RunAll(*Recorded(FeedFormat::kLobster, kGoogle, kGoogleBook));
  ExpectAsSerial(rows, *Recorded(FeedFormat::kLobster, kGoogle, kGoogleBook),
                 BookLogic::TopsFrom::kRows);
  EXPECT_EQ(orders.signals, 49'482u);
  EXPECT_EQ(rows.signals, 49'482u);
}

}  // namespace
}  // namespace bitactor::market
