#include "bitactor/persistence/repair.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "header_repair.h"
#include "lost_and_found.h"
#include "recovery.h"
#include "segment_store.h"
#include "system_sources.h"
#include "verify_each.h"

namespace bitactor {
namespace internal {
namespace {

// First the segments are made whole as files, so that every one can be read; then gaps are put over
// what cannot be read in them; then recovery cuts the torn tail and proves that the journal opens.
class Repairer {
 public:
  Repairer(const std::string& dir, const RepairOptions& options)
      : dir_(dir), options_(options), files_(*options.files) {
    report_.dry_run = options.dry_run;
  }

  absl::StatusOr<RepairReport> Run() {
    absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files_, dir_);
    if (!segments.ok()) return segments.status();
    if (segments->empty()) {
      return absl::NotFoundError(absl::StrCat(dir_, ": no journal here: there are no segments"));
    }
    std::unique_ptr<FileLock> lock;
    if (!options_.dry_run) {
      absl::StatusOr<std::unique_ptr<FileLock>> taken =
          LockJournal(files_, dir_, options_.now_ns());
      if (!taken.ok()) return taken.status();
      lock = *std::move(taken);
    }
    if (absl::Status status = FindKnown(*segments); !status.ok()) return status;
    for (uint32_t index = 0; index <= segments->back(); ++index) {
      if (absl::Status status = MakeWhole(index, segments->back()); !status.ok()) return status;
    }
    if (absl::Status status = PutGaps(); !status.ok()) return status;
    if (options_.dry_run) return std::move(report_);
    if (absl::Status status = Recover(); !status.ok()) return status;
    absl::StatusOr<VerifyReport> after = VerifyJournal(dir_, files_, options_.progress);
    if (!after.ok()) return after.status();
    if (!after->ok()) {
      return absl::InternalError(absl::StrCat(
          dir_, ": after the repair there is still damage: ", after->damages[0].ToString(),
          "; repair again, and if it stays, report this as a defect"));
    }
    report_.records = after->records;
    report_.gaps = after->gap_count;
    return std::move(report_);
  }

 private:
  struct Raw {
    std::unique_ptr<File> file;
    SegmentHeader header{};
    uint64_t size_bytes = 0;
  };

  absl::StatusOr<Raw> ReadRaw(uint32_t index) {
    Raw raw;
    absl::StatusOr<std::unique_ptr<File>> file =
        files_.Open(SegmentPath(dir_, index), options_.dry_run ? FileSystem::OpenMode::kRead
                                                               : FileSystem::OpenMode::kReadWrite);
    if (!file.ok()) return file.status();
    raw.file = *std::move(file);
    absl::StatusOr<uint64_t> size_bytes = raw.file->SizeBytes();
    if (!size_bytes.ok()) return size_bytes.status();
    raw.size_bytes = *size_bytes;
    absl::StatusOr<size_t> n =
        raw.file->ReadAt(0, std::as_writable_bytes(std::span(&raw.header, 1)));
    if (!n.ok()) return n.status();
    return raw;
  }

  // The first header that is sound, or can be made so, says size and owner of all segments.
  absl::Status FindKnown(const std::vector<uint32_t>& segments) {
    for (const uint32_t index : segments) {
      absl::StatusOr<Raw> raw = ReadRaw(index);
      if (!raw.ok()) return raw.status();
      if (CheckHeader(raw->header, "", index).ok()) {
        known_ = raw->header;
        return absl::OkStatus();
      }
      if (const auto undone = UndoFlippedBit(raw->header, index)) {
        known_ = *undone;
        return absl::OkStatus();
      }
      absl::Status status = CheckHeader(raw->header, SegmentPath(dir_, index), index);
      if (absl::IsFailedPrecondition(status) && raw->header.crc32c == HeaderChecksum(raw->header)) {
        return status;  // no damage, but another version
      }
    }
    return absl::DataLossError(
        absl::StrCat(dir_,
                     ": no segment has a header from which size and owner of the journal "
                     "could be taken; nothing was changed. Put back a copy of any segment"));
  }

