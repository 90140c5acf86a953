// Any bytes in the index of a segment: a replay by it gives the records that reading all gives, in their
// order, or fewer of them with a status that says why; the next update makes it good again.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/persistence/journal.h"
#include "bitactor/persistence/journal_index.h"
#include "bitactor/persistence/journal_verify.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

constexpr char kDir[] = "journal";
constexpr char kIndex[] = "journal/index/00000000.idx";
constexpr uint64_t kSegmentBytes = 64 << 10;
constexpr size_t kHeaderBytes = 64;
constexpr uint32_t kTargets = 40;

// The seed of all inputs: a journal of two segments, the first one sealed and with an index.
std::unique_ptr<SimulatedFiles> MakeJournal() {
  auto files = std::make_unique<SimulatedFiles>();
  JournalOptions options;
  options.segment_bytes = kSegmentBytes;
  options.prepare_ahead = false;
  options.files = files.get();
  options.random = [] { return uint64_t{7}; };
  options.now_ns = [] { return uint64_t{1}; };
  Journal journal = Journal::Open(kDir, options).value();
  for (uint32_t i = 0; journal.tail().value() < kSegmentBytes / kFrameUnitBytes + 50; ++i) {
    Frame frame{};
    frame.header.kind = FrameKind::kCast;
    frame.header.stamp_ns = i + 1;
    frame.header.target = i % kTargets;
    Seal(frame);
    BITACTOR_CHECK(journal.AppendFrame(frame.header) != Position::None());
  }
  BITACTOR_CHECK(journal.Close().ok());
  const IndexReport report = JournalIndex::Open(kDir, *files).value().Update().value();
  BITACTOR_CHECK_EQ(report.built, uint32_t{1});
  return files->AfterKill();
}

// First a byte: its lowest bit gives the index its checksum, the second one cuts it short. Then offset,
// length, data, again and again.
void Damage(SimulatedFiles& files, const uint8_t* data, size_t size_bytes) {
  const size_t file_bytes = files.Read(kIndex).size();
  if (size_bytes == 0) return;
  const uint8_t choice = data[0];
  ++data, --size_bytes;
  while (size_bytes >= 3) {
    const uint64_t offset = (data[0] | (data[1] << 8)) % file_bytes;
    const size_t length = std::min<size_t>({data[2], size_bytes - 3, file_bytes - offset});
    std::vector<std::byte> bytes(length);
    if (length > 0) std::memcpy(bytes.data(), data + 3, length);
    files.Write(kIndex, offset, bytes);
    data += 3 + length;
    size_bytes -= 3 + length;
  }
  if ((choice & 2) != 0) files.Truncate(kIndex, (choice >> 2) * file_bytes / 64);
  const std::vector<std::byte> bytes = files.Read(kIndex);
  if ((choice & 1) == 0 || bytes.size() < kHeaderBytes) return;
  uint32_t crc = Crc32c(0, bytes.data(), kHeaderBytes - sizeof(crc));
  crc = Crc32c(crc, bytes.data() + kHeaderBytes, bytes.size() - kHeaderBytes);
  std::vector<std::byte> sum(sizeof(crc));
  std::memcpy(sum.data(), &crc, sizeof(crc));
  files.Write(kIndex, kHeaderBytes - sizeof(crc), sum);
}

// The stamps of a target's records, which are a journal's own numbers. Whether all are there.
void CheckReplay(SimulatedFiles& files, bool must_be_whole) {
  absl::StatusOr<JournalIndex> index = JournalIndex::Open(kDir, files);
  BITACTOR_CHECK(index.ok());
  index->Targets().IgnoreError();
  const uint64_t records = StatJournal(kDir, files)->records;
  for (const uint32_t target : {0u, 7u, kTargets - 1}) {
    uint64_t next = target;
    TargetHistory history = index->Replay(target);
    for (const Record& record : history) {
      BITACTOR_CHECK_EQ(record.frame().header.target, target);
      const uint64_t number = record.frame().header.stamp_ns - 1;
      BITACTOR_CHECK_LE(next, number);
      if (must_be_whole) BITACTOR_CHECK_EQ(number, next);
      next = number + kTargets;
    }
    BITACTOR_CHECK(history.status().ok());
    if (must_be_whole) BITACTOR_CHECK_LE(records, next);
  }
}

void Try(const uint8_t* data, size_t size_bytes) {
  static const std::unique_ptr<SimulatedFiles> journal = MakeJournal();
  std::unique_ptr<SimulatedFiles> files = journal->AfterKill();
  const std::vector<std::byte> good = files->Read(kIndex);
  Damage(*files, data, size_bytes);
  // One that is forged with a good checksum may leave records out; it never gives wrong ones.
  const bool forged = size_bytes > 0 && (data[0] & 1) != 0;
  CheckReplay(*files, /*must_be_whole=*/!forged);
  if (forged) return;
  BITACTOR_CHECK(JournalIndex::Open(kDir, *files)->Update().ok());
  BITACTOR_CHECK(files->Read(kIndex) == good);
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
