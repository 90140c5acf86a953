// persistence/*: what the journal costs beside a bare store into warm storage.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/floor_loop.h"
#include "bench/journal_bytes.h"
#include "bench/optimizer_guard.h"
#include "bench/rows.h"
#include "bench/warm_mapping.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"

namespace bitactor::bench {
namespace {

constexpr size_t kPayloadBytes = 64;  // of rows that name no size
constexpr size_t kRecordBytes = StoredBytes(kPayloadBytes);
// Records that a run appends at most: nearly two segments. Much more would measure how fast the
// kernel makes pages and gets rid of dirty ones.
constexpr uint64_t kAppendsMax = 1'000'000;
// What is appended in one go where all pages are ready, and the time that the helper gets to make
// the next ones ready: it has 8 MiB ready, and gets to know of each MiB that was used.
constexpr uint64_t kWarmPieceBytes = uint64_t{1} << 20;
constexpr uint64_t kWarmPauseNs = 3'000'000;
constexpr uint64_t kWarmBytesMax = uint64_t{32} << 20;
// Records behind the last seal when a writer died: nearly all that a segment holds.
constexpr uint64_t kRecordsToRecover = 500'000;

Frame SealedFrame(size_t payload_bytes = kPayloadBytes) {
  Frame frame{};
  frame.header.size_bytes = static_cast<uint8_t>(payload_bytes);
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = MakeMessageId(1, 1);
  Seal(frame);
  return frame;
}

// Stores one sealed frame again and again, round and round in a warm mapping.
template <size_t kFrameBytes>
absl::StatusOr<Body> AppendFloor(const Context& context) {
  auto made = WarmMapping::Make(absl::StrCat(context.work_dir, "/append_floor_", kFrameBytes),
                                kWarmStoreBytes);
  if (!made.ok()) return made.status();
  return [&clock = context.clock, store = std::shared_ptr<WarmMapping>(*std::move(made)),
          frame = SealedFrame(kFrameBytes - sizeof(FrameHeader))](
             uint64_t operations) -> absl::StatusOr<Sample> {
    store->Warm();
    size_t at = 0;
    const uint64_t start = clock.Now();
    for (uint64_t i = 0; i < operations; ++i) {
      ClobberMemory();  // the frame is another one each time, as far as the compiler knows
      StoreFrame(store->data() + at, frame.header, kFrameBytes);
      at += kFrameBytes;
      if (at > kWarmStoreBytes - kFrameBytes) at = 0;
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

// The same with the helper always ahead: what an append costs where nothing has to be made.
absl::StatusOr<Sample> AppendToWarmPages(const Context& context, size_t frame_bytes,
                                         uint64_t records) {
  const std::string dir = absl::StrCat(context.work_dir, "/append_warm");
  auto journal = Journal::Open(dir);
  if (!journal.ok()) return journal.status();
  const Frame frame = SealedFrame(frame_bytes - sizeof(FrameHeader));
  uint64_t elapsed_ns = 0;
  absl::Status status;
  for (uint64_t done = 0; done < records && status.ok();) {
    const uint64_t pause_start = context.clock.Now();
    while (context.clock.NanosIn(context.clock.Now() - pause_start) < kWarmPauseNs) {
      std::this_thread::yield();
    }
    const uint64_t end = std::min(records, done + kWarmPieceBytes / frame_bytes);
    const uint64_t start = context.clock.Now();
    for (; done < end; ++done) {
      ClobberMemory();  // as in the floor
      if (journal->AppendFrame(frame.header) == Position::None()) {
        status = journal->last_refusal();
        break;
      }
    }
    elapsed_ns += context.clock.NanosIn(context.clock.Now() - start);
  }
  if (status.ok()) status = journal->Close();
  RemoveAll(dir);
  if (!status.ok()) return status;
  return NsPerOperation(elapsed_ns, records);
}

template <size_t kFrameBytes>
void RegisterAppend(Registry& registry) {
  const std::string floor = absl::StrCat("persistence/append_floor/", kFrameBytes);
  registry.Add(
      {.name = floor,
       .operations_min = 4096,
       .note = absl::StrCat(kFrameBytes, " bytes copied into warm storage, commit word last")},
      AppendFloor<kFrameBytes>);
  registry.Add({.name = absl::StrCat("persistence/append/", kFrameBytes),
                .bases = {floor},
                .operations_min = 4096,
                .operations_max = kWarmBytesMax / kFrameBytes,
                .note = "AppendFrame of as many bytes where the pages are ready"},
               [](const Context& context) -> absl::StatusOr<Body> {
                 return [context](uint64_t operations) {
                   return AppendToWarmPages(context, kFrameBytes, operations);
                 };
               });
}

absl::StatusOr<Body> Append(const Context& context) {
  return [context](uint64_t operations) { return AppendToANewJournal(context, operations); };
}

// A closed journal to read, the same for all rows.
struct JournalToRead {
  std::string dir;
  uint64_t records = 0;
  uint64_t bytes() const { return records * kRecordBytes; }
};

absl::StatusOr<JournalToRead> MakeJournal(const Context& context) {
  const auto bytes = JournalBytes();
  if (!bytes.ok()) return bytes.status();
  const JournalToRead made{absl::StrCat(context.work_dir, "/to_read"), *bytes / kRecordBytes};
  std::error_code ignored;  // then it is made, and says what is wrong
  if (std::filesystem::exists(made.dir, ignored)) return made;
  auto journal = Journal::Open(made.dir);
  if (!journal.ok()) return journal.status();
  if (auto status = AppendAll(*journal, made.records); !status.ok()) return status;
  if (auto status = journal->Close(); !status.ok()) return status;
  return made;
}

absl::StatusOr<uint64_t> ReplayAll(const TickClock& clock, const JournalToRead& journal) {
  auto reader = JournalReader::Open(journal.dir);
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
  if (records == journal.records) return elapsed_ns;
  return absl::InternalError(absl::StrCat("replayed ", records, " records of ", journal.records,
                                          " from '", journal.dir, "'"));
}

absl::StatusOr<uint64_t> VerifyAll(const TickClock& clock, const JournalToRead& journal,
                                   const VerifyProgress& progress = {}) {
  const uint64_t start = clock.Now();
  const auto report = VerifyJournal(journal.dir, PosixFiles(), progress);
  const uint64_t elapsed_ns = clock.NanosIn(clock.Now() - start);
  if (!report.ok()) return report.status();
  if (report->ok() && report->records == journal.records) return elapsed_ns;
  return absl::InternalError(absl::StrCat("verify found ", report->records, " records of ",
                                          journal.records, " and ", report->damage_count,
                                          " damages in '", journal.dir, "'"));
}

enum class ReadUnit : uint8_t { kNsPerRecord, kGigabytesPerSecond };

// `read_all` is ReplayAll or VerifyAll.
template <typename ReadAll>
SetUp ReadRow(ReadUnit unit, ReadAll read_all) {
  return [unit, read_all](const Context& context) -> absl::StatusOr<Body> {
    const auto journal = MakeJournal(context);
    if (!journal.ok()) return journal.status();
    return [&clock = context.clock, journal = *journal, unit,
            read_all](uint64_t) -> absl::StatusOr<Sample> {
      const absl::StatusOr<uint64_t> elapsed_ns = read_all(clock, journal);
      if (!elapsed_ns.ok()) return elapsed_ns.status();
      if (unit == ReadUnit::kNsPerRecord) return NsPerOperation(*elapsed_ns, journal.records);
      return Amount(static_cast<double>(journal.bytes()) / static_cast<double>(*elapsed_ns),
                    *elapsed_ns);
    };
  };
}

// The time for a record, and the bytes read in a second.
template <typename ReadAll>
void AddReadRows(Registry& registry, const std::string& name, uint64_t records, const char* note,
                 ReadAll read_all) {
  registry.Add({.name = name, .operations_min = records, .operations_max = records, .note = note},
               ReadRow(ReadUnit::kNsPerRecord, read_all));
  registry.Add({.name = absl::StrCat(name, "_rate"),
                .unit = "GB/s",
                .better = Better::kHigher,
                .bases = {"machine/memcpy_bandwidth"},
                .operations_min = records,
                .operations_max = records,
                .note = "bytes of the same"},
               ReadRow(ReadUnit::kGigabytesPerSecond, read_all));
}

double ResidentMiB() {
  uint64_t pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

absl::StatusOr<Body> VerifyMemory(const Context& context) {
  const auto journal = MakeJournal(context);
  if (!journal.ok()) return journal.status();
  return [&clock = context.clock, journal = *journal](uint64_t) -> absl::StatusOr<Sample> {
    const double before = ResidentMiB();
    double most = before;
    const auto elapsed_ns = VerifyAll(
        clock, journal, [&](uint64_t, uint64_t) { most = std::max(most, ResidentMiB()); });
    if (!elapsed_ns.ok()) return elapsed_ns.status();
    return Amount(most - before, *elapsed_ns);
  };
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
               AppendFloor<kRecordBytes>);
  registry.Add({.name = "persistence/append",
                .bases = {"persistence/append_floor"},
                .operations_min = 4096,
                .operations_max = kAppendsMax,
                .note = "AppendFrame, 128 bytes, back to back into a new journal"},
               Append);
  RegisterAppend<64>(registry);
  RegisterAppend<128>(registry);
  RegisterAppend<192>(registry);
  // A wrong variable is told by the rows' set-up.
  const uint64_t records = JournalBytes().value_or(kJournalBytesUsual) / kRecordBytes;
  const auto replay = [](const TickClock& clock, const JournalToRead& journal) {
    return ReplayAll(clock, journal);
  };
  const auto verify = [](const TickClock& clock, const JournalToRead& journal) {
    return VerifyAll(clock, journal);
  };
  AddReadRows(registry, "persistence/replay", records, "per record of 128 bytes, all checked",
              replay);
  AddReadRows(registry, "persistence/verify", records, "per record of 128 bytes", verify);
  registry.Add({.name = "persistence/verify_memory",
                .unit = "MiB",
                .operations_min = records,
                .operations_max = records,
                .note = "by how much it makes the process grow"},
               VerifyMemory);
  registry.Add({.name = "persistence/recover",
                .unit = "ms",
                .operations_max = 1,
                .note = "Open of a 64 MiB segment whose writer died"},
               Recover);
}

}  // namespace bitactor::bench