  // Sees to it that segment `index` is there, as long as it should be and with a sound header.
  absl::Status MakeWhole(uint32_t index, uint32_t last_index) {
    absl::StatusOr<Raw> raw = ReadRaw(index);
    if (absl::IsNotFound(raw.status())) {
      return Replace(index, nullptr, "missing: made anew as a gap", /*with_gap=*/true);
    }
    if (!raw.ok()) return raw.status();
    const std::string path = SegmentPath(dir_, index);
    const absl::Status header = CheckHeader(raw->header, path, index);
    const bool sound = header.ok() && raw->header.segment_bytes == known_.segment_bytes;
    if (absl::IsFailedPrecondition(header) && raw->header.crc32c == HeaderChecksum(raw->header)) {
      return header;  // no damage, but another version
    }
    const std::optional<SegmentHeader> better = sound         ? raw->header
                                                : header.ok() ? std::nullopt
                                                              : BetterHeader(*raw, index);
    if (!better.has_value()) {
      // The last one may never have been used; then nothing was in it.
      const bool unused = index == last_index && IsZeroBehindHeader(*raw->file);
      return Replace(index, &*raw,
                     unused ? "no sound header, and nothing behind it: made anew"
                            : "no sound header, and no record that shows what it was: kept whole "
                              "and made anew as a gap",
                     !unused);
    }
    if (absl::Status status = FixSize(*raw, index); !status.ok()) return status;
    if (sound) return absl::OkStatus();
    return Change(*raw->file,
                  {.file = path,
                   .offset = 0,
                   .bytes = sizeof(SegmentHeader),
                   .position = PositionOf(index, 0),
                   .what = "the header was damaged: made again"},
                  [&] {
                    return raw->file->WriteAt(
                        0, std::as_bytes(std::span<const SegmentHeader>(&*better, 1)));
                  });
  }

  std::optional<SegmentHeader> BetterHeader(const Raw& raw, uint32_t index) {
    const std::optional<SegmentHeader> undone = UndoFlippedBit(raw.header, index);
    if (undone.has_value() && undone->segment_bytes == known_.segment_bytes) return undone;
    if (raw.size_bytes < known_.segment_bytes) {
      // A mapping must not reach behind the end; a copy in memory may.
      std::vector<std::byte> bytes(known_.segment_bytes);
      if (!raw.file->ReadAt(0, bytes).ok()) return std::nullopt;
      return RebuildHeader(raw.header, known_, index, bytes.data());
    }
    absl::StatusOr<std::unique_ptr<Mapping>> mapping =
        raw.file->Map(0, known_.segment_bytes, File::Access::kRead);
    if (!mapping.ok()) return std::nullopt;
    return RebuildHeader(raw.header, known_, index, (*mapping)->data());
  }

  absl::Status FixSize(const Raw& raw, uint32_t index) {
    const uint64_t wanted = known_.segment_bytes;
    if (raw.size_bytes == wanted) return absl::OkStatus();
    const bool is_short = raw.size_bytes < wanted;
    return Change(*raw.file,
                  {.file = SegmentPath(dir_, index),
                   .offset = is_short ? raw.size_bytes : wanted,
                   .bytes = is_short ? 0 : raw.size_bytes - wanted,
                   .position = PositionOf(index, std::min(raw.size_bytes, wanted)),
                   .what = absl::StrCat("the file had ", raw.size_bytes, " bytes instead of ",
                                        wanted, is_short ? ": extended with zeros" : ": cut")},
                  [&] { return is_short ? raw.file->Allocate(wanted) : raw.file->Resize(wanted); });
  }

  bool IsZeroBehindHeader(const File& file) {
    std::vector<std::byte> piece(kMinSegmentBytes);
    for (uint64_t at = sizeof(SegmentHeader);;) {
      const absl::StatusOr<size_t> n = file.ReadAt(at, piece);
      if (!n.ok()) return false;
      if (std::any_of(piece.begin(), piece.begin() + static_cast<ptrdiff_t>(*n),
                      [](std::byte b) { return b != std::byte{0}; })) {
        return false;
      }
      if (*n < piece.size()) return true;
      at += *n;
    }
  }

