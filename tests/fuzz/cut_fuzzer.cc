// Any bytes in the file `cut`: opening, verify, repair and readers answer with a status, and a journal
// that opens goes on.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "bitactor/persistence/repair.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

constexpr char kDir[] = "journal";
constexpr char kCut[] = "journal/cut";
constexpr uint64_t kSegmentBytes = 64 << 10;
constexpr size_t kSlotBytes = 4096;
constexpr size_t kSlotHeaderBytes = 64;
constexpr uint32_t kMaxEntries = 126;

JournalOptions Options(SimulatedFiles& files) {
  return {.durability = Durability::kGroup,
          .segment_bytes = kSegmentBytes,
          .prepare_ahead = false,
          .files = &files,
          .random = [] { return uint64_t{7}; },
          .now_ns = [] { return uint64_t{1}; }};
}

// The seed of all inputs: a journal with records before and behind its cut.
std::unique_ptr<SimulatedFiles> MakeJournal() {
  auto files = std::make_unique<SimulatedFiles>();
  Journal journal = Journal::Open(kDir, Options(*files)).value();
  for (uint8_t i = 0; i < 20; ++i) {
    const std::vector<std::byte> bytes(i * 6, std::byte{i});
    const Position position = journal.Append(bytes).value();
    if (i == 12) BITACTOR_CHECK(journal.WaitDurable(position).ok());
  }
  return files->AfterKill();
}

// Gives a slot the checksum of what is in it, so that what it says is looked at.
void Reseal(SimulatedFiles& files, size_t slot) {
  std::vector<std::byte> bytes = files.Read(kCut);
  const std::byte* header = &bytes[slot * kSlotBytes];
  uint32_t entries;
  std::memcpy(&entries, header + 12, sizeof(entries));
  entries = std::min(entries, kMaxEntries);
  uint32_t crc = Crc32c(0, header, kSlotHeaderBytes - sizeof(crc));
  crc = Crc32c(crc, header + kSlotHeaderBytes, entries * size_t{32});
  std::vector<std::byte> sum(sizeof(crc));
  std::memcpy(sum.data(), &crc, sizeof(crc));
  files.Write(kCut, slot * kSlotBytes + kSlotHeaderBytes - sizeof(crc), sum);
}

// First a byte: its lowest bits choose which slots get their checksum, whether the machine was started
// anew, and how short the file is cut. Then offset, length, data, again and again.
std::unique_ptr<SimulatedFiles> Damaged(const SimulatedFiles& journal, const uint8_t* data,
                                        size_t size_bytes) {
  std::unique_ptr<SimulatedFiles> files = journal.AfterKill();
  if (size_bytes == 0) return files;
  const uint8_t choice = data[0];
  ++data, --size_bytes;
  while (size_bytes >= 3) {
    const uint64_t offset = (data[0] | (data[1] << 8)) % (2 * kSlotBytes);
    const size_t length = std::min<size_t>({data[2], size_bytes - 3, 2 * kSlotBytes - offset});
    std::vector<std::byte> bytes(length);
    if (length > 0) std::memcpy(bytes.data(), data + 3, length);
    files->Write(kCut, offset, bytes);
    data += 3 + length;
    size_bytes -= 3 + length;
  }
  if ((choice & 1) != 0) Reseal(*files, 0);
  if ((choice & 2) != 0) Reseal(*files, 1);
  if ((choice & 4) != 0) files->RestartMachine();
  if ((choice & 8) != 0) files->Truncate(kCut, (choice >> 4) * 512);
  return files;
}

// What is forged may lie about the tail, but never past a status.
void OpenAndAppend(SimulatedFiles& files) {
  absl::StatusOr<Journal> journal = Journal::Open(kDir, Options(files));
  if (!journal.ok()) return;
  const Position position = journal->Append(std::vector<std::byte>(300)).value();
  BITACTOR_CHECK(journal->WaitDurable(position).ok());
  BITACTOR_CHECK(journal->Close().ok());
  BITACTOR_CHECK(VerifyJournal(kDir, files).value().ok());
}

void Try(const uint8_t* data, size_t size_bytes) {
  static const std::unique_ptr<SimulatedFiles> journal = MakeJournal();
  const std::unique_ptr<SimulatedFiles> files = Damaged(*journal, data, size_bytes);
  VerifyJournal(kDir, *files).IgnoreError();
  StatJournal(kDir, *files).IgnoreError();
  const std::unique_ptr<SimulatedFiles> twin = files->AfterKill();
  OpenAndAppend(*files);
  const RepairOptions repairs{.files = twin.get(),
                              .dry_run = false,
                              .progress = {},
                              .random = [] { return uint64_t{7}; },
                              .now_ns = [] { return uint64_t{1}; }};
  if (!RepairJournal(kDir, repairs).ok()) return;
  BITACTOR_CHECK(VerifyJournal(kDir, *twin).value().ok());
  OpenAndAppend(*twin);
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
