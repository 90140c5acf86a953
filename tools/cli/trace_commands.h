// The parts of `bitactor trace`, a file each.
#ifndef BITACTOR_TOOLS_CLI_TRACE_COMMANDS_H_
#define BITACTOR_TOOLS_CLI_TRACE_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace bitactor::cli {

// Each adds its command to `trace`; `exit_code` is set when it runs.
void AddTraceContextCommand(CLI::App& trace, int& exit_code);
void AddTraceExportCommand(CLI::App& trace, int& exit_code);
void AddTracePathCommand(CLI::App& trace, int& exit_code);
void AddTraceSlowCommand(CLI::App& trace, int& exit_code);
void AddTraceStatCommand(CLI::App& trace, int& exit_code);
void AddTraceVerifyCommand(CLI::App& trace, int& exit_code);
void AddTraceWalkCommand(CLI::App& trace, int& exit_code);

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_TRACE_COMMANDS_H_
