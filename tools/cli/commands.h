// The commands of the program `bitactor`.
#ifndef BITACTOR_TOOLS_CLI_COMMANDS_H_
#define BITACTOR_TOOLS_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "absl/status/status.h"

namespace bitactor::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFoundProblem =
    1;  // bad data, a full disk, damage: the work could not be done or shows a fault
inline constexpr int kExitWrongUse = 2;  // wrong arguments: nothing was done

// Each adds its commands; `exit_code` is set when one of them runs.
void AddRunCommands(CLI::App& app, int& exit_code);
void AddReplayCommand(CLI::App& app, int& exit_code);
void AddJournalCommands(CLI::App& app, int& exit_code);
void AddQuarantineCommand(CLI::App& app, int& exit_code);
void AddStatCommands(CLI::App& app, int& exit_code);
void AddTraceCommands(CLI::App& app, int& exit_code);
void AddTreeCommand(CLI::App& app, int& exit_code);
void AddBenchCommand(CLI::App& app, int& exit_code);

// Prints "bitactor: message" to standard error. Wrong use for what the caller can change about the
// call, else a found problem.
int Fail(const absl::Status& status);

// A line on standard error that is written over; silent when that is no terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  void Show(const std::string& text);

 private:
  const bool terminal_;
  bool shown_ = false;
};

}  // namespace bitactor::cli

#endif  // BITACTOR_TOOLS_CLI_COMMANDS_H_
