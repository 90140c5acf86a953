#include "bitactor/persistence/journal_verify.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "read_window.h"
#include "recovery.h"
#include "segment_store.h"
#include "slot_batch.h"

namespace bitactor {
namespace internal {
namespace {

constexpr uint64_t kProgressEveryBytes = uint64_t{4} << 20;

// Checks segment after segment. `sums_`, what the next seal has to say, are unknown behind damage
// until a seal says them.
class Verifier {
 public:
  Verifier(FileSystem& files, const std::string& dir, const VerifyProgress& progress)
      : files_(files), dir_(dir), progress_(progress) {}

  absl::StatusOr<VerifyReport> Run() {
    absl::StatusOr<std::vector<uint32_t>> segments = ListSegments(files_, dir_);
    if (!segments.ok()) return segments.status();
    if (segments->empty()) {
      return absl::NotFoundError(absl::StrCat(dir_, ": no journal here: there are no segments"));
    }
    last_index_ = segments->back();
    previous_seal_ = Seal{};
    for (uint32_t index = 0; index <= last_index_; ++index) {
      if (absl::Status status = CheckSegment(index); !status.ok()) return status;
    }
    Progress(total_bytes_);
    report_.bytes_read = done_bytes_;
    return std::move(report_);
  }

 private:
  absl::Status CheckSegment(uint32_t index) {
    const std::optional<Seal> before = std::exchange(previous_seal_, std::nullopt);
    absl::StatusOr<Segment> segment = OpenChecked(index);
    if (!segment.ok()) return segment.status();
    if (segment->mapping == nullptr) return absl::OkStatus();  // damaged, and reported
    ++report_.segments;
    path_ = SegmentPath(dir_, index);
    segment_ = &*segment;
    view_ = segment->view();
    window_.Begin(0);
    total_bytes_ = (uint64_t{last_index_} + 1) * segment->header.segment_bytes;
    cut_short_ = false;
    sums_.reset();
    if (before.has_value()) sums_ = SumsAtBegin(view_, *before);
    // A segment that was made ahead leaves the answer to the one before it.
    if (index == 0 || view_.CommitWordAt(1) != 0) report_.closed_clean = false;

    const uint64_t end = CheckSlots(index);
    done_bytes_ += end * kFrameUnitBytes;
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
        TakeRecord(batch_.record(i), batch_.commit_word(i));
        unit += batch_.units(i);
      }
      if (batch_.size() == 0) {
        const Slot slot = view_.ReadSlot(unit);
        if (slot.kind == SlotKind::kSeal) {
          TakeSeal(unit);
          unit += slot.units;
        } else if (slot.kind != SlotKind::kRecord) {  // a record was written just now
          const uint64_t next = SkipInvalid(index, unit);
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
      Add({.kind = kind, .file = path, .detail = std::string(why.message())});
      return Segment{};
    };
    absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(files_, dir_, index);
    if (absl::IsNotFound(header.status())) {
      return damaged(DamageKind::kSegmentMissing, header.status());
    }
    if (absl::IsDataLoss(header.status())) {
      return damaged(DamageKind::kSegmentHeader, header.status());
    }
    if (!header.ok()) return header.status();
    absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
    if (absl::IsDataLoss(segment.status())) {
      return damaged(DamageKind::kSegmentSize, segment.status());
    }
    return segment;
  }

  void TakeRecord(const Record& record, uint64_t commit_word) {
    ++report_.records;
    report_.closed_clean = false;
    if (sums_.has_value()) {
      sums_->Add(record.position().value(), record.frame().header.stamp_ns, commit_word);
    }
  }

  void TakeSeal(uint64_t unit) {
    const Seal seal = DecodeSeal(view_.FrameAt(unit));
    if (sums_.has_value() && seal != *sums_) {
      AddAt(DamageKind::kSeal, unit, 1,
            absl::StrFormat("covers %d records with chain %08x, found %d with %08x", seal.records,
                            seal.chain, sums_->records, sums_->chain));
    }
    sums_ = seal;
    report_.closed_clean = true;
  }

  // What is at `unit` is neither record nor seal. Returns where to go on; the segment's end when
  // nothing more is in it.
  uint64_t SkipInvalid(uint32_t index, uint64_t unit) {
    const bool unwritten = view_.CommitWordAt(unit) == 0;
    const uint64_t end = view_.EndOfBytes(unit);
    const uint64_t valid = end > unit ? view_.FindValid(unit + 1) : view_.units;
    const bool next_in_use = valid == view_.units && NextSegmentInUse(index);
    if (IsCutShort()) {
      AddCutShort(unit);
      return view_.units;
    }
    // A live writer may have been here since the first look.
    if (unwritten && view_.CommitWordAt(unit) != 0) return unit;
    if (valid < view_.units) {
      AddAt(unwritten ? DamageKind::kHole : DamageKind::kRecord, unit, valid - unit,
            unwritten ? "nothing written here, but there are records behind it"
                      : "no valid record here");
      sums_.reset();
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
    sums_.reset();
    AddAt(DamageKind::kSegmentSize, unit, view_.units - unit,
          "the file was cut short while it was read");
  }

  // Whoever writes leaves a body without its commit word for a moment.
  bool HasWriter() {
    const auto owner = files_.LockedBy(JoinPath(dir_, kLockName));
    return owner.ok() && owner->has_value();
  }

  void AddAt(DamageKind kind, uint64_t unit, uint64_t units, std::string detail) {
    Add({.kind = kind,
         .file = path_,
         .offset = unit * kFrameUnitBytes,
         .bytes = units * kFrameUnitBytes,
         .position = Position(view_.begin + unit),
         .detail = std::move(detail)});
  }

  void Add(Damage damage) {
    ++report_.damage_count;
    if (report_.damages.size() < kMaxDamagesKept) report_.damages.push_back(std::move(damage));
  }

  void Progress(uint64_t done_bytes) {
    progress_at_bytes_ = done_bytes + kProgressEveryBytes;
    if (progress_) progress_(done_bytes, total_bytes_);
  }

  FileSystem& files_;
  const std::string& dir_;
  const VerifyProgress& progress_;
  VerifyReport report_;
  uint32_t last_index_ = 0;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
  uint64_t progress_at_bytes_ = 0;
  std::string path_;
  const Segment* segment_ = nullptr;  // while it is checked
  SegmentView view_{};
  bool cut_short_ = false;
  ReadWindow window_;
  SlotBatch batch_;
  std::optional<Seal> sums_;           // unknown behind damage
  std::optional<Seal> previous_seal_;  // at the end of the segment before
};

}  // namespace
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
  }
  return "unknown";
}

std::string Damage::ToString() const {
  if (bytes == 0) return absl::StrCat(DamageKindName(kind), ": ", detail);
  return absl::StrCat(DamageKindName(kind), ": ", file, ": offset ", offset, ", ", bytes,
                      " bytes (position ", position.ToString(), "): ", detail);
}

absl::StatusOr<VerifyReport> VerifyJournal(const std::string& dir, FileSystem& files,
                                           const VerifyProgress& progress) {
  return internal::Verifier(files, dir, progress).Run();
}

}  // namespace bitactor
