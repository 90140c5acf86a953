// Any bytes in a journal's directory: readers, verify, stat and recovery answer with a status, stay
// inside the file, and after a recovery the journal is sound.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_reader.h"
#include "bitactor/persistence/journal_verify.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

constexpr char kDir[] = "journal";
constexpr char kSegment[] = "journal/00000000.seg";

JournalOptions Options(SimulatedFiles& files) {
  return {.segment_bytes = 64 << 10,
          .prepare_ahead = false,
          .files = &files,
          .random = [] { return uint64_t{7}; },
          .now_ns = [] { return uint64_t{1}; }};
}

// A journal of a few records, over which the input is laid: bytes of offset, length, data, again
// and again. So inputs get behind the checksums of what they leave alone.
void Overlay(SimulatedFiles& files, const uint8_t* data, size_t size_bytes) {
  while (size_bytes >= 3) {
    const uint64_t offset = data[0] | (data[1] << 8);
    const size_t length = std::min<size_t>({data[2], size_bytes - 3, 65536 - offset});
    std::vector<std::byte> bytes(length);
    if (length > 0) std::memcpy(bytes.data(), data + 3, length);
    files.Write(kSegment, offset, bytes);
    data += 3 + length;
    size_bytes -= 3 + length;
  }
}

void Try(const uint8_t* data, size_t size_bytes) {
  SimulatedFiles files;
  {
    Journal journal = Journal::Open(kDir, Options(files)).value();
    for (uint8_t i = 0; i < 20; ++i) {
      const std::vector<std::byte> bytes(i * 6, std::byte{i});
      BITACTOR_CHECK(journal.Append(bytes).ok());
    }
  }
  Overlay(files, data, size_bytes);
  VerifyJournal(kDir, files).IgnoreError();
  StatJournal(kDir, files).IgnoreError();
  if (absl::StatusOr<JournalReader> reader = JournalReader::Open(kDir, files); reader.ok()) {
    History history = reader->Replay();
    while (history.Next() != nullptr) {
    }
  }
  absl::StatusOr<Journal> journal = Journal::Open(kDir, Options(files));
  if (!journal.ok()) return;
  BITACTOR_CHECK(journal->Append({}).ok());
  BITACTOR_CHECK(journal->Close().ok());
  BITACTOR_CHECK(VerifyJournal(kDir, files).value().ok());
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
