// `bitactor journal index`.
#include "bitactor/persistence/journal_index.h"

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/journal_commands.h"
#include "cli/journal_merge.h"

namespace bitactor::cli {
namespace {

std::string ToText(const std::string& dir, const IndexReport& report) {
  std::string text = absl::StrFormat("%s: %d segments have an index, %d of them new", dir,
                                     report.kept + report.built + report.rebuilt, report.built);
  if (report.rebuilt > 0) {
    absl::StrAppend(&text, ", ", report.rebuilt, " in place of one that did not fit");
  }
  if (report.removed > 0) absl::StrAppend(&text, "; ", report.removed, " of retired ones removed");
  if (report.left_out > 0) {
    absl::StrAppend(&text, "; ", report.left_out, " have none, because of gaps or damage");
  }
  return text;
}

}  // namespace

int IndexCommand(const IndexArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(PosixFiles(), arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  int code = kExitOk;
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<JournalIndex> index = JournalIndex::Open(journal.dir);
    if (!index.ok()) return Fail(index.status());
    absl::StatusOr<IndexReport> report = index->Update();
    if (!report.ok()) return Fail(report.status());
    std::printf("%s\n", ToText(journal.dir, *report).c_str());
    if (!report->damage.ok()) code = Fail(report->damage);
  }
  return code;
}

}  // namespace bitactor::cli
