// Any bytes in a journal's directory: readers, verify, stat, recovery and repair answer with a
// status, stay inside the file, and after a recovery or a repair the journal is sound.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/repair.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

constexpr char kDir[] = "journal";
constexpr char kSegment[] = "journal/00000000.seg";
constexpr uint64_t kSegmentBytes = 64 << 10;
constexpr uint64_t kSalt = 7;

JournalOptions Options(SimulatedFiles& files) {
  return {.segment_bytes = kSegmentBytes,
          .prepare_ahead = false,
          .files = &files,
          .random = [] { return kSalt; },
          .now_ns = [] { return uint64_t{1}; }};
}

RepairOptions Repairs(SimulatedFiles& files) {
  return {.files = &files,
          .dry_run = false,
          .progress = {},
          .random = [] { return kSalt; },
          .now_ns = [] { return uint64_t{1}; }};
}

// The seed of all inputs: a journal with every kind of slot in it, records, seals, blocks, a gap.
std::unique_ptr<SimulatedFiles> MakeJournal() {
  auto files = std::make_unique<SimulatedFiles>();
  Position lost;
  for (int part = 0; part < 2; ++part) {
    Journal journal = Journal::Open(kDir, Options(*files)).value();
    for (uint8_t i = 0; i < 20; ++i) {
      const std::vector<std::byte> bytes(i * (i % 5 == 4 ? 30 : 6), std::byte{i});
      const Position position = journal.Append(bytes).value();
      if (i == 7) lost = position;
    }
    if (part == 0) BITACTOR_CHECK(journal.Close().ok());
  }
  files = files->AfterKill();
  files->FlipBit(kSegment, lost.value() * kFrameUnitBytes, 0);
  const RepairReport repaired = RepairJournal(kDir, Repairs(*files)).value();
  BITACTOR_CHECK_EQ(repaired.gaps, uint64_t{1});
  return files;
}

// Makes the slot at `offset` valid again, so that what it says is looked at.
void Reseal(SimulatedFiles& files, uint64_t offset) {
  offset = offset / kFrameUnitBytes * kFrameUnitBytes;
  if (offset == 0 || offset + sizeof(Frame) > kSegmentBytes) return;
  const std::vector<std::byte> segment = files.Read(kSegment);
  Frame frame;
  std::memcpy(&frame, &segment[offset], sizeof(frame));
  if (frame.header.size_bytes > kMaxPayloadBytes) return;
  const uint32_t checksum = FrameChecksum(frame.header) ^
                            ::bitactor::internal::PlaceMask(kSalt, offset / kFrameUnitBytes);
  std::vector<std::byte> bytes(sizeof(checksum));
  std::memcpy(bytes.data(), &checksum, sizeof(checksum));
  files.Write(kSegment, offset, bytes);
}

// Lays the input over the journal: offset, length, data, again and again. With the length's highest
// bit, the slot there gets its checksum. Returns whether one did.
bool Overlay(SimulatedFiles& files, const uint8_t* data, size_t size_bytes) {
  bool forged = false;
  while (size_bytes >= 3) {
    const uint64_t offset = data[0] | (data[1] << 8);
    const size_t length =
        std::min<size_t>({data[2] & 0x7Fu, size_bytes - 3, kSegmentBytes - offset});
    std::vector<std::byte> bytes(length);
    if (length > 0) std::memcpy(bytes.data(), data + 3, length);
    files.Write(kSegment, offset, bytes);
    if ((data[2] & 0x80) != 0) {
      Reseal(files, offset);
      forged = true;
    }
    data += 3 + length;
    size_bytes -= 3 + length;
  }
  return forged;
}

void Read(SimulatedFiles& files) {
  VerifyJournal(kDir, files).IgnoreError();
  StatJournal(kDir, files).IgnoreError();
  for (const bool skip_gaps : {false, true}) {
    absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, files);
    if (!reader.ok()) return;
    History history = reader->Replay({.skip_gaps = skip_gaps});
    size_t bytes = 0;
    while (const Record* record = history.Next()) bytes += record->bytes().size();
    BITACTOR_CHECK_LE(bytes, size_t{kSegmentBytes} * kMaxPayloadBytes);
  }
}

void AppendAndClose(SimulatedFiles& files, bool must_open, bool must_be_sound) {
  absl::StatusOr<Journal> journal = Journal::Open(kDir, Options(files));
  BITACTOR_CHECK(journal.ok() || !must_open);
  if (!journal.ok()) return;
  BITACTOR_CHECK(journal->Append({}).ok());
  BITACTOR_CHECK(journal->Append(std::vector<std::byte>(500)).ok());
  BITACTOR_CHECK(journal->Close().ok());
  if (must_be_sound) BITACTOR_CHECK(VerifyJournal(kDir, files).value().ok());
}

void Try(const uint8_t* data, size_t size_bytes) {
  static const std::unique_ptr<SimulatedFiles> journal = MakeJournal();
  std::unique_ptr<SimulatedFiles> files = journal->AfterKill();
  const bool forged = Overlay(*files, data, size_bytes);
  Read(*files);
  const std::unique_ptr<SimulatedFiles> twin = files->AfterKill();
  // What is forged behind a good checksum, recovery believes.
  AppendAndClose(*files, /*must_open=*/false, /*must_be_sound=*/!forged);
  if (!RepairJournal(kDir, Repairs(*twin)).ok()) return;
  BITACTOR_CHECK(VerifyJournal(kDir, *twin).value().ok());
  AppendAndClose(*twin, /*must_open=*/true, /*must_be_sound=*/true);
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
