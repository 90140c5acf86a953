#include "pipeline/actor_walk.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pipeline/actor_state.h"
#include "pipeline/chain.h"

namespace bitactor::pipeline {
namespace {

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

absl::Status WalkActor(ReplaySpec spec, const std::string& actor,
                       const std::function<void(const WalkStep&)>& visit) {
  uint64_t number = 0;
  spec.on_step = [&](const ReplayStep& step) {
    visit({number++, &step, FieldsOfState(step.class_type, step.state)});
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
  if (IsPipelineClass(found->class_type)) {
    absl::StatusOr<std::optional<std::vector<PayloadField>>> state = StateOf(system, *found);
    if (!state.ok()) return state.status();
    if (state->has_value()) {
      visit({number, nullptr, **std::move(state)});
      return absl::OkStatus();
    }
  }
  return absl::NotFoundError(absl::StrCat(
      "--actor ", actor, ": it had ended there, or is of a class that this program does not have"));
}

}  // namespace bitactor::pipeline
