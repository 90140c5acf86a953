#include "bitactor/persistence/repair.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cut_file.h"
#include "gap_writer.h"
#include "index_file.h"
#include "journal_cut.h"
#include "journal_defaults.h"
#include "recovery.h"
#include "repair_log.h"
#include "retired.h"
#include "segment_repair.h"
#include "segment_store.h"
#include "verify_each.h"

namespace bitactor {
namespace internal {
namespace {

// First the segments are made whole as files, so that every one can be read; then gaps are put over
// what cannot be read in them; then recovery cuts the torn tail and proves that the journal opens.
class Repairer {
 public:
  Repairer(const std::string& dir, const RepairOptions& options)
      : log_(dir, options),
        dir_(dir),
        options_(options),
        files_(log_.files),
        report_(log_.report) {}

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
    absl::StatusOr<SegmentHeader> known = FindKnownHeader(log_, *segments);
    if (!known.ok()) return known.status();
    known_ = *known;
    std::unique_ptr<FileLock> set_lock;
    if (absl::Status status = FindCut(set_lock); !status.ok()) return status;
    absl::StatusOr<uint32_t> first = FindFirst(segments->front());
    if (!first.ok()) return first.status();
    for (uint32_t index = *first; index <= segments->back(); ++index) {
      absl::Status status = MakeSegmentWhole(log_, known_, index, segments->back());
      if (!status.ok()) return status;
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
  // While a set is open its cut is not ours to move.
  absl::Status FindCut(std::unique_ptr<FileLock>& set_lock) {
    absl::StatusOr<JournalCut> cut = FindJournalCut(files_, dir_, known_.owner_number);
    if (!cut.ok()) return cut.status();
    cut_ = *std::move(cut);
    if (!cut_.of_set || options_.dry_run) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<FileLock>> taken =
        files_.Lock(JoinPath(cut_.dir, kCutLockName), options_.now_ns());
    if (absl::IsUnavailable(taken.status())) {
      return absl::FailedPreconditionError(
          absl::StrCat(dir_, ": the set of this journal, ", cut_.dir, ", is in use by ",
                       taken.status().message(), "; close it there, then repair"));
    }
    if (!taken.ok()) return taken.status();
    set_lock = *std::move(taken);
    return absl::OkStatus();
  }

  // The segment that the journal begins with. Where the mark of a retention cannot be read, that is
  // the first one there is, and a new mark says so; what was retired is then not known any more.
  absl::StatusOr<uint32_t> FindFirst(uint32_t first_there) {
    const absl::StatusOr<Retired> retired = ReadRetired(files_, dir_);
    if (retired.ok()) return retired->first_segment;
    if (!absl::IsDataLoss(retired.status())) return retired.status();
    const std::string path = JoinPath(dir_, kRetiredName);
    absl::StatusOr<std::unique_ptr<File>> file = files_.Open(path, FileSystem::OpenMode::kRead);
    if (!file.ok()) return file.status();
    absl::StatusOr<uint64_t> size_bytes = (*file)->SizeBytes();
    if (!size_bytes.ok()) return size_bytes.status();
    RepairAction action{
        .file = path,
        .offset = 0,
        .bytes = *size_bytes,
        .position = Position(first_there * (known_.segment_bytes / kFrameUnitBytes)),
        .what = absl::StrCat("the mark of what was retired is damaged: made anew, the journal "
                             "begins with segment ",
                             first_there)};
    absl::Status status = log_.Change(**file, std::move(action), [&] {
      Retired anew;
      anew.first_segment = first_there;
      anew.last.known = false;
      return WriteRetired(files_, dir_, anew);
    });
    if (!status.ok()) return status;
    return first_there;
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
      has_torn_tail_ = !damages.empty();
      if (options_.dry_run && lacks_from_.has_value() && !lacks_segments_) {
        NoteMovedCut(cut_.acknowledged(), *lacks_from_);
      }
      return absl::OkStatus();
    }
  }

