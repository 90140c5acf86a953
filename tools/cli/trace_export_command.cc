// `bitactor trace export`: saved spans for viewers, as evidence, or to a collector.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bitactor/tracing/chrome_export.h"
#include "bitactor/tracing_export/sealed_blocks.h"
#include "bitactor/tracing_export/shiviz_export.h"
#include "cli/commands.h"
#include "cli/trace_commands.h"
#include "cli/trace_send.h"
#include "cli/trace_source.h"
#include "pipeline/span_names.h"

namespace bitactor::cli {
namespace {

struct TraceExportArguments {
  std::string source;
  std::string format;
  std::string output;
  uint64_t last = 0;
  std::string to;
  std::vector<std::string> headers;
  bool gzip = false;
  double timeout_s = 10;
  double give_up_s = 60;
};

bool IsStandardOutput(const std::string& output) { return output.empty() || output == "-"; }

absl::Status ExportSealed(const std::string& output, const SpanFile& file) {
  if (IsStandardOutput(output)) {
    return absl::InvalidArgumentError("--format sealed writes a file: name it with --output");
  }
  const absl::StatusOr<BlockSeal> seal = SaveSealedSpans(output, file);
  if (!seal.ok()) return seal.status();
  std::printf("last seal %s\n", seal->ToHex().c_str());
  return absl::OkStatus();
}

// Requests as a collector takes them, one a line.
absl::Status WriteOtlpLines(const SpanFile& file, std::ostream& out) {
  OtlpSpanEncoder encoder(OriginOf(file), file.names.Lookup());
  std::span<const SpanRecord> rest = file.spans;
  std::string body;
  while (!rest.empty()) {
    const size_t count = std::min(rest.size(), OtlpExporterOptions().batch_spans);
    encoder.Encode(rest.first(count), body);
    out << body << '\n';
    rest = rest.subspan(count);
  }
  out.flush();
  return out ? absl::OkStatus()
             : absl::DataLossError(
                   "writing failed: is there space, and may this place be written?");
}

absl::Status WriteText(const std::string& format, const SpanFile& file, std::ostream& out) {
  if (format == "otlp") return WriteOtlpLines(file, out);
  if (format == "shiviz") return WriteShivizLog(file.spans, file.names.Lookup(), out);
  return WriteChromeTrace(file.spans, file.names.Lookup(), out);
}

absl::Status ExportText(const TraceExportArguments& arguments, const SpanFile& file) {
  if (IsStandardOutput(arguments.output)) return WriteText(arguments.format, file, std::cout);
  if (absl::Status s = pipeline::CheckWritable(arguments.output); !s.ok()) return s;
  std::ofstream out(arguments.output, std::ios::trunc);
  absl::Status written = WriteText(arguments.format, file, out);
  out.close();
  if (written.ok() && !out) written = absl::DataLossError("closing failed: is there space?");
  return written.ok() ? written
                      : absl::Status(written.code(),
                                     absl::StrCat(arguments.output, ": ", written.message()));
}

void KeepLast(SpanFile& file, uint64_t count) {
  if (count == 0 || file.spans.size() <= count) return;
  std::stable_sort(
      file.spans.begin(), file.spans.end(),
      [](const SpanRecord& a, const SpanRecord& b) { return a.start_ns < b.start_ns; });
  file.spans.erase(file.spans.begin(), file.spans.end() - static_cast<std::ptrdiff_t>(count));
}

absl::StatusOr<OtlpExporterOptions> SendOptions(const TraceExportArguments& arguments) {
  OtlpExporterOptions options;
  options.endpoint = arguments.to;
  options.gzip = arguments.gzip;
  options.timeout_ns = static_cast<uint64_t>(arguments.timeout_s * 1e9);
  options.retry.give_up_after_ns = static_cast<uint64_t>(arguments.give_up_s * 1e9);
  for (const std::string& header : arguments.headers) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("--header \"", header, "\" is no \"name: value\""));
    }
    options.headers.emplace_back(header.substr(0, colon),
                                 std::string(absl::StripAsciiWhitespace(header.substr(colon + 1))));
  }
  return options;
}

int Export(const TraceExportArguments& arguments) {
  absl::StatusOr<SpanFile> file = LoadTrace(arguments.source);
  if (!file.ok()) return Fail(file.status());
  KeepLast(*file, arguments.last);
  if (!arguments.to.empty()) {
    absl::StatusOr<OtlpExporterOptions> options = SendOptions(arguments);
    return options.ok() ? SendSpans(*file, *std::move(options)) : Fail(options.status());
  }
  const absl::Status status = arguments.format == "sealed" ? ExportSealed(arguments.output, *file)
                                                           : ExportText(arguments, *file);
  if (!status.ok()) return Fail(status);
  std::fprintf(stderr, "%zu spans exported; %llu older ones had been overwritten\n",
               file->spans.size(), static_cast<unsigned long long>(file->dropped));
  return kExitOk;
}

}  // namespace

void AddTraceExportCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<TraceExportArguments>();
  arguments->format = "chrome";
  CLI::App* command =
      trace.add_subcommand("export", "Write spans for a viewer, or send them to a collector");
  command
      ->add_option("SOURCE", arguments->source,
                   "A run's journal folder, a span file or a sealed file")
      ->required();
  CLI::Option* format =
      command
          ->add_option(
              "--format", arguments->format,
              "chrome (or perfetto): JSON that ui.perfetto.dev opens; otlp: OTLP's JSON, a "
              "request a line; shiviz: a log with vector clocks; sealed: a new file that "
              "`trace verify` can judge")
          ->check(CLI::IsMember({"chrome", "perfetto", "otlp", "shiviz", "sealed"}))
          ->capture_default_str();
  CLI::Option* output = command->add_option("--output,-o", arguments->output,
                                            "File to write; without it, or -, standard output");
  command->add_option("--last", arguments->last, "Only this many, those that began last");
  CLI::Option* to =
      command
          ->add_option("--to", arguments->to,
                       "Send them to this collector by OTLP/HTTP, say http://127.0.0.1:4318")
          ->excludes(format)
          ->excludes(output);
  command
      ->add_option("--header", arguments->headers,
                   "With --to: \"name: value\" for every request; may be repeated")
      ->needs(to);
  command->add_flag("--gzip", arguments->gzip, "With --to: compress the requests")->needs(to);
  command->add_option("--timeout", arguments->timeout_s, "With --to: seconds for one request")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str()
      ->needs(to);
  command
      ->add_option("--give-up", arguments->give_up_s,
                   "With --to: seconds for which a batch is sent again while nobody takes it")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str()
      ->needs(to);
  command->footer(
      "Exit code: 0 when all was written or sent, 1 when not, 2 when used wrongly.\n"
      "Examples:\n  bitactor trace export run1 --format chrome -o run1.json\n"
      "  bitactor trace export run1 --last 500 --format shiviz -o run1.log\n"
      "  bitactor trace export run1 --to http://127.0.0.1:4318");
  command->callback([arguments, &exit_code] { exit_code = Export(*arguments); });
}

}  // namespace bitactor::cli
