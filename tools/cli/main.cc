// The program `bitactor`.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "cli/commands.h"

namespace {

// What a command printed has to arrive. A reader that has gone is no fault.
int WithAllWritten(int exit_code) {
  errno = 0;
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written || errno == EPIPE) return exit_code;
  std::fprintf(stderr,
               "bitactor: standard output: %s; what was written before this is not all: make room "
               "and run it again\n",
               errno != 0 ? std::strerror(errno) : "an earlier write failed");
  return exit_code != bitactor::cli::kExitOk ? exit_code : bitactor::cli::kExitFoundProblem;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bitactor::cli;
  // A file that may grow no further is an error of that write, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    CLI::App app{
        "BitActor: a layered message fabric that answers in under a microsecond and explains every "
        "answer.",
        "bitactor"};
    app.require_subcommand(1);
    app.set_version_flag("--version", BITACTOR_VERSION);
    app.footer(
        "Examples:\n"
        "  bitactor demo\n"
        "  bitactor run --feed day.itch --format itch50 --journal run1 --trace run1.json\n"
        "  bitactor replay --journal run1\n"
        "  bitactor COMMAND --help");
    int exit_code = kExitOk;
    AddRunCommands(app, exit_code);
    AddReplayCommand(app, exit_code);
    AddJournalCommands(app, exit_code);
    AddQuarantineCommand(app, exit_code);
    AddStatCommands(app, exit_code);
    AddTraceCommands(app, exit_code);
    AddTreeCommand(app, exit_code);
    AddBenchCommand(app, exit_code);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? kExitOk : kExitWrongUse;
    }
    return WithAllWritten(exit_code);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bitactor: %s\n", error.what());
    return kExitFoundProblem;
  }
}
