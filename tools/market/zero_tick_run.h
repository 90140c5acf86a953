// A feed through the strategy on L1 alone: how many of its messages need no work, and why.
#ifndef BITACTOR_TOOLS_MARKET_ZERO_TICK_RUN_H_
#define BITACTOR_TOOLS_MARKET_ZERO_TICK_RUN_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/l1_core/engine.h"
#include "market/execution_logic.h"
#include "market/feed_reader.h"
#include "market/order_book.h"
#include "market/position_logic.h"
#include "market/risk_logic.h"
#include "market/row_check.h"
#include "market/signal_logic.h"

namespace bitactor::market {

// A signal is a message of the feed. Handled are those for which the strategy ran: the stages
// behind the book. signals = handled + bypassed.total().
struct ZeroTickReport {
  uint64_t signals = 0;
  uint64_t handled = 0;
  BypassCounts bypassed;
  double mean_ticks = 0;        // of all handlers' time for a signal, that of the books included
  double mean_ticks_books = 0;  // of these, what it takes to keep the books
  uint64_t intents = 0;
  PositionTotals positions;

  double share() const {
    return signals != 0 ? static_cast<double>(bypassed.total()) / static_cast<double>(signals) : 0;
  }
};

// The stages of the market pipeline on two kinds of engine: one keeps the books, and one for each
// symbol runs the strategy. Every event becomes the top of the book after it, a signal to the
// symbol's engine, whose filters say which of them matter:
//
//   ignored    the message concerns no book (the reader gives no event for it)
//   masked     trading in the symbol is halted
//   unchanged  the top is as before, and no displayed shares were executed
//
// These are the rules by which a book tells the next stage in the pipeline, so intents, orders and
// fills are those of the pipeline.
//
// Threads: one.
class ZeroTickRun {
 public:
  // `clock` outlives it.
  explicit ZeroTickRun(const TickClock& clock);
  ~ZeroTickRun();

  // Reads `feed` to its end. The status of a feed that is at fault; what came before it is in the
  // report.
  absl::Status Run(FeedReader& feed);
  ZeroTickReport Report() const;

 private:
  struct Symbol;

  Symbol& SymbolOf(uint16_t locate);
  void On(const FeedEvent& event);
  void On(const BookRow& row);
  void Tell(Symbol& symbol, const FeedEvent& event, const BestPrices& best);
  void PushMessage(const Signal& signal);
  void FinishBurst();

  const TickClock& clock_;
  Engine books_;
  std::vector<std::unique_ptr<Symbol>> symbols_;  // by locate
  std::vector<Symbol*> told_;                     // in this burst
  size_t burst_messages_ = 0;
  FeedEvent last_event_{};
  bool uses_rows_ = false;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TOOLS_MARKET_ZERO_TICK_RUN_H_
