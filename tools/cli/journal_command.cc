// `bitactor journal`: the command lines.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/journal_commands.h"

namespace bitactor::cli {
namespace {

constexpr char kReadOnly[] =
    "\nExit codes: 0 ok, 1 damage or no space, 2 wrong use. Journals may be in use: they are only "
    "read.";
constexpr char kOrder[] =
    "\nThe journals of a set are shown as one, the lower stamp first, then the lower shard; each "
    "keeps its own order.";
constexpr char kFilters[] = "Which records";

// A command with the folder that all of them take.
template <typename Arguments>
std::shared_ptr<Arguments> AddCommand(CLI::App& journal, const char* name, const char* help,
                                      const std::string& footer, int (*run)(const Arguments&),
                                      int& exit_code, CLI::App*& command) {
  auto arguments = std::make_shared<Arguments>();
  command = journal.add_subcommand(name, help);
  command->add_option("DIR", arguments->dir, "A run's journal folder, or one journal")->required();
  command->footer(footer);
  command->callback([arguments, run, &exit_code] { exit_code = run(*arguments); });
  return arguments;
}

void AddFilters(CLI::App& command, FilterArguments& filter) {
  command
      .add_option(
          "--since", filter.since,
          "Stamped then or later: UTC (2026-11-21T16:17:30.5), before now (-5m), or a stamp")
      ->group(kFilters);
  command.add_option("--until", filter.until, "Stamped before then")->group(kFilters);
  command
      .add_option("--from", filter.from, "From POSITION on; SHARD:POSITION: of that shard alone")
      ->group(kFilters);
  command.add_option("--to", filter.to, "Before POSITION; SHARD:POSITION: of that shard alone")
      ->group(kFilters);
  command.add_option("--source", filter.source, "Sent by the actor with this id or name")
      ->group(kFilters);
  command.add_option("--target", filter.target, "Sent to the actor with this id or name")
      ->group(kFilters);
  command
      .add_option("--kind", filter.kinds,
                  "cast, call, reply, timer, system, block or record; may be repeated")
      ->allow_extra_args(false)
      ->group(kFilters);
  command.add_option("--type", filter.type, "Of this type: its name, or 8 hexadecimal digits")
      ->group(kFilters);
  command.add_option("--shard", filter.shard, "Of this shard's journal")
      ->check(CLI::Range(0, 63))
      ->group(kFilters);
}

template <typename Arguments>
void AddPrintFlags(CLI::App& command, Arguments& arguments) {
  CLI::Option* json = command.add_flag("--json", arguments.json,
                                       "One JSON object a line, with all fields and the payload");
  command.add_flag("--hex", arguments.hex, "The bytes of header and payload as well")
      ->excludes(json);
}

}  // namespace

void AddJournalCommands(CLI::App& app, int& exit_code) {
  CLI::App* journal = app.add_subcommand("journal", "Look at journals, and repair them");
  journal->require_subcommand(1);
  CLI::App* command = nullptr;

  auto stat = AddCommand(*journal, "stat", "Sizes, times, and who has it open",
                         absl::StrCat("Examples:\n  bitactor journal stat run1\n"
                                      "  bitactor journal stat run1 --segments",
                                      kReadOnly),
                         &StatCommand, exit_code, command);
  command->add_flag("--segments", stat->segments, "Each segment as well");
  command->add_flag("--json", stat->json, "For programs");

  auto dump = AddCommand(*journal, "dump", "Print records, one a line",
                         absl::StrCat("Examples:\n"
                                      "  bitactor journal dump run1 --from 0:4711 --limit 20\n"
                                      "  bitactor journal dump run1 --target risk/AAPL --hex\n"
                                      "  bitactor journal dump run1 --since -5m --kind call "
                                      "--kind reply --json",
                                      kOrder, kReadOnly),
                         &DumpCommand, exit_code, command);
  AddFilters(*command, dump->filter);
  command->add_option("--limit", dump->limit, "At most this many records; 0: all")->group(kFilters);
  AddPrintFlags(*command, *dump);

  auto tail = AddCommand(*journal, "tail", "Print the last records, and new ones as they come",
                         absl::StrCat("Examples:\n"
                                      "  bitactor journal tail run1 -n 5\n"
                                      "  bitactor journal tail run1 --follow --type Fill\n"
                                      "  bitactor journal tail run1 -n 0 --follow --for 30s --json",
                                      kOrder, " New records come as they are met.", kReadOnly),
                         &TailCommand, exit_code, command);
  AddFilters(*command, tail->filter);
  command->add_option("-n,--limit", tail->last, "How many of the last records")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  CLI::Option* follow = command->add_flag("--follow,-f", tail->follow,
                                          "Then what is appended, until Ctrl-C (exit code 0)");
  command->add_option("--for", tail->follow_for, "Follow for so long: 30s, 5m, 1h30m")
      ->needs(follow);
  command
      ->add_option("--count", tail->count,
                   "Follow until this many records are printed, the last ones included")
      ->check(CLI::Range(uint64_t{1}, ~uint64_t{0}))
      ->needs(follow);
  AddPrintFlags(*command, *tail);

  auto to_file = AddCommand(*journal, "export", "Write records for other programs",
                            absl::StrCat("Examples:\n"
                                         "  bitactor journal export run1 -o run1.jsonl\n"
                                         "  bitactor journal export run1 --format csv --type Fill "
                                         "-o fills.csv",
                                         kOrder,
                                         " The file appears when it is whole. After damage it "
                                         "holds what could be read, and the exit code is 1.",
                                         kReadOnly),
                            &ExportCommand, exit_code, command);
  AddFilters(*command, to_file->filter);
  command->add_option("--limit", to_file->limit, "At most this many records; 0: all")
      ->group(kFilters);
  command
      ->add_option("--format", to_file->format,
                   "jsonl: one JSON object a line; csv: RFC 4180, with a heading")
      ->check(CLI::IsMember({"jsonl", "csv"}))
      ->capture_default_str();
  command->add_option("--output,-o", to_file->output, "File to write; without it, standard output");

  auto verify = AddCommand(*journal, "verify",
                           "Read everything and report all damage; exit code 1 if there is any",
                           absl::StrCat("Example:\n  bitactor journal verify run1", kReadOnly),
                           &VerifyCommand, exit_code, command);
  command->add_flag("--json", verify->json, "For programs");

  AddCommand(
      *journal, "index", "Note which records are whose, so that --target reads those alone",
      "Example:\n  bitactor journal index run1\n"
      "Makes or brings up to date DIR/index of each journal, for its sealed segments; what was "
      "appended since is read whole. Journals may be in use. Folders `index` may be deleted.\n"
      "Exit codes: 0 ok, 1 damage or no space, 2 wrong use",
      &IndexCommand, exit_code, command);

  auto repair = AddCommand(
      *journal, "repair", "Make a damaged journal readable and appendable again",
      "Examples:\n"
      "  bitactor journal repair --dry-run run1\n"
      "  bitactor journal repair run1\n"
      "What cannot be read is copied to lost+found and becomes a gap; nothing is deleted. Nobody "
      "may have the journals open.\n"
      "Exit codes: 0 repaired, or nothing to repair; 1 with --dry-run: there is something; or it "
      "cannot be repaired; 2 wrong use",
      &RepairCommand, exit_code, command);
  command->add_flag("--dry-run", repair->dry_run, "Change nothing, show what would be done");
  command->add_flag("--json", repair->json, "For programs");
}

}  // namespace bitactor::cli
