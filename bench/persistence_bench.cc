// persistence/*: what the journal costs beside a bare store into warm storage.
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/floor_loop.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bench/warm_mapping.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"

namespace bitactor::bench {
namespace {

constexpr size_t kPayloadBytes = 64;
constexpr size_t kRecordBytes = StoredBytes(kPayloadBytes);
// Records that a run appends at most: nearly two segments. Much more would measure how fast the
// kernel makes pages and gets rid of dirty ones.
constexpr uint64_t kAppendsMax = 1'000'000;
// Records of the journal that is read: 128 MiB, so a little more than two segments.
constexpr uint64_t kRecordsToRead = uint64_t{1} << 20;
// Records behind the last seal when a writer died: nearly all that a segment holds.
constexpr uint64_t kRecordsToRecover = 500'000;

Frame SealedFrame() {
  Frame frame{};
  frame.header.size_bytes = kPayloadBytes;
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = MakeMessageId(1, 1);
  Seal(frame);
  return frame;
}

// Stores one sealed frame again and again, round and round in a warm mapping.
absl::StatusOr<Body> AppendFloor(const Context& context) {
  auto made = WarmMapping::Make(absl::StrCat(context.work_dir, "/append_floor"), kWarmStoreBytes);
  if (!made.ok()) return made.status();
  return [&clock = context.clock, store = std::shared_ptr<WarmMapping>(*std::move(made)),
          frame = SealedFrame()](uint64_t operations) -> absl::StatusOr<Sample> {
    store->Warm();
    size_t at = 0;
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; ++i) {
      ClobberMemory();  // the frame is another one each time, as far as the compiler knows
      StoreFrame(store->data() + at, frame.header, kRecordBytes);
      at = (at + kRecordBytes) % kWarmStoreBytes;
    }
    return NsPerOperation(clock.NanosIn(clock.Now() - start), operations);
  };
}

absl::Status AppendAll(Journal& journal, uint64_t records) {
  const Frame frame = SealedFrame();
  for (uint64_t i = 0; i < records; ++i) {
    if (journal.AppendFrame(frame.header) == Position::None()) return journal.last_refusal();
  }
  return absl::OkStatus();
}

void RemoveAll(const std::string& path) {
  std::error_code ignored;  // the work directory goes as a whole in the end
  std::filesystem::remove_all(path, ignored);
}

// A new journal each run, so that every byte goes where none was before, as in real use.
absl::StatusOr<Sample> AppendToANewJournal(const Context& context, uint64_t records) {
  const std::string dir = absl::StrCat(context.work_dir, "/append");
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  const uint64_t start = context.clock.Now();
  const absl::Status appended = AppendAll(*journal, records);
  const uint64_t elapsed_ns = context.clock.NanosIn(context.clock.Now() - start);
  const absl::Status closed = journal->Close();
  RemoveAll(dir);
  if (!appended.ok()) return appended;
  if (!closed.ok()) return closed;
  return NsPerOperation(elapsed_ns, records);
}

absl::StatusOr<Body> Append(const Context& context) {
  return [context](uint64_t operations) { return AppendToANewJournal(context, operations); };
}

// Makes a closed journal to read in `dir`.
absl::Status MakeJournal(const std::string& dir) {
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  if (auto status = AppendAll(*journal, kRecordsToRead); !status.ok()) return status;
  return journal->Close();
}

absl::StatusOr<Sample> ReplayAll(const TickClock& clock, const std::string& dir) {
  auto reader = JournalReader::Open(dir);
  if (!reader.ok()) return reader.status();
  uint64_t records = 0;
  const uint64_t start = clock.Now();
  History history = reader->Replay();
  for (const Record& record : history) {
    DoNotOptimize(record);
    ++records;
  }
  const uint64_t elapsed_ns = clock.NanosIn(clock.Now() - start);
  if (!history.status().ok()) return history.status();
  if (records != kRecordsToRead) {
    return absl::InternalError(
        absl::StrCat("replayed ", records, " records of ", kRecordsToRead, " from '", dir, "'"));
  }
  return NsPerOperation(elapsed_ns, records);
}

absl::StatusOr<Body> Replay(const Context& context) {
  const std::string dir = absl::StrCat(context.work_dir, "/replay");
  if (auto status = MakeJournal(dir); !status.ok()) return status;
  return [&clock = context.clock, dir](uint64_t) { return ReplayAll(clock, dir); };
}

absl::StatusOr<Sample> VerifyAll(const TickClock& clock, const std::string& dir) {
  const uint64_t start = clock.Now();
  const auto report = VerifyJournal(dir);
  const uint64_t elapsed_ns = clock.NanosIn(clock.Now() - start);
  if (!report.ok()) return report.status();
  if (!report->ok() || report->records != kRecordsToRead) {
    return absl::InternalError(absl::StrCat("verify found ", report->records, " records of ",
                                            kRecordsToRead, " and ", report->damage_count,
                                            " damages in '", dir, "'"));
  }
  return NsPerOperation(elapsed_ns, report->records);
}

absl::StatusOr<Body> Verify(const Context& context) {
  const std::string dir = absl::StrCat(context.work_dir, "/verify");
  if (auto status = MakeJournal(dir); !status.ok()) return status;
  return [&clock = context.clock, dir](uint64_t) { return VerifyAll(clock, dir); };
}

absl::Status Copy(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("cannot copy '", from, "' to '", to, "': ", error.message()));
}

