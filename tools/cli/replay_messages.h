// `bitactor replay DIR --mailbox|--name|--all`: journalled messages again, in causal order.
#ifndef BITACTOR_TOOLS_CLI_REPLAY_MESSAGES_H_
#define BITACTOR_TOOLS_CLI_REPLAY_MESSAGES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "bitactor/l2_mailbox/replay.h"
#include "cli/journal_print.h"
#include "cli/output.h"

namespace bitactor::cli {

struct MessagesArguments {
  std::string dir;
  std::optional<uint32_t> mailbox;
  std::optional<std::string> name;
  std::string from;  // places; empty: none
  std::string until;
  uint64_t limit = 0;  // 0: all
  bool step = false;
  bool json = false;
};

// Appends the message with its line end: as AppendRecord, and the mailbox, the start, and the names of
// who sent it and whom it went to.
void AppendReplayed(RecordFormat format, const ReplayedMessage& message, const FabricReplay& replay,
                    std::string& out);

// Whoever steps: a line for what comes next; nullopt: there are no more lines.
using ReadLine = std::function<std::optional<std::string>()>;

// How many messages a line asks for: an empty one for 1, a number from 1 for so many, "q" for none. nullopt:
// none of these.
std::optional<uint64_t> ParseStep(const std::string& line);

// Writes messages up to the limit. With `read_line`, one, and then as many as each line asks for; `say`
// is told what a line may be.
absl::Status WriteReplay(FabricReplay& replay, const MessagesArguments& arguments, Output& output,
                         const ReadLine& read_line,
                         const std::function<void(const std::string&)>& say);

int ReplayMessagesCommand(const MessagesArguments& arguments);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_REPLAY_MESSAGES_H_
