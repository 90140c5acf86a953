// `bitactor trace`.
#include "cli/commands.h"
#include "cli/trace_commands.h"

namespace bitactor::cli {

void AddTraceCommands(CLI::App& app, int& exit_code) {
  CLI::App* trace = app.add_subcommand("trace", "Look at recorded spans");
  trace->require_subcommand(1);
  AddTraceContextCommand(*trace, exit_code);
  AddTraceExportCommand(*trace, exit_code);
  AddTracePathCommand(*trace, exit_code);
  AddTraceSlowCommand(*trace, exit_code);
  AddTraceStatCommand(*trace, exit_code);
  AddTraceVerifyCommand(*trace, exit_code);
  AddTraceWalkCommand(*trace, exit_code);
}

}  // namespace bitactor::cli