// What a journal looks like when its writer dies: a copy of its files from under an open one.
absl::Status MakeCrashedJournal(const std::string& dir, const std::string& crashed) {
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  if (auto status = AppendAll(*journal, kRecordsToRecover); !status.ok()) return status;
  auto status = Copy(dir, crashed);
  if (status.ok()) status = journal->Close();
  RemoveAll(dir);
  return status;
}

absl::StatusOr<Sample> RecoverCopy(const Context& context, const std::string& crashed) {
  const std::string dir = absl::StrCat(context.work_dir, "/recover");
  if (auto status = Copy(crashed, dir); !status.ok()) return status;
  const uint64_t start = context.clock.Now();
  auto journal = Journal::Open(dir);
  const uint64_t elapsed_ns = context.clock.NanosIn(context.clock.Now() - start);
  if (!journal.ok()) return journal.status();
  const uint64_t scanned = journal->recovery().records_scanned;
  const absl::Status closed = journal->Close();
  RemoveAll(dir);
  if (!closed.ok()) return closed;
  if (scanned != kRecordsToRecover) {
    return absl::InternalError(
        absl::StrCat("recovered ", scanned, " records of ", kRecordsToRecover));
  }
  return Amount(static_cast<double>(elapsed_ns) / 1e6, elapsed_ns);
}

absl::StatusOr<Body> Recover(const Context& context) {
  const std::string crashed = absl::StrCat(context.work_dir, "/crashed");
  auto status = MakeCrashedJournal(absl::StrCat(context.work_dir, "/crashing"), crashed);
  if (!status.ok()) return status;
  return [context, crashed](uint64_t) { return RecoverCopy(context, crashed); };
}

}  // namespace

void RegisterPersistenceRows(Registry& registry) {
  registry.Add({.name = "persistence/append_floor",
                .operations_min = 4096,
                .note = "128 bytes copied into warm storage, commit word last"},
               AppendFloor);
  registry.Add({.name = "persistence/append",
                .bases = {"persistence/append_floor"},
                .operations_min = 4096,
                .operations_max = kAppendsMax,
                .note = "AppendFrame, 128 bytes, back to back into a new journal"},
               Append);
  registry.Add({.name = "persistence/replay",
                .operations_min = kRecordsToRead,
                .operations_max = kRecordsToRead,
                .note = "per record of 128 bytes, all checked, 128 MiB"},
               Replay);
  registry.Add({.name = "persistence/verify",
                .operations_min = kRecordsToRead,
                .operations_max = kRecordsToRead,
                .note = "per record of 128 bytes, 128 MiB"},
               Verify);
  registry.Add({.name = "persistence/recover",
                .unit = "ms",
                .operations_max = 1,
                .note = "Open of a 64 MiB segment whose writer died"},
               Recover);
}

}  // namespace bitactor::bench
