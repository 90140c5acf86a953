// `bitactor trace path`: why a message came to be, and what it caused.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/journal_merge.h"
#include "cli/trace_chain.h"
#include "cli/trace_commands.h"
#include "cli/trace_journal.h"
#include "cli/trace_source.h"
#include "cli/trace_view.h"

namespace bitactor::cli {
namespace {

struct PathArguments {
  std::string message;
  std::string source;
  std::string journal;
  uint64_t limit = 200;
  bool json = false;
};

// The spans, and the run whose journals have the messages: either may be missing.
struct PathSources {
  SpanFile spans;
  std::string journal_dir;
};

absl::StatusOr<PathSources> OpenSources(const PathArguments& arguments) {
  if (arguments.source.empty() && arguments.journal.empty()) {
    return absl::InvalidArgumentError(
        "name a SOURCE of spans (a run's journal folder, a span file, a sealed file), or journals "
        "with --journal RUN");
  }
  PathSources sources;
  sources.journal_dir = arguments.journal;
  if (arguments.source.empty()) return sources;
  std::error_code error;
  const bool is_run = std::filesystem::is_directory(arguments.source, error);
  if (is_run && sources.journal_dir.empty()) sources.journal_dir = arguments.source;
  absl::StatusOr<SpanFile> spans = LoadTrace(arguments.source);
  if (spans.ok()) {
    sources.spans = *std::move(spans);
  } else if (!is_run || !absl::IsNotFound(spans.status())) {
    return spans.status();
  }
  return sources;
}

absl::StatusOr<MessageQuery> QueryOf(const std::string& message, const PathSources& sources) {
  return MessageQuery::Parse(message, [&](const std::string& name) -> absl::StatusOr<uint32_t> {
    for (const auto& [id, known] : sources.spans.names.actors) {
      if (known == name) return id;
    }
    if (!sources.journal_dir.empty()) {
      const absl::StatusOr<uint32_t> id = FindActorByName(PosixFiles(), sources.journal_dir, name);
      if (id.ok()) return id;
      return absl::Status(id.status().code(),
                          absl::StrCat("\"", name, "\": ", id.status().message()));
    }
    return absl::NotFoundError(
        absl::StrCat("\"", name,
                     "\": nobody has this name in these spans; `bitactor trace stat` shows those "
                     "that have one"));
  });
}

// The one message asked for.
absl::StatusOr<size_t> OneOf(const std::vector<size_t>& found, const TraceGraph& graph,
                             const std::string& message, bool has_journals) {
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat(
        message, has_journals
                     ? ": no such message, neither in the spans nor in the journals"
                     : ": no such message here; its span was overwritten or never recorded: "
                       "--journal RUN looks into the journals"));
  }
  std::string all;
  for (size_t i = 0; i < found.size() && i < 10; ++i) {
    const SpanRecord& span = graph.hops()[found[i]].span;
    absl::StrAppend(&all, " ", MessageText(span.source, span.span));
  }
  return absl::InvalidArgumentError(absl::StrCat(message, ": ", found.size(),
                                                 " messages have this number, of several starts "
                                                 "of the program; name one:",
                                                 all));
}

int Path(const PathArguments& arguments) {
  absl::StatusOr<PathSources> sources = OpenSources(arguments);
  if (!sources.ok()) return Fail(sources.status());
  const absl::StatusOr<MessageQuery> query = QueryOf(arguments.message, *sources);
  if (!query.ok()) return Fail(query.status());
  std::vector<Hop> journalled;
  if (!sources->journal_dir.empty()) {
    absl::StatusOr<std::vector<Hop>> hops =
        JournalledTraces(sources->journal_dir, *query, sources->spans.names);
    if (!hops.ok()) return Fail(hops.status());
    journalled = *std::move(hops);
  }
  const TraceGraph graph(Joined(sources->spans.spans, journalled));
  const absl::StatusOr<size_t> message =
      OneOf(graph.Find(*query), graph, arguments.message, !sources->journal_dir.empty());
  if (!message.ok()) return Fail(message.status());
  const MessagePath path = PathOf(graph, *message);
  const SpanNameTable& names = sources->spans.names;
  if (arguments.json) {
    std::printf("%s\n", PathJson(graph, path, names, arguments.limit)
                            .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                            .c_str());
  } else {
    std::fputs(PathText(graph, path, names, arguments.limit).c_str(), stdout);
  }
  return kExitOk;
}

}  // namespace

void AddTracePathCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<PathArguments>();
  CLI::App* command = trace.add_subcommand(
      "path", "Show one message's causes back to the root, and its effects forward");
  command
      ->add_option("MESSAGE", arguments->message,
                   "SOURCE:SEQUENCE or SOURCE:INCARNATION/SEQUENCE, the source by id or name, or "
                   "the 16 digits of its span")
      ->required();
  command->add_option("SOURCE", arguments->source,
                      "A run's journal folder, a span file or a sealed file");
  command->add_option("--journal", arguments->journal,
                      "A run's journal folder, for messages whose spans are gone");
  command->add_option("--limit", arguments->limit, "So many effects at most")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Messages known from journals alone have no times of their handling. Messages have their\n"
      "numbers in `trace slow` and in `journal dump`. Exit codes: 0 ok, 1 damage, 2 wrong use.\n"
      "Examples:\n"
      "  bitactor trace path 17:90211 run1\n"
      "  bitactor trace path book/AAPL:12 --journal run1");
  command->callback([arguments, &exit_code] { exit_code = Path(*arguments); });
}

}  // namespace bitactor::cli
