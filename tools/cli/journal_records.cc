// `bitactor journal dump|tail|export`: the commands that print records.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/commands.h"
#include "cli/journal_commands.h"
#include "cli/journal_merge.h"
#include "cli/journal_print.h"
#include "cli/journal_tail.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace bitactor::cli {
namespace {

// Between two looks for progress and for a stop.
constexpr uint64_t kRecordsPerLook = 1024;

absl::StatusOr<JournalMerge> OpenJournals(const std::string& dir,
                                          const FilterArguments& arguments) {
  absl::StatusOr<RecordFilter> filter = ParseFilter(
      arguments, static_cast<uint64_t>(absl::GetCurrentTimeNanos()),
      [&](const std::string& name) { return FindActorByName(PosixFiles(), dir, name); });
  if (!filter.ok()) return filter.status();
  return JournalMerge::Open(PosixFiles(), dir, *std::move(filter));
}

RecordFormat FormatOf(bool hex, bool json) {
  return json ? RecordFormat::kJson : hex ? RecordFormat::kHex : RecordFormat::kText;
}

class RecordWriter {
 public:
  RecordWriter(RecordFormat format, Output& output) : format_(format), output_(output) {}

  absl::Status Begin() { return output_.Write(Heading(format_)); }
  absl::Status Write(const PlacedRecord& placed) {
    line_.clear();
    AppendRecord(format_, placed, line_);
    ++written_;
    return output_.Write(line_);
  }
  uint64_t written() const { return written_; }

 private:
  const RecordFormat format_;
  Output& output_;
  std::string line_;
  uint64_t written_ = 0;
};

// Writes the records up to the limit (0: all). `go_on` is asked now and then.
template <typename GoOn>
absl::Status WriteAll(JournalMerge& journals, uint64_t limit, RecordWriter& writer, GoOn go_on) {
  while (limit == 0 || writer.written() < limit) {
    const std::optional<PlacedRecord> next = journals.Next();
    if (!next.has_value()) break;
    if (absl::Status status = writer.Write(*next); !status.ok()) return status;
    if (writer.written() % kRecordsPerLook == 0 && !go_on()) {
      return absl::AbortedError(
          absl::StrCat("stopped after ", writer.written(), " records; nothing was kept"));
    }
  }
  return absl::OkStatus();
}

// Gaps are no fault, but nobody should miss that something is missing.
void TellOfGaps(const JournalMerge& journals, const std::string& dir) {
  if (journals.gaps() == 0) return;
  std::fprintf(stderr,
               "bitactor: %llu gaps were passed over, bytes that a repair gave up; `bitactor "
               "journal verify %s` lists them\n",
               static_cast<unsigned long long>(journals.gaps()), dir.c_str());
}

// A reader of standard output that has gone took what it wanted.
int ExitCodeOf(const absl::Status& status) {
  return status.ok() || absl::IsCancelled(status) ? kExitOk : Fail(status);
}

}  // namespace

int DumpCommand(const DumpArguments& arguments) {
  absl::StatusOr<JournalMerge> journals = OpenJournals(arguments.dir, arguments.filter);
  if (!journals.ok()) return Fail(journals.status());
  const std::unique_ptr<Output> output = StandardOutput();
  RecordWriter writer(FormatOf(arguments.hex, arguments.json), *output);
  absl::Status status = WriteAll(*journals, arguments.limit, writer, [] { return true; });
  if (status.ok()) status = output->Finish();
  if (status.ok()) status = journals->status();
  TellOfGaps(*journals, arguments.dir);
  return ExitCodeOf(status);
}

int TailCommand(const TailArguments& arguments) {
  TailOptions options;
  options.last = arguments.last;
  options.follow = arguments.follow;
  options.count = arguments.count;
  if (!arguments.follow_for.empty()) {
    absl::Duration length;
    if (!absl::ParseDuration(arguments.follow_for, &length) || length <= absl::ZeroDuration() ||
        length > absl::Hours(24 * 365)) {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("--for ", arguments.follow_for,
                       ": write a length of time over 0 and up to a year (8760h), for example 30s, "
                       "5m or 1h30m")));
    }
    options.follow_ns = static_cast<uint64_t>(absl::ToInt64Nanoseconds(length));
  }
  absl::StatusOr<JournalMerge> journals = OpenJournals(arguments.dir, arguments.filter);
  if (!journals.ok()) return Fail(journals.status());
  const StopSignal stop;
  const std::unique_ptr<Output> output = StandardOutput();
  RecordWriter writer(FormatOf(arguments.hex, arguments.json), *output);
  TailPorts ports;
  ports.print = [&](const PlacedRecord& placed) { return writer.Write(placed); };
  ports.flush = [&] { return output->Flush(); };
  ports.now_ns = [] {
    return static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
  };
  ports.wait = [&](uint64_t wait_ns) { return stop.Wait(wait_ns); };
  const absl::Status status = Tail(*journals, options, ports);
  TellOfGaps(*journals, arguments.dir);
  return ExitCodeOf(status);
}

int ExportCommand(const ExportArguments& arguments) {
  absl::StatusOr<JournalMerge> journals = OpenJournals(arguments.dir, arguments.filter);
  if (!journals.ok()) return Fail(journals.status());
  const bool to_file = !arguments.output.empty();
  absl::StatusOr<std::unique_ptr<Output>> output = StandardOutput();
  std::optional<StopSignal> stop;
  if (to_file) {
    output = FileOutput(PosixFiles(), arguments.output);
    stop.emplace();
  }
  if (!output.ok()) return Fail(output.status());
  RecordWriter writer(arguments.format == "csv" ? RecordFormat::kCsv : RecordFormat::kJson,
                      **output);
  absl::Status status = writer.Begin();
  if (status.ok()) {
    ByteProgress progress(arguments.dir);
    status = WriteAll(*journals, arguments.limit, writer, [&] {
      progress.Update(journals->passed_bytes(), journals->total_bytes());
      return !stop.has_value() || !stop->stopped();
    });
  }
  if (status.ok()) status = (*output)->Finish();
  if (!status.ok()) return ExitCodeOf(status);
  TellOfGaps(*journals, arguments.dir);
  if (!journals->status().ok()) {
    const int code = Fail(journals->status());
    std::fprintf(stderr, "bitactor: the %llu records that could be read were exported\n",
                 static_cast<unsigned long long>(writer.written()));
    return code;
  }
  if (to_file) {
    std::fprintf(stderr, "%llu records exported to %s\n",
                 static_cast<unsigned long long>(writer.written()), arguments.output.c_str());
  }
  return kExitOk;
}

}  // namespace bitactor::cli
