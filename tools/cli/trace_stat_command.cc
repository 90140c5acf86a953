// `bitactor trace stat`: what recorded spans add up to.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/trace_commands.h"
#include "cli/trace_source.h"
#include "cli/trace_stat.h"
#include "cli/trace_view.h"

namespace bitactor::cli {
namespace {

struct TraceStatArguments {
  std::string source;
  uint32_t rows = 20;
  bool json = false;
};

int Stat(const TraceStatArguments& arguments) {
  const absl::StatusOr<SpanFile> file = LoadTrace(arguments.source);
  if (!file.ok()) return Fail(file.status());
  const TraceStat stat = StatOf(file->spans, file->names);
  if (arguments.json) {
    std::printf("%s\n", TraceStatJson(stat, file->dropped, file->names)
                            .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                            .c_str());
  } else {
    std::fputs(TraceStatText(stat, file->dropped, file->names, arguments.rows).c_str(), stdout);
  }
  return kExitOk;
}

}  // namespace

void AddTraceStatCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<TraceStatArguments>();
  CLI::App* command = trace.add_subcommand(
      "stat", "Count spans, traces and outcomes; waiting and work by type and by actor");
  command
      ->add_option("SOURCE", arguments->source,
                   "A run's journal folder, a span file or a sealed file")
      ->required();
  command->add_option("--rows", arguments->rows, "Of each table, the busiest first; JSON has all")
      ->check(CLI::Range(1u, 100'000u))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Percentiles are exact to 3.2 %. Exit codes: 0 ok, 1 damage, 2 wrong use.\n"
      "Example:\n  bitactor trace stat run1");
  command->callback([arguments, &exit_code] { exit_code = Stat(*arguments); });
}

}  // namespace bitactor::cli
