// `bitactor bench`.
#include "bench/bench_command.h"

#include <unistd.h>

#include <iostream>
#include <memory>

#include "cli/commands.h"

namespace bitactor::cli {

void AddBenchCommand(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<bench::BenchOptions>();
  CLI::App* command =
      app.add_subcommand("bench", "Measure every layer, in one run, against the floor");
  command->add_option("--filter", options->filter,
                      "Only rows whose name contains a match of this regular expression");
  command->add_option("--json", options->json_path, "Write the results to this file");
  command->add_option("--repeats", options->repeats, "Interleaved rounds; medians are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--list", options->list, "Print the names of the rows and measure nothing");
  command->add_flag("--quick", options->quick, "Short runs");
  command->add_flag("--pin", options->pin, "Keep the measuring thread on one processor");
  command->footer(
      "Examples:\n"
      "  bitactor bench\n"
      "  bitactor bench --filter '^l2/' --json l2.json\n"
      "  bitactor bench --list");
  command->callback([options, &exit_code] {
    options->progress = isatty(STDERR_FILENO) != 0;
    exit_code = bench::RunBenchCommand(*options, std::cout, std::cerr);
  });
}

}  // namespace bitactor::cli
