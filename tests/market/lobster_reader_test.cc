#include "market/lobster_reader.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "market/market_fixtures.h"

namespace bitactor::market {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kLine[] = "34200.015105074,4,15818974,4,5794000,1\n";
constexpr char kRow[] = "5802300,100,5794000,496\n";

std::string Message(const Outcome& outcome) { return std::string(outcome.status.message()); }

// The fault of a feed whose second line is this.
std::string FaultOf(const std::string& line) {
  const Outcome outcome = ReadLobster(kLine + line + "\n" + kLine);
  EXPECT_EQ(outcome.items.size(), 1u) << line;
  EXPECT_EQ(outcome.counts.messages, 1u) << line;
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss) << line;
  EXPECT_THAT(Message(outcome), HasSubstr("feed.csv: offset 39: line 2: "));
  return Message(outcome);
}

TEST(LobsterReaderTest, ReadsAMessage) {
  const Outcome outcome = ReadLobster(kLine);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 1u);
  const FeedEvent& event = outcome.items[0].event;
  EXPECT_EQ(event.sequence, 1u);
  EXPECT_EQ(event.time_ns, 34'200'015'105'074u);
  EXPECT_EQ(event.order_ref, 15'818'974u);
  EXPECT_EQ(event.price, 5'794'000);
  EXPECT_EQ(event.shares, 4u);
  EXPECT_EQ(event.kind, EventKind::kExecute);
  EXPECT_EQ(event.side, Side::kBuy);
  EXPECT_FALSE(outcome.items[0].row.has_value());
}

TEST(LobsterReaderTest, ReadsEveryType) {
  const std::vector<EventKind> kinds = {EventKind::kAdd,     EventKind::kCancel, EventKind::kDelete,
                                        EventKind::kExecute, EventKind::kTrade,  EventKind::kCross};
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Outcome outcome = ReadLobster("1.5," + std::to_string(i + 1) + ",9,8,7,-1\n");
    ASSERT_EQ(outcome.items.size(), 1u) << i;
    EXPECT_EQ(outcome.items[0].event.kind, kinds[i]);
    EXPECT_EQ(outcome.items[0].event.side, Side::kSell);
    EXPECT_EQ(outcome.counts.by_type['1' + i], 1u);
  }
}

TEST(LobsterReaderTest, ReadsHaltsAndTheirEnd) {
  const Outcome outcome = ReadLobster("1,7,0,0,-1,-1\n2,7,0,0,0,-1\n3,7,0,0,1,-1\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 3u);
  EXPECT_EQ(outcome.items[0].event.kind, EventKind::kTradingState);
  EXPECT_EQ(outcome.items[0].event.shares, 0u);
  EXPECT_EQ(outcome.items[1].event.shares, 0u);
  EXPECT_EQ(outcome.items[2].event.shares, 1u);
}

TEST(LobsterReaderTest, ReadsTimesExactly) {
  const auto time_of = [](const std::string& time) {
    const Outcome outcome = ReadLobster(time + ",1,1,1,1,1\n");
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    return outcome.items.empty() ? 0 : outcome.items[0].event.time_ns;
  };
  EXPECT_EQ(time_of("0.000000001"), 1u);
  EXPECT_EQ(time_of("34200.05990197"), 34'200'059'901'970u);
  EXPECT_EQ(time_of("34200"), 34'200'000'000'000u);
  EXPECT_EQ(time_of("57599.999999999"), 57'599'999'999'999u);
  EXPECT_EQ(time_of("86399.999999999"), 86'399'999'999'999u);
}

TEST(LobsterReaderTest, AcceptsCarriageReturnsAndNoNewlineAtTheEnd) {
  const Outcome outcome = ReadLobster("1,1,1,1,1,1\r\n2,1,2,1,1,-1");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 2u);
  EXPECT_EQ(outcome.items[0].event.side, Side::kBuy);
  EXPECT_EQ(outcome.items[1].event.side, Side::kSell);
}

TEST(LobsterReaderTest, GivesTheSameWhereverReadsAreCut) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += kLine;
  for (const size_t bytes_per_read : {1u, 38u, 39u, 4096u}) {
    const Outcome outcome = ReadLobster(bytes, bytes_per_read);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_EQ(outcome.items.size(), 300u);
  }
}

TEST(LobsterReaderTest, RefusesBadTimes) {
  for (const char* time : {"", "x", "-1.0", "1.", "1.0000000001", "86400", "1.2.3", "1e3", "1.-5",
                           "99999999999999999999"}) {
    EXPECT_THAT(
        FaultOf(std::string(time) + ",1,1,1,1,1"),
        AllOf(HasSubstr(std::string("time '") + time + "'"), HasSubstr("0 to 86399.999999999")));
  }
}

TEST(LobsterReaderTest, RefusesBadTypes) {
  for (const char* type : {"0", "8", "", "A", "1 "}) {
    EXPECT_THAT(FaultOf(std::string("1,") + type + ",1,1,1,1"), HasSubstr("allowed: 1 to 7"));
  }
}

