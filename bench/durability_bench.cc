// What it takes to have records and messages on the disk, beside writing the same bytes to a file.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bench/journal_bytes.h"
#include "bench/rows.h"
#include "bench/warm_mapping.h"
#include "bitactor/l2_mailbox/fabric.h"
#include "bitactor/persistence/journal.h"

namespace bitactor::bench {
namespace {

constexpr size_t kPayloadBytes = 64;
constexpr size_t kRecordBytes = StoredBytes(kPayloadBytes);
constexpr uint32_t kGroupRecords = 4096;
constexpr size_t kPieceBytes = kGroupRecords * kRecordBytes;

Sample GigabytesPerSecond(uint64_t bytes, uint64_t elapsed_ns) {
  return Amount(static_cast<double>(bytes) / static_cast<double>(elapsed_ns), elapsed_ns);
}

absl::Status FileError(const std::string& path) {
  return absl::InternalError(absl::StrCat("cannot write '", path, "': ", std::strerror(errno)));
}

// One piece after the other into a file that has its space, synced at the end.
absl::StatusOr<Sample> WriteSequentially(const TickClock& clock, const std::string& path,
                                         uint64_t bytes) {
  const auto made = MakeAllocatedFile(path, bytes);
  if (!made.ok()) return made.status();
  const int file = *made;
  absl::Status status;
  const std::vector<char> piece(kPieceBytes, 'x');
  const uint64_t start = clock.Now();
  for (uint64_t at = 0; status.ok() && at < bytes;) {
    const size_t size = std::min<uint64_t>(piece.size(), bytes - at);
    const ssize_t n = pwrite(file, piece.data(), size, static_cast<off_t>(at));
    if (n <= 0) {
      status = FileError(path);
    } else {
      at += static_cast<uint64_t>(n);
    }
  }
  if (status.ok() && fdatasync(file) != 0) status = FileError(path);
  const uint64_t elapsed_ns = clock.NanosIn(clock.Now() - start);
  close(file);
  unlink(path.c_str());
  if (!status.ok()) return status;
  return GigabytesPerSecond(bytes, elapsed_ns);
}

// Appends as fast as it goes; a commit begins with each 4,096 records.
absl::StatusOr<Sample> AppendInGroups(const TickClock& clock, const std::string& dir,
                                      uint64_t records) {
  JournalOptions options;
  options.durability = Durability::kGroup;
  options.group_records = kGroupRecords;
  options.group_delay_us = 1'000'000;
  auto journal = Journal::Open(dir, options);
  if (!journal.ok()) return journal.status();
  Frame frame{};
  frame.header.size_bytes = kPayloadBytes;
  frame.header.kind = FrameKind::kCast;
  frame.header.message_id = MakeMessageId(1, 1);
  Seal(frame);
  const uint64_t start = clock.Now();
  Position last;
  for (uint64_t i = 0; i < records; ++i) {
    last = journal->AppendFrame(frame.header);
    if (last == Position::None()) return journal->last_refusal();
  }
  const absl::Status durable = journal->WaitDurable(last);
  const uint64_t elapsed_ns = clock.NanosIn(clock.Now() - start);
  const absl::Status closed = journal->Close();
  std::error_code ignored;  // the work directory goes as a whole in the end
  std::filesystem::remove_all(dir, ignored);
  if (!durable.ok()) return durable;
  if (!closed.ok()) return closed;
  return GigabytesPerSecond(records * kRecordBytes, elapsed_ns);
}

struct Payload {
  static constexpr std::string_view kTypeName = "bench::DurablePayload";
  uint64_t words[kPayloadBytes / 8];
};

// A port sends groups through a shard that this thread drives, and waits for each: of 4,095 messages
// in batches of 16, and one that vouches for all of them.
absl::StatusOr<Sample> SendInGroups(const TickClock& clock, Fabric& fabric, uint64_t groups) {
  constexpr uint32_t kBatch = 16;
  uint64_t handled = 0;
  const Address store = fabric.Serve("store", [&](const Message&, Sender&) { ++handled; });
  Port port = fabric.OpenPort();
  const uint64_t start = clock.Now();
  for (uint64_t group = 0; group < groups; ++group) {
    for (uint32_t i = 0; i + 1 < kGroupRecords; ++i) {
      port.Post(store, Payload{{i}});
      if (i % kBatch != kBatch - 1) continue;
      port.Flush();
      fabric.Poll();
    }
    const absl::StatusOr<Place> place = port.SendDurable(store, Payload{{group}}, 1'000'000'000);
    if (!place.ok()) return place.status();
  }
  const uint64_t elapsed_ns = clock.NanosIn(clock.Now() - start);
  if (handled != groups * kGroupRecords || !fabric.Counters().AddUp()) {
    return absl::InternalError("the counters do not add up");
  }
  return NsPerOperation(elapsed_ns, groups * kGroupRecords);
}

absl::StatusOr<Body> FabricGroup(const Context& context) {
  return [context](uint64_t operations) -> absl::StatusOr<Sample> {
    FabricOptions options;
    options.threads = false;
    options.clock = &context.clock;
    options.journal_dir = absl::StrCat(context.work_dir, "/fabric_group");
    options.journal.durability = Durability::kGroup;
    std::error_code ignored;  // the work directory goes as a whole in the end
    std::filesystem::remove_all(options.journal_dir, ignored);
    const std::string dir = options.journal_dir;
    auto fabric = Fabric::Start(std::move(options));
    if (!fabric.ok()) return fabric.status();
    const absl::StatusOr<Sample> sample =
        SendInGroups(context.clock, **fabric, std::max<uint64_t>(1, operations / kGroupRecords));
    if (absl::Status status = (*fabric)->Stop(); sample.ok() && !status.ok()) return status;
    fabric->reset();
    std::filesystem::remove_all(dir, ignored);
    return sample;
  };
}

absl::StatusOr<Body> DiskWrite(const Context& context) {
  const auto bytes = JournalBytes();
  if (!bytes.ok()) return bytes.status();
  return [context, bytes = *bytes](uint64_t) {
    return WriteSequentially(context.clock, absl::StrCat(context.work_dir, "/disk_write"), bytes);
  };
}

absl::StatusOr<Body> Group(const Context& context) {
  const auto bytes = JournalBytes();
  if (!bytes.ok()) return bytes.status();
  return [context, records = *bytes / kRecordBytes](uint64_t) {
    return AppendInGroups(context.clock, absl::StrCat(context.work_dir, "/group"), records);
  };
}

}  // namespace

void RegisterDurabilityRows(Registry& registry) {
  registry.Add({.name = "machine/disk_write",
                .unit = "GB/s",
                .better = Better::kHigher,
                .operations_max = 1,
                .note = "a file written from the beginning to the end, one fdatasync"},
               DiskWrite);
  registry.Add({.name = "persistence/group",
                .unit = "GB/s",
                .better = Better::kHigher,
                .bases = {"machine/disk_write"},
                .operations_max = 1,
                .note = "records of 128 bytes, a commit with each 4,096, until all are durable"},
               Group);
  registry.Add({.name = "l2/durable_group/64",
                .bases = {"machine/fdatasync"},
                .operations_min = kGroupRecords,
                .operations_max = 64 * kGroupRecords,
                .note = "as l2/durable, at level group; each 4,096 are acknowledged together"},
               FabricGroup);
}

}  // namespace bitactor::bench
