#include "bitactor/l2_mailbox/delivery_state.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/type_name.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/retention.h"
#include "bitactor/persistence/snapshot_store.h"

namespace bitactor::internal {
namespace {

constexpr uint64_t kSnapshotKey = 0;
constexpr uint32_t kVersion = 1;

// The parts of a snapshot's bytes, in this order: the head, ends, routing, names, watermarks.
struct Head {
  uint32_t version;
  uint32_t last_boot;
  uint64_t max_stamp_ns;
  uint32_t max_id;
  uint32_t ends;
  uint32_t routing;
  uint32_t names;
  uint64_t watermarks;
};
struct EndEntry {
  uint64_t last;
  uint32_t journal;
  uint32_t boot;
  uint32_t crc32c;
  uint32_t unused;
};
struct WatermarkEntry {
  uint32_t source;
  uint32_t target;
  uint32_t order_class;
  uint32_t unused;
  uint64_t sequence;
};

std::string SnapshotDir(const std::string& set_dir) { return set_dir + "/delivery"; }

template <typename T>
void Put(const T& value, std::vector<std::byte>& bytes) {
  static_assert(std::has_unique_object_representations_v<T>);
  const size_t end = bytes.size();
  bytes.resize(end + sizeof(T));
  std::memcpy(bytes.data() + end, &value, sizeof(T));
}

// False when there is not so much.
template <typename T>
bool Take(std::span<const std::byte>& bytes, T& value) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof(T));
  bytes = bytes.subspan(sizeof(T));
  return true;
}

template <typename T>
bool ReadAs(const Frame& frame, T& value) {
  if (frame.header.kind != FrameKind::kSystem || frame.header.type != TypeId<T>()) return false;
  std::memcpy(static_cast<void*>(&value), frame.payload, sizeof(T));
  return true;
}

// kDataLoss: the journal does not have the record that the snapshot knows as its last.
absl::Status CheckEnd(FileSystem& files, const std::string& set_dir, uint32_t journal,
                      const KnownEnd& end) {
  const std::string dir = ShardJournalDir(set_dir, journal);
  absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files);
  if (!reader.ok()) return reader.status();
  History history = reader->Replay({.from = end.last});
  const Record* record = history.Next();
  if (record != nullptr && record->position() == end.last &&
      record->frame().header.crc32c == end.crc32c) {
    return absl::OkStatus();
  }
  if (!history.status().ok()) return history.status();
  return absl::DataLossError(absl::StrCat(dir, ": the record that the snapshot of ", set_dir,
                                          " knows at position ", end.last.ToString(),
                                          " is not there"));
}

// Takes a snapshot if it fits the journals.
absl::Status TakeIfItFits(FileSystem& files, const std::string& set_dir, const Snapshot& snapshot,
                          DeliveryReport& report) {
  absl::StatusOr<DeliveryState> state = DeliveryState::FromBytes(snapshot.state);
  if (!state.ok()) return state.status();
  for (const auto& [journal, end] : state->ends) {
    if (absl::Status fits = CheckEnd(files, set_dir, journal, end); !fits.ok()) return fits;
  }
  report.state = *std::move(state);
  report.from_snapshot = true;
  report.snapshot = snapshot.position;
  return absl::OkStatus();
}

// Takes the newest snapshot that fits the journals; says in `report` why newer ones do not.
void TakeSnapshot(FileSystem& files, const std::string& set_dir, DeliveryReport& report) {
  absl::StatusOr<SnapshotStore> store =
      SnapshotStore::Open(SnapshotDir(set_dir), {.read_only = true, .files = &files});
  if (absl::IsNotFound(store.status())) return;
  if (!store.ok()) {
    report.not_used = store.status();
    return;
  }
  for (Position last = Position::None(); !report.from_snapshot;) {
    const absl::StatusOr<Snapshot> snapshot = store->LatestBefore(kSnapshotKey, last);
    if (absl::IsNotFound(snapshot.status())) return;
    if (!snapshot.ok()) {
      report.not_used.Update(snapshot.status());
      return;
    }
    for (const absl::Status& damaged : snapshot->passed_over) report.not_used.Update(damaged);
    report.not_used.Update(TakeIfItFits(files, set_dir, *snapshot, report));
    if (snapshot->position.value() == 0) return;
    last = Position(snapshot->position.value() - 1);
  }
}

