// Reads snapshot files that are laid over a whole one, and goes on writing beside them.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "bitactor/l1_core/crc32c.h"
#include "bitactor/persistence/snapshot_store.h"
#include "support/simulated_files.cc"  // a fuzzer is one source file

namespace bitactor::test {
namespace {

constexpr char kDir[] = "snapshots";
constexpr char kNewest[] = "snapshots/00000000000000000007-00000000000000000002.snap";
constexpr size_t kHeaderBytes = 64;

// The first byte of the input says how long the file is to be and whether the header's checksum is
// made to match; the rest replaces its bytes, from the beginning (even) or from the state on (odd).
void Damage(SimulatedFiles& files, const uint8_t* data, size_t size_bytes) {
  if (size_bytes == 0) return;
  const uint8_t how = data[0];
  std::vector<std::byte> bytes(size_bytes - 1);
  if (!bytes.empty()) std::memcpy(bytes.data(), data + 1, bytes.size());
  const uint64_t offset = (how & 1) != 0 ? kHeaderBytes : 0;
  const uint64_t file_bytes = std::max<uint64_t>(offset + bytes.size(), how & 0x7C);
  files.Truncate(kNewest, std::max<uint64_t>(file_bytes, kHeaderBytes));
  files.Write(kNewest, offset, bytes);
  if ((how & 2) != 0) {
    const uint32_t crc = Crc32c(0, files.Read(kNewest).data(), kHeaderBytes - sizeof(uint32_t));
    std::vector<std::byte> word(sizeof(crc));
    std::memcpy(word.data(), &crc, sizeof(crc));
    files.Write(kNewest, kHeaderBytes - sizeof(crc), word);
  }
  if ((how & 0x80) != 0) files.Truncate(kNewest, file_bytes);
}

void Try(const uint8_t* data, size_t size_bytes) {
  SimulatedFiles files;
  const std::vector<std::byte> state(40, std::byte{1});
  {
    SnapshotStore store = SnapshotStore::Open(kDir, {.files = &files}).value();
    BITACTOR_CHECK(store.Write(7, Position(1), 1, state).ok());
    BITACTOR_CHECK(store.Write(7, Position(2), 2, state).ok());
  }
  Damage(files, data, size_bytes);
  SnapshotStore store = SnapshotStore::Open(kDir, {.keep = 1, .files = &files}).value();
  const absl::StatusOr<Snapshot> latest = store.Latest(7);
  BITACTOR_CHECK(latest.ok());  // the one before it was left alone
  BITACTOR_CHECK((latest->position == Position(2)) == latest->passed_over.empty());
  if (latest->position == Position(1)) BITACTOR_CHECK(latest->state == state);
  BITACTOR_CHECK(store.Write(7, Position(3), 3, state).ok());
  BITACTOR_CHECK(store.Latest(7).value().position == Position(3));
}

}  // namespace
}  // namespace bitactor::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  bitactor::test::Try(data, size_bytes);
  return 0;
}
