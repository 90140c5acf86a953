// Filters at work in an engine: what they claim, against the engine without them; what they
// declare, against oracles that are plainly right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "bitactor/l1_core/engine.h"
#include "support/seed.h"

namespace bitactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum Kind : uint16_t { kQuote = 1, kLog, kOther, kUnregistered };
struct Quote {
  uint64_t sequence = 0;
  uint64_t stamp_ns = 0;
  int32_t price = 0;
  uint16_t symbol = 0;
  uint16_t flags = 0;
  uint32_t size = 0;

  friend bool operator==(const Quote&, const Quote&) = default;
};

struct Logger {
  static constexpr bool kEffectFree = true;
  void operator()(const Signal&, Context&) const { std::abort(); }
};
static_assert(kEffectFree<Logger> && !kEffectFree<SignalHandler>);

class ZeroTickEngineTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return {.queue_capacity = 64, .clock = &clock_}; }

  // A feed with a bit of everything.
  Quote RandomQuote() {
    return {.sequence = random_() % 4 == 0 ? random_() % 100 : next_++,
            .stamp_ns = clock_.NowNanos() - random_() % 2'000,
            .price = static_cast<int32_t>(random_() % 5) * 10 + static_cast<int32_t>(random_() % 3),
            .symbol = static_cast<uint16_t>(random_() % 2),
            .flags = static_cast<uint16_t>(random_() % 4),
            .size = static_cast<uint32_t>(random_() % 2)};
  }

  TickClock clock_{TickClock::Source::kManual, 1'000'000};
  std::mt19937_64 random_{test::Seed()};
  uint64_t next_ = 100;
};

TEST_F(ZeroTickEngineTest, AnEffectFreeHandlerNeverRuns) {
  Engine engine(Options());
  EXPECT_EQ(engine.On(kLog, Logger{}).result(), RegisterResult::kOk);
  EXPECT_EQ(engine.On(kLog, Logger{}).result(), RegisterResult::kDuplicate);
  engine.Push(Signal::Of(kLog));
  engine.Drain();
  EXPECT_EQ(engine.counters().bypassed[Bypass::kEffectFree], 1u);
  EXPECT_EQ(engine.counters().dispatched, 0u);
  EXPECT_THAT(engine.Report(), HasSubstr("kind 2: 1 effect-free"));
}

