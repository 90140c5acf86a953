#include "bitactor/persistence/journal_verify.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "block_format.h"
#include "journal_cut.h"
#include "read_window.h"
#include "recovery.h"
#include "retired.h"
#include "segment_store.h"
#include "slot_batch.h"
#include "verify_each.h"

namespace bitactor {
namespace internal {
namespace {

constexpr uint64_t kProgressEveryBytes = uint64_t{4} << 20;

// Checks segment after segment. `sums_`, what the next seal has to say, are unknown behind damage
// and gaps until a seal says them.
class Verifier {
 public:
  Verifier(FileSystem& files, const std::string& dir, const VerifyProgress& progress,
           WhoWrites who_writes, const std::function<void(const Damage&)>& each)
      : files_(files), dir_(dir), progress_(progress), who_writes_(who_writes), each_(each) {}

  absl::StatusOr<VerifyReport> Run() {
    absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files_, dir_);
    if (!segments.ok()) return segments.status();
    if (absl::Status status = FindFirst(*segments); !status.ok()) return status;
    if (segments->empty() && first_index_ == 0) {
      return absl::NotFoundError(absl::StrCat(dir_, ": no journal here: there are no segments"));
    }
    if (absl::Status status = FindAcknowledged(*segments); !status.ok()) return status;
    // Once more: a live writer may have begun another segment before what it acknowledged was read.
    segments = ListSegments(files_, dir_);
    if (!segments.ok()) return segments.status();
    last_index_ = segments->empty() ? first_index_ : std::max(first_index_, segments->back());
    for (uint32_t index = first_index_; index <= last_index_; ++index) {
      if (absl::Status status = CheckSegment(index); !status.ok()) return status;
    }
    EndRun();
    CheckEnd();
    Progress(total_bytes_);
    report_.bytes_read = done_bytes_;
    return std::move(report_);
  }

 private:
  // Where the journal begins, and what its first segment goes on from.
  absl::Status FindFirst(const std::vector<uint32_t>& segments) {
    absl::StatusOr<Retired> retired = ReadRetired(files_, dir_);
    if (absl::IsDataLoss(retired.status())) {
      Add({.kind = DamageKind::kRetired,
           .file = JoinPath(dir_, kRetiredName),
           .detail = std::string(retired.status().message())});
      if (!segments.empty()) first_index_ = segments.front();
      return absl::OkStatus();
    }
    if (!retired.ok()) return retired.status();
    first_index_ = retired->first_segment;
    previous_seal_ = retired->last;
    return absl::OkStatus();
  }

  // Before the segments are read: what was acknowledged by then is in them.
  absl::Status FindAcknowledged(const std::vector<uint32_t>& segments) {
    std::optional<SegmentHeader> header;
    for (auto index = segments.begin(); index != segments.end() && !header.has_value(); ++index) {
      const absl::StatusOr<SegmentHeader> read = ReadSegmentHeader(files_, dir_, *index);
      if (read.ok()) header = *read;
    }
    if (!header.has_value()) return absl::OkStatus();  // no number by which a cut names it
    units_ = header->segment_bytes / kFrameUnitBytes;
    end_ = first_index_ * units_;
    absl::StatusOr<JournalCut> cut = FindJournalCut(files_, dir_, header->owner_number);
    if (absl::IsDataLoss(cut.status())) {
      Add({.kind = DamageKind::kCut,
           .file = JoinPath(dir_, kCutName),
           .detail = std::string(cut.status().message())});
      return absl::OkStatus();
    }
    if (!cut.ok()) return cut.status();
    if (!cut->entry.has_value()) return absl::OkStatus();
    cut_path_ = JoinPath(cut->dir, kCutName);
    report_.acknowledged = Position(cut->entry->tail);
    return absl::OkStatus();
  }

  // What is said of damage at `position`.
  std::string WithAcknowledged(uint64_t position, absl::string_view detail) const {
    if (!WasAcknowledged(position)) return std::string(detail);
    return absl::StrCat(detail, "; all before position ", report_.acknowledged->value(),
                        " was acknowledged as durable");
  }
  bool WasAcknowledged(uint64_t position) const {
    return report_.acknowledged.has_value() && position < report_.acknowledged->value();
  }

