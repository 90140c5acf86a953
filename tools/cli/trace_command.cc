// `bitactor trace`, and of it `export`.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing/span_file.h"
#include "bitactor/tracing_export/sealed_blocks.h"
#include "cli/commands.h"
#include "cli/trace_commands.h"
#include "cli/trace_source.h"
#include "pipeline/span_names.h"

namespace bitactor::cli {
namespace {

struct TraceExportArguments {
  std::string source;
  std::string format = "perfetto";
  std::string output;
};

absl::Status ExportSealed(const std::string& output, const SpanFile& file) {
  if (output.empty()) {
    return absl::InvalidArgumentError("--format sealed writes a file: name it with --output");
  }
  const absl::StatusOr<BlockSeal> seal = SaveSealedSpans(output, file);
  if (!seal.ok()) return seal.status();
  std::printf("last seal %s\n", seal->ToHex().c_str());
  return absl::OkStatus();
}

int Export(const TraceExportArguments& arguments) {
  const absl::StatusOr<SpanFile> file = LoadTrace(arguments.source);
  if (!file.ok()) return Fail(file.status());
  absl::Status status;
  if (arguments.format == "sealed") {
    status = ExportSealed(arguments.output, *file);
  } else if (arguments.output.empty()) {
    status = WriteChromeTrace(file->spans, file->names.Lookup(), std::cout);
  } else {
    status = pipeline::WriteChromeTraceFile(arguments.output, file->spans, file->names);
  }
  if (!status.ok()) return Fail(status);
  std::fprintf(stderr, "%zu spans exported; %llu older ones had been overwritten\n",
               file->spans.size(), static_cast<unsigned long long>(file->dropped));
  return kExitOk;
}

}  // namespace

void AddTraceCommands(CLI::App& app, int& exit_code) {
  CLI::App* trace = app.add_subcommand("trace", "Look at recorded spans");
  trace->require_subcommand(1);
  AddTraceContextCommand(*trace, exit_code);
  AddTracePathCommand(*trace, exit_code);
  AddTraceSlowCommand(*trace, exit_code);
  AddTraceStatCommand(*trace, exit_code);
  AddTraceVerifyCommand(*trace, exit_code);
  AddTraceWalkCommand(*trace, exit_code);
  auto arguments = std::make_shared<TraceExportArguments>();
  CLI::App* command = trace->add_subcommand("export", "Write spans for a viewer");
  command
      ->add_option("SOURCE", arguments->source,
                   "A run's journal folder, a span file or a sealed file")
      ->required();
  command
      ->add_option(
          "--format", arguments->format,
          "perfetto: Chrome JSON, opened by ui.perfetto.dev; sealed: a new file that `trace "
          "verify` can judge")
      ->check(CLI::IsMember({"perfetto", "sealed"}))
      ->capture_default_str();
  command->add_option("--output,-o", arguments->output,
                      "File to write; without it, standard output");
  command->footer("Example:\n  bitactor trace export run1 --format perfetto -o run1.json");
  command->callback([arguments, &exit_code] { exit_code = Export(*arguments); });
}

}  // namespace bitactor::cli
