// `bitactor trace slow`: which messages took longest from root to leaf, and where the time went.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/trace_chain.h"
#include "cli/trace_commands.h"
#include "cli/trace_source.h"
#include "cli/trace_view.h"

namespace bitactor::cli {
namespace {

struct SlowArguments {
  std::string source;
  uint32_t top = 5;
  bool json = false;
};

int Slow(const SlowArguments& arguments) {
  absl::StatusOr<SpanFile> file = LoadTrace(arguments.source);
  if (!file.ok()) return Fail(file.status());
  std::vector<Hop> hops;
  hops.reserve(file->spans.size());
  for (const SpanRecord& span : file->spans) hops.push_back({.span = span, .place = {}});
  const TraceGraph graph(std::move(hops));
  const std::vector<Chain> chains = SlowestChains(graph, arguments.top);
  if (arguments.json) {
    const nlohmann::ordered_json all = {{"spans", file->spans.size()},
                                        {"dropped", file->dropped},
                                        {"chains", ChainsJson(graph, chains, file->names)}};
    std::printf("%s\n",
                all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (chains.empty()) {
    std::puts("no spans");
  } else {
    std::fputs(ChainsText(graph, chains, file->names).c_str(), stdout);
  }
  return kExitOk;
}

}  // namespace

void AddTraceSlowCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<SlowArguments>();
  CLI::App* command = trace.add_subcommand(
      "slow", "Show the slowest chains of messages, with waiting apart from work");
  command
      ->add_option("SOURCE", arguments->source,
                   "A run's journal folder, a span file or a sealed file")
      ->required();
  command->add_option("--top", arguments->top, "So many chains, one of a trace")
      ->check(CLI::Range(1u, 100'000u))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "A chain leads from a message that came from outside to what ended last of all that it\n"
      "caused. A message waits from the end of its cause's handler (or from being sent, whichever "
      "is\n"
      "later) to the beginning of its own. Exit codes: 0 ok, 1 damage, 2 wrong use.\n"
      "Example:\n  bitactor trace slow run1 --top 3");
  command->callback([arguments, &exit_code] { exit_code = Slow(*arguments); });
}

}  // namespace bitactor::cli