  void CheckEnd() {
    if (!WasAcknowledged(end_)) return;
    Add({.kind = DamageKind::kAcknowledged,
         .file = cut_path_,
         .position = Position(end_),
         .detail = absl::StrCat(cut_path_, ": all before position ", report_.acknowledged->value(),
                                " was acknowledged as durable, but the journal ends at position ",
                                end_)});
  }

  absl::Status CheckSegment(uint32_t index) {
    const std::optional<Seal> before = std::exchange(previous_seal_, std::nullopt);
    absl::StatusOr<Segment> segment = OpenChecked(index);
    if (!segment.ok()) return segment.status();
    if (segment->mapping == nullptr) {  // damaged, and reported, or retired just now
      EndRun();
      return absl::OkStatus();
    }
    ++report_.segments;
    // It begins with a header, unless it was made ahead of one that is not full.
    if (end_ == segment->view().begin) ++end_;
    path_ = SegmentPath(dir_, index);
    segment_ = &*segment;
    view_ = segment->view();
    window_.Begin(0);
    total_bytes_ = (uint64_t{last_index_} + 1 - first_index_) * segment->header.segment_bytes;
    cut_short_ = false;
    sums_ = SumsAtBegin(view_, before.value_or(Seal{}));
    sums_.known = before.has_value() && before->known;
    // A segment that was made ahead leaves the answer to the one before it.
    if (index == first_index_ || view_.CommitWordAt(1) != 0) report_.closed_clean = false;

    const uint64_t end = CheckSlots(index);
    done_bytes_ += end * kFrameUnitBytes;
    if (end > 1) end_ = view_.begin + end;
    if (end == view_.units) previous_seal_ = EndSeal(view_);
    return absl::OkStatus();
  }

  // Returns the unit behind the last slot; the segment's end when it is full.
  uint64_t CheckSlots(uint32_t index) {
    uint64_t unit = 1;
    while (unit < view_.units) {
      window_.MoveTo(*segment_->mapping, unit * kFrameUnitBytes);
      batch_.Fill(view_, unit, SlotBatch::kSlotsMax);
      for (size_t i = 0; i < batch_.size(); ++i) {
        TakePlainRecord(batch_.record(i), batch_.commit_word(i));
        unit += batch_.units(i);
      }
      if (batch_.size() == 0) {
        const Slot slot = view_.ReadSlot(unit);
        if (slot.kind != SlotKind::kUnwritten && slot.kind != SlotKind::kBad) {
          TakeSlot(unit, slot);
          unit += slot.units;
        } else {
          const uint64_t next = SkipInvalid(index, unit, slot.kind == SlotKind::kUnwritten);
          if (next == unit) continue;  // written just now, maybe the frame of the parts so far
          EndRun();
          if (next == view_.units) break;
          unit = next;
        }
      }
      if (segment_->mapping->broken()) {
        if (!cut_short_) AddCutShort(unit);
        break;
      }
      if (done_bytes_ + unit * kFrameUnitBytes >= progress_at_bytes_) {
        Progress(done_bytes_ + unit * kFrameUnitBytes);
      }
    }
    return unit;
  }

  // The segment, or one without mapping when it is damaged as a whole.
  absl::StatusOr<Segment> OpenChecked(uint32_t index) {
    const std::string path = SegmentPath(dir_, index);
    const auto damaged = [&](DamageKind kind, const absl::Status& why) {
      const uint64_t position = index * units_;
      Add({.kind = kind,
           .file = path,
           .position = Position(position),
           .detail = WithAcknowledged(position, why.message())});
      return Segment{};
    };
    // One that is still there may go on from one that is not.
    if (IsRetired(files_, dir_, index)) return Segment{};
    absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(files_, dir_, index);
    if (absl::IsNotFound(header.status())) {
      if (IsRetired(files_, dir_, index)) return Segment{};
      return damaged(DamageKind::kSegmentMissing, header.status());
    }
    if (absl::IsDataLoss(header.status())) {
      return damaged(DamageKind::kSegmentHeader, header.status());
    }
    if (!header.ok()) return header.status();
    absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
    if (absl::IsNotFound(segment.status()) && IsRetired(files_, dir_, index)) return Segment{};
    if (absl::IsDataLoss(segment.status())) {
      return damaged(DamageKind::kSegmentSize, segment.status());
    }
    return segment;
  }