// What was removed is known from snapshots alone: a power loss must not take from a journal what its
// snapshots know of.
absl::Status SyncRetainedJournals(FileSystem& files, const std::string& set_dir,
                                  const DeliveryState& state) {
  for (const auto& [journal, end] : state.ends) {
    const std::string dir = ShardJournalDir(set_dir, journal);
    absl::StatusOr<JournalStat> stat = StatJournal(dir, files);
    if (!stat.ok()) return stat.status();
    if (stat->first == Position::Begin()) continue;
    if (absl::Status synced = SyncSegments(dir, files); !synced.ok()) return synced;
  }
  return absl::OkStatus();
}

absl::Status RemovedError(const std::string& dir, Position first, bool visits,
                          const absl::Status& not_used) {
  if (visits) {
    return absl::DataLossError(
        absl::StrCat(dir, ": what was journalled before position ", first.ToString(),
                     " was removed, and whoever starts this fabric reads every record "
                     "(FabricOptions::on_recovered), for want of a snapshot of its own: bring the "
                     "segments or the "
                     "snapshots back from a copy, or begin a new journal"));
  }
  return absl::DataLossError(absl::StrCat(
      dir, ": what was journalled before position ", first.ToString(),
      " was removed, and no snapshot tells what was delivered there",
      not_used.ok() ? "" : absl::StrCat(" (", not_used.message(), ")"),
      ": names and what was taken from named ports would be forgotten; remove records by "
      "Fabric::Retain, which keeps a snapshot, or begin a new journal"));
}

}  // namespace

void DeliveryState::Note(const RecoveredFrame& recovered) {
  const FrameHeader& header = recovered.frame.header;
  ends[recovered.journal] = {recovered.position, recovered.boot, header.crc32c};
  last_boot = std::max(last_boot, recovered.boot);
  max_stamp_ns = std::max(max_stamp_ns, header.stamp_ns);
  if (!IsPort(ActorId{header.target})) max_id = std::max(max_id, header.target);
  NameRecord name;
  RoutingRecord change;
  if (ReadAs(recovered.frame, name)) {
    max_id = std::max(max_id, name.id);
    names[name.id] = name;
  } else if (ReadAs(recovered.frame, change)) {
    routing[change.epoch] = change;
  } else if (IncarnationOf(header.message_id) == 0 && header.kind != FrameKind::kTimer) {
    // Sources that keep their identity: what their targets have taken is not sent again.
    uint64_t& watermark = watermarks[WatermarkKey{
        header.source, header.target,
        OrderClass(header.kind, static_cast<Priority>(header.priority), header.flags)}];
    watermark = std::max(watermark, SequenceOf(header.message_id));
  }
}

std::vector<std::byte> DeliveryState::ToBytes() const {
  std::vector<std::byte> bytes;
  Put(Head{kVersion, last_boot, max_stamp_ns, max_id, static_cast<uint32_t>(ends.size()),
           static_cast<uint32_t>(routing.size()), static_cast<uint32_t>(names.size()),
           watermarks.size()},
      bytes);
  for (const auto& [journal, end] : ends) {
    Put(EndEntry{end.last.value(), journal, end.boot, end.crc32c, 0}, bytes);
  }
  for (const auto& [epoch, change] : routing) Put(change, bytes);
  for (const auto& [id, name] : names) Put(name, bytes);
  for (const auto& [key, sequence] : watermarks) {
    Put(WatermarkEntry{key.source, key.target, key.order_class, 0, sequence}, bytes);
  }
  return bytes;
}

absl::StatusOr<DeliveryState> DeliveryState::FromBytes(std::span<const std::byte> bytes) {
  const size_t size = bytes.size();
  Head head{};
  bool whole = Take(bytes, head);
  if (whole && head.version != kVersion) {
    return absl::DataLossError(absl::StrCat("a snapshot of delivery state has version ",
                                            head.version, "; this program reads ", kVersion));
  }
  DeliveryState state;
  state.last_boot = head.last_boot;
  state.max_stamp_ns = head.max_stamp_ns;
  state.max_id = head.max_id;
  for (uint32_t i = 0; whole && i < head.ends; ++i) {
    EndEntry end{};
    whole = Take(bytes, end);
    state.ends[end.journal] = {Position(end.last), end.boot, end.crc32c};
  }
  for (uint32_t i = 0; whole && i < head.routing; ++i) {
    RoutingRecord change;
    whole = Take(bytes, change);
    state.routing[change.epoch] = change;
  }
  for (uint32_t i = 0; whole && i < head.names; ++i) {
    NameRecord name;
    whole = Take(bytes, name);
    state.names[name.id] = name;
  }
  for (uint64_t i = 0; whole && i < head.watermarks; ++i) {
    WatermarkEntry entry{};
    whole = Take(bytes, entry);
    state.watermarks[WatermarkKey{entry.source, entry.target,
                                  static_cast<uint8_t>(entry.order_class)}] = entry.sequence;
  }
  if (!whole || !bytes.empty()) {
    return absl::DataLossError(absl::StrCat("a snapshot of delivery state has ", size,
                                            " bytes, which are not what its head says"));
  }
  return state;
}

