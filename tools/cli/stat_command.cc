// `bitactor stat` and `bitactor top`.
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/file.h"
#include "bitactor/l2_mailbox/fabric_stats.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/stat_view.h"

namespace bitactor::cli {
namespace {

struct FabricStatArguments {
  std::string dir;
  bool json = false;
  bool watch = false;
  double interval_s = 1;
  StatViewOptions view;
};

// To the upper left corner, and everything below is empty.
constexpr char kClearScreen[] = "\033[H\033[J";

uint64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

absl::StatusOr<FabricReading> Read(const std::string& dir) {
  std::error_code ignored;
  const bool is_dir = std::filesystem::is_directory(dir, ignored);
  absl::StatusOr<FabricReading> reading =
      ReadFabricStats(PosixFiles(), is_dir ? FabricStatsFile(dir) : dir);
  if (!absl::IsNotFound(reading.status())) return reading;
  return absl::NotFoundError(
      absl::StrCat(reading.status().message(),
                   "; a fabric makes it when it starts, below its journal folder or where "
                   "FabricOptions::stats_file says"));
}

std::string Shown(const FabricStatArguments& arguments, const StatMoment& moment, bool first,
                  bool on_terminal) {
  if (arguments.json) {
    const auto json = StatJson(moment);
    return absl::StrCat(arguments.watch ? json.dump() : json.dump(2), "\n");
  }
  const std::string text = StatText(arguments.dir, moment, arguments.view);
  if (!arguments.watch) return text;
  return absl::StrCat(on_terminal ? kClearScreen : first ? "" : "\n", text);
}

int Stat(const FabricStatArguments& arguments) {
  const StopSignal stop;
  const std::unique_ptr<Output> output = StandardOutput();
  const bool on_terminal = isatty(STDOUT_FILENO) != 0;
  std::optional<FabricReading> before;
  for (bool first = true;; first = false) {
    absl::StatusOr<FabricReading> reading = Read(arguments.dir);
    if (!reading.ok()) return Fail(reading.status());
    // Of another start of the fabric there is nothing to compare with.
    if (before.has_value() && before->start_ns != reading->start_ns) before.reset();
    const StatMoment moment{*reading, before.has_value() ? &*before : nullptr,
                            reading->NowNs(MonotonicNs())};
    absl::Status status = output->Write(Shown(arguments, moment, first, on_terminal));
    if (status.ok()) status = output->Flush();
    if (absl::IsCancelled(status)) return kExitOk;
    if (!status.ok()) return Fail(status);
    if (!arguments.watch || reading->state != WriterState::kRunning) {
      return ShowsFault(moment) ? kExitFoundProblem : kExitOk;
    }
    if (!stop.Wait(static_cast<uint64_t>(arguments.interval_s * 1e9))) return kExitOk;
    before = *std::move(reading);
  }
}

void AddOptions(CLI::App& command, FabricStatArguments& arguments) {
  static const std::map<std::string, StatSort> kSorts = {{"depth", StatSort::kDepth},
                                                         {"age", StatSort::kAge},
                                                         {"rate", StatSort::kRate},
                                                         {"refused", StatSort::kRefused}};
  command
      .add_option("DIR", arguments.dir,
                  "A run's journal folder, or the file of FabricOptions::stats_file")
      ->required();
  command
      .add_option("--interval", arguments.interval_s,
                  "Seconds between two readings; the fabric publishes ten times a second")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  command
      .add_option("--sort", arguments.view.sort,
                  "Mailboxes, lanes and ports with most first: depth, age, rate or refused")
      ->transform(CLI::CheckedTransformer(kSorts))
      ->default_str("depth");
  command.add_option("--limit", arguments.view.limit, "How many of each are listed; 0: all")
      ->capture_default_str();
  command.add_flag("--json", arguments.json, "For programs: all of it; watching, an object a line");
}

constexpr char kEndings[] =
    "\nReads only, and holds nobody up. Watching ends with the fabric, or with Ctrl-C (exit code "
    "0)."
    "\nExit code 1: the fabric was killed, a shard is silent (a handler does not come back), its "
    "journal is full, or the file is damaged.";

}  // namespace

void AddStatCommands(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<FabricStatArguments>();
  CLI::App* stat = app.add_subcommand(
      "stat", "Show what a fabric does: shards, mailboxes, lanes, ports; live, or its last state");
  AddOptions(*stat, *arguments);
  stat->add_flag("--watch,-w", arguments->watch, "Again and again, with rates");
  stat->footer(
      absl::StrCat("Examples:\n"
                   "  bitactor stat run1\n"
                   "  bitactor stat run1 --watch --interval 0.5 --sort age\n"
                   "  bitactor stat run1 --json",
                   kEndings));
  stat->callback([arguments, &exit_code] { exit_code = Stat(*arguments); });

  auto top_arguments = std::make_shared<FabricStatArguments>();
  top_arguments->watch = true;
  CLI::App* top = app.add_subcommand("top", "The same as stat --watch");
  AddOptions(*top, *top_arguments);
  top->footer(absl::StrCat("Example:\n  bitactor top run1 --sort rate", kEndings));
  top->callback([top_arguments, &exit_code] { exit_code = Stat(*top_arguments); });
}

}  // namespace bitactor::cli