  void TakeSlot(uint64_t unit, const Slot& slot) {
    report_.closed_clean = slot.kind == SlotKind::kSeal;
    if (slot.kind == SlotKind::kRecord) {
      TakeRecord(unit, slot);
    } else if (slot.kind == SlotKind::kSeal) {
      TakeSeal(unit);
    } else if (slot.kind == SlotKind::kBlock) {
      run_.Add(view_.begin + unit, DecodeBlockPart(view_.FrameAt(unit)), slot.commit_word);
    } else {
      TakeGap(unit, slot);
    }
  }

  void TakePlainRecord(const Record& record, uint64_t commit_word) {
    ++report_.records;
    report_.closed_clean = false;
    sums_.Add(record.position().value(), record.frame().header.stamp_ns, commit_word);
    if (!run_.empty()) [[unlikely]]
      EndRun();
  }

  void TakeRecord(uint64_t unit, const Slot& slot) {
    ++report_.records;
    sums_.Add(view_.begin + unit, view_.FrameAt(unit).stamp_ns, slot.commit_word);
    if (view_.HasBlock(slot)) {
      const std::optional<BlockSummary> summary = DecodeBlockSummary(view_.FrameAt(unit));
      if (summary.has_value() && run_.IsWhole(*summary)) {
        report_.abandoned_blocks += run_.abandoned();
        run_.Clear();
        return;
      }
      AddAt(DamageKind::kBlock, unit, slot.units,
            "the parts before this record are not those of its block");
    }
    EndRun();
  }

  // The parts so far belong to no record.
  void EndRun() {
    report_.abandoned_blocks += run_.abandoned() + (run_.empty() ? 0 : 1);
    run_.Clear();
  }

  void TakeGap(uint64_t unit, const Slot& slot) {
    EndRun();
    sums_.known = false;
    ++report_.gap_count;
    if (report_.gaps.size() == kMaxDamagesKept) return;
    report_.gaps.push_back({.file = path_,
                            .offset = unit * kFrameUnitBytes,
                            .bytes = slot.units * kFrameUnitBytes,
                            .position = Position(view_.begin + unit)});
  }

  void TakeSeal(uint64_t unit) {
    const Seal seal = DecodeSeal(view_.FrameAt(unit));
    if (sums_.known && seal != sums_) {
      AddAt(DamageKind::kSeal, unit, 1,
            absl::StrFormat("covers %d records with chain %08x, found %d with %08x", seal.records,
                            seal.chain, sums_.records, sums_.chain));
    }
    sums_ = seal;
  }

  // What was read at `unit` is neither record nor seal; `unwritten` says what it was then, for a
  // live writer may have come here since. Returns where to go on; the segment's end when nothing
  // more is in it.
  uint64_t SkipInvalid(uint32_t index, uint64_t unit, bool unwritten) {
    const uint64_t end = view_.EndOfBytes(unit);
    const uint64_t valid = end > unit ? view_.FindValid(unit + 1) : view_.units;
    const bool next_in_use = valid == view_.units && NextSegmentInUse(index);
    if (IsCutShort()) {
      AddCutShort(unit);
      return view_.units;
    }
    if (unwritten && view_.CommitWordAt(unit) != 0) return unit;
    if (valid < view_.units) {
      AddAt(unwritten ? DamageKind::kHole : DamageKind::kRecord, unit, valid - unit,
            unwritten ? "nothing written here, but there are records behind it"
                      : "no valid record here");
      sums_.known = false;
    } else if (next_in_use) {
      AddAt(DamageKind::kSegmentUnsealed, unit, view_.units - unit,
            "the segment does not end with a seal, but the next one is in use");
    } else if (end > unit && !(unwritten && HasWriter())) {
      AddAt(DamageKind::kTornTail, unit, end - unit, "no valid record here, and none behind it");
      report_.closed_clean = false;
    }
    return valid;
  }

  bool NextSegmentInUse(uint32_t index) {
    if (index == last_index_) return false;
    const absl::StatusOr<Segment> next = OpenSegment(files_, dir_, index + 1, File::Access::kRead);
    return next.ok() && next->view().EndOfBytes(1) != 1;
  }

