// `bitactor journal stat`.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/persistence/journal_verify.h"
#include "cli/commands.h"
#include "cli/journal_commands.h"
#include "cli/journal_merge.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

// Between the first record's stamp and the last one's; 0 when there is no time between them.
double RecordsPerSecond(const JournalStat& stat) {
  if (stat.records < 2 || stat.last_stamp_ns <= stat.first_stamp_ns) return 0;
  return static_cast<double>(stat.records - 1) * 1e9 /
         static_cast<double>(stat.last_stamp_ns - stat.first_stamp_ns);
}

Json ToJson(const JournalDir& journal, const JournalStat& stat, bool segments) {
  Json json = {{"dir", journal.dir},
               {"shard", journal.shard},
               {"segments", stat.segments},
               {"segment_bytes", stat.segment_bytes},
               {"records", stat.records},
               {"bytes", stat.bytes},
               {"first_stamp_ns", stat.first_stamp_ns},
               {"last_stamp_ns", stat.last_stamp_ns},
               {"records_per_s", RecordsPerSecond(stat)},
               {"tail", stat.tail.value()},
               {"closed_clean", stat.closed_clean},
               {"owner", stat.owner.has_value() ? stat.owner->ToString() : ""}};
  if (!segments) return json;
  Json list = Json::array();
  for (const SegmentStat& segment : stat.segment_list) {
    list.push_back({{"index", segment.index},
                    {"records", segment.records},
                    {"first", segment.first.value()},
                    {"last", segment.last.value()},
                    {"last_stamp_ns", segment.last_stamp_ns},
                    {"created_ns", segment.created_ns},
                    {"sealed", segment.sealed}});
  }
  json["segment_list"] = list;
  return json;
}

std::string ToText(const JournalDir& journal, const JournalStat& stat, bool segments) {
  std::string text = absl::StrFormat(
      "%s\n  %d records, %d bytes in %d segments of %d; tail %s; %s\n", journal.dir, stat.records,
      stat.bytes, stat.segments, stat.segment_bytes, stat.tail.ToString(),
      stat.owner.has_value() ? absl::StrCat("in use by ", stat.owner->ToString())
      : stat.closed_clean    ? "closed cleanly"
                             : "not closed: its writer died; the next start recovers it");
  if (stat.records > 0) {
    absl::StrAppendFormat(&text, "  from %s to %s, %.0f records/s\n", TimeText(stat.first_stamp_ns),
                          TimeText(stat.last_stamp_ns), RecordsPerSecond(stat));
  }
  if (!segments) return text;
  absl::StrAppendFormat(&text, "  %8s %10s %12s %12s %-6s %-30s %s\n", "segment", "records",
                        "first", "last", "sealed", "made", "last record");
  for (const SegmentStat& segment : stat.segment_list) {
    absl::StrAppendFormat(&text, "  %08d %10d %12s %12s %-6s %-30s %s\n", segment.index,
                          segment.records, segment.first.ToString(), segment.last.ToString(),
                          segment.sealed ? "yes" : "no", TimeText(segment.created_ns),
                          segment.last_stamp_ns == 0 ? "-" : TimeText(segment.last_stamp_ns));
  }
  return text;
}

}  // namespace

int StatCommand(const StatArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(PosixFiles(), arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  Json all = Json::array();
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<JournalStat> stat = StatJournal(journal.dir);
    if (!stat.ok()) return Fail(stat.status());
    if (arguments.json) {
      all.push_back(ToJson(journal, *stat, arguments.segments));
    } else {
      std::fputs(ToText(journal, *stat, arguments.segments).c_str(), stdout);
    }
  }
  if (arguments.json) std::printf("%s\n", all.dump(2).c_str());
  return kExitOk;
}

}  // namespace bitactor::cli
