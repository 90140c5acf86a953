// `bitactor journal verify`.
#include "bitactor/persistence/journal_verify.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/journal_commands.h"
#include "cli/journal_merge.h"
#include "cli/progress.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

absl::StatusOr<VerifyReport> VerifyWithProgress(const std::string& dir) {
  ByteProgress progress(dir);
  return VerifyJournal(dir, PosixFiles(), [&](uint64_t done_bytes, uint64_t total_bytes) {
    progress.Update(done_bytes, total_bytes);
  });
}

Json ToJson(const JournalDir& journal, const VerifyReport& report) {
  Json damages = Json::array();
  for (const Damage& damage : report.damages) {
    damages.push_back({{"kind", DamageKindName(damage.kind)},
                       {"file", damage.file},
                       {"offset", damage.offset},
                       {"bytes", damage.bytes},
                       {"position", damage.position.value()},
                       {"detail", damage.detail}});
  }
  Json gaps = Json::array();
  for (const KnownGap& gap : report.gaps) {
    gaps.push_back({{"file", gap.file},
                    {"offset", gap.offset},
                    {"bytes", gap.bytes},
                    {"position", gap.position.value()}});
  }
  return {{"dir", journal.dir},
          {"shard", journal.shard},
          {"segments", report.segments},
          {"records", report.records},
          {"bytes_read", report.bytes_read},
          {"closed_clean", report.closed_clean},
          {"acknowledged",
           report.acknowledged.has_value() ? Json(report.acknowledged->value()) : Json()},
          {"damage_count", report.damage_count},
          {"damages", damages},
          {"gap_count", report.gap_count},
          {"gaps", gaps},
          {"abandoned_blocks", report.abandoned_blocks}};
}

void PrintText(const JournalDir& journal, const VerifyReport& report) {
  std::printf("%s: %llu records in %u segments: %s\n", journal.dir.c_str(),
              static_cast<unsigned long long>(report.records), report.segments,
              report.ok() ? "sound" : absl::StrCat(report.damage_count, " damaged places").c_str());
  for (const Damage& damage : report.damages) std::printf("  %s\n", damage.ToString().c_str());
  if (report.damage_count > report.damages.size()) {
    std::printf("  and %llu more\n",
                static_cast<unsigned long long>(report.damage_count - report.damages.size()));
  }
  for (const KnownGap& gap : report.gaps) std::printf("  %s\n", gap.ToString().c_str());
  if (report.gap_count > report.gaps.size()) {
    std::printf("  and %llu more gaps\n",
                static_cast<unsigned long long>(report.gap_count - report.gaps.size()));
  }
  if (report.abandoned_blocks > 0) {
    std::printf("  %llu blocks were begun and never appended, which is no damage\n",
                static_cast<unsigned long long>(report.abandoned_blocks));
  }
  if (!report.ok()) {
    std::printf("  `bitactor journal repair --dry-run %s` shows what can be done about it\n",
                journal.dir.c_str());
  }
}

}  // namespace

int VerifyCommand(const VerifyArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(PosixFiles(), arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  uint64_t damages = 0;
  Json all = Json::array();
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<VerifyReport> report = VerifyWithProgress(journal.dir);
    if (!report.ok()) return Fail(report.status());
    damages += report->damage_count;
    if (arguments.json) {
      all.push_back(ToJson(journal, *report));
    } else {
      PrintText(journal, *report);
    }
  }
  if (arguments.json) std::printf("%s\n", all.dump(2).c_str());
  return damages == 0 ? kExitOk : kExitFoundProblem;
}

}  // namespace bitactor::cli