  // What is missing from the page where the file ends reads as zeros without a fault.
  bool IsCutShort() const {
    const absl::StatusOr<uint64_t> size_bytes = segment_->file->SizeBytes();
    return segment_->mapping->broken() ||
           (size_bytes.ok() && *size_bytes < segment_->header.segment_bytes);
  }

  void AddCutShort(uint64_t unit) {
    cut_short_ = true;
    sums_.known = false;
    AddAt(DamageKind::kSegmentSize, unit, view_.units - unit,
          "the file was cut short while it was read");
  }

  // Whoever writes leaves a body without its commit word for a moment.
  bool HasWriter() {
    if (who_writes_ == WhoWrites::kNobody) return false;
    const auto owner = files_.LockedBy(JoinPath(dir_, kLockName));
    return owner.ok() && owner->has_value();
  }

  void AddAt(DamageKind kind, uint64_t unit, uint64_t units, absl::string_view detail) {
    Add({.kind = kind,
         .file = path_,
         .offset = unit * kFrameUnitBytes,
         .bytes = units * kFrameUnitBytes,
         .position = Position(view_.begin + unit),
         .detail = WithAcknowledged(view_.begin + unit, detail)});
  }

  void Add(Damage damage) {
    ++report_.damage_count;
    if (each_) each_(damage);
    if (report_.damages.size() < kMaxDamagesKept) report_.damages.push_back(std::move(damage));
  }

  void Progress(uint64_t done_bytes) {
    progress_at_bytes_ = done_bytes + kProgressEveryBytes;
    if (progress_) progress_(done_bytes, total_bytes_);
  }

  FileSystem& files_;
  const std::string& dir_;
  const VerifyProgress& progress_;
  const WhoWrites who_writes_;
  const std::function<void(const Damage&)>& each_;
  VerifyReport report_;
  uint32_t first_index_ = 0;
  uint32_t last_index_ = 0;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
  uint64_t progress_at_bytes_ = 0;
  uint64_t units_ = 0;    // of a segment; 0: no header says so
  uint64_t end_ = 0;      // position behind the last slot so far
  std::string cut_path_;  // where report_.acknowledged is from
  std::string path_;
  const Segment* segment_ = nullptr;  // while it is checked
  SegmentView view_{};
  bool cut_short_ = false;
  ReadWindow window_;
  SlotBatch batch_;
  Seal sums_{};
  BlockRun run_;
  std::optional<Seal> previous_seal_;  // at the end of the segment before
};

}  // namespace

absl::StatusOr<VerifyReport> VerifyEach(FileSystem& files, const std::string& dir,
                                        const VerifyProgress& progress, WhoWrites who_writes,
                                        const std::function<void(const Damage&)>& each) {
  return Verifier(files, dir, progress, who_writes, each).Run();
}

}  // namespace internal

const char* DamageKindName(DamageKind kind) {
  switch (kind) {
    case DamageKind::kSegmentMissing:
      return "segment_missing";
    case DamageKind::kSegmentSize:
      return "segment_size";
    case DamageKind::kSegmentHeader:
      return "segment_header";
    case DamageKind::kSegmentUnsealed:
      return "segment_unsealed";
    case DamageKind::kHole:
      return "hole";
    case DamageKind::kRecord:
      return "record";
    case DamageKind::kTornTail:
      return "torn_tail";
    case DamageKind::kSeal:
      return "seal";
    case DamageKind::kBlock:
      return "block";
    case DamageKind::kRetired:
      return "retired";
    case DamageKind::kCut:
      return "cut";
    case DamageKind::kAcknowledged:
      return "acknowledged";
  }
  return "unknown";
}

std::string Damage::ToString() const {
  if (bytes == 0) return absl::StrCat(DamageKindName(kind), ": ", detail);
  return absl::StrCat(DamageKindName(kind), ": ", file, ": offset ", offset, ", ", bytes,
                      " bytes (position ", position.ToString(), "): ", detail);
}

std::string KnownGap::ToString() const {
  return absl::StrCat("gap: ", file, ": offset ", offset, ", ", bytes, " bytes (position ",
                      position.ToString(), ")");
}

absl::StatusOr<VerifyReport> VerifyJournal(const std::string& dir, FileSystem& files,
                                           const VerifyProgress& progress) {
  return internal::VerifyEach(files, dir, progress, internal::WhoWrites::kAnyone, nullptr);
}

}  // namespace bitactor
