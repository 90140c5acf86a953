// `bitactor trace walk`: a run's messages back and forth, with the states before and after each.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/trace_commands.h"
#include "cli/trace_walk.h"

namespace bitactor::cli {
namespace {

std::optional<std::string> ReadKey() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

int Walk(const WalkArguments& arguments) {
  const absl::StatusOr<TraceWalk> walk = TraceWalk::Open(arguments.dir, arguments.actor);
  if (!walk.ok()) return Fail(walk.status());
  const std::unique_ptr<Output> output = StandardOutput();
  absl::Status status = WriteWalk(*walk, arguments, *output, ReadKey, [](const std::string& text) {
    std::fprintf(stderr, "%s\n", text.c_str());
  });
  if (!absl::IsCancelled(status)) {
    if (absl::Status finished = output->Finish(); status.ok()) status = std::move(finished);
  }
  return status.ok() || absl::IsCancelled(status) ? kExitOk : Fail(status);
}

}  // namespace

void AddTraceWalkCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<WalkArguments>();
  CLI::App* command = trace.add_subcommand(
      "walk",
      "Go through a run back and forth, message by message, with the state of who handled "
      "each before and after it");
  command->add_option("RUN", arguments->dir, "The run's journal folder")->required();
  command->add_option("--at", arguments->at,
                      "SHARD:POSITION where to begin; else with the first message (`bitactor "
                      "journal dump` shows positions)");
  command->add_option("--actor", arguments->actor, "Only what this actor handled");
  command
      ->add_option("--steps", arguments->steps,
                   "Show so many messages and end; without it, keys are read from standard "
                   "input")
      ->check(CLI::Range(uint64_t{1}, ~uint64_t{0}));
  command->add_flag("--json", arguments->json, "One JSON object for each message");
  command->footer(
      "Keys, each a line: n or nothing for the next message, p for the one before, g "
      "SHARD:POSITION "
      "to go\n"
      "there, q to end. What a message changed is marked with '*'. States are rebuilt from the "
      "journals,\n"
      "which are not changed. Exit codes: 0 ok, 1 damage, 2 wrong use.\n"
      "Examples:\n"
      "  bitactor trace walk run1 --actor book/AAPL\n"
      "  bitactor trace walk run1 --at 0:4711 --steps 3 --json");
  command->callback([arguments, &exit_code] { exit_code = Walk(*arguments); });
}

}  // namespace bitactor::cli