  // Leaves the torn tail in `damages`.
  absl::Status PutGapsOnce(std::vector<Damage>& damages) {
    absl::StatusOr<VerifyReport> found = VerifyEach(
        files_, dir_, options_.progress, options_.dry_run ? WhoWrites::kAnyone : WhoWrites::kNobody,
        [&](const Damage& damage) {
          if (damage.bytes > 0) {
            damages.push_back(damage);
          } else if (damage.kind == DamageKind::kAcknowledged) {
            lacks_from_ = damage.position.value();
          } else {
            lacks_segments_ = true;
          }
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
    if (!options_.dry_run) {  // the segment's seal, by which an index is known, will not change
      if (absl::Status status = RemoveIndex(files_, dir_, index); !status.ok()) return status;
    }
    const SegmentView view = segment->view();
    BeforeGap before{.records = 0, .last_stamp_ns = LastStampBefore(files_, dir_, index)};
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
          log_.Change(*segment->file, ActionFor(damage, ": made a gap"), [&]() -> absl::Status {
            return WriteGap(*segment->file, segment->header, first, end, before);
          });
      if (!status.ok()) return status;
    }
    return options_.dry_run ? absl::OkStatus() : segment->file->Sync();
  }

  // By the rules of Open(). What was acknowledged and is lost must not keep the journal from being
  // opened, so the cut moves where the readable end is. Else it stays where it is: in a set, more of
  // this journal could be effects whose causes the others lost.
  absl::Status Recover() {
    const uint64_t acknowledged = cut_.acknowledged();
    if (cut_.entry.has_value()) {
      absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files_, dir_);
      if (!segments.ok()) return segments.status();
      absl::StatusOr<uint64_t> end = ReadableEnd(files_, dir_, *segments, acknowledged);
      if (!end.ok()) return end.status();
      cut_.entry->tail = *end;
      // What was acknowledged stays so.
      if (absl::Status status = SyncAll(*segments); !status.ok()) return status;
    }
    absl::StatusOr<RecoveredJournal> recovered =
        RecoverJournal(log_.MakerOf(known_), cut_.entry.has_value() ? &*cut_.entry : nullptr);
    if (!recovered.ok()) return recovered.status();
    NoteWhatRecoveryCut(recovered->report);
    if (cut_.acknowledged() == acknowledged) return absl::OkStatus();
    if (cut_.acknowledged() < acknowledged) NoteMovedCut(acknowledged, cut_.acknowledged());
    return MoveJournalCut(files_, cut_, cut_.acknowledged(), options_.now_ns());
  }

  absl::Status SyncAll(const std::vector<uint32_t>& segments) {
    if (report_.actions.empty()) return absl::OkStatus();
    for (const uint32_t index : segments) {
      absl::StatusOr<std::unique_ptr<File>> file =
          files_.Open(SegmentPath(dir_, index), FileSystem::OpenMode::kReadWrite);
      if (!file.ok()) return file.status();
      if (absl::Status status = (*file)->Sync(); !status.ok()) return status;
    }
    return files_.SyncDirectory(dir_);
  }

  void NoteWhatRecoveryCut(const RecoveryReport& recovery) {
    if (recovery.torn_bytes == 0 && recovery.lost_segments == 0) return;
    if (has_torn_tail_ && recovery.dropped_records == 0 && recovery.lost_segments == 0) {
      report_.actions.back().copy = recovery.torn_copy;
      return;
    }
    const uint64_t units = known_.segment_bytes / kFrameUnitBytes;
    const uint64_t last = recovery.tail.value() - 1;
    report_.actions.push_back(
        {.file = SegmentPath(dir_, static_cast<uint32_t>(last / units)),
         .offset = (last % units + 1) * kFrameUnitBytes,
         .bytes = recovery.torn_bytes,
         .position = recovery.tail,
         .what = absl::StrCat(recovery.dropped_records,
                              " whole records here were not acknowledged when the machine was "
                              "started anew: cut, with ",
                              recovery.lost_segments, " whole segments behind them"),
         .copy =
             recovery.torn_copy.empty() ? JoinPath(dir_, kLostAndFoundName) : recovery.torn_copy});
  }

  void NoteMovedCut(uint64_t acknowledged, uint64_t tail) {
    report_.actions.push_back(
        {.file = JoinPath(cut_.dir, kCutName),
         .position = Position(tail),
         .what = absl::StrCat("all before position ", acknowledged,
                              " was acknowledged as durable, and this is where the journal ends "
                              "now: the cut was moved back",
                              cut_.of_set ? "; what other journals of the set have may be the "
                                            "effect of what is lost here"
                                          : "")});
  }

  static RepairAction ActionFor(const Damage& damage, const char* done) {
    return {.file = damage.file,
            .offset = damage.offset,
            .bytes = damage.bytes,
            .position = damage.position,
            .what = absl::StrCat(DamageKindName(damage.kind), ": ", damage.detail, done)};
  }

  RepairLog log_;
  const std::string& dir_;
  const RepairOptions& options_;
  FileSystem& files_;
  RepairReport& report_;
  SegmentHeader known_{};  // of some segment
  JournalCut cut_;
  bool has_torn_tail_ = false;          // the last action is that
  bool lacks_segments_ = false;         // as found by a dry run
  std::optional<uint64_t> lacks_from_;  // where an end is missing that was acknowledged
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
  internal::SetDefaults(options);
  return internal::Repairer(dir, options).Run();
}

}  // namespace bitactor
