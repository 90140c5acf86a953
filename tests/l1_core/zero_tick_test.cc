#include "bitactor/l1_core/zero_tick.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <string>

#include "absl/time/time.h"
#include "bitactor/l1_core/zero_tick_pass.h"
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

// A pass and the time it is asked at, one round a signal.
class Pass {
 public:
  template <typename... Filters>
  explicit Pass(const Filters&... filters) {
    (pass_.Add(filters), ...);
  }
  Bypass Check(const Signal& signal) {
    time_.BeginRound();
    return pass_.Check(signal, time_);
  }
  template <typename T>
  Bypass operator()(const T& value) {
    return Check(Signal::Of(1, value));
  }
  void Add(const ZeroTickFilter& filter) { pass_.Add(filter); }
  void Forget() { pass_.Forget(); }
  void Advance(uint64_t ns) { clock_.Advance(ns); }
  uint64_t now_ns() const { return clock_.NowNanos(); }

 private:
  TickClock clock_{TickClock::Source::kManual, 1'000};
  RoundTime time_{clock_};
  ZeroTickPass pass_;
};

ZeroTickFilter Watched() { return Unchanged(&Quote::symbol, &Quote::price, &Quote::size); }

TEST(UnchangedTest, TheFirstSignalIsHandled) {
  Pass pass(Watched());
  EXPECT_EQ(pass(Quote{}), Bypass::kNone) << "though all its bytes are zero, like the memory";
}

TEST(UnchangedTest, AnUnnamedMemberDoesNotMatter) {
  Pass pass(Watched());
  pass(MakeQuote("AAPL", 100, 5, 1));
  EXPECT_EQ(pass(MakeQuote("AAPL", 100, 5, 2)), Bypass::kUnchanged);
}

TEST(UnchangedTest, EveryNamedMemberMatters) {
  const Quote base = MakeQuote("AAPL", 100, 5, 1);
  for (const Quote& changed :
       {MakeQuote("AAPM", 100, 5, 1), MakeQuote("AAPL", 101, 5, 1), MakeQuote("AAPL", 100, 6, 1)}) {
    Pass pass(Watched());
    pass(base);
    EXPECT_EQ(pass(changed), Bypass::kNone);
  }
}

TEST(UnchangedTest, ComparesWithTheLastOfTheKindNotOfTheKey) {
  Pass pass(Watched());
  pass(MakeQuote("AAPL", 100, 5, 1));
  EXPECT_EQ(pass(MakeQuote("MSFT", 200, 5, 2)), Bypass::kNone);
  EXPECT_EQ(pass(MakeQuote("AAPL", 100, 5, 3)), Bypass::kNone);
}

TEST(UnchangedTest, ComparesBytesSoThatAHandlerSeesTheSignOfZero) {
  Pass pass(Watched());
  pass(MakeQuote("AAPL", 0.0, 5, 1));
  EXPECT_EQ(pass(MakeQuote("AAPL", -0.0, 5, 2)), Bypass::kNone);
}

TEST(UnchangedTest, TheSameNanIsUnchanged) {
  Pass pass(Watched());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  pass(MakeQuote("AAPL", nan, 5, 1));
  EXPECT_EQ(pass(MakeQuote("AAPL", nan, 5, 2)), Bypass::kUnchanged);
}

TEST(UnchangedTest, PaddingIsNotCompared) {
  Pass pass(Watched());
  Signal signal = Signal::Of(1, MakeQuote("AAPL", 100, 5, 1));
  pass.Check(signal);
  signal.payload[6] ^= std::byte{0xFF};  // between symbol and price
  EXPECT_EQ(pass.Check(signal), Bypass::kUnchanged);
}

TEST(UnchangedTest, AfterForgetTheNextIsHandled) {
  Pass pass(Watched());
  pass(MakeQuote("AAPL", 100, 5, 1));
  pass.Forget();
  EXPECT_EQ(pass(MakeQuote("AAPL", 100, 5, 2)), Bypass::kNone);
  EXPECT_EQ(pass(MakeQuote("AAPL", 100, 5, 3)), Bypass::kUnchanged);
}

TEST(UnchangedTest, AValueOfAnotherSizeIsHandledAndSoIsTheOneAfterIt) {
  Pass pass(Watched());
  const Quote quote = MakeQuote("AAPL", 100, 5, 1);
  Signal shorter = Signal::Of(1, quote);
  shorter.size_bytes -= 1;
  pass(quote);
  EXPECT_EQ(pass.Check(shorter), Bypass::kNone);
  EXPECT_EQ(pass.Check(shorter), Bypass::kNone) << "never compared";
  EXPECT_EQ(pass(quote), Bypass::kNone) << "the handler has seen another value since";
  EXPECT_EQ(pass(quote), Bypass::kUnchanged);
}

TEST(UnchangedTest, ComparesAsMemberByMemberOverRandomQuotes) {
  std::mt19937_64 random(test::Seed());
  Pass pass(Watched());
  Quote last{};
  for (int i = 0; i < 20'000; ++i) {
    const Quote quote =
        MakeQuote(random() % 2 == 0 ? "A" : "B", static_cast<double>(random() % 3),
                  static_cast<uint32_t>(random() % 2), static_cast<uint32_t>(random()));
    const bool same = i > 0 && std::strcmp(quote.symbol, last.symbol) == 0 &&
                      quote.price == last.price && quote.size == last.size;
    ASSERT_EQ(pass(quote) == Bypass::kUnchanged, same) << "signal " << i;
    last = quote;
  }
}

struct Wide {
  uint64_t word[7];
};

// Each number of words has a function of its own.
TEST(UnchangedTest, ComparesEveryNumberOfWordsByteByByte) {
  for (size_t watched_bytes = 1; watched_bytes <= kMaxSignalBytes; ++watched_bytes) {
    ZeroTickFilter filter = Unchanged(&Wide::word);
    std::fill(filter.watched.begin() + static_cast<ptrdiff_t>(watched_bytes), filter.watched.end(),
              std::byte{0});
    Pass pass(filter);
    Signal signal = Signal::Of(1, Wide{});
    pass.Check(signal);
    for (size_t i = 0; i < kMaxSignalBytes; ++i) {
      signal.payload[i] ^= std::byte{0x10};
      ASSERT_EQ(pass.Check(signal), i < watched_bytes ? Bypass::kNone : Bypass::kUnchanged)
          << "byte " << i << " of " << watched_bytes;
    }
  }
}

struct Level {
  int32_t price;
  uint32_t symbol;
};

TEST(DeadBandTest, SmallMovesAreBypassedAndDriftGetsThrough) {
  Pass pass(DeadBand(&Level::price, 5));
  EXPECT_EQ(pass(Level{100, 1}), Bypass::kNone);
  EXPECT_EQ(pass(Level{105, 1}), Bypass::kDeadBand);
  EXPECT_EQ(pass(Level{95, 1}), Bypass::kDeadBand);
  EXPECT_EQ(pass(Level{106, 1}), Bypass::kNone) << "6 from the last handled, 1 from the last seen";
  EXPECT_EQ(pass(Level{101, 1}), Bypass::kDeadBand);
}

TEST(DeadBandTest, TheOthersMustBeUnchanged) {
  Pass pass(DeadBand(&Level::price, 5, &Level::symbol));
  pass(Level{100, 1});
  EXPECT_EQ(pass(Level{101, 2}), Bypass::kNone);
  EXPECT_EQ(pass(Level{102, 2}), Bypass::kDeadBand);
}

template <typename M>
struct One {
  M value;
};

template <typename M>
bool InBand(M from, M to, M band) {
  Pass pass(DeadBand(&One<M>::value, band));
  pass(One<M>{from});
  return pass(One<M>{to}) == Bypass::kDeadBand;
}

TEST(DeadBandTest, NoDifferenceOverflows) {
  using Limits = std::numeric_limits<int64_t>;
  EXPECT_FALSE(InBand<int64_t>(Limits::min(), Limits::max(), Limits::max()));
  EXPECT_TRUE(InBand<int64_t>(Limits::min(), -1, Limits::max()));
  EXPECT_FALSE(InBand<int64_t>(Limits::min(), 0, Limits::max()));
  EXPECT_FALSE(InBand<int8_t>(-100, 100, 127));
  EXPECT_TRUE(InBand<uint8_t>(0, 255, 255));
  EXPECT_TRUE(InBand<uint16_t>(1, 0, 1));
  EXPECT_FALSE(InBand<uint64_t>(0, UINT64_MAX, UINT64_MAX - 1));
}

TEST(DeadBandTest, ANanIsInNoBand) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(InBand<double>(1.0, 1.25, 0.25));
  EXPECT_FALSE(InBand<double>(1.0, nan, 1e300));
  EXPECT_FALSE(InBand<double>(nan, 1.0, 1e300));
  EXPECT_FALSE(InBand<float>(nan, static_cast<float>(nan), 1e30f));
}

