// The state of the pipeline's actors as named values, for looking at the past.
#ifndef BITACTOR_TOOLS_PIPELINE_ACTOR_STATE_H_
#define BITACTOR_TOOLS_PIPELINE_ACTOR_STATE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "bitactor/l3_genactor/system.h"
#include "pipeline/payload_fields.h"

namespace bitactor::pipeline {

// Whether actors of this class have a state that StateOf() shows.
bool IsPipelineClass(uint32_t class_type);

// The state of an actor of this class; empty of other classes.
std::vector<PayloadField> FieldsOfState(uint32_t class_type, const void* state);

// Brings the actor back in `replay` and reads its state. Nullopt: its history had ended it.
// REQUIRES: IsPipelineClass(actor.class_type).
// Errors: those of Spawn().
absl::StatusOr<std::optional<std::vector<PayloadField>>> StateOf(System& replay,
                                                                 const RecoveredActor& actor);

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_ACTOR_STATE_H_
