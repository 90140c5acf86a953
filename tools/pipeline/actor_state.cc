#include "pipeline/actor_state.h"

#include <concepts>
#include <string_view>

#include "pipeline/actors.h"
#include "pipeline/chain.h"

namespace bitactor::pipeline {
namespace {

using StateFields = std::vector<PayloadField>;

void AddField(StateFields& fields, std::string_view name, std::unsigned_integral auto value) {
  fields.push_back({name, static_cast<uint64_t>(value)});
}
void AddField(StateFields& fields, std::string_view name, std::signed_integral auto value) {
  fields.push_back({name, static_cast<int64_t>(value)});
}

void AddState(StateFields& fields, const BookActor& actor) {
  const market::OrderBook& book = actor.logic().book();
  const market::BestPrices best = book.Best();
  AddField(fields, "live_orders", book.live_orders());
  AddField(fields, "bid_price", best.bid_price);
  AddField(fields, "bid_size", best.bid_size);
  AddField(fields, "ask_price", best.ask_price);
  AddField(fields, "ask_size", best.ask_size);
  uint64_t events = 0;
  for (const uint64_t count : book.counts().by_kind) events += count;
  AddField(fields, "events", events);
  AddField(fields, "executed_shares", book.counts().visible.shares);
  AddField(fields, "anomalies", book.counts().anomalies.count);
  AddField(fields, "is_trading", static_cast<unsigned>(actor.logic().is_trading()));
}

void AddState(StateFields& fields, const SignalActor& actor) {
  const market::SignalState& state = actor.logic().state();
  AddField(fields, "tops", state.tops);
  AddField(fields, "too_wide", state.too_wide);
  AddField(fields, "intents", state.intents);
  AddField(fields, "last_intent_ns", state.last_intent_ns);
  AddField(fields, "microprice_q8", state.microprice_q8);
  AddField(fields, "imbalance_q16", state.imbalance_q16);
  AddField(fields, "acted", state.acted);
}

void AddState(StateFields& fields, const RiskActor& actor) {
  const market::RiskState& state = actor.logic().state();
  uint64_t rejected = 0;
  for (const uint64_t count : state.rejected) rejected += count;
  AddField(fields, "position", state.position);
  AddField(fields, "approved", state.approved);
  AddField(fields, "rejected", rejected);
  AddField(fields, "orders_in_window", state.orders_in_window);
  AddField(fields, "breaches_in_window", state.breaches_in_window);
  AddField(fields, "stopped", state.stopped);
}

void AddState(StateFields& fields, const ExecutionActor& actor) {
  const market::ExecutionState& state = actor.logic().state();
  AddField(fields, "orders", state.orders);
  AddField(fields, "fills", state.fills);
  AddField(fields, "partial_fills", state.partial_fills);
  AddField(fields, "filled_shares", state.filled_shares);
  AddField(fields, "cancelled_shares", state.cancelled_shares);
}

void AddState(StateFields& fields, const PositionActor& actor) {
  const market::PositionState& state = actor.logic().state();
  AddField(fields, "fills", state.fills);
  AddField(fields, "position", state.position);
  AddField(fields, "cash", state.cash);
  AddField(fields, "cost", state.cost);
  AddField(fields, "realised", state.realised);
  AddField(fields, "unrealised", state.unrealised());
  AddField(fields, "shares", state.shares);
}

// True when `actor` is an A; then `fields` has its state.
template <typename A>
bool InspectIf(System& system, const RecoveredActor& actor, StateFields& fields) {
  return actor.class_type == TypeId<A>() &&
         system.Inspect<A>(actor.name, [&fields](const A& state) { AddState(fields, state); });
}

template <typename A>
void AddStateIf(uint32_t class_type, const void* state, StateFields& fields) {
  if (class_type == TypeId<A>()) AddState(fields, *static_cast<const A*>(state));
}

template <typename... Actors>
struct ActorList {
  static bool Has(uint32_t class_type) { return ((class_type == TypeId<Actors>()) || ...); }
  static bool Inspect(System& system, const RecoveredActor& actor, StateFields& fields) {
    return (InspectIf<Actors>(system, actor, fields) || ...);
  }
  static StateFields FieldsOf(uint32_t class_type, const void* state) {
    StateFields fields;
    (AddStateIf<Actors>(class_type, state, fields), ...);
    return fields;
  }
};
using AllActors = ActorList<BookActor, SignalActor, RiskActor, ExecutionActor, PositionActor>;

}  // namespace

bool IsPipelineClass(uint32_t class_type) { return AllActors::Has(class_type); }

std::vector<PayloadField> FieldsOfState(uint32_t class_type, const void* state) {
  return AllActors::FieldsOf(class_type, state);
}

absl::StatusOr<std::optional<StateFields>> StateOf(System& replay, const RecoveredActor& actor) {
  if (absl::Status status = SpawnRecovered(replay.Supervise(), actor); !status.ok()) return status;
  StateFields fields;
  if (!AllActors::Inspect(replay, actor, fields)) return std::optional<StateFields>();
  return std::optional<StateFields>(std::move(fields));
}

}  // namespace bitactor::pipeline