  // Puts a new segment into the place of `old` (null: there is none), in one step.
  absl::Status Replace(uint32_t index, const Raw* old, const char* what, bool with_gap) {
    const std::string path = SegmentPath(dir_, index);
    RepairAction action{.file = path,
                        .offset = 0,
                        .bytes = old == nullptr ? 0 : old->size_bytes,
                        .position = PositionOf(index, 0),
                        .what = what};
    const auto make = [&]() -> absl::Status {
      const std::string unfinished = JoinPath(dir_, kUnfinishedName);
      absl::StatusOr<std::unique_ptr<File>> file =
          files_.Open(unfinished, FileSystem::OpenMode::kCreate);
      if (!file.ok()) return file.status();
      SegmentHeader header = known_;
      header.version = kJournalVersion;
      header.salt = options_.random();
      header.boot_id = files_.BootId();
      header.created_ns = options_.now_ns();
      header.segment_index = index;
      header.crc32c = HeaderChecksum(header);
      absl::Status status = (*file)->Allocate(header.segment_bytes);
      if (status.ok()) {
        status = (*file)->WriteAt(0, std::as_bytes(std::span<const SegmentHeader>(&header, 1)));
      }
      if (status.ok() && with_gap) {
        const uint64_t units = header.segment_bytes / kFrameUnitBytes;
        status = WriteGap(**file, header, 1, units,
                          {.records = 0, .last_stamp_ns = LastStampBefore(index)});
      }
      if (status.ok()) status = (*file)->Sync();
      if (status.ok()) status = files_.Rename(unfinished, path);
      if (status.ok()) status = files_.SyncDirectory(dir_);
      return status;
    };
    if (old != nullptr) return Change(*old->file, std::move(action), make);
    report_.actions.push_back(std::move(action));
    return options_.dry_run ? absl::OkStatus() : make();
  }

  struct Before {
    uint64_t records;
    uint64_t last_stamp_ns;
  };

  // Gaps over units [unit, end): one, or two where the range reaches the segment's last unit, which
  // is a slot of its own.
  absl::Status WriteGap(File& file, const SegmentHeader& header, uint64_t unit, uint64_t end,
                        Before before) {
    const uint64_t units = header.segment_bytes / kFrameUnitBytes;
    const uint64_t begin = header.segment_index * units;
    const auto write = [&](uint64_t first, uint64_t count) -> absl::Status {
      FrameHeader slot = EncodeGap({.first_lost = begin + first,
                                    .units = count,
                                    .records = before.records,
                                    .last_stamp_ns = before.last_stamp_ns},
                                   header.segment_index);
      slot.crc32c ^= PlaceMask(header.salt, begin + first);
      const auto bytes = std::as_bytes(std::span<const FrameHeader>(&slot, 1));
      const uint64_t at = first * kFrameUnitBytes;
      // The commit word last.
      absl::Status status = file.WriteAt(at + 8, bytes.subspan(8));
      if (status.ok()) status = file.WriteAt(at, bytes.first(8));
      return status;
    };
    const uint64_t inner_end = std::min(end, units - 1);
    if (unit < inner_end) {
      if (absl::Status status = write(unit, inner_end - unit); !status.ok()) return status;
    }
    return end == units ? write(units - 1, 1) : absl::OkStatus();
  }

  uint64_t LastStampBefore(uint32_t index) {
    if (index == 0) return 0;
    const absl::StatusOr<Segment> before =
        OpenSegment(files_, dir_, index - 1, File::Access::kRead);
    if (!before.ok()) return 0;
    const std::optional<Seal> seal = EndSeal(before->view());
    return seal.has_value() ? seal->last_stamp_ns : 0;
  }

  // Again and again, because a segment that got a gap is in use, and the one before it then has to
  // be sealed.
  absl::Status PutGaps() {
    for (;;) {
      const size_t done = report_.actions.size();
      std::vector<Damage> damages;
      if (absl::Status status = PutGapsOnce(damages); !status.ok()) return status;
      if (report_.actions.size() > done && !options_.dry_run) continue;
      // What is left is cut by recovery.
      for (const Damage& damage : damages) report_.actions.push_back(ActionFor(damage, ": cut"));
      return absl::OkStatus();
    }
  }

  // Leaves the torn tail in `damages`.
  absl::Status PutGapsOnce(std::vector<Damage>& damages) {
    absl::StatusOr<VerifyReport> found = VerifyEach(
        files_, dir_, options_.progress, options_.dry_run ? WhoWrites::kAnyone : WhoWrites::kNobody,
        [&](const Damage& damage) {
          if (damage.bytes > 0) damages.push_back(damage);  // else of a whole segment
        });
    if (!found.ok()) return found.status();
    report_.records = found->records;
    report_.gaps = found->gap_count;
    const auto torn = std::stable_partition(
        damages.begin(), damages.end(),
        [](const Damage& damage) { return damage.kind != DamageKind::kTornTail; });
    for (auto it = damages.begin(); it != torn;) {
      const auto end = std::find_if(it, torn, [&](const Damage& d) { return d.file != it->file; });
      if (absl::Status status = PutGapsInSegment({it, end}); !status.ok()) return status;
      it = end;
    }
    damages.erase(damages.begin(), torn);
    return absl::OkStatus();
  }

