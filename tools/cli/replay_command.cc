// `bitactor replay`.
#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "pipeline/report.h"
#include "pipeline/run.h"

namespace bitactor::cli {
namespace {

struct ReplayArguments {
  std::string journal;
  std::string until;
  std::string dump_book;
  bool json = false;
};

int Replay(const ReplayArguments& arguments) {
  ReplaySpec spec;
  spec.journal_dir = arguments.journal;
  if (!arguments.until.empty()) {
    absl::StatusOr<Place> place = Place::Parse(arguments.until);
    if (!place.ok()) return Fail(place.status());
    spec.until = *place;
  }
  absl::StatusOr<pipeline::ReplayReport> report = pipeline::ReplayRun(spec, arguments.dump_book);
  if (!report.ok()) return Fail(report.status());
  if (arguments.json) {
    std::fputs(pipeline::ToJson(*report).c_str(), stdout);
    return kExitOk;
  }
  for (const std::string& line : report->dump) std::puts(line.c_str());
  std::fputs(pipeline::ToText(*report).c_str(), arguments.dump_book.empty() ? stdout : stderr);
  return kExitOk;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* replay = app.add_subcommand("replay", "Rebuild every actor of a run from its journals");
  replay->add_option("--journal", arguments->journal, "The run's journal folder")->required();
  replay->add_option(
      "--until", arguments->until,
      "SHARD:POSITION: the state just before that frame (`bitactor journal dump` shows positions)");
  replay->add_option("--dump-book", arguments->dump_book,
                     "Print this symbol's book; the summary goes to standard error");
  replay->add_flag("--json", arguments->json, "Print one JSON object");
  replay->footer(
      "Examples:\n"
      "  bitactor replay --journal run1\n"
      "  bitactor replay --journal run1 --until 0:4711 --dump-book AAPL");
  replay->callback([arguments, &exit_code] { exit_code = Replay(*arguments); });
}

}  // namespace bitactor::cli
