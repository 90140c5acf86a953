// `bitactor trace verify`: whether a file of sealed blocks is what was written.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bitactor/tracing_export/seal_verify.h"
#include "cli/commands.h"
#include "cli/trace_commands.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

struct VerifyArguments {
  std::string file;
  bool json = false;
};

void PrintJson(const std::string& file, const SealReport& report) {
  Json fault;
  if (report.fault.has_value()) {
    fault = {{"kind", SealFaultName(report.fault->kind)},
             {"block", report.fault->block},
             {"offset", report.fault->offset},
             {"what", report.fault->what}};
  }
  const Json all = {{"file", file},
                    {"whole", !report.fault.has_value()},
                    {"blocks", report.blocks},
                    {"spans", report.spans},
                    {"dropped", report.dropped},
                    {"last_seal", report.last.ToHex()},
                    {"fault", fault}};
  // A file's name may be any bytes.
  std::printf("%s\n", all.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void PrintForPeople(const std::string& file, const SealReport& report) {
  std::printf("%s: %llu blocks with %llu spans are as they were written\n", file.c_str(),
              static_cast<unsigned long long>(report.blocks),
              static_cast<unsigned long long>(report.spans));
  if (report.fault.has_value()) {
    std::printf("block %llu, at byte %llu: %s: %s\n",
                static_cast<unsigned long long>(report.fault->block),
                static_cast<unsigned long long>(report.fault->offset),
                SealFaultName(report.fault->kind), report.fault->what.c_str());
  } else {
    std::printf("last seal %s\n", report.last.ToHex().c_str());
  }
}

int Verify(const VerifyArguments& arguments) {
  absl::StatusOr<SealReport> report = VerifySeals(arguments.file);
  if (!report.ok()) return Fail(report.status());
  if (arguments.json) {
    PrintJson(arguments.file, *report);
  } else {
    PrintForPeople(arguments.file, *report);
  }
  return report->fault.has_value() ? kExitFoundProblem : kExitOk;
}

}  // namespace

void AddTraceVerifyCommand(CLI::App& trace, int& exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = trace.add_subcommand(
      "verify", "Find the first block of a sealed file that is not as it was written");
  command->add_option("FILE", arguments->file, "Written by `trace export --format sealed`")
      ->required();
  command->add_flag("--json", arguments->json, "One JSON object");
  command->footer(
      "Exit code: 0 when all blocks are there, whole and in order, 1 when one was changed, "
      "removed,\n"
      "inserted or reordered, or the file was cut off; 2 when it is no sealed file.\n"
      "Who could write the file could also make its whole chain anew: keep the last seal "
      "elsewhere\n"
      "and compare it.\n"
      "Example:\n  bitactor trace verify run1.sealed");
  command->callback([arguments, &exit_code] { exit_code = Verify(*arguments); });
}

}  // namespace bitactor::cli
