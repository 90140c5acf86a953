#include "market/itch50_reader.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "market/market_fixtures.h"

namespace bitactor::market {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Message(const Outcome& outcome) { return std::string(outcome.status.message()); }

TEST(Itch50ReaderTest, ReadsAnAddOrderByteByByte) {
  const std::string bytes(
      "\x00\x24"
      "A\x00\x0d\x00\x02\x0a\x37\xd4\xd0\xd3\x09"
      "\x00\x00\x00\x00\x00\x01\xa4\xc1"
      "S\x00\x00\x01\x2c"
      "AAPL    \x00\x30\xd9\x58",
      38);
  const Outcome outcome = ReadItch(bytes);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 1u);
  const FeedEvent& event = outcome.items[0].event;
  EXPECT_EQ(event.sequence, 1u);
  EXPECT_EQ(event.time_ns, 0x0a37d4d0d309u);
  EXPECT_EQ(event.order_ref, 0x1a4c1u);
  EXPECT_EQ(event.price, 0x30d958);
  EXPECT_EQ(event.shares, 300u);
  EXPECT_EQ(event.locate, 13u);
  EXPECT_EQ(event.kind, EventKind::kAdd);
  EXPECT_EQ(event.side, Side::kSell);
  EXPECT_EQ(outcome.symbol, "AAPL");
}

TEST(Itch50ReaderTest, ReadsEveryKindOfOrderMessage) {
  const Outcome outcome = ReadItch(ItchBytes([](Itch50Writer& out) {
    out.TradingAction(kCommon, "TEST", 'H');
    out.AddOrder(kCommon, 1, Side::kSell, 100, "TEST", 5, "BTAC");
    out.Executed(kCommon, 1, 10, 99);
    out.ExecutedAtPrice(kCommon, 1, 11, 99, 6);
    out.Cancelled(kCommon, 1, 12);
    out.Replaced(kCommon, 1, 2, 13, 7);
    out.Deleted(kCommon, 2);
    out.Trade(kCommon, 14, "TEST", 8, 99);
  }));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 8u);
  const auto expect = [&](size_t i, EventKind kind, uint64_t ref, uint64_t new_ref, uint32_t shares,
                          int64_t price) {
    SCOPED_TRACE(i);
    const FeedEvent& event = outcome.items[i].event;
    EXPECT_EQ(event.kind, kind);
    EXPECT_EQ(event.order_ref, ref);
    EXPECT_EQ(event.new_ref, new_ref);
    EXPECT_EQ(event.shares, shares);
    EXPECT_EQ(event.price, price);
  };
  expect(0, EventKind::kTradingState, 0, 0, 0, 0);
  expect(1, EventKind::kAdd, 1, 0, 100, 5);
  expect(2, EventKind::kExecute, 1, 0, 10, 0);
  expect(3, EventKind::kExecuteAtPrice, 1, 0, 11, 6);
  expect(4, EventKind::kCancel, 1, 0, 12, 0);
  expect(5, EventKind::kReplace, 1, 2, 13, 7);
  expect(6, EventKind::kDelete, 2, 0, 0, 0);
  expect(7, EventKind::kTrade, 0, 0, 14, 8);
}

TEST(Itch50ReaderTest, TellsAnExecutionThatIsNotPrinted) {
  std::string bytes =
      ItchBytes([](Itch50Writer& out) { out.ExecutedAtPrice(kCommon, 1, 1, 1, 1); });
  bytes[2 + 31] = 'N';
  const Outcome outcome = ReadItch(bytes);
  ASSERT_EQ(outcome.items.size(), 1u);
  EXPECT_EQ(outcome.items[0].event.kind, EventKind::kExecuteUnprinted);
}

TEST(Itch50ReaderTest, CountsMarketWideMessagesButGivesNoItem) {
  const Outcome outcome = ReadItch(
      ItchBytes([](Itch50Writer& out) { out.SystemEvent({.locate = 0, .time_ns = 1}, 'O'); }) +
      ItchAdd(1));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 1u);
  EXPECT_EQ(outcome.items[0].event.sequence, 2u);
  EXPECT_EQ(outcome.counts.messages, 2u);
  EXPECT_EQ(outcome.counts.market_wide, 1u);
  EXPECT_EQ(outcome.counts.by_type['S'], 1u);
  EXPECT_EQ(outcome.counts.bytes, 14u + 38u);
}

TEST(Itch50ReaderTest, LearnsTheSymbolFromTheDirectory) {
  const Outcome outcome = ReadItch(ItchBytes([](Itch50Writer& out) {
    out.StockDirectory(kCommon, "LONGNAME");
    out.Deleted(kCommon, 5);
  }));
  EXPECT_EQ(outcome.symbol, "LONGNAME");
}

TEST(Itch50ReaderTest, NamesASymbolThatWasNeverNamedByItsLocate) {
  EXPECT_EQ(ReadItch(ItchBytes([](Itch50Writer& out) { out.Deleted(kCommon, 5); })).symbol, "#7");
}

TEST(Itch50ReaderTest, KeepsControlCharactersOutOfNames) {
  EXPECT_EQ(ReadItch(ItchBytes([](Itch50Writer& out) {
              out.AddOrder(kCommon, 1, Side::kBuy, 1, "A\x1b[1m", 1, "");
            })).symbol,
            "A?[1m");
}

TEST(Itch50ReaderTest, GivesTheSameWhereverReadsAreCut) {
  std::string bytes;
  for (uint64_t ref = 1; ref <= 300; ++ref) bytes += ItchAdd(ref);
  for (const size_t bytes_per_read : {1u, 2u, 37u, 53u, 4096u}) {
    const Outcome outcome = ReadItch(bytes, bytes_per_read);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status;
    ASSERT_EQ(outcome.items.size(), 300u) << bytes_per_read;
    EXPECT_EQ(outcome.items.back().event.order_ref, 300u);
  }
}

