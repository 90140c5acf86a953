#include "block_format.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "retired.h"

namespace bitactor::internal {
namespace {

// The segments of a block, one at a time; that of its record is there already.
class BlockSegments {
 public:
  BlockSegments(FileSystem& files, const std::string& dir, const SegmentView& last)
      : files_(files), dir_(dir), last_(last), view_(last) {}

  absl::Status Use(uint64_t position) {
    if (position >= view_.begin && position - view_.begin < view_.units) return absl::OkStatus();
    if (position >= last_.begin) {
      view_ = last_;
      return absl::OkStatus();
    }
    const auto index = static_cast<uint32_t>(position / last_.units);
    absl::StatusOr<Segment> segment = OpenSegment(files_, dir_, index, File::Access::kRead);
    if (absl::IsNotFound(segment.status())) {
      absl::Status status = CheckAvailable(files_, dir_, position, last_.units);
      if (!status.ok()) return status;
      return DamageError(dir_, absl::StrCat(SegmentPath(dir_, index), ": this segment is missing"));
    }
    if (!segment.ok()) return segment.status();
    segment_ = *std::move(segment);
    view_ = segment_.view();
    if (view_.units != last_.units) {
      return DamageError(
          dir_,
          absl::StrCat(SegmentPath(dir_, index), ": segment size ", view_.units * kFrameUnitBytes,
                       ", but this journal's is ", last_.units * kFrameUnitBytes));
    }
    return absl::OkStatus();
  }
  const SegmentView& view() const { return view_; }

 private:
  FileSystem& files_;
  const std::string& dir_;
  const SegmentView last_;
  Segment segment_{};
  SegmentView view_;
};

}  // namespace

FrameHeader EncodeBlockPart(const BlockPart& part, uint32_t segment_index) {
  FrameHeader header{};
  header.kind = FrameKind::kBlock;
  header.message_id = part.total_bytes;
  header.correlation_id = part.offset;
  header.trace = part.bytes;
  header.type = part.crc32c;
  header.target = segment_index;
  header.crc32c = FrameChecksum(header);
  return header;
}

BlockPart DecodeBlockPart(const FrameHeader& header) {
  return {.total_bytes = header.message_id,
          .offset = header.correlation_id,
          .bytes = header.trace,
          .crc32c = header.type};
}

std::optional<BlockPart> PartIn(const SegmentView& view, uint64_t unit, const Slot& slot) {
  const BlockPart part = DecodeBlockPart(view.FrameAt(unit));
  // Of a length that could wrap around, the slot has none.
  if (part.bytes > kMaxBlockBytes || BlockSlotUnits(part.bytes) != slot.units) return std::nullopt;
  return part;
}

std::optional<BlockSummary> DecodeBlockSummary(const FrameHeader& frame) {
  BlockSummary summary;
  if (frame.size_bytes < sizeof(summary)) return std::nullopt;
  std::memcpy(&summary, &frame + 1, sizeof(summary));
  if (summary.total_bytes > kMaxBlockBytes) return std::nullopt;
  return summary;
}

void BlockRun::Add(uint64_t position, const BlockPart& part, uint64_t commit_word) {
  if (parts_ == 0 || part.offset != done_bytes_ || part.total_bytes != sums_.total_bytes) {
    if (parts_ > 0) ++abandoned_;
    sums_ = {
        .first_part = position, .total_bytes = static_cast<uint32_t>(part.total_bytes), .chain = 0};
    begins_ = part.offset == 0;
    done_bytes_ = part.offset;
    parts_ = 0;
  }
  ++parts_;
  done_bytes_ += part.bytes;
  sums_.chain = Crc32c(sums_.chain, &commit_word, sizeof(commit_word));
}

absl::Status ReadBlock(FileSystem& files, const std::string& dir, const SegmentView& view,
                       uint64_t position, std::vector<std::byte>& into) {
  const auto index_of = [&](uint64_t at) { return static_cast<uint32_t>(at / view.units); };
  const auto damage = [&](const SegmentView& where, uint64_t at, const char* what) {
    return DamageError(
        dir, absl::StrCat(
                 Place(SegmentPath(dir, index_of(at)), where, at - where.begin), ": ", what,
                 at == position
                     ? ""
                     : absl::StrCat(", which belongs to the record at ", "position ", position)));
  };
  const std::optional<BlockSummary> summary =
      DecodeBlockSummary(view.FrameAt(position - view.begin));
  if (!summary.has_value() || summary->first_part >= position) {
    return damage(view, position, "this record's frame names no possible block");
  }
  into.clear();
  into.reserve(summary->total_bytes);
  BlockRun run;
  BlockSegments segments(files, dir, view);
  for (uint64_t at = summary->first_part; at < position;) {
    if (absl::Status status = segments.Use(at); !status.ok()) return status;
    const SegmentView& here = segments.view();
    const uint64_t unit = at - here.begin;
    if (unit == 0) {
      ++at;
      continue;
    }
    const Slot slot = here.PeekSlot(unit);
    if (slot.kind == SlotKind::kBlock) {
      const std::optional<BlockPart> found = PartIn(here, unit, slot);
      if (!found.has_value()) {
        return damage(here, at, "this part of a block changed while it was read");
      }
      const BlockPart& part = *found;
      if (part.bytes > summary->total_bytes - into.size()) {
        return damage(here, at, "this part of a block is longer than what is left of the block");
      }
      const std::byte* bytes = here.data + (unit + 1) * kFrameUnitBytes;
      into.insert(into.end(), bytes, bytes + part.bytes);
      // Of the copy: what was checked is what is given out.
      if (Crc32cLong(0, into.data() + into.size() - part.bytes, part.bytes) != part.crc32c) {
        return damage(here, at, "the bytes of this part of a block are damaged");
      }
      run.Add(at, part, slot.commit_word);
    } else if (slot.kind != SlotKind::kSeal) {
      return damage(here, at, "no part of a block here");
    }
    at += slot.units;
  }
  if (!run.IsWhole(*summary)) {
    return damage(view, position, "the parts before this record are not those of its block");
  }
  return absl::OkStatus();
}

}  // namespace bitactor::internal
