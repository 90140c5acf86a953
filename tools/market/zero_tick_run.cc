#include "market/zero_tick_run.h"

#include <algorithm>
#include <optional>

#include "bitactor/l1_core/check.h"

namespace bitactor::market {
namespace {

enum Kind : uint16_t { kAdministrative = 1, kEvent, kRow, kTop };
constexpr size_t kKinds = 5;
constexpr size_t kBurstMessages = 16;  // pushed before they are handled, each with its row

// A top with what the filters ask for.
struct TopSignal {
  uint64_t sequence;
  uint64_t time_ns;
  int64_t bid_price;
  int64_t ask_price;
  uint32_t bid_size;
  uint32_t ask_size;
  uint32_t executed_shares;  // by this message
  uint32_t executed_total;   // by all so far, modulo 2^32: differs when this message executed some
  uint16_t locate;
  uint16_t trading;  // 1; 0 while halted
  uint32_t zero;
};
static_assert(kIsPlainBytes<TopSignal> && sizeof(TopSignal) <= kMaxSignalBytes);

uint32_t Saturated(uint64_t size) {
  return static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX));
}

EngineOptions OptionsFor(const TickClock& clock) {
  return {.queue_capacity = 2 * kBurstMessages, .clock = &clock, .kinds = kKinds};
}

void MustPush(Engine& engine, const Signal& signal) {
  BITACTOR_CHECK(engine.Push(signal) == PushResult::kOk);
}

}  // namespace

struct ZeroTickRun::Symbol {
  explicit Symbol(const TickClock& clock) : strategy(OptionsFor(clock)) {
    strategy.On(kTop, [this](const Signal& s, Context&) { OnTop(s.As<TopSignal>()); })
        .ZeroTick(Mask(&TopSignal::trading, 1),
                  Unchanged(&TopSignal::bid_price, &TopSignal::ask_price, &TopSignal::bid_size,
                            &TopSignal::ask_size, &TopSignal::executed_total));
  }

  void OnTop(const TopSignal& s) {
    const Top top{.sequence = s.sequence,
                  .time_ns = s.time_ns,
                  .bid_price = s.bid_price,
                  .ask_price = s.ask_price,
                  .bid_size = s.bid_size,
                  .ask_size = s.ask_size,
                  .locate = s.locate,
                  .executed_shares = s.executed_shares};
    const std::optional<Intent> intent = signal.On(top);
    if (!intent) return;
    const std::optional<Order> order = risk.On(*intent);
    if (!order) return;
    const std::optional<Fill> fill = execution.On(*order);
    if (fill) position.On(*fill);
  }

  OrderBook book;
  RowCheck row_check;
  uint32_t executed_shares = 0;
  uint32_t executed_total = 0;
  bool trading = true;
  SignalLogic signal;
  RiskLogic risk;
  ExecutionLogic execution;
  PositionLogic position;
  Engine strategy;
};

ZeroTickRun::ZeroTickRun(const TickClock& clock)
    : clock_(clock), books_(OptionsFor(clock)), symbols_(65'536) {
  books_.Ignore(kAdministrative);
  books_.On(kEvent, [this](const Signal& s, Context&) { On(s.As<FeedEvent>()); });
  books_.On(kRow, [this](const Signal& s, Context&) { On(s.As<BookRow>()); });
  told_.reserve(kBurstMessages);
}

ZeroTickRun::~ZeroTickRun() = default;

absl::Status ZeroTickRun::Run(FeedReader& feed) {
  FeedItem item;
  uint64_t seen = 0;
  for (;;) {
    const absl::StatusOr<bool> more = feed.Next(&item);
    const bool has_item = more.ok() && *more;
    // The reader passes over messages that concern no book.
    for (uint64_t passed = feed.counts().messages - seen - (has_item ? 1 : 0); passed > 0;
         --passed) {
      PushMessage(Signal::Of(kAdministrative));
    }
    seen = feed.counts().messages;
    if (!has_item) {
      FinishBurst();
      return more.status();
    }
    if (item.row.has_value()) uses_rows_ = true;
    PushMessage(Signal::Of(kEvent, item.event));
    if (item.row.has_value()) MustPush(books_, Signal::Of(kRow, *item.row));
  }
}

