#include "index_file.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bitactor/l1_core/crc32c.h"
#include "recovery.h"
#include "segment_store.h"

namespace bitactor::internal {
namespace {

// Seven bits a byte, the lowest first; the highest bit says that more follow.
constexpr size_t kMaxPlaceBytes = 5;

void AppendPlace(std::vector<std::byte>& bytes, uint32_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::byte>(value | 0x80));
  bytes.push_back(static_cast<std::byte>(value));
}

// Takes one number from the front; nothing when there is no whole one.
std::optional<uint32_t> TakePlace(std::span<const std::byte>& bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < std::min(bytes.size(), kMaxPlaceBytes); ++i) {
    const auto byte = static_cast<uint64_t>(bytes[i]);
    value |= (byte & 0x7F) << (7 * i);
    if (byte >= 0x80) continue;
    bytes = bytes.subspan(i + 1);
    if (value > ~uint32_t{0}) return std::nullopt;
    return static_cast<uint32_t>(value);
  }
  return std::nullopt;
}

uint32_t IndexChecksum(const IndexHeader& header, std::span<const std::byte> body) {
  const uint32_t crc = Crc32c(0, &header, offsetof(IndexHeader, crc32c));
  return Crc32c(crc, body.data(), body.size());
}

absl::Status CheckIndexHeader(const IndexHeader& header, const std::string& path,
                              const SealedContent& content, uint64_t file_bytes) {
  if (header.magic != kIndexMagic || header.version != kIndexVersion) {
    return absl::DataLossError(
        absl::StrFormat("%s: offset 0: no index of version %d: begins with %016x, version %d", path,
                        kIndexVersion, header.magic, header.version));
  }
  if (header.segment_index != content.segment_index || header.salt != content.salt ||
      header.records != content.records || header.chain != content.chain) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 12: the index of segment %d with salt %016x, %d records, chain %08x; the "
        "segment is %d with salt %016x, %d records, chain %08x",
        path, header.segment_index, header.salt, header.records, header.chain,
        content.segment_index, content.salt, content.records, content.chain));
  }
  // Before anything is allocated: no target has fewer than one record, no record less than a unit.
  if (header.target_count > content.units || header.places_bytes > content.units * kMaxPlaceBytes ||
      file_bytes !=
          sizeof(IndexHeader) + header.target_count * sizeof(IndexedTarget) + header.places_bytes) {
    return absl::DataLossError(absl::StrFormat(
        "%s: offset 32: %d targets with %d bytes of places do not make a file of %d bytes for a "
        "segment of %d units",
        path, header.target_count, header.places_bytes, file_bytes, content.units));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<SealedContent>> ReadSealedContent(FileSystem& files,
                                                               const std::string& dir,
                                                               uint32_t index) {
  absl::StatusOr<Segment> segment = OpenSegment(files, dir, index, File::Access::kRead);
  if (!segment.ok()) return segment.status();
  const std::optional<Seal> seal = EndSeal(segment->view());
  if (!seal.has_value() || !seal->known || segment->mapping->broken()) return std::nullopt;
  return SealedContent{.segment_index = index,
                       .units = segment->view().units,
                       .salt = segment->header.salt,
                       .records = seal->records,
                       .chain = seal->chain};
}

std::string IndexDir(const std::string& dir) { return JoinPath(dir, kIndexDirName); }
std::string IndexName(uint32_t index) { return absl::StrFormat("%08d.idx", index); }

absl::Status RemoveIndex(FileSystem& files, const std::string& dir, uint32_t index) {
  const std::string path = JoinPath(IndexDir(dir), IndexName(index));
  absl::StatusOr<bool> there = files.Exists(path);
  if (!there.ok()) return there.status();
  return *there ? files.Remove(path) : absl::OkStatus();
}

void IndexBuilder::Add(uint32_t target, uint32_t unit) {
  Places& places = targets_[target];
  AppendPlace(places.bytes, unit - places.last_unit);
  places.last_unit = unit;
  ++places.records;
  ++records_;
}

std::vector<std::byte> IndexBuilder::Encode(const SealedContent& content) const {
  IndexHeader header{};
  header.magic = kIndexMagic;
  header.version = kIndexVersion;
  header.segment_index = content.segment_index;
  header.salt = content.salt;
  header.records = content.records;
  header.chain = content.chain;
  header.target_count = targets_.size();
  std::vector<std::byte> file(sizeof(header) + targets_.size() * sizeof(IndexedTarget));
  size_t at = sizeof(header);
  for (const auto& [target, places] : targets_) {
    const IndexedTarget entry{target, places.records, static_cast<uint32_t>(places.bytes.size())};
    std::memcpy(file.data() + at, &entry, sizeof(entry));
    at += sizeof(entry);
    header.places_bytes += places.bytes.size();
  }
  file.reserve(file.size() + header.places_bytes);
  for (const auto& [target, places] : targets_) {
    file.insert(file.end(), places.bytes.begin(), places.bytes.end());
  }
  header.crc32c = IndexChecksum(header, std::span(file).subspan(sizeof(header)));
  std::memcpy(file.data(), &header, sizeof(header));
  return file;
}

absl::StatusOr<IndexFile> IndexFile::Read(FileSystem& files, const std::string& dir,
                                          const SealedContent& content) {
  IndexFile index;
  index.path_ = JoinPath(IndexDir(dir), IndexName(content.segment_index));
  index.units_ = content.units;
  index.records_ = content.records;
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(index.path_, FileSystem::OpenMode::kRead);
  if (!file.ok()) return file.status();
  absl::StatusOr<uint64_t> file_bytes = (*file)->SizeBytes();
  if (!file_bytes.ok()) return file_bytes.status();
  IndexHeader header{};
  absl::StatusOr<size_t> n = (*file)->ReadAt(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!n.ok()) return n.status();
  absl::Status status = CheckIndexHeader(header, index.path_, content, *file_bytes);
  if (!status.ok()) return status;

  const size_t table_bytes = header.target_count * sizeof(IndexedTarget);
  std::vector<std::byte> body(table_bytes + header.places_bytes);
  n = (*file)->ReadAt(sizeof(header), body);
  if (!n.ok()) return n.status();
  const uint32_t computed = IndexChecksum(header, std::span(body).first(*n));
  if (*n < body.size() || computed != header.crc32c) {
    return absl::DataLossError(absl::StrFormat("%s: offset 60: checksum %08x, computed %08x",
                                               index.path_, header.crc32c, computed));
  }
  index.targets_.resize(header.target_count);
  if (table_bytes > 0) std::memcpy(index.targets_.data(), body.data(), table_bytes);
  uint64_t records = 0;
  uint64_t places_bytes = 0;
  for (const IndexedTarget& entry : index.targets_) {
    records += entry.records;
    places_bytes += entry.places_bytes;
  }
  if (records != header.records || places_bytes != header.places_bytes) {
    return absl::DataLossError(absl::StrCat(index.path_, ": offset 64: the targets have ", records,
                                            " records in ", places_bytes, " bytes, all have ",
                                            header.records, " in ", header.places_bytes));
  }
  body.erase(body.begin(), body.begin() + static_cast<ptrdiff_t>(table_bytes));
  index.places_ = std::move(body);
  return index;
}

uint64_t IndexFile::RecordsOf(const std::function<bool(uint32_t)>& wanted) const {
  uint64_t records = 0;
  for (const IndexedTarget& entry : targets_) {
    if (wanted(entry.target)) records += entry.records;
  }
  return records;
}

absl::StatusOr<std::vector<uint32_t>> IndexFile::UnitsOf(
    const std::function<bool(uint32_t)>& wanted) const {
  std::vector<uint32_t> units;
  std::span<const std::byte> rest(places_);
  for (const IndexedTarget& entry : targets_) {
    std::span<const std::byte> places = rest.first(entry.places_bytes);
    rest = rest.subspan(entry.places_bytes);
    if (!wanted(entry.target)) continue;
    uint64_t unit = 0;
    uint32_t count = 0;
    for (; !places.empty(); ++count) {
      const std::optional<uint32_t> step = TakePlace(places);
      unit += step.value_or(0);
      if (!step.has_value() || *step == 0 || unit >= units_) {
        return absl::DataLossError(absl::StrCat(path_, ": target ", entry.target, " has a place ",
                                                unit, "; 1 to ", units_ - 1, " are possible"));
      }
      units.push_back(static_cast<uint32_t>(unit));
    }
    if (count != entry.records) {
      return absl::DataLossError(absl::StrCat(path_, ": target ", entry.target, " has ", count,
                                              " places, but ", entry.records, " records"));
    }
  }
  std::sort(units.begin(), units.end());
  return units;
}

}  // namespace bitactor::internal
