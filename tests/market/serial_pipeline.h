// The market pipeline as one plain loop: what the actors must come to, whatever the shards and
// pace.
#ifndef BITACTOR_TESTS_MARKET_SERIAL_PIPELINE_H_
#define BITACTOR_TESTS_MARKET_SERIAL_PIPELINE_H_

#include <cstdint>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "market/book_logic.h"
#include "market/digest.h"
#include "market/execution_logic.h"
#include "market/feed_reader.h"
#include "market/position_logic.h"
#include "market/risk_logic.h"
#include "market/signal_logic.h"

namespace bitactor::market {

struct SymbolStages {
  explicit SymbolStages(BookLogic::TopsFrom tops_from) : book(tops_from) {}

  BookLogic book;
  SignalLogic signal;
  RiskLogic risk;
  ExecutionLogic execution;
  PositionLogic position;

  void OnTop(const std::optional<Top>& top) {
    if (!top) return;
    const std::optional<Intent> intent = signal.On(*top);
    if (!intent) return;
    const std::optional<Order> order = risk.On(*intent);
    if (!order) return;
    const std::optional<Fill> fill = execution.On(*order);
    if (fill) position.On(*fill);
  }
};

class SerialPipeline {
 public:
  explicit SerialPipeline(BookLogic::TopsFrom tops_from = BookLogic::TopsFrom::kOrders)
      : tops_from_(tops_from) {}

  void On(const FeedItem& item) {
    SymbolStages& stages =
        symbols_.try_emplace(item.event.locate, SymbolStages(tops_from_)).first->second;
    stages.OnTop(stages.book.On(item.event));
    if (item.row) stages.OnTop(stages.book.On(*item.row));
  }

  // To the feed's end or its fault.
  absl::Status Run(FeedReader& feed) {
    FeedItem item;
    for (;;) {
      const absl::StatusOr<bool> more = feed.Next(&item);
      if (!more.ok()) return more.status();
      if (!*more) return absl::OkStatus();
      On(item);
    }
  }

  // By locate.
  const std::map<uint16_t, SymbolStages>& symbols() const { return symbols_; }

  uint64_t Digest() const {
    StateDigest digest;
    for (const auto& [locate, stages] : symbols_) {
      digest.Add(locate);
      stages.book.Digest(digest);
      AddObject(digest, stages.signal);
      AddObject(digest, stages.risk);
      AddObject(digest, stages.execution);
      AddObject(digest, stages.position);
    }
    return digest.value();
  }

 private:
  const BookLogic::TopsFrom tops_from_;
  std::map<uint16_t, SymbolStages> symbols_;
};

}  // namespace bitactor::market

#endif  // BITACTOR_TESTS_MARKET_SERIAL_PIPELINE_H_