absl::StatusOr<DeliveryReport> ReadDeliveryState(
    FileSystem& files, const std::string& set_dir,
    const std::function<void(const RecoveredFrame&)>& visit,
    const std::map<uint32_t, JournalPlace>& begin) {
  absl::StatusOr<std::vector<uint32_t>> journals = ListShardJournals(files, set_dir);
  if (!journals.ok()) return journals.status();
  if (journals->empty()) return NoJournalsError(set_dir);
  DeliveryReport report;
  if (!visit || !begin.empty()) TakeSnapshot(files, set_dir, report);
  for (const uint32_t journal : *journals) {
    const std::string dir = ShardJournalDir(set_dir, journal);
    absl::StatusOr<JournalReader> reader = JournalReader::Open(dir, files);
    if (!reader.ok()) return reader.status();
    const auto known = report.state.ends.find(journal);
    const bool is_known = known != report.state.ends.end();
    const auto place = begin.find(journal);
    const bool visits_all = visit && place == begin.end();
    const Position visit_from = place != begin.end() ? place->second.position : Position::Begin();
    KnownEnd start = is_known ? known->second : KnownEnd{};
    bool at_known = is_known;  // it is read again, and was noted
    // To note what was noted changes nothing.
    if (visit && visit_from < start.last) {
      start = {visit_from, visits_all ? 0 : place->second.boot, 0};
      at_known = false;
    }
    std::optional<Position> first;
    const absl::Status status =
        ScanJournal(*reader, journal, start.last, start.boot, [&](const RecoveredFrame& recovered) {
          if (std::exchange(at_known, false)) {
            if (visit && recovered.position >= visit_from) visit(recovered);
            return true;
          }
          if (!first.has_value()) first = recovered.position;
          ++report.records_read;
          report.state.Note(recovered);
          if (visit && recovered.position >= visit_from) visit(recovered);
          return true;
        });
    if (!status.ok()) return status;
    const Position second_segment(reader->segment_bytes() / kFrameUnitBytes);
    if ((!is_known || visits_all) && first.has_value() && *first >= second_segment) {
      return RemovedError(dir, *first, visits_all, report.not_used);
    }
  }
  return report;
}

DeliveryState ReadDeliverySnapshot(FileSystem& files, const std::string& set_dir) {
  DeliveryReport report;
  TakeSnapshot(files, set_dir, report);
  return std::move(report.state);
}

absl::StatusOr<DeliveryReport> SaveDeliveryState(
    FileSystem& files, const std::string& set_dir, uint64_t at_least,
    const std::function<absl::Status()>& make_durable) {
  absl::StatusOr<DeliveryReport> report = ReadDeliveryState(files, set_dir);
  if (!report.ok() || report->records_read < at_least) return report;
  absl::Status durable =
      make_durable ? make_durable() : SyncRetainedJournals(files, set_dir, report->state);
  if (!durable.ok()) return durable;
  absl::StatusOr<SnapshotStore> store =
      SnapshotStore::Open(SnapshotDir(set_dir), {.keep = 2, .files = &files});
  if (!store.ok()) return store.status();
  // Newer ones know of journals that are not these: the next ones must not be behind them.
  if (!report->not_used.ok()) {
    absl::StatusOr<size_t> aside = store->SetAsideAfter(report->snapshot);
    if (!aside.ok()) return aside.status();
  }
  // Of a set there is no position; this one rises as its journals grow.
  uint64_t grown = 0;
  for (const auto& [journal, end] : report->state.ends) grown += end.last.value();
  const absl::Status written = store->Write(kSnapshotKey, Position(grown),
                                            report->state.max_stamp_ns, report->state.ToBytes());
  if (!written.ok()) return written;
  return report;
}

}  // namespace bitactor::internal
