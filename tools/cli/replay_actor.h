// `bitactor replay DIR --actor`: the state of one actor before any of its messages.
#ifndef BITACTOR_TOOLS_CLI_REPLAY_ACTOR_H_
#define BITACTOR_TOOLS_CLI_REPLAY_ACTOR_H_

#include "cli/replay_messages.h"

namespace bitactor::cli {

// Shows the state before `until`, or at the end; with `walk`, every state up to there and the message that
// changed it; with `step`, one at a time, forward and back, from the last one on.
int ReplayActorCommand(const MessagesArguments& arguments, const std::string& actor, bool walk);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_REPLAY_ACTOR_H_
