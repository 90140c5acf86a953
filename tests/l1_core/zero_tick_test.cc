#include "bitactor/l1_core/zero_tick.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>

#include "support/seed.h"

namespace bitactor {
namespace {

struct Quote {
  char symbol[6];
  double price;
  uint32_t size;
  uint32_t sequence;
};

Quote MakeQuote(const char* symbol, double price, uint32_t size, uint32_t sequence) {
  Quote quote{};
  std::strncpy(quote.symbol, symbol, sizeof(quote.symbol) - 1);
  quote.price = price;
  quote.size = size;
  quote.sequence = sequence;
  return quote;
}

UnchangedFilter Watched() { return Unchanged(&Quote::symbol, &Quote::price, &Quote::size); }
bool Bypasses(UnchangedFilter& filter, const Quote& quote) {
  return filter.Bypasses(Signal::Of(1, quote));
}

TEST(UnchangedFilterTest, TheFirstSignalIsHandled) {
  UnchangedFilter filter = Watched();
  EXPECT_FALSE(Bypasses(filter, Quote{})) << "though all its bytes are zero, like the memory";
}

TEST(UnchangedFilterTest, AnUnnamedMemberDoesNotMatter) {
  UnchangedFilter filter = Watched();
  Bypasses(filter, MakeQuote("AAPL", 100, 5, 1));
  EXPECT_TRUE(Bypasses(filter, MakeQuote("AAPL", 100, 5, 2)));
}

TEST(UnchangedFilterTest, EveryNamedMemberMatters) {
  const Quote base = MakeQuote("AAPL", 100, 5, 1);
  for (const Quote& changed :
       {MakeQuote("AAPM", 100, 5, 1), MakeQuote("AAPL", 101, 5, 1), MakeQuote("AAPL", 100, 6, 1)}) {
    UnchangedFilter filter = Watched();
    Bypasses(filter, base);
    EXPECT_FALSE(Bypasses(filter, changed));
  }
}

TEST(UnchangedFilterTest, ComparesWithTheLastOfTheKindNotOfTheKey) {
  UnchangedFilter filter = Watched();
  Bypasses(filter, MakeQuote("AAPL", 100, 5, 1));
  EXPECT_FALSE(Bypasses(filter, MakeQuote("MSFT", 200, 5, 2)));
  EXPECT_FALSE(Bypasses(filter, MakeQuote("AAPL", 100, 5, 3)));
}

TEST(UnchangedFilterTest, ComparesBytesSoThatAHandlerSeesTheSignOfZero) {
  UnchangedFilter filter = Watched();
  Bypasses(filter, MakeQuote("AAPL", 0.0, 5, 1));
  EXPECT_FALSE(Bypasses(filter, MakeQuote("AAPL", -0.0, 5, 2)));
}

TEST(UnchangedFilterTest, TheSameNanIsUnchanged) {
  UnchangedFilter filter = Watched();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Bypasses(filter, MakeQuote("AAPL", nan, 5, 1));
  EXPECT_TRUE(Bypasses(filter, MakeQuote("AAPL", nan, 5, 2)));
}

TEST(UnchangedFilterTest, PaddingIsNotCompared) {
  UnchangedFilter filter = Watched();
  Signal signal = Signal::Of(1, MakeQuote("AAPL", 100, 5, 1));
  filter.Bypasses(signal);
  signal.payload[6] ^= std::byte{0xFF};  // between symbol and price
  EXPECT_TRUE(filter.Bypasses(signal));
}

TEST(UnchangedFilterTest, AfterForgetTheNextIsHandled) {
  UnchangedFilter filter = Watched();
  Bypasses(filter, MakeQuote("AAPL", 100, 5, 1));
  filter.Forget();
  EXPECT_FALSE(Bypasses(filter, MakeQuote("AAPL", 100, 5, 2)));
  EXPECT_TRUE(Bypasses(filter, MakeQuote("AAPL", 100, 5, 3)));
}

TEST(UnchangedFilterTest, AValueOfAnotherSizeIsHandled) {
  UnchangedFilter filter;
  filter.Watch(0, 4);
  filter.Bypasses(Signal::Of(1, uint32_t{7}));
  EXPECT_FALSE(filter.Bypasses(Signal::Of(1, uint64_t{7})));
}

TEST(UnchangedFilterTest, ComparesAsMemberByMemberOverRandomQuotes) {
  std::mt19937_64 random(test::Seed());
  UnchangedFilter filter = Watched();
  Quote last{};
  for (int i = 0; i < 20'000; ++i) {
    const Quote quote =
        MakeQuote(random() % 2 == 0 ? "A" : "B", static_cast<double>(random() % 3),
                  static_cast<uint32_t>(random() % 2), static_cast<uint32_t>(random()));
    const bool same = i > 0 && std::strcmp(quote.symbol, last.symbol) == 0 &&
                      quote.price == last.price && quote.size == last.size;
    ASSERT_EQ(Bypasses(filter, quote), same) << "signal " << i;
    last = quote;
  }
}

TEST(UnchangedFilterDeathTest, BytesBeyondASignalAreABug) {
  UnchangedFilter filter;
  EXPECT_DEATH(filter.Watch(50, 8), "check failed");
}

}  // namespace
}  // namespace bitactor
