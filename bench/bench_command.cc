#include "bench/bench_command.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/environment.h"
#include "bench/report.h"
#include "bench/rows.h"
#include "bitactor/l1_core/placement.h"

namespace bitactor::bench {
namespace {

constexpr uint32_t kRepeatsMax = 1000;
constexpr uint64_t kQuickRunNs = 10'000'000;

// A directory of our own, gone with everything in it at the end.
class WorkDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<WorkDirectory>> Make(std::string parent) {
    if (parent.empty()) {
      const char* from_environment = getenv("TMPDIR");
      parent = from_environment != nullptr && *from_environment != '\0' ? from_environment : "/tmp";
    }
    std::string path = absl::StrCat(parent, "/bitactor-bench-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("cannot make a directory in '", parent,
                                                     "': ", std::strerror(errno),
                                                     "; set TMPDIR to a writable directory"));
    }
    return std::unique_ptr<WorkDirectory>(new WorkDirectory(std::move(path)));
  }
  ~WorkDirectory() {
    std::error_code ignored;  // what is left in a temporary directory harms nobody
    std::filesystem::remove_all(path_, ignored);
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

absl::Status CannotWrite(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot write the JSON file '", path, "': ", errno != 0 ? std::strerror(errno) : "I/O error",
      "; give --json a file name in a directory that exists and is writable, on a disk with "
      "space"));
}

// Whether the file can be written, found out before minutes of measuring. Keeps what is in it.
absl::Status CheckWritable(const std::string& path) {
  std::error_code ignored;
  const bool was_there = std::filesystem::exists(path, ignored);
  errno = 0;
  if (!std::ofstream(path, std::ios::app)) return CannotWrite(path);
  if (!was_there) std::filesystem::remove(path, ignored);
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  return file ? absl::OkStatus() : CannotWrite(path);
}

int WrongUse(std::ostream& err, const absl::Status& why) {
  err << "bitactor bench: " << why.message() << '\n';
  return kBenchWrongUse;
}

void List(const std::vector<const Registry::Entry*>& entries, std::ostream& out) {
  for (const Registry::Entry* entry : entries) {
    out << absl::StreamFormat("%-26s  %-8s  %s\n", entry->row.name, entry->row.unit,
                              entry->row.note);
  }
}

void ShowProgress(const Progress& progress, std::ostream& err) {
  const std::string round =
      progress.round == 0 ? "set-up" : absl::StrCat("round ", progress.round, "/", progress.rounds);
  // \x1b[K clears what a longer name left behind.
  err << "\r" << round << "  row " << progress.row_index + 1 << "/" << progress.row_count << "  "
      << progress.name << "\x1b[K" << std::flush;
}

}  // namespace

int RunBenchCommand(const BenchOptions& options, const Registry& registry, const TickClock& clock,
                    std::ostream& out, std::ostream& err) {
  if (options.repeats < 1 || options.repeats > kRepeatsMax) {
    return WrongUse(err, absl::InvalidArgumentError(absl::StrCat(
                             "--repeats is ", options.repeats, "; it must be 1 to ", kRepeatsMax)));
  }
  const auto entries = registry.Select(options.filter);
  if (!entries.ok()) return WrongUse(err, entries.status());
  if (options.list) {
    List(*entries, out);
    return kBenchOk;
  }
  if (!options.json_path.empty()) {
    if (const auto status = CheckWritable(options.json_path); !status.ok()) {
      return WrongUse(err, status);
    }
  }
  const auto work_directory = WorkDirectory::Make(options.work_dir);
  if (!work_directory.ok()) return WrongUse(err, work_directory.status());

  const Environment environment = ReadEnvironment(clock);
  std::optional<ScopedPin> pin;
  if (const std::vector<int> cpus = AllowedCpus(); options.pin && !cpus.empty()) {
    pin.emplace(cpus.back());
  }
  RunOptions run{.rounds = options.repeats};
  if (options.quick) run.run_ns = kQuickRunNs;
  if (options.progress) run.on_progress = [&err](const Progress& p) { ShowProgress(p, err); };
  const Results results = RunRows(registry, *entries, {clock, (*work_directory)->path()}, run);
  if (options.progress) err << "\r\x1b[K" << std::flush;

  WriteTable(environment, results, run, out);
  int exit_code = kBenchOk;
  for (const RowOmitted& row : results.omitted) {
    if (row.failed) exit_code = kBenchFailed;
  }
  if (!options.json_path.empty()) {
    const auto status = WriteFile(options.json_path, ToJson(environment, results));
    if (!status.ok()) {
      err << "bitactor bench: " << status.message() << '\n';
      exit_code = kBenchFailed;
    }
  }
  return exit_code;
}

int RunBenchCommand(const BenchOptions& options, std::ostream& out, std::ostream& err) {
  Registry registry;
  RegisterMachineRows(registry);
  RegisterMachinePairRows(registry);
  RegisterL1CoreRows(registry);
  RegisterL1QueueRows(registry);
  RegisterTracingRows(registry);
  RegisterPersistenceRows(registry);
  RegisterPersistenceTailRows(registry);
  RegisterDurabilityRows(registry);
  RegisterL2MailboxRows(registry);
  RegisterFabricRows(registry);
  RegisterBlockRows(registry);
  RegisterMergeRows(registry);
  RegisterCrossCoreRows(registry);
  RegisterL3GenactorRows(registry);
  const TickClock clock;
  return RunBenchCommand(options, registry, clock, out, err);
}

}  // namespace bitactor::bench
