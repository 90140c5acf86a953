// The market pipeline's actors: one of each stage for every symbol, each a thin shell around its
// pure logic.
#ifndef BITACTOR_TOOLS_PIPELINE_ACTORS_H_
#define BITACTOR_TOOLS_PIPELINE_ACTORS_H_

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>

#include "bitactor/l3_genactor/actor.h"
#include "market/book_logic.h"
#include "market/execution_logic.h"
#include "market/feed_event.h"
#include "market/position_logic.h"
#include "market/risk_logic.h"
#include "market/signal_logic.h"
#include "market/stage_messages.h"

namespace bitactor::pipeline {

// feed -> BookActor -> SignalActor -> RiskActor -> ExecutionActor -> PositionActor
//
// Every stage of a symbol handles its messages in feed order and depends on them alone, so the
// state of all is the same on any number of shards and at any pace. References to the next stage
// are no part of the state: they depend on the run.

// The next events are followed by the rows of a book file, which then give the top.
struct UseRows {
  uint64_t unused = 0;
};
// Makes its receiver throw: a defect for supervision to survive.
struct Poison {
  uint64_t number = 0;
};

class PositionActor : public Actor<PositionActor, market::Fill> {
 public:
  void On(const market::Fill& fill) { logic_.On(fill); }

  const market::PositionLogic& logic() const { return logic_; }
  auto State() const { return std::tie(logic_); }

 private:
  market::PositionLogic logic_;
};

class ExecutionActor : public Actor<ExecutionActor, market::Order> {
 public:
  explicit ExecutionActor(Ref<PositionActor> next) : next_(next) {}
  void On(const market::Order& order) {
    if (const std::optional<market::Fill> fill = logic_.On(order)) Cast(next_, *fill);
  }

  const market::ExecutionLogic& logic() const { return logic_; }
  auto State() const { return std::tie(logic_); }

 private:
  Ref<PositionActor> next_;
  market::ExecutionLogic logic_;
};

class RiskActor : public Actor<RiskActor, market::Intent, market::KillSwitch, Poison> {
 public:
  explicit RiskActor(Ref<ExecutionActor> next) : next_(next) {}
  void On(const market::Intent& intent) {
    if (const std::optional<market::Order> order = logic_.On(intent)) Cast(next_, *order);
  }
  void On(const market::KillSwitch& message) { logic_.On(message); }
  void On(const Poison&) {
    logic_.On(market::KillSwitch{0, 1});  // a half-done change, which the restart takes back
    throw std::runtime_error("poison message");
  }

  const market::RiskLogic& logic() const { return logic_; }
  auto State() const { return std::tie(logic_); }

 private:
  Ref<ExecutionActor> next_;
  market::RiskLogic logic_;
};

class SignalActor : public Actor<SignalActor, market::Top> {
 public:
  explicit SignalActor(Ref<RiskActor> next) : next_(next) {}
  void On(const market::Top& top) {
    if (const std::optional<market::Intent> intent = logic_.On(top)) Cast(next_, *intent);
  }

  const market::SignalLogic& logic() const { return logic_; }
  auto State() const { return std::tie(logic_); }

 private:
  Ref<RiskActor> next_;
  market::SignalLogic logic_;
};

class BookActor : public Actor<BookActor, market::FeedEvent, market::BookRow, UseRows, Poison> {
 public:
  explicit BookActor(Ref<SignalActor> next) : next_(next) {}
  void On(const market::FeedEvent& event) { Tell(logic_.On(event)); }
  void On(const market::BookRow& row) { Tell(logic_.On(row)); }
  void On(const UseRows&) { logic_ = market::BookLogic(market::BookLogic::TopsFrom::kRows); }
  void On(const Poison&) {
    logic_ = market::BookLogic();  // a half-done change, which the restart takes back
    throw std::runtime_error("poison message");
  }

  const market::BookLogic& logic() const { return logic_; }
  auto State() const { return std::tie(logic_); }

 private:
  void Tell(const std::optional<market::Top>& top) {
    if (top.has_value()) Cast(next_, *top);
  }

  Ref<SignalActor> next_;
  market::BookLogic logic_;
};

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_ACTORS_H_
