// The example examples/l1_only.cc against the market tools' reader and books, which it does not use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "bitactor/l1_core/file.h"
#include "market/itch50_generator.h"
#include "market/itch50_reader.h"
#include "market/market_fixtures.h"
#include "market/order_book.h"
#include "support/program.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor::market {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class L1OnlyTest : public ::testing::Test {
 protected:
  std::string Feed(const std::string& bytes) {
    WriteFile(dir_.File("feed.itch"), bytes);
    return dir_.File("feed.itch");
  }
  // Counts and books are those of the market tools.
  static void ExpectAgreement(const std::string& path);
  // It reads on to what is wrong, and tells the state before it.
  void ExpectDamage(const std::string& bytes, const std::string& where, const std::string& what,
                    const std::string& state) {
    const test::Outcome outcome = test::RunProgram(Feed(bytes));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("feed.itch: " + where + ": "), HasSubstr(what),
                                   HasSubstr("fetch it again")));
    EXPECT_THAT(outcome.out, HasSubstr(state));
  }

  test::TempDir dir_;
};

bool IsOfABook(EventKind kind) { return EventKind::kAdd <= kind && kind <= EventKind::kReplace; }

std::string BooksText(const FeedReader& reader, const std::map<uint16_t, OrderBook>& books) {
  std::string text;
  size_t live_orders = 0;
  for (const auto& [locate, book] : books) {
    const BestPrices best = book.Best();
    text += reader.SymbolOf(locate) + ":";
    const auto level = [&text](const char* side, uint64_t size, int64_t price) {
      if (size != 0)
        text += absl::StrFormat(" %s %d x %d.%04d", side, size, price / 10'000, price % 10'000);
    };
    level("bid", best.bid_size, best.bid_price);
    level("ask", best.ask_size, best.ask_price);
    text += "\n";
    live_orders += book.live_orders();
  }
  return text + absl::StrFormat("%d orders live, 0 changes wondered at\n", live_orders);
}

void L1OnlyTest::ExpectAgreement(const std::string& path) {
  auto reader = OpenFeed(PosixFiles(), FeedFormat::kItch50, path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::map<uint16_t, OrderBook> books;
  FeedItem item;
  for (;;) {
    const absl::StatusOr<bool> more = (*reader)->Next(&item);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    if (IsOfABook(item.event.kind)) books[item.event.locate].Apply(item.event);
  }
  const test::Outcome outcome = test::RunProgram(path);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(BooksText(**reader, books)));
  EXPECT_THAT(outcome.out, HasSubstr("\nwatchdog: "));
  uint64_t dispatched = 0;
  int kind = 0;
  for (const char* types : {"AF", "EC", "X", "D", "U"}) {
    uint64_t of_kind = 0;
    for (; *types != 0; ++types)
      of_kind += (*reader)->counts().by_type[static_cast<uint8_t>(*types)];
    EXPECT_THAT(outcome.out,
                HasSubstr(absl::StrFormat("kind %d: %d dispatched;", ++kind, of_kind)));
    dispatched += of_kind;
  }
  const uint64_t messages = (*reader)->counts().messages;
  EXPECT_THAT(outcome.out,
              HasSubstr(absl::StrFormat("%d signals pushed: %d dispatched, %d bypassed", messages,
                                        dispatched, messages - dispatched)));
}

TEST_F(L1OnlyTest, KeepsTheBestPricesOfAGeneratedFeed) {
  const std::string path = dir_.File("day.itch");
  const GeneratorOptions options{.seed = test::Seed(), .messages = 30'000, .symbols = 20};
  ASSERT_TRUE(WriteItch50File(PosixFiles(), path, options).ok());
  ExpectAgreement(path);
}

TEST_F(L1OnlyTest, KeepsTheBestPricesOfTheRecordedFeed) {
  BITACTOR_NEEDS_SHARED_DATA();
  const std::string path = SharedData("nasdaq_itch50_20200130_AAPL_locate13_10k.bin");
  ExpectAgreement(path);
  EXPECT_THAT(test::RunProgram(path).out,
              AllOf(HasSubstr("10000 signals pushed: 9705 dispatched, 295 bypassed"),
                    HasSubstr("AAPL: bid 25 x 320.1400 ask 100 x 320.3000\n215 orders live")));
}

TEST_F(L1OnlyTest, WondersAtWhatCannotBeAndGoesOn) {
  const std::string feed = ItchAdd(1) + ItchAdd(1) + ItchBytes([](Itch50Writer& out) {
                             out.Cancelled(kCommon, 1, 101);
                             out.Deleted(kCommon, 1);
                             out.Replaced(kCommon, 2, 3, 100, 100'000);
                             out.AddOrder(kCommon, 4, Side::kSell, 0, "TEST", 100'000, "");
                             out.AddOrder(kCommon, 5, Side::kSell, 7, "A\x1b[B", 100'100, "");
                           });
  const test::Outcome outcome = test::RunProgram(Feed(feed));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("A?[B: ask 7 x 10.0100\n1 orders live, 5 changes wondered at\n"));
}

TEST_F(L1OnlyTest, ATornFeedIsToldAndWhatWasBeforeIsInTheBooks) {
  const std::string feed = ItchAdd(1) + ItchAdd(2);  // 38 bytes each
  for (size_t size = 39; size < feed.size(); ++size) {
    ExpectDamage(feed.substr(0, size), "offset 38: message 2",
                 absl::StrFormat("expected, %d are there", size - (size < 41 ? 38 : 40)),
                 "TEST: bid 100 x 10.0000\n1 orders live");
  }
  ExpectDamage("", "offset 0: message 1", "3 bytes expected, 0 are there", "0 orders live");
}

TEST_F(L1OnlyTest, MalformedMessagesAreTold) {
  const auto damaged = [](size_t at, char byte) {
    std::string feed = ItchAdd(1) + ItchAdd(2);
    feed[38 + at] = byte;
    return feed;
  };
  const std::string where = "offset 38: message 2", one = "1 orders live";
  ExpectDamage(damaged(0, 1), where, "length 292 is impossible; messages of type A have 36", one);
  ExpectDamage(damaged(2, 'z'), where, "type 0x7a is unknown; allowed are SRHY", one);
  ExpectDamage(damaged(2 + 19, 'b'), where, "side 0x62 is unknown; allowed are B", one);
}

TEST_F(L1OnlyTest, WrongUseAndFilesThatAreNotThereAreTold) {
  EXPECT_EQ(test::RunProgram("").exit_code, 2);
  EXPECT_EQ(test::RunProgram("a b").exit_code, 2);
  const test::Outcome outcome = test::RunProgram("no.itch");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no.itch"));
}

}  // namespace
}  // namespace bitactor::market
