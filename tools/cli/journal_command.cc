// `bitactor journal stat|dump|verify`.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/journal_set.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "cli/commands.h"
#include "pipeline/chain.h"

namespace bitactor::cli {
namespace {

using Json = nlohmann::ordered_json;

struct JournalArguments {
  std::string dir;
  bool json = false;
  // dump
  int shard = -1;
  uint64_t from = 0;
  uint64_t limit = 0;
};

struct JournalDir {
  uint32_t shard;
  std::string dir;
};

// The journals of a set, or the folder itself when it is one journal.
absl::StatusOr<std::vector<JournalDir>> JournalsOf(const std::string& dir) {
  absl::StatusOr<std::vector<uint32_t>> shards = ListShardJournals(PosixFiles(), dir);
  if (!shards.ok()) return shards.status();
  std::vector<JournalDir> journals;
  for (const uint32_t shard : *shards) journals.push_back({shard, ShardJournalDir(dir, shard)});
  if (journals.empty()) journals.push_back({0, dir});
  return journals;
}

const char* KindName(FrameKind kind) {
  switch (kind) {
    case FrameKind::kCast:
      return "cast";
    case FrameKind::kCall:
      return "call";
    case FrameKind::kReply:
      return "reply";
    case FrameKind::kTimer:
      return "timer";
    case FrameKind::kSystem:
      return "system";
    case FrameKind::kBlock:
      return "block";
    case FrameKind::kRecord:
      return "record";
    default:
      return "other";
  }
}

int Stat(const JournalArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  Json all = Json::array();
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<JournalStat> stat = StatJournal(journal.dir);
    if (!stat.ok()) return Fail(stat.status());
    const std::string owner = stat->owner.has_value() ? stat->owner->ToString() : "";
    if (arguments.json) {
      all.push_back({{"dir", journal.dir},
                     {"shard", journal.shard},
                     {"segments", stat->segments},
                     {"segment_bytes", stat->segment_bytes},
                     {"records", stat->records},
                     {"bytes", stat->bytes},
                     {"first_stamp_ns", stat->first_stamp_ns},
                     {"last_stamp_ns", stat->last_stamp_ns},
                     {"tail", stat->tail.value()},
                     {"closed_clean", stat->closed_clean},
                     {"owner", owner}});
      continue;
    }
    std::printf("%s\n  %llu records, %llu bytes in %u segments of %llu; tail %s; %s\n",
                journal.dir.c_str(), static_cast<unsigned long long>(stat->records),
                static_cast<unsigned long long>(stat->bytes), stat->segments,
                static_cast<unsigned long long>(stat->segment_bytes), stat->tail.ToString().c_str(),
                !owner.empty()       ? absl::StrCat("in use by ", owner).c_str()
                : stat->closed_clean ? "closed cleanly"
                                     : "not closed: its writer died; the next start recovers it");
  }
  if (arguments.json) std::printf("%s\n", all.dump(2).c_str());
  return kExitOk;
}

void PrintFrame(const JournalArguments& arguments, uint32_t shard, const Record& record) {
  const FrameHeader& header = record.frame().header;
  std::string type = pipeline::TypeNameOf(header.type);
  if (type.empty()) type = absl::StrFormat("%08x", header.type);
  if (arguments.json) {
    const Json line = {{"place", absl::StrCat(shard, ":", record.position().ToString())},
                       {"stamp_ns", header.stamp_ns},
                       {"kind", KindName(header.kind)},
                       {"type", type},
                       {"source", header.source},
                       {"target", header.target},
                       {"message_id", header.message_id},
                       {"correlation_id", header.correlation_id},
                       {"trace", absl::StrFormat("%016x", header.trace)},
                       {"size_bytes", static_cast<int>(header.size_bytes)}};
    std::printf("%s\n", line.dump().c_str());
    return;
  }
  std::printf("%u:%-10s %llu %-6s %-14s %u -> %u  id %u/%llu  %u bytes\n", shard,
              record.position().ToString().c_str(),
              static_cast<unsigned long long>(header.stamp_ns), KindName(header.kind), type.c_str(),
              header.source, header.target, static_cast<unsigned>(IncarnationOf(header.message_id)),
              static_cast<unsigned long long>(SequenceOf(header.message_id)),
              static_cast<unsigned>(header.size_bytes));
}

int Dump(const JournalArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  bool any = false;
  for (const JournalDir& journal : *journals) {
    if (arguments.shard >= 0 && journal.shard != static_cast<uint32_t>(arguments.shard)) continue;
    any = true;
    absl::StatusOr<JournalReader> reader = JournalReader::Open(journal.dir);
    if (!reader.ok()) return Fail(reader.status());
    History history = reader->Replay();
    uint64_t printed = 0;
    for (const Record& record : history) {
      if (record.position().value() < arguments.from) continue;
      if (arguments.limit != 0 && printed++ == arguments.limit) break;
      PrintFrame(arguments, journal.shard, record);
    }
    if (!history.status().ok()) return Fail(history.status());
  }
  if (!any) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        "--shard ", arguments.shard, ": ", arguments.dir, " has no journal of that shard")));
  }
  return kExitOk;
}