TEST_F(ZeroTickEngineTest, AnUnhandledKindIsBypassedWhereThePolicySaysSo) {
  EngineOptions options = Options();
  options.unhandled = UnhandledPolicy::kBypass;
  Engine engine(std::move(options));
  engine.On(kQuote, [](const Signal&, Context&) {});
  EXPECT_EQ(engine.Push(Signal::Of(kUnregistered)), PushResult::kOk);
  EXPECT_EQ(engine.Push(Signal::Of(60'000)), PushResult::kOk) << "beyond the table";
  EXPECT_EQ(engine.Push(Signal::Of(kQuote)), PushResult::kOk);
  EXPECT_EQ(engine.Drain(), 1u);
  const EngineCounters counters = engine.counters();
  EXPECT_EQ(counters.pushed, 3u);
  EXPECT_EQ(counters.bypassed[Bypass::kUnhandled], 2u);
  EXPECT_EQ(counters.refused_unknown_kind, 0u);
  EXPECT_EQ(counters.dispatched, 1u);
}

TEST_F(ZeroTickEngineTest, FiltersOfSeveralCallsAddUp) {
  Engine engine(Options());
  engine.On(kQuote, [](const Signal&, Context&) {})
      .ZeroTick(Unchanged(&Quote::price))
      .ZeroTick(Mask(&Quote::flags, 1), SampleEvery(2));
  for (const Quote& quote : {Quote{.price = 1, .flags = 1}, Quote{.price = 1, .flags = 1},
                             Quote{.price = 2, .flags = 0}, Quote{.price = 2, .flags = 1}}) {
    engine.Push(Signal::Of(kQuote, quote));
  }
  engine.Drain();
  const BypassCounts bypassed = engine.counters().bypassed;
  EXPECT_EQ(bypassed[Bypass::kUnchanged], 1u);
  EXPECT_EQ(bypassed[Bypass::kMasked], 1u);
  EXPECT_EQ(bypassed[Bypass::kSampled], 1u);
  EXPECT_EQ(bypassed.total(), 3u);
}

TEST_F(ZeroTickEngineTest, TheEnginesRoundIsTheTimeOfItsFilters) {
  Engine engine(Options());
  std::vector<uint64_t> handled;
  engine
      .On(kQuote,
          [&](const Signal& s, Context&) {
            handled.push_back(s.As<Quote>().sequence);
            clock_.Advance(1'000);  // ages nothing in this round
          })
      .ZeroTick(ExpiredAfter(&Quote::stamp_ns, absl::Nanoseconds(500)));
  const uint64_t stamp_ns = clock_.NowNanos();
  engine.Push(Signal::Of(kQuote, Quote{.sequence = 1, .stamp_ns = stamp_ns}));
  engine.Push(Signal::Of(kQuote, Quote{.sequence = 2, .stamp_ns = stamp_ns}));
  engine.Poll();
  engine.Push(Signal::Of(kQuote, Quote{.sequence = 3, .stamp_ns = stamp_ns}));
  engine.Poll();
  EXPECT_THAT(handled, ElementsAre(1, 2));
  EXPECT_EQ(engine.counters().bypassed[Bypass::kExpired], 1u);
}

// The claims. A handler that keeps the last price of a symbol, and others beside it, in two engines
// that get the same signals; one of them has filters. Their states are equal after every round.
struct Book {
  std::map<uint16_t, std::pair<int32_t, uint32_t>> last;
  std::map<uint64_t, int32_t> by_sequence;
  uint64_t others = 0;
  friend bool operator==(const Book&, const Book&) = default;
};

class ClaimTest : public ZeroTickEngineTest {
 protected:
  using Handler = std::function<void(Book&, const Quote&)>;

  // `setup` declares on the engine with filters what it claims makes no difference.
  void Compare(const Handler& handler, const std::function<Quote()>& next,
               const std::function<void(HandlerSetup&)>& setup, Bypass expected) {
    EngineOptions options[2] = {Options(), Options()};
    options[1].unhandled = UnhandledPolicy::kBypass;
    Engine plain(std::move(options[0])), filtered(std::move(options[1]));
    Book books[2];
    const auto handle = [&](Book& book) {
      return [&](const Signal& s, Context&) { handler(book, s.As<Quote>()); };
    };
    plain.On(kQuote, handle(books[0]));
    HandlerSetup filters = filtered.On(kQuote, handle(books[1]));
    setup(filters);
    for (int i = 0; i < 2; ++i) {
      (i == 0 ? plain : filtered).On(kOther, [&book = books[i]](const Signal&, Context&) {
        ++book.others;
      });
    }
    plain.On(kLog, [](const Signal&, Context&) {});
    filtered.On(kLog, Logger{});
    plain.Ignore(kUnregistered);
    for (int round = 0; round < test::Rounds(5'000); ++round) {
      for (uint64_t i = random_() % 8; i > 0; --i) {
        const auto kind =
            static_cast<SignalKind>(random_() % 8 < 5 ? uint64_t{kQuote} : 2 + random_() % 3);
        const Signal signal = kind == kQuote ? Signal::Of(kind, next()) : Signal::Of(kind);
        ASSERT_EQ(plain.Push(signal), PushResult::kOk);
        ASSERT_EQ(filtered.Push(signal), PushResult::kOk);
      }
      plain.Drain();
      filtered.Drain();
      ASSERT_EQ(books[0], books[1]) << "round " << round;
      const EngineCounters now = filtered.counters();
      ASSERT_EQ(now.pushed, now.dispatched + now.bypassed.total() + now.queued);
    }
    const BypassCounts bypassed = filtered.counters().bypassed;
    EXPECT_GT(bypassed[expected], 0u) << "or nothing was shown";
    EXPECT_GT(bypassed[Bypass::kEffectFree], 0u);
    EXPECT_GT(bypassed[Bypass::kUnhandled], 0u);
  }
};

TEST_F(ClaimTest, UnchangedIsAsIfTheHandlerRan) {
  Compare(
      [](Book& book, const Quote& q) {
        book.last[0] = {q.price, q.size};
      },
      [&] { return RandomQuote(); },
      [](HandlerSetup& s) { s.ZeroTick(Unchanged(&Quote::price, &Quote::size)); },
      Bypass::kUnchanged);
}

TEST_F(ClaimTest, UnchangedWithAKeyIsAsIfTheHandlerRan) {
  Compare(
      [](Book& book, const Quote& q) {
        book.last[q.symbol] = {q.price, q.size};
      },
      [&] { return RandomQuote(); },
      [](HandlerSetup& s) { s.ZeroTick(Unchanged(&Quote::symbol, &Quote::price, &Quote::size)); },
      Bypass::kUnchanged);
}

TEST_F(ClaimTest, DuplicateIsAsIfTheHandlerRan) {
  // A sequence number says all: the same number comes with the same price.
  Compare(
      [](Book& book, const Quote& q) {
        book.by_sequence[q.sequence % 256] = static_cast<int32_t>(q.sequence % 256);
      },
      [&] { return RandomQuote(); },
      [](HandlerSetup& s) { s.ZeroTick(DuplicateWithin(&Quote::sequence, 32)); },
      Bypass::kDuplicate);
}

// A failing handler: the state is that of the engine without filters if what failed is handled
// again when it comes again.
TEST_F(ZeroTickEngineTest, AFaultedSignalIsNotWhatTheNextIsComparedWith) {
  Engine plain(Options()), filtered(Options());
  Book books[2];
  uint64_t round = 0;
  const auto handle = [&](Book& book) {
    return [&](const Signal& s, Context&) {
      const Quote q = s.As<Quote>();
      if (round % 3 == 0) throw 1;  // by the time, not by the members: comes again and succeeds
      book.last[0] = {q.price, q.size};
    };
  };
  plain.On(kQuote, handle(books[0]));
  filtered.On(kQuote, handle(books[1])).ZeroTick(Unchanged(&Quote::price, &Quote::size));
  for (round = 0; round < 20'000; ++round) {
    const Signal signal = Signal::Of(kQuote, RandomQuote());
    plain.Push(signal);
    filtered.Push(signal);
    plain.Drain();
    filtered.Drain();
    ASSERT_EQ(books[0], books[1]) << "round " << round;
  }
  EXPECT_GT(filtered.counters().bypassed[Bypass::kUnchanged], 100u);
}

// The declarations, all at once or any of them, against the definition in zero_tick.h written down
// with lists of everything handled so far.
struct Oracle {
  struct Handled {
    Quote quote;
    uint64_t time_ns;
  };

  bool expired, masked, duplicate, unchanged, dead_band, sampled, rate_limited;
  std::vector<Handled> handled;
  uint64_t reached_sample = 0;

  static constexpr uint64_t kAgeNs = 1'500, kPerNs = 3'000;
  static constexpr size_t kWindow = 6, kRate = 9, kEvery = 3;

  Bypass Check(const Quote& q, uint64_t now_ns) {
    const Bypass cause = Cause(q, now_ns);
    if (cause == Bypass::kNone) handled.push_back({q, now_ns});
    return cause;
  }

 private:
  Bypass Cause(const Quote& q, uint64_t now_ns) {
    if (expired && q.stamp_ns + kAgeNs < now_ns) return Bypass::kExpired;
    if (masked && (q.flags & 2) == 0) return Bypass::kMasked;
    for (size_t i = 0; duplicate && i < std::min(kWindow, handled.size()); ++i) {
      if (handled[handled.size() - 1 - i].quote.sequence == q.sequence) return Bypass::kDuplicate;
    }
    if (!handled.empty()) {
      const Quote& last = handled.back().quote;
      if (unchanged && last.price == q.price && last.size == q.size) return Bypass::kUnchanged;
      if (dead_band && std::abs(last.price - q.price) <= 5 && last.symbol == q.symbol) {
        return Bypass::kDeadBand;
      }
    }
    if (sampled && reached_sample++ % kEvery != 0) return Bypass::kSampled;
    const auto in_span = std::count_if(handled.begin(), handled.end(), [&](const Handled& earlier) {
      return now_ns - earlier.time_ns < kPerNs;
    });
    if (rate_limited && in_span >= static_cast<int64_t>(kRate)) return Bypass::kRateLimited;
    return Bypass::kNone;
  }
};

TEST_F(ZeroTickEngineTest, EverySetOfFiltersDoesWhatTheOracleSays) {
  BypassCounts seen;
  for (unsigned set = 0; set < 128; ++set) {
    const auto has = [&](unsigned bit) { return (set >> bit & 1) != 0; };
    Oracle oracle{has(0), has(1), has(2), has(3), has(4), has(5), has(6), {}, 0};
    Engine engine(Options());
    std::vector<Quote> handled;
    HandlerSetup setup =
        engine.On(kQuote, [&](const Signal& s, Context&) { handled.push_back(s.As<Quote>()); });
    if (has(6)) setup.ZeroTick(RateLimit(Oracle::kRate, absl::Nanoseconds(Oracle::kPerNs)));
    if (has(0)) {
      setup.ZeroTick(ExpiredAfter(&Quote::stamp_ns, absl::Nanoseconds(Oracle::kAgeNs)));
    }
    if (has(5)) setup.ZeroTick(SampleEvery(Oracle::kEvery));
    if (has(1)) setup.ZeroTick(Mask(&Quote::flags, 2));
    if (has(4)) setup.ZeroTick(DeadBand(&Quote::price, 5, &Quote::symbol));
    if (has(2)) setup.ZeroTick(DuplicateWithin(&Quote::sequence, Oracle::kWindow));
    if (has(3)) setup.ZeroTick(Unchanged(&Quote::price, &Quote::size));
    BypassCounts expected;
    for (int round = 0; round < test::Rounds(100); ++round) {
      for (uint64_t i = 1 + random_() % 4; i > 0; --i) {
        const Quote quote = RandomQuote();
        engine.Push(Signal::Of(kQuote, quote));
        const Bypass cause = oracle.Check(quote, clock_.NowNanos());
        if (cause != Bypass::kNone) ++expected[cause];
      }
      engine.Poll();
      clock_.Advance(random_() % 1'500);
    }
    ASSERT_EQ(handled.size(), oracle.handled.size()) << "set " << set;
    for (size_t i = 0; i < handled.size(); ++i) {
      ASSERT_EQ(handled[i], oracle.handled[i].quote) << "set " << set << ", signal " << i;
    }
    const EngineCounters counters = engine.counters();
    for (size_t i = 0; i < kBypassCauses; ++i) {
      const auto cause = static_cast<Bypass>(i);
      ASSERT_EQ(counters.bypassed[cause], expected[cause]) << BypassName(cause);
    }
    ASSERT_EQ(counters.pushed, counters.dispatched + counters.bypassed.total());
    seen += expected;
  }
  for (size_t i = static_cast<size_t>(Bypass::kExpired); i < kBypassCauses; ++i) {
    EXPECT_GT(seen[static_cast<Bypass>(i)], 0u) << BypassName(static_cast<Bypass>(i));
  }
}

}  // namespace
}  // namespace bitactor