TEST(Itch50ReaderTest, ReadsFeedsLongerThanItsBuffer) {
  std::string bytes;
  for (uint64_t ref = 1; ref <= 60'000; ++ref) bytes += ItchAdd(ref);  // 2.2 MiB
  const Outcome outcome = ReadItch(bytes);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.items.size(), 60'000u);
  for (uint64_t i = 0; i < 60'000; ++i) ASSERT_EQ(outcome.items[i].event.order_ref, i + 1);
}

TEST(Itch50ReaderTest, RefusesAnEmptyFeed) {
  const Outcome outcome = ReadItch("");
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(outcome), AllOf(HasSubstr("feed.itch"), HasSubstr("empty")));
}

TEST(Itch50ReaderTest, DeliversWhatIsBeforeATruncatedMessage) {
  for (size_t missing = 1; missing <= 35; ++missing) {
    const std::string bytes = ItchAdd(1) + ItchAdd(2);
    const Outcome outcome = ReadItch(bytes.substr(0, bytes.size() - missing));
    ASSERT_EQ(outcome.items.size(), 1u);
    EXPECT_EQ(outcome.counts.messages, 1u);
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(Message(outcome), AllOf(HasSubstr("feed.itch: offset 38: message 2: "),
                                        HasSubstr("36 bytes expected"),
                                        HasSubstr(std::to_string(36 - missing) + " are there")));
  }
}

TEST(Itch50ReaderTest, RefusesATruncatedLength) {
  const Outcome outcome = ReadItch(ItchAdd(1) + std::string(1, '\0'));
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_THAT(Message(outcome), HasSubstr("2 bytes expected, 1 is there"));
}

TEST(Itch50ReaderTest, RefusesTrailingGarbage) {
  const Outcome outcome = ReadItch(ItchAdd(1) + std::string(5, '\0'));
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_THAT(Message(outcome),
              AllOf(HasSubstr("offset 38"), HasSubstr("length 0"), HasSubstr("12 to 50")));
}

TEST(Itch50ReaderTest, RefusesAnUnknownType) {
  std::string bad = ItchAdd(2);
  bad[2] = 'Z';
  const Outcome outcome = ReadItch(ItchAdd(1) + bad + ItchAdd(3));
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_THAT(Message(outcome), AllOf(HasSubstr("message 2: type 'Z' (0x5a) is unknown"),
                                      HasSubstr("SRHYLVWKJhAFECXDUPQBINO"), HasSubstr("--format")));
}

TEST(Itch50ReaderTest, RefusesALengthThatIsNotItsTypes) {
  std::string bad = ItchAdd(2);
  bad[1] = 35;
  const Outcome outcome = ReadItch(ItchAdd(1) + bad);
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_THAT(Message(outcome), AllOf(HasSubstr("length 35 is impossible for type 'A' (0x41)"),
                                      HasSubstr("36 bytes")));
}

TEST(Itch50ReaderTest, RefusesALengthOverTheLongestMessage) {
  std::string bad = ItchAdd(2);
  bad[0] = '\xff';
  EXPECT_THAT(Message(ReadItch(ItchAdd(1) + bad)),
              AllOf(HasSubstr("length 65316 is impossible"), HasSubstr("12 to 50")));
}

TEST(Itch50ReaderTest, RefusesAnUnknownSide) {
  std::string bad = ItchAdd(2);
  bad[2 + 19] = 'X';
  const Outcome outcome = ReadItch(ItchAdd(1) + bad);
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_EQ(outcome.counts.messages, 1u);
  EXPECT_THAT(Message(outcome), HasSubstr("side 'X' (0x58) is unknown; allowed are 'B' and 'S'"));
}

TEST(Itch50ReaderTest, RefusesATimeBehindMidnight) {
  std::string bad = ItchAdd(2);
  bad[2 + 5] = '\xff';
  EXPECT_THAT(Message(ReadItch(bad)), HasSubstr("allowed are 0 to 86399999999999"));
}

TEST(Itch50ReaderTest, SuggestsLobsterForATextFile) {
  EXPECT_THAT(Message(ReadItch("34200.015105074,4,15818974,4,5794000,1\n")),
              HasSubstr("--format lobster"));
}

TEST(Itch50ReaderTest, RepeatsItsError) {
  auto reader = Itch50Reader::Open(std::make_unique<MemorySource>("feed.itch", "xx"));
  ASSERT_TRUE(reader.ok());
  FeedItem item;
  const absl::Status first = (*reader)->Next(&item).status();
  EXPECT_FALSE(first.ok());
  EXPECT_EQ((*reader)->Next(&item).status(), first);
}

class FailingSource : public ByteSource {
 public:
  explicit FailingSource(std::string bytes) : ByteSource("disk"), bytes_(std::move(bytes)) {}
  absl::StatusOr<size_t> Read(std::span<std::byte> into) override {
    if (bytes_.empty()) return absl::InternalError("disk: read failed");
    const size_t count = bytes_.copy(reinterpret_cast<char*>(into.data()), into.size());
    bytes_.clear();
    return count;
  }

 private:
  std::string bytes_;
};

TEST(Itch50ReaderTest, ReportsAFailedReadAndNotATruncatedFile) {
  const Outcome outcome = ReadAll(
      Itch50Reader::Open(std::make_unique<FailingSource>(ItchAdd(1) + ItchAdd(2).substr(0, 20))));
  EXPECT_EQ(outcome.items.size(), 1u);
  EXPECT_EQ(outcome.status, absl::InternalError("disk: read failed"));
}

}  // namespace
}  // namespace bitactor::market