void ZeroTickRun::PushMessage(const Signal& signal) {
  if (burst_messages_ == kBurstMessages) FinishBurst();
  ++burst_messages_;
  MustPush(books_, signal);
}

void ZeroTickRun::FinishBurst() {
  books_.Drain();
  burst_messages_ = 0;
  for (Symbol* symbol : told_) symbol->strategy.Drain();
  told_.clear();
}

ZeroTickRun::Symbol& ZeroTickRun::SymbolOf(uint16_t locate) {
  std::unique_ptr<Symbol>& symbol = symbols_[locate];
  if (symbol == nullptr) symbol = std::make_unique<Symbol>(clock_);
  return *symbol;
}

void ZeroTickRun::On(const FeedEvent& event) {
  Symbol& symbol = SymbolOf(event.locate);
  symbol.executed_shares = symbol.book.Apply(event).executed_shares;
  symbol.executed_total += symbol.executed_shares;
  if (event.kind == EventKind::kTradingState) symbol.trading = event.shares != 0;
  last_event_ = event;
  if (!uses_rows_) Tell(symbol, event, symbol.book.Best());
}

void ZeroTickRun::On(const BookRow& row) {
  Symbol& symbol = SymbolOf(last_event_.locate);
  symbol.row_check.On(last_event_, row);
  Tell(symbol, last_event_,
       {.bid_price = row.bid_size != 0 ? row.bid_price : 0,
        .ask_price = row.ask_size != 0 ? row.ask_price : 0,
        .bid_size = row.bid_size,
        .ask_size = row.ask_size});
}

void ZeroTickRun::Tell(Symbol& symbol, const FeedEvent& event, const BestPrices& best) {
  MustPush(symbol.strategy,
           Signal::Of(kTop, TopSignal{.sequence = event.sequence,
                                      .time_ns = event.time_ns,
                                      .bid_price = best.bid_price,
                                      .ask_price = best.ask_price,
                                      .bid_size = Saturated(best.bid_size),
                                      .ask_size = Saturated(best.ask_size),
                                      .executed_shares = symbol.executed_shares,
                                      .executed_total = symbol.executed_total,
                                      .locate = event.locate,
                                      .trading = static_cast<uint16_t>(symbol.trading ? 1 : 0),
                                      .zero = 0}));
  if (told_.empty() || told_.back() != &symbol) told_.push_back(&symbol);
}

ZeroTickReport ZeroTickRun::Report() const {
  ZeroTickReport report;
  const auto cycles_of = [](const Engine& engine, SignalKind kind) {
    return engine.CountersOf(kind)->stats.cycles;
  };
  const DispatchMeter& meter = books_.meter();
  report.bypassed = books_.counters().bypassed;
  report.signals = books_.CountersOf(kEvent)->stats.dispatches + report.bypassed[Bypass::kIgnored];
  uint64_t strategy_cycles = 0;
  for (const std::unique_ptr<Symbol>& symbol : symbols_) {
    if (symbol == nullptr) continue;
    const EngineCounters counters = symbol->strategy.counters();
    report.handled += counters.dispatched;
    report.bypassed += counters.bypassed;
    strategy_cycles += cycles_of(symbol->strategy, kTop);
    report.intents += symbol->signal.state().intents;
    report.positions += symbol->position.state();
  }
  if (report.signals == 0) return report;
  const auto signals = static_cast<double>(report.signals);
  report.mean_ticks_books =
      meter.TicksIn(cycles_of(books_, kEvent) + cycles_of(books_, kRow)) / signals;
  report.mean_ticks = report.mean_ticks_books + meter.TicksIn(strategy_cycles) / signals;
  return report;
}

}  // namespace bitactor::market
