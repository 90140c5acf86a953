#include "bitactor/l2_mailbox/fabric_stats.h"

#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l2_mailbox/stats_format.h"
#include "bitactor/l2_mailbox/stats_section.h"

namespace bitactor {
namespace {

using internal::ReadStatsCopy;
using internal::StatsCopyState;
using internal::StatsHeader;
using internal::StatsLayout;
using internal::StatsPlace;
using internal::StatsVersion;
using internal::StatsWord;

constexpr uint64_t kMaxFileBytes = uint64_t{4} << 20;
// A reader is overtaken only when two publications come while it reads one, so rarely twice.
constexpr int kMaxLooks = 1000;
// How much later than its interval a shard may publish before it counts as silent.
constexpr uint64_t kPatienceNs = 1'000'000'000;

// The rows of a section, one after the other. Of what is not there, or is not whole, zeros.
class Rows {
 public:
  explicit Rows(std::span<const uint64_t> words) : words_(words) {}

  bool empty() const { return words_.empty(); }
  template <typename T>
  T Next() {
    T row{};
    if (words_.size_bytes() < sizeof(T)) {
      words_ = {};
      return row;
    }
    std::memcpy(static_cast<void*>(&row), words_.data(), sizeof(T));
    words_ = words_.subspan(sizeof(T) / sizeof(uint64_t));
    return row;
  }

 private:
  std::span<const uint64_t> words_;
};

// A stats file, mapped.
class Source {
 public:
  Source(std::string path, std::unique_ptr<Mapping> mapping)
      : path_(std::move(path)), mapping_(std::move(mapping)) {}

  const std::string& path() const { return path_; }
  const uint64_t* words() const { return reinterpret_cast<const uint64_t*>(mapping_->data()); }
  uint64_t size_bytes() const { return mapping_->size_bytes(); }
  // Asked after the last look.
  bool broken() const { return mapping_->broken(); }

  absl::StatusOr<StatsHeader> Header() const;
  // The newest whole copy. A damaged newer one goes to `damages`.
  absl::StatusOr<std::vector<uint64_t>> Section(const StatsPlace& place,
                                                std::vector<std::string>& damages) const;

 private:
  std::string Damage(const StatsPlace& place, uint64_t copy) const {
    const uint64_t* const at = words() + place.copy_at(copy);
    return absl::StrFormat(
        "%s: bytes %d to %d are damaged: publication %d, %d words, checksum %08x", path_,
        place.copy_at(copy) * sizeof(uint64_t),
        (place.copy_at(copy) + place.copy_words()) * sizeof(uint64_t), StatsVersion(at) / 2,
        StatsVersion(at + 1) >> 32, static_cast<uint32_t>(StatsVersion(at + 1)));
  }

  const std::string path_;
  const std::unique_ptr<Mapping> mapping_;
};

absl::StatusOr<StatsHeader> Source::Header() const {
  // Written before the file had its name, and never since.
  StatsHeader header;
  std::memcpy(static_cast<void*>(&header), words(), sizeof(header));
  if ((header.magic ^ internal::kStatsMagic) << 16 != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: is not a stats file: it begins with %016x; name a run's journal folder, or the file "
        "that FabricOptions::stats_file named",
        path_, header.magic));
  }
  if (header.magic != internal::kStatsMagic || header.dead_letter_causes != kDeadLetterCauses ||
      header.send_results != kSendResults) {
    return absl::UnimplementedError(absl::StrFormat(
        "%s: is of another version (%016x, %d causes, %d results; this program reads %016x, %d, "
        "%d): read it with the program's version that wrote it",
        path_, header.magic, header.dead_letter_causes, header.send_results, internal::kStatsMagic,
        kDeadLetterCauses, kSendResults));
  }
  if (header.crc32c != header.Checksum()) {
    return absl::DataLossError(
        absl::StrFormat("%s: bytes 0 to %d are damaged: the header's checksum is %08x and says "
                        "%08x; the next start "
                        "of the fabric makes a new file",
                        path_, sizeof(header), header.Checksum(), header.crc32c));
  }
  if (header.shards < 1 || header.shards > internal::kMaxShards) {
    return absl::DataLossError(absl::StrFormat("%s: says %d shards; 1 to %d are possible", path_,
                                               header.shards, internal::kMaxShards));
  }
  const uint64_t expected_bytes = StatsLayout(header.shards).words() * sizeof(uint64_t);
  if (header.file_bytes != expected_bytes || size_bytes() != expected_bytes) {
    return absl::DataLossError(
        absl::StrFormat("%s: is %d bytes long; with %d shards it takes %d; the next start of the "
                        "fabric makes a new "
                        "file",
                        path_, size_bytes(), header.shards, expected_bytes));
  }
  return header;
}

