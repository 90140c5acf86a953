#include "bitactor/l2_mailbox/stats_file.h"

#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bitactor::internal {

absl::StatusOr<std::unique_ptr<StatsFile>> StatsFile::Create(FileSystem& files,
                                                             const std::string& path,
                                                             const FabricState* state,
                                                             uint64_t start_ns,
                                                             uint64_t interval_ns) {
  std::unique_ptr<StatsFile> file(new StatsFile(files, path, state));
  absl::StatusOr<std::unique_ptr<FileLock>> lock = files.Lock(path + ".lock", start_ns);
  if (absl::IsUnavailable(lock.status())) {
    return absl::UnavailableError(
        absl::StrCat(path, ": another fabric publishes there, ", lock.status().message(),
                     "; give this one a FabricOptions::stats_file of its own"));
  }
  if (!lock.ok()) return lock.status();
  file->lock_ = *std::move(lock);
  StatsHeader header;
  header.file_bytes = file->layout_.words() * sizeof(uint64_t);
  header.shards = state->shards;
  header.pid = static_cast<uint64_t>(getpid());
  header.machine_boot_id = files.BootId();
  header.boot = state->incarnation;
  header.start_ns = start_ns;
  header.interval_ns = interval_ns;
  header.wall_offset_ns = state->wall_offset_ns;
  header.crc32c = header.Checksum();
  if (absl::Status status = file->Make(header); !status.ok()) return status;
  return file;
}

absl::Status StatsFile::Make(const StatsHeader& header) {
  absl::StatusOr<std::unique_ptr<File>> file =
      files_.Open(UnshownStatsFile(path_), FileSystem::OpenMode::kCreate);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->Allocate(header.file_bytes); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Mapping>> mapping =
      (*file)->Map(0, header.file_bytes, File::Access::kReadWrite);
  if (!mapping.ok()) return mapping.status();
  mapping_ = *std::move(mapping);
  std::memcpy(mapping_->data(), &header, sizeof(header));
  totals_ = std::make_unique<StatsSection>(words(), layout_.Totals());
  return absl::OkStatus();
}

absl::Status StatsFile::Show() { return files_.Rename(UnshownStatsFile(path_), path_); }

void StatsFile::PublishTotals(uint64_t now_ns) {
  // SYNC(stats-totals): a release, so that who serves sees what was counted before, and an acquire,
  // for the section as the last one left it.
  if (requests_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
  uint64_t served = 1;
  do {
    WriteTotals(now_ns);
    // SYNC(stats-totals): as above; it fails when others came meanwhile.
  } while (!requests_.compare_exchange_strong(served, 0, std::memory_order_acq_rel,
                                              std::memory_order_acquire));
}

void StatsFile::WriteTotals(uint64_t now_ns) {
  totals_->Begin();
  totals_->Put(
      FabricTotals{now_ns, ended_ns_, state_->routes.epoch(), state_->dead_letters.Counts()});
  for (const auto& place : ports_) {
    // SYNC(stats-ports): pairs with AddPort().
    const PortCore* const port = place.load(std::memory_order_acquire);
    if (port == nullptr) continue;
    PortStats row;
    row.port = port->index();
    row.source = port->source();
    row.sent = port->sent().Read();
    row.replied = port->replied().Read();
    row.read = port->read().Read();
    for (size_t i = 0; i < kSendResults; ++i) {
      row.refused[i] = port->refused(static_cast<SendResult>(i));
    }
    // SYNC(reply-lanes): pairs with Fabric::OpenPort(); null for a shard's.
    if (const ReplyLanes* const replies =
            state_->reply_lanes[port->index()].load(std::memory_order_acquire)) {
      // Relaxed: see ReplyLanes::open.
      row.open = replies->open.load(std::memory_order_relaxed) ? 1 : 0;
      for (const auto& lane : replies->from_shard) row.waiting += lane->SizeApproximate();
    } else {
      row.open = 1;
    }
    totals_->Put(row);
  }
  totals_->End();
}

}  // namespace bitactor::internal