struct Flagged {
  uint16_t flags;
  uint32_t number;
};

TEST(MaskTest, LetsThroughWhatHasOneOfTheBits) {
  Pass pass(Mask(&Flagged::flags, 0x8001));
  EXPECT_EQ(pass(Flagged{0x0001, 0}), Bypass::kNone);
  EXPECT_EQ(pass(Flagged{0x8000, 0}), Bypass::kNone);
  EXPECT_EQ(pass(Flagged{0x7FFE, 0xFFFFFFFF}), Bypass::kMasked);
  EXPECT_EQ(pass(Flagged{0, 0}), Bypass::kMasked);
}

TEST(SampleEveryTest, TakesTheFirstOfEveryFew) {
  Pass pass(SampleEvery(3));
  std::string taken;
  for (uint32_t i = 0; i < 7; ++i) taken += pass(Flagged{0, i}) == Bypass::kNone ? 'x' : '.';
  EXPECT_EQ(taken, "x..x..x");
}

TEST(SampleEveryTest, EveryOneIsAll) {
  Pass pass(SampleEvery(1));
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(pass(Flagged{0, i}), Bypass::kNone);
}

TEST(SampleEveryTest, ValuesMayHaveAnySize) {
  Pass pass(SampleEvery(2));
  EXPECT_EQ(pass(uint8_t{1}), Bypass::kNone);
  EXPECT_EQ(pass(uint64_t{1}), Bypass::kSampled);
}

