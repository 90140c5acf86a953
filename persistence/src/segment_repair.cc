#include "segment_repair.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gap_writer.h"
#include "header_repair.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

struct Raw {
  std::unique_ptr<File> file;
  SegmentHeader header{};
  uint64_t size_bytes = 0;
};

absl::StatusOr<Raw> ReadRaw(RepairLog& log, uint32_t index) {
  Raw raw;
  absl::StatusOr<std::unique_ptr<File>> file = log.files.Open(
      SegmentPath(log.dir, index),
      log.options.dry_run ? FileSystem::OpenMode::kRead : FileSystem::OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  raw.file = *std::move(file);
  absl::StatusOr<uint64_t> size_bytes = raw.file->SizeBytes();
  if (!size_bytes.ok()) return size_bytes.status();
  raw.size_bytes = *size_bytes;
  absl::StatusOr<size_t> n = raw.file->ReadAt(0, std::as_writable_bytes(std::span(&raw.header, 1)));
  if (!n.ok()) return n.status();
  return raw;
}

class SegmentRepair {
 public:
  SegmentRepair(RepairLog& log, const SegmentHeader& known) : log_(log), known_(known) {}

  absl::Status MakeWhole(uint32_t index, uint32_t last_index) {
    absl::StatusOr<Raw> raw = ReadRaw(log_, index);
    if (absl::IsNotFound(raw.status())) {
      return Replace(index, nullptr, "missing: made anew as a gap", /*with_gap=*/true);
    }
    if (!raw.ok()) return raw.status();
    const std::string path = SegmentPath(log_.dir, index);
    const absl::Status header = CheckHeader(raw->header, path, index);
    const bool sound = header.ok() && raw->header.segment_bytes == known_.segment_bytes;
    if (absl::IsFailedPrecondition(header) && raw->header.crc32c == HeaderChecksum(raw->header)) {
      return header;  // no damage, but another version
    }
    if (header.ok() && !sound) {
      return Replace(index, &*raw, "of another journal: kept whole and made anew as a gap",
                     /*with_gap=*/true);
    }
    if (absl::Status status = FixSize(*raw, index); !status.ok()) return status;
    if (sound) return absl::OkStatus();
    const std::optional<SegmentHeader> better = BetterHeader(*raw, index);
    if (!better.has_value()) {
      // The last one may never have been used; then nothing was in it.
      const bool unused = index == last_index && IsZeroBehindHeader(*raw->file);
      return Replace(index, &*raw,
                     unused ? "no sound header, and nothing behind it: made anew"
                            : "no sound header, and no record that shows what it was: kept whole "
                              "and made anew as a gap",
                     !unused);
    }
    return log_.Change(*raw->file,
                       {.file = path,
                        .offset = 0,
                        .bytes = sizeof(SegmentHeader),
                        .position = PositionOf(index, 0),
                        .what = "the header was damaged: made again"},
                       [&] { return raw->file->WriteAt(0, BytesOf(*better)); });
  }

 private:
  std::optional<SegmentHeader> BetterHeader(const Raw& raw, uint32_t index) {
    const std::optional<SegmentHeader> undone = UndoFlippedBit(raw.header, index);
    if (undone.has_value() && undone->segment_bytes == known_.segment_bytes) return undone;
    if (raw.size_bytes < known_.segment_bytes && log_.options.dry_run) {
      // It is not extended, and a mapping must not reach behind the end; a copy in memory may.
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
    return log_.Change(
        *raw.file,
        {.file = SegmentPath(log_.dir, index),
         .offset = is_short ? raw.size_bytes : wanted,
         .bytes = is_short ? 0 : raw.size_bytes - wanted,
         .position = PositionOf(index, std::min(raw.size_bytes, wanted)),
         .what = absl::StrCat("the file had ", raw.size_bytes, " bytes instead of ", wanted,
                              is_short ? ": extended with zeros" : ": cut")},
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
    const std::string path = SegmentPath(log_.dir, index);
    RepairAction action{.file = path,
                        .offset = 0,
                        .bytes = old == nullptr ? 0 : old->size_bytes,
                        .position = PositionOf(index, 0),
                        .what = what};
    const auto make = [&]() -> absl::Status {
      const std::string unfinished = JoinPath(log_.dir, kUnfinishedName);
      absl::StatusOr<std::unique_ptr<File>> file =
          log_.files.Open(unfinished, FileSystem::OpenMode::kCreate);
      if (!file.ok()) return file.status();
      SegmentHeader header = log_.MakerOf(known_).NewHeader(index);
      // Made anew is the file, not the journal: recovery asks whether the machine was since.
      header.boot_id = known_.boot_id;
      header.crc32c = HeaderChecksum(header);
      absl::Status status = (*file)->Allocate(header.segment_bytes);
      if (status.ok()) status = (*file)->WriteAt(0, BytesOf(header));
      if (status.ok() && with_gap) {
        const uint64_t units = header.segment_bytes / kFrameUnitBytes;
        status =
            WriteGap(**file, header, 1, units,
                     {.records = 0, .last_stamp_ns = LastStampBefore(log_.files, log_.dir, index)});
      }
      if (status.ok()) status = (*file)->Sync();
      if (status.ok()) status = log_.files.Rename(unfinished, path);
      if (status.ok()) status = log_.files.SyncDirectory(log_.dir);
      return status;
    };
    if (old != nullptr) return log_.Change(*old->file, std::move(action), make);
    return log_.Add(std::move(action), make);
  }

  Position PositionOf(uint32_t index, uint64_t offset) const {
    return Position((index * known_.segment_bytes + offset) / kFrameUnitBytes);
  }

  RepairLog& log_;
  const SegmentHeader& known_;
};

}  // namespace

absl::StatusOr<SegmentHeader> FindKnownHeader(RepairLog& log,
                                              const std::vector<uint32_t>& segments) {
  // By size: how many segments have it, and the first of these.
  std::map<uint64_t, std::pair<uint64_t, SegmentHeader>> found;
  for (const uint32_t index : segments) {
    absl::StatusOr<Raw> raw = ReadRaw(log, index);
    if (!raw.ok()) return raw.status();
    const std::optional<SegmentHeader> header =
        CheckHeader(raw->header, "", index).ok() ? raw->header : UndoFlippedBit(raw->header, index);
    if (header.has_value()) {
      ++found.try_emplace(header->segment_bytes, 0, *header).first->second.first;
      continue;
    }
    absl::Status status = CheckHeader(raw->header, SegmentPath(log.dir, index), index);
    if (absl::IsFailedPrecondition(status) && raw->header.crc32c == HeaderChecksum(raw->header)) {
      return status;  // no damage, but another version
    }
  }
  const auto most = std::max_element(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.second.first < b.second.first;
  });
  if (most != found.end()) return most->second.second;
  return absl::DataLossError(
      absl::StrCat(log.dir,
                   ": no segment has a header from which size and owner of the journal "
                   "could be taken; nothing was changed. Put back a copy of any segment"));
}

absl::Status MakeSegmentWhole(RepairLog& log, const SegmentHeader& known, uint32_t index,
                              uint32_t last_index) {
  return SegmentRepair(log, known).MakeWhole(index, last_index);
}

}  // namespace bitactor::internal
