#include "cut_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"

namespace bitactor::internal {
namespace {

// What a slot begins with; `entries` entries follow. docs/journal_format.md.
struct SlotHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t entries;
  uint64_t sequence;
  uint64_t stamp_ns;
  uint32_t flags;  // bit 0: Cut::moved
  uint8_t reserved[24];
  uint32_t crc32c;  // over the 60 bytes before and the entries
};
static_assert(sizeof(SlotHeader) == 64);

constexpr size_t kSectorBytes = 512;  // what a disk writes whole or not at all

using SlotBytes = std::array<std::byte, kCutSlotBytes>;

uint32_t Checksum(const SlotHeader& header, const std::byte* entries) {
  const uint32_t crc = Crc32c(0, &header, offsetof(SlotHeader, crc32c));
  return Crc32c(crc, entries, header.entries * sizeof(CutEntry));
}

SlotBytes Encode(const Cut& cut) {
  SlotBytes slot{};
  SlotHeader header{};
  header.magic = kCutMagic;
  header.version = kCutVersion;
  header.entries = static_cast<uint32_t>(cut.entries.size());
  header.sequence = cut.sequence;
  header.stamp_ns = cut.stamp_ns;
  header.flags = cut.moved ? 1 : 0;
  std::byte* entries = slot.data() + sizeof(header);
  if (!cut.entries.empty()) {
    std::memcpy(entries, cut.entries.data(), cut.entries.size() * sizeof(CutEntry));
  }
  header.crc32c = Checksum(header, entries);
  std::memcpy(slot.data(), &header, sizeof(header));
  return slot;
}

std::optional<Cut> Decode(const SlotBytes& slot) {
  SlotHeader header;
  std::memcpy(&header, slot.data(), sizeof(header));
  const std::byte* entries = slot.data() + sizeof(header);
  if (header.magic != kCutMagic || header.entries > kMaxCutEntries ||
      header.crc32c != Checksum(header, entries)) {
    return std::nullopt;
  }
  Cut cut{.sequence = header.sequence,
          .stamp_ns = header.stamp_ns,
          .moved = (header.flags & 1) != 0,
          .entries = std::vector<CutEntry>(header.entries)};
  if (header.entries > 0) {
    std::memcpy(cut.entries.data(), entries, header.entries * sizeof(CutEntry));
  }
  return cut;
}

bool WasWritten(const SlotBytes& slot) {
  return std::any_of(slot.begin(), slot.begin() + kSectorBytes,
                     [](std::byte b) { return b != std::byte{0}; });
}

uint32_t VersionOf(const SlotBytes& slot) {
  SlotHeader header;
  std::memcpy(&header, slot.data(), sizeof(header));
  return header.magic == kCutMagic ? header.version : kCutVersion;
}

}  // namespace

const CutEntry* Cut::Find(uint32_t owner_number) const {
  for (const CutEntry& entry : entries) {
    if (entry.owner_number == owner_number) return &entry;
  }
  return nullptr;
}

CutEntry& Cut::At(uint32_t owner_number) {
  for (CutEntry& entry : entries) {
    if (entry.owner_number == owner_number) return entry;
  }
  BITACTOR_CHECK_LT(entries.size(), kMaxCutEntries);
  return entries.emplace_back(CutEntry{.owner_number = owner_number,
                                       .level = kLevelProcess,
                                       .tail = 0,
                                       .boot_id = 0,
                                       .reserved = 0});
}

absl::StatusOr<std::optional<Cut>> ReadCut(FileSystem& files, const std::string& dir) {
  const std::string path = JoinPath(dir, kCutName);
  absl::StatusOr<std::unique_ptr<File>> file = files.Open(path, FileSystem::OpenMode::kRead);
  if (absl::IsNotFound(file.status())) return std::nullopt;
  if (!file.ok()) return file.status();
  std::optional<Cut> newest;
  bool written = false;
  for (size_t i = 0; i < kCutSlots; ++i) {
    SlotBytes slot{};  // a file that is shorter reads as zeros
    absl::StatusOr<size_t> n = (*file)->ReadAt(i * kCutSlotBytes, slot);
    if (!n.ok()) return n.status();
    written = written || WasWritten(slot);
    std::optional<Cut> cut = Decode(slot);
    if (!cut.has_value()) continue;
    if (const uint32_t version = VersionOf(slot); version != kCutVersion) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": offset ", i * kCutSlotBytes + 8, ": version ", version,
                       "; this program reads and writes version ", kCutVersion,
                       " only: use the program that wrote this journal"));
    }
    if (!newest.has_value() || cut->sequence > newest->sequence) newest = std::move(cut);
  }
  if (!newest.has_value() && written) {
    return absl::DataLossError(absl::StrCat(
        path, ": neither of the two slots at offsets 0 and ", kCutSlotBytes,
        " is whole, so it is not known which records were acknowledged: check the records with "
        "`bitactor journal verify ",
        dir, "`; move this file away to keep all that is sound"));
  }
  return newest;
}

absl::StatusOr<std::unique_ptr<CutFile>> CutFile::Open(FileSystem& files, const std::string& dir) {
  absl::StatusOr<std::optional<Cut>> cut = ReadCut(files, dir);
  if (!cut.ok()) return cut.status();
  std::unique_ptr<CutFile> opened(new CutFile(files, dir));
  if (!cut->has_value()) return opened;
  opened->cut_ = *std::move(*cut);
  absl::StatusOr<std::unique_ptr<File>> file =
      files.Open(JoinPath(dir, kCutName), FileSystem::OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  opened->file_ = *std::move(file);
  if (absl::Status status = opened->WriteSlot(opened->cut_); !status.ok()) return status;
  return opened;
}

absl::Status CutFile::Write(Cut cut) {
  cut.sequence = cut_.sequence + 1;
  const bool is_new = file_ == nullptr;
  if (is_new) {
    if (absl::Status status = Make(); !status.ok()) return status;
  }
  absl::Status status = WriteSlot(cut);
  if (status.ok() && is_new) status = files_.SyncDirectory(dir_);
  if (status.ok()) cut_ = std::move(cut);
  return status;
}

absl::Status CutFile::WriteSlot(const Cut& cut) {
  const SlotBytes slot = Encode(cut);
  absl::Status status = file_->WriteAt(cut.sequence % kCutSlots * kCutSlotBytes, slot);
  if (status.ok()) status = file_->Sync();
  return status;
}

absl::Status CutFile::Make() {
  absl::StatusOr<std::unique_ptr<File>> file =
      files_.Open(JoinPath(dir_, kCutName), FileSystem::OpenMode::kCreate);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->Allocate(kCutSlots * kCutSlotBytes); !status.ok()) {
    return status;
  }
  file_ = *std::move(file);
  return absl::OkStatus();
}

}  // namespace bitactor::internal