absl::StatusOr<std::vector<uint64_t>> Source::Section(const StatsPlace& place,
                                                      std::vector<std::string>& damages) const {
  std::vector<uint64_t> payload;
  for (int look = 0; look < kMaxLooks; ++look) {
    const uint64_t* const copies[] = {words() + place.copy_at(0), words() + place.copy_at(1)};
    const uint64_t newer = StatsVersion(copies[1]) > StatsVersion(copies[0]) ? 1 : 0;
    std::optional<std::string> damage;
    for (const uint64_t copy : {newer, 1 - newer}) {
      const StatsCopyState state = ReadStatsCopy(copies[copy], place, payload);
      if (state == StatsCopyState::kWhole) {
        if (damage.has_value()) damages.push_back(*damage);
        return payload;
      }
      if (state == StatsCopyState::kDamaged && !damage.has_value()) damage = Damage(place, copy);
    }
    if (damage.has_value()) {
      return absl::DataLossError(
          absl::StrCat(*damage, "; the copy beside it is no better: the next start of the fabric ",
                       "makes a new file"));
    }
  }
  return absl::DataLossError(absl::StrFormat(
      "%s: bytes %d to %d: neither copy is whole (publications %d and %d)", path_,
      place.at_words * sizeof(uint64_t), place.end_words() * sizeof(uint64_t),
      StatsVersion(words() + place.copy_at(0)) / 2, StatsVersion(words() + place.copy_at(1)) / 2));
}

absl::StatusOr<Source> OpenSource(FileSystem& files, const std::string& path) {
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<uint64_t> size_bytes = (*file)->SizeBytes();
  if (!size_bytes.ok()) return size_bytes.status();
  if (*size_bytes < sizeof(StatsHeader) || *size_bytes > kMaxFileBytes) {
    return absl::DataLossError(
        absl::StrFormat("%s: is %d bytes long; a stats file has %d to %d", path, *size_bytes,
                        StatsLayout(1).words() * sizeof(uint64_t),
                        StatsLayout(internal::kMaxShards).words() * sizeof(uint64_t)));
  }
  absl::StatusOr<std::unique_ptr<Mapping>> mapping =
      (*file)->Map(0, *size_bytes, File::Access::kRead);
  if (!mapping.ok()) return mapping.status();
  return absl::StatusOr<Source>(absl::in_place, path, *std::move(mapping));
}

absl::Status ReadTotals(const Source& source, const StatsLayout& layout, FabricReading& reading) {
  absl::StatusOr<std::vector<uint64_t>> words = source.Section(layout.Totals(), reading.damages);
  if (!words.ok()) return words.status();
  Rows rows(*words);
  reading.totals = rows.Next<FabricTotals>();
  while (!rows.empty()) reading.ports.push_back(rows.Next<PortStats>());
  return absl::OkStatus();
}

absl::Status ReadShard(const Source& source, const StatsLayout& layout, uint32_t shard,
                       FabricReading& reading) {
  ShardStats stats;
  // Relaxed: a sign of life, which orders nothing.
  stats.awake_since_ns =
      StatsWord(source.words() + layout.AwakeAt(shard)).load(std::memory_order_relaxed);
  absl::StatusOr<std::vector<uint64_t>> words =
      source.Section(layout.Counts(shard), reading.damages);
  if (!words.ok()) return words.status();
  Rows counts(*words);
  stats.counts = counts.Next<ShardCounts>();
  while (!counts.empty()) stats.lanes.push_back(counts.Next<LaneStats>());
  words = source.Section(layout.Mailboxes(shard), reading.damages);
  if (!words.ok()) return words.status();
  Rows mailboxes(*words);
  stats.swept_ns = mailboxes.Next<uint64_t>();
  while (!mailboxes.empty()) stats.mailboxes.push_back(mailboxes.Next<MailboxStats>());
  reading.shards.push_back(std::move(stats));
  return absl::OkStatus();
}