int Verify(const JournalArguments& arguments) {
  absl::StatusOr<std::vector<JournalDir>> journals = JournalsOf(arguments.dir);
  if (!journals.ok()) return Fail(journals.status());
  uint64_t damages = 0;
  Json all = Json::array();
  for (const JournalDir& journal : *journals) {
    absl::StatusOr<VerifyReport> report = absl::UnknownError("not run");
    {
      ProgressLine progress;
      report = VerifyJournal(journal.dir, PosixFiles(), [&](uint64_t done, uint64_t total) {
        progress.Show(absl::StrFormat("%s: %d of %d MiB", journal.dir, done >> 20, total >> 20));
      });
    }
    if (!report.ok()) return Fail(report.status());
    damages += report->damage_count;
    if (arguments.json) {
      Json list = Json::array();
      for (const Damage& damage : report->damages) {
        list.push_back({{"kind", DamageKindName(damage.kind)},
                        {"file", damage.file},
                        {"offset", damage.offset},
                        {"bytes", damage.bytes},
                        {"position", damage.position.value()},
                        {"detail", damage.detail}});
      }
      all.push_back({{"dir", journal.dir},
                     {"segments", report->segments},
                     {"records", report->records},
                     {"bytes_read", report->bytes_read},
                     {"closed_clean", report->closed_clean},
                     {"damage_count", report->damage_count},
                     {"damages", list}});
      continue;
    }
    std::printf(
        "%s: %llu records in %u segments: %s\n", journal.dir.c_str(),
        static_cast<unsigned long long>(report->records), report->segments,
        report->ok() ? "sound" : absl::StrCat(report->damage_count, " damaged places").c_str());
    for (const Damage& damage : report->damages) std::printf("  %s\n", damage.ToString().c_str());
  }
  if (arguments.json) std::printf("%s\n", all.dump(2).c_str());
  return damages == 0 ? kExitOk : kExitFoundProblem;
}

}  // namespace

void AddJournalCommands(CLI::App& app, int& exit_code) {
  CLI::App* journal = app.add_subcommand("journal", "Look at journals; changes nothing");
  journal->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, const char* example,
                       int (*run)(const JournalArguments&)) {
    auto arguments = std::make_shared<JournalArguments>();
    CLI::App* command = journal->add_subcommand(name, help);
    command->add_option("DIR", arguments->dir, "A run's journal folder, or one journal")
        ->required();
    command->add_flag("--json", arguments->json, "For programs");
    command->footer(absl::StrCat("Example:\n  bitactor journal ", example));
    command->callback([arguments, run, &exit_code] { exit_code = run(*arguments); });
    return std::pair(command, arguments);
  };
  add("stat", "Sizes, times, and who has it open", "stat run1", &Stat);
  add("verify", "Read everything and report all damage; exit code 1 if there is any", "verify run1",
      &Verify);
  const auto [dump, arguments] = add("dump", "Print the frames, one a line",
                                     "dump run1 --shard 0 --from 4711 --limit 20", &Dump);
  dump->add_option("--shard", arguments->shard, "Only this shard's journal")
      ->check(CLI::Range(0, 63));
  dump->add_option("--from", arguments->from, "Only frames from this position on");
  dump->add_option("--limit", arguments->limit, "At most so many frames of each journal; 0: all");
}

}  // namespace bitactor::cli
