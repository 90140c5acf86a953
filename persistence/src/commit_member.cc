#include "commit_member.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bitactor::internal {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
constexpr uint64_t kNoStamp = ~uint64_t{0};

}  // namespace

CommitMember::CommitMember(FileSystem& files, std::string dir, uint32_t owner_number,
                           uint64_t segment_units, const std::atomic<uint64_t>& tail,
                           uint64_t synced, uint64_t acknowledged)
    : files_(files),
      dir_(std::move(dir)),
      owner_number_(owner_number),
      units_(segment_units),
      tail_(&tail),
      synced_(synced),
      acknowledged_(acknowledged) {}

absl::StatusOr<const Segment*> CommitMember::SegmentAt(uint32_t index) {
  if (!segment_.has_value() || segment_->header.segment_index != index) {
    absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
    if (!segment.ok()) return segment.status();
    segment_ = *std::move(segment);
  }
  return &*segment_;
}

template <typename Visit>
absl::Status CommitMember::ForEachRecord(uint64_t from, uint64_t to, Visit visit) {
  while (from < to) {
    absl::StatusOr<const Segment*> segment = SegmentAt(static_cast<uint32_t>(from / units_));
    if (!segment.ok()) return segment.status();
    const SegmentView view = (*segment)->view();
    uint64_t unit = std::max<uint64_t>(from - view.begin, 1);
    const uint64_t end = std::min(to - view.begin, units_);
    while (unit < end) {
      const Slot slot = view.ReadSlot(unit);
      if (slot.kind == SlotKind::kUnwritten || slot.kind == SlotKind::kBad) {
        return DamageError(
            dir_,
            absl::StrCat(Place(SegmentPath(dir_, (*segment)->header.segment_index), view, unit),
                         ": no valid record here, but it was appended"));
      }
      if (slot.kind == SlotKind::kRecord &&
          !visit(view.begin + unit, view.FrameAt(unit).stamp_ns)) {
        return absl::OkStatus();
      }
      unit += slot.units;
    }
    from = view.begin + unit;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> CommitMember::LeastStampBehindSeen() {
  // SYNC(journal-tail): pairs with JournalWriter::Store().
  const uint64_t now = tail_->load(std::memory_order_acquire);
  uint64_t least = kNoStamp;
  absl::Status status = ForEachRecord(seen_, now, [&](uint64_t, uint64_t stamp_ns) {
    least = std::min(least, stamp_ns);
    return true;
  });
  if (!status.ok()) return status;
  return least;
}

absl::StatusOr<uint64_t> CommitMember::BeginningBelow(uint64_t bound) {
  uint64_t end = seen_;
  if (bound == kNoStamp) return end;
  absl::Status status =
      ForEachRecord(acknowledged(), seen_, [&](uint64_t position, uint64_t stamp_ns) {
        if (stamp_ns < bound) return true;
        end = position;
        return false;
      });
  if (!status.ok()) return status;
  return end;
}

absl::Status CommitMember::WriteAgain() {
  // Relaxed: the caller is the writer's own thread.
  const uint64_t tail = tail_->load(std::memory_order_relaxed);
  std::vector<std::byte> piece;
  for (uint64_t index = synced_ / units_; index * units_ < tail && synced_ < tail; ++index) {
    const std::string path = SegmentPath(dir_, static_cast<uint32_t>(index));
    absl::StatusOr<std::unique_ptr<File>> file =
        files_.Open(path, FileSystem::OpenMode::kReadWrite);
    if (!file.ok()) return file.status();
    const uint64_t begin = index * units_;
    uint64_t at = (std::max(synced_, begin) - begin) * kFrameUnitBytes / kPageBytes * kPageBytes;
    const uint64_t end = (std::min(tail, begin + units_) - begin) * kFrameUnitBytes;
    for (; at < end; at += piece.size()) {
      piece.resize(std::min(kPieceBytes, end - at));
      absl::StatusOr<size_t> n = (*file)->ReadAt(at, piece);
      if (!n.ok()) return n.status();
      piece.resize(*n);
      if (piece.empty()) break;
      if (absl::Status status = (*file)->WriteAt(at, piece); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CommitMember::Sync(uint64_t& syncs, uint64_t& bytes) {
  if (seen_ <= synced_) return absl::OkStatus();
  const uint64_t last = (seen_ - 1) / units_;
  for (uint64_t index = synced_ / units_; index <= last; ++index) {
    absl::StatusOr<const Segment*> segment = SegmentAt(static_cast<uint32_t>(index));
    if (!segment.ok()) return segment.status();
    if (absl::Status status = (*segment)->file->Sync(); !status.ok()) return status;
    ++syncs;
  }
  if (static_cast<int64_t>(last) > last_named_) {
    if (absl::Status status = files_.SyncDirectory(dir_); !status.ok()) return status;
    ++syncs;
    last_named_ = static_cast<int64_t>(last);
  }
  bytes += (seen_ - synced_) * kFrameUnitBytes;
  synced_ = seen_;
  return absl::OkStatus();
}

}  // namespace bitactor::internal