  // `damages` are all of one segment, in ascending order.
  absl::Status PutGapsInSegment(std::span<const Damage> damages) {
    const auto index = static_cast<uint32_t>(damages[0].position.value() /
                                             (known_.segment_bytes / kFrameUnitBytes));
    absl::StatusOr<Segment> segment = OpenSegment(
        files_, dir_, index, options_.dry_run ? File::Access::kRead : File::Access::kReadWrite);
    if (!segment.ok()) return segment.status();
    const SegmentView view = segment->view();
    Before before{.records = 0, .last_stamp_ns = LastStampBefore(index)};
    uint64_t unit = 1;
    for (const Damage& damage : damages) {
      const uint64_t first = damage.offset / kFrameUnitBytes;
      const uint64_t end = first + damage.bytes / kFrameUnitBytes;
      for (; unit < first; unit += view.PeekSlot(unit).units) {
        if (view.PeekSlot(unit).kind != SlotKind::kRecord) continue;
        ++before.records;
        before.last_stamp_ns = view.FrameAt(unit).stamp_ns;
      }
      unit = end;
      absl::Status status =
          Change(*segment->file, ActionFor(damage, ": made a gap"), [&]() -> absl::Status {
            return WriteGap(*segment->file, segment->header, first, end, before);
          });
      if (!status.ok()) return status;
    }
    return options_.dry_run ? absl::OkStatus() : segment->file->Sync();
  }

  absl::Status Recover() {
    const SegmentMaker maker{.files = &files_,
                             .dir = dir_,
                             .segment_bytes = known_.segment_bytes,
                             .owner_number = known_.owner_number,
                             .random = options_.random,
                             .now_ns = options_.now_ns};
    absl::StatusOr<RecoveredJournal> recovered = RecoverJournal(maker);
    if (!recovered.ok()) return recovered.status();
    if (!recovered->report.torn_copy.empty()) {
      BITACTOR_CHECK(!report_.actions.empty());
      report_.actions.back().copy = recovered->report.torn_copy;
    }
    return absl::OkStatus();
  }

  static RepairAction ActionFor(const Damage& damage, const char* done) {
    return {.file = damage.file,
            .offset = damage.offset,
            .bytes = damage.bytes,
            .position = damage.position,
            .what = absl::StrCat(DamageKindName(damage.kind), ": ", damage.detail, done)};
  }

  // Notes the action, and unless that is all, keeps what it replaces and does it.
  template <typename Do>
  absl::Status Change(const File& file, RepairAction action, const Do& change) {
    if (!options_.dry_run && action.bytes > 0) {
      absl::StatusOr<std::string> copy =
          KeepCopy(files_, dir_, file, action.offset, action.bytes, action.position.value());
      if (!copy.ok()) return copy.status();
      action.copy = *copy;
    }
    report_.actions.push_back(std::move(action));
    return options_.dry_run ? absl::OkStatus() : change();
  }

  Position PositionOf(uint32_t index, uint64_t offset) const {
    return Position((index * known_.segment_bytes + offset) / kFrameUnitBytes);
  }

  const std::string& dir_;
  const RepairOptions& options_;
  FileSystem& files_;
  SegmentHeader known_{};  // of some segment
  RepairReport report_;
};

}  // namespace
}  // namespace internal

std::string RepairAction::ToString() const {
  std::string text = absl::StrCat(file, ": offset ", offset, ", ", bytes, " bytes (position ",
                                  position.ToString(), "): ", what);
  if (!copy.empty()) absl::StrAppend(&text, "; they are in ", copy);
  return text;
}

absl::StatusOr<RepairReport> RepairJournal(const std::string& dir, const RepairOptions& given) {
  RepairOptions options = given;
  if (options.files == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, ": files is null; leave it as it is for the system's files"));
  }
  if (!options.random) options.random = internal::SystemRandom;
  if (!options.now_ns) options.now_ns = internal::SystemTime;
  return internal::Repairer(dir, options).Run();
}

}  // namespace bitactor
