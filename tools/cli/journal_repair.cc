// `bitactor journal repair`.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "bitactor/persistence/repair.h"
#include "cli/commands.h"
#include "cli/journal_commands.h"
#include "cli/journal_merge.h"
#include "cli/progress.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

absl::StatusOr<RepairReport> RepairWithProgress(const std::string& dir, bool dry_run) {
  ByteProgress progress(dir);
  RepairOptions options;
  options.dry_run = dry_run;
  options.progress = [&](uint64_t done_bytes, uint64_t total_bytes) {
    progress.Update(done_bytes, total_bytes);
  };
  return RepairJournal(dir, options);
}

Json ToJson(const JournalDir& journal, const RepairReport& report) {
  Json actions = Json::array();
  for (const RepairAction& action : report.actions) {
    actions.push_back({{"file", action.file},
                       {"offset", action.offset},
                       {"bytes", action.bytes},
                       {"position", action.position.value()},
                       {"what", action.what},
                       {"copy", action.copy}});
  }
  return {{"dir", journal.dir},
          {"dry_run", report.dry_run},
          {"records", report.records},
          {"gaps", report.gaps},
          {"actions", actions}};
}

std::string ToText(const JournalDir& journal, const RepairReport& report) {
  std::string text = absl::StrFormat("%s: ", journal.dir);
  if (report.actions.empty()) {
    text += "nothing to repair";
  } else {
    absl::StrAppendFormat(&text, "%d places %s", report.actions.size(),
                          report.dry_run ? "to repair; nothing was changed" : "repaired");
  }
  absl::StrAppendFormat(&text, "; %d records, %d gaps\n", report.records, report.gaps);
  for (const RepairAction& action : report.actions) {
    absl::StrAppendFormat(&text, "  %s\n", action.ToString());
  }
  return text;
}

}  // namespace

int RepairCommand(const RepairArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(PosixFiles(), arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  int exit_code = kExitOk;
  Json all = Json::array();
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<RepairReport> report = RepairWithProgress(journal.dir, arguments.dry_run);
    if (!report.ok()) {
      // What was repaired before is said in any case.
      exit_code = Fail(report.status());
      break;
    }
    if (arguments.dry_run && !report->actions.empty()) exit_code = kExitFoundProblem;
    if (arguments.json) {
      all.push_back(ToJson(journal, *report));
    } else {
      std::fputs(ToText(journal, *report).c_str(), stdout);
    }
  }
  if (arguments.json) std::printf("%s\n", all.dump(2).c_str());
  return exit_code;
}

}  // namespace bitactor::cli
