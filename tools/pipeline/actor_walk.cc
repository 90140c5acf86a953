#include "pipeline/actor_walk.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pipeline/chain.h"

namespace bitactor::pipeline {
namespace {

using nlohmann::ordered_json;

ordered_json Describe(const PositionActor& actor) {
  const market::PositionState& state = actor.logic().state();
  return {{"fills", state.fills},       {"last_sequence", state.last_sequence},
          {"position", state.position}, {"cash", state.cash},
          {"cost", state.cost},         {"realised", state.realised},
          {"mark_x2", state.mark_x2},   {"shares", state.shares},
          {"turnover", state.turnover}};
}

ordered_json Describe(const ExecutionActor& actor) {
  const market::ExecutionState& state = actor.logic().state();
  return {{"orders", state.orders},
          {"fills", state.fills},
          {"partial_fills", state.partial_fills},
          {"filled_shares", state.filled_shares},
          {"cancelled_shares", state.cancelled_shares}};
}

ordered_json Describe(const RiskActor& actor) {
  const market::RiskState& state = actor.logic().state();
  return {{"position", state.position},
          {"approved", state.approved},
          {"rejected", state.rejected},
          {"window_start_ns", state.window_start_ns},
          {"orders_in_window", state.orders_in_window},
          {"breaches_in_window", state.breaches_in_window},
          {"stopped", state.stopped},
          {"stops", state.stops}};
}

ordered_json Describe(const SignalActor& actor) {
  const market::SignalState& state = actor.logic().state();
  return {{"tops", state.tops},
          {"by_state", state.by_state},
          {"too_wide", state.too_wide},
          {"intents", state.intents},
          {"last_intent_ns", state.last_intent_ns},
          {"microprice_q8", state.microprice_q8},
          {"imbalance_q16", state.imbalance_q16},
          {"acted", state.acted}};
}

ordered_json Describe(const BookActor& actor) {
  return {{"is_trading", actor.logic().is_trading()},
          {"live_orders", actor.logic().book().live_orders()},
          {"book", actor.logic().book().DumpLines()}};
}

absl::StatusOr<RecoveredActor> FindActor(const System& system, const std::string& actor) {
  uint32_t number = 0;
  const bool is_number = absl::SimpleAtoi(actor, &number);
  std::string known;
  size_t shown = 0;
  for (const RecoveredActor& recovered : system.RecoveredActors()) {
    if (recovered.name == actor || (is_number && recovered.id == ActorId{number})) return recovered;
    if (TypeNameOf(recovered.class_type).empty() || ++shown > 10) continue;
    absl::StrAppend(&known, " ", recovered.name);
  }
  return absl::NotFoundError(
      absl::StrCat("--actor ", actor, ": the journals name no such actor up to there; they have",
                   known.empty() ? " none" : known, shown > 10 ? " and more" : ""));
}

}  // namespace

ordered_json DescribeState(uint32_t class_type, const void* state) {
  ordered_json described;
  const auto describe = [&]<typename A>() {
    if (class_type == TypeId<A>()) described = Describe(*static_cast<const A*>(state));
  };
  describe.operator()<PositionActor>();
  describe.operator()<ExecutionActor>();
  describe.operator()<RiskActor>();
  describe.operator()<SignalActor>();
  describe.operator()<BookActor>();
  return described;
}

absl::Status WalkActor(ReplaySpec spec, const std::string& actor,
                       const std::function<void(const WalkStep&)>& visit) {
  uint64_t number = 0;
  spec.on_step = [&](const ReplayStep& step) {
    visit({number++, &step, step.class_type, step.state});
  };
  spec.from_snapshots = false;
  absl::StatusOr<std::unique_ptr<System>> replay = System::Replay(spec);
  if (absl::IsDataLoss(replay.status())) {
    // What is before the snapshot was removed.
    spec.from_snapshots = true;
    replay = System::Replay(spec);
  }
  if (!replay.ok()) return replay.status();
  System& system = **replay;
  absl::StatusOr<RecoveredActor> found = FindActor(system, actor);
  if (!found.ok()) return found.status();
  const SupervisorRef supervisor = system.Supervise();
  if (absl::Status status = SpawnRecovered(supervisor, *found); !status.ok()) return status;
  bool shown = false;
  const auto inspect = [&]<typename A>() {
    if (found->class_type != TypeId<A>()) return;
    system.Inspect<A>(found->name, [&](const A& state) {
      shown = true;
      visit({number, nullptr, found->class_type, &state});
    });
  };
  inspect.operator()<PositionActor>();
  inspect.operator()<ExecutionActor>();
  inspect.operator()<RiskActor>();
  inspect.operator()<SignalActor>();
  inspect.operator()<BookActor>();
  if (shown) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      "--actor ", actor, ": it had ended there, or is of a class that this program does not have"));
}

}  // namespace bitactor::pipeline
