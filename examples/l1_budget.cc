// L1 alone, in memory: signals, a budget, and what needs no handler.
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <vector>

#include "bitactor/l1_core/engine.h"

using namespace bitactor;

enum Kind : uint16_t { kQuote = 1, kHeartbeat };
struct Quote {
  uint32_t symbol;
  int32_t price;
  uint32_t size;
};

// The best bid of each symbol.
struct BookSide {
  void Apply(const Quote& quote) { best[quote.symbol] = quote; }
  std::map<uint32_t, Quote> best;
};

// A feed in memory. It repeats itself, as feeds do.
struct Feed {
  std::optional<Quote> Next() {
    if (sent == 10'000) return std::nullopt;
    const uint32_t step = sent++ / 4;
    return Quote{.symbol = 1, .price = 10'000 + static_cast<int32_t>(step % 50), .size = 100};
  }
  uint32_t sent = 0;
};

int main() {
  Feed feed;

  // [program]
  EngineOptions options{.queue_capacity = 1024, .budget = Ticks(8)};
  Engine engine(options);
  BookSide book;
  engine.On(kQuote, [&](const Signal& s, Context&) { book.Apply(s.As<Quote>()); })
      .ZeroTick(Unchanged(&Quote::symbol, &Quote::price, &Quote::size))  // it reads nothing else
      .OnOverrun(OverrunPolicy::kReport);
  engine.Ignore(kHeartbeat);  // zero ticks, counted

  while (auto packet = feed.Next())
    while (engine.Push(Signal::Of(kQuote, *packet)) == PushResult::kFull) engine.Poll();
  engine.Drain();
  std::puts(engine.Report().c_str());  // dispatched, bypassed by cause, ticks per signal, overruns
  // [program]

  const EngineCounters counters = engine.counters();
  return counters.dispatched == 2'500 && counters.bypassed[Bypass::kUnchanged] == 7'500 &&
                 book.best[1].price == 10'049
             ? 0
             : 1;
}