TEST(LobsterReaderTest, RefusesBadNumbers) {
  EXPECT_THAT(FaultOf("1,1,-5,1,1,1"), HasSubstr("order id '-5'"));
  EXPECT_THAT(FaultOf("1,1,1,4294967296,1,1"), HasSubstr("size '4294967296'"));
  EXPECT_THAT(FaultOf("1,1,1,1,10000000000,1"), HasSubstr("price '10000000000'"));
  EXPECT_THAT(FaultOf("1,1,1,1,-1,1"), HasSubstr("price '-1'"));
  EXPECT_THAT(FaultOf("1,7,0,0,2,1"), HasSubstr("-1 (halted)"));
  EXPECT_THAT(FaultOf("1,1,1,1,1,0"), HasSubstr("direction '0'"));
  EXPECT_THAT(FaultOf("1,1,1,\x1b[1m,1,1"), HasSubstr("size '\\x1b[1m'"));
}

TEST(LobsterReaderTest, RefusesAnotherNumberOfColumns) {
  EXPECT_THAT(FaultOf("1,1,1,1,1"), HasSubstr("has 5 columns"));
  EXPECT_THAT(FaultOf("1,1,1,1,1,1,1"), HasSubstr("has 7 columns"));
  EXPECT_THAT(FaultOf(""), HasSubstr("has 1 columns"));
}

TEST(LobsterReaderTest, RefusesALineWithoutEnd) {
  EXPECT_THAT(FaultOf(std::string(100'000, '1')), HasSubstr("more than 16384 characters"));
}

TEST(LobsterReaderTest, RefusesAnEmptyFeed) {
  EXPECT_THAT(Message(ReadLobster("")), AllOf(HasSubstr("feed.csv"), HasSubstr("empty")));
}

TEST(LobsterReaderTest, SuggestsItchForItsBytes) {
  EXPECT_THAT(Message(ReadLobster(ItchAdd(1))), HasSubstr("--format itch50"));
}

TEST(LobsterReaderTest, GivesEachMessageItsRow) {
  const Outcome outcome =
      ReadLobsterWithBook(std::string(kLine) + kLine, std::string(kRow) + "9999999999,0,3,4\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 2u);
  ASSERT_TRUE(outcome.items[0].row.has_value());
  EXPECT_EQ(outcome.items[0].row->sequence, 1u);
  EXPECT_EQ(outcome.items[0].row->ask_price, 5'802'300);
  EXPECT_EQ(outcome.items[0].row->ask_size, 100u);
  EXPECT_EQ(outcome.items[0].row->bid_price, 5'794'000);
  EXPECT_EQ(outcome.items[0].row->bid_size, 496u);
  EXPECT_EQ(outcome.items[1].row->sequence, 2u);
  EXPECT_EQ(outcome.items[1].row->ask_size, 0u);
}

TEST(LobsterReaderTest, UsesTheFirstLevelOfADeeperBook) {
  const Outcome outcome = ReadLobsterWithBook(kLine, "4,3,2,1,8,7,6,5\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 1u);
  EXPECT_EQ(outcome.items[0].row->ask_price, 4);
  EXPECT_EQ(outcome.items[0].row->bid_size, 1u);
}

TEST(LobsterReaderTest, RefusesABookWithTooFewRows) {
  const Outcome outcome = ReadLobsterWithBook(std::string(kLine) + kLine, kRow);
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_EQ(outcome.counts.messages, 1u);
  EXPECT_THAT(Message(outcome),
              AllOf(HasSubstr("book.csv: offset 24: line 2"), HasSubstr("ends after 1 rows"),
                    HasSubstr("feed.csv"), HasSubstr("--book")));
}

TEST(LobsterReaderTest, RefusesABookWithTooManyRows) {
  const Outcome outcome = ReadLobsterWithBook(kLine, std::string(kRow) + kRow);
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_THAT(Message(outcome), AllOf(HasSubstr("book.csv: offset 24"), HasSubstr("more rows")));
}

TEST(LobsterReaderTest, RefusesBadRows) {
  const auto fault = [](const char* row) { return Message(ReadLobsterWithBook(kLine, row)); };
  EXPECT_THAT(fault("1,2,3\n"), HasSubstr("has 3 columns"));
  EXPECT_THAT(fault("1,2,3,4,5\n"), HasSubstr("has 5 columns"));
  EXPECT_THAT(fault("a,2,3,4\n"), HasSubstr("ask price 'a'"));
  EXPECT_THAT(fault("1,-2,3,4\n"), HasSubstr("ask size '-2'"));
  EXPECT_THAT(fault("1,2,99999999999,4\n"), HasSubstr("bid price '99999999999'"));
  EXPECT_THAT(fault("1,2,3,\n"), HasSubstr("bid size ''"));
}

TEST(LobsterSymbolTest, ComesFromTheFilesName) {
  EXPECT_EQ(LobsterSymbol("/data/lobster_GOOG_2012-06-21_message_1.csv"), "GOOG");
  EXPECT_EQ(LobsterSymbol("AAPL_2012-06-21_34200000_57600000_message_1.csv"), "AAPL");
}

TEST(LobsterSymbolTest, IsLobsterForAnyOtherName) {
  for (const char* path : {"feed.csv", "my_feed.csv", "_2012-06-21_message_1.csv", "a/b_c/x", "",
                           "lobster_GOOG_20120621_message_1.csv"}) {
    EXPECT_EQ(LobsterSymbol(path), "LOBSTER") << path;
  }
}

}  // namespace
}  // namespace bitactor::market
