// One actor of a journalled run, message by message.
#ifndef BITACTOR_TOOLS_PIPELINE_ACTOR_WALK_H_
#define BITACTOR_TOOLS_PIPELINE_ACTOR_WALK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bitactor/l3_genactor/system.h"
#include "pipeline/payload_fields.h"

namespace bitactor::pipeline {

// A state, and the message that changes it next; null: the walk ends here.
struct WalkStep {
  uint64_t number;  // 0, 1, ...
  const ReplayStep* next;
  std::vector<PayloadField> state;
};

// Replays the actor of this name or number, up to `spec.until`, and shows every state that it was in, the
// last one included. kNotFound: the journals know no such actor at that place. Else why they cannot be
// read.
absl::Status WalkActor(ReplaySpec spec, const std::string& actor,
                       const std::function<void(const WalkStep&)>& visit);

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_ACTOR_WALK_H_