TEST(RateLimitTest, ASpanHoldsNoMoreThanTheCount) {
  Pass pass(RateLimit(2, absl::Nanoseconds(100)));
  EXPECT_EQ(pass(1), Bypass::kNone);  // at 0
  pass.Advance(60);
  EXPECT_EQ(pass(2), Bypass::kNone);  // at 60
  pass.Advance(39);
  EXPECT_EQ(pass(3), Bypass::kRateLimited);  // at 99
  pass.Advance(1);
  EXPECT_EQ(pass(4), Bypass::kNone) << "the first one has left the span";
  pass.Advance(59);
  EXPECT_EQ(pass(5), Bypass::kRateLimited);  // at 159
  pass.Advance(1);
  EXPECT_EQ(pass(6), Bypass::kNone);
}

TEST(RateLimitTest, OneRoundHasOneTime) {
  TickClock clock(TickClock::Source::kManual, 1'000);
  RoundTime time(clock);
  ZeroTickPass pass;
  pass.Add(RateLimit(1, absl::Nanoseconds(100)));
  const Signal signal = Signal::Of(1, 1);
  EXPECT_EQ(pass.Check(signal, time), Bypass::kNone);
  clock.Advance(1'000);
  EXPECT_EQ(pass.Check(signal, time), Bypass::kRateLimited) << "the round began before";
  time.BeginRound();
  EXPECT_EQ(pass.Check(signal, time), Bypass::kNone);
}

struct Numbered {
  uint16_t sequence;
  uint64_t stamp_ns;
};

TEST(DuplicateWithinTest, ANumberSeenAmongTheLastIsBypassed) {
  Pass pass(DuplicateWithin(&Numbered::sequence, 2));
  EXPECT_EQ(pass(Numbered{0, 0}), Bypass::kNone) << "the memory is empty, not zero";
  EXPECT_EQ(pass(Numbered{0, 1}), Bypass::kDuplicate);
  pass(Numbered{1, 0});
  EXPECT_EQ(pass(Numbered{0, 2}), Bypass::kDuplicate);
  pass(Numbered{2, 0});
  EXPECT_EQ(pass(Numbered{0, 3}), Bypass::kNone) << "two others were handled since";
}

TEST(DuplicateWithinTest, AfterForgetTheLastNumberIsHandledAgain) {
  for (const uint64_t window : {1, 2, 3, 8}) {
    Pass pass(DuplicateWithin(&Numbered::sequence, window));
    for (uint16_t n = 0; n < 20; ++n) {
      EXPECT_EQ(pass(Numbered{n, 0}), Bypass::kNone);
      pass.Forget();
      if (window > 1 && n > 0) {
        EXPECT_EQ(pass(Numbered{static_cast<uint16_t>(n - 1), 0}), Bypass::kDuplicate) << window;
      }
      EXPECT_EQ(pass(Numbered{n, 0}), Bypass::kNone) << "of " << window;
      EXPECT_EQ(pass(Numbered{n, 0}), Bypass::kDuplicate) << "of " << window;
    }
  }
}

TEST(ExpiredAfterTest, WhatIsOlderThanTheAgeIsBypassed) {
  Pass pass(ExpiredAfter(&Numbered::stamp_ns, absl::Nanoseconds(50)));
  const uint64_t stamp_ns = pass.now_ns();
  EXPECT_EQ(pass(Numbered{1, stamp_ns}), Bypass::kNone);
  pass.Advance(50);
  EXPECT_EQ(pass(Numbered{1, stamp_ns}), Bypass::kNone);
  pass.Advance(1);
  EXPECT_EQ(pass(Numbered{1, stamp_ns}), Bypass::kExpired);
  EXPECT_EQ(pass(Numbered{1, pass.now_ns() + 1'000'000}), Bypass::kNone) << "from the future";
}

TEST(ZeroTickPassTest, TheFirstCauseCountsWhateverTheOrderOfDeclaration) {
  struct All {
    uint64_t stamp_ns;
    uint32_t flags;
    uint32_t sequence;
    int32_t price;
  };
  Pass pass(RateLimit(1, absl::Seconds(1)), SampleEvery(2), DeadBand(&All::price, 5),
            Unchanged(&All::price), DuplicateWithin(&All::sequence, 4), Mask(&All::flags, 1),
            ExpiredAfter(&All::stamp_ns, absl::Nanoseconds(10)));
  pass.Advance(1'000);
  const uint64_t now_ns = pass.now_ns();
  EXPECT_EQ(pass(All{now_ns, 1, 1, 100}), Bypass::kNone);
  // Each of the following has its cause and all the later ones.
  EXPECT_EQ(pass(All{now_ns - 11, 0, 1, 100}), Bypass::kExpired);
  EXPECT_EQ(pass(All{now_ns, 0, 1, 100}), Bypass::kMasked);
  EXPECT_EQ(pass(All{now_ns, 1, 1, 100}), Bypass::kDuplicate);
  EXPECT_EQ(pass(All{now_ns, 1, 2, 100}), Bypass::kUnchanged);
  EXPECT_EQ(pass(All{now_ns, 1, 2, 105}), Bypass::kDeadBand);
  EXPECT_EQ(pass(All{now_ns, 1, 2, 200}), Bypass::kSampled);
  EXPECT_EQ(pass(All{now_ns, 1, 2, 200}), Bypass::kRateLimited);
}

TEST(ZeroTickPassTest, WhatWasBypassedLeavesNoMemory) {
  Pass pass(Unchanged(&Level::price), SampleEvery(2));
  EXPECT_EQ(pass(Level{100, 0}), Bypass::kNone);
  EXPECT_EQ(pass(Level{200, 0}), Bypass::kSampled);
  EXPECT_EQ(pass(Level{100, 0}), Bypass::kUnchanged) << "as the handler last saw it";
  EXPECT_EQ(pass(Level{200, 0}), Bypass::kNone) << "the sample did not count the unchanged one";
}

TEST(ZeroTickPassTest, TheLaterOfTwoFiltersWithOneCauseStays) {
  Pass pass(Unchanged(&Level::price), Unchanged(&Level::symbol));
  pass(Level{1, 1});
  EXPECT_EQ(pass(Level{2, 1}), Bypass::kUnchanged);
  EXPECT_EQ(pass(Level{2, 2}), Bypass::kNone);
}

TEST(ZeroTickPassTest, EveryCauseHasAName) {
  for (size_t i = 0; i < kBypassCauses; ++i) {
    EXPECT_STRNE(BypassName(static_cast<Bypass>(i)), "unknown");
  }
}

TEST(ZeroTickDeathTest, ParametersOutOfRangeAreABug) {
  EXPECT_DEATH(SampleEvery(0), "check failed");
  EXPECT_DEATH(RateLimit(0, absl::Seconds(1)), "check failed");
  EXPECT_DEATH(RateLimit(1, absl::ZeroDuration()), "check failed");
  EXPECT_DEATH(RateLimit(kMaxFilterMemory + 1, absl::Seconds(1)), "check failed");
  EXPECT_DEATH(DuplicateWithin(&Numbered::sequence, 0), "check failed");
  EXPECT_DEATH(DeadBand(&Level::price, -1), "check failed");
  EXPECT_DEATH(ExpiredAfter(&Numbered::stamp_ns, -absl::Seconds(1)), "check failed");
}

TEST(ZeroTickDeathTest, FiltersOfValuesOfDifferentSizesAreABug) {
  EXPECT_DEATH(Pass(Unchanged(&Level::price), Mask(&One<uint64_t>::value, 1), Watched()),
               "check failed");
}

}  // namespace
}  // namespace bitactor