absl::StatusOr<FabricReading> ReadOnce(FileSystem& files, const std::string& path) {
  // Asked first: a writer that ends meanwhile has written its last before it gave the lock back.
  const absl::StatusOr<std::optional<LockOwner>> owner = files.LockedBy(path + ".lock");
  if (!owner.ok()) return owner.status();
  // Then the lock is that of a fabric that starts, and the file is that of the one before.
  const absl::StatusOr<bool> starts = files.Exists(internal::UnshownStatsFile(path));
  if (!starts.ok()) return starts.status();
  const absl::StatusOr<Source> source = OpenSource(files, path);
  if (!source.ok()) return source.status();
  const absl::StatusOr<StatsHeader> header = source->Header();
  if (!header.ok()) return header.status();
  const StatsLayout layout(header->shards);
  FabricReading reading;
  reading.pid = static_cast<int64_t>(header->pid);
  reading.boot = static_cast<uint32_t>(header->boot);
  reading.start_ns = header->start_ns;
  reading.interval_ns = header->interval_ns;
  reading.wall_offset_ns = header->wall_offset_ns;
  reading.same_machine_start = header->machine_boot_id == files.BootId();
  if (absl::Status status = ReadTotals(*source, layout, reading); !status.ok()) return status;
  for (uint32_t i = 0; i < header->shards; ++i) {
    if (absl::Status status = ReadShard(*source, layout, i, reading); !status.ok()) return status;
  }
  if (source->broken()) {
    return absl::DataLossError(absl::StrCat(
        path, ": was cut short, or could not be read from the disk, while it was read"));
  }
  if (reading.totals.ended_ns != 0) {
    reading.state = WriterState::kStopped;
  } else if (!owner->has_value() || *starts || !reading.same_machine_start) {
    reading.state = WriterState::kGone;
  }
  return reading;
}

}  // namespace

std::string FabricStatsFile(const std::string& journal_dir) {
  return JoinPath(journal_dir, "stats");
}

absl::StatusOr<FabricReading> ReadFabricStats(FileSystem& files, const std::string& path) {
  absl::StatusOr<FabricReading> reading = ReadOnce(files, path);
  // The next writer may have begun since its lock was asked for.
  if (reading.ok() && reading->state == WriterState::kGone) return ReadOnce(files, path);
  return reading;
}

FabricCounters FabricReading::Counters() const {
  FabricCounters counters;
  counters.dead_letters = totals.dead_letters;
  counters.quarantined = totals.dead_letters[static_cast<size_t>(DeadLetterCause::kCorrupted)];
  for (const ShardStats& shard : shards) {
    counters.delivered += shard.counts.delivered;
    counters.queued += shard.counts.queued;
    counters.journalled += shard.counts.journalled;
  }
  for (const PortStats& port : ports) {
    counters.sent += port.sent;
    counters.replied += port.replied;
    counters.read_by_ports += port.read;
    counters.queued += port.waiting;
    if (port.port < shards.size()) continue;  // a shard's refusals are dead letters
    for (size_t i = 0; i < kSendResults; ++i) counters.refused[i] += port.refused[i];
  }
  return counters;
}

uint64_t FabricReading::NowNs(uint64_t monotonic_ns) const {
  if (state == WriterState::kRunning) return monotonic_ns + wall_offset_ns;
  uint64_t last_ns = totals.published_ns;
  for (const ShardStats& shard : shards) last_ns = std::max(last_ns, shard.counts.published_ns);
  return last_ns;
}

uint64_t FabricReading::SilentNs(uint32_t shard, uint64_t now_ns) const {
  const ShardStats& stats = shards[shard];
  if (state != WriterState::kRunning || stats.awake_since_ns == 0) return 0;
  const uint64_t sign_ns = std::max(stats.awake_since_ns, stats.counts.published_ns);
  const uint64_t silent_ns = now_ns - std::min(now_ns, sign_ns);
  return silent_ns > interval_ns + kPatienceNs ? silent_ns : 0;
}

}  // namespace bitactor
